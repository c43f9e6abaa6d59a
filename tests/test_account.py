"""The ledger's line of a run, made of what its processes have left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastingest import account
from fastingest.account import Events, log_run, read_events
from fastingest.counters import Counters, Slot
from fastingest.ledger import append_entry, ledger_path, read_entries
from fastingest.writer.journal import Entry
from tests.writer.limits import largest_file

RUN = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
ENTRY = Entry(
    run=RUN,
    stream=RUN,
    sequence=7,
    inode=99,
    size=500,
    quarantine_size=40,
    start=20,
    rows=11,
    crc32=0xABC,
    written=12,
    quarantined=3,
    first_received=RUN + SECOND,
    last_received=RUN + 2 * SECOND,
)
GAPS = [{"start": "2023-11-14T22:13:21.000000000Z", "seconds": 0.5, "reason": "é"}]
EVENTS: dict[str, Any] = {"feed": "wss://example.org/é", "gaps": GAPS}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "o.csv"


@pytest.fixture
def counters(tmp_path: Path) -> Counters:
    counters = Counters.create(tmp_path / "1.counters")
    for slot, value in {
        Slot.RECEIVED: 25,
        Slot.REJECTED: 3,
        Slot.WRITTEN: 12,
        Slot.QUARANTINED: 3,
        Slot.DROPPED: 4,
        Slot.LOST: 1,
        Slot.LOST_MESSAGES: 6,
        Slot.CONNECTIONS: 2,
        Slot.RECEIVER_RESTARTS: 7,
        Slot.WRITER_RESTARTS: 8,
    }.items():
        counters[slot] = value
    return counters


LINE: dict[str, Any] = {
    "run": RUN,
    "start": "2023-11-14T22:13:20.000000000Z",
    "end": "2023-11-14T22:13:23.000000000Z",
    "interrupted": False,
    "feed": "wss://example.org/é",
    "received": 25,
    "written": 12,
    "quarantined": 3,
    "ignored": 0,
    "dropped": 4,
    "lost": 1,
    "kept": 5,
    "messages_lost": 6,
    "connections": 2,
    "gaps": GAPS,
    "first_received": "2023-11-14T22:13:21.000000000Z",
    "last_received": "2023-11-14T22:13:22.000000000Z",
    "receiver_restarts": 7,
    "writer_restarts": 8,
    "file": {"from": 20, "to": 500, "rows": 11, "crc32": "00000abc"},
    "size": 500,
}


def test_a_line_has_what_counters_journal_and_events_say(out: Path, counters: Counters) -> None:
    log_run(out, ENTRY, counters, EVENTS, end=RUN + 3 * SECOND)
    assert read_entries(out) == [LINE]
    assert list(read_entries(out)[0]) == list(LINE)


def test_a_run_that_was_interrupted_has_no_end(out: Path, counters: Counters) -> None:
    log_run(out, ENTRY, counters, EVENTS, end=None)
    assert read_entries(out) == [LINE | {"end": None, "interrupted": True}]


def test_what_nobody_knows_is_null(out: Path) -> None:
    entry = Entry(run=RUN, size=20)
    log_run(out, entry, None, {"feed": None, "gaps": []}, end=None, with_region=False)
    unknown = dict.fromkeys(
        [
            "end",
            "feed",
            "received",
            "dropped",
            "lost",
            "kept",
            "messages_lost",
            "connections",
            "first_received",
            "last_received",
            "receiver_restarts",
            "writer_restarts",
            "file",
        ]
    )
    changed = {"interrupted": True, "written": 0, "quarantined": 0, "gaps": [], "size": 20}
    assert read_entries(out) == [LINE | unknown | changed]


def test_a_line_that_is_there_is_not_appended_again(out: Path, counters: Counters) -> None:
    """The supervisor writes it, and where it could not remove the journal, the next start again."""
    log_run(out, ENTRY, counters, EVENTS, end=RUN + 3 * SECOND)
    log_run(out, ENTRY, counters, EVENTS, end=None)
    log_run(out, ENTRY, counters, {"feed": None, "gaps": []}, end=RUN)
    assert read_entries(out) == [LINE]


@pytest.mark.parametrize(
    "change",
    [
        {"run": RUN + 1},
        {"written": 13},
        {"quarantined": 4},
        {"rows": 12},
        {"start": 21},
        {"crc32": 1},
    ],
)
def test_a_line_that_says_something_else_is(
    change: dict[str, int], out: Path, counters: Counters
) -> None:
    log_run(out, ENTRY, counters, EVENTS, end=None)
    log_run(out, replace(ENTRY, **change), counters, EVENTS, end=None)
    assert len(read_entries(out)) == 2
    log_run(out, replace(ENTRY, **change), counters, EVENTS, end=None)
    assert len(read_entries(out)) == 2


def test_what_was_kept_and_is_written_now_is_another_line(out: Path, counters: Counters) -> None:
    log_run(out, ENTRY, counters, EVENTS, end=RUN)
    counters[Slot.LOST] += 5
    log_run(out, ENTRY, counters, EVENTS, end=None)
    assert [entry["kept"] for entry in read_entries(out)] == [5, 0]


def test_a_region_that_ended_is_no_line_of_the_run(out: Path) -> None:
    """Of a run that has written nothing, whose file was deleted."""
    entry = Entry(run=RUN, start=20, size=20)
    counters = Counters.create()
    append_entry(out, {"run": RUN, "ended": "deleted", "file": entry.region.to_json()})
    log_run(out, entry, counters, EVENTS, end=RUN)
    assert [(each.get("ended"), each.get("written")) for each in read_entries(out)] == [
        ("deleted", None),
        (None, 0),
    ]


def test_a_ledger_that_cannot_be_written_is_an_error_and_may_be_tried_again(
    out: Path, counters: Counters
) -> None:
    with largest_file(50), pytest.raises(OSError, match="large"):
        log_run(out, ENTRY, counters, EVENTS, end=RUN + 3 * SECOND)
    assert ledger_path(out).stat().st_size == 50
    log_run(out, ENTRY, counters, EVENTS, end=RUN + 3 * SECOND)
    assert read_entries(out) == [LINE]
    ledger_path(out).unlink()
    ledger_path(out).mkdir()
    with pytest.raises(IsADirectoryError):
        log_run(out, ENTRY, counters, EVENTS, end=None)


# Events


def test_events_are_noted_as_they_happen(tmp_path: Path) -> None:
    path = tmp_path / "1.events.jsonl"
    events = Events(path, "ws://é")
    assert read_events(path) == {"feed": "ws://é", "gaps": []}
    events.gap(RUN + SECOND, 0.5, "é")
    assert read_events(path) == {"feed": "ws://é", "gaps": GAPS}
    events.gap(RUN, 1.23456789, 'a "reason"\n')
    gap = {"start": "2023-11-14T22:13:20.000000000Z", "seconds": 1.234568}
    assert read_events(path)["gaps"] == [*GAPS, gap | {"reason": 'a "reason"\n'}]


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == {"feed": None, "gaps": []}
    assert read_events(tmp_path) == {"feed": None, "gaps": []}


def test_events_cut_off_at_every_byte_are_read_as_far_as_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "1.events.jsonl"
    ends = [0]
    Events(path, "ws://é")
    ends.append(path.stat().st_size)
    path.unlink()
    events = Events(path, "ws://é")
    for number in range(3):
        events.gap(RUN, number, "x")
        ends.append(path.stat().st_size)
    data = path.read_bytes()
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        whole = sum(end - 1 <= size for end in ends[1:])  # only the line feed may be missing
        found = read_events(path)
        assert found["feed"] == ("ws://é" if whole else None), size
        assert [gap["seconds"] for gap in found["gaps"]] == list(range(whole - 1)), size


def test_more_gaps_than_are_noted_are_only_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert account.MOST_GAPS == 10_000
    monkeypatch.setattr(account, "MOST_GAPS", 3)
    events = Events(tmp_path / "events", "ws://x")
    for number in range(5):
        events.gap(RUN, number, "x")
    assert [gap["seconds"] for gap in read_events(tmp_path / "events")["gaps"]] == [0, 1, 2]


def test_events_that_cannot_be_noted_stop_nobody(tmp_path: Path) -> None:
    events = Events(tmp_path / "nowhere" / "events", "ws://x")
    events.gap(RUN, 1, "x")
    assert list(tmp_path.iterdir()) == []
