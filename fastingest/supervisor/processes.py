"""The processes of a run, and the pipes between them.

Here they are started, connected, told something and ended. When that is to be, the supervisor says
(:mod:`fastingest.supervisor.supervisor`). None of this waits for a process, but for a demo exchange
at the very beginning, which has to say where it listens.
"""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from fastingest.config.options import Options
from fastingest.demo.settings import parse
from fastingest.errors import OptionError, ProcessDied, RunFailed
from fastingest.metrics.counters import Slot
from fastingest.model.feed import Feed
from fastingest.runtime.assignment import SharedOutput
from fastingest.runtime.control import Command, Listening, UnknownMessage, notice_from
from fastingest.supervisor.children import KILL_LIMIT, Child, spawn
from fastingest.supervisor.events import NoPipe, PipeRelaid, ProcessStarted
from fastingest.supervisor.log import report, said
from fastingest.supervisor.receivers import ReceiverPool
from fastingest.transport.pipe.wiring import wait
from fastingest.units import format_duration

__all__ = ["WRITER", "Processes"]

DEMO_LIMIT = 30.0
"""Seconds that a demo exchange has to start."""

RELAY_PIPES = 0.5
"""Seconds until pipes that broke are laid anew, where that is not since one of their ends is gone:
by then this is known."""

RETRY_PIPES = 0.02
"""Seconds until pipes are handed over again to a process that has not taken those before."""

WRITER = "writer"
"""The name of the writer process. The receivers' are those of their pool."""

_DEMO = "demo exchange"


class Processes:
    """The processes that there are, by name.

    :param options: the run's settings.
    :param shares: its outputs.
    :param pool: says what each receiver has to do.
    """

    def __init__(
        self, options: Options, shares: Sequence[SharedOutput], pool: ReceiverPool
    ) -> None:
        self._settings = options.settings
        self._shares = shares
        self._pool = pool
        self._context = multiprocessing.get_context("spawn")
        self._gaps: dict[str, dict[str, tuple[int, str]]] = {}  # what a dead receiver has left
        self._broken: dict[str, float] = {}  # whose pipes are to be laid anew, and when
        self.children: dict[str, Child] = {}
        """Those that have not ended, as far as is known."""
        self.receivers = pool.partitions.keys()
        """The names of all receivers, whether they are there or not."""

    # Starting

    def start_demos(self, feeds: Sequence[Feed]) -> None:
        """Start a demo exchange for each feed that is one, and have the feed connect there.

        :raises OptionError: the feed's URL asks for what no demo exchange has.
        :raises ProcessDied: one has ended at once.
        :raises RunFailed: one does not say where it listens.
        :raises OSError: one cannot be started.
        """
        for feed in feeds:
            if urlsplit(feed.url).scheme == "demo":
                self._pool.redirect(feed.name, self._start_demo(feed.url))

    def _start_demo(self, url: str) -> str:
        try:
            settings = parse(url)
        except ValueError as error:
            raise OptionError("url", str(error)) from None
        before = len(self.children)
        name = f"{_DEMO} {before + 1}" if before else _DEMO
        child = self._spawn(name, "fastingest.supervisor.demo:main", settings)
        if not child.control.poll(DEMO_LIMIT):
            limit = format_duration(DEMO_LIMIT)
            raise RunFailed(f"the demo exchange did not start within {limit}")
        try:
            notice = notice_from(child.control.recv_bytes())
        except EOFError:
            child.process.join(KILL_LIMIT)
            raise ProcessDied(child.name, child.process.exitcode) from None
        if not isinstance(notice, Listening):
            raise UnknownMessage(f"no notice of a demo exchange: {notice}")
        return f"ws://127.0.0.1:{notice.port}/"

    def start(self, name: str, *, is_first: bool) -> None:
        """Start the writer or a receiver, and connect it with those that it has to do with.

        Where this fails, it may be there all the same, and lack a pipe.

        :param is_first: of a writer: whether nothing is received before it is ready.
        :raises OSError: it cannot be started, or not be connected.
        :raises OutputRefused: there is no place for what a receiver is to keep.
        """
        main = f"fastingest.{'writer' if name == WRITER else 'receiver'}.process:main"
        if name == WRITER:
            shares = self._shares
            self._spawn(name, main, self._settings, shares, is_first=is_first, with_pipes=True)
        else:
            plan = self._pool.begin(name, self._gaps.get(name, {}))
            self._spawn(name, main, self._settings, plan, with_pipes=True)
        for receiver in self.receivers if name == WRITER else [name]:
            if self._has_both_ends(receiver):
                self._connect(receiver)

    def _spawn(self, name: str, target: str, *args: Any, **kwargs: Any) -> Child:
        child = spawn(self._context, name, target, *args, **kwargs)
        self.children[name] = child
        report(ProcessStarted(name, child.process.pid))
        return child

    # Pipes

    def _has_both_ends(self, receiver: str) -> bool:
        return {receiver, WRITER} <= self.children.keys()

    def _connect(self, receiver: str) -> None:
        """Lay pipes from the receiver to the writer."""
        self._broken.pop(receiver, None)
        for number, before in self._pool.before[receiver].items():
            to_writer, from_receiver = self._context.Pipe()
            # An end that is still open here would hide that the child that has it is gone.
            stream = self._pool.streams[receiver]
            self.children[WRITER].hand_over(from_receiver, number, stream, before)
            self.children[receiver].hand_over(to_writer, number)

    def pipe_broke(self, stream: int, now: float) -> None:
        """A pipe of the receiver with this stream has broken, if there still is that one."""
        for name, each in self._pool.streams.items():
            if each == stream:
                self._broken.setdefault(name, now + RELAY_PIPES)

    @property
    def next_pipe(self) -> float:
        """When pipes are to be laid anew."""
        return min(self._broken.values(), default=float("inf"))

    def lay_broken_pipes(self, now: float, *, are_needed: bool) -> None:
        """Lay pipes anew that have broken for long enough, though both of their ends are there."""
        for name in [name for name, at in self._broken.items() if at <= now]:
            del self._broken[name]
            if self._has_both_ends(name) and are_needed:
                report(PipeRelaid(name))
                try:
                    self._connect(name)
                except OSError as error:  # of descriptors there may be none just now
                    report(NoPipe(said(error)))
                    self._broken[name] = time.monotonic() + RELAY_PIPES

    # While they run

    def wait(self, other: socket.socket, timeout: float) -> tuple[bool, list[tuple[Child, bool]]]:
        """Wait for anything to come from a process, or for ``other``, no longer than ``timeout``.

        :returns: whether ``other`` can be read, and who has said something, each with whether it
            has ended.
        """
        children = tuple(self.children.values())
        if [child for child in children if not child.hand_over_more()]:
            timeout = min(timeout, RETRY_PIPES)
        sources: list[Any] = [other, *(child.process.sentinel for child in children)]
        sources += [child.control for child in children if child.watched]
        ready = wait(sources, timeout)
        ended = [(child, child.process.sentinel in ready) for child in children]
        return other in ready, [each for each in ended if each[1] or each[0].control in ready]

    def tell(self, name: str, command: Command) -> None:
        """Tell a process something; nothing happens where it is not there."""
        if name in self.children:
            self.children[name].tell(command)

    def tell_receivers(self, command: Command) -> None:
        """Tell all receivers something."""
        for name in self.receivers:
            self.tell(name, command)

    def has_ended(self, child: Child) -> None:
        """Take it from those that are there; its ``exit_code`` is known then."""
        child.process.join()
        child.exit_code = child.process.exitcode
        del self.children[child.name]

    def bury_receiver(self, name: str, how: str) -> None:
        """Count what a receiver that died has taken with it; its successor will know of it.

        :param how: it has died.
        """
        self._gaps[name] = self._pool.bury(name, f"the {name} process {how}")

    def count_restart(self, name: str) -> None:
        """Another process has taken the place of the writer, or of a receiver."""
        if name == WRITER:
            for share in self._shares:
                share.counters.add(Slot.WRITER_RESTARTS)
        else:
            self._pool.count_restart(name)

    # The end

    def kill(self) -> None:
        """Kill all that there are."""
        for child in self.children.values():
            child.process.kill()

    def end(self) -> list[tuple[str, int | None]]:
        """Kill all that there are, and forget them.

        :returns: name and process id of those that do not end within
            :data:`~fastingest.supervisor.children.KILL_LIMIT`: they are left behind.
        """
        self.kill()
        until = time.monotonic() + KILL_LIMIT
        left = []
        for child in self.children.values():
            pid = child.process.pid
            if not child.close(max(0.0, until - time.monotonic())):
                left.append((child.name, pid))
        return left
