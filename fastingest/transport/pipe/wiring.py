"""The ends of a pipe, and of a control connection: what they are, and how they are waited for."""

from __future__ import annotations

import asyncio
import os
import socket
from multiprocessing.connection import Connection, wait
from typing import TypeAlias

__all__ = ["PipeEnd", "drive", "wait"]

PipeEnd: TypeAlias = Connection
"""One end of a ``multiprocessing.Pipe``."""


async def drive(end: PipeEnd, protocol: asyncio.Protocol) -> None:
    """Have the loop drive ``end`` for ``protocol``; it is closed for any other use.

    :raises OSError: it cannot be used.
    """
    descriptor = socket.socket(fileno=os.dup(end.fileno()))
    end.close()
    descriptor.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.create_unix_connection(lambda: protocol, sock=descriptor)
