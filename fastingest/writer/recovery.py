"""Writes what receivers and runs before have left, each row to the account that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from fastingest.errors import OutputRefused, WriteFailed
from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import Batch, Position
from fastingest.model.feed import MAX_FEEDS
from fastingest.model.schema import header_of
from fastingest.runtime.assignment import SharedOutput
from fastingest.spool.directories import SpoolDirectories
from fastingest.spool.reader import SpoolReader
from fastingest.storage.journal import Journal
from fastingest.storage.ledger import LEDGER_TAIL, read_entries
from fastingest.storage.names import beside
from fastingest.storage.offsets import counts_in
from fastingest.storage.run_events import read_events
from fastingest.storage.run_log import line_of, log_run
from fastingest.writer.committer import Committer
from fastingest.writer.earlier_run import counters_of, has_other_counters, never_began
from fastingest.writer.events import (
    EarlierRowsLost,
    EarlierRowsTaken,
    KeptRowsGone,
    NoEarlierRows,
)

__all__ = ["Recovery"]


class Recovery:
    """What is left to write, in the spool and in the spill.

    :param share: what the run's processes share of the output.
    :param journal: the journal, which knows where those of the run before were. None: with no
        journal nothing can be told from what is written, and nothing is taken up.
    :param committer: commits it.
    :param look: called before each batch: it may take minutes, and things happen meanwhile.
    """

    def __init__(
        self,
        share: SharedOutput,
        journal: Journal | None,
        committer: Committer,
        *,
        look: Callable[[], None],
    ) -> None:
        self._out = share.target.path
        self._header = share.target.header
        self._run = share.run
        self._places = places = share.places
        self._journal = journal
        self._committer = committer
        self._look = look
        self._counters = committer.counters
        noted = None
        if journal is not None and journal.notes != places.to_notes():
            noted = SpoolDirectories.from_notes(journal.notes, self._out)
        self._elsewhere = noted if noted != places else None
        everywhere = [places, self._elsewhere] if self._elsewhere else [places]
        self._reader = SpoolReader(everywhere, committer.report)
        # Of streams that receivers still add to, which may have kept a batch elsewhere for a while.
        self._unread = SpoolReader(everywhere, lambda event: None)

    def note_places(self) -> None:
        """Note in the journal where the spool and the spill are now.

        Where they were others before, what is left there is written first.
        """
        if self._elsewhere:
            self.earlier_runs()
            self._elsewhere.remove(but=self._places)
        journal = self._journal
        if journal is not None:
            self._committer.attempt(lambda: journal.note(self._places.to_notes()))

    def earlier_runs(self) -> None:
        """Write what runs before this one have left, and close their accounts."""
        committer, output = self._committer, self._committer.output
        last = output.entry.run
        runs = {run for run in self._places.runs() if run < self._run}
        for run in [run for run in runs if run != last and never_began(self._places, run)]:
            self._places.forget(run)
            runs.remove(run)
        if 0 < last < self._run:
            runs.add(last)
        # After a start of the machine there may be batches on disk, and nothing that says whose.
        streams = [name.stream for name, _ in self._places.segments() if name.stream < self._run]
        if streams and not any(run <= min(streams) for run in runs):
            runs.add(min(streams))
        for run, following in pairwise([*sorted(runs), self._run]):
            if run < last:
                continue  # its account is closed
            counted = counters_of(self._places, self._out, run, committer.report)
            committer.counters = counted or Counters.create(feeds=("",) * MAX_FEEDS)
            # The journal may be gone, with the file: then the counters, which are where the spool
            # is, say what of it is written.
            for counters in committer.counters.feeds:
                if counters[Slot.STREAM]:
                    position = Position(counters[Slot.STREAM], counters[Slot.SEQUENCE])
                    output.skip_to(position)
            known = output.entry.run == run
            committer.attempt(lambda run=run: self._reopen_account(run))  # type: ignore[misc]
            if not known:
                counters = committer.counters
                counts = counts_in(counters), counters[Slot.NOT_KEPT]
                committer.attempt(lambda counts=counts: output.count_from(*counts))  # type: ignore[misc]
            written = output.entry.written
            self._commit_tail(following)
            self.streams_before(following)
            rows = output.entry.written - written
            committer.report(EarlierRowsTaken(rows) if rows else NoEarlierRows(rows))
            committer.attempt(
                lambda run=run, rows=rows, counted=counted: self._close_account(run, rows, counted)  # type: ignore[misc]
            )
        committer.counters = self._counters
        committer.attempt(lambda: output.begin(self._run))
        self._commit_tail(2**63)
        committer.count()

    def _commit_tail(self, before: int) -> None:
        """Commit what a dead writer had begun with, before another partition's batch is.

        What it has left in the files would otherwise look like another program's, and be there
        twice in the end.
        """
        committer, output = self._committer, self._committer.output
        while self._journal is not None and output.has_tail:
            batches = list(self._unread.next_of_each_partition(output.positions, before))
            explained = [
                0 if (text := committer.text_of(each)) is None else output.explained_by(each, text)
                for each in batches
            ]
            if not any(explained):
                return
            committer.commit(batches[explained.index(max(explained))])

    def streams_before(self, stream: int, partition: int | None = None) -> None:
        """Write what is left of the streams older than ``stream``: nobody adds to them any more.

        :param partition: only this partition's; None: of all.
        :raises OutputRefused: it has other columns than the output.
        """
        if self._journal is None:
            return
        positions = self._committer.output.positions
        for batch in self._reader.batches(positions, stream, partition=partition, consume=True):
            self._look()
            self._check_columns(batch)
            self._committer.commit(batch)
        self._reader.remove(stream, partition)

    def check_columns(self) -> None:
        """See that what is left can be written, before anything else is received.

        :raises OutputRefused: it has other columns than the output.
        """
        if self._journal is not None:
            for batch in self._unread.first_of_each_stream(self._run):
                self._check_columns(batch)

    def _check_columns(self, batch: Batch) -> None:
        if batch.damage:
            return
        header = header_of(batch.layout.names)
        if header != self._header:
            raise OutputRefused(
                self._out,
                f"an earlier run has left rows with the columns {header!r}, this run writes "
                f"{self._header!r}; start it once with the columns that it had",
            )

    def _reopen_account(self, run: int) -> None:
        region = self._committer.output.entry.region.to_json()
        logged = any(
            line.get("run") == run and line.get("file") == region
            for line in read_entries(self._out, last=LEDGER_TAIL)
        )
        self._committer.output.begin(run, anew=logged)

    def _close_account(self, run: int, recovered: int, counters: Counters | None) -> None:
        path, events = self._places.counters(run), self._places.events(run)
        if counters is not None:
            self._committer.count()
            for each in counters.feeds:
                each.bury_receiver()
                each[Slot.LOST] += max(0, each.ledger.in_flight)
            rows, messages = counters.whole_ledger.lost, counters.total(Slot.LOST_MESSAGES)
            if rows or messages:
                self._committer.report(EarlierRowsLost(rows, messages))
        else:
            kept = line_of(self._out, run).get("kept") or 0
            if kept > recovered:
                self._committer.report(KeptRowsGone(kept - recovered))
        entry = self._committer.output.entry
        try:
            feeds = self._committer.output.feeds
            known = read_events(events)
            log_run(self._out, entry, counters, known, header=self._header, feeds=feeds, end=None)
        except OSError as error:
            problem = f"its ledger cannot be written: {error.strerror}"
            raise WriteFailed(self._out, problem) from None
        if has_other_counters(self._places, run):
            path.replace(beside(path, ".unread"))
        self._places.forget_files(run)
