"""The processes that the supervisor starts, from its side."""

from __future__ import annotations

import contextlib
import socket
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from fastingest.child import send_pipe
from fastingest.signals import signals_blocked

__all__ = ["Child", "spawn"]


@dataclass(eq=False)
class Child:
    """A process, and the connections that it is talked to by."""

    name: str
    process: SpawnProcess
    control: Connection
    pipes: socket.socket
    """Takes pipes to the other processes; see :func:`fastingest.child.send_pipe`."""
    watched: bool = True
    """Whether anything may still come on the control connection."""
    exit_code: int | None = None
    """As in ``multiprocessing``, once the process has ended."""
    _waiting: deque[tuple[Connection, tuple[Any, ...]]] = field(default_factory=deque)

    def tell(self, message: bytes) -> None:
        """Send a command; nothing happens where the process is gone."""
        with contextlib.suppress(OSError):  # its end is noticed elsewhere
            self.control.send_bytes(message)

    def hand_over(self, pipe: Connection, *facts: Any) -> None:
        """Send it a pipe as soon as there is room; see :func:`fastingest.child.send_pipe`."""
        self._waiting.append((pipe, facts))
        self.hand_over_more()

    def hand_over_more(self) -> bool:
        """Send pipes that had to wait; whether none has to any more."""
        while self._waiting:
            pipe, facts = self._waiting[0]
            if not send_pipe(self.pipes, pipe, *facts):
                return False
            self._waiting.popleft()
        return True

    def close(self) -> None:
        """Forget a process that has ended."""
        self.process.join()
        self.process.close()
        self.control.close()
        self.pipes.close()
        for pipe, _ in self._waiting:
            pipe.close()


def spawn(
    context: SpawnContext,
    name: str,
    target: Callable[..., None],
    *args: Any,
    with_pipes: bool = False,
    **kwargs: Any,
) -> Child:
    """Start ``target(*args, control, **kwargs)`` in a process of its own.

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
            process = context.Process(
                target=target, args=(*args, theirs), kwargs=kwargs, name=name, daemon=True
            )
            # The resource tracker's start unblocks signals, so it must have happened before.
            resource_tracker.ensure_running()
            with signals_blocked(), _no_main_module():
                process.start()
        unless_started.pop_all()
        theirs.close()
    return Child(name, process, ours, pipes)


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep ``multiprocessing`` from importing the caller's main module again in a child.

    Nothing of it is needed there. A program can so call :func:`ingest` without an ``if __name__ ==
    "__main__"`` around it, and what it imports does not cost the children time and memory.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
