"""The receiver's event loop: uvloop, with bounds on what one connection may take of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import uvloop

__all__ = ["CONNECT_TIMEOUT", "READ_BUFFER", "ReceiverLoop"]

CONNECT_TIMEOUT = 10.0
"""Seconds for name look-up, TCP and TLS together."""

_READ_SIZE = 128 * 1024
READ_BUFFER = 2 * _READ_SIZE
"""Bytes of picows' read buffer: a whole read, and what the read before has left of a frame."""


class _BoundedReads(asyncio.BufferedProtocol):
    """A picows protocol that gets :data:`_READ_SIZE` bytes at a time, one read a turn of the loop.

    picows doubles its read buffer whenever a read fills it, so a burst makes it as large as the
    kernel's, and one read brings a hundred thousand messages: 138 MiB against 32 at the peak, and
    none of it in any cache. 128 KiB a read keeps a read's messages in the second-level cache.

    libuv reads up to 32 times from one socket before it looks at anything else. In a burst that is
    90 ms in which the pipe to the writer, long empty, is not filled again, and the writer idles:
    565,000 rows a second against 800,000. So a full read ends the turn.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._get_buffer = protocol.get_buffer
        self._buffer_updated = protocol.buffer_updated
        self._call_soon = asyncio.get_running_loop().call_soon
        for name in ("connection_lost", "eof_received", "pause_writing", "resume_writing"):
            setattr(self, name, getattr(protocol, name))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._protocol.connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        buffer: memoryview = self._get_buffer(sizehint)
        return buffer[:_READ_SIZE]

    def buffer_updated(self, nbytes: int) -> None:
        self._buffer_updated(nbytes)
        if nbytes == _READ_SIZE and self._transport.is_reading():
            self._transport.pause_reading()
            self._call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()


class ReceiverLoop(uvloop.Loop):
    """uvloop, with the reads of WebSocket connections bounded, and the time for connecting."""

    async def create_connection(  # type: ignore[override]  # any arguments: they are passed on
        self, protocol_factory: Callable[[], Any], *args: Any, **kwargs: Any
    ) -> tuple[asyncio.Transport, Any]:
        """As ``asyncio.loop.create_connection``."""
        protocol = protocol_factory()
        inside = _BoundedReads(protocol) if hasattr(protocol, "get_buffer") else protocol
        async with asyncio.timeout(CONNECT_TIMEOUT):
            transport, _ = await super().create_connection(lambda: inside, *args, **kwargs)
        return cast(asyncio.Transport, transport), protocol
