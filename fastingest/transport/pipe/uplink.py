"""A receiver's end of a pipe to the writer, driven by the event loop.

``Connection.send`` blocks when the other side does not read, and a receiver that blocks does not
read its sockets. So the pipe's descriptor goes under a transport of the loop.
"""

from __future__ import annotations

import asyncio
from typing import cast

from fastingest.model.batch import Position
from fastingest.model.chunks import Buffer
from fastingest.transport.base import UplinkEvents
from fastingest.transport.pipe.frame import POSITION_SIZE, header, unpack
from fastingest.transport.pipe.wiring import PipeEnd, drive

__all__ = ["PipeUplink"]


class PipeUplink(asyncio.Protocol):
    """A :class:`fastingest.transport.base.Uplink`, once :meth:`open` was called.

    The writer's first position says up to where it has come, the others what it has committed.

    :param stream: the id of the batches' stream.
    :param events: told what comes of it.
    """

    def __init__(self, stream: int, events: UplinkEvents) -> None:
        self._stream = stream
        self._events: UplinkEvents | None = events  # None: nobody wants to hear any more
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._is_linked = False
        self._closed = asyncio.get_running_loop().create_future()

    async def open(self, pipe: PipeEnd) -> None:
        """Use ``pipe``, which is closed for any other use.

        :raises OSError: it cannot be used.
        """
        if self._events is None:
            pipe.close()
            return
        await drive(pipe, self)

    def send(self, position: Position, payload: Buffer) -> None:
        """As in :class:`Uplink`; what is not taken yet stays in the transport by reference."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.writelines((header(len(payload)), payload))

    def abort(self) -> None:
        """As in :class:`Uplink`."""
        self._events = None
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """As in :class:`Uplink`."""
        self._events = None
        if self._transport is not None:
            self._transport.close()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For the loop."""
        self._transport = cast(asyncio.Transport, transport)
        if self._events is None:  # while it was being opened
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """For the loop."""
        self._transport = None
        self._closed.set_result(None)
        events, self._events = self._events, None
        if events is not None:
            events.lost()

    def data_received(self, data: bytes) -> None:
        """For the loop: take the first position, and of the others the last."""
        received = self._received
        received += data
        count = len(received) // POSITION_SIZE
        if count and not self._is_linked and self._events is not None:
            self._is_linked = True
            first = unpack(received, 0)
            self._events.linked(first if first.stream == self._stream else None)
            del received[:POSITION_SIZE]
            count -= 1
        if count and self._events is not None:
            last = unpack(received, (count - 1) * POSITION_SIZE)
            if last.stream == self._stream:
                self._events.stored(last)
        del received[: count * POSITION_SIZE]
