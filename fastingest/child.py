"""What the processes that the supervisor starts have in common."""

from __future__ import annotations

import contextlib
import os
import socket
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["ORPHAN_LIMIT", "receive_pipe", "send_pipe", "show_name"]

ORPHAN_LIMIT = 1.5
"""Seconds that a process goes on without its supervisor, to save what it holds."""


def show_name(role: str) -> None:
    """Let ``ps`` and ``top`` tell this process from the others, where there is a file for that.

    Linux keeps 15 characters: ``fi:receiver``. Elsewhere the process ids in the debug log must do.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"fi:{role}")


def send_pipe(pipes: socket.socket, pipe: Connection, *facts: Any) -> None:
    """Hand an end of a pipe to the process at the other end of ``pipes``; then it is closed here.

    ``Connection`` objects may be sent over a ``Connection``, but the receiver of one would wait for
    a thread of the sender's. A datagram with a descriptor is there or not.

    :param facts: what :func:`receive_pipe` returns with it; values that msgpack knows.
    """
    with contextlib.suppress(OSError):  # its end is noticed elsewhere
        socket.send_fds(pipes, [msgspec.msgpack.encode(facts)], [pipe.fileno()])
    pipe.close()


def receive_pipe(pipes: socket.socket) -> tuple[Connection | None, list[Any]]:
    """What :func:`send_pipe` has sent; (None, []) where there is nothing."""
    try:
        message, descriptors, _, _ = socket.recv_fds(pipes, 4096, 1)
    except BlockingIOError:
        return None, []
    if not descriptors:
        return None, []
    os.set_inheritable(descriptors[0], False)
    return Connection(descriptors[0]), msgspec.msgpack.decode(message)
