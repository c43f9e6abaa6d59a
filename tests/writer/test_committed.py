"""The state of an output, in a real journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest import WriteFailed
from fastingest.model.batch import PARTITIONS, Position, partition_of
from fastingest.storage.journal import Entry, Journal
from fastingest.storage.offsets import CommittedOffsets, FeedCount
from fastingest.writer.committed import Committed
from tests.support.builders import make_entry
from tests.support.output_writer import SECOND, batch_of

RUN = 1_700_000_000_000_000_000 // PARTITIONS * PARTITIONS
OTHER = RUN + 1
"""A stream of another partition."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "o.csv.journal"


@pytest.fixture
def committed(path: Path) -> Iterator[Committed]:
    journal = Journal(path, ["a", "b", "c"])
    journal.note({})
    yield Committed(journal, Entry(run=RUN, size=20, start=20), CommittedOffsets())
    journal.close()


def recorded(path: Path) -> list[Entry]:
    journal = Journal(path)
    journal.close()
    return journal.entries


def test_a_batch_is_in_the_entry_that_says_so(committed: Committed, path: Path) -> None:
    batch = batch_of(3, 5, rejects=2, stream=RUN, feed="b")
    entry = committed.with_batch(batch, rejects_size=70, not_kept=1)
    assert committed.entry == Entry(run=RUN, size=20, start=20)
    committed.record(entry)
    committed.offsets.commit(batch)
    assert recorded(path) == [committed.entry]
    assert committed.entry == make_entry(
        RUN,
        written=5,
        rejected=2,
        received=(RUN + 3 * SECOND, RUN + 3 * SECOND + SECOND // 2),
        stream=RUN,
        sequence=3,
        size=20,
        start=20,
        rejects_size=70,
        feed="b",
        not_kept=1,
    )


def test_what_could_not_be_recorded_is_not_the_state(committed: Committed, path: Path) -> None:
    assert committed.journal is not None
    descriptor = committed.journal._file
    kept, reader = os.dup(descriptor), os.open("/dev/null", os.O_RDONLY)
    os.dup2(reader, descriptor)
    before = committed.entry
    with pytest.raises(WriteFailed, match="cannot be written") as failed:
        committed.record(Entry(run=RUN, size=90))
    assert failed.value.path == path
    assert committed.entry == before
    os.dup2(kept, descriptor)
    os.close(kept)
    os.close(reader)
    committed.record(Entry(run=RUN, size=90))
    assert recorded(path) == [committed.entry] == [Entry(run=RUN, size=90)]


def test_without_a_journal_the_state_is_there_all_the_same() -> None:
    committed = Committed(None, Entry(run=RUN), CommittedOffsets())
    committed.record(Entry(run=RUN, size=90))
    assert committed.entry.size == 90


def test_a_state_is_recorded_for_each_feed_and_partition_that_others_speak_of(path: Path) -> None:
    """Of the second partition there is nothing any more."""
    journal = Journal(path, ["a", "b", "c"])
    journal.note({})
    wrong = [
        Entry(run=RUN, stream=stream, sequence=9, feed=feed, feed_written=99, written=200)
        for feed, stream in (("c", RUN), ("b", OTHER), ("a", RUN))
    ]
    for entry in reversed(wrong):
        journal.record(entry)
    now = Entry(run=RUN, stream=RUN, sequence=4, feed="a", feed_written=7, written=7)
    committed = Committed(journal, now, CommittedOffsets([now]))
    committed.record_all(wrong)
    journal.close()
    found = recorded(path)
    assert found[0] == now
    assert {entry.written for entry in found[: len(wrong) + 1]} == {7}
    offsets = CommittedOffsets(found)
    assert offsets.feeds == {"a": FeedCount(7, 0), "b": FeedCount(0, 0), "c": FeedCount(0, 0)}
    assert offsets.position(0) == Position(RUN, 4)
    assert offsets.position(partition_of(OTHER)) < Position(OTHER, 0)


def test_a_partition_skips_forwards_only(committed: Committed) -> None:
    for position in (Position(RUN, 5), Position(RUN, 3), Position(OTHER, 0)):
        committed.skip_to(position)
    assert committed.offsets.positions == {0: Position(RUN, 5), 1: Position(OTHER, 0)}
    assert committed.entry.position == Position(OTHER, 0)


def test_counts_that_come_from_elsewhere_are_recorded_for_each_feed(
    committed: Committed, path: Path
) -> None:
    feeds = {"a": FeedCount(5, 1), "c": FeedCount(7, 0, 3)}
    committed.count_from(feeds, 1)
    entry = committed.entry
    assert (entry.written, entry.rejected, entry.set_aside, entry.not_kept) == (12, 1, 3, 1)
    assert CommittedOffsets(recorded(path)).feeds == feeds


def test_what_is_set_aside_is_behind_and_counted_as_that(committed: Committed, path: Path) -> None:
    committed.set_aside(batch_of(0, 5, rejects=1, stream=RUN, feed="c"), 6)
    entry = committed.entry
    assert (entry.set_aside, entry.feed_set_aside, entry.written, entry.feed) == (6, 6, 0, "c")
    assert committed.offsets.position(0) == Position(RUN, 0)
    assert recorded(path) == [entry]
