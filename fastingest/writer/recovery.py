"""Writes what receivers and runs before have left, each row to the account that it belongs to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from itertools import pairwise

from fastingest.account import line_of, log_run, read_events
from fastingest.batch import Position
from fastingest.counters import Counters, Slot
from fastingest.errors import WriteFailed
from fastingest.ledger import LEDGER_TAIL, read_entries
from fastingest.options import Options
from fastingest.places import Places
from fastingest.writer.committer import Committer
from fastingest.writer.journal import Journal
from fastingest.writer.leftovers import Leftovers

__all__ = ["Recovery"]


class Recovery:
    """What is left to write, in the spool and in the spill.

    :param options: the run's settings.
    :param run: the run's id.
    :param places: where its spool and its spill are.
    :param journal: the journal, which knows where those of the run before were. None: with no
        journal nothing can be told from what is written, and nothing is taken up.
    :param committer: commits it.
    :param look: called before each batch: it may take minutes, and things happen meanwhile.
    """

    def __init__(
        self,
        options: Options,
        run: int,
        places: Places,
        journal: Journal | None,
        committer: Committer,
        *,
        look: Callable[[], None],
    ) -> None:
        self._out = options.out
        self._run = run
        self._places = places
        self._journal = journal
        self._committer = committer
        self._look = look
        self._counters = committer.counters
        noted = Places.from_notes(journal.notes) if journal else None
        self._elsewhere = noted if noted != places else None
        everywhere = [places, self._elsewhere] if self._elsewhere else [places]
        self._leftovers = Leftovers(everywhere, committer.report)

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
        if 0 < last < self._run:
            runs.add(last)
        # After a start of the machine there may be batches on disk, and nothing that says whose.
        streams = [name.stream for name, _ in self._places.segments() if name.stream < self._run]
        if streams and not any(run <= min(streams) for run in runs):
            runs.add(min(streams))
        for run, following in pairwise([*sorted(runs), self._run]):
            if run < last:
                continue  # its account is closed
            try:
                committer.counters = Counters.open(self._places.counters(run))
            except OSError:  # the machine was started anew
                committer.counters = Counters.create()
            # The journal may be gone, with the file: then the counters, which are where the spool
            # is, say what of it is written.
            written_last = Position(
                committer.counters[Slot.STREAM], committer.counters[Slot.SEQUENCE]
            )
            output.skip_to(max(committer.position, written_last))
            committer.attempt(lambda run=run: self._reopen_account(run))  # type: ignore[misc]
            written = output.entry.written
            self.streams_before(following)
            rows = output.entry.written - written
            level = "warning" if rows else "info"
            committer.report(level, "took up what an earlier run had left", rows=rows)
            committer.attempt(lambda run=run, rows=rows: self._close_account(run, rows))  # type: ignore[misc]
        committer.counters = self._counters
        committer.attempt(lambda: output.begin(self._run))
        committer.count()

    def streams_before(self, stream: int) -> None:
        """Write what is left of the streams older than ``stream``: nobody adds to them any more."""
        if self._journal is None:
            return
        for batch in self._leftovers.batches(self._committer.position, stream, consume=True):
            self._look()
            self._committer.commit(batch)
        self._leftovers.remove(stream)

    def _reopen_account(self, run: int) -> None:
        region = self._committer.output.entry.region.to_json()
        logged = any(
            line.get("run") == run and line.get("file") == region
            for line in read_entries(self._out, last=LEDGER_TAIL)
        )
        output, counters = self._committer.output, self._committer.counters
        known = output.entry.run == run
        output.begin(run, anew=logged)
        if not known:
            slots = (Slot.WRITTEN, Slot.QUARANTINED, Slot.IGNORED)
            output.count_from(*(counters[slot] for slot in slots))

    def _close_account(self, run: int, recovered: int) -> None:
        counters, path, events = None, self._places.counters(run), self._places.events(run)
        with contextlib.suppress(OSError):
            counters = Counters.open(path)
        if counters is not None:
            self._committer.count()
            counters.bury_receiver()
            counters[Slot.LOST] += max(0, counters.ledger.in_flight)
            rows, messages = counters.ledger.lost, counters[Slot.LOST_MESSAGES]
            if rows or messages:
                what = "an earlier run has lost rows"
                self._committer.report("error", what, rows=rows, messages=messages)
        else:
            kept = line_of(self._out, run).get("kept") or 0
            if kept > recovered:
                what = "rows that an earlier run had kept in memory are gone"
                self._committer.report("error", what, rows=kept - recovered)
        entry = self._committer.output.entry
        try:
            log_run(self._out, entry, counters, read_events(events), end=None)
        except OSError as error:
            problem = f"its ledger cannot be written: {error.strerror}"
            raise WriteFailed(self._out, problem) from None
        path.unlink(missing_ok=True)
        events.unlink(missing_ok=True)
