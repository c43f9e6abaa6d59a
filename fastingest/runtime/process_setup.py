"""What the processes that the supervisor starts have in common."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import socket
from array import array
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

__all__ = [
    "ORPHAN_LIMIT",
    "allow_many_files",
    "keep_memory",
    "receive_pipe",
    "send_pipe",
    "show_name",
]

ORPHAN_LIMIT = 1.5
"""Seconds that a process goes on without its supervisor, to save what it holds."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h

_LONGEST = 2**18
"""Bytes of facts about a pipe; each of a thousand feeds has its counts among them."""


def allow_many_files() -> None:
    """Let this process have as many files open as it may: each feed and each pipe is one."""
    with contextlib.suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def keep_memory(*, has_threads: bool = False) -> None:
    """Let the C library keep memory that is freed, up to 64 MiB, where it is glibc (Linux).

    A batch takes some megabytes for a moment, at each step on its way. glibc gives such pieces back
    to the system at once, which has to clear their pages when the next batch needs them: 27 ns a
    row in the receiver, of 210.

    :param has_threads: whether several threads allocate. They share one arena then, since others
        would each keep as much; for a single thread that costs 4% of the receiver's time.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        if has_threads:
            mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TRIM_THRESHOLD, 64 * 2**20)
        mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the most that it takes


def show_name(role: str) -> None:
    """Let ``ps`` and ``top`` tell this process from the others, where there is a file for that.

    Linux keeps 15 characters: ``fi:receiver``. Elsewhere the process ids in the debug log must do.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"fi:{role}")


def send_pipe(pipes: socket.socket, pipe: Connection, *facts: Any) -> bool:
    """Hand an end of a pipe to the process at the other end of ``pipes``; then it is closed here.

    Does not wait: the system keeps few datagrams (10 on some Linux) for who does not take them.

    ``Connection`` objects may be sent over a ``Connection``, but the receiver of one would wait for
    a thread of the sender's. A datagram with a descriptor is there or not.

    :param facts: what :func:`receive_pipe` returns with it; values that msgpack knows.
    :returns: whether that is done; otherwise it is to be tried again.
    """
    message = [msgspec.msgpack.encode(facts)]
    rights = socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [pipe.fileno()])
    try:
        pipes.sendmsg(message, [rights], socket.MSG_DONTWAIT)  # which socket.send_fds leaves out
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS):
            return False
        # The process is gone; its end is noticed elsewhere.
    pipe.close()
    return True


def receive_pipe(pipes: socket.socket) -> tuple[Connection | None, list[Any]]:
    """What :func:`send_pipe` has sent; (None, []) where there is nothing.

    Where this process may have no more files open, the pipe is gone, and None with the facts.
    """
    try:
        message, descriptors, _, _ = socket.recv_fds(pipes, _LONGEST, 1)
    except BlockingIOError:
        return None, []
    if not descriptors:
        return None, msgspec.msgpack.decode(message) if message else []
    os.set_inheritable(descriptors[0], False)
    return Connection(descriptors[0]), msgspec.msgpack.decode(message)
