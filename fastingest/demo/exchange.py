"""The synthetic exchange: a WebSocket server on loopback that sends a :class:`Market`'s trades.

How to think about it. One task, the *feed*, holds the one numbering: it makes a slice of the rows
that are due by the :class:`Pace` and writes it to every connected client. It moves only while
somebody is connected and everybody has room. With nobody there its clock stands still; with a slow
client the rows are late, for all, but none is left out.

A cut must not cost a row, or a reader could not be held to having them all. So a cut connection is
first taken off the feed; what was written to it is flushed, and then our direction is shut with no
close frame. We go on reading until the client has closed its own: a socket closed with unread input
sends a reset, which would overtake the rows on their way (RFC 1122, section 4.2.2.13). The next row
goes to the connection that comes after. Rows that a client leaves unread when it goes away by
itself, or is killed, are gone, as at any venue.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any, Protocol

import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from fastingest.demo.market import Market
from fastingest.demo.pace import Pace
from fastingest.demo.settings import DemoSettings

__all__ = ["Exchange", "main", "serve", "serve_until_stopped"]

_TICK = 0.01  # seconds between slices: short to a reader, long enough to sleep well in between
_SLICE = 8192  # rows written in one go at most: 0.5 MB, after which pings are answered


class _Client(WSListener):
    """One connection: it reads close frames only, and says whether there is room to write."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._cut: asyncio.TimerHandle | None = None
        self.has_room = True

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._exchange.join(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self._exchange.leave(self)
            if not transport.is_close_frame_sent:
                code = frame.get_close_code()
                # A close frame need not have a code, but 0 must not be sent as one.
                transport.send_close(WSCloseCode.OK if code == WSCloseCode.NO_INFO else code)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._exchange.leave(self)

    def pause_writing(self) -> None:
        self.has_room = False
        self._exchange.update()

    def resume_writing(self) -> None:
        self.has_room = True
        self._exchange.update()

    def cut_after(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._cut = loop.call_later(seconds, self._exchange.cut, self)

    def keep(self) -> None:
        if self._cut is not None:
            self._cut.cancel()


class _HalfClosed(asyncio.Protocol):
    """A connection that was cut, until the client has closed it too; its input is thrown away."""

    def __init__(self, transport: asyncio.Transport, others: set[asyncio.Transport]) -> None:
        self._transport = transport
        self._others = others
        others.add(transport)
        # From here on the WebSocket protocol must not answer a ping: nothing may follow the end.
        transport.set_protocol(self)
        transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._others.discard(self._transport)


class Exchange:
    """A running exchange, as :func:`serve` makes it: it listens on ``port``, and ``sent`` rows."""

    def __init__(self, settings: DemoSettings) -> None:
        self.port = 0
        self.sent = 0
        self._settings = settings
        self._market = Market(settings.symbols, settings.seed, sequence=settings.sequence)
        self._pace = Pace(settings.rate, settings.burst)
        self._clients: set[_Client] = set()
        self._half_closed: set[asyncio.Transport] = set()
        self._may_flow = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._flown = 0.0  # seconds with somebody connected, up to _since
        self._since: float | None = None  # when somebody came, None while nobody is there
        self._server: asyncio.Server | None = None
        self._feed: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen, and begin the feed.

        :raises OSError: the port cannot be had.
        """
        self._server = await ws_create_server(lambda request: _Client(self), host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._feed = self._loop.create_task(self._run())
        # A failed feed must not look like a quiet one: the loop's handler reports what this raises.
        self._feed.add_done_callback(lambda feed: feed.cancelled() or feed.result())

    def close(self) -> None:
        """Stop listening and end every connection at once; rows not flushed yet are lost."""
        if self._server is not None:
            self._server.close()
        if self._feed is not None:
            self._feed.cancel()
        for client in list(self._clients):
            client.keep()
            client.transport.disconnect(graceful=False)
        for transport in list(self._half_closed):
            transport.abort()

    async def wait_closed(self) -> None:
        """Wait until :meth:`close` has ended the last connection."""
        if self._server is not None:
            await self._server.wait_closed()

    def join(self, client: _Client) -> None:
        """Put a new connection on the feed, and set the time when it is to be cut."""
        self._clients.add(client)
        if self._settings.drop_every is not None and not self._is_over:
            client.cut_after(self._settings.drop_every)
        self.update()

    def leave(self, client: _Client) -> None:
        """Take a connection off the feed; it may be off already."""
        client.keep()
        self._clients.discard(client)
        self.update()

    def cut(self, client: _Client) -> None:
        """End a connection without a close frame, after what was written to it."""
        self.leave(client)
        if not client.transport.underlying_transport.is_closing():
            _HalfClosed(client.transport.underlying_transport, self._half_closed)

    def update(self) -> None:
        """Let the feed flow or not, and its clock run or not, by who is there and has room."""
        if self._clients and self._since is None:
            self._since = self._loop.time()
        elif not self._clients and self._since is not None:
            self._flown, self._since = self._feed_time(), None
        if self._clients and all(client.has_room for client in self._clients):
            self._may_flow.set()
        else:
            self._may_flow.clear()

    @property
    def _is_over(self) -> bool:
        return self.sent == self._settings.rows

    def _feed_time(self) -> float:
        return self._flown + (0.0 if self._since is None else self._loop.time() - self._since)

    async def _run(self) -> None:
        while not self._is_over:
            await self._may_flow.wait()
            begin = self._feed_time()
            due = self._pace.due(begin)
            if self._settings.rows is not None:
                due = min(due, self._settings.rows)
            while self.sent < due:
                self._send(min(due - self.sent, _SLICE))
                await asyncio.sleep(0)  # so that sockets are read, and a full one says so
                await self._may_flow.wait()
            # Not sooner than the tick, or a fast feed would go out in slivers.
            until = max(self._pace.when(self.sent), begin + _TICK)
            await asyncio.sleep(max(until - self._feed_time(), 0.0))

    def _send(self, rows: int) -> None:
        frames = self._market.frames(rows)
        for client in self._clients:
            client.transport.underlying_transport.write(frames)
        self.sent += rows
        if self._is_over:
            # In the same breath as the last row, before anybody can be cut.
            for client in self._clients:
                client.keep()
                client.transport.send_close(WSCloseCode.OK, b"the demo has sent its rows")


async def serve(settings: DemoSettings, port: int = 0, host: str = "127.0.0.1") -> Exchange:
    """Start an exchange in the running event loop.

    :param port: where to listen; 0 takes a free one, which :attr:`Exchange.port` tells.
    :raises OSError: the port cannot be had.
    """
    exchange = Exchange(settings)
    await exchange.start(host, port)
    return exchange


class Lifeline(Protocol):
    """One end of a duplex ``multiprocessing.Pipe``."""

    def fileno(self) -> int:
        """Its descriptor, which can be read when the other end is closed."""

    def send(self, value: Any, /) -> None:
        """Send a value to the other end."""


def main(settings: DemoSettings, lifeline: Lifeline, port: int = 0) -> None:
    """Run an exchange as a child process: a target for ``multiprocessing``.

    :param lifeline: one end of a duplex ``Pipe``. The port goes out over it as soon as the exchange
        listens, and the exchange ends when the other end is closed: by the parent, or by its death.
    :raises OSError: the port cannot be had.
    """
    with contextlib.suppress(ConnectionError):  # the parent was gone before we listened
        uvloop.run(serve_until_stopped(settings, port, lifeline.send, lifeline))


async def serve_until_stopped(
    settings: DemoSettings,
    port: int,
    on_listening: Callable[[int], None],
    lifeline: Lifeline | None = None,
) -> None:
    """Run an exchange until SIGINT or SIGTERM comes, or ``lifeline``'s other end is closed.

    :param on_listening: called once with the port.
    :raises OSError: the port cannot be had.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def read_lifeline(descriptor: int) -> None:
        with contextlib.suppress(OSError):  # a reset: the other end was closed with our port unread
            if os.read(descriptor, 4096):
                return
        loop.remove_reader(descriptor)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if lifeline is not None:
        loop.add_reader(lifeline.fileno(), read_lifeline, lifeline.fileno())
    exchange = await serve(settings, port)
    try:
        on_listening(exchange.port)
        await stop.wait()
    finally:
        exchange.close()
