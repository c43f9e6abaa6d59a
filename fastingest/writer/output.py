"""The output with its rejects and its journal: a batch lands in them once, whatever happens.

Theory of operation. :meth:`Output.commit` appends a batch's rows, keeps its rejects, and makes an
entry in the journal, in this order. Each step can fail and be tried again; the steps that were done
are not done twice.

When a writer starts, the newest entry says how long the files were with the last batch that is
committed. What is behind it is settled by the next batch (:mod:`fastingest.storage.append_file`),
which must be the one that the dead writer was about to commit, if it had begun with any. With
several lanes that need not be the one that comes first: :mod:`fastingest.writer.recovery` looks for
it (:meth:`Output.explained_by`). If there is none, whole rows stay: they were received, or somebody
else's, and no entry says so because the machine lost power; a piece of a row goes to the
rejects. If the file is shorter than the newest entry says, power was lost as well, and with it
the rows that had not been synced; the newest entry that the file can hold is where it goes on.
Where the machine may have been started anew, the file may also be as long as it says and hold
zeroes instead of rows: then the entries' checksums tell which is the newest that it still holds.

Each lane of receivers has a position of its own, each feed a count of its own; both are told from
the feeds' newest entries. When the file has become shorter, entries that tell too much stay in the
journal. So the state is then recorded for each feed and each lane that they speak of: later entries
go before earlier ones. A feed that has gone on for longer than its ring remembers may have no entry
from before the place where the file ends now. Then its lane goes on behind the oldest one that
there is, so that no batch is written twice, and its count is what the others' leave of all rows.

What a run appends is one *region* of the file, with a count of its rows and a checksum, unless
others change the file under it: then the region ends, the ledger gets a line for it, and another
one begins.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from fastingest.errors import WriteFailed
from fastingest.isotime import iso_time
from fastingest.model.batch import LANES, Batch, Position, Reject, lane_of
from fastingest.storage.append_file import Change
from fastingest.storage.csv_file import CsvFile
from fastingest.storage.journal import Entry, Journal
from fastingest.storage.ledger import (
    GONE,
    LEDGER_TAIL,
    Region,
    append_entry,
    ledger_path,
    read_entries,
)
from fastingest.storage.offsets import CommittedOffsets, FeedCount
from fastingest.storage.reject_limit import RejectLimit
from fastingest.storage.rejects import RejectsFile
from fastingest.storage.room import check_room
from fastingest.storage.torn_tail import settled_tail
from fastingest.storage.unsynced import Piece, Unsynced

__all__ = ["Output"]

_T = TypeVar("_T")

DAMAGED = "not as it was written, the machine has lost power"
"""The reason of a reject that is a piece of the file behind the last whole commit."""

MAX_DAMAGED = 64 * 1024
"""Bytes of the file in one such reject."""

TORN = "torn last line of the file"
"""The reason of a reject that is a piece of a row."""


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
        report: Callable[..., None],
        limit: RejectLimit | None = None,
        is_doubtful: bool = False,
        syncs: bool = True,
        syncs_each: bool = False,
    ) -> None:
        self._header = header
        self._journal = journal
        self._min_free = min_free
        self._report = report
        self._path = out
        self._file = CsvFile(out, header)
        self._busy = threading.RLock()  # the thread that syncs may mend what changes here
        self._is_doubtful = is_doubtful
        self._syncs, self._syncs_each = syncs, syncs_each
        self._unsynced = Unsynced()
        self._syncing = threading.RLock()  # one sync at a time; never waits for the other lock
        self._has_failed = False  # whether a sync has failed, and nothing has been secured since
        self._is_unsure = False  # whether one of the batch that is being committed has
        self._unrecorded: dict[int, int] = {}  # feeds, and their lanes, of which rows are gone
        self.lost: Counter[int] = Counter()
        """Rows of each feed that were committed, and that the system has dropped; see take_lost."""
        self._done = 0  # steps of the commit under way
        self._offset = 0  # where its rows are
        self._not_kept = 0  # of its rejects
        self._region_ended = False
        self._is_inherited = True  # whether the region is as the writer before has left it
        entries = journal.entries if journal else []
        settled = entries[0].rejects_size if entries else None
        self._rejects = RejectsFile(out, settled, limit=limit, min_free=min_free)
        self.offsets = CommittedOffsets(entries)
        """What is committed of each lane and each feed."""
        if entries:
            self.entry = self._resume(entries)
            if self.entry != entries[0]:
                self._record_all(entries)  # before there is a row that they do not tell of
        else:
            self.entry = Entry(run=0, inode=self._file.inode, size=self._file.size)
            self._settle()

    # Starting

    def _resume(self, entries: list[Entry]) -> Entry:
        """The state to go on from."""
        newest, length = entries[0], self._file.length
        if newest.inode != self._file.inode:
            return self._elsewhere(newest)
        fitting = [each for each in entries if each.inode == newest.inode and each.size <= length]
        held = self._sound(fitting) if self._is_doubtful else fitting
        if held and held[0] is newest:
            self._file.size = newest.size
            return newest
        if newest.size <= length and not held:
            return self._behind_damage(newest)
        # Rows are missing that had been written: back to the last batch that is there. What follows
        # it comes again where the spill has it, and is settled like what a dead writer has left.
        if self._file.is_empty:  # of no run there is anything in it
            self._tell_ledger(newest.run, "truncated", newest.region)
        missing = newest.size - length
        if held and held[0] is not fitting[0]:
            missing = newest.size - held[0].size
            self._move_damaged(held[0].size)
        if not held:
            entry = self._measured(newest)
            later = [each for each in entries if each.inode == newest.inode]
            known = [each for each in entries if each.inode != newest.inode]
        else:
            entry = held[0]
            if entry.run != newest.run:  # all that the run had committed is behind it
                entry = replace(Entry(newest.run), inode=entry.inode, size=entry.size)
                entry = replace(entry, rejects_size=held[0].rejects_size, start=entry.size)
                entry = replace(entry, stream=held[0].stream, sequence=held[0].sequence)
            index = entries.index(held[0])
            later, known = entries[:index], entries[index:]
        self.offsets = self.offsets.as_of(entry, later, known)
        count, position = self.offsets.count(entry.feed), self.position(lane_of(entry.stream))
        entry = replace(
            entry,
            stream=position.stream,
            sequence=position.sequence,
            feed_written=count.written,
            feed_rejected=count.rejected,
            feed_set_aside=count.set_aside,
        )
        self._report(
            "error",
            "the file is shorter than recorded",
            bytes_missing=missing,
            rows_missing=newest.written - entry.written,
        )
        self._file.size = entry.size
        self._rejects.go_back(entry.rejects_size)
        return entry

    def _sound(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those from the newest one on that the file holds what it held when they were made."""
        found: dict[tuple[int, int], int] = {}  # checksums by the region's start and end
        empty: int | None = None  # the newest entry since which nothing but empty regions came
        for index, entry in enumerate(entries):
            if entry.size == entry.start:  # which says nothing: what is before it must be sound
                empty = index if empty is None else empty
                continue
            if (entry.start, entry.size) not in found:
                ends = sorted({each.size for each in entries if each.start == entry.start})
                sums = self._file.checksums(entry.start, ends)
                found |= {(entry.start, end): crc for end, crc in zip(ends, sums, strict=True)}
            if found[entry.start, entry.size] == entry.crc32:
                return list(entries[index if empty is None else empty :])
            empty = None
        return [] if empty is None else list(entries[empty:])

    def _move_damaged(self, start: int) -> None:
        """Move to the rejects what the file has from ``start`` on: it is not what was written."""
        offset, end = start, self._file.length
        while offset < end:
            piece = self._file.read(offset, min(end, offset + MAX_DAMAGED))
            line_end = piece.rfind(b"\n") + 1 or len(piece)
            self._rejects.add([Reject(time.time_ns(), DAMAGED, piece[:line_end])])
            offset += line_end
        self._file.cut(start)
        facts = {"bytes": end - start, "kept_in": str(self._rejects.path)}
        self._report("error", "cut off what is not as it was written", **facts)

    def _behind_damage(self, newest: Entry) -> Entry:
        """The state where of nothing that the run has appended can be told that it is whole."""
        end = self._settle_torn(newest.start)
        path = str(self._path)
        what = "the file is not as it was written, which rows are damaged is not known"
        self._report("error", what, path=path, start=newest.start, end=newest.size)
        self._file.size = end
        rejects = self._rejects.size
        return replace(newest, start=end, size=end, rows=0, crc32=0, rejects_size=rejects)

    def _record_all(self, entries: list[Entry]) -> None:
        """Record the state for each feed and lane, of which entries say what has become wrong."""
        for feed, lane in {(e.feed, lane_of(e.stream)): None for e in reversed(entries)}:
            # The least position of a lane says that there is nothing of it.
            position = self.offsets.positions.get(lane, Position(LANES + lane, -1))
            self._record_count(feed, replace(self.entry, **position._asdict()))
        self._record(self.entry)

    def _record_count(self, feed: int, entry: Entry) -> Entry:
        written, rejected, set_aside = self.offsets.feeds.setdefault(feed, FeedCount(0, 0))
        entry = replace(entry, feed=feed, feed_written=written, feed_rejected=rejected)
        entry = replace(entry, feed_set_aside=set_aside)
        self._record(entry)
        return entry

    @property
    def feeds(self) -> dict[int, FeedCount]:
        """What is committed of each feed of the run."""
        return self.offsets.feeds

    def position(self, lane: int) -> Position:
        """The last batch of a lane that is committed."""
        return self.offsets.position(lane)

    @property
    def positions(self) -> dict[int, Position]:
        """The last batch that is committed, of each lane."""
        return dict(self.offsets.positions)

    def _measured(self, newest: Entry) -> Entry:
        """The state where the file is shorter than any entry says."""
        length = self._settle_torn(newest.start if newest.start <= self._file.length else 0)
        start = min(newest.start, length)
        rows, crc = self._file.measure(start, length)
        return replace(
            newest,
            size=length,
            rejects_size=self._rejects.size,
            start=start,
            rows=rows,
            crc32=crc,
            written=max(0, newest.written - newest.rows + rows),
        )

    def _elsewhere(self, newest: Entry) -> Entry:
        """Another file has the name now."""
        self._report("warning", "the output is another file than it was", path=str(self._path))
        self.entry = newest
        self._end_region("moved")
        self.entry = replace(self.entry, inode=self._file.inode, start=0, size=0)
        self._settle()
        return replace(self.entry, start=self.entry.size)

    def _settle(self) -> None:
        """Nobody will tell what is behind the entry: whole rows stay."""
        known = self.entry.size if self.entry.run else 0  # where a row begins
        end = self._settle_torn(known)
        if known and end > known:
            self._report("warning", "rows behind the last commit are kept", bytes=end - known)
        self._file.size = end
        self._file.unsure = False
        self.entry = replace(
            self.entry,
            inode=self._file.inode,
            size=self._file.size,
            rejects_size=self._rejects.size,
        )
        self._region_ended = False

    def _settle_torn(self, start: int) -> int:
        """Move a piece of a row at the file's end to the rejects, once nobody goes on with it.

        :param start: where a row begins; what is before it stays.
        :returns: where whole rows end; another program may have begun its next line there already.
        :raises WriteFailed: it cannot be moved yet.
        """
        while (tail := settled_tail(self._file, start)).piece:
            before = self._rejects.size
            self._rejects.add([Reject(time.time_ns(), TORN, tail.piece)])
            if self._file.cut_torn(tail):
                facts = {"bytes": len(tail.piece), "kept_in": str(self._rejects.path)}
                self._report("warning", "cut off a torn last line", **facts)
                return tail.start
            self._rejects.take_back(before)  # at the last moment its author has gone on
        return tail.start

    def begin(self, run: int, *, anew: bool = False) -> None:
        """What is committed from now on is the run's ``run``.

        :param anew: also where it is the same run: its region so far is in the ledger.
        :raises WriteFailed: it could not be recorded.
        """
        with self._busy:
            self._begin(run, anew)

    def _begin(self, run: int, anew: bool) -> None:
        is_same = self.entry.run == run
        if is_same and not anew:
            return
        if not is_same:  # otherwise its next batch tells what is behind its last one
            self._settle()
            self._notice_replaced(run)
            self.offsets.feeds = {}
        entry = replace(
            self.entry if is_same else Entry(run),
            stream=self.entry.stream,
            sequence=self.entry.sequence,
            inode=self.entry.inode,
            rejects_size=self.entry.rejects_size,
            size=self.entry.size,
            start=self.entry.size,
            rows=0,
            crc32=0,
        )
        self._record(entry)
        self.entry = entry

    def _notice_replaced(self, run: int) -> None:
        """Tell the ledger that its file has gone, where that happened between two runs."""
        if self._journal is None:
            return
        end = 0
        for entry in read_entries(self._path, last=LEDGER_TAIL):
            with contextlib.suppress(KeyError, ValueError):
                region = Region.from_json(entry["file"])
                end = 0 if entry.get("ended") in GONE else max(end, region.end)
        if end <= self._file.length:
            return
        if self._file.is_empty:
            self._tell_ledger(run, "moved", Region(0, 0, 0, 0))
        else:
            what = "the output is shorter than its ledger says; see fastingest verify"
            self._report("warning", what, bytes_missing=end - self._file.length)

    def skip_to(self, position: Position) -> None:
        """Take all batches of its lane up to ``position`` as committed, wherever they are."""
        lane = lane_of(position.stream)
        if position > self.position(lane):
            self.offsets.positions[lane] = position
            self.entry = replace(self.entry, stream=position.stream, sequence=position.sequence)

    def count_from(self, feeds: dict[int, FeedCount], not_kept: int = 0) -> None:
        """Count on from what the run had committed, where the journal has nothing of it.

        :raises WriteFailed: it could not be recorded.
        """
        self.offsets.feeds = feeds
        written = sum(count.written for count in feeds.values())
        rejected = sum(count.rejected for count in feeds.values())
        set_aside = sum(count.set_aside for count in feeds.values())
        self.entry = replace(self.entry, written=written, rejected=rejected)
        self.entry = replace(self.entry, set_aside=set_aside, not_kept=not_kept)
        for feed in list(feeds):
            self.entry = self._record_count(feed, self.entry)

    # What a dead writer has left

    @property
    def has_tail(self) -> bool:
        """Whether there is something behind the last commit, and nobody knows yet whose it is."""
        return self._file.has_tail or self._rejects.has_tail

    def explained_by(self, batch: Batch, text: memoryview) -> int:
        """How many bytes of that are there because this batch was being committed.

        :param text: its rows as CSV.
        """
        if self._file.has_tail or batch.rows:
            return self._file.explained_by(text)
        return self._rejects.explained_by(batch.rejects, batch.layout.feed)

    # Committing

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
        if batch.rows and self._done < 1:
            self._offset = self._append(text)
            self._done = 1
        if self._done < 2:
            self._extend_region(text, batch)
            self._done = 2
        if self._done < 3:
            self._not_kept = self._rejects.keep(batch.rejects, batch.layout.feed)
            self._done = 3
        if self._syncs_each and self._done < 4:
            self._sync_batch(text)
            self._done = 4
        now, count = self.entry, self.offsets.with_batch(batch)
        times = [stamp for _, stamp in batch.stamps] + [reject.time for reject in batch.rejects]
        entry = replace(
            now,
            stream=batch.stream,
            sequence=batch.sequence,
            rejects_size=self._rejects.size,
            written=now.written + batch.rows,
            rejected=now.rejected + len(batch.rejects),
            first_received=now.first_received or min(times, default=0),
            last_received=max(times, default=now.last_received),
            feed=batch.feed,
            feed_written=count.written,
            feed_rejected=count.rejected,
            feed_set_aside=count.set_aside,
            not_kept=now.not_kept + self._not_kept,
        )
        self._record(entry)
        if self._syncs_each and self._journal is not None:
            self._sync_journal(self._journal)
        self.entry = entry
        self._is_inherited = False
        self.offsets.commit(batch)
        self._rejects.committed()
        if not self._syncs:
            self._rejects.unsynced.clear()
        self._done = 0
        if entry.not_kept and not now.not_kept:
            what = "there are too many rejects to keep them all; they are counted, and sampled"
            self._report("warning", what, kept_in=str(self._rejects.path))

    def set_aside(self, batch: Batch, rows: int) -> None:
        """Go on behind a batch that is kept elsewhere, since it cannot be written.

        :param rows: how many rows and rejects are gone with it from what was received.
        :raises WriteFailed: it could not be recorded.
        """
        with self._busy:
            self._set_aside(batch, rows)

    def _set_aside(self, batch: Batch, rows: int) -> None:
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
        self._record(entry)
        self.entry = entry
        self.offsets.deal_with(batch, count)

    def _record(self, entry: Entry) -> None:
        if self._journal is None:
            return
        try:
            self._journal.record(entry)
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
            raise WriteFailed(self._journal.path, problem) from error

    def _append(self, text: memoryview) -> int:
        """Append the rows, unless they are there; the offset where they are."""
        try:
            if self._file.has(text):
                return self._file.size - len(text)
            change = self._file.changed()
            if change is not None:
                self._adapt(change)
            check_room(self._path, self._file.descriptor, len(text), self._min_free)
            return self._file.append(text)
        except OSError as error:
            raise WriteFailed(self._path, error.strerror or str(error)) from error

    def _extend_region(self, text: memoryview, batch: Batch) -> None:
        if not batch.rows:
            self._before = self.entry
            return
        if self._offset != self.entry.size:  # others have appended at the same moment
            self._end_region("appended")
            self.entry = replace(self.entry, start=self._offset)
        self._before = self.entry
        before, after = self.entry.crc32, 0
        if self._journal or self._syncs:
            after = zlib.crc32(text, before)
        if self._syncs:
            end, lane = self._offset + len(text), lane_of(batch.stream)
            piece = Piece(self._offset, end, before, after, batch.feed, lane, batch.rows)
            self._unsynced.add(piece)
        self.entry = replace(
            self.entry, size=self._file.size, rows=self.entry.rows + batch.rows, crc32=after
        )
        self._region_ended = False

    # Changes by others

    def _adapt(self, change: Change) -> None:
        """Others have changed the file: find the place where the next row can go.

        The journal says where that is before a row is there, so that a writer that dies meanwhile
        leaves nothing that cannot be told from what the others have written.
        """
        if self._syncs and change == "moved":
            self._sync_moved()
        before_size = self.entry.size
        if change == "appended":
            self._settle_torn(self._file.size)  # first: it may take seconds, and not come to an end
        self._end_region(change)
        if change == "appended":
            facts = {"path": str(self._path), "bytes": self._file.length - self._file.size}
            self._report("warning", "another program has appended to the output", **facts)
        else:
            if change == "truncated":
                self._file.begin()
            else:
                following = CsvFile(self._path, self._header)
                before, self._file = self._file, following
                before.close()
            self._unsynced.clear()
            where = "it" if change == "truncated" else "a new one"
            facts = {"path": str(self._path), "bytes_before": before_size}
            self._report("warning", f"the output was {change}, going on in {where}", **facts)
            self._file.unsure = False
            self._file.size = sys.maxsize  # so that after an error it is looked at again
        size = self._settle_torn(self._file.size if change == "appended" else 0)
        self._rejects.settle()  # the batch's rejects are not in it: its rows would come before
        entry = replace(
            self.entry,
            inode=self._file.inode,
            start=size,
            size=size,
            rejects_size=self._rejects.size,
        )
        self._record(entry)
        self.entry = entry
        self._file.size = size

    def _end_region(self, how: Change) -> None:
        """The region cannot grow any more; the ledger keeps it."""
        if self._region_ended:  # and what came after that has failed
            return
        if self._journal and (self.entry.rows or how in GONE) and not self._is_told(how):
            self._tell_ledger(self.entry.run, how, self.entry.region)
        self.entry = replace(self.entry, rows=0, crc32=0)
        self._region_ended = True

    def _is_told(self, how: Change) -> bool:
        """Whether a writer that died before it could go on has told the ledger of this end."""
        if not self._is_inherited:
            return False
        told = {"run": self.entry.run, "ended": how, "file": self.entry.region.to_json()}
        entries = read_entries(self._path, last=LEDGER_TAIL)
        # A run's line that came later says that the region is in the file, as it was then believed.
        speak_of_it = [entry for entry in entries if entry.get("file") == told["file"]]
        return bool(speak_of_it) and told.items() <= speak_of_it[-1].items()

    def _tell_ledger(self, run: int, how: Change, region: Region) -> None:
        now = iso_time(time.time_ns())
        entry = {"run": run, "time": now, "ended": how, "file": region.to_json()}
        try:
            append_entry(self._path, entry)
        except OSError as error:
            path = ledger_path(self._path)
            raise WriteFailed(path, f"cannot be written: {error.strerror}") from error

    # The disk

    def sync(self) -> None:
        """Have the system put everything on the disk. May be called from another thread.

        :raises WriteFailed: not all of it is known to be there. Only :meth:`secure` helps then.
        """
        self._sync()

    def _sync(self, *, is_secured: bool = False) -> None:
        with self._busy:
            descriptor = _synced(self._path, lambda: os.dup(self._file.descriptor))
            mark, rejects_mark = self._unsynced.mark, self._rejects.unsynced.mark
            recorded = self._journal.recorded if self._journal else 0
        # The system tells of an error once: who syncs at the same time would be told of none.
        with self._syncing:
            try:
                if self._has_failed and not is_secured:
                    raise WriteFailed(self._path, "cannot be synced: that has failed before")
                self._has_failed = True  # until it is known that it has not
                _synced(self._path, lambda: os.fsync(descriptor))
            finally:
                os.close(descriptor)
            self._rejects.sync()
            if self._journal is not None:
                _synced(self._journal.path, self._journal.sync)
            self._has_failed = False
        with self._busy:
            self._unsynced.synced(mark)
            self._rejects.unsynced.synced(rejects_mark)
            if self._journal is not None:
                self._journal.synced(recorded)

    def secure(self) -> None:
        """After a sync that failed: write again what it was to put on the disk, and sync that.

        May be called from another thread. What the system has dropped is in :attr:`lost` then.

        :raises WriteFailed: it could not be done; it is to be tried again.
        """
        with self._busy, self._syncing:
            if self._done:  # the journal cannot tell of half a batch
                raise WriteFailed(self._path, "cannot be synced in the middle of a batch")
            self._write_again()
            self._sync(is_secured=True)

    def _write_again(self) -> None:
        self._secure_rows()
        if gone := self._rejects.secure():
            what = "rejects that could not be synced are gone"
            self._report("error", what, bytes=gone, path=str(self._rejects.path))
        if self._journal is not None:
            try:
                self._journal.write_again()
            except OSError as error:
                problem = f"cannot be written: {error.strerror}"
                raise WriteFailed(self._journal.path, problem) from error

    def _secure_rows(self) -> None:
        """Write the rows again that are not known to be on the disk."""
        try:
            gone = self._unsynced.write_again(self._file)
            end = self._unsynced.close_up(self._file, gone) if gone else None
        except OSError as error:
            raise WriteFailed(self._path, f"cannot be written: {error.strerror}") from error
        if gone:
            self._give_up(gone, end)
        while self._unrecorded:  # as long as an entry says too much, it is not done
            feed, lane = next(iter(self._unrecorded.items()))
            position = self.offsets.position(lane)
            self._record_count(feed, replace(self.entry, **position._asdict()))
            if len(self._unrecorded) == 1:
                self._record(self.entry)
            del self._unrecorded[feed]

    def _give_up(self, gone: list[Piece], end: Piece | None) -> None:
        """The system has dropped these pieces.

        :param end: an empty one where the file ends now; None: others stand behind them, and their
            bytes stay as they are.
        """
        self._unsynced.forget(gone)
        for piece in gone:
            self.lost[piece.feed] += piece.rows
            count = self.offsets.count(piece.feed)
            self.offsets.feeds[piece.feed] = count._replace(written=count.written - piece.rows)
            self._unrecorded[piece.feed] = piece.lane
        rows = sum(piece.rows for piece in gone)
        self.entry = replace(self.entry, written=self.entry.written - rows)
        if end is not None:
            self._file.size = end.end
            left = self.entry.rows - rows
            self.entry = replace(self.entry, size=end.end, crc32=end.after, rows=left)

    def take_lost(self) -> Counter[int]:
        """Rows of each feed that were committed, and that the system has dropped since."""
        with self._busy:
            lost, self.lost = self.lost, Counter()
        return lost

    def _sync_batch(self, text: memoryview) -> None:
        """Put the rows and rejects of the batch that is being committed on the disk.

        :param text: its rows.
        :raises WriteFailed: they may not be there. They are cut off, to be written anew.
        """
        if self._is_unsure:  # a sync of them has failed, and they could not be cut off
            if text:
                _written(self._path, lambda: self._file.rewrite(self._offset, text))
            self._rejects.secure()
        try:
            self._sync_rows()
            self._rejects.sync()
        except WriteFailed:
            self._is_unsure = True
            with contextlib.suppress(OSError, WriteFailed):
                self._cut_off(text)
            raise
        self._is_unsure = False

    def _cut_off(self, text: memoryview) -> None:
        """Take the batch that is being committed out of the files, where it is their end."""
        if text and self._file.length != self._file.size:
            return
        self._rejects.take_back(self._before.rejects_size)
        self._done = 2
        if text:
            self._file.cut(self._offset)
            self._unsynced.cut(self._offset)
            self._file.size, self._done = self._offset, 0
            self.entry = self._before
        self._is_unsure = False

    def _sync_journal(self, journal: Journal) -> None:
        recorded = journal.recorded
        try:
            _synced(journal.path, journal.sync)
        except WriteFailed:
            with contextlib.suppress(OSError):  # it is recorded anew in any case
                journal.write_again()
            raise
        journal.synced(recorded)

    def _sync_moved(self) -> None:
        """Put the file on the disk that is left for another one."""
        with self._syncing:
            if self._has_failed:
                self._secure_rows()
            try:
                self._sync_rows()
            except WriteFailed:
                self._has_failed = True
                raise

    def _sync_rows(self) -> None:
        mark = self._unsynced.mark
        _synced(self._path, self._file.sync)
        self._unsynced.synced(mark)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._rejects.close()
        if self._journal is not None:
            self._journal.close()


def _synced(path: Path, step: Callable[[], _T]) -> _T:
    try:
        return step()
    except OSError as error:
        raise WriteFailed(path, f"cannot be synced: {error.strerror}") from error


def _written(path: Path, step: Callable[[], None]) -> None:
    try:
        step()
    except OSError as error:
        raise WriteFailed(path, f"cannot be written: {error.strerror}") from error
