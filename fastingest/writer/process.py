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
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import msgspec

from fastingest.batch import Batch
from fastingest.child import ORPHAN_LIMIT, receive_pipe, show_name
from fastingest.counters import Counters, Slot
from fastingest.errors import OutputRefused, WriteFailed
from fastingest.options import Options
from fastingest.places import Places
from fastingest.writer.committer import Committer
from fastingest.writer.csv_file import OutputLock
from fastingest.writer.journal import Journal, journal_path
from fastingest.writer.recovery import Recovery

__all__ = ["main"]


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
        self._out = options.out
        self._pipes = pipes
        self._control = control
        self._watched: list[Any] = [control, pipes]
        self._inlets: list[_Inlet] = []  # the first is the one that is read
        self._linked = False  # whether it is
        self._ending = False
        self._giving_up = False
        self._readable = False  # whether it has anything
        keep = options.journal == "on"
        journal = Journal(journal_path(options.out)) if keep else None
        self._counters = counters
        self._committer = Committer(
            options, journal, counters, tell=self._tell_supervisor, wait=self._has_time_after
        )
        self._recovery = Recovery(
            options, run, places, journal, self._committer, look=self._look_around
        )
        self._recovery.note_places()
        gc.collect()
        gc.freeze()
        _tell(control, "ready")

    # What comes in

    def serve(self) -> None:
        """Commit what comes until there is no more."""
        self._recovery.earlier_runs()
        while True:
            if not self._linked and self._inlets:
                self._link(self._inlets[0])
            if self._ending and not self._inlets:
                self._recovery.streams_before(2**63)
                return
            self._look(None)
            if self._giving_up:
                self._look_around()
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
        self._recovery.streams_before(inlet.stream)
        counters, entry = self._counters, self._committer.output.entry
        accounted = entry.written + entry.quarantined + entry.ignored + inlet.gone
        lost = inlet.received - accounted
        # Where something of this stream is committed, the writer before has come to this already.
        if entry.stream < inlet.stream and lost > counters[Slot.LOST]:
            rows = lost - counters[Slot.LOST]
            self._committer.report("error", "rows were lost with the receiver", rows=rows)
            counters[Slot.LOST] = lost
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
        self._committer.commit(Batch.from_bytes(message))
        self._acknowledge(inlet)

    def _acknowledge(self, inlet: _Inlet) -> None:
        # Where the receiver is gone, what it had sent is still to be read.
        with contextlib.suppress(OSError):
            inlet.pipe.send_bytes(msgspec.msgpack.encode(self._committer.position))

    @staticmethod
    def _end_within(seconds: float) -> None:
        timer = threading.Timer(seconds, os._exit, (1,))
        timer.daemon = True  # it must not keep a writer alive that is done before
        timer.start()

    # While it works

    def _look_around(self) -> None:
        """Take what has come, without waiting for it.

        :raises WriteFailed: there is no more time.
        """
        self._look(0)
        if self._giving_up:
            raise WriteFailed(self._out, "there was no time to write everything")

    def _has_time_after(self, seconds: float) -> bool:
        """Wait so long, unless it is time to give up; batches have to wait, too."""
        until = time.monotonic() + seconds
        linked, self._linked = self._linked, False
        while not self._giving_up and (left := until - time.monotonic()) > 0:
            self._look(left)
        self._linked = linked
        return not self._giving_up

    def _tell_supervisor(self, *message: Any) -> None:
        _tell(self._control, *message)

    def close(self) -> None:
        """Put everything on the disk, if it shall be there, and close the files."""
        self._committer.close()
