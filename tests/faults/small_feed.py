"""A feed of few, numbered messages in a thread of the test: none is ever sent twice.

    with SmallFeed("one") as feed:
        feed.allow(100)
        …                                       # somebody connects to feed.url
        assert feed.is_drained.wait(10)         # and has read all of them

One client at a time is served; numbers go on over connections, and what a client did not take is
gone. Behind the last message that is allowed comes a ping. Its pong says that the client has read
all before it, so that nothing else need be waited for.

A message is the record of :func:`line_of` its number, or, one in seven where that is asked for, no
row at all.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from bench.burst import CLOSE, CLOSE_1000, PING, PONG, Client

__all__ = ["Served", "SmallFeed"]

AT_ONCE = 10  # messages
EVERY = 0.008  # seconds
TICK = 0.005  # seconds between two looks at what is allowed
REJECTED = 7  # one in so many messages is no row
FIN = 0x80


@dataclass
class Served:
    """A connection, and what of the feed it got."""

    first: int
    """The number of its first message."""
    end: int
    """The number of the first one that it cannot have got."""
    read: int
    """The number of the first one that the client may not have read."""
    sent_at: dict[int, float]
    """When the messages before a number had been sent, on the monotonic clock."""
    broken_at: float = 0.0


class SmallFeed:
    """The feed, listening on 127.0.0.1.

    :param name: the symbol of its rows.
    :param padding: characters that follow on it.
    :param rejects: whether there are messages that are no rows.
    :param hooks: called before the message of their number is sent.
    """

    def __init__(
        self,
        name: str,
        *,
        padding: int = 0,
        rejects: bool = False,
        hooks: dict[int, Callable[[], None]] | None = None,
    ) -> None:
        self.symbol = name + "x" * padding
        self.connections: list[Served] = []
        self.is_drained = threading.Event()
        """Whether a client has read all that is allowed."""
        self._rejects = rejects
        self._hooks = dict(hooks or {})
        self._next = 0
        self._allowed = 0
        self._ending = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve, name=f"feed {name}", daemon=True)

    def __enter__(self) -> SmallFeed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._thread.join()
        self._listener.close()

    def allow(self, messages: int) -> None:
        """Send so many more, whoever takes them."""
        self.is_drained.clear()
        self._allowed += messages

    def is_row(self, number: int) -> bool:
        """Whether the message of this number is a row."""
        return not self._rejects or number % REJECTED != REJECTED // 2

    def line_of(self, number: int) -> str:
        """The row as it stands in the file."""
        return f"{self.symbol},{number + 0.5!r},{number}"

    def text_of(self, number: int) -> str:
        """The message of this number."""
        if not self.is_row(number):
            return f'{{"no row":"{self.symbol[:20]}","number":{number}}}'
        return f'{{"symbol":"{self.symbol}","price":{number + 0.5!r},"volume":{number}}}'

    # The thread

    def _serve(self) -> None:
        while not self._ending:
            if select.select([self._listener], [], [], TICK)[0]:
                with self._listener.accept()[0] as sock:
                    self._serve_one(sock)

    def _serve_one(self, sock: socket.socket) -> None:
        try:
            client = Client(sock)
        except (OSError, ValueError):
            return  # it has left in its handshake
        served = Served(self._next, self._next, self._next, {})
        self.connections.append(served)
        with contextlib.suppress(OSError):
            self._talk(client, served)
        served.broken_at = time.monotonic()

    def _talk(self, client: Client, served: Served) -> None:
        due = time.monotonic()
        asked = -1  # up to where the client was asked for a pong
        while not self._ending:
            wait = TICK
            if self._next < self._allowed:
                wait = due - time.monotonic()
                if wait <= 0:
                    due = time.monotonic() + EVERY
                    self._send_some(client, served)
                    wait = 0
            elif asked != self._next:
                asked = self._next
                client.socket.sendall(bytes((FIN | PING, 8)) + struct.pack(">Q", asked))
            if select.select([client.socket], [], [], max(0.0, wait))[0]:
                data = client.socket.recv(65536)
                if not data:
                    return
                client.received += data
                for opcode, payload in client.take_frames():
                    if opcode == CLOSE:
                        client.socket.sendall(CLOSE_1000)
                        return
                    if opcode == PING:
                        client.socket.sendall(bytes((FIN | PONG, len(payload))) + payload)
                    elif opcode == PONG and len(payload) == 8:
                        (served.read,) = struct.unpack(">Q", payload)
                        if served.read == self._allowed:
                            self.is_drained.set()

    def _send_some(self, client: Client, served: Served) -> None:
        end = min(self._next + AT_ONCE, self._allowed)
        for number in range(self._next, end):
            hook = self._hooks.pop(number, None)
            if hook is not None:
                hook()
        served.end, first, self._next = end, self._next, end
        client.socket.sendall(b"".join(_frame(self.text_of(each)) for each in range(first, end)))
        served.sent_at[end] = time.monotonic()


def _frame(text: str) -> bytes:
    payload = text.encode()
    size = len(payload)
    length = bytes((size,)) if size < 126 else b"\x7e" + struct.pack(">H", size)
    return b"\x81" + length + payload


def numbered(text: str) -> int:
    """The number of a message that is no row.

    :raises ValueError: it is none of the feed's.
    """
    message = msgspec.json.decode(text)
    if not isinstance(message, dict) or message.keys() != {"no row", "number"}:
        raise ValueError(text)
    return int(message["number"])
