"""An end of a pipe, handed to another process."""

from __future__ import annotations

import errno
import os
import socket
from array import array
from multiprocessing.connection import Connection
from typing import Any

import msgspec

__all__ = ["receive_pipe", "send_pipe"]

_MAX_SIZE = 2**18
"""Bytes of fields about a pipe; each of a thousand feeds has its counts among them."""


def send_pipe(pipes: socket.socket, pipe: Connection, *fields: Any) -> bool:
    """Hand an end of a pipe to the process at the other end of ``pipes``; then it is closed here.

    Does not wait: the system keeps few datagrams (10 on some Linux) for who does not take them.

    ``Connection`` objects may be sent over a ``Connection``, but the receiver of one would wait for
    a thread of the sender's. A datagram with a descriptor is there or not.

    :param fields: what :func:`receive_pipe` returns with it; values that msgpack knows.
    :returns: whether that is done; otherwise it is to be tried again.
    """
    message = [msgspec.msgpack.encode(fields)]
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

    Where this process may have no more files open, the pipe is gone, and None with the fields.
    """
    try:
        message, descriptors, _, _ = socket.recv_fds(pipes, _MAX_SIZE, 1)
    except BlockingIOError:
        return None, []
    if not descriptors:
        return None, msgspec.msgpack.decode(message) if message else []
    os.set_inheritable(descriptors[0], False)
    return Connection(descriptors[0]), msgspec.msgpack.decode(message)
