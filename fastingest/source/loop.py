"""The receiver's event loop: uvloop, with bounds on what one connection may take of it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import uvloop
from aiohappyeyeballs import start_connection

from fastingest.source.answer import NoAnswer, OpeningAnswer

__all__ = ["READ_BUFFER", "BoundedReads", "ReceiverLoop", "Tunnel", "open_socket"]

Tunnel: TypeAlias = Callable[[], Awaitable[asyncio.Transport]]
"""Makes a connection that leads to a server, through another connection with TLS of its own."""

_NEXT_ADDRESS = 0.25  # seconds that an address has before the next one is tried beside it

_READ_SIZE = 128 * 1024
READ_BUFFER = 2 * _READ_SIZE
"""Bytes of picows' read buffer: a whole read, and what the read before has left of a frame."""

_ANSWER_SIZE = 16 * 1024  # bytes of a read before the connection is open
_BODY_TIME = 0.5  # seconds that a refusal's body has, where nothing says how long it is


class BoundedReads(asyncio.BufferedProtocol):
    """A picows protocol that gets :data:`_READ_SIZE` bytes at a time, one read a turn of the loop.

    picows doubles its read buffer whenever a read fills it, so a burst makes it as large as the
    kernel's, and one read brings a hundred thousand messages: 138 MiB against 32 at the peak, and
    none of it in any cache. 128 KiB a read keeps a read's messages in the second-level cache.

    libuv reads up to 32 times from one socket before it looks at anything else. In a burst that is
    90 ms in which the pipe to the writer, long empty, is not filled again, and the writer idles:
    565,000 rows a second against 800,000. So a full read ends the turn.

    Under TLS it is the decrypted side that is not read for a moment, while uvloop goes on taking
    from the socket. When the server ends the connection meanwhile, uvloop forgets what it has not
    handed on; it is asked for here.

    Until a connection is open, an :class:`OpeningAnswer` may stand between: see :meth:`read_with`.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._get_buffer = protocol.get_buffer
        self._buffer_updated = protocol.buffer_updated
        self._transport: Any = None  # an asyncio.Transport, once there is a connection
        loop = asyncio.get_running_loop()
        self._call_soon, self._time = loop.call_soon, loop.time
        self.is_held = False
        """Whether who has paused the transport wants it to stay so."""
        self.reads = 0
        """How many reads there were: changes as long as the server sends anything."""
        self.read_at = self._time()
        """When the last one was, by the loop's clock."""
        self.error: Exception | None = None
        """Why the connection was lost, where the loop has said so, or its answer is none."""
        self._answer: OpeningAnswer | None = None  # until it is whole
        self._room = memoryview(b"")  # where reads of the answer go
        self._waiting: asyncio.TimerHandle | None = None
        for name in ("eof_received", "pause_writing", "resume_writing"):
            setattr(self, name, getattr(protocol, name))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For the loop."""
        self._transport = transport
        self._protocol.connection_made(transport)

    @property
    def is_connected(self) -> bool:
        """Whether there was a connection, with TLS where there is to be any."""
        return self._transport is not None

    def read_with(self, answer: OpeningAnswer) -> None:
        """Let ``answer`` read what comes until it is whole; the protocol gets what it makes of it.

        What comes later goes straight to the protocol, as it does without an answer.
        """
        self._answer = answer
        self._room = memoryview(bytearray(_ANSWER_SIZE))
        self._get_buffer = lambda _: self._room
        self._buffer_updated = self._answer_updated

    def abort(self) -> None:
        """End the connection at once, if there is one: nothing more is handed on."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """For the loop: hand on what TLS still holds."""
        self.error = self.error or exc
        tls = self._transport.get_extra_info("ssl_object")
        if tls is not None:
            with contextlib.suppress(ssl.SSLError):  # nothing more, or nothing that can be read
                while (buffer := self.get_buffer(-1)) and (size := tls.read(len(buffer), buffer)):
                    self.read_at = self._time()
                    self._buffer_updated(size)
        self._end_answer()
        self._protocol.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """For the loop: where a read goes, and so how long it may be."""
        buffer: memoryview = self._get_buffer(sizehint)
        return buffer[:_READ_SIZE]

    def buffer_updated(self, nbytes: int) -> None:
        """For the loop: hand on a read, and let it be the only one in this turn."""
        self.reads += 1
        self.read_at = self._time()
        self._buffer_updated(nbytes)
        if nbytes == _READ_SIZE and self._transport.is_reading():
            self._transport.pause_reading()
            self._call_soon(self._read_on)

    def _answer_updated(self, nbytes: int) -> None:
        answer = self._answer
        if answer is None:  # it was none, and what follows is nothing either
            return
        try:
            whole = answer.feed(bytes(self._room[:nbytes]))
        except NoAnswer as error:
            self._answer, self.error = None, error
            self._transport.abort()
            return
        if whole is not None:
            self._hand_on(whole)
        elif answer.is_refusal and self._waiting is None:
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(_BODY_TIME, self._end_answer)

    def _end_answer(self) -> None:
        if self._answer is not None:
            self._hand_on(self._answer.end())

    def _hand_on(self, data: bytes) -> None:
        """Let the protocol read ``data``, and from now on what comes."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._answer, self._room = None, memoryview(b"")
        self._get_buffer = self._protocol.get_buffer
        self._buffer_updated = self._protocol.buffer_updated
        left = memoryview(data)
        while left:
            buffer = self._get_buffer(-1)
            size = min(len(buffer), len(left))
            buffer[:size] = left[:size]
            self._buffer_updated(size)
            left = left[size:]

    def _read_on(self) -> None:
        if not self._transport.is_closing() and not self.is_held:
            self._transport.resume_reading()


class ReceiverLoop(uvloop.Loop):
    """uvloop, with the reads of WebSocket connections bounded, however they are made."""

    async def create_connection(  # type: ignore[override]  # any arguments: they are passed on
        self,
        protocol_factory: Callable[[], Any],
        host: str | None = None,
        port: int | None = None,
        *,
        made: Callable[[BoundedReads], None] | None = None,
        tunnel: Tunnel | None = None,
        **kwargs: Any,
    ) -> tuple[asyncio.Transport, Any]:
        """As ``asyncio.loop.create_connection``; see :func:`open_socket` for names.

        :param made: takes what is put around the protocol, before there is a connection.
        :param tunnel: makes the connection to ``host``; None: it is made here.
        """
        protocol = protocol_factory()
        inside = protocol
        if hasattr(protocol, "get_buffer"):
            inside = BoundedReads(protocol)
            if made is not None:
                made(inside)
        if tunnel is not None:
            return await self._connect_within(await tunnel(), inside, host, **kwargs), protocol
        if host is None or _is_address(host):
            kwargs |= {"host": host, "port": port}
        else:
            if kwargs.get("ssl") and not kwargs.get("server_hostname"):
                kwargs["server_hostname"] = host
            kwargs["sock"] = await open_socket(host, port)
        transport, _ = await super().create_connection(lambda: inside, **kwargs)
        return cast(asyncio.Transport, transport), protocol

    async def _connect_within(
        self, transport: asyncio.Transport, protocol: Any, host: str | None, **kwargs: Any
    ) -> asyncio.Transport:
        """Speak ``protocol`` over a connection that is there, by TLS if ``ssl`` is given."""
        kwargs.pop("sock", None)  # None
        context = kwargs.pop("ssl", None)
        try:
            if context is not None:
                kwargs.setdefault("server_hostname", host)
                made = await self.start_tls(transport, transport.get_protocol(), context, **kwargs)
                if made is None:
                    raise ConnectionResetError
                transport = cast(asyncio.Transport, made)
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
        except BaseException:
            transport.abort()
            raise
        return transport


async def open_socket(host: str, port: int | None) -> socket.socket:
    """A socket that is connected to ``host``.

    Where a name has several addresses, one that does not answer must not keep the others from being
    tried: the next one is begun with after :data:`_NEXT_ADDRESS`, IPv6 and IPv4 by turns, and the
    first that answers is taken (RFC 8305, "happy eyeballs").

    :raises OSError: there is no address, or none can be connected to.
    """
    loop = asyncio.get_running_loop()
    if _is_address(host):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        address = (host, port or 0, 0, 0) if ":" in host else (host, port or 0)
        addresses: Any = [(family, socket.SOCK_STREAM, 0, "", address)]
    else:
        addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not addresses:
        raise OSError(f"{host} has no address")
    return await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS)


def _is_address(host: str) -> bool:
    """Whether the name needs no look-up, which would start libuv's threads."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
