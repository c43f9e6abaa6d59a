"""One connection of a venue."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import http.client
import struct
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tests.peers.raw import BINARY, CLOSE, GUID, PING, PONG, TEXT, frame
from tests.peers.venue_limits import Desk, Meter

__all__ = ["Client", "Headers"]

Headers: TypeAlias = Sequence[tuple[str, str]]


class Client:
    """A connection as the venue has it: what the client has said, and ways to answer.

    :param desk: answers texts; None: nobody does.
    :param pace: the client's texts are held to it; None: to nothing.
    :param too_fast: what is said to one that exceeds it; None: it is closed with code 1008.
    :param tell: called when there is news.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        desk: Desk | None,
        pace: Meter | None,
        too_fast: str | None,
        tell: Callable[[], None],
    ) -> None:
        self.at = time.monotonic()
        """When it came, in seconds by the monotonic clock."""
        self.request_line = ""
        self.headers: dict[str, str] = {}
        """Of the request; the names are in lower case."""
        self.status: int | None = None
        """What was answered to the request; None: nothing yet."""
        self.said: list[tuple[float, str]] = []
        """The texts that it has sent, each with its moment."""
        self.granted: list[str] = []
        """The symbols that the desk has granted."""
        self.pings = 0
        self.pongs = 0
        self.close_code: int | None = None
        """That of the client's close frame; None: it has sent none, or one without a code."""
        self.has_left = False
        """Whether the connection is over."""
        self.is_silent = False
        """Whether pings stay unanswered."""
        self._reader = reader
        self._writer = writer
        self._desk, self._pace, self._too_fast = desk, pace, too_fast
        self._on_news = tell
        self._is_closing = False
        self._news = asyncio.Event()

    @property
    def texts(self) -> list[str]:
        """The texts that it has sent, in order."""
        return [text for _, text in self.said]

    async def read_request(self) -> None:
        """Read the opening request."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.request_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def respond(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send the answer to the request."""
        self.status = status
        phrase = http.client.responses.get(status, "Unknown")
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
        await self.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)

    async def accept(self, headers: Headers, before: bytes) -> None:
        """Send the 101."""
        await self.write(before)
        key = self.headers.get("sec-websocket-key", "").encode()
        right = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        await self.respond(101, [*headers, ("Sec-WebSocket-Accept", right)])

    async def send(self, message: str | bytes) -> None:
        """Send a message: a text, or bytes as a binary one."""
        is_text = isinstance(message, str)
        data = message.encode() if isinstance(message, str) else message
        await self.write(frame(TEXT if is_text else BINARY, data))

    async def put(self, message: str) -> None:
        """Send a message, and wait until the client has it."""
        pongs = self.pongs
        await self.send(message)
        await self.write(frame(PING, b""))
        await self.until(lambda: self.pongs > pongs or self.has_left)

    async def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, and end the connection once the client has answered or left."""
        await self._send_close(struct.pack("!H", code) + reason.encode())
        await self.until(lambda: self.has_left)

    async def _send_close(self, payload: bytes) -> None:
        if not self._is_closing:
            self._is_closing = True
            await self.write(frame(CLOSE, payload))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that what the client does can change."""
        while not holds():
            self._news.clear()
            await self._news.wait()

    def drop(self) -> None:
        """End the connection without a close frame; nothing where it is over."""
        self.has_left = True
        self._writer.close()

    async def take_frames(self) -> None:
        """Take what the client sends, and answer it, until it leaves."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                opcode, payload = await self._read_frame()
                if opcode == PING:
                    self.pings += 1
                    if not self.is_silent:
                        await self.write(frame(PONG, payload))
                elif opcode == PONG:
                    self.pongs += 1
                elif opcode == CLOSE:
                    self.close_code = struct.unpack("!H", payload[:2])[0] if payload else None
                    await self._send_close(payload)
                    break
                elif opcode == TEXT:
                    await self._hear(payload.decode())
                self._tell()
        self.has_left = True
        self._tell()

    async def _hear(self, text: str) -> None:
        now = time.monotonic()
        self.said.append((now, text))
        if self._pace is not None and self._pace.exceeded(now):
            if self._too_fast is None:
                await self._send_close(struct.pack("!H", 1008) + b"too many messages")
            else:
                await self.send(self._too_fast)
        elif self._desk is not None:
            for answer in self._desk.answers(text, self.granted):
                await self.send(answer)

    async def _read_frame(self) -> tuple[int, bytes]:
        head = await self._reader.readexactly(2)
        size = head[1] & 0x7F
        if size > 125:
            width = 2 if size == 126 else 8
            size = int.from_bytes(await self._reader.readexactly(width), "big")
        assert head[1] & 0x80, "the client has sent a frame that is not masked"
        mask = await self._reader.readexactly(4)
        data = await self._reader.readexactly(size)
        return head[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))

    def _tell(self) -> None:
        self._news.set()
        self._on_news()
