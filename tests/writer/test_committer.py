"""Batches that can be written, and such that cannot, in a real output."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastingest import Options, WriteFailed
from fastingest.format.csv import CsvFormat
from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import PARTITIONS, Batch, Position, Reject, read_batch
from fastingest.model.schema import TRADES
from fastingest.runtime.control import Notice, Report
from fastingest.spool import segment
from fastingest.storage.journal import Journal, journal_path
from fastingest.writer.attempts import MAX_TRIES
from fastingest.writer.committer import Committer
from tests.support.builders import make_batch
from tests.support.limits import largest_file
from tests.support.poison import poison

HEADER = b"symbol,price,volume\n"
RUN = 1_700_000_000_000_000_000 // PARTITIONS * PARTITIONS


def batch(sequence: int, rows: int = 3, rejects: int = 0, feed: str = "feed") -> Batch:
    return make_batch(
        [("A", 1.5, 10 * sequence + n) for n in range(rows)],
        rejects=[Reject(RUN, "odd", b"x")] * rejects,
        received=RUN,
        stream=RUN,
        sequence=sequence,
        feed=feed,
    )


def rows_of(*sequences: int) -> bytes:
    return b"".join(b"A,1.5,%d\n" % (10 * each + n) for each in sequences for n in range(3))


class Writer:
    """A committer that another one may take the place of."""

    def __init__(self, out: Path, **options: Any) -> None:
        self.out = out
        self.options = Options(url="ws://x", out=out, **{"fsync": None, "min_free": 0, **options})
        self.counters = Counters.create(feeds=["feed", "other"])
        self.told: list[Notice] = []
        self.waits: list[float] = []
        self.has_time = True
        self.start()

    def start(self) -> None:
        journal = Journal(journal_path(self.out), ["feed", "other"])
        journal.note({})
        self.committer = Committer(
            self.options,
            self.out,
            TRADES.header,
            journal,
            self.counters,
            format_=CsvFormat(),
            tell=self.told.append,
            wait=self._wait,
        )
        self.committer.output.begin(RUN)

    def restart(self) -> None:
        self.committer.output.close()
        self.start()

    def _wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.has_time

    def commit(self, each: Batch) -> None:
        """As it comes from a receiver, which has counted it."""
        known = each.feed if each.feed in self.counters.names else "feed"
        self.counters.of(known).add(Slot.RECEIVED, each.count)
        self.committer.commit(each)

    def logged(self, what: str) -> list[dict[str, Any]]:
        return [each.fields for each in self.told if isinstance(each, Report) if each.event == what]

    @property
    def failed(self) -> list[Path]:
        return sorted(self.out.parent.glob("*.failed*"))


ASIDE = "a batch that cannot be written is set aside"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "o.csv")
    yield writer
    writer.committer.output.close()


def raising(sequence: int, rejects: int = 0, feed: str = "feed") -> Batch:
    wire = poison(batch(sequence, rejects=rejects, feed=feed).to_bytes(), "raising")
    return read_batch(wire, Position(RUN, sequence), is_exact=True)


def test_a_batch_that_cannot_be_written_is_tried_and_then_set_aside(writer: Writer) -> None:
    writer.commit(batch(0))
    writer.commit(raising(1, rejects=2))
    writer.commit(batch(2, rejects=1))
    assert writer.out.read_bytes() == HEADER + rows_of(0, 2)
    assert writer.waits == [0.5, 1.0, 2.0]
    (path,) = writer.failed
    assert path.name == f"o.csv.{RUN}-1.failed"
    data = path.read_bytes()
    stream, (found,) = segment.read(data)
    assert (stream, found.sequence) == (RUN, 1)
    assert data[found.start : found.end] == bytes(raising(1, rejects=2).wire)
    (said,) = writer.logged(ASIDE)
    assert (said["rows"], said["kept_in"]) == (5, str(path))
    assert said["problem"].startswith("DecodeError: MessagePack data is malformed")
    assert len(writer.logged("a batch cannot be written")) == MAX_TRIES
    counters = writer.counters
    assert counters[Slot.SET_ASIDE] == 5
    assert (counters.ledger.written, counters.ledger.rejected) == (6, 1)
    assert (counters.ledger.set_aside, counters.ledger.in_flight) == (5, 0)
    entry = writer.committer.output.entry
    assert (entry.set_aside, entry.feed_set_aside, entry.sequence) == (5, 5, 2)
    writer.restart()
    assert writer.committer.output.feeds["feed"] == (6, 1, 5)


def test_of_what_a_writer_has_died_too_often_is_not_tried_again(writer: Writer) -> None:
    for slot, value in zip(
        (Slot.TRIED_STREAM, Slot.TRIED_SEQUENCE, Slot.TRIES), (RUN, 0, MAX_TRIES), strict=True
    ):
        writer.counters[slot] = value
    writer.commit(batch(0, rejects=1))
    writer.commit(batch(1))
    assert writer.out.read_bytes() == HEADER + rows_of(1)
    assert writer.logged(ASIDE)[0]["problem"] == "the writer died of it"
    data = writer.failed[0].read_bytes()
    (found,) = segment.read(data)[1]
    whole = Batch.from_bytes(data[found.start : found.end])
    assert whole == batch(0, rejects=1)
    assert whole.columns() == batch(0).columns()


def test_who_dies_before_the_journal_knows_sets_it_aside_again(writer: Writer) -> None:
    writer.commit(raising(0))
    (path,) = writer.failed
    before = path.read_bytes()
    path.write_bytes(b"half of i")
    path.with_name(path.name + ".part").write_bytes(b"and another half")
    journal_path(writer.out).unlink()
    writer.restart()
    writer.commit(raising(0))
    assert (writer.failed, path.read_bytes()) == ([path], before)


def test_links_that_others_have_planted_are_not_followed(writer: Writer, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    path = tmp_path / f"o.csv.{RUN}-0.failed"
    path.symlink_to(mine)
    path.with_name(path.name + ".part").symlink_to(mine)
    writer.commit(raising(0))
    assert mine.read_bytes() == b"mine"
    assert writer.failed == [path]
    assert not path.is_symlink()


@pytest.mark.parametrize("why", ["a limit", "min_free"])
def test_where_there_is_no_room_it_is_tried_again(why: str, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "o.csv", **({"min_free": 2**60} if why == "min_free" else {}))
    writer.has_time = False
    with largest_file(41_100), pytest.raises(WriteFailed) as failed:
        writer.commit(raising(0) if why == "min_free" else _large())
    assert failed.value.path == tmp_path / f"o.csv.{RUN}-0.failed"
    assert writer.failed == []
    assert writer.committer.position(0) == Position(0, -1)
    assert writer.counters[Slot.SET_ASIDE] == 0
    writer.committer.output.close()
    writer.options = replace(writer.options, min_free=0)
    writer.start()
    writer.commit(raising(0))
    assert len(writer.failed) == 1
    writer.committer.output.close()


def _large() -> Batch:
    wire = poison(batch(0, rows=5000).to_bytes(), "raising")
    return read_batch(wire, Position(RUN, 0), is_exact=True)


def test_what_says_it_has_more_rows_than_came_counts_no_more_than_those(writer: Writer) -> None:
    writer.counters[Slot.RECEIVED] = 4
    each = batch(0)
    each.rows = 10**6
    writer.committer.commit(each)
    assert writer.counters.ledger.set_aside == 4
    assert writer.counters.ledger.in_flight == 0
    assert "it has 1000000 rows, and times of 3" in writer.logged(ASIDE)[0]["problem"]


@pytest.mark.parametrize("feed", ["third", "x" * 10**4, ""])
def test_of_a_feed_that_there_is_not_nothing_is_counted(feed: str, writer: Writer) -> None:
    writer.counters[Slot.RECEIVED] = 3
    each = batch(0, feed=feed)
    writer.committer.commit(each)
    writer.committer.commit(batch(1))
    assert writer.out.read_bytes() == HEADER + rows_of(1)
    assert [counters[Slot.SET_ASIDE] for counters in writer.counters.feeds] == [0, 0]
    assert writer.committer.position(0) == Position(RUN, 1)
    assert len(writer.failed) == 1
    assert journal_path(writer.out).stat().st_size < 100_000


def test_another_feeds_counts_stay_as_they_are(writer: Writer) -> None:
    writer.commit(batch(0))
    one = raising(1, feed="other")
    writer.commit(one)
    writer.commit(batch(2))
    assert writer.committer.output.feeds == {"feed": (6, 0, 0), "other": (0, 0, 3)}


def test_columns_of_another_length_than_the_batch_are_no_rows(writer: Writer) -> None:
    each = batch(0)
    each.rows = 4
    each.stamps = [(4, RUN)]
    writer.commit(each)
    assert writer.out.read_bytes() == HEADER
    assert writer.logged(ASIDE)[0]["problem"] == ("ValueError: its columns have 3 rows, and not 4")


def test_a_good_batch_is_not_held_up_by_what_was_tried_before(writer: Writer) -> None:
    for sequence in range(10):
        writer.commit(batch(sequence))
    assert (writer.waits, writer.failed) == ([], [])
    assert writer.counters[Slot.TRIES] == 0
    assert writer.counters[Slot.TRIED_SEQUENCE] == 9


# Rejects


def test_rejects_that_are_too_many_are_said_once(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "o.csv", max_rejects=1000)
    for sequence in range(5):
        writer.commit(batch(sequence, rejects=20))
        if sequence == 2:
            writer.restart()
    kept = (tmp_path / "o.csv.rejected.jsonl").read_bytes().count(b"\n")
    (said,) = writer.logged(
        "there are too many rejects to keep them all; they are counted, and sampled"
    )
    assert said["kept_in"] == str(tmp_path / "o.csv.rejected.jsonl")
    assert writer.counters[Slot.NOT_KEPT] == writer.committer.output.entry.not_kept == 100 - kept
    assert writer.counters.ledger.rejected == 100
    assert 5 < kept < 15
    writer.committer.output.close()


def test_a_limit_is_the_runs_and_not_that_of_who_completes_it(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "o.csv", max_rejects=0)
    writer.commit(batch(0, rejects=20))
    dead, writer.counters = writer.counters, Counters.create(feeds=["feed", "other"])
    writer.options = replace(writer.options, max_rejects=None)
    writer.restart()
    writer.committer.counters = dead  # as while an earlier run is completed
    writer.committer.commit(batch(1, rejects=20))
    assert (tmp_path / "o.csv.rejected.jsonl").read_bytes().count(b"\n") == 1
    writer.committer.counters = writer.counters
    writer.committer.commit(batch(2, rejects=20))
    assert (tmp_path / "o.csv.rejected.jsonl").read_bytes().count(b"\n") == 21
    writer.committer.output.close()


@pytest.mark.parametrize("fsync", [None, 0.0, 1.0])
def test_rows_whose_commit_is_given_up_are_not_in_the_file(
    fsync: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run has them: and would not know of these, if the file were moved away."""
    writer = Writer(tmp_path / "o.csv", fsync=fsync)
    writer.commit(batch(0))

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(Journal, "record", fail)
    writer.has_time = False
    with pytest.raises(WriteFailed):
        writer.commit(batch(1, rejects=2))
    assert writer.out.read_bytes() == HEADER + rows_of(0)
    moved = writer.out.rename(tmp_path / "moved.csv")
    monkeypatch.undo()
    writer.committer.close()  # which syncs, and misses nothing
    assert not writer.committer.output.lost

    writer.start()
    writer.committer.commit(batch(1, rejects=2))
    assert moved.read_bytes() == HEADER + rows_of(0)
    assert writer.out.read_bytes() == HEADER + rows_of(1)
    rejects = tmp_path / "o.csv.rejected.jsonl"
    assert rejects.read_bytes().count(b"\n") == 2
    writer.committer.close()
