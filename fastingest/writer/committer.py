"""Commits batches, and tries again where that fails, until there is no more time for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fastingest.config.settings import Settings
from fastingest.errors import OutputRefused, WriteFailed
from fastingest.format.base import Format
from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import Batch, Position, check_batch, partition_of
from fastingest.model.event import Event
from fastingest.runtime.control import Failing, Notice, Report, WorksAgain
from fastingest.storage.journal import Journal
from fastingest.storage.reject_limit import RejectLimit
from fastingest.writer.attempts import TRY_PAUSE, Attempts
from fastingest.writer.events import (
    BatchSetAside,
    BatchUnwritable,
    RowsGone,
    SyncFailed,
    WriteFailing,
    WritingAgain,
)
from fastingest.writer.fsync import Syncer
from fastingest.writer.output import Output
from fastingest.writer.set_aside import set_aside

__all__ = ["Committer"]

FIRST_RETRY, LAST_RETRY = 0.05, 2.0
"""Seconds until a write that failed is tried again; the wait doubles from the one to the other."""


class Committer:
    """The output, open for batches.

    :param options: the run's settings.
    :param out: the CSV file.
    :param header: its first line.
    :param journal: the journal; None keeps none.
    :param counters: where it is counted what is committed; another account's may take their place.
    :param format_: makes the file's bytes of a batch.
    :param is_doubtful: whether the machine may have been started anew since the last commit.
    :param tell: takes what the supervisor is told.
    :param wait: waits so many seconds; whether there is still time after that.
    :raises OutputRefused: the output cannot be opened, or must not be appended to.
    """

    def __init__(
        self,
        options: Settings,
        out: Path,
        header: str,
        journal: Journal | None,
        counters: Counters,
        *,
        format_: Format,
        is_doubtful: bool = False,
        tell: Callable[[Notice], None],
        wait: Callable[[float], bool],
    ) -> None:
        self.counters = counters
        self._format = format_
        self._out = out
        self._tell = tell
        self._wait = wait
        self._problem = ""  # why writing fails, as long as it does
        self._defect = ""  # why a batch cannot be written
        self._min_free = options.min_free
        self._attempts = Attempts(counters)
        limit = RejectLimit(options.max_rejects, lambda: self.counters)
        limit.begin()
        self.output = Output(
            out,
            header,
            journal,
            min_free=options.min_free,
            report=self.report,
            limit=limit,
            is_doubtful=is_doubtful,
            syncs=options.fsync is not None,
            syncs_each=options.fsync == 0,
        )
        self._syncer = Syncer(
            self.output.sync, self.output.secure, options.fsync, self._report_unsynced
        )

    def report(self, event: Event) -> None:
        """Have an event logged."""
        self._tell(Report.of(event))

    def position(self, partition: int) -> Position:
        """The last batch of a partition that is committed."""
        return self.output.position(partition)

    def text_of(self, batch: Batch) -> memoryview | None:
        """The batch's rows as they stand in the file; None: that has failed too often."""
        delay = TRY_PAUSE
        while self._attempts.begin(batch.position):
            try:
                text = self._make_text(batch)
            except self._format.defects as error:
                self._defect = f"{type(error).__name__}: {error}"
                self.report(BatchUnwritable(self._defect))
                self._wait(delay)
                delay *= 2
            else:
                self._attempts.end()
                return text
        return None

    def _make_text(self, batch: Batch) -> memoryview:
        """As :meth:`text_of`; whatever may be wrong in a batch comes to light here."""
        check_batch(batch, is_of_run=self.counters.row_of(batch.feed) is not None)
        return self._format.encode(batch)

    def commit(self, batch: Batch) -> None:
        """Commit the batch, unless that has been done.

        :raises WriteFailed: it cannot be done, and there is no more time for it.
        """
        if batch.position <= self.position(partition_of(batch.stream)):
            return
        self.attempt(self._syncer.check)
        text = self.text_of(batch)
        if text is None:
            self._set_aside(batch)
            return
        try:
            self.attempt(lambda: self.output.commit(batch, text))
        except WriteFailed:
            self.output.take_back(batch)
            raise
        self._syncer.written()
        self._count(batch.feed)
        if batch.rows:
            self._measure(batch)

    def _set_aside(self, batch: Batch) -> None:
        """Keep a batch that cannot be written, and go on behind it.

        :raises WriteFailed: as :meth:`commit`.
        """
        rows, dealt_with = batch.count, batch
        if self.counters.row_of(batch.feed) is None:
            # Nobody knows whose they are: they count as lost in the end.
            layout = batch.layout._replace(feed=self.output.first_feed)
            rows, dealt_with = 0, replace(batch, layout=layout)
        else:
            counters = self.counters.of(batch.feed)
            if counters[Slot.RECEIVED]:  # otherwise nobody knows what was received
                rows = min(rows, max(0, counters.ledger.in_flight))
        path = self._out

        def step() -> None:
            nonlocal path
            path = set_aside(self._out, batch, self._min_free)
            self.output.set_aside(dealt_with, rows)

        self.attempt(step)
        problem = self._defect or "the writer died of it"
        self.report(BatchSetAside(rows, problem=problem, kept_in=str(path)))
        self._defect = ""
        self._count(dealt_with.feed)

    def attempt(self, step: Callable[[], None]) -> None:
        """Do it, and again until it is done.

        :raises WriteFailed: it cannot be done, and there is no more time for it.
        """
        delay = FIRST_RETRY
        while True:
            try:
                step()
            except (WriteFailed, OutputRefused) as error:
                self._tell(Failing(str(self._out), str(error.path), error.problem))
                if not self._problem:
                    self._problem = f"{error.path}: {error.problem}"
                    self.report(WriteFailing(self._problem))
                if not self._wait(delay):
                    raise WriteFailed(error.path, error.problem) from error
                delay = min(2 * delay, LAST_RETRY)
            else:
                break
        if self._problem:
            self._problem = ""
            self._tell(WorksAgain(str(self._out)))
            self.report(WritingAgain())

    def _report_unsynced(self, error: Exception) -> None:
        problem = f"{error.path}: {error.problem}" if isinstance(error, WriteFailed) else str(error)
        self.report(SyncFailed(problem))

    def count(self) -> None:
        """Say in the counters what is committed."""
        for feed in self.output.feeds:
            self._count(feed)
        self.counters[Slot.FILE_SIZE] = self.output.entry.size

    def _count(self, feed: str) -> None:
        self.count_lost()
        entry = self.output.entry
        self.counters[Slot.NOT_KEPT] = entry.not_kept
        if self.counters.row_of(feed) is not None:
            counters, count = self.counters.of(feed), self.output.feeds[feed]
            slots = (Slot.WRITTEN, Slot.REJECTS_COMMITTED, Slot.SET_ASIDE)
            for slot, number in zip(slots, count, strict=True):
                counters[slot] = number
            if entry.feed == feed and entry.stream >= entry.run:
                counters[Slot.STREAM], counters[Slot.SEQUENCE] = entry.position
        self.counters[Slot.FIRST_RECEIVED] = entry.first_received
        self.counters[Slot.LAST_RECEIVED] = entry.last_received
        self.counters[Slot.FILE_SIZE] = entry.size  # the last: whoever sees it sees the others

    def count_lost(self) -> None:
        """Count what was committed and the system has dropped since, if there is anything."""
        if not self.output.lost:
            return
        lost = self.output.take_lost()
        for feed, rows in lost.items():
            for slot in (Slot.LOST, Slot.UNSYNCED):
                self.counters.of(feed).add(slot, rows)
            self._count(feed)
        self.report(RowsGone(lost.total()))

    def _measure(self, batch: Batch) -> None:
        now = time.time_ns()
        counters = self.counters.of(batch.feed)
        latency, start = counters.latency, 0
        for end, received in batch.stamps:
            latency.add(now - received, end - start)
            start = end
        oldest = now - batch.stamps[0][1]
        counters[Slot.LATENCY_MAX] = max(counters[Slot.LATENCY_MAX], oldest)

    def close(self) -> None:
        """Put everything on the disk, if it shall be there, and close the files.

        :raises WriteFailed: that cannot be done, and there is no more time for it.
        """
        try:
            self.attempt(self._syncer.finish)
            self.count_lost()
        finally:
            self._syncer.close()
            self.output.close()
