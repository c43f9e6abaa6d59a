"""The writer process: batch → frame → append → commit → acknowledge. It may block.

It comes and goes, and the receivers come and go, each without the other's knowledge. The
supervisor hands it the pipe to a receiver together with that receiver's stream. Before it takes
anything from there it writes what the streams before have left: in their pipe, as long as that has
anything, then in the spool and the spill. First of all, that is what earlier runs have left; their
rows belong to their own accounts, and each gets its line in the ledger when it is complete.

A write that fails is tried again, until it works or the supervisor has seen enough. The control
connection brings two commands: ``end``, after which there will be no other receiver, so that it
ends when everything is written, and ``give up``. Without the supervisor it ends as well, once the
pipe is closed or ``ORPHAN_LIMIT`` is over, whichever comes first.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from typing import Any

import msgspec

from fastingest.account import log_run, read_events
from fastingest.batch import Batch
from fastingest.child import ORPHAN_LIMIT, receive_pipe, show_name
from fastingest.counters import Counters, Slot
from fastingest.errors import OutputRefused, WriteFailed
from fastingest.ledger import read_entries
from fastingest.options import Options
from fastingest.places import Places
from fastingest.schema import TRADES
from fastingest.writer.csv_file import OutputLock
from fastingest.writer.journal import Journal, journal_path
from fastingest.writer.leftovers import Leftovers
from fastingest.writer.output import Output
from fastingest.writer.sync import Syncer

__all__ = ["main"]

FIRST_RETRY, LAST_RETRY = 0.05, 2.0
"""Seconds until a write that failed is tried again; the wait doubles from the one to the other."""


def main(
    options: Options,
    run: int,
    control: Connection,
    *,
    places: Places,
    counters: Counters,
    pipes: socket.socket,
    lock: OutputLock,
) -> None:
    """Write batches until told to end; the target of the writer process.

    :param options: the run's settings.
    :param run: the run's id.
    :param control: to the supervisor.
    :param places: where the spool and the spill are.
    :param counters: the shared counters.
    :param pipes: brings the pipe to each receiver.
    :param lock: the output's; this process holds it for as long as it lives.
    """
    show_name("writer")
    # One thread writes a batch faster than several share it, and a pool's memory is not needed.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    try:
        writer = _Writer(options, run, control, places=places, counters=counters, pipes=pipes)
        writer.serve()
        writer.close()
    except OutputRefused as error:
        _tell(control, "output refused", str(error.path), error.problem)
    except WriteFailed as error:
        _tell(control, "write failed", str(error.path), error.problem)
    except OSError as error:
        if error.filename is None:
            raise
        _tell(control, "write failed", str(error.filename), error.strerror)


def _tell(control: Connection, *message: Any) -> None:
    # Where the supervisor is gone, the exit status and the files tell the rest.
    with contextlib.suppress(OSError):
        control.send_bytes(msgspec.msgpack.encode(message))


@dataclass
class _Inlet:
    """A receiver's pipe, and what was there before it.

    :param stream: the receiver's stream.
    :param received: rows and rejects that the run had received before.
    :param gone: of them, those dropped, or unreadable in the spill.
    """

    pipe: Connection
    stream: int
    received: int
    gone: int


class _Writer:
    def __init__(
        self,
        options: Options,
        run: int,
        control: Connection,
        *,
        places: Places,
        counters: Counters,
        pipes: socket.socket,
    ) -> None:
        from fastingest.writer.table import (
            to_csv,
            to_frame,
        )  # polars is not for the processes that only talk

        self._to_frame, self._to_csv = to_frame, to_csv
        self._options = options
        self._run = run
        self._places = places
        self._pipes = pipes
        self._control = control
        self._watched: list[Any] = [control, pipes]
        self._inlets: list[_Inlet] = []  # the first is the one that is read
        self._linked = False  # whether it is
        self._ending = False
        self._giving_up = False
        self._problem = ""  # why writing fails, as long as it does
        keep = options.journal == "on"
        self._journal = Journal(journal_path(options.out)) if keep else None
        self._output = Output(
            options.out, TRADES, self._journal, min_free=options.min_free, report=self._report
        )
        self._syncer = Syncer(self._output.sync, options.fsync)
        self._counters = self._own_counters = counters
        noted = Places.from_notes(self._journal.notes) if self._journal else None
        self._leftovers = Leftovers(
            [places] if noted is None or noted == places else [places, noted], self._report
        )
        if noted is not None and noted != places:  # before the note is overwritten
            self._recover_earlier_runs()
            noted.remove(but=places)
        if self._journal:
            self._journal.note(places.to_notes())
        gc.collect()
        gc.freeze()
        _tell(control, "ready")

    # What comes in

    def serve(self) -> None:
        """Commit what comes until there is no more."""
        self._recover_earlier_runs()
        while True:
            if not self._linked and self._inlets:
                self._link(self._inlets[0])
            if self._ending and not self._inlets:
                self._recover(2**63)
                return
            self._look(None)
            if self._linked:
                self._read(self._inlets[0])

    def _look(self, timeout: float | None) -> None:
        """Wait for anything that can come, and take what is not a batch."""
        inlet = [self._inlets[0].pipe] if self._linked else []
        ready = wait(self._watched + inlet, timeout)
        self._readable = bool(inlet) and inlet[0] in ready
        if self._control in ready:
            try:
                command = self._control.recv_bytes()
            except (EOFError, OSError):
                self._watched.remove(self._control)
                self._end_within(ORPHAN_LIMIT)
                command = b"end"
            self._ending = True
            self._giving_up = command == b"give up"
        if self._pipes in ready:
            pipe, facts = receive_pipe(self._pipes)
            if pipe is not None:
                self._inlets.append(_Inlet(pipe, *facts))

    def _link(self, inlet: _Inlet) -> None:
        """Read from this receiver, when what was before it is written."""
        self._recover(inlet.stream)
        counters = self._counters
        entry = self._output.entry
        accounted = entry.written + entry.quarantined + entry.ignored + inlet.gone
        lost = inlet.received - accounted
        if lost > counters[Slot.LOST]:
            rows = lost - counters[Slot.LOST]
            self._report("error", "rows were lost with the receiver", rows=rows)
        counters[Slot.LOST] = max(lost, 0)
        self._linked = True
        self._acknowledge(inlet)

    def _read(self, inlet: _Inlet) -> None:
        if not self._readable:
            return
        try:
            message = inlet.pipe.recv_bytes()
        except (EOFError, OSError):  # an OSError where it ends in the middle of a message
            inlet.pipe.close()
            self._inlets.remove(inlet)
            self._linked = False
            return
        self._commit(Batch.from_bytes(message))
        self._acknowledge(inlet)

    def _acknowledge(self, inlet: _Inlet) -> None:
        # Where the receiver is gone, what it had sent is still to be read.
        with contextlib.suppress(OSError):
            inlet.pipe.send_bytes(msgspec.msgpack.encode(self._output.entry.position))

    @staticmethod
    def _end_within(seconds: float) -> None:
        timer = threading.Timer(seconds, os._exit, (1,))
        timer.daemon = True  # it must not keep a writer alive that is done before
        timer.start()

    # What was left

    def _recover_earlier_runs(self) -> None:
        """Write what runs before this one have left, and close their accounts."""
        entry = self._output.entry
        runs = {run for run in self._places.runs() if run < self._run}
        if 0 < entry.run < self._run:
            runs.add(entry.run)
        # After a start of the machine there may be batches on disk, and nothing that says whose.
        streams = [name.stream for name, _ in self._places.segments() if name.stream < self._run]
        if streams and not any(run <= min(streams) for run in runs):
            runs.add(min(streams))
        for run, following in pairwise([*sorted(runs), self._run]):
            if run < entry.run:
                continue  # closed already
            try:
                self._counters = Counters.open(self._places.counters(run))
            except OSError:  # the machine was started anew
                self._counters = Counters.create()
            self._try(lambda run=run: self._begin(run))  # type: ignore[misc]
            written = self._output.entry.written
            self._recover(following)
            self._report(
                "warning",
                "took up what an earlier run had left",
                rows=self._output.entry.written - written,
            )
            self._try(lambda run=run: self._close_account(run))  # type: ignore[misc]
        self._counters = self._own_counters
        self._try(lambda: self._output.begin(self._run))
        self._count()

    def _begin(self, run: int) -> None:
        entry = self._output.entry
        logged = any(
            line.get("run") == run and line.get("file") == entry.region.to_json()
            for line in read_entries(self._options.out, last=64 * 1024)
        )
        self._output.begin(run, anew=logged)

    def _close_account(self, run: int) -> None:
        path = self._places.counters(run)
        counters = None
        with contextlib.suppress(OSError):
            counters = Counters.open(path)
        if counters is not None:
            self._count(counters)
            counters.bury_receiver()
            counters[Slot.LOST] += max(0, counters.ledger.in_flight)
            rows, messages = counters.ledger.lost, counters[Slot.LOST_MESSAGES]
            if rows or messages:
                what = "an earlier run has lost rows"
                self._report("error", what, rows=rows, messages=messages)
        events = self._places.events(run)
        try:
            log_run(self._options.out, self._output.entry, counters, read_events(events), end=None)
        except OSError as error:
            raise WriteFailed(self._options.out, f"its ledger cannot be written: {error}") from None
        path.unlink(missing_ok=True)
        events.unlink(missing_ok=True)

    def _recover(self, before: int) -> None:
        """Write what the streams older than ``before`` have left."""
        if self._journal is None:
            return
        for batch in self._leftovers.batches(self._output.entry.position, before):
            self._look(0)  # it may take minutes
            self._commit(batch)
        self._leftovers.remove(before)

    # Writing

    def _commit(self, batch: Batch) -> None:
        if self._giving_up:
            raise WriteFailed(self._options.out, "there was no time to write everything")
        if batch.position <= self._output.entry.position:
            return  # sent again by a receiver that had not got the acknowledgement
        text = memoryview(b"")
        if batch.rows:
            text = self._to_csv(self._to_frame(TRADES, batch.columns()))
        self._try(lambda: self._output.commit(batch, text))
        try:
            self._syncer.written()
        except OSError as error:
            self._report("error", "the output could not be synced", problem=error.strerror)
        self._count()
        if batch.rows:
            self._measure(batch)

    def _try(self, step: Callable[[], None]) -> None:
        """Do it, and again until it is done.

        :raises WriteFailed: it cannot be done, and there is no more time for it.
        """
        delay = FIRST_RETRY
        while True:
            try:
                step()
            except (WriteFailed, OutputRefused) as error:
                _tell(self._control, "failing", str(error.path), error.problem)
                if not self._problem:
                    self._problem = f"{error.path}: {error.problem}"
                    self._report("error", "cannot write, trying again", problem=self._problem)
                self._wait(delay)
                if self._giving_up:
                    raise WriteFailed(error.path, error.problem) from error
                delay = min(2 * delay, LAST_RETRY)
            else:
                break
        if self._problem:
            self._problem = ""
            _tell(self._control, "works again")
            self._report("info", "writing again")

    def _wait(self, seconds: float) -> None:
        """Wait, unless it is time to give up."""
        until = time.monotonic() + seconds
        linked, self._linked = self._linked, False  # batches have to wait
        while not self._giving_up and (left := until - time.monotonic()) > 0:
            self._look(left)
        self._linked = linked

    def _count(self, counters: Counters | None = None) -> None:
        """Say what is committed."""
        counters, entry = counters or self._counters, self._output.entry
        counters[Slot.FILE_SIZE] = entry.size
        counters[Slot.WRITTEN] = entry.written
        counters[Slot.QUARANTINED] = entry.quarantined
        counters[Slot.IGNORED] = entry.ignored
        counters[Slot.FIRST_RECEIVED] = entry.first_received
        counters[Slot.LAST_RECEIVED] = entry.last_received

    def _measure(self, batch: Batch) -> None:
        now = time.time_ns()
        start = 0
        for end, received in batch.stamps:
            self._counters.latency.add(now - received, end - start)
            start = end
        oldest = now - batch.stamps[0][1]
        self._counters[Slot.LATENCY_MAX] = max(self._counters[Slot.LATENCY_MAX], oldest)

    def _report(self, level: str, event: str, **facts: Any) -> None:
        _tell(self._control, "log", level, event, facts)

    def close(self) -> None:
        """Put everything on the disk, if it shall be there, and close the files."""
        try:
            self._syncer.close()
        except OSError as error:
            self._report("error", "the output could not be synced", problem=error.strerror)
        self._output.close()
