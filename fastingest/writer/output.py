"""The output with its rejects and its journal: a batch lands in them once, whatever happens.

Theory of operation. :meth:`Output.commit` appends a batch's rows, keeps its rejects, and makes an
entry in the journal, in this order. Each step can fail and be tried again; the steps that were done
are not done twice. Around this there is what can have happened before a step, each in a module of
its own:

- the writer before has died: :mod:`fastingest.writer.resume` says where this one carries on;
- another program has changed the file: :mod:`fastingest.writer.external_change` finds the place
  where the next row can go, and :mod:`fastingest.writer.regions` tells the ledger;
- a sync has failed: :mod:`fastingest.writer.durability` has what was written put on the disk anew.

They share the open files (:mod:`fastingest.writer.files`) and the state of what is committed
(:mod:`fastingest.writer.committed`).
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from fastingest.checksum import crc32
from fastingest.errors import WriteFailed
from fastingest.model.batch import Batch, Position, partition_of
from fastingest.model.event import Event
from fastingest.storage.csv_file import CsvFile
from fastingest.storage.journal import Entry, Journal
from fastingest.storage.offsets import CommittedOffsets, FeedCount
from fastingest.storage.reject_limit import RejectLimit
from fastingest.storage.rejects import RejectsFile
from fastingest.storage.room import check_room
from fastingest.storage.unsynced import Extent
from fastingest.writer.committed import Committed
from fastingest.writer.durability import Durability
from fastingest.writer.events import TooManyRejects
from fastingest.writer.external_change import adapt, notice_replaced
from fastingest.writer.files import OutputFiles, replace_header
from fastingest.writer.regions import Regions
from fastingest.writer.resume import resume, settle

__all__ = ["Output"]


class Output:
    """The files of ``out``, open for committing.

    :param out: the CSV file.
    :param header: its first line.
    :param journal: the journal; None keeps none.
    :param min_free: bytes that must stay free on the disk.
    :param report: takes events for the log.
    :param limit: chooses which rejects are kept; None: all are.
    :param is_doubtful: whether the machine may have been started anew since the journal
        was written, so that the file may be as long as it says, and hold something else.
    :param syncs: whether it is ever synced.
    :param syncs_each: whether a batch is committed only when it is on the disk.
    :raises OutputRefused: the file cannot be opened, or must not be appended to.
    """

    def __init__(
        self,
        out: Path,
        header: str,
        journal: Journal | None,
        *,
        min_free: int,
        report: Callable[[Event], None],
        limit: RejectLimit | None = None,
        is_doubtful: bool = False,
        syncs: bool = True,
        syncs_each: bool = False,
    ) -> None:
        self._min_free = min_free
        self._syncs, self._syncs_each = syncs, syncs_each
        self._busy = threading.RLock()  # the thread that syncs may rewrite what changes here
        entries = journal.entries if journal else []
        if not entries:  # with any there may be rows that are to be written under that header
            replace_header(out, header, report)
        file = CsvFile(out, header)
        settled = entries[0].rejects_size if entries else None
        rejects = RejectsFile(out, settled, limit=limit, min_free=min_free)
        self._files = files = OutputFiles(file, rejects, header=header, report=report)
        self._regions = regions = Regions(out, is_told=journal is not None)
        if entries:
            found = resume(files, regions, entries, is_doubtful=is_doubtful)
            self._committed = Committed(journal, *found)
            if found.entry != entries[0]:  # which must be known before there is another row
                self._committed.record_all(entries)
        else:
            entry = settle(files, regions, Entry(run=0))
            self._committed = Committed(journal, entry, CommittedOffsets())
        self._durability = Durability(files, self._committed, self._busy)
        self._done = 0  # steps of the commit under way
        self._before = self.entry  # when it began
        self._offset = 0  # where its rows are
        self._not_kept = 0  # of its rejects

    # What is committed

    @property
    def entry(self) -> Entry:
        """The state, as the journal has it."""
        return self._committed.entry

    @property
    def feeds(self) -> dict[str, FeedCount]:
        """What is committed of each feed of the run."""
        return self._committed.offsets.feeds

    @property
    def first_feed(self) -> str:
        """The name of the first feed of those that go there; empty where there is no journal."""
        journal = self._committed.journal
        return journal.feeds[0] if journal is not None and journal.feeds else ""

    @property
    def positions(self) -> dict[int, Position]:
        """The last batch that is committed, of each partition."""
        return dict(self._committed.offsets.positions)

    def position(self, partition: int) -> Position:
        """The last batch of a partition that is committed."""
        return self._committed.offsets.position(partition)

    def skip_to(self, position: Position) -> None:
        """Take all batches of its partition up to ``position`` as committed, wherever they are."""
        self._committed.skip_to(position)

    def count_from(self, feeds: dict[str, FeedCount], not_kept: int = 0) -> None:
        """Count on from what the run had committed, where the journal has nothing of it.

        :param not_kept: of its rejects, how many are counted only.
        :raises WriteFailed: it could not be recorded.
        """
        self._committed.count_from(feeds, not_kept)

    # What a dead writer has left

    @property
    def has_tail(self) -> bool:
        """Whether there is something behind the last commit, and nobody knows yet whose it is."""
        return self._files.file.has_tail or self._files.rejects.has_tail

    def explained_by(self, batch: Batch, text: memoryview) -> int:
        """How many bytes of that are there because this batch was being committed.

        :param text: its rows as CSV.
        """
        if self._files.file.has_tail or batch.rows:
            return self._files.file.explained_by(text)
        return self._files.rejects.explained_by(batch.rejects, batch.layout.feed)

    # Committing

    def begin(self, run: int, *, anew: bool = False) -> None:
        """What is committed from now on is the run's ``run``.

        :param anew: also where it is the same run: its region so far is in the ledger.
        :raises WriteFailed: it could not be recorded.
        """
        with self._busy:
            self._begin(run, anew)

    def _begin(self, run: int, anew: bool) -> None:
        committed, is_same = self._committed, self.entry.run == run
        if is_same and not anew:
            return
        if not is_same:  # otherwise its next batch tells what is behind its last one
            committed.entry = settle(self._files, self._regions, committed.entry)
            notice_replaced(self._files, self._regions, run)
            committed.offsets.feeds = {}
        now = committed.entry
        entry = replace(
            now if is_same else Entry(run, feed=self.first_feed),
            stream=now.stream,
            sequence=now.sequence,
            inode=now.inode,
            rejects_size=now.rejects_size,
            size=now.size,
            start=now.size,
            rows=0,
            crc32=0,
        )
        committed.record(entry)

    def commit(self, batch: Batch, text: memoryview) -> None:
        """Append the batch, unless it is there already. After an error it is to be called again.

        :param text: its rows as CSV.
        :raises WriteFailed: it could not be done. The file ends with a whole row, if that could be
            brought about.
        :raises OutputRefused: there is another file now, which must not be appended to.
        """
        with self._busy:
            self._commit(batch, text)

    def _commit(self, batch: Batch, text: memoryview) -> None:
        rejects, committed = self._files.rejects, self._committed
        if batch.rows and self._done < 1:
            self._offset = self._append(text)
            self._done = 1
        if self._done < 2:
            self._extend_region(text, batch)
            self._done = 2
        if self._done < 3:
            self._not_kept = rejects.keep(batch.rejects, batch.layout.feed)
            self._done = 3
        if self._syncs_each and self._done < 4:
            self._durability.sync_batch(self._offset, text, lambda: self._cut_off(text))
            self._done = 4
        had_all = not committed.entry.not_kept
        entry = committed.with_batch(batch, rejects_size=rejects.size, not_kept=self._not_kept)
        committed.write(entry)
        if self._syncs_each:
            self._durability.sync_journal()
        committed.entry = entry
        committed.offsets.commit(batch)
        self._regions.commit()
        rejects.committed()
        if not self._syncs:
            rejects.unsynced.clear()
        self._done = 0
        if entry.not_kept and had_all:
            self._files.report(TooManyRejects(kept_in=str(rejects.path)))

    def _append(self, text: memoryview) -> int:
        """Append the rows, unless they are there; the offset where they are."""
        files = self._files
        try:
            if files.file.has(text):
                return files.file.size - len(text)
            change = files.file.changed()
            if change is not None:
                if change == "moved" and self._syncs:
                    self._durability.sync_left()
                adapt(change, files, self._regions, self._committed, self._durability.unsynced)
            check_room(files.path, files.file.descriptor, len(text), self._min_free)
            return files.file.append(text)
        except OSError as error:
            raise WriteFailed(files.path, error.strerror or str(error)) from error

    def _extend_region(self, text: memoryview, batch: Batch) -> None:
        committed = self._committed
        if batch.rows and self._offset != committed.entry.size:  # others have appended just now
            entry = self._regions.end(committed.entry, "appended")
            committed.entry = replace(entry, start=self._offset)
        self._before = entry = committed.entry
        if not batch.rows:
            return
        crc = 0
        if self._committed.journal or self._syncs:
            crc = crc32(text, entry.crc32)
        if self._syncs:
            end, partition = self._offset + len(text), partition_of(batch.stream)
            extent = Extent(self._offset, end, entry.crc32, crc, batch.feed, partition, batch.rows)
            self._durability.unsynced.add(extent)
        size = self._files.file.size
        committed.entry = replace(entry, size=size, rows=entry.rows + batch.rows, crc32=crc)
        self._regions.begin()

    def _cut_off(self, text: memoryview) -> bool:
        """Take the batch that is being committed out of the files; whether it was their end.

        :raises OSError: it could not be done.
        :raises WriteFailed: likewise.
        """
        file = self._files.file
        if text and file.length != file.size:
            return False
        self._files.rejects.take_back(self._before.rejects_size)
        self._done = 2
        if text:
            self._cut_rows()
        return True

    def _cut_rows(self) -> None:
        """Take the rows of the batch that is being committed out of the file, whose end they are.

        :raises OSError: it could not be done.
        """
        self._files.file.cut(self._offset)
        self._durability.unsynced.cut(self._offset)
        if self._done > 1:  # they are in the region
            self._committed.entry = self._before
        self._files.file.size, self._done = self._offset, 0

    def take_back(self, batch: Batch) -> None:
        """Take the rows of a batch, whose commit is given up, out of the file, where that can be.

        The next run writes the batch. Nothing would tell it that the rows are in the file already,
        if somebody moved that away meanwhile. The rejects stay: theirs is not moved.
        """
        file = self._files.file
        with self._busy, contextlib.suppress(OSError):
            if batch.rows and self._done and file.length == file.size:
                self._cut_rows()

    def set_aside(self, batch: Batch, rows: int) -> None:
        """Go on behind a batch that is kept elsewhere, since it cannot be written.

        :param rows: how many rows and rejects are gone with it from what was received.
        :raises WriteFailed: it could not be recorded.
        """
        with self._busy:
            self._committed.set_aside(batch, rows)

    # The disk

    def sync(self) -> None:
        """Have the system put everything on the disk. May be called from another thread.

        :raises WriteFailed: not all of it is known to be there. Only :meth:`secure` helps then.
        """
        self._durability.sync()

    def secure(self) -> None:
        """After a sync that failed: write again what it was to put on the disk, and sync that.

        May be called from another thread. What the system has dropped is in :attr:`lost` then.

        :raises WriteFailed: it could not be done; it is to be tried again.
        """
        with self._busy:
            if self._done:  # the journal cannot tell of half a batch
                raise WriteFailed(self._files.path, "cannot be synced in the middle of a batch")
            self._durability.secure()

    @property
    def lost(self) -> Counter[str]:
        """Rows of each feed that were committed, and that the system has dropped."""
        return self._durability.lost

    def take_lost(self) -> Counter[str]:
        """Those in :attr:`lost`, which is empty then."""
        with self._busy:
            return self._durability.take_lost()

    def close(self) -> None:
        """Close the files."""
        self._files.close()
        if self._committed.journal is not None:
            self._committed.journal.close()
