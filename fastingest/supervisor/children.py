"""The processes that the supervisor starts, from its side.

None of them may hold it up, whatever becomes of it: one that is stopped in the middle of a message,
one that dies before it has read what it is to do, one that a call to the system keeps from dying.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import select
import socket
import sys
import tempfile
import threading
import types
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import process as processes
from multiprocessing import reduction, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from fastingest.runtime.control import Command, Notice, encode, notice_from
from fastingest.supervisor.signals import signals_blocked
from fastingest.transport.pipe.fd_passing import send_pipe
from fastingest.transport.pipe.framing import span

__all__ = ["KILL_LIMIT", "Child", "spawn"]

KILL_LIMIT = 5.0
"""Seconds that a process which was killed has to be gone. A file system that does not answer may
keep it for ever."""


@dataclass(eq=False)
class Child:
    """A process, and the connections that it is talked to by."""

    name: str
    process: SpawnProcess
    control: Connection
    pipes: socket.socket
    """Takes pipes to the other processes; see :func:`.fd_passing.send_pipe`."""
    watched: bool = True
    """Whether anything may still come on the control connection."""
    exit_code: int | None = None
    """As in ``multiprocessing``, once the process has ended."""
    _waiting: deque[tuple[Connection, tuple[Any, ...]]] = field(default_factory=deque)
    _received: bytearray = field(default_factory=bytearray)

    def notices(self) -> Iterator[Notice]:
        """What it has said so far, without waiting for the rest of a message that is under way.

        :raises UnknownMessage: it has said what is no notice.
        """
        received = self._received
        while self.watched and self._has_said_more():
            body, end = span(received)
            while end <= len(received):
                message = bytes(received[body:end])
                del received[:end]
                yield notice_from(message)
                body, end = span(received)

    def _has_said_more(self) -> bool:
        ready = select.poll()
        ready.register(self.control.fileno(), select.POLLIN)
        if not ready.poll(0):
            return False
        data = b""
        with contextlib.suppress(OSError):
            data = os.read(self.control.fileno(), 2**16)
        self._received += data
        self.watched = bool(data)
        return self.watched

    def tell(self, command: Command) -> None:
        """Send a command; nothing happens where the process is gone."""
        with contextlib.suppress(OSError):  # its end is noticed elsewhere
            self.control.send_bytes(encode(command))

    def hand_over(self, pipe: Connection, *fields: Any) -> None:
        """Send it a pipe as soon as there is room; see :func:`.fd_passing.send_pipe`."""
        self._waiting.append((pipe, fields))
        self.hand_over_more()

    def hand_over_more(self) -> bool:
        """Send pipes that had to wait; whether none has to any more."""
        while self._waiting:
            pipe, fields = self._waiting[0]
            if not send_pipe(self.pipes, pipe, *fields):
                return False
            self._waiting.popleft()
        return True

    def close(self, patience: float = KILL_LIMIT) -> bool:
        """Forget a process that has ended, or was killed.

        :param patience: seconds that it may take to be gone.
        :returns: whether it is; otherwise it is left behind.
        """
        self.process.join(patience)
        is_gone = self.process.exitcode is not None
        if is_gone:
            self.process.close()
        else:  # at its exit Python waits for all that it knows of, and without a limit
            processes._children.discard(self.process)  # type: ignore[attr-defined]
        self.control.close()
        self.pipes.close()
        for pipe, _ in self._waiting:
            pipe.close()
        return is_gone


def spawn(
    context: SpawnContext,
    name: str,
    target: str,
    *args: Any,
    with_pipes: bool = False,
    **kwargs: Any,
) -> Child:
    """Start ``target(*args, control, **kwargs)`` in a process of its own.

    :param target: ``module:function``. Only the process imports it: what a writer needs is nothing
        that the supervisor has to load.
    :param with_pipes: give it a socket that brings pipes, as the keyword argument ``pipes``.
    :raises OSError: it could not be started; nothing is left of it.
    """
    with contextlib.ExitStack() as unless_started:
        ours, theirs = context.Pipe()
        unless_started.callback(ours.close)
        unless_started.callback(theirs.close)
        # Datagrams: each message comes whole, with the descriptor that belongs to it.
        pipes, their_pipes = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        unless_started.callback(pipes.close)
        with their_pipes:
            if with_pipes:
                kwargs["pipes"] = their_pipes
            box = _Box(target, (*args, theirs), kwargs)
            unless_started.callback(box.close)
            process = context.Process(target=_run, args=(box,), name=name, daemon=True)
            # The resource tracker's start unblocks signals, so it must have happened before.
            resource_tracker.ensure_running()
            with _one_at_a_time, signals_blocked(), _no_main_module():
                process.start()
            box.close()
        unless_started.pop_all()
        theirs.close()
    return Child(name, process, ours, pipes)


_one_at_a_time = threading.Lock()
"""Another thread's run may start a process as well, and there is one main module for all."""


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep ``multiprocessing`` from importing the caller's main module again in a child.

    Nothing of it is needed there. A program can so call :func:`ingest` without an ``if __name__ ==
    "__main__"`` around it, and what it imports does not cost the children time and memory. Nor are
    its arguments, which may be longer than a pipe takes (:class:`_Box`).
    """
    main, arguments = sys.modules["__main__"], sys.argv
    sys.modules["__main__"], sys.argv = types.ModuleType("__main__"), sys.argv[:1]
    try:
        yield
    finally:
        sys.modules["__main__"], sys.argv = main, arguments


class _Box:
    """What a child is to do, in a file in memory.

    ``multiprocessing`` hands that on through a pipe, of which it holds the reading end as well,
    until all is written. A pipe takes 64 KiB, and hundreds of feeds are more: where the child dies
    before it has read them, the writing end waits for ever.
    """

    def __init__(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._contents = target, args, kwargs
        self._file = _memory_file()

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled here, while multiprocessing knows the process that descriptors are for.
        os.pwrite(self._file, reduction.ForkingPickler.dumps(self._contents), 0)
        return _unpacked, (reduction.DupFd(self._file),)

    def close(self) -> None:
        """Close the file, here."""
        os.close(self._file)


def _memory_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("fastingest")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


_Contents = tuple[str, tuple[Any, ...], dict[str, Any]]


def _unpacked(descriptor: Any) -> _Contents:
    """What is in the box, on the child's side of a spawn."""
    with open(descriptor.detach(), "rb") as file:
        file.seek(0)
        contents: _Contents = pickle.load(file)  # noqa: S301 - from the process that has started us
    return contents


def _run(contents: _Contents) -> None:
    target, args, kwargs = contents
    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)(*args, **kwargs)
