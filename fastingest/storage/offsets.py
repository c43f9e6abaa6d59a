"""What is committed of each partition and each feed: told from the journal, then counted on.

Theory of operation. A feed's newest entry in the journal says how much of the feed is written, and
up to where its partition is. When the file is shorter than the newest entry of all says, the
offsets go back to what was true when the file was so long. What entries tell of that is exact,
unless a feed has made so many since that its ring has none from before; then its share of the
total, which is known, is a guess between bounds, and its partition's position the oldest that there
is, so that nothing is written twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import Batch, Position, partition_of
from fastingest.storage.journal import SLOTS, Entry

__all__ = ["CommittedOffsets", "FeedCount", "counts_in"]


class FeedCount(NamedTuple):
    """What of a feed is committed."""

    written: int
    rejected: int
    set_aside: int = 0


def counts_in(counters: Counters) -> dict[str, FeedCount]:
    """What the counters of an output say is committed, of each feed that has anything.

    A feed is told by its name; one that has none there is left out.
    """
    slots = (Slot.WRITTEN, Slot.REJECTS_COMMITTED, Slot.SET_ASIDE)
    counts = (FeedCount(*(each[slot] for slot in slots)) for each in counters.feeds)
    named = zip(counters.names, counts, strict=True)
    return {feed: count for feed, count in named if feed and any(count)}


class CommittedOffsets:
    """Positions by partition, and counts by feed, which is told by its name.

    :param entries: the journal's, the newest first.
    """

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.positions: dict[int, Position] = {}
        """The last batch that is committed, of each partition."""
        self.feeds: dict[str, FeedCount] = {}
        """What is committed of each feed of the run."""
        for entry in reversed(entries):
            if entry.stream:
                self.positions[partition_of(entry.stream)] = entry.position
            if entry.feed and entry.run == entries[0].run:
                self.feeds[entry.feed] = _count_in(entry)

    def position(self, partition: int) -> Position:
        """The last batch of a partition that is committed."""
        return self.positions.get(partition, Position(0, -1))

    def count(self, feed: str) -> FeedCount:
        """What is committed of a feed of the run."""
        return self.feeds.get(feed, FeedCount(0, 0))

    def with_batch(self, batch: Batch) -> FeedCount:
        """What will be committed of the batch's feed when the batch is."""
        written, rejected, set_aside = self.count(batch.feed)
        return FeedCount(written + batch.rows, rejected + len(batch.rejects), set_aside)

    def with_set_aside(self, batch: Batch, rows: int) -> FeedCount:
        """What there will be of its feed when so much of the batch is set aside."""
        written, rejected, set_aside = self.count(batch.feed)
        return FeedCount(written, rejected, set_aside + rows)

    def commit(self, batch: Batch) -> None:
        """The batch is committed."""
        self.deal_with(batch, self.with_batch(batch))

    def deal_with(self, batch: Batch, count: FeedCount) -> None:
        """The batch is dealt with, and so much of its feed with it."""
        if batch.feed:
            self.feeds[batch.feed] = count
        self.positions[partition_of(batch.stream)] = batch.position

    def as_of(self, now: Entry, later: Sequence[Entry], known: Sequence[Entry]) -> CommittedOffsets:
        """The offsets as they were at the time of ``now``, an entry of the newest run.

        :param later: the entries from after that, the newest first; at least one.
        :param known: those from before, as far as there are any.
        """
        before = CommittedOffsets(known)
        recalled = before.feeds if known and known[0].run == now.run else {}
        # Of these feeds there may have been entries that no ring has any more.
        sizes = Counter(entry.feed for entry in (*later, *known))
        gone = {feed for feed, size in sizes.items() if size >= SLOTS}
        gone -= {entry.feed for entry in known}
        oldest = {partition_of(e.stream): e.position for e in later if e.feed in gone and e.stream}
        for partition, position in oldest.items():
            before.positions[partition] = max(position, before.position(partition))
        most = {e.feed: e for e in later if e.feed in gone and e.run == now.run}
        feeds = [feed for feed in dict.fromkeys((now.feed, *sizes)) if feed]
        least = [recalled.get(feed, FeedCount(0, 0)) for feed in feeds]
        largest = [_count_in(most[feed]) if feed in most else FeedCount(0, 0) for feed in feeds]
        latest = [self.count(feed) for feed in feeds]
        shares = []
        totals = zip(_totals_in(now), _totals_in(later[0]), strict=True)
        for kind, (total, newest) in enumerate(totals):
            most_of = latest if total == newest else largest  # if so each feed's are all there
            shares.append(
                _split(total, [each[kind] for each in least], [each[kind] for each in most_of])
            )
        before.feeds = dict(zip(feeds, map(FeedCount, *shares), strict=True))
        return before


def _count_in(entry: Entry) -> FeedCount:
    """What an entry says of its feed."""
    return FeedCount(entry.feed_written, entry.feed_rejected, entry.feed_set_aside)


def _totals_in(entry: Entry) -> FeedCount:
    """What it says of all feeds together."""
    return FeedCount(entry.written, entry.rejected, entry.set_aside)


def _split(total: int, least: Sequence[int], most: Sequence[int]) -> list[int]:
    """Shares of ``total``, each between its bounds; the first one gets what they do not allow."""
    shares = list(least)
    left = total - sum(least)
    for index, limit in enumerate(most):
        more = max(0, min(left, limit - shares[index]))
        shares[index] += more
        left -= more
    if shares:
        shares[0] = max(0, shares[0] + left)
    return shares
