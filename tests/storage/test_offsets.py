"""The offsets beside what was really committed, however much of that the rings still have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.model.batch import PARTITIONS, Batch, Layout, Position, Reject, partition_of
from fastingest.storage.journal import SLOTS, Entry
from fastingest.storage.offsets import CommittedOffsets, FeedCount

NAMES = ("a", "b", "c", "d")
"""Of the feeds, by their numbers."""


class Commit(NamedTuple):
    """A batch that was committed, or set aside. The partition of a feed is its number modulo 2."""

    feed: int = 0
    rows: int = 1
    rejects: int = 0
    run: int = 1
    is_written: bool = True

    @property
    def name(self) -> str:
        return NAMES[self.feed]

    @property
    def stream(self) -> int:
        return PARTITIONS * self.run + self.feed % 2


class Truth(NamedTuple):
    """What is committed after some batches."""

    positions: dict[int, Position]
    feeds: dict[str, FeedCount]


def history(commits: Sequence[Commit]) -> tuple[list[Entry], list[Truth]]:
    """The entry after each batch, and what was true then; oldest first."""
    entries: list[Entry] = []
    truths: list[Truth] = []
    positions: dict[int, Position] = {}
    feeds: dict[str, FeedCount] = {}
    run = 0
    for sequence, commit in enumerate(commits):
        if commit.run != run:
            feeds, run = {}, commit.run
        before = feeds.get(commit.name, FeedCount(0, 0))
        more = (commit.rows, commit.rejects, 0) if commit.is_written else (0, 0, commit.rows)
        count = FeedCount(*map(sum, zip(before, more, strict=True)))
        feeds = {**feeds, commit.name: count}
        position = Position(commit.stream, sequence)
        positions = {**positions, partition_of(commit.stream): position}
        entries.append(
            Entry(
                run,
                *position,
                written=sum(each.written for each in feeds.values()),
                rejected=sum(each.rejected for each in feeds.values()),
                feed=commit.name,
                feed_written=count.written,
                feed_rejected=count.rejected,
                set_aside=sum(each.set_aside for each in feeds.values()),
                feed_set_aside=count.set_aside,
            )
        )
        truths.append(Truth(positions, feeds))
    return entries, truths


def remembered(entries: Sequence[Entry]) -> list[Entry]:
    """What the rings have of the entries, the newest first."""
    sizes: Counter[str] = Counter()
    kept = []
    for entry in reversed(entries):
        sizes[entry.feed] += 1
        if sizes[entry.feed] <= SLOTS:
            kept.append(entry)
    return kept


def counts(offsets: CommittedOffsets) -> dict[str, FeedCount]:
    """Those of feeds that have any."""
    return {feed: count for feed, count in offsets.feeds.items() if any(count)}


def some(feeds: dict[str, FeedCount]) -> dict[str, FeedCount]:
    return {feed: count for feed, count in feeds.items() if any(count)}


def batch(commit: Commit, sequence: int) -> Batch:
    return Batch(
        commit.rows,
        [],
        Layout(("a",), ("str",), commit.name),
        rejects=[Reject(1, "odd", b"x")] * commit.rejects,
        stream=commit.stream,
        sequence=sequence,
    )


def test_without_entries_nothing_is_committed() -> None:
    offsets = CommittedOffsets()
    assert offsets.position(5) == Position(0, -1)
    assert offsets.count("e") == FeedCount(0, 0)
    assert (offsets.positions, offsets.feeds) == ({}, {})


def test_an_entry_of_no_batch_is_no_position() -> None:
    offsets = CommittedOffsets([Entry(run=7, feed="c", feed_written=5)])
    assert (offsets.positions, offsets.feeds) == ({}, {"c": FeedCount(5, 0)})


def test_positions_outlive_a_run_and_counts_do_not() -> None:
    entries, _ = history([Commit(0, 5, 1, run=1), Commit(1, 7, run=1), Commit(0, 2, run=2)])
    offsets = CommittedOffsets(entries[::-1])
    assert offsets.positions == {0: Position(2 * PARTITIONS, 2), 1: Position(PARTITIONS + 1, 1)}
    assert offsets.feeds == {"a": FeedCount(2, 0)}


def test_a_batch_counts_when_it_is_committed() -> None:
    offsets = CommittedOffsets()
    one = batch(Commit(3, rows=5, rejects=2), 4)
    assert offsets.with_batch(one) == FeedCount(5, 2)
    assert offsets.count("d") == FeedCount(0, 0)
    assert offsets.position(1) == Position(0, -1)
    offsets.commit(one)
    assert offsets.with_batch(one) == FeedCount(10, 4)
    assert offsets.feeds == {"d": FeedCount(5, 2)}
    assert offsets.positions == {1: Position(PARTITIONS + 1, 4)}


def test_a_batch_that_is_set_aside_counts_as_that() -> None:
    offsets = CommittedOffsets()
    offsets.commit(batch(Commit(3, rows=5, rejects=2), 4))
    one = batch(Commit(3, rows=6), 5)
    offsets.deal_with(one, offsets.with_set_aside(one, 6))
    assert offsets.feeds == {"d": FeedCount(5, 2, 6)}
    assert offsets.positions == {1: Position(PARTITIONS + 1, 5)}
    assert offsets.with_batch(one) == FeedCount(11, 2, 6)


commits = st.builds(
    Commit,
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([0, 0, 0, 1]),
    is_written=st.sampled_from([True, True, True, False]),
)


@st.composite
def histories(draw: st.DrawFn, most: int) -> list[Commit]:
    """Batches of one run or two; ``most`` is how often each comes again."""
    times = st.sampled_from([1, 2, most, most])
    run = draw(st.lists(st.tuples(commits, times), min_size=2, max_size=10))
    second = draw(st.just(len(run)) | st.integers(0, len(run)))
    return [
        commit._replace(run=1 + (index >= second))
        for index, (commit, count) in enumerate(run)
        for _ in range(count)
    ]


@given(histories(most=3))
def test_counting_on_and_being_told_by_the_journal_agree(history_: list[Commit]) -> None:
    entries, truths = history(history_)
    counted = CommittedOffsets()
    for index, commit in enumerate(history_):
        if index and commit.run != history_[index - 1].run:
            counted.feeds = {}
        if commit.is_written:
            counted.commit(batch(commit, index))
        else:
            one = batch(commit, index)
            counted.deal_with(one, counted.with_set_aside(one, commit.rows))
        told = CommittedOffsets(entries[index::-1])
        assert counted.positions == told.positions == truths[index].positions
        assert counted.feeds == told.feeds == truths[index].feeds


def cut_back(kept: Sequence[Entry], index: int) -> tuple[Entry, CommittedOffsets]:
    """The state as of an entry, as an output goes back to it, and the offsets then."""
    newest, now = kept[0], kept[index]
    if now.run != newest.run:  # of the newest run nothing is left
        now = Entry(newest.run, *now.position)
    return now, CommittedOffsets(kept).as_of(now, kept[:index], kept[index:])


@given(histories(most=3), st.data())
def test_as_of_an_entry_it_is_what_was_true_then(
    history_: list[Commit], data: st.DataObject
) -> None:
    entries, truths = history(history_)
    kept = entries[::-1]
    index = data.draw(st.integers(1, len(kept) - 1))
    truth = truths[kept[index].sequence]
    _, offsets = cut_back(kept, index)
    assert offsets.positions == truth.positions
    assert counts(offsets) == (some(truth.feeds) if kept[index].run == kept[0].run else {})


@given(histories(most=SLOTS + 9), st.data())
@settings(max_examples=50)
def test_where_a_ring_has_nothing_from_before_the_shares_still_make_up_the_total(
    history_: list[Commit], data: st.DataObject
) -> None:
    entries, truths = history(history_)
    kept = remembered(entries)
    index = len(kept) - data.draw(st.integers(1, min(6, len(kept) - 1)))
    later, known = kept[:index], kept[index:]
    now, offsets = cut_back(kept, index)
    truth = truths[known[0].sequence]
    true_feeds = truth.feeds if known[0].run == now.run else {}
    assert sum(count.written for count in offsets.feeds.values()) == now.written
    assert sum(count.rejected for count in offsets.feeds.values()) == now.rejected
    assert sum(count.set_aside for count in offsets.feeds.values()) == now.set_aside
    # Of these nothing is known from before.
    sizes = Counter(entry.feed for entry in later)
    gone = {feed for feed, size in sizes.items() if size >= SLOTS}
    gone -= {entry.feed for entry in known}
    for feed, count in offsets.feeds.items():
        if feed not in gone or len(gone) == 1:
            assert count == true_feeds.get(feed, FeedCount(0, 0))
        else:
            oldest = next(entry for entry in reversed(later) if entry.feed == feed)
            assert oldest.run != now.run or count.written <= oldest.feed_written
    for partition, position in truth.positions.items():
        # Rather too far than twice.
        of_partition = [
            e.position for e in later if e.feed in gone and partition_of(e.stream) == partition
        ]
        assert offsets.position(partition) == min(of_partition, default=position) >= position


def test_of_one_feed_that_is_forgotten_the_count_is_exact_and_the_position_the_oldest() -> None:
    before = [Commit(1, rows=2, rejects=1), Commit(0, rows=3, rejects=1), Commit(1, rows=4)]
    entries, _ = history([*before, Commit(0, rows=5), *[Commit(1, rows=1)] * SLOTS])
    kept = remembered(entries)
    later, known = kept[: SLOTS + 1], kept[SLOTS + 1 :]
    now = known[0]
    assert (now.feed, now.written, {each.feed for each in known}) == ("a", 3 + 2, {"a"})
    offsets = CommittedOffsets(kept).as_of(now, later, known)
    assert offsets.feeds == {"a": FeedCount(3, 1), "b": FeedCount(2, 1)}
    assert offsets.positions == {0: now.position, 1: Position(PARTITIONS + 1, 4)}


def test_where_no_entry_is_from_before_the_total_is_all_that_is_known() -> None:
    entries, _ = history([Commit(0, rows=2), Commit(1, rows=3)] * SLOTS)
    kept = remembered(entries)
    # By the file's length; a total that no shares explain is the feed's that was last.
    for written, shares in ((3, [2, 1]), (5, [2, 3]), (9, [6, 3])):
        offsets = CommittedOffsets(kept).as_of(Entry(run=1, written=written, feed="a"), kept, [])
        assert offsets.feeds == {"a": FeedCount(shares[0], 0), "b": FeedCount(shares[1], 0)}
        assert offsets.positions == {0: kept[-1].position, 1: kept[-2].position}


@pytest.mark.parametrize("run", [1, 2])
def test_as_of_an_earlier_run_nothing_is_counted(run: int) -> None:
    entries, _ = history([Commit(0, 5, run=1), Commit(1, 7, run=2)])
    now = Entry(run=2) if run == 2 else entries[0]
    offsets = CommittedOffsets(entries[::-1]).as_of(now, entries[1:], entries[:1])
    assert counts(offsets) == ({"a": FeedCount(5, 0)} if run == 1 else {})
    assert offsets.positions == {0: Position(PARTITIONS, 0)}
