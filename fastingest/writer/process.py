"""The writer process: batch → frame → append → commit → acknowledge. It may block.

It comes and goes, and the receivers come and go, each without the other's knowledge. There is a
pipe from each receiver for each output that it has rows for; the supervisor hands it over together
with that receiver's stream. Before the writer takes anything from there it writes what the streams
before of the same lane have left: in their pipe, as long as that has anything, then in the spool
and the spill. First of all, that is what earlier runs have left; their rows belong to their own
accounts, and each gets its line in the ledger when it is complete.

The outputs know nothing of each other, but one that cannot be written holds up the others. A write
that fails is tried again, until it works or the supervisor has seen enough. The control connection
brings two commands: ``end``, after which there will be no other receiver, so that it ends when
everything is written, and ``give up``. Without the supervisor it ends as well, once the pipes are
closed or ``ORPHAN_LIMIT`` is over, whichever comes first.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

import msgspec

from fastingest.batch import Position, read_batch
from fastingest.child import ORPHAN_LIMIT, allow_many_files, keep_memory, receive_pipe, show_name
from fastingest.counters import Slot
from fastingest.errors import OutputRefused, WriteFailed
from fastingest.options import Options
from fastingest.plan import Share
from fastingest.writer.committer import Committer
from fastingest.writer.inlet import Inlet
from fastingest.writer.journal import Journal, journal_path
from fastingest.writer.recovery import Recovery

__all__ = ["main"]

RETRY_OWED = 0.05
"""Seconds until an acknowledgement is sent again to a receiver that has not read those before."""


def main(
    options: Options, shares: Sequence[Share], control: Connection, *, pipes: socket.socket
) -> None:
    """Write batches until told to end; the target of the writer process.

    :param options: the run's settings.
    :param shares: what is shared of each output.
    :param control: to the supervisor.
    :param pipes: brings the pipes to each receiver.
    """
    show_name("writer")
    allow_many_files()
    keep_memory()
    # One thread writes a batch faster than several share it, and a pool's memory is not needed.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    try:
        writer = _Writer(options, shares, control, pipes)
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


class _Outlet:
    """An output, and the pipes that lead to it.

    :param tell: takes messages for the supervisor.
    :param wait: waits so many seconds; whether there is still time after that.
    :param look: called before each batch that an earlier run, or a receiver, has left.
    """

    def __init__(
        self,
        options: Options,
        share: Share,
        *,
        tell: Callable[..., None],
        wait: Callable[[float], bool],
        look: Callable[[], None],
    ) -> None:
        target = share.target
        journal = None
        if options.journal == "on":
            journal = Journal(journal_path(target.path), len(share.counters.feeds))
        self._counters = share.counters
        run = journal.entries[0].run if journal and journal.entries else 0
        self.committer = Committer(
            options,
            target.path,
            target.header,
            journal,
            share.counters,
            is_doubtful=not share.places.remembers(run),
            tell=tell,
            wait=wait,
        )
        self.recovery = Recovery(share, journal, self.committer, look=look)
        self._inlets: dict[int, deque[Inlet]] = {}  # of each lane; the first is the one in use
        self._linked: dict[Connection, Inlet] = {}  # those that are read

    def add(self, inlet: Inlet) -> None:
        """Take a pipe; it is read when those before it in its lane have ended."""
        self._inlets.setdefault(inlet.lane, deque()).append(inlet)

    @property
    def pipes(self) -> list[Connection]:
        """Those that are to be read now."""
        return list(self._linked)

    @property
    def is_done(self) -> bool:
        """Whether no pipe leads here any more."""
        return not any(self._inlets.values())

    def link(self) -> None:
        """Make each lane's first pipe one that is read."""
        for inlets in list(self._inlets.values()):  # others may come meanwhile
            if inlets and inlets[0].pipe not in self._linked:
                self._link(inlets[0])

    def _link(self, inlet: Inlet) -> None:
        """Read from this receiver, when what was before it is written."""
        committer, lane = self.committer, inlet.lane
        self.recovery.streams_before(inlet.stream, lane)
        # Where something of this stream is committed, the writer before has come to this already.
        if committer.position(lane).stream < inlet.stream:
            lost = sum(self._count_lost(*before) for before in inlet.before)
            if lost:
                committer.report("error", "rows were lost with the receiver", rows=lost)
        self._linked[inlet.pipe] = inlet
        inlet.acknowledge(committer.position(lane))

    def _count_lost(self, feed: int, received: int, gone: int) -> int:
        """What of a feed has gone with its receiver, since the one before went."""
        counters = self._counters.feeds[feed]
        accounted = sum(self.committer.output.feeds.get(feed, ())) + gone
        lost = max(0, received - accounted - counters[Slot.LOST])
        counters.add(Slot.LOST, lost)
        return lost

    def read(self, pipe: Connection) -> None:
        """Commit a batch from a pipe that has something, when all of it has come."""
        inlet = self._linked[pipe]
        try:
            message = inlet.receive()
        except (EOFError, OSError):
            del self._linked[pipe]
            inlet.close()
            self._inlets[inlet.lane].remove(inlet)
            return
        if message is not None:
            last = self.committer.position(inlet.lane)
            sequence = last.sequence + 1 if last.stream == inlet.stream else 0
            position = Position(inlet.stream, sequence)
            self.committer.commit(read_batch(message, position, is_exact=False))
            inlet.acknowledge(self.committer.position(inlet.lane))

    def send_owed(self) -> list[Inlet]:
        """Send acknowledgements that found no room; who has none for them yet."""
        return [inlet for inlet in self._linked.values() if not inlet.send_owed()]


class _Writer:
    def __init__(
        self,
        options: Options,
        shares: Sequence[Share],
        control: Connection,
        pipes: socket.socket,
    ) -> None:
        self._pipes = pipes
        self._control = control
        self._watched: list[Any] = [control, pipes]
        self._ending = False
        self._giving_up = False
        self._outlets: list[_Outlet] = []
        for share in shares:
            outlet = _Outlet(
                options,
                share,
                tell=self._tell_supervisor,
                wait=self._has_time_after,
                look=self._look_around,
            )
            self._outlets.append(outlet)
        self._out = shares[0].target.path
        for outlet in self._outlets:
            outlet.recovery.check_columns()
        # When all are there: pipes to any of them may come while one has to wait.
        for outlet in self._outlets:
            outlet.recovery.note_places()
        gc.collect()
        gc.freeze()
        _tell(control, "ready")

    # What comes in

    def serve(self) -> None:
        """Commit what comes until there is no more."""
        for outlet in self._outlets:
            outlet.recovery.earlier_runs()
        while True:
            for outlet in self._outlets:
                outlet.link()
            if self._ending and all(outlet.is_done for outlet in self._outlets):
                for outlet in self._outlets:
                    outlet.recovery.streams_before(2**63)
                return
            readable = list(self._readable())
            if self._giving_up:
                self._look_around()
            for outlet, pipe in readable:
                outlet.read(pipe)

    def _readable(self) -> Iterator[tuple[_Outlet, Connection]]:
        """Wait for anything that can come; the pipes that have something."""
        pipes = {pipe: outlet for outlet in self._outlets for pipe in outlet.pipes}
        owed = [inlet for outlet in self._outlets for inlet in outlet.send_owed()]
        for source in self._look(RETRY_OWED if owed else None, list(pipes)):
            if source in pipes:
                yield pipes[source], source

    def _look(self, timeout: float | None, pipes: Sequence[Any] = ()) -> list[Any]:
        """Wait for anything that can come, and take what is not a batch."""
        ready = wait([*self._watched, *pipes], timeout)
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
                number, stream, before = facts
                self._outlets[number].add(Inlet(pipe, stream, before))
        return ready

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
        while not self._giving_up and (left := until - time.monotonic()) > 0:
            self._look(left)
        return not self._giving_up

    def _tell_supervisor(self, *message: Any) -> None:
        _tell(self._control, *message)

    def close(self) -> None:
        """Put everything on the disk, if it shall be there, and close the files."""
        for outlet in self._outlets:
            outlet.committer.close()
