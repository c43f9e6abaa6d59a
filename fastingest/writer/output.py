"""The output with its quarantine and its journal: a batch lands in them once, whatever happens.

Theory of operation. :meth:`Output.commit` appends a batch's rows, keeps its rejects, and makes an
entry in the journal, in this order. Each step can fail and be tried again; the steps that were done
are not done twice.

When a writer starts, the newest entry says how long the files were with the last batch that is
committed. What is behind it is settled by the next batch (:mod:`fastingest.writer.append_file`),
which must be the one that the dead writer was about to commit, if it had begun with any. With
several lanes that need not be the one that comes first: :mod:`fastingest.writer.recovery` looks for
it (:meth:`Output.explained_by`). If there is none, whole rows stay: they were received, or somebody
else's, and no entry says so because the machine lost power; a piece of a row goes to the
quarantine. If the file is shorter than the newest entry says, power was lost as well, and with it
the rows that had not been synced; the newest entry that the file can hold is where it goes on.

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
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from fastingest.batch import LANES, Batch, Position, Reject, lane_of
from fastingest.errors import WriteFailed
from fastingest.ledger import GONE, LEDGER_TAIL, Region, append_entry, ledger_path, read_entries
from fastingest.moment import iso_time
from fastingest.writer.append_file import Change
from fastingest.writer.csv_file import CsvFile
from fastingest.writer.journal import Entry, Journal
from fastingest.writer.quarantine import Quarantine
from fastingest.writer.reject_limit import RejectLimit
from fastingest.writer.room import check_room
from fastingest.writer.tally import FeedCount, Tally

__all__ = ["Output"]

TORN_PATIENCE = 1.0
"""Seconds that another program gets to end the line that it has begun."""


class Output:
    """The files of ``out``, open for committing.

    :param out: the CSV file.
    :param header: its first line.
    :param journal: the journal; None keeps none.
    :param min_free: bytes that must stay free on the disk.
    :param report: takes events for the log.
    :param limit: chooses which rejects are kept; None: all are.
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
    ) -> None:
        self._header = header
        self._journal = journal
        self._min_free = min_free
        self._report = report
        self._path = out
        self._file = CsvFile(out, header)
        self._swapping = threading.Lock()  # while the file is another one
        self._done = 0  # steps of the commit under way
        self._offset = 0  # where its rows are
        self._not_kept = 0  # of its rejects
        self._region_ended = False
        entries = journal.entries if journal else []
        settled = entries[0].quarantine_size if entries else None
        self._quarantine = Quarantine(out, settled, limit=limit, min_free=min_free)
        self.tally = Tally(entries)
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
        if newest.size <= length:
            self._file.size = newest.size
            return newest
        # Rows are missing that had been written: back to the last batch that is there. What follows
        # it comes again where the spill has it, and is settled like what a dead writer has left.
        if self._file.is_empty:  # of no run there is anything in it
            self._tell_ledger(newest.run, "truncated", newest.region)
        held = [each for each in entries if each.inode == newest.inode and each.size <= length]
        if not held:
            entry = self._measured(newest)
            later = [each for each in entries if each.inode == newest.inode]
            known = [each for each in entries if each.inode != newest.inode]
        else:
            entry = held[0]
            if entry.run != newest.run:  # all that the run had committed is behind it
                entry = replace(Entry(newest.run), inode=entry.inode, size=entry.size)
                entry = replace(entry, quarantine_size=held[0].quarantine_size, start=entry.size)
                entry = replace(entry, stream=held[0].stream, sequence=held[0].sequence)
            index = entries.index(held[0])
            later, known = entries[:index], entries[index:]
        self.tally = self.tally.as_of(entry, later, known)
        count, position = self.tally.count(entry.feed), self.position(lane_of(entry.stream))
        entry = replace(
            entry,
            stream=position.stream,
            sequence=position.sequence,
            feed_written=count.written,
            feed_quarantined=count.quarantined,
            feed_set_aside=count.set_aside,
        )
        self._report(
            "error",
            "the file is shorter than recorded",
            bytes_missing=newest.size - length,
            rows_missing=newest.written - entry.written,
        )
        self._file.size = entry.size
        self._quarantine.go_back(entry.quarantine_size)
        return entry

    def _record_all(self, entries: list[Entry]) -> None:
        """Record the state for each feed and lane, of which entries say what has become wrong."""
        for feed, lane in {(e.feed, lane_of(e.stream)): None for e in reversed(entries)}:
            # The least position of a lane says that there is nothing of it.
            position = self.tally.positions.get(lane, Position(LANES + lane, -1))
            self._record_count(feed, replace(self.entry, **position._asdict()))
        self._record(self.entry)

    def _record_count(self, feed: int, entry: Entry) -> Entry:
        written, quarantined, set_aside = self.tally.feeds.setdefault(feed, FeedCount(0, 0))
        entry = replace(entry, feed=feed, feed_written=written, feed_quarantined=quarantined)
        entry = replace(entry, feed_set_aside=set_aside)
        self._record(entry)
        return entry

    @property
    def feeds(self) -> dict[int, FeedCount]:
        """What is committed of each feed of the run."""
        return self.tally.feeds

    def position(self, lane: int) -> Position:
        """The last batch of a lane that is committed."""
        return self.tally.position(lane)

    @property
    def positions(self) -> dict[int, Position]:
        """The last batch that is committed, of each lane."""
        return dict(self.tally.positions)

    def _measured(self, newest: Entry) -> Entry:
        """The state where the file is shorter than any entry says."""
        self._settle_torn(newest.start if newest.start <= self._file.length else 0)
        length = self._file.length
        start = min(newest.start, length)
        rows, crc = self._file.measure(start, length)
        return replace(
            newest,
            size=length,
            quarantine_size=self._quarantine.size,
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
        self._settle_torn(known)
        if known and self._file.length > known:
            rest = self._file.length - known
            self._report("warning", "rows behind the last commit are kept", bytes=rest)
        self._file.size = self._file.length
        self._file.unsure = False
        self.entry = replace(
            self.entry,
            inode=self._file.inode,
            size=self._file.size,
            quarantine_size=self._quarantine.size,
        )
        self._region_ended = False

    def _settle_torn(self, start: int) -> None:
        torn = self._file.torn(start)
        if not torn:
            return
        self._quarantine.add([Reject(time.time_ns(), "torn last line of the file", torn)])
        self._file.cut(self._file.length - len(torn))
        kept_in = str(self._quarantine.path)
        self._report("warning", "cut off a torn last line", bytes=len(torn), kept_in=kept_in)

    def begin(self, run: int, *, anew: bool = False) -> None:
        """What is committed from now on is the run's ``run``.

        :param anew: also where it is the same run: its region so far is in the ledger.
        :raises WriteFailed: it could not be recorded.
        """
        is_same = self.entry.run == run
        if is_same and not anew:
            return
        if not is_same:  # otherwise its next batch tells what is behind its last one
            self._settle()
            self._notice_replaced(run)
            self.tally.feeds = {}
        entry = replace(
            self.entry if is_same else Entry(run),
            stream=self.entry.stream,
            sequence=self.entry.sequence,
            inode=self.entry.inode,
            quarantine_size=self.entry.quarantine_size,
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
            self.tally.positions[lane] = position
            self.entry = replace(self.entry, stream=position.stream, sequence=position.sequence)

    def count_from(self, feeds: dict[int, FeedCount], not_kept: int = 0) -> None:
        """Count on from what the run had committed, where the journal has nothing of it.

        :raises WriteFailed: it could not be recorded.
        """
        self.tally.feeds = feeds
        written = sum(count.written for count in feeds.values())
        quarantined = sum(count.quarantined for count in feeds.values())
        set_aside = sum(count.set_aside for count in feeds.values())
        self.entry = replace(self.entry, written=written, quarantined=quarantined)
        self.entry = replace(self.entry, set_aside=set_aside, not_kept=not_kept)
        for feed in list(feeds):
            self.entry = self._record_count(feed, self.entry)

    # What a dead writer has left

    @property
    def has_tail(self) -> bool:
        """Whether there is something behind the last commit, and nobody knows yet whose it is."""
        return self._file.has_tail or self._quarantine.has_tail

    def explained_by(self, batch: Batch, text: memoryview) -> int:
        """How many bytes of that are there because this batch was being committed.

        :param text: its rows as CSV.
        """
        if self._file.has_tail or batch.rows:
            return self._file.explained_by(text)
        return self._quarantine.explained_by(batch.rejects, batch.layout.feed)

    # Committing

    def commit(self, batch: Batch, text: memoryview) -> None:
        """Append the batch, unless it is there already. After an error it is to be called again.

        :param text: its rows as CSV.
        :raises WriteFailed: it could not be done. The file ends with a whole row, if that could be
            brought about.
        :raises OutputRefused: there is another file now, which must not be appended to.
        """
        if batch.rows and self._done < 1:
            self._offset = self._append(text)
            self._done = 1
        if batch.rows and self._done < 2:
            self._extend_region(text, batch.rows)
            self._done = 2
        if self._done < 3:
            self._not_kept = self._quarantine.keep(batch.rejects, batch.layout.feed)
            self._done = 3
        now, count = self.entry, self.tally.with_batch(batch)
        times = [stamp for _, stamp in batch.stamps] + [reject.time for reject in batch.rejects]
        entry = replace(
            now,
            stream=batch.stream,
            sequence=batch.sequence,
            quarantine_size=self._quarantine.size,
            written=now.written + batch.rows,
            quarantined=now.quarantined + len(batch.rejects),
            first_received=now.first_received or min(times, default=0),
            last_received=max(times, default=now.last_received),
            feed=batch.feed,
            feed_written=count.written,
            feed_quarantined=count.quarantined,
            feed_set_aside=count.set_aside,
            not_kept=now.not_kept + self._not_kept,
        )
        self._record(entry)
        self.entry = entry
        self.tally.commit(batch)
        self._quarantine.committed()
        self._done = 0
        if entry.not_kept and not now.not_kept:
            what = "there are too many rejects to keep them all; they are counted, and sampled"
            self._report("warning", what, kept_in=str(self._quarantine.path))

    def set_aside(self, batch: Batch, rows: int) -> None:
        """Go on behind a batch that is kept elsewhere, since it cannot be written.

        :param rows: how many rows and rejects are gone with it from what was received.
        :raises WriteFailed: it could not be recorded.
        """
        count = self.tally.with_set_aside(batch, rows)
        entry = replace(
            self.entry,
            stream=batch.stream,
            sequence=batch.sequence,
            feed=batch.feed,
            feed_written=count.written,
            feed_quarantined=count.quarantined,
            feed_set_aside=count.set_aside,
            set_aside=self.entry.set_aside + rows,
        )
        self._record(entry)
        self.entry = entry
        self.tally.deal_with(batch, count)

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

    def _extend_region(self, text: memoryview, rows: int) -> None:
        if self._offset != self.entry.size:  # others have appended at the same moment
            self._end_region("appended")
            self.entry = replace(self.entry, start=self._offset)
        crc = zlib.crc32(text, self.entry.crc32) if self._journal else 0
        self.entry = replace(
            self.entry, size=self._file.size, rows=self.entry.rows + rows, crc32=crc
        )
        self._region_ended = False

    # Changes by others

    def _adapt(self, change: Change) -> None:
        """Others have changed the file: find the place where the next row can go.

        The journal says where that is before a row is there, so that a writer that dies meanwhile
        leaves nothing that cannot be told from what the others have written.
        """
        before_size = self.entry.size
        self._end_region(change)
        if change == "appended":
            self._await_line()
            facts = {"path": str(self._path), "bytes": self._file.length - self._file.size}
            self._report("warning", "another program has appended to the output", **facts)
        else:
            if change == "truncated":
                self._file.begin()
            else:
                following = CsvFile(self._path, self._header)
                with self._swapping:
                    before, self._file = self._file, following
                before.close()
            where = "it" if change == "truncated" else "a new one"
            facts = {"path": str(self._path), "bytes_before": before_size}
            self._report("warning", f"the output was {change}, going on in {where}", **facts)
            self._file.unsure = False
            self._file.size = sys.maxsize  # so that after an error it is looked at again
        self._settle_torn(self._file.size if change == "appended" else 0)
        self._quarantine.settle()  # the batch's rejects are not in it: its rows would come before
        size = self._file.length
        entry = replace(
            self.entry,
            inode=self._file.inode,
            start=size,
            size=size,
            quarantine_size=self._quarantine.size,
        )
        self._record(entry)
        self.entry = entry
        self._file.size = size

    def _await_line(self) -> None:
        deadline = time.monotonic() + TORN_PATIENCE
        while time.monotonic() < deadline:
            length = self._file.length
            if length == 0 or self._file.read(length - 1, length) == b"\n":
                return
            time.sleep(0.01)

    def _end_region(self, how: Change) -> None:
        """The region cannot grow any more; the ledger keeps it."""
        if self._region_ended:  # and what came after that has failed
            return
        if self._journal and (self.entry.rows or how in GONE):
            self._tell_ledger(self.entry.run, how, self.entry.region)
        self.entry = replace(self.entry, rows=0, crc32=0)
        self._region_ended = True

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

        :raises OSError: it could not be done.
        """
        with self._swapping:
            descriptor = os.dup(self._file.descriptor)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._quarantine.sync()
        if self._journal is not None:
            self._journal.sync()

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._quarantine.close()
        if self._journal is not None:
            self._journal.close()
