"""An output and the thread that serves it: one that has to wait holds up no other.

Theory of operation. The main thread of the writer waits for the supervisor and hands on what comes
from there; all else is done by the outlets' own threads, and nothing is shared between two of them.
A disk that is full, or a file system that does not answer, keeps one thread busy: its own. The
others go on, also when the run ends.

An outlet goes through its stages in order (:class:`Stage`). It opens its files and looks whether
what is left can be written; then it waits until all outlets have done so, since a run that is
refused must not have changed anything; then it says in the journal where its rows are kept, and
serves. It ends when there is nothing more to come, or with an error. One that is told to give up
ends at the next moment at which it looks up: between two batches, or while it waits for anything.
A call to the system that does not return is for the main thread to leave behind.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

from fastingest.config.settings import Settings
from fastingest.errors import WriteFailed
from fastingest.format.base import Format
from fastingest.metrics.counters import Slot
from fastingest.model.batch import Position, read_batch
from fastingest.runtime.assignment import SharedOutput
from fastingest.runtime.control import Complete, Notice
from fastingest.storage.journal import Journal, journal_path
from fastingest.transport.pipe.inlet import Inlet
from fastingest.transport.pipe.wiring import PipeEnd, wait
from fastingest.writer.committer import Committer
from fastingest.writer.earlier_run import feeds_of
from fastingest.writer.events import RowsLostWithReceiver
from fastingest.writer.recovery import Recovery

__all__ = ["GIVE_UP_LIMIT", "Bell", "Outlet", "Stage"]

GIVE_UP_LIMIT = 2.0
"""Seconds that an outlet which was told to give up has for the step that it is in."""

RETRY_OWED = 0.05
"""Seconds until an acknowledgement is sent again to a receiver that has not read those before."""


class Bell:
    """Wakes a thread that waits for connections (:func:`multiprocessing.connection.wait`)."""

    def __init__(self) -> None:
        self._heard, self._pulled = socket.socketpair()
        self._heard.setblocking(False)
        self._pulled.setblocking(False)

    def fileno(self) -> int:
        """For those who wait."""
        return self._heard.fileno()

    def ring(self) -> None:
        """From any thread."""
        with contextlib.suppress(BlockingIOError):  # it rings already, and loudly
            self._pulled.send(b"!")

    def silence(self) -> None:
        """Stop it; to be done before looking at what it was rung for."""
        with contextlib.suppress(BlockingIOError):
            self._heard.recv(4096)


class Stage(IntEnum):
    """How far an outlet has come."""

    OPENING = 0
    CHECKED = 1  # its files are open, and what is left can be written to them
    PREPARED = 2  # the journal says where the rows are kept
    ENDED = 3


class Outlet:
    """An output, the pipes that lead to it, and its thread.

    :param options: the run's settings.
    :param share: what is shared of the output.
    :param format_: makes the output's bytes of a batch.
    :param tell: takes what the supervisor is told, from any thread.
    :param changed: called by the thread whenever ``stage`` has changed.

    ``error`` is why it has ended, where that was not because all is written. ``WriteFailed`` and
    ``OutputRefused`` are for the user; an ``OSError`` is what another writer may not meet.
    """

    def __init__(
        self,
        options: Settings,
        share: SharedOutput,
        format_: Format,
        *,
        tell: Callable[[Notice], None],
        changed: Callable[[], None],
    ) -> None:
        self.path = share.target.path
        self.stage = Stage.OPENING
        self.error: BaseException | None = None
        self.given_up_at: float | None = None
        """When it was told to give up, by the monotonic clock."""
        self._options = options
        self._share = share
        self._format = format_
        self._counters = share.counters
        self._tell = tell
        self._changed = changed
        self._bell = Bell()
        self._may_begin = threading.Event()
        self._ending = False
        self._giving_up = threading.Event()
        self._lock = threading.Lock()  # so that no pipe arrives where nobody takes it any more
        self._arrived: list[Inlet] = []
        self._inlets: dict[int, deque[Inlet]] = {}  # of each partition; the first is the one in use
        self._linked: dict[PipeEnd, Inlet] = {}  # those that are read
        self._thread = threading.Thread(target=self._run, name=f"write {self.path}", daemon=True)

    # From the main thread

    def start(self) -> None:
        """Open the files."""
        self._thread.start()

    def begin(self) -> None:
        """Go on: no output is refused."""
        self._may_begin.set()

    def add(self, inlet: Inlet) -> None:
        """Take a pipe; it is read when those before it in its partition have ended."""
        with self._lock:
            if self.stage is Stage.ENDED:
                inlet.close()
            else:
                self._arrived.append(inlet)
        self._bell.ring()

    def end(self) -> None:
        """End when all is written: no pipe comes after this."""
        self._ending = True
        self._bell.ring()

    def give_up(self) -> None:
        """End at once, with an error if there is anything left to do."""
        if self.given_up_at is None:
            self.given_up_at = time.monotonic()
        self._giving_up.set()
        self._may_begin.set()
        self._bell.ring()

    @property
    def is_stuck(self) -> bool:
        """Whether it has had its time to give up, and is still in the same step."""
        return (
            self.stage is not Stage.ENDED
            and self.given_up_at is not None
            and time.monotonic() >= self.given_up_at + GIVE_UP_LIMIT
        )

    # In its own thread

    def _run(self) -> None:
        try:
            self._open()
            self._reach(Stage.CHECKED)
            self._may_begin.wait()
            self._look()
            self._recovery.note_places()
            self._reach(Stage.PREPARED)
            self._recovery.earlier_runs()
            self._serve()
            self._committer.close()
            self._tell(Complete(str(self.path)))
        except OSError as error:
            named = isinstance(error.filename, str)
            said = error.strerror or str(error)
            self.error = WriteFailed(Path(error.filename), said) if named else error
        except BaseException as error:
            self.error = error
        with self._lock:
            self._reach(Stage.ENDED)
            self._take_arrived()
        for inlets in self._inlets.values():
            for inlet in inlets:
                inlet.close()

    def _reach(self, stage: Stage) -> None:
        self.stage = stage
        self._changed()

    def _open(self) -> None:
        options, target = self._options, self._share.target
        journal = None
        if options.journal == "on":
            journal = Journal(journal_path(target.path), [*target.tables])
        run = 0
        if journal and journal.entries:
            run = journal.entries[0].run
            journal.learn_names(feeds_of(self._share.places, target.path, run))
        self._committer = Committer(
            options,
            target.path,
            target.header,
            journal,
            self._counters,
            format_=self._format,
            # Of this run's own entries the machine knows, since the supervisor lives.
            is_doubtful=run != self._share.run and not self._share.places.remembers(run),
            tell=self._tell,
            wait=self._has_time_after,
        )
        self._recovery = Recovery(self._share, journal, self._committer, look=self._look)
        self._recovery.check_columns()

    def _serve(self) -> None:
        """Commit what comes until there is no more."""
        while True:
            ending = self._ending  # before the pipes, all of which came before that
            self._take_arrived()
            self._link()
            if ending and not any(self._inlets.values()):
                break
            for pipe in self._readable():
                self._read(pipe)
        self._recovery.streams_before(2**63)

    def _readable(self) -> list[PipeEnd]:
        """Wait for anything that can come; the pipes that have something."""
        owed = [inlet for inlet in self._linked.values() if not inlet.flush()]
        sources: list[Any] = [self._bell, *self._linked]
        ready: list[Any] = wait(sources, RETRY_OWED if owed else None)
        if self._bell in ready:
            self._bell.silence()
            self._look()
        return [pipe for pipe in self._linked if pipe in ready]

    def _look(self) -> None:
        """See whether there is still time.

        :raises WriteFailed: there is none.
        """
        if self._giving_up.is_set():
            raise WriteFailed(self.path, "there was no time to write everything")

    def _has_time_after(self, seconds: float) -> bool:
        """Wait so long, unless it is time to give up."""
        return not self._giving_up.wait(seconds)

    # Pipes

    def _take_arrived(self) -> None:
        while self._arrived:
            inlet = self._arrived.pop(0)
            self._inlets.setdefault(inlet.partition, deque()).append(inlet)

    def _link(self) -> None:
        """Make each partition's first pipe one that is read."""
        for inlets in self._inlets.values():
            if inlets and inlets[0].pipe not in self._linked:
                self._link_to(inlets[0])

    def _link_to(self, inlet: Inlet) -> None:
        """Read from this receiver, when what was before it is written."""
        committer, partition = self._committer, inlet.partition
        self._recovery.streams_before(inlet.stream, partition)
        # Where something of this stream is committed, the writer before has come to this already.
        if committer.position(partition).stream < inlet.stream:
            committer.count_lost()  # which would be counted here as well
            lost = sum(self._count_lost(*before) for before in inlet.before)
            if lost:
                committer.report(RowsLostWithReceiver(lost))
        self._linked[inlet.pipe] = inlet
        inlet.acknowledge(committer.position(partition))

    def _count_lost(self, row: int, received: int, gone: int) -> int:
        """What of a feed has gone with its receiver, since the one before went.

        :param row: the feed's in the counters.
        """
        feed, counters = self._counters.names[row], self._counters.feeds[row]
        accounted = sum(self._committer.output.feeds.get(feed, ())) + gone
        lost = max(0, received - accounted - counters[Slot.LOST])
        counters.add(Slot.LOST, lost)
        return lost

    def _read(self, pipe: PipeEnd) -> None:
        """Commit a batch from a pipe that has something, when all of it has come."""
        inlet = self._linked[pipe]
        try:
            message = inlet.receive()
        except (EOFError, OSError):
            del self._linked[pipe]
            inlet.close()
            self._inlets[inlet.partition].remove(inlet)
            return
        if message is not None:
            last = self._committer.position(inlet.partition)
            sequence = last.sequence + 1 if last.stream == inlet.stream else 0
            position = Position(inlet.stream, sequence)
            self._committer.commit(read_batch(message, position, is_exact=False))
            inlet.acknowledge(self._committer.position(inlet.partition))
