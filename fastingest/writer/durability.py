"""What of an output is on the disk, and how it comes there where a sync has failed.

Theory of operation. What is appended is noted until a sync that began after it has succeeded
(:mod:`fastingest.storage.unsynced`). A sync that has failed proves nothing when it is repeated:
from then on only :meth:`Durability.secure` helps, which writes again what was to be put on the disk
and syncs that. Rows that the system has dropped meanwhile are gone. They are told by name, and the
journal is set right for each of their feeds before anything else is committed.

Where each batch is synced before it is committed (``--fsync batch``), one of which that fails is
cut off and written anew; where it cannot be cut off, it is written over as it is.

There are two locks: one of those who change the files, and one so that there is one sync at a time.
Who has the second never waits for the first, so that a commit does not wait for a sync.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from fastingest.errors import WriteFailed
from fastingest.storage.base import Sink
from fastingest.storage.unsynced import Extent, Unsynced
from fastingest.writer.committed import Committed
from fastingest.writer.events import RejectsGone
from fastingest.writer.files import OutputFiles

__all__ = ["Durability"]

_T = TypeVar("_T")


class Durability:
    """Of the files and the journal of one output.

    :param busy: the lock of those who change them; it may be taken again by who has it.
    """

    def __init__(
        self, files: OutputFiles, committed: Committed, busy: AbstractContextManager[object]
    ) -> None:
        self._files = files
        self._committed = committed
        self._busy = busy
        self._syncing = threading.RLock()  # one sync at a time; never waits for the other lock
        self._has_failed = False  # whether a sync has failed, and nothing has been secured since
        self._is_unsure = False  # whether one of the batch that is being committed has
        self._unrecorded: dict[str, int] = {}  # feeds, and their partitions, of which rows are gone
        self.unsynced = Unsynced()
        """Rows that are not known to be on the disk."""
        self.lost: Counter[str] = Counter()
        """Rows of each feed that were committed, and that the system has dropped."""

    def take_lost(self) -> Counter[str]:
        """Those in :attr:`lost`, which is empty then."""
        lost, self.lost = self.lost, Counter()
        return lost

    # All that is written

    def sync(self, *, is_secured: bool = False) -> None:
        """Put everything on the disk. May be called from another thread.

        :param is_secured: whether what a failed sync was to put there is written again.
        :raises WriteFailed: not all of it is known to be there. Only :meth:`secure` helps then.
        """
        rejects, journal = self._files.rejects, self._committed.journal
        with self._busy:
            file = self._files.file
            descriptor = _synced(file.path, lambda: os.dup(file.descriptor))
            mark, rejects_mark = self.unsynced.mark, rejects.unsynced.mark
            recorded = journal.recorded if journal else 0
        # The system tells of an error once: who syncs at the same time would be told of none.
        with self._syncing:
            try:
                if self._has_failed and not is_secured:
                    raise WriteFailed(file.path, "cannot be synced: that has failed before")
                self._has_failed = True  # until it is known that it has not
                _synced(file.path, lambda: os.fsync(descriptor))
            finally:
                os.close(descriptor)
            rejects.sync()
            if journal is not None:
                _synced(journal.path, journal.sync)
            self._has_failed = False
        with self._busy:
            self.unsynced.synced(mark)
            rejects.unsynced.synced(rejects_mark)
            if journal is not None:
                journal.synced(recorded)

    def secure(self) -> None:
        """After a sync that failed: write again what it was to put on the disk, and sync that.

        :raises WriteFailed: it could not be done; it is to be tried again.
        """
        with self._syncing:
            self._write_again()
            self.sync(is_secured=True)

    def _write_again(self) -> None:
        self._secure_rows()
        rejects, journal = self._files.rejects, self._committed.journal
        if gone := rejects.secure():
            self._files.report(RejectsGone(gone, path=str(rejects.path)))
        if journal is not None:
            _written(journal.path, journal.write_again)

    def _secure_rows(self) -> None:
        """Write the rows again that are not known to be on the disk."""
        file, committed = self._files.file, self._committed

        def write_again() -> tuple[list[Extent], Extent | None]:
            gone = self.unsynced.write_again(file)
            return gone, self.unsynced.close_up(file, gone) if gone else None

        gone, end = _written(file.path, write_again)
        if gone:
            self._give_up(gone, end)
        while self._unrecorded:  # as long as an entry says too much, it is not done
            feed, partition = next(iter(self._unrecorded.items()))
            committed.write_count(feed, committed.offsets.position(partition))
            if len(self._unrecorded) == 1:
                committed.write(committed.entry)
            del self._unrecorded[feed]

    def _give_up(self, gone: list[Extent], end: Extent | None) -> None:
        """The system has dropped these extents.

        :param end: an empty one where the file ends now; None: others stand behind them, and their
            bytes stay as they are.
        """
        committed, feeds = self._committed, self._committed.offsets.feeds
        self.unsynced.forget(gone)
        for extent in gone:
            self.lost[extent.feed] += extent.rows
            count = committed.offsets.count(extent.feed)
            feeds[extent.feed] = count._replace(written=count.written - extent.rows)
            self._unrecorded[extent.feed] = extent.partition
        rows = sum(extent.rows for extent in gone)
        entry = committed.entry
        left = committed.offsets.count(entry.feed).written
        entry = replace(entry, written=entry.written - rows, feed_written=left)
        if end is not None:
            self._files.file.size = end.end
            entry = replace(entry, size=end.end, crc32=end.after, rows=entry.rows - rows)
        committed.entry = entry

    # The batch that is being committed

    def sync_batch(self, offset: int, text: memoryview, cut_off: Callable[[], bool]) -> None:
        """Put its rows and rejects on the disk.

        :param offset: where its rows are.
        :param text: its rows.
        :param cut_off: takes it out of the files again; whether it could.
        :raises WriteFailed: they may not be there. It is to be committed anew.
        """
        file, rejects = self._files.file, self._files.rejects
        if self._is_unsure:  # a sync of them has failed, and they could not be cut off
            if text:
                _written(file.path, lambda: file.rewrite(offset, text))
            rejects.secure()
        try:
            self._sync_rows(file)
            rejects.sync()
        except WriteFailed:
            self._is_unsure = True
            with contextlib.suppress(OSError, WriteFailed):
                self._is_unsure = not cut_off()
            raise
        self._is_unsure = False

    def sync_journal(self) -> None:
        """Put what the journal says of it on the disk.

        :raises WriteFailed: it may not be there. It is to be recorded anew.
        """
        journal = self._committed.journal
        if journal is None:
            return
        recorded = journal.recorded
        try:
            _synced(journal.path, journal.sync)
        except WriteFailed:
            with contextlib.suppress(OSError):  # it is recorded anew in any case
                journal.write_again()
            raise
        journal.synced(recorded)

    # A file that is left

    def sync_left(self) -> None:
        """Put the rows of a file on the disk that is left for another one.

        :raises WriteFailed: they are not known to be there.
        """
        with self._syncing:
            if self._has_failed:
                self._secure_rows()
            try:
                self._sync_rows(self._files.file)
            except WriteFailed:
                self._has_failed = True
                raise

    def _sync_rows(self, sink: Sink) -> None:
        mark = self.unsynced.mark
        _synced(self._files.path, sink.sync)
        self.unsynced.synced(mark)


def _synced(path: Path, step: Callable[[], _T]) -> _T:
    try:
        return step()
    except OSError as error:
        raise WriteFailed(path, f"cannot be synced: {error.strerror}") from error


def _written(path: Path, step: Callable[[], _T]) -> _T:
    try:
        return step()
    except OSError as error:
        raise WriteFailed(path, f"cannot be written: {error.strerror}") from error
