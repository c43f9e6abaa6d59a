"""An output that several partitions of receivers write to, each with several feeds.

Whatever happens, each partition goes on behind its last batch that is in the file, and each feed's
count is what is in the file of it.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from fastingest.model.batch import PARTITIONS, Batch, Layout, Position, Reject, partition_of
from fastingest.model.event import Event
from fastingest.model.schema import TRADES
from fastingest.storage.journal import SLOTS, Journal, journal_path
from fastingest.storage.offsets import FeedCount
from fastingest.supervisor.account import new_stream
from fastingest.writer.output import Output
from tests.support.builders import make_batch

HEADER = b"symbol,price,volume\n"
RUN = new_stream(1_700_000_000_000_000_000, 0)
PARTITION_COUNT, FEED_COUNT = 3, 6
STREAMS = [new_stream(RUN, partition) for partition in range(PARTITION_COUNT)]
FEEDS = [f"feed {number}" for number in range(FEED_COUNT)]
LAYOUTS = [Layout(TRADES.names, TRADES.types, feed) for feed in FEEDS]


class Made(NamedTuple):
    """A batch with its text."""

    batch: Batch
    text: bytes

    @property
    def partition(self) -> int:
        return partition_of(self.batch.stream)


def made(shapes: Sequence[tuple[int, int, int]]) -> list[Made]:
    """Batches of these feeds, with so many rows and rejects; the feed says which partition."""
    sequences = [itertools.count() for _ in range(PARTITION_COUNT)]
    found = []
    for number, (feed, rows, rejects) in enumerate(shapes):
        partition = feed % PARTITION_COUNT
        text = b"".join(b"F%d,%d.5,%d\n" % (feed, number, row) for row in range(rows))
        kept = [Reject(number, f"{feed}.{number}.{n}", b"{") for n in range(rejects)]
        batch = make_batch(
            rows,
            rejects=kept,
            received=number + 1,
            stream=STREAMS[partition],
            sequence=next(sequences[partition]),
            feed=FEEDS[feed],
        )
        found.append(Made(batch, text))
    return found


def positions_of(batches: Sequence[Made]) -> dict[int, Position]:
    """The last batch of each partition."""
    return {each.partition: each.batch.position for each in batches}


def counts_of(batches: Sequence[Made]) -> dict[str, FeedCount]:
    """What there is of each feed, without those of which there is nothing."""
    counts = {
        feed: FeedCount(
            sum(each.batch.rows for each in batches if each.batch.feed == feed),
            sum(len(each.batch.rejects) for each in batches if each.batch.feed == feed),
        )
        for feed in FEEDS
    }
    return {feed: count for feed, count in counts.items() if any(count)}


class Opened:
    """The output of one writer after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reports: list[Event] = []
        self.output: Output
        self._is_open = False
        self.start()

    def start(self) -> None:
        self.close()
        journal = Journal(journal_path(self.path), FEEDS)
        journal.note({"spool": "/spool", "spill": "/spill"})
        self.output = Output(
            self.path,
            TRADES.header,
            journal,
            min_free=0,
            report=self.reports.append,
        )
        self._is_open = True
        self.output.begin(RUN)

    def close(self) -> None:
        if self._is_open:
            self.output.close()
        self._is_open = False

    def commit(self, batches: Sequence[Made]) -> None:
        """As the writer process does: what is committed already is not committed again."""
        for batch, text in batches:
            if batch.position > self.output.position(partition_of(batch.stream)):
                self.output.commit(batch, memoryview(text))

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    @property
    def counts(self) -> dict[str, FeedCount]:
        return {feed: count for feed, count in self.output.feeds.items() if any(count)}

    def check(self, batches: Sequence[Made]) -> None:
        """These batches are committed, in this order, and nothing else is."""
        assert self.data[: self.output.entry.size] == HEADER + b"".join(b.text for b in batches)
        partitions = range(PARTITION_COUNT)
        expected = positions_of(batches)
        for partition in partitions:
            found = self.output.position(partition)
            assert found == expected.get(partition, found)
            assert (partition in expected) or found < (STREAMS[partition], 0)
        assert self.counts == counts_of(batches)
        entry = self.output.entry
        assert (entry.written, entry.rejected) == (
            sum(each.batch.rows for each in batches),
            sum(len(each.batch.rejects) for each in batches),
        )


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(tmp_path / "o.csv")
    yield opened
    opened.close()


MIXED = [
    *((0, 2, 0), (1, 1, 1), (4, 2, 0), (2, 0, 2), (3, 1, 0), (1, 3, 1)),
    *((0, 1, 0), (5, 2, 2), (2, 1, 0), (4, 0, 1), (3, 2, 0), (0, 1, 1)),
]
"""Feeds with rows and rejects. Feeds 0 and 3 are of partition 0, and so on."""


def test_a_writer_may_start_anew_after_any_batch(opened: Opened) -> None:
    batches = made(MIXED)
    for count in range(len(batches)):
        opened.commit(batches[: count + 1])
        opened.check(batches[: count + 1])
        opened.start()
        opened.check(batches[: count + 1])
    assert opened.reports == []


@pytest.mark.parametrize("partition", range(PARTITION_COUNT))
def test_what_a_partition_sends_again_is_not_written_twice(partition: int, opened: Opened) -> None:
    """As it does after every start of a writer, from wherever it was."""
    batches = made(MIXED)
    for count in range(1, len(batches) + 1):
        opened.commit(batches[:count])
        opened.start()
        opened.commit([each for each in batches[:count] if each.partition == partition])
        opened.check(batches[:count])
    assert opened.data == HEADER + b"".join(each.text for each in batches)


def test_a_partition_that_says_nothing_keeps_its_position(opened: Opened) -> None:
    quiet, *busy = made([(0, 1, 1)] + [(1 + number % 2, 1, 0) for number in range(3 * SLOTS)])
    opened.commit([quiet, *busy])
    opened.start()
    opened.check([quiet, *busy])
    opened.commit([quiet])
    opened.check([quiet, *busy])


def test_a_partition_begins_a_new_stream_and_the_others_go_on(opened: Opened) -> None:
    batches = made(MIXED)
    opened.commit(batches)
    later = new_stream(STREAMS[-1], 1)
    assert partition_of(later) == 1
    batch = Batch(1, [], LAYOUTS[4], [(1, 5)], stream=later, sequence=0)
    opened.commit([Made(batch, b"F4,9.5,9\n")])
    opened.start()
    assert opened.output.positions == positions_of(batches) | {1: Position(later, 0)}
    opened.commit(batches)
    assert opened.data.endswith(batches[-1].text + b"F4,9.5,9\n")


# Files that became shorter


def test_a_file_cut_back_to_any_size_agrees_with_positions_and_counts(tmp_path: Path) -> None:
    """Also where it is opened once more, and then all goes on where it was."""
    batches = made(MIXED)
    sizes = [len(HEADER) + sum(len(b.text) for b in batches[:n]) for n in range(len(batches) + 1)]
    for cut in range(len(HEADER), sizes[-1]):
        opened = Opened(tmp_path / f"{cut}.csv")
        opened.commit(batches)
        opened.close()
        os.truncate(opened.path, cut)
        held = max(count for count, size in enumerate(sizes) if size <= cut)
        for _ in range(3):
            opened.start()
            opened.check(batches[:held])
        opened.commit(batches)
        opened.check(batches)
        opened.start()
        opened.check(batches)
        opened.close()


def test_a_file_cut_back_again_and_again(tmp_path: Path) -> None:
    """Entries that tell too much stay in the journal, from several times."""
    chance = random.Random(1)
    for number in range(40):
        opened = Opened(tmp_path / f"{number}.csv")
        committed: list[Made] = []
        sequences = dict.fromkeys(range(PARTITION_COUNT), 0)
        for step in range(12):
            for _ in range(chance.randrange(6)):
                feed = chance.randrange(FEED_COUNT)
                partition, rows = feed % PARTITION_COUNT, chance.randrange(3)
                batch = Batch(rows, [], LAYOUTS[feed], [(rows, 1)] if rows else [])
                batch.stream, batch.sequence = STREAMS[partition], sequences[partition]
                sequences[partition] += 1
                text = b"".join(b"F%d,%d.5,%d\n" % (feed, step, row) for row in range(rows))
                committed.append(Made(batch, text))
                opened.commit(committed[-1:])
            opened.close()
            keep = chance.randrange(len(committed) + 1)
            size = len(HEADER) + sum(len(each.text) for each in committed[:keep])
            if size < len(opened.data):
                os.truncate(opened.path, size)
                # A batch without rows needs no room, so it stays with what is before it.
                while keep < len(committed) and not committed[keep].text:
                    keep += 1
                del committed[keep:]
            opened.start()
            opened.check(committed)
            ends = positions_of(committed)
            sequences = {
                partition: ends[partition].sequence + 1 if partition in ends else 0
                for partition in sequences
            }
        opened.close()


def test_a_file_cut_back_behind_what_a_ring_remembers(opened: Opened) -> None:
    """Nobody knows what a busy feed had there; its partition skips that, and the sums are right."""
    shapes = [(0, 1, 0), (5, 1, 0), *((1, 1, 0), (2, 1, 0)) * SLOTS * 2, (3, 1, 1), (0, 1, 0)]
    batches = made(shapes)
    opened.commit(batches)
    for held in (200, 120, 60, 2, 1):
        size = len(HEADER) + sum(len(each.text) for each in batches[:held])
        opened.close()
        os.truncate(opened.path, size)
        for _ in range(2):
            opened.start()
            entry = opened.output.entry
            assert entry.size <= size
            there = [each for each in batches if each.text in opened.data[: entry.size]]
            # Of the partition without a busy feed all is known; the others repeat nothing.
            assert opened.output.position(0) == positions_of(there)[0]
            for partition, position in positions_of(there).items():
                assert position <= opened.output.position(partition)
            assert sum(count.written for count in opened.output.feeds.values()) == entry.written
            assert entry.written == len(there)
            rejected = sum(count.rejected for count in opened.output.feeds.values())
            assert rejected == entry.rejected
        before = opened.data
        wanted = [
            each for each in batches if each.batch.position > opened.output.position(each.partition)
        ]
        assert wanted[-1] == batches[-1]
        skipped = [each for each in batches if each not in wanted and each.text not in before]
        assert {each.partition for each in skipped} == (set() if held == 200 else {1, 2})
        opened.commit(batches)
        assert opened.data == before + b"".join(each.text for each in wanted)


def test_a_file_shorter_than_all_entries_of_all_feeds(opened: Opened) -> None:
    batches = made([(number % 2, 1, 1) for number in range(5 * SLOTS)])
    opened.commit(batches)
    opened.close()
    os.truncate(opened.path, len(HEADER) + sum(len(each.text) for each in batches[:10]) + 3)
    for _ in range(3):
        opened.start()
        counts = opened.output.feeds
        assert opened.data == HEADER + b"".join(each.text for each in batches[:10])
        assert (
            counts[FEEDS[0]].written + counts[FEEDS[1]].written == opened.output.entry.written == 10
        )
        # The rejects are all there.
        assert [counts[feed].rejected for feed in FEEDS[:2]] == [5 * SLOTS // 2] * 2
        # The oldest entries' batches.
        oldest = (
            Position(STREAMS[0], 5 * SLOTS // 2 - SLOTS),
            Position(STREAMS[1], 5 * SLOTS // 2 - SLOTS),
        )
        assert (opened.output.position(0), opened.output.position(1)) == oldest


def test_positions_of_a_file_that_was_moved_outlive_a_cut_of_the_next_one(opened: Opened) -> None:
    batches = made([(0, 1, 0), (1, 2, 1), (2, 1, 0), (0, 2, 0), (0, 1, 0)])
    opened.commit(batches[:3])
    opened.path.rename(opened.path.with_suffix(".moved"))
    opened.commit(batches[3:])  # of one partition, so that nobody tells of the others again
    opened.close()
    os.truncate(opened.path, len(HEADER) + len(batches[3].text))
    for _ in range(3):
        opened.start()
        assert opened.output.positions == positions_of(batches[:4])
        assert opened.counts == counts_of(batches[:4])
    opened.commit(batches)
    assert opened.data == HEADER + batches[3].text + batches[4].text
    assert opened.counts == counts_of(batches)


def test_a_file_cut_back_into_an_earlier_run(opened: Opened) -> None:
    batches = made(MIXED)
    opened.commit(batches[:8])
    opened.output.begin(new_stream(STREAMS[-1] + 10**9, 0))
    run = opened.output.entry.run
    later = Batch(1, [], LAYOUTS[5], [(1, 5)], stream=new_stream(run, 2), sequence=0)
    opened.commit([Made(later, b"F5,9.5,9\n")])
    opened.close()
    size = len(HEADER) + sum(len(each.text) for each in batches[:4])
    os.truncate(opened.path, size)
    for _ in range(2):
        opened._is_open = True
        journal = Journal(journal_path(opened.path), FEEDS)
        opened.output = Output(
            opened.path, TRADES.header, journal, min_free=0, report=lambda event: None
        )
        assert opened.output.entry.run == run
        assert opened.counts == {}
        positions = positions_of(batches[:4])
        assert {
            partition: opened.output.position(partition) for partition in positions
        } == positions
        opened.close()


# Counts where the journal has nothing


def test_counts_that_were_taken_from_elsewhere_outlive_the_writer(opened: Opened) -> None:
    """The journal was gone with the file: what the counters say of each feed is recorded."""
    counts = {
        FEEDS[1]: FeedCount(7, 2),
        FEEDS[3]: FeedCount(0, 4),
        FEEDS[5]: FeedCount(9, 0),
    }
    opened.output.count_from(dict(counts))
    opened.start()
    assert opened.counts == counts
    (batch,) = made([(5, 2, 1)])
    opened.commit([batch])
    opened.start()
    assert opened.counts == counts | {FEEDS[5]: FeedCount(11, 1)}
    assert (opened.output.entry.written, opened.output.entry.rejected) == (18, 7)


def test_every_partition_may_skip_to_where_it_is(opened: Opened) -> None:
    batches = made(MIXED)
    for position in positions_of(batches).values():
        opened.output.skip_to(position)
    opened.commit(batches)
    assert opened.data == HEADER
    partition = PARTITIONS - 1
    opened.output.skip_to(Position(new_stream(RUN, partition), 3))
    opened.output.skip_to(Position(new_stream(RUN, partition), 1))
    assert opened.output.position(partition).sequence == 3
