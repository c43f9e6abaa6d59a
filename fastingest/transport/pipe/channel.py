"""One end of a control connection, driven by the event loop.

The other end is a ``multiprocessing.Connection``, whose language this module speaks
(:mod:`fastingest.transport.pipe.framing`). ``Connection.send`` blocks when the other side does not
read, and a receiver that blocks does not read its sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from fastingest.transport.pipe.framing import header, span
from fastingest.transport.pipe.wiring import PipeEnd, drive

__all__ = ["Channel"]


class Channel(asyncio.Protocol):
    """Whole messages, both ways, without ever blocking.

    What is sent and not yet taken stays in the transport by reference; the caller bounds it.

    :param on_message: called with every message that arrives.
    :param on_closed: called once, when the other end is gone or :meth:`close` was called.
    """

    def __init__(self, on_message: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._closed = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls,
        connection: PipeEnd,
        on_message: Callable[[bytes], None],
        on_closed: Callable[[], None],
    ) -> Channel:
        """A channel over ``connection``, which is closed for any other use."""
        channel = cls(on_message, on_closed)
        await drive(connection, channel)
        return channel

    def send(self, message: bytes) -> None:
        """Send one message; nothing happens when the other end is gone."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.writelines((header(len(message)), message))

    async def close(self) -> None:
        """Hand over what was sent, then close."""
        if self._transport is not None:
            self._transport.close()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For the loop."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """For the loop."""
        self._transport = None
        if not self._closed.done():
            self._closed.set_result(None)
        self._on_closed()

    def data_received(self, data: bytes) -> None:
        """For the loop: take the whole messages out of what has arrived."""
        received = self._received
        received += data
        start = 0
        body, end = span(received)
        while end <= len(received):
            start = end
            self._on_message(bytes(received[body:end]))
            body, end = span(received, start)
        del received[:start]
