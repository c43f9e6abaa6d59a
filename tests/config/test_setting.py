from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from fastingest import OptionError
from fastingest.config.setting import (
    check_choice,
    check_range,
    duration_setting,
    format_fsync,
    parse_fsync,
    read_subscription,
    setting,
    size_setting,
)


@dataclasses.dataclass
class Some:
    """A setting of each kind."""

    count: int = setting("", 1, limits=(1, 9))
    share: float = setting("", 0.5, limits=(0, 1))
    most: int | None = setting("", None, limits=(1, 9))
    wait: float = duration_setting("", 1.0, (0.5, 60))
    room: int | None = size_setting("", None, (2**10, 2**20))
    word: str = setting("", "a", choices=("a", "b"))
    free: str = setting("", "anything")


def field(name: str) -> dataclasses.Field[Any]:
    return Some.__dataclass_fields__[name]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("count", (1, 9)),
        ("share", (0, 0.25, 1)),
        ("most", (None, 1, 9)),
        ("wait", (0.5, 1, 60.0)),
        ("room", (None, 2**10, 2**20)),
        ("word", (5, None, "b")),  # no number, and no limits
    ],
)
def test_what_is_within_the_limits_is_taken(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        check_range(field(name), value)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("count", 0, "0 is out of range; it must be at least 1"),
        ("count", 10, "10 is out of range; it must be at most 9"),
        ("count", 2.0, "2.0 is not a whole number"),
        ("count", True, "True is not a whole number"),
        ("count", None, "None is not a whole number"),
        ("share", "0.5", "'0.5' is not a number"),
        ("share", False, "False is not a number"),
        ("share", float("nan"), "nan is out of range; it must be at most 1"),
        ("most", 0, "0 is out of range; it must be at least 1"),
        ("most", 1.5, "1.5 is not a whole number"),
        ("wait", 0.25, "250ms is out of range; it must be at least 500ms"),
        ("wait", 3600, "1h is out of range; it must be at most 1m"),
        ("room", 1, "1B is out of range; it must be at least 1KiB"),
    ],
)
def test_what_is_beyond_the_limits_is_told_with_its_unit(
    name: str, value: Any, problem: str
) -> None:
    with pytest.raises(OptionError) as refused:
        check_range(field(name), value)
    assert (refused.value.option, refused.value.problem) == (name, problem)


def test_a_choice_is_one_of_the_fields_own() -> None:
    check_choice(field("word"), "b")
    check_choice(field("free"), "b")
    with pytest.raises(OptionError) as refused:
        check_choice(field("word"), "c")
    assert (refused.value.option, refused.value.problem) == ("word", "'c' is not one of a, b")


@pytest.mark.parametrize(
    ("text", "seconds"), [("never", None), ("batch", 0.0), ("1s", 1.0), ("250ms", 0.25), ("0", 0.0)]
)
def test_fsync_is_a_word_or_a_duration(text: str, seconds: float | None) -> None:
    assert parse_fsync(text) == seconds
    assert parse_fsync(format_fsync(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "always", "off", "Batch", "1"])
def test_what_is_no_fsync_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is neither never, nor batch, nor a duration such as 1s"):
        parse_fsync(text)


def test_a_subscription_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "subscribe.json"
    file.write_text('{"op": "subscribe", "symbol": "é"}', "utf-8")
    assert read_subscription(f"@{file}") == '{"op": "subscribe", "symbol": "é"}'
    assert read_subscription("as it is") == "as it is"
