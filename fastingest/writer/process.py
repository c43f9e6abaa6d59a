"""The writer process: batch → frame → append → commit → acknowledge. It may block.

It comes and goes, and the receivers come and go, each without the other's knowledge. There is a
pipe from each receiver for each output that it has rows for; the supervisor hands it over together
with that receiver's stream. Before the writer takes anything from there it writes what the streams
before of the same partition have left: in their pipe, as long as that has anything, then in the
spool and the spill. First of all, that is what earlier runs have left; their rows belong to their
own accounts, and each gets its line in the ledger when it is complete.

Each output has a thread of its own (:mod:`fastingest.writer.outlet`), so that one which cannot be
written holds up no other. A write that fails is tried again, until it works or the supervisor has
seen enough. The main thread waits for the control connection, for pipes, and for the outlets. Three
commands come:

- ``End``: there will be no other receiver. Each outlet ends when it has written everything,
  whatever becomes of the others.
- ``GiveUp`` of an output: that one ends now, and the others go on.
- ``GiveUp`` of all: all do. Who has not ended within ``GIVE_UP_LIMIT`` is left behind: the process
  ends.

An outlet that ends with an error before that takes the process with it, as any other fault does.
Without the supervisor it ends as well, once the pipes are closed or ``ORPHAN_LIMIT`` is over,
whichever comes first. A message that is no command for a writer is a fault like any other.

Where this writer takes another one's place, a file system that does not answer keeps its output
from being opened again. The others do not wait for it then: rows may come, and that nothing is
refused is known from the first writer.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from typing import Any

from fastingest.config.settings import Settings
from fastingest.errors import OutputRefused, WriteFailed
from fastingest.format.csv import CsvFormat
from fastingest.runtime.assignment import SharedOutput
from fastingest.runtime.control import (
    End,
    GiveUp,
    Notice,
    OutputRefusal,
    Ready,
    Report,
    UnknownMessage,
    WriteFailure,
    command_from,
    encode,
)
from fastingest.runtime.process_setup import ORPHAN_LIMIT, allow_many_files, keep_memory, show_name
from fastingest.transport.pipe.fd_passing import receive_pipe
from fastingest.transport.pipe.inlet import Inlet
from fastingest.transport.pipe.wiring import PipeEnd, wait
from fastingest.writer.events import WriterBroken
from fastingest.writer.outlet import GIVE_UP_LIMIT, Bell, Outlet, Stage

__all__ = ["main"]


def main(
    options: Settings,
    shares: Sequence[SharedOutput],
    control: PipeEnd,
    *,
    is_first: bool,
    pipes: socket.socket,
) -> None:
    """Write batches until told to end; the target of the writer process.

    :param options: the run's settings.
    :param shares: what is shared of each output.
    :param control: to the supervisor.
    :param is_first: whether nothing is received before this one is ready.
    :param pipes: brings the pipes to each receiver.
    """
    show_name("writer")
    allow_many_files()
    keep_memory(has_threads=True)
    status = 0
    try:
        status = _Writer(options, shares, control, is_first, pipes).serve()
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    # At once: a thread that is stuck in a call to the system must not keep the others' end waiting.
    os._exit(status)


class _Writer:
    def __init__(
        self,
        options: Settings,
        shares: Sequence[SharedOutput],
        control: PipeEnd,
        is_first: bool,
        pipes: socket.socket,
    ) -> None:
        pipes.setblocking(False)
        self._pipes = pipes
        self._control = control
        self._telling = threading.Lock()
        self._bell = Bell()
        self._watched: list[Any] = [control, pipes, self._bell]
        self._has_begun = not is_first
        self._is_ready = False
        self._ending = False
        self._culprit: Outlet | None = None  # whose fault it is that the process ends
        self._outlets = [
            Outlet(options, share, CsvFormat(), tell=self._tell, changed=self._bell.ring)
            for share in shares
        ]

    def serve(self) -> int:
        """Hand on what comes, until all outlets have ended; the exit status."""
        for outlet in self._outlets:
            if self._has_begun:
                outlet.begin()
            outlet.start()
        while True:
            self._advance()
            left = [outlet for outlet in self._outlets if outlet.stage is not Stage.ENDED]
            if all(outlet.is_stuck for outlet in left):
                break
            self._look(self._patience(left))
        if self._culprit is not None:
            return self._say_how_it_ended(self._culprit)
        return max(map(self._say_how_it_ended, self._outlets))

    def _advance(self) -> None:
        """Do what is to be done when an outlet has come further."""
        if self._culprit is not None:
            return
        self._culprit = next(filter(self._is_fault, self._outlets), None)
        if self._culprit is not None:
            for outlet in self._outlets:
                outlet.give_up()
            return
        stage = min(outlet.stage for outlet in self._outlets)
        if not self._has_begun and stage >= Stage.CHECKED:
            self._has_begun = True
            for outlet in self._outlets:
                outlet.begin()
        if not self._is_ready and stage >= Stage.PREPARED:
            self._is_ready = True
            gc.collect()
            gc.freeze()
            self._tell(Ready())

    def _is_fault(self, outlet: Outlet) -> bool:
        """Whether an outlet has ended as none should: then all do."""
        if outlet.stage is not Stage.ENDED or outlet.error is None:
            return False
        is_expected = self._ending or outlet.given_up_at is not None
        return not (is_expected and isinstance(outlet.error, (OutputRefused, WriteFailed)))

    @staticmethod
    def _patience(left: Sequence[Outlet]) -> float | None:
        """Seconds until one of them has had its time to give up."""
        told = [each.given_up_at for each in left if each.given_up_at is not None]
        now = time.monotonic()
        until = [at + GIVE_UP_LIMIT - now for at in told if at + GIVE_UP_LIMIT > now]
        return min(until, default=None)

    def _say_how_it_ended(self, outlet: Outlet) -> int:
        """Tell the supervisor of an outlet's error; the exit status that it makes."""
        match outlet.error:
            case None if outlet.stage is not Stage.ENDED:
                problem = "there was no time to write everything: a write does not return"
                self._tell(WriteFailure(str(outlet.path), problem))
            case None:
                pass
            case OutputRefused() as error:
                self._tell(OutputRefusal(str(error.path), error.problem))
            case WriteFailed() as error:
                self._tell(WriteFailure(str(error.path), error.problem))
            case OSError() as error:  # another writer may have more luck
                problem = error.strerror or str(error)
                self._tell(Report.of(WriterBroken(str(outlet.path), problem)))
                return 1
            case error:
                traceback.print_exception(error)
                return 1
        return 0

    # What comes in

    def _look(self, timeout: float | None) -> None:
        """Wait for anything that can come, and take it."""
        ready: list[Any] = wait(self._watched, timeout)
        if self._bell in ready:
            self._bell.silence()
        if self._pipes in ready or self._control in ready:
            self._take_pipes()  # all that were sent before a command
        if self._control in ready:
            try:
                message = self._control.recv_bytes()
            except (EOFError, OSError):
                self._watched.remove(self._control)
                self._end_within(ORPHAN_LIMIT)
                self._end()
            else:
                self._obey(message)

    def _take_pipes(self) -> None:
        with contextlib.suppress(OSError):  # the supervisor is gone
            while True:
                pipe, fields = receive_pipe(self._pipes)
                if pipe is None:
                    return
                number, stream, before = fields
                self._outlets[number].add(Inlet(pipe, stream, before))

    def _obey(self, message: bytes) -> None:
        match command_from(message):
            case End():
                self._end()
            case GiveUp(None):
                for outlet in self._outlets:
                    outlet.give_up()
            case GiveUp(int(output)):
                self._outlets[output].give_up()
            case command:
                raise UnknownMessage(f"no command for a writer: {command}")

    def _end(self) -> None:
        self._ending = True
        for outlet in self._outlets:
            outlet.end()

    @staticmethod
    def _end_within(seconds: float) -> None:
        timer = threading.Timer(seconds, os._exit, (1,))
        timer.daemon = True  # it must not keep a writer alive that is done before
        timer.start()

    def _tell(self, notice: Notice) -> None:
        # Where the supervisor is gone, the exit status and the files tell the rest.
        with self._telling, contextlib.suppress(OSError):
            self._control.send_bytes(encode(notice))
