from __future__ import annotations

import io
import json
import logging
import math
import sys
from typing import Any

import pytest

from fastingest.cli.log import JsonFormatter, TextFormatter, configure, iso_utc
from fastingest.text import escape

# 2026-11-22T14:03:00.123Z
MOMENT = 1795356180.123


def record(event: str, level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": event, "levelno": level, "created": MOMENT})
    made.levelname = logging.getLevelName(level)
    made.facts = fields
    return made


def text(event: str, level: int = logging.INFO, **fields: Any) -> str:
    return TextFormatter().format(record(event, level, **fields))


def test_a_line_has_time_level_event_and_fields() -> None:
    line = text("connected", url="wss://feed.example/x", attempt=2)
    assert line == "2026-11-22T14:03:00.123Z INFO    connected url=wss://feed.example/x attempt=2"


def test_levels_are_aligned() -> None:
    lines = [text("x", level) for level in (10, 20, 30, 40)]
    assert [line[25:] for line in lines] == ["DEBUG   x", "INFO    x", "WARNING x", "ERROR   x"]


def test_durations_sizes_and_moments_are_shown_with_their_units() -> None:
    line = text("gap", start_ns=1795356180_123456789, length=1.25, rate=49876.4, queue=2**20)
    assert line.endswith(" gap start=2026-11-22T14:03:00.123Z length=1.25s rate=49876/s queue=1MiB")
    assert text("progress", p99=math.nan).endswith(" p99=-")
    assert text("x", ratio=1 / 3).endswith(" ratio=0.333333")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('say "hi" \\', r'"say \"hi\" \\"'),
        ("a\nb\r\x1b[2J\x7f\x85\u2028", r'"a\nb\r\x1b[2J\x7f\x85\u2028"'),
        ("\x1b[2J", r"\x1b[2J"),
        ("\udcff", r"\udcff"),
        ("größer", "größer"),
        (None, "None"),
    ],
)
def test_a_value_never_leaves_its_line(value: object, shown: str) -> None:
    assert text("x", fact=value) == f"2026-11-22T14:03:00.123Z INFO    x fact={shown}"


def test_an_event_never_leaves_its_line() -> None:
    assert text("a\nb").endswith(r" a\nb")
    assert escape("\tü \x00") == r"\tü \x00"


def test_json_is_one_object_with_the_numbers_as_they_are() -> None:
    fields = {
        "start_ns": 1795356180_123456789,
        "length": 1.25,
        "p99": math.nan,
        "a": "b\nc",
        "n": 1,
    }
    line = JsonFormatter().format(record("gap", logging.WARNING, **fields))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-22T14:03:00.123Z",
        "level": "warning",
        "event": "gap",
        "start": "2026-11-22T14:03:00.123Z",
        "length": 1.25,
        "p99": None,
        "a": "b\nc",
        "n": 1,
    }
    assert list(json.loads(line))[:3] == ["time", "level", "event"]


def test_a_fact_does_not_replace_what_every_json_line_has() -> None:
    entry = json.loads(JsonFormatter().format(record("x", level=20, event_="e", time=5)))
    assert entry["time"] == "2026-11-22T14:03:00.123Z"


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_traceback_stays_on_the_line(formatter: logging.Formatter) -> None:
    try:
        raise ValueError("what happened")
    except ValueError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    line = formatter.format(made)
    assert "\n" not in line
    assert r"\nValueError: what happened" in line


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, "00.000Z"), (1.9996, "01.999Z")])
def test_a_moment_is_cut_to_milliseconds(seconds: float, shown: str) -> None:
    assert iso_utc(seconds) == f"1970-01-01T00:00:{shown}"


def test_configure_sends_the_records_to_one_place_only(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    for _ in range(2):  # the second replaces the first
        configure("warning", "json", logging.StreamHandler(stream))
    logger.info("not logged")
    logger.warning("logged", extra={"facts": {"n": 1}})
    entry = json.loads(stream.getvalue())
    assert (entry["level"], entry["event"], entry["n"]) == ("warning", "logged", 1)
    assert capsys.readouterr() == ("", "")
