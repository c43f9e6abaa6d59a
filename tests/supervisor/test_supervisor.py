"""Messages that nobody knows, between real processes: who is broken has died like any other.

More on how processes die, and on what follows, is in tests/end_to_end/test_ends.py and in
tests/faults.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fastingest import Options, Summary, ingest
from fastingest.runtime.control import (
    Command,
    Complete,
    End,
    Go,
    Notice,
    Ready,
    UnknownMessage,
    encode,
    notice_from,
)
from fastingest.supervisor import children
from tests.end_to_end.command import left_by, read_rows

ROWS = 500


def _ingest(tmp_path: Path) -> Summary:
    out = tmp_path / "out.csv"
    url = f"demo://?rows={ROWS}&rate=10000&sequence=1"
    summary = ingest(Options(url=url, out=out, max_rows=ROWS))
    assert [row[2] for row in read_rows(out)] == [str(number) for number in range(ROWS)]
    assert left_by(out) == ["out.csv", "out.csv.ledger.jsonl"]
    return summary


def _once(kind: type) -> Callable[[object], bool]:
    """Whether it is the first message of a kind."""
    seen = []

    def is_first(message: object) -> bool:
        if isinstance(message, kind):
            seen.append(message)
        return isinstance(message, kind) and len(seen) == 1

    return is_first


def _errors(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (each.message, each.__dict__["facts"]["process"])
        for each in caplog.records
        if each.levelname == "ERROR"
    ]


class Case(NamedTuple):
    """What is said instead of the first command of a kind, and to whom."""

    kind: type[Command]
    who: str
    instead: bytes
    said: str


UNKNOWN = [
    Case(Go, "receiver", b"dance", "no command: "),
    Case(End, "writer", b"dance", "no command: "),
    Case(Go, "receiver", encode(Ready()), "no command: Invalid value 'Ready'"),
    Case(Go, "receiver", encode(End()), "no command for a receiver: End()"),
    Case(End, "writer", encode(Go()), "no command for a writer: Go()"),
]


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_child_that_is_told_what_it_does_not_know_dies_and_another_follows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    case: Case,
) -> None:
    is_first = _once(case.kind)
    monkeypatch.setattr(
        children, "encode", lambda message: case.instead if is_first(message) else encode(message)
    )
    assert _ingest(tmp_path).restarts == 1
    assert _errors(caplog) == [("a process ended with status 1", case.who)]
    assert f"UnknownMessage: {case.said}" in capfd.readouterr().err


def test_a_child_that_says_what_nobody_knows_is_killed_and_another_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    is_first = _once(Ready)

    def misheard(data: bytes) -> Notice:
        notice = notice_from(data)
        if is_first(notice):
            raise UnknownMessage("no notice: b'dance'")
        return notice

    monkeypatch.setattr(children, "notice_from", misheard)
    assert _ingest(tmp_path).restarts == 1
    assert _errors(caplog) == [
        ("a process says what nobody knows, and is killed", "writer"),
        ("a process was killed by signal 9", "writer"),
    ]
    said = next(each for each in caplog.records if "nobody knows" in each.message)
    assert said.__dict__["facts"]["problem"] == "no notice: b'dance'"


def test_an_output_that_the_run_does_not_have_is_as_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    is_first = _once(Ready)

    def misheard(data: bytes) -> Notice:
        notice = notice_from(data)
        return Complete("/another.csv") if is_first(notice) else notice

    monkeypatch.setattr(children, "notice_from", misheard)
    assert _ingest(tmp_path).restarts == 1
    said = next(each for each in caplog.records if "nobody knows" in each.message)
    assert said.__dict__["facts"]["problem"] == "no output of this run: /another.csv"
