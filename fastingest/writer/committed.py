"""What of an output is committed: the newest entry, the offsets, and the journal that has both.

An entry speaks of one feed and of one partition, and of the output as a whole. Where the state
changes for others at once, since a file is shorter than the journal says or rows of it are gone, it
is recorded for each of them: entries that are later go before earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from fastingest.errors import WriteFailed
from fastingest.model.batch import PARTITIONS, Batch, Position, partition_of
from fastingest.storage.journal import Entry, Journal
from fastingest.storage.offsets import CommittedOffsets, FeedCount

__all__ = ["Committed"]


class Committed:
    """The state, and its journal.

    :param journal: None keeps none: then nothing outlives the writer.
    :param entry: the state to go on from.
    :param offsets: of each partition and each feed, as of that entry.
    """

    def __init__(self, journal: Journal | None, entry: Entry, offsets: CommittedOffsets) -> None:
        self.journal = journal
        self.entry = entry
        self.offsets = offsets

    def write(self, entry: Entry) -> None:
        """Make an entry the journal's newest, and leave the state as it is.

        :raises WriteFailed: it could not be recorded; it may be tried again.
        """
        if self.journal is None:
            return
        try:
            self.journal.record(entry)
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
            raise WriteFailed(self.journal.path, problem) from error

    def record(self, entry: Entry) -> None:
        """Make an entry the state.

        :raises WriteFailed: as :meth:`write`.
        """
        self.write(entry)
        self.entry = entry

    def record_all(self, entries: Sequence[Entry]) -> None:
        """Record the state for each feed and partition of which these say what has become wrong.

        :param entries: the journal's, the newest first.
        :raises WriteFailed: as :meth:`write`.
        """
        for feed, partition in {(e.feed, partition_of(e.stream)): None for e in reversed(entries)}:
            # The least position of a partition says that there is nothing of it.
            position = self.offsets.positions.get(partition, Position(PARTITIONS + partition, -1))
            self.write_count(feed, position)
        self.write(self.entry)

    def write_count(self, feed: str, position: Position) -> None:
        """Record what is committed of a feed, and up to where its partition is.

        :param feed: its name; empty: only where the partition is.
        :raises WriteFailed: as :meth:`write`.
        """
        self.write(self._of_feed(replace(self.entry, **position._asdict()), feed))

    def _of_feed(self, entry: Entry, feed: str) -> Entry:
        if feed:
            self.offsets.feeds.setdefault(feed, FeedCount(0, 0))
        written, rejected, set_aside = self.offsets.count(feed)
        entry = replace(entry, feed=feed, feed_written=written, feed_rejected=rejected)
        return replace(entry, feed_set_aside=set_aside)

    def skip_to(self, position: Position) -> None:
        """Take all batches of its partition up to ``position`` as committed, wherever they are."""
        partition = partition_of(position.stream)
        if position > self.offsets.position(partition):
            self.offsets.positions[partition] = position
            self.entry = replace(self.entry, stream=position.stream, sequence=position.sequence)

    def count_from(self, feeds: dict[str, FeedCount], not_kept: int) -> None:
        """Count on from what the run had committed, where the journal has nothing of it.

        :raises WriteFailed: as :meth:`write`.
        """
        self.offsets.feeds = feeds
        written = sum(count.written for count in feeds.values())
        rejected = sum(count.rejected for count in feeds.values())
        set_aside = sum(count.set_aside for count in feeds.values())
        self.entry = replace(self.entry, written=written, rejected=rejected)
        self.entry = replace(self.entry, set_aside=set_aside, not_kept=not_kept)
        for feed in list(feeds):
            self.record(self._of_feed(self.entry, feed))

    def set_aside(self, batch: Batch, rows: int) -> None:
        """Go on behind a batch that is kept elsewhere, with so many rows and rejects.

        :raises WriteFailed: as :meth:`write`.
        """
        count = self.offsets.with_set_aside(batch, rows)
        entry = replace(
            self.entry,
            stream=batch.stream,
            sequence=batch.sequence,
            feed=batch.feed,
            feed_written=count.written,
            feed_rejected=count.rejected,
            feed_set_aside=count.set_aside,
            set_aside=self.entry.set_aside + rows,
        )
        self.record(entry)
        self.offsets.deal_with(batch, count)

    def with_batch(self, batch: Batch, *, rejects_size: int, not_kept: int) -> Entry:
        """The entry that says that a batch is committed; its rows are in the region already.

        :param rejects_size: bytes of the rejects' file with the batch's.
        :param not_kept: how many of its rejects are not there.
        """
        now, count = self.entry, self.offsets.with_batch(batch)
        times = [stamp for _, stamp in batch.stamps] + [reject.time for reject in batch.rejects]
        return replace(
            now,
            stream=batch.stream,
            sequence=batch.sequence,
            rejects_size=rejects_size,
            written=now.written + batch.rows,
            rejected=now.rejected + len(batch.rejects),
            first_received=now.first_received or min(times, default=0),
            last_received=max(times, default=now.last_received),
            feed=batch.feed,
            feed_written=count.written,
            feed_rejected=count.rejected,
            feed_set_aside=count.set_aside,
            not_kept=now.not_kept + not_kept,
        )
