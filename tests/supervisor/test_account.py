"""The ledger's line of a run, made of what its processes have left."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fastingest import Options, OutputRefused
from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import PARTITIONS, Reject, partition_of
from fastingest.model.feed import Feed, Table
from fastingest.runtime.assignment import targets_of
from fastingest.spool import directories as places
from fastingest.spool import segment
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage import run_events
from fastingest.storage.journal import Entry, Journal, journal_path
from fastingest.storage.ledger import append_entry, ledger_path, read_entries
from fastingest.storage.offsets import FeedCount
from fastingest.storage.run_events import Events, read_events
from fastingest.storage.run_log import log_run
from fastingest.supervisor.account import Account, new_stream, problem_of, report_fallbacks
from fastingest.supervisor.events import level_on_disk
from tests.support.builders import make_batch, make_entry
from tests.support.events import Told, told
from tests.support.limits import largest_file, read_only, small_disk

RUN = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
ENTRY = make_entry(
    RUN,
    written=12,
    rejected=3,
    received=(RUN + SECOND, RUN + 2 * SECOND),
    stream=RUN,
    sequence=7,
    inode=99,
    size=500,
    rejects_size=40,
    start=20,
    rows=11,
    crc32=0xABC,
    feed="é",
)
COUNTS = {"é": FeedCount(12, 3)}
GAPS = [{"feed": "é", "start": "2023-11-14T22:13:21.000000000Z", "seconds": 0.5, "reason": "é"}]
FEEDS = [{"index": 0, "name": "é", "url": "wss://example.org/é"}]
EVENTS: dict[str, Any] = {"feeds": FEEDS, "gaps": GAPS}
NOTHING: dict[str, Any] = {"feeds": [], "gaps": []}
HEADER = 'symbol,"a, b",volume'


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "o.csv"


@pytest.fixture
def counters(tmp_path: Path) -> Counters:
    counters = Counters.create(tmp_path / "1.counters")
    for slot, value in {
        Slot.RECEIVED: 25,
        Slot.IGNORED: 9,
        Slot.BLANKED: 8,
        Slot.REJECTED: 3,
        Slot.WRITTEN: 12,
        Slot.REJECTS_COMMITTED: 3,
        Slot.DROPPED: 4,
        Slot.LOST: 1,
        Slot.LOST_MESSAGES: 6,
        Slot.CONNECTIONS: 2,
        Slot.REFUSED: 3,
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
    "received": 34,
    "written": 12,
    "quarantined": 3,
    "ignored": 9,
    "dropped": 4,
    "lost": 1,
    "set_aside": 0,
    "kept": 5,
    "rejects_not_kept": 0,
    "messages_lost": 6,
    "connections": 2,
    "refused": 3,
    "blanked": 8,
    "stale": 0,
    "gaps": GAPS,
    "first_received": "2023-11-14T22:13:21.000000000Z",
    "last_received": "2023-11-14T22:13:22.000000000Z",
    "receiver_restarts": 7,
    "writer_restarts": 8,
    "header": HEADER,
    "file": {"from": 20, "to": 500, "rows": 11, "crc32": "00000abc"},
    "size": 500,
    "feeds": [
        {
            "index": 0,
            "name": "é",
            "url": "wss://example.org/é",
            "written": 12,
            "quarantined": 3,
            "set_aside": 0,
            "received": 34,
            "ignored": 9,
            "dropped": 4,
            "lost": 1,
            "kept": 5,
            "connections": 2,
            "never_ready": False,
            "refused": 3,
            "blanked": 8,
            "stale": 0,
        }
    ],
}


def log(
    out: Path,
    entry: Entry,
    counters: Counters | None,
    events: dict[str, Any],
    *,
    end: int | None,
    feeds: Mapping[str, FeedCount] = COUNTS,
    with_region: bool = True,
) -> None:
    log_run(
        out,
        entry,
        counters,
        events,
        header=HEADER,
        feeds=feeds,
        end=end,
        with_region=with_region,
    )


def test_a_line_has_what_counters_journal_and_events_say(out: Path, counters: Counters) -> None:
    log(out, ENTRY, counters, EVENTS, end=RUN + 3 * SECOND)
    assert read_entries(out) == [LINE]
    assert list(read_entries(out)[0]) == list(LINE)


def test_a_run_that_was_interrupted_has_no_end(out: Path, counters: Counters) -> None:
    log(out, ENTRY, counters, EVENTS, end=None)
    assert read_entries(out) == [LINE | {"end": None, "interrupted": True}]


def test_what_is_set_aside_or_not_kept_has_its_place_in_the_line(
    out: Path, counters: Counters
) -> None:
    counters[Slot.SET_ASIDE] = 2
    entry = replace(ENTRY, set_aside=2, feed_set_aside=2, not_kept=1)
    log(out, entry, counters, EVENTS, end=None, feeds={"é": FeedCount(12, 3, 2)})
    (line,) = read_entries(out)
    assert (line["set_aside"], line["rejects_not_kept"], line["kept"]) == (2, 1, 3)
    (feed,) = line["feeds"]
    assert (feed["set_aside"], feed["kept"]) == (2, 3)
    log(out, replace(entry, set_aside=3), counters, EVENTS, end=None)
    assert len(read_entries(out)) == 2  # which says something else


def test_rows_that_were_set_aside_are_a_problem(tmp_path: Path) -> None:
    options = Options(url=("ws://x",), out=tmp_path / "o.csv")
    begun = Account(options, targets_of(options.feeds)[0], options.feeds)
    begun.counters[Slot.RECEIVED], begun.counters[Slot.WRITTEN] = 10, 7
    begun.counters[Slot.SET_ASIDE] = 3
    problem = problem_of([begun])
    begun.clean_up(complete=True)
    assert str(problem) == ("3 received rows could not be written, and are set aside (*.failed)")
    assert problem is not None
    assert problem.exit_status == 3


def test_what_nobody_knows_is_null(out: Path) -> None:
    entry = Entry(run=RUN, size=20)
    log(out, entry, None, NOTHING, end=None, with_region=False)
    unknown = dict.fromkeys(
        [
            "end",
            "feed",
            "received",
            "ignored",
            "dropped",
            "lost",
            "kept",
            "messages_lost",
            "connections",
            "refused",
            "blanked",
            "stale",
            "first_received",
            "last_received",
            "receiver_restarts",
            "writer_restarts",
            "file",
        ]
    )
    changed = {"interrupted": True, "written": 0, "quarantined": 0, "gaps": [], "size": 20}
    changed["feeds"] = []
    assert read_entries(out) == [LINE | unknown | changed]


def test_a_line_that_is_there_is_not_appended_again(out: Path, counters: Counters) -> None:
    """The supervisor writes it, and where it could not remove the journal, the next start again."""
    log(out, ENTRY, counters, EVENTS, end=RUN + 3 * SECOND)
    log(out, ENTRY, counters, EVENTS, end=None)
    log(out, ENTRY, counters, NOTHING, end=RUN)
    assert read_entries(out) == [LINE]


@pytest.mark.parametrize(
    "change",
    [
        {"run": RUN + 1},
        {"written": 13},
        {"rejected": 4},
        {"rows": 12},
        {"start": 21},
        {"crc32": 1},
    ],
)
def test_a_line_that_says_something_else_is(
    change: dict[str, int], out: Path, counters: Counters
) -> None:
    log(out, ENTRY, counters, EVENTS, end=None)
    log(out, replace(ENTRY, **change), counters, EVENTS, end=None)
    assert len(read_entries(out)) == 2
    log(out, replace(ENTRY, **change), counters, EVENTS, end=None)
    assert len(read_entries(out)) == 2


def test_what_was_kept_and_is_written_now_is_another_line(out: Path, counters: Counters) -> None:
    log(out, ENTRY, counters, EVENTS, end=RUN)
    counters[Slot.LOST] += 5
    log(out, ENTRY, counters, EVENTS, end=None)
    assert [entry["kept"] for entry in read_entries(out)] == [5, 0]


def test_a_region_that_ended_is_no_line_of_the_run(out: Path) -> None:
    """Of a run that has written nothing, whose file was deleted."""
    entry = Entry(run=RUN, start=20, size=20)
    counters = Counters.create()
    append_entry(out, {"run": RUN, "ended": "deleted", "file": entry.region.to_json()})
    log(out, entry, counters, EVENTS, end=RUN)
    assert [(each.get("ended"), each.get("written")) for each in read_entries(out)] == [
        ("deleted", None),
        (None, 0),
    ]


def test_a_ledger_that_cannot_be_written_is_an_error_and_may_be_tried_again(
    out: Path, counters: Counters
) -> None:
    with largest_file(50), pytest.raises(OSError, match="large"):
        log(out, ENTRY, counters, EVENTS, end=RUN + 3 * SECOND)
    assert ledger_path(out).stat().st_size == 0  # what was written of it is cut off again
    log(out, ENTRY, counters, EVENTS, end=RUN + 3 * SECOND)
    assert read_entries(out) == [LINE]
    ledger_path(out).unlink()
    ledger_path(out).mkdir()
    with pytest.raises(IsADirectoryError):
        log(out, ENTRY, counters, EVENTS, end=None)


# Events


def test_events_are_noted_as_they_happen(tmp_path: Path) -> None:
    path = tmp_path / "1.events.jsonl"
    events = Events(path, {0: ("é", "wss://example.org/é")})
    assert read_events(path) == events.known == {"feeds": FEEDS, "gaps": []}
    events.gap("é", RUN + SECOND, 0.5, "é")
    assert read_events(path) == events.known == {"feeds": FEEDS, "gaps": GAPS}
    events.gap("other", RUN, 1.23456789, 'a "reason"\n')
    gap = {"feed": "other", "start": "2023-11-14T22:13:20.000000000Z", "seconds": 1.234568}
    assert read_events(path)["gaps"] == [*GAPS, gap | {"reason": 'a "reason"\n'}]
    assert events.known == read_events(path)


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == NOTHING
    assert read_events(tmp_path) == NOTHING


def test_events_cut_off_at_every_byte_are_read_as_far_as_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "1.events.jsonl"
    ends = [0]
    Events(path, {0: ("é", "wss://example.org/é")})
    ends.append(path.stat().st_size)
    path.unlink()
    events = Events(path, {0: ("é", "wss://example.org/é")})
    for number in range(3):
        events.gap("é", RUN, number, "x")
        ends.append(path.stat().st_size)
    data = path.read_bytes()
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        whole = sum(end - 1 <= size for end in ends[1:])  # only the line feed may be missing
        found = read_events(path)
        assert found["feeds"] == (FEEDS if whole else []), size
        assert [gap["seconds"] for gap in found["gaps"]] == list(range(whole - 1)), size


def test_more_gaps_than_are_noted_are_only_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_events.MAX_GAPS == 10_000
    monkeypatch.setattr(run_events, "MAX_GAPS", 3)
    events = Events(tmp_path / "events", {})
    for number in range(5):
        events.gap("é", RUN, number, "x")
    assert [gap["seconds"] for gap in read_events(tmp_path / "events")["gaps"]] == [0, 1, 2]


def test_events_that_cannot_be_noted_stop_nobody(tmp_path: Path) -> None:
    events = Events(tmp_path / "nowhere" / "events", {})
    events.gap("x", RUN, 1, "x")
    assert list(tmp_path.iterdir()) == []


def test_events_that_find_no_room_are_all_noted_elsewhere(tmp_path: Path) -> None:
    path, spare = tmp_path / "1.events.jsonl", tmp_path / "spare.events.jsonl"
    events = Events(path, {0: ("é", "wss://example.org/é")}, lambda: spare)
    events.gap("é", RUN + SECOND, 0.5, "é")
    with largest_file(path.stat().st_size + 10):  # of the next one, a piece is there
        events.gap("é", RUN, 1, "x")
    assert not spare.exists()  # nor was there room for all of them
    assert read_events(path)["gaps"] == GAPS
    path.unlink()
    path.mkdir()
    events.gap("é", RUN, 2, "x")
    assert read_events(spare) == events.known
    assert [gap["seconds"] for gap in events.known["gaps"]] == [0.5, 1, 2]
    events.gap("é", RUN, 3, "x")
    assert read_events(spare) == events.known
    assert list(path.iterdir()) == []


# Streams


@given(st.integers(0, 2**62), st.integers(0, PARTITIONS - 1))
def test_a_stream_is_later_than_all_before_it_and_says_its_partition(
    after: int, partition: int
) -> None:
    stream = new_stream(after, partition)
    assert after < stream <= after + 2 * PARTITIONS
    assert partition_of(stream) == partition


# Several feeds


def test_a_line_has_a_part_for_each_feed_of_the_output(out: Path, tmp_path: Path) -> None:
    """In the feeds' order; feeds that go elsewhere are not among them."""
    counters = Counters.create(tmp_path / "counters", [f"feed {n}" for n in range(4)])
    for number, each in enumerate(counters.feeds):
        each[Slot.RECEIVED], each[Slot.IGNORED] = 10 * number, number
        each[Slot.WRITTEN], each[Slot.DROPPED], each[Slot.LOST] = 5 * number, number, 2 * number
        each[Slot.CONNECTIONS] = number + 1
        each[Slot.NEVER_READY] = number % 3
    feeds = [{"index": n, "name": f"feed {n}", "url": f"ws://x/{n}"} for n in (1, 3)]
    log(
        out,
        ENTRY,
        counters,
        {"feeds": feeds, "gaps": []},
        feeds={"feed 1": FeedCount(5, 0), "feed 3": FeedCount(15, 0)},
        end=None,
    )
    (line,) = read_entries(out)
    assert line["feed"] == "ws://x/1 ws://x/3"
    assert line["feeds"] == [
        {
            "index": n,
            "name": f"feed {n}",
            "url": f"ws://x/{n}",
            "written": 5 * n,
            "quarantined": 0,
            "set_aside": 0,
            "received": 11 * n,
            "ignored": n,
            "dropped": n,
            "lost": 2 * n,
            "kept": 2 * n,
            "connections": n + 1,
            "never_ready": n == 1,
            "refused": 0,
            "blanked": 0,
            "stale": 0,
        }
        for n in (1, 3)
    ]


def test_of_a_run_before_the_machine_was_started_anew_each_feed_has_what_is_known(
    out: Path, tmp_path: Path
) -> None:
    """It had kept rows of two feeds in memory, and those of the first had been on disk as well."""
    counters = Counters.create(tmp_path / "counters", ["feed 0", "feed 1"])
    for each in counters.feeds:
        each[Slot.RECEIVED], each[Slot.WRITTEN] = 20, 6
    feeds = [{"index": n, "name": f"feed {n}", "url": f"ws://x/{n}"} for n in (0, 1)]
    before = {f"feed {n}": FeedCount(6, 0) for n in (0, 1)}
    entry = replace(ENTRY, rejected=0)
    log(out, entry, counters, {"feeds": feeds, "gaps": GAPS}, feeds=before, end=RUN)
    now = {"feed 0": FeedCount(20, 0), "feed 1": FeedCount(6, 0)}
    log(out, replace(entry, written=26, rows=25), None, NOTHING, feeds=now, end=None)
    first, second = read_entries(out)
    assert (first["kept"], [each["kept"] for each in first["feeds"]]) == (28, [14, 14])
    assert (second["kept"], second["lost"], second["received"]) == (0, 14, 40)
    names = ("name", "received", "written", "lost", "kept")
    assert [[each[name] for name in names] for each in second["feeds"]] == [
        ["feed 0", 20, 20, 0, 0],
        ["feed 1", 20, 6, 14, 0],
    ]
    assert (second["gaps"], second["feed"]) == (GAPS, "ws://x/0 ws://x/1")


# An account, from its begin to its end


class Begun:
    """The account of a run of three feeds, of which the second goes elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "o.csv"
        options = Options(url="ws://x", out=self.out)
        tables = (Table(self.out),), (Table(folder / "p.csv"),), (Table(self.out),)
        self.feeds = [Feed(f"feed {n}", f"ws://x/{n}", each) for n, each in enumerate(tables)]
        target, _ = targets_of(self.feeds)
        self.account = Account(options, target, self.feeds)
        self.journal = Journal(journal_path(self.out), [*target.tables])
        self.counters = self.account.counters

    def commit(self, feed: int, sequence: int, written: int, *, counted: bool = True) -> None:
        """The journal's entry, and what a writer says of it in the counters."""
        entry = Entry(self.account.run, self.stream(feed), sequence, feed=f"feed {feed}")
        self.journal.record(replace(entry, feed_written=written, size=100 + sequence))
        if counted:
            self.counters.feeds[feed][Slot.WRITTEN] = written

    def stream(self, feed: int) -> int:
        return new_stream(self.account.run, feed % 2)

    def keep(self, feed: int, sequences: Sequence[int], rows: int) -> None:
        """Leave batches of so many rows, and a reject, in the spool."""
        stream = self.stream(feed)
        parts = [segment.header(stream, sequences[0])]
        for sequence in sequences:
            wire = make_batch(
                [("x", 1.5, 1)] * rows,
                rejects=[Reject(1, "x", b"{")],
                stream=stream,
                sequence=sequence,
                feed=f"feed {feed}",
            ).to_bytes()
            parts += [segment.record(sequence, wire), wire]
        name = segment.file_name(stream, sequences[0])
        (self.account.places.spool / name).write_bytes(b"".join(parts))

    def lost(self) -> list[int]:
        return [each[Slot.LOST] for each in self.counters.feeds]


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Begun]:
    begun = Begun(tmp_path)
    yield begun
    begun.journal.close()
    begun.account.places.remove()


def test_what_is_kept_is_told_from_what_is_lost_for_each_feed(begun: Begun) -> None:
    for feed, received in ((0, 100), (2, 50)):
        begun.counters.feeds[feed][Slot.RECEIVED] = received
    begun.commit(0, 0, 60)
    begun.commit(2, 4, 20)
    begun.commit(0, 1, 70)
    begun.keep(0, [0, 1, 2], 9)  # the last of them is not written
    begun.keep(2, [5], 19)
    begun.account.balance(complete=False)
    assert begun.lost() == [100 - 70 - 10, 0, 50 - 20 - 20]
    assert [each.ledger.in_flight for each in begun.counters.feeds] == [10, 0, 20]
    begun.account.balance(complete=False)  # says the same
    assert begun.lost() == [20, 0, 10]


def test_a_feed_that_lost_rows_is_not_made_good_by_what_another_has_kept(begun: Begun) -> None:
    begun.counters.feeds[0][Slot.RECEIVED] = 20
    begun.counters.feeds[2][Slot.RECEIVED] = 20
    begun.keep(2, [0, 1], 9)
    begun.account.balance(complete=False)
    assert begun.lost() == [20, 0, 0]
    assert begun.counters.whole_ledger.in_flight == 20


def test_where_everything_was_written_what_is_missing_is_lost(begun: Begun) -> None:
    begun.counters.feeds[0][Slot.RECEIVED] = 8
    begun.counters.feeds[2][Slot.RECEIVED] = 9
    begun.commit(0, 0, 8)
    begun.commit(2, 0, 4)
    begun.account.balance(complete=True)
    assert begun.lost() == [0, 0, 5]
    problem = problem_of([begun.account])
    assert str(problem) == "5 received rows were lost with a receiver that died"


def test_what_the_journal_says_of_each_feed_is_right_where_the_counters_lag(begun: Begun) -> None:
    for feed in (0, 2):
        begun.counters.feeds[feed][Slot.RECEIVED] = 30
        begun.commit(feed, 0, 10)
        begun.commit(feed, 1, 30, counted=False)
    begun.account.balance(complete=True)
    assert [each[Slot.WRITTEN] for each in begun.counters.feeds] == [30, 0, 30]
    assert begun.lost() == [0, 0, 0]
    assert problem_of([begun.account]) is None
    begun.account.close(begun.account.run + SECOND)
    (line,) = read_entries(begun.out)
    assert [(each["name"], each["written"]) for each in line["feeds"]] == [
        ("feed 0", 30),
        ("feed 2", 30),
    ]


def test_counts_of_two_feeds_that_do_not_agree_do_not_make_up_for_each_other(
    begun: Begun,
) -> None:
    begun.counters.feeds[0][Slot.RECEIVED], begun.counters.feeds[0][Slot.WRITTEN] = 5, 4
    begun.counters.feeds[2][Slot.RECEIVED], begun.counters.feeds[2][Slot.WRITTEN] = 4, 5
    assert "the counts do not agree" in str(problem_of([begun.account]))


def test_messages_of_a_feed_that_goes_to_several_outputs_are_lost_once(begun: Begun) -> None:
    for number, messages in ((0, 3), (2, 4)):
        begun.counters.feeds[number][Slot.LOST_MESSAGES] = messages
    problem = problem_of([begun.account, begun.account])
    assert "7 messages that were not decoded yet" in str(problem)


def test_what_is_newer_than_all_before_is_newer_in_every_partition_and_feed(begun: Begun) -> None:
    assert begun.account.newest() == begun.account.run
    late = new_stream(begun.account.run + 10**6, 5)
    begun.journal.record(Entry(begun.account.run, late, 3, feed="feed 2"))
    begun.commit(0, 9, 1)
    assert begun.account.newest() == late
    begun.keep(2, [0], 1)
    later = new_stream(late + 10**6, 9)
    (begun.account.places.spool / segment.file_name(later, 0)).touch()
    assert begun.account.newest() == later


# Where there is little room


def account_of(out: Path) -> Account:
    options, feeds = Options(url="ws://x", out=out), [Feed("feed", "ws://x", (Table(out),))]
    return Account(options, targets_of(feeds)[0], feeds)


def said_of(*accounts: Account) -> list[Told]:
    said: list[Told] = []
    report_fallbacks(accounts, lambda event: said.append(told(event)))
    return said


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system in memory that has room for little."""
    with small_disk(tmp_path / "shm", "64k") as memory:
        monkeypatch.setattr(places, "_MEMORY", memory)
        yield memory


def fill(directory: Path) -> None:
    """Leave no room there at all."""
    with contextlib.suppress(OSError), (directory / "kept").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_with_room_for_all_nothing_is_said(out: Path, memory: Path) -> None:
    account = account_of(out)
    assert account.places.spool.parent == memory
    assert account.places.counters(account.run).parent == account.places.spool
    assert said_of(account) == []
    assert list(out.parent.glob("o.csv*")) == []


def test_counters_that_find_no_room_in_memory_are_beside_the_output(
    out: Path, memory: Path
) -> None:
    before = account_of(out)
    fill(before.places.spool)
    before.counters[Slot.RECEIVED] = 5
    account = account_of(out)
    spare = out.parent / "o.csv.spool"
    assert account.run > before.run
    assert account.places == before.places
    assert account.places.counters(account.run) == spare / f"{account.run}.counters"
    assert account.places.events(account.run) == spare / f"{account.run}.events.jsonl"
    assert read_events(account.places.events(account.run)) == account.events.known
    assert account.places.runs() == [before.run, account.run]
    problem = f"{account.places.spool}: No space left on device"
    fields = {"path": str(spare / f"{account.run}.counters"), "problem": problem}
    assert said_of(account) == [
        ("warning", "the counters are on disk and not in memory", fields),
    ]
    account.counters[Slot.RECEIVED] = 7
    assert Counters.open(account.places.counters(account.run))[Slot.RECEIVED] == 7
    following = account_of(out)
    assert following.places.runs() == [before.run, account.run, following.run]
    following.clean_up(complete=True)
    assert list(out.parent.glob("o.csv*")) == []
    assert [path.name for path in account.places.spool.iterdir()] == ["kept"]


def test_where_nothing_has_room_both_are_named(tmp_path: Path, memory: Path) -> None:
    (tmp_path / "data").mkdir()
    out = tmp_path / "data" / "o.csv"
    fill(account_of(out).places.spool)
    with (
        read_only(out.parent),
        pytest.raises(OutputRefused, match="No space left on device; nor can") as refused,
    ):
        account_of(out)
    assert str(out.parent / "o.csv.spool") in str(refused.value)


def test_without_memory_the_spool_is_on_disk_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_MEMORY", tmp_path / "nowhere")
    accounts = [account_of(tmp_path / name) for name in ("o.csv", "p.csv")]
    fields = {
        "path": str(tmp_path / "o.csv.spool"),
        "problem": f"there is no {tmp_path / 'nowhere'}",
        "outputs": 2,
    }
    what = "the spool is on disk and not in memory"
    assert said_of(*accounts) == [(level_on_disk(sys.platform), what, fields)]


# What is not ours


@pytest.mark.parametrize("suffix", [".journal", ".ledger.jsonl", ".rejected.jsonl"])
@pytest.mark.parametrize("what", ["link", "pipe", "somebody's"])
def test_a_file_beside_the_output_that_is_not_ours_is_refused_by_name(
    suffix: str, what: str, out: Path, tmp_path: Path
) -> None:
    path, treasure = out.with_name(out.name + suffix), tmp_path / "treasure"
    treasure.write_text("gold")
    if what == "link":
        path.symlink_to(treasure)
    elif what == "pipe":
        os.mkfifo(path)
    else:
        give_away(path)
    with pytest.raises(OutputRefused) as refused:
        account_of(out)
    assert refused.value.path == path
    assert os.path.lexists(path)
    assert treasure.read_text() == "gold"


def give_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give a file away")
    path.touch()
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize("suffix", [".spill", ".spool"])
@pytest.mark.parametrize("what", ["link", "somebody's"])
def test_a_directory_beside_the_output_that_is_not_ours_is_refused_by_name(
    suffix: str, what: str, out: Path, tmp_path: Path
) -> None:
    path, home = out.with_name(out.name + suffix), tmp_path / "home"
    home.mkdir()
    (home / segment.file_name(1, 1)).touch()
    if what == "link":
        path.symlink_to(home)
    else:
        path.mkdir()
        give_away(path)
    with pytest.raises(OutputRefused) as refused:
        account_of(out)
    assert refused.value.path == path
    assert os.path.lexists(path)
    assert [each.name for each in home.iterdir()] == [segment.file_name(1, 1)]


@pytest.mark.parametrize("which", ["spool", "spill"])
def test_a_journal_that_names_something_else_is_refused_and_nothing_is_removed(
    which: str, out: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter").touch()
    notes = SpoolDirectories.of(out).to_notes() | {which: str(home)}
    journal = Journal(journal_path(out))
    journal.note(notes)
    journal.close()
    with pytest.raises(OutputRefused, match=f"names {home}") as refused:
        account_of(out)
    assert refused.value.path == journal_path(out)
    assert [each.name for each in home.iterdir()] == ["letter"]


def test_the_journal_is_not_made_by_who_reads_it(begun: Begun) -> None:
    begun.journal.close()
    journal_path(begun.out).unlink()
    begun.account.balance(complete=False)
    begun.account.clean_up(complete=False)
    assert not journal_path(begun.out).exists()
    begun.journal = Journal(journal_path(begun.out))


def test_an_account_is_balanced_and_cleaned_up_on_a_disk_that_has_become_read_only(
    begun: Begun,
) -> None:
    begun.counters.feeds[0][Slot.RECEIVED] = 9
    begun.commit(0, 0, 9, counted=False)
    with read_only(begun.out.parent):
        begun.account.balance(complete=True)
        assert begun.counters.feeds[0][Slot.WRITTEN] == 9
        begun.account.clean_up(complete=True)
    assert journal_path(begun.out).exists()
    assert not begun.account.places.spool.exists()


BARE = "symbol,price,volume\n"


def test_a_file_with_nothing_but_the_header_that_the_run_has_made_is_removed(begun: Begun) -> None:
    journal_path(begun.out).unlink()
    begun.account.remove_bare_output()  # it was not made
    begun.out.write_text(BARE)
    begun.account.remove_bare_output()
    assert not begun.out.exists()


@pytest.mark.parametrize("content", [BARE + "A,1.0,\n", BARE[:-1], "other,columns,here\n", ""])
def test_a_file_with_anything_else_stays(begun: Begun, content: str) -> None:
    journal_path(begun.out).unlink()
    begun.out.write_text(content)
    begun.account.remove_bare_output()
    assert begun.out.read_text() == content


def test_a_file_of_which_a_journal_speaks_stays(begun: Begun) -> None:
    begun.out.write_text(BARE)
    begun.account.remove_bare_output()
    assert begun.out.read_text() == BARE


def test_a_file_that_was_there_before_stays(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text(BARE)
    begun = Begun(tmp_path)
    begun.journal.close()
    journal_path(begun.out).unlink()
    begun.account.remove_bare_output()
    begun.account.places.remove()
    assert begun.out.read_text() == BARE
