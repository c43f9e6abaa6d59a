"""A feed served by the ``websockets`` library: numbered rows in bursts, and dropped connections.

    python -m tests.peers.websockets_server --rows 300000 --drops 5 --burst 5000 [--shapes]

Row ``n`` (see :mod:`tests.peers.rows`) is sent once in the server's life: a new connection carries
on with the number at which the last one ended. After every ``--burst`` rows the server pauses. The
connection is dropped ``--drops`` times, at even distances, in the ways of :data:`DROPS` in turn.
After the last row comes a close frame 1000; whoever connects later gets nothing.

It says on stdout, as JSON lines:

``{"listening": port}``
    at the start.
``{"connection": k, "first": a, "sent": b, "end": how}``
    a connection, counted from 0, has ended, and rows ``a`` to ``b - 1`` were handed to its socket.
    ``how`` is one of :data:`DROPS`, or ``"1000"`` after the last row, or ``"client"`` when the
    client left first. All of the rows were delivered but for ``"abort"`` and ``"client"``, where
    the client may have seen only a beginning of them. Later connections, with nothing to send,
    are told when they end too: ``a`` and ``b`` are then the number of rows.
``{"done": true}``
    every row was handed over, and the connection that got the last one has ended.

``--shapes`` sends by turns a record, an array of ten, a record in three fragments, a record as a
binary message, and an array in three fragments; without it, each message is one record.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import socket
import struct
from collections.abc import Iterator

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.peers.rows import message

__all__ = ["DROPS", "SHAPES", "drop_points"]

DROPS = ("abort", "eof", "1001", "abort", "1011")
"""``abort``: a reset, and what is still buffered is lost. ``eof``: all data, then an end of file
without a close frame. ``1001``, ``1011``: all data, then that close frame."""

SHAPES = ("record", "array", "fragments", "binary", "array fragments")
ARRAY = 10
CLIENT_TIMEOUT = 10.0  # seconds in which a client must react to an end of file


def drop_points(rows: int, drops: int) -> list[int]:
    """The row numbers before which the connection is dropped."""
    return [rows * index // (drops + 1) for index in range(1, drops + 1)]


def say(**event: object) -> None:
    print(json.dumps(event), flush=True)


def thirds(data: bytes) -> list[bytes]:
    """``data`` cut in three. The cuts fall where they fall, within a character too."""
    cut = max(1, len(data) // 3)
    return [data[:cut], data[cut : 2 * cut], data[2 * cut :]]


class Feed:
    """The numbering, shared by all connections; one of them at a time gets rows."""

    def __init__(self, rows: int, drops: int, burst: int, pause: float, shapes: bool) -> None:
        self.rows = rows
        self.burst = burst
        self.pause = pause
        self.shapes: Iterator[str] = itertools.cycle(SHAPES if shapes else SHAPES[:1])
        self.drops = list(zip(drop_points(rows, drops), itertools.cycle(DROPS), strict=False))
        self.next_row = 0
        self.connections = 0
        self.done = False
        self.turn = asyncio.Lock()

    async def serve(self, connection: ServerConnection) -> None:
        number, self.connections = self.connections, self.connections + 1
        async with self.turn:
            if not self.done:
                await self.feed(connection, number)
                return
        await connection.wait_closed()
        say(connection=number, first=self.rows, sent=self.rows, end="client")

    async def feed(self, connection: ServerConnection, number: int) -> None:
        first = self.next_row
        stop, end = self.drops[0] if self.drops else (self.rows, "1000")
        try:
            await self.send_rows(connection, stop)
        except ConnectionClosed:
            end = "client"
        else:
            del self.drops[:1]
            await finish(connection, end)
        say(connection=number, first=first, sent=self.next_row, end=end)
        if self.next_row == self.rows and not self.drops:
            self.done = True
            say(done=True)

    async def send_rows(self, connection: ServerConnection, stop: int) -> None:
        while self.next_row < stop:
            burst_end = min(stop, (self.next_row // self.burst + 1) * self.burst)
            while self.next_row < burst_end:
                await self.send_message(connection, burst_end)
            await asyncio.sleep(self.pause)

    async def send_message(self, connection: ServerConnection, stop: int) -> None:
        shape = next(self.shapes)
        first = self.next_row
        # Counted before it is sent: a number is never sent twice, whatever becomes of the message.
        if shape.startswith("array"):
            self.next_row = min(first + ARRAY, stop)
            text = "[" + ", ".join(map(message, range(first, self.next_row))) + "]"
        else:
            self.next_row = first + 1
            text = message(first)
        if shape.endswith("fragments"):
            await connection.send(thirds(text.encode()), text=True)
        elif shape == "binary":
            await connection.send(text.encode())
        else:
            await connection.send(text)


async def finish(connection: ServerConnection, end: str) -> None:
    """End a connection in one of the ways of :data:`DROPS`, or with the close frame ``end``."""
    transport = connection.transport
    if end == "abort":
        peer: socket.socket = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    elif end == "eof":
        transport.set_write_buffer_limits(high=0)
        await connection.drain()
        transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        # Closing our end right away could turn the FIN into a RST, if something of the client's
        # were unread, and that would take the last rows with it.
        try:
            async with asyncio.timeout(CLIENT_TIMEOUT):
                await connection.wait_closed()
        except TimeoutError:
            transport.abort()
    else:
        await connection.close(int(end), "the end" if end == "1000" else "dropped")
    await connection.wait_closed()


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.peers.websockets_server")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--drops", type=int, default=0)
    parser.add_argument("--burst", type=int, default=5_000)
    parser.add_argument("--pause", type=float, default=0.002, help="seconds after each burst")
    parser.add_argument("--shapes", action="store_true")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    options = parser.parse_args()
    feed = Feed(options.rows, options.drops, options.burst, options.pause, options.shapes)
    async with serve(feed.serve, "127.0.0.1", options.port) as server:
        say(listening=next(iter(server.sockets)).getsockname()[1])
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
