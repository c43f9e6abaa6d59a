"""A live feed of numbered rows, for the tests of faults: no row is ever sent twice.

    python -m tests.faults.feed --rate 200000 --rows 1000000 --cuts 3 --ping-every 1

The frames are those of ``bench.burst --numbered --shape record``; row *n* has the volume
1,000,000,000 + *n*. One client at a time is served on 127.0.0.1, and numbers go on over
connections: the rows that a client was not there for, or did not take, are gone.

Rows are sent in parts: a block, or less where a cut or the end comes first. A part of which a
connection has got anything belongs to it; when the connection breaks, its rest is given up. Parts
keep the pace of ``--rate``. After a client was slow, what was missed is caught up by at most 0.2
seconds of rows at once (a whole block, where that is more): what is later than that stays late.

A cut (``--cuts``) comes after a row that was sent whole: half of the next frame follows, then a FIN
without a close frame. That row is sent whole on the next connection, so a client that took the half
for something has it twice or wrong. A cut whose row was given up with a broken connection is not
made. After the last row comes a close frame 1000, on the next connection if this one breaks before
the client has answered.

Sending and receiving go on together, so that a pong is noticed when it comes, while the client does
not read as well. A ping waits behind the part that is under way; its time runs from the moment it
was due.

On stdout, as JSON lines: ``{"listening": port}``, and for each connection

``{"connected": row, "time": seconds since the epoch}``
    the number of the first row that this connection can get.
``{"disconnected": row, "sent": rows, "reason": …, …}``
    the number of the first row that it cannot have got, and how many rows were handed to the kernel
    whole. The reason is ``end`` (the client has answered the close frame, or SIGTERM ended the
    feed), ``cut``, ``eof`` (the client has left, with or without a close frame) or ``reset`` (the
    connection broke, or the client broke the protocol). ``pongs`` counts pings that were answered,
    ``slowest_pong`` is the longest time that one took, in seconds or null, ``unanswered`` counts
    pings that are without an answer after more than a second.

The exit status is 0, after ``end``. A client that stops reading is waited for without a limit.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import select
import signal
import socket
import sys
import time
from collections import deque
from types import FrameType

from bench.burst import (
    CLIENT_TIMEOUT,
    CLOSE,
    CLOSE_1000,
    FIRST_NUMBER,
    PING,
    PONG,
    Client,
    blocks,
    say,
)

__all__ = ["Connection", "Pace", "Pings", "Source", "Termination"]

MOST = 10 * FIRST_NUMBER - FIRST_NUMBER  # rows whose numbers have one size
CATCH_UP = 0.2  # seconds of rows that may come at once
LEAVING = 5.0  # seconds that a client has to close, after our FIN
OLD = 1.0  # seconds after which a ping counts as unanswered
FIN = 0x80  # of a frame's first byte


class Source:
    """The rows of the feed, in parts, each handed out once.

    :param rows: how many there are.
    :param block: rows in a part at most; a power of ten.
    :param cuts: how many cuts to spread over the rows; fewer than those.
    """

    def __init__(self, rows: int, block: int, cuts: int) -> None:
        self.next = 0
        """The number of the next row."""
        self.end = rows
        self._cuts = deque(rows * cut // (cuts + 1) for cut in range(1, cuts + 1))
        self._blocks = blocks(rows, block, "record", numbered=True)
        self._block = memoryview(b"")  # what is left of it
        self.frame_size = 0
        """Bytes in a frame; it is the same in all."""
        self._fill()

    @property
    def at_cut(self) -> bool:
        """Whether the connection must be cut before the next row."""
        return bool(self._cuts) and self._cuts[0] == self.next

    @property
    def pauses(self) -> bool:
        """Whether the connection gets no more rows."""
        return self.next == self.end or self.at_cut

    def resume(self) -> None:
        """Go on with a new connection: cuts up to here are done, or came to nothing."""
        while self._cuts and self._cuts[0] <= self.next:
            self._cuts.popleft()

    def take(self) -> tuple[memoryview, int]:
        """The next part and its rows. It stays as it is until the next part is taken."""
        self._fill()
        rows = len(self._block) // self.frame_size
        if self._cuts:
            rows = min(rows, self._cuts[0] - self.next)
        size = rows * self.frame_size
        part, self._block = self._block[:size], self._block[size:]
        self.next += rows
        return part, rows

    def half_frame(self) -> bytes:
        """The first half of the next row's frame, which is not taken by that."""
        self._fill()
        return bytes(self._block[: self.frame_size // 2])

    def _fill(self) -> None:
        if not self._block:
            block, rows = next(self._blocks)
            self._block = memoryview(block)
            self.frame_size = len(block) // rows


class Termination:
    """SIGTERM or SIGINT, as a flag, and as a socket that is readable from then on."""

    def __init__(self) -> None:
        self.asked = False
        self.readable, self._written = socket.socketpair()
        self._written.setblocking(False)
        signal.set_wakeup_fd(self._written.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


class Pace:
    """When the next part is due. It reads no clock.

    :param rate: rows a second.
    :param block: rows in a part at most.
    :param now: seconds; the first part is due then.
    """

    def __init__(self, rate: float, block: int, now: float) -> None:
        self.due = now
        self._rate = rate
        self._late = max(0.0, CATCH_UP - block / rate)  # seconds that are made up for

    def send(self, rows: int, now: float) -> None:
        """Note that a part which was due has left."""
        self.due = max(self.due, now - self._late) + rows / self._rate


class Pings:
    """What a connection's pings have come to."""

    def __init__(self) -> None:
        self.answered = 0
        self.slowest: float | None = None
        self._number = 0
        self._waiting: dict[int, float] = {}  # since when, oldest first

    def ask(self, now: float) -> bytes:
        """The payload of the next ping."""
        self._number += 1
        self._waiting[self._number] = now
        return str(self._number).encode()

    def hear(self, payload: bytes, now: float) -> None:
        """Take a pong. It answers the pings before its own as well (RFC 6455, section 5.5.3)."""
        if not payload.isdigit() or int(payload) not in self._waiting:
            return
        for number in [number for number in self._waiting if number <= int(payload)]:
            self.slowest = max(self.slowest or 0.0, now - self._waiting.pop(number))
            self.answered += 1

    def unanswered(self, now: float) -> int:
        """How many pings have been waiting for longer than :data:`OLD`."""
        return sum(now - since > OLD for since in self._waiting.values())


class Connection:
    """One client, from its handshake to its end.

    :param rate: rows a second.
    :param block: rows in a part at most.
    :param ping_every: seconds; 0 means never.
    """

    def __init__(
        self,
        client: Client,
        source: Source,
        termination: Termination,
        *,
        rate: float,
        block: int,
        ping_every: float,
    ) -> None:
        self.pings = Pings()
        self._client = client
        self._socket = client.socket
        self._socket.setblocking(False)
        self._source = source
        self._termination = termination
        self._pace = Pace(rate, block, time.monotonic())
        self._ping_every = ping_every
        self._ping_due = time.monotonic() + ping_every if ping_every else math.inf
        self._rows = 0  # taken
        self._part = memoryview(b"")  # what is left of it
        self._control = b""  # what is left of what goes before the next part
        self._closing = False  # nothing more is put into it
        self._has_closed = False  # the client, by a close frame
        self._has_left = False  # the client, by a FIN

    @property
    def sent(self) -> int:
        """How many rows were handed to the kernel whole."""
        return self._rows - math.ceil(len(self._part) / self._source.frame_size)

    def serve(self) -> str:
        """Send what this connection gets, and return why it has ended."""
        try:
            self._hear()  # what came together with the handshake
            self._feed()
            if self._has_closed:
                self._drop_whole_frames()
                self._finish(CLOSE_1000, fin=True)
                return "eof"
            if self._has_left:
                return "eof"
            if self._termination.asked:
                return "end"
            if self._source.at_cut:
                return "cut" if self._finish(self._source.half_frame(), fin=True) else "eof"
            return "end" if self._finish(CLOSE_1000, fin=False) else "eof"
        except OSError:
            return "reset"

    def _feed(self) -> None:
        """Send rows as they fall due, and pings, up to a cut or the end."""
        while not (self._is_over() or self._has_closed):
            now = time.monotonic()
            if now >= self._ping_due:
                self._ping_due = max(self._ping_due + self._ping_every, now)
                self._say(PING, self.pings.ask(now))
            clear = self._send()
            if clear and now >= self._pace.due and not self._source.pauses:
                self._part, rows = self._source.take()
                self._rows += rows
                self._pace.send(rows, now)
                clear = self._send()
            if clear and self._source.pauses:
                return
            self._wait(min(self._ping_due, self._pace.due if clear else math.inf), clear)

    def _finish(self, last: bytes, fin: bool) -> bool:
        """Send the last bytes; then wait for the client.

        :param fin: send a FIN as well, and wait until the client closes, for :data:`LEAVING` at
            most, lest it lose what the kernel still holds. False means to wait for a close frame.
        :return: whether that went well: the bytes were sent, and the frame came.
        """
        self._closing = True
        self._control += last
        while not (clear := self._send()) and not self._is_over():
            self._wait(math.inf, clear)
        if not fin:
            while not (self._has_closed or self._is_over()):
                self._wait(math.inf, clear)
            return self._has_closed or self._termination.asked
        if clear:
            self._socket.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):  # it closes without reading to the end
                deadline = time.monotonic() + LEAVING
                while not self._is_over() and time.monotonic() < deadline:
                    self._wait(deadline, clear)
        return clear

    def _is_over(self) -> bool:
        return self._has_left or self._termination.asked

    def _drop_whole_frames(self) -> None:
        """Of the part under way, leave only the rest of the frame that was begun."""
        rows, rest = divmod(len(self._part), self._source.frame_size)
        self._part = self._part[:rest]
        self._rows -= rows

    def _say(self, opcode: int, payload: bytes) -> None:
        if not self._closing:
            self._control += bytes((FIN | opcode, len(payload))) + payload

    def _send(self) -> bool:
        """Hand over what the kernel takes; return whether nothing is left."""
        # The socket's buffer is full: that is no trouble.
        with contextlib.suppress(BlockingIOError):
            while self._part:
                self._part = self._part[self._socket.send(self._part) :]
            while self._control:
                self._control = self._control[self._socket.send(self._control) :]
        return not (self._part or self._control)

    def _wait(self, until: float, clear: bool) -> None:
        """Wait for bytes from the client, or room for bytes to it; take what has come."""
        timeout = None if until == math.inf else max(0.0, until - time.monotonic())
        to_write = [] if clear else [self._socket]
        to_read = [self._socket, self._termination.readable]
        ready, _, _ = select.select(to_read, to_write, [], timeout)
        if self._socket in ready:
            data = self._socket.recv(65536)
            self._has_left = not data
            self._client.received += data
            self._hear()

    def _hear(self) -> None:
        for opcode, payload in self._client.take_frames():
            if opcode == PING:
                self._say(PONG, payload)
            elif opcode == PONG:
                self.pings.hear(payload, time.monotonic())
            elif opcode == CLOSE:
                self._has_closed = True


def serve(
    sock: socket.socket, source: Source, termination: Termination, options: argparse.Namespace
) -> bool:
    """Serve one client, and say so; return whether that was the end of the feed."""
    # A client that says nothing must not keep SIGTERM waiting.
    select.select([sock, termination.readable], [], [], CLIENT_TIMEOUT)
    if termination.asked:
        return True
    try:
        client = Client(sock)
    except (OSError, ValueError):  # it left, or does not speak WebSocket
        return False
    source.resume()
    say(connected=source.next, time=time.time())
    connection = Connection(
        client,
        source,
        termination,
        rate=options.rate,
        block=options.block,
        ping_every=options.ping_every,
    )
    reason = connection.serve()
    pings = connection.pings
    say(
        disconnected=source.next,
        sent=connection.sent,
        reason=reason,
        slowest_pong=None if pings.slowest is None else round(pings.slowest, 6),
        pongs=pings.answered,
        unanswered=pings.unanswered(time.monotonic()),
    )
    return reason == "end"


def parse_arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.feed")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--rate", type=float, default=200_000, help="rows a second")
    parser.add_argument("--rows", type=int, default=0, help="0: nine billion, which is endless")
    parser.add_argument("--block", type=int, default=1000, help="rows sent together")
    parser.add_argument("--cuts", type=int, default=0, help="connections to cut, over all rows")
    parser.add_argument("--ping-every", type=float, default=0.0, help="seconds; 0: never")
    options = parser.parse_args()
    if not 0 <= options.rows <= MOST:
        parser.error(f"--rows must be 0 to {MOST}")
    if options.rate <= 0:
        parser.error("--rate must be more than 0")
    if options.block < 1 or str(options.block).strip("0") != "1":
        parser.error("--block must be a power of ten")
    if options.cuts and not 0 < options.cuts < options.rows:
        parser.error("--cuts must be less than --rows, which must be given")
    return options


def main() -> int:
    """Serve clients, one after another, to the end; return the exit status."""
    options = parse_arguments()
    termination = Termination()
    source = Source(options.rows or MOST, options.block, options.cuts)
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        say(listening=listener.getsockname()[1])
        over = False
        while not over:
            select.select([listener, termination.readable], [], [])
            if termination.asked:
                break
            sock, _ = listener.accept()
            with sock:
                over = serve(sock, source, termination, options) or termination.asked
    return 0


if __name__ == "__main__":
    sys.exit(main())
