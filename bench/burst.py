"""The load generator: a server that sends ready-made frames as fast as a client takes them.

    python -m bench.burst --rows 20000000

A benchmark of a receiver measures the sender instead, unless the sender is far the faster one.
This one encodes a block of frames once and calls ``sendall`` with it again and again, on a plain
blocking socket: 14 to 24 ns of CPU a row, nearly all of it the kernel's copying. ``--numbered``
rewrites the digits that differ from one block to the next: 24 to 29 ns a row. (Two cores of an AMD
EPYC, the client a loop of ``recv_into``; a slow client wakes the sender more often, and then it is
50.)

It serves one connection after another on 127.0.0.1, each with all the rows from the first one on,
and ends with the last. A client's pings are answered between blocks. On stdout, as JSON lines:

``{"listening": port}``, ``{"connected": seconds since the epoch}``
``{"sent": rows, "seconds": …, "cpu_seconds": …, "complete": …}``
    a connection has ended: after all rows and a close frame 1000 (``complete`` is true), or because
    the client has left (then ``sent`` counts the blocks handed over whole). The seconds are those
    of the sending. The exit status is 0 when all connections were complete, otherwise 1.

Rows come as ``--shape record`` (a message each), ``array50`` (fifty records a message), ``map``
(fifty members of ``{symbol: price}`` a message), or as venues send trades: ``binance`` (a combined
stream), ``finnhub50`` (fifty a message), ``kraken`` (an array). They vary, over 50 symbols, with 52
bytes to a record on average. With ``--numbered`` the volume of row *n* is 1,000,000,000 + *n*, so
that it has ten digits without a leading zero, which JSON forbids, and a test can check that none is
missing; all records are then of one size.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence

FIRST_NUMBER = 1_000_000_000
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
MEMBERS = 50  # of a message with several rows
CLOSE, PING, PONG = 0x8, 0x9, 0xA
CLOSE_1000 = b"\x88\x02\x03\xe8"
CLIENT_TIMEOUT = 30.0  # seconds for the handshake, and from our close frame to the client's end
UNITS = {"ms": 1e-3, "s": 1.0}


def symbols(sizes: Sequence[int]) -> list[str]:
    """A made-up symbol of each size, no two the same, for a map would lose one of them."""
    generator = random.Random(1)
    made: dict[str, None] = {}
    for index, size in enumerate(sizes):
        while len(made) == index:
            made["".join(generator.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=size))] = None
    return list(made)


def records(rows: int, numbered: bool) -> list[tuple[str, str, int]]:
    """Symbol, price and volume of so many rows from the first one on."""
    generator = random.Random(2)
    names = symbols([4] * 50 if numbered else [2] * 3 + [3] * 12 + [4] * 28 + [5] * 7)
    made = []
    for index in range(rows):
        name = names[index % len(names)]
        if numbered:
            made.append((name, f"{generator.uniform(100, 999):.2f}", FIRST_NUMBER + index))
        else:
            price = f"{generator.lognormvariate(6, 1):.2f}"
            made.append((name, price, round(generator.lognormvariate(11.5, 2.5)) + 1))
    return made


def record(symbol: str, price: str, volume: int) -> str:
    """A row as an object."""
    return f'{{"symbol": "{symbol}", "price": {price}, "volume": {volume}}}'


def member(symbol: str, price: str, volume: int) -> str:
    """A row as a member of a map, which has no place for the volume."""
    return f'"{symbol}": {price}'


def binance(symbol: str, price: str, volume: int) -> str:
    """A trade of Binance's combined streams."""
    return (
        f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":1672515782136,"s":"{symbol}"'
        f',"t":{volume},"p":"{price}","q":"{volume}","T":1672515782136,"m":true,"M":true}}}}'
    )


def finnhub(symbol: str, price: str, volume: int) -> str:
    """A trade of Finnhub's, of which a message has several."""
    return f'{{"c":["1"],"p":{price},"s":"{symbol}","t":1575526691134,"v":{volume}}}'


def kraken(symbol: str, price: str, volume: int) -> str:
    """A trade of Kraken's, version 1, of which a message has one here."""
    return f'[337,[["{price}","{volume}","1534614057.321597","s","l",""]],"trade","{symbol}/USD"]'


Row = Callable[[str, str, int], str]
SHAPES: dict[str, tuple[Row, str, str]] = {
    "record": (record, "", ""),
    "array50": (record, "[", "]"),
    "map": (member, "{", "}"),
    "binance": (binance, "", ""),
    "finnhub50": (finnhub, '{"data":[', '],"type":"trade"}'),
    "kraken": (kraken, "", ""),
}
"""A row's text, and what stands around fifty of them; nothing where a message has one."""


def members(shape: str) -> int:
    """Rows in a message."""
    return MEMBERS if SHAPES[shape][1] else 1


def frames(made: Sequence[tuple[str, str, int]], shape: str) -> list[bytes]:
    """The rows as text frames."""
    row, opening, closing = SHAPES[shape]
    parts = [row(*each) for each in made]
    groups = (parts[at : at + members(shape)] for at in range(0, len(parts), members(shape)))
    return [frame(opening + ", ".join(group) + closing) for group in groups]


def frame(text: str) -> bytes:
    """A text frame, unmasked, of less than 64 KiB (RFC 6455, section 5.2)."""
    payload = text.encode()
    if len(payload) < 126:
        return struct.pack("!BB", 0x81, len(payload)) + payload
    return struct.pack("!BBH", 0x81, 126, len(payload)) + payload


def blocks(rows: int, block: int, shape: str, numbered: bool) -> Iterator[tuple[bytearray, int]]:
    """What to send, with the number of rows in each piece; the last piece may be a smaller one."""
    made = records(min(rows, block), numbered)
    piece = bytearray().join(frames(made, shape))
    if numbered and rows >= block:
        yield from numbered_blocks(piece, members(shape), rows, block)
    else:
        for _ in range(rows // block):
            yield piece, block
    if rest := rows % block:
        last = frames(
            [
                (symbol, price, volume + (rows - rest if numbered else 0))
                for symbol, price, volume in made[:rest]
            ],
            shape,
        )
        yield bytearray().join(last), rest


def numbered_blocks(
    piece: bytearray, per_frame: int, rows: int, block: int
) -> Iterator[tuple[bytearray, int]]:
    """Whole blocks: one buffer, in which only the digits are rewritten that have changed.

    A block is a power of ten, so that the digits above it are the same in all of its rows. Frames
    are all of one size, so that one slice with a step reaches a digit in all of them.

    :param per_frame: rows in a frame.
    """
    count = block // per_frame
    size = len(piece) // count
    places = [
        piece.index(str(FIRST_NUMBER + index).encode(), 0, size) for index in range(per_frame)
    ]
    before = str(FIRST_NUMBER)
    for first in range(FIRST_NUMBER, FIRST_NUMBER + rows - rows % block, block):
        number = str(first)
        for digit, (old, new) in enumerate(zip(before, number, strict=True)):
            if old != new:
                for place in places:
                    piece[place + digit :: size] = new.encode() * count
        before = number
        yield piece, block


class Client:
    """A connection after its handshake. What a client sends is pings, and word that it leaves."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(CLIENT_TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self.left = False
        request = b""
        while b"\r\n\r\n" not in request:
            data = sock.recv(65536)
            if not data:
                raise ConnectionError("the client left in its handshake")
            request += data
        head, _, self.received = request.partition(b"\r\n\r\n")
        (key,) = (
            line.partition(b":")[2].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def listen(self, seconds: float) -> None:
        """Answer pings for so long, or until the client leaves. Zero: those that have come."""
        deadline = time.monotonic() + seconds
        while not self.left:
            remaining = max(0.0, deadline - time.monotonic())
            if not select.select([self.socket], [], [], remaining)[0]:
                return
            data = self.socket.recv(65536)
            self.left = not data
            self.received += data
            self.answer()

    def answer(self) -> None:
        """Answer the frames that have come."""
        for opcode, payload in self.take_frames():
            if opcode == PING:
                self.socket.sendall(bytes((0x80 | PONG, len(payload))) + payload)
            elif opcode == CLOSE:
                self.left = True

    def take_frames(self) -> Iterator[tuple[int, bytes]]:
        """Take whole frames off ``received``: opcode and unmasked payload of each.

        :raises ConnectionError: one has more than the 125 bytes that a control frame may have.
        """
        while len(self.received) >= 6:
            size = self.received[1] & 0x7F
            if size > 125:
                raise ConnectionError("the client has sent a message; a feed takes none")
            end = 6 + size
            if len(self.received) < end:
                return
            opcode, mask = self.received[0] & 0x0F, self.received[2:6]
            payload = bytes(
                byte ^ mask[index % 4] for index, byte in enumerate(self.received[6:end])
            )
            self.received = self.received[end:]
            yield opcode, payload


def send(
    client: Client, pieces: Iterator[tuple[bytearray, int]], burst_rows: int, pause: float
) -> int:
    """Send the pieces; return how many rows were handed over in whole pieces."""
    sendall, listen = client.socket.sendall, client.listen
    sent = 0
    client.socket.settimeout(None)  # a client may stop reading for as long as it wants to
    try:
        for piece, rows in pieces:
            sendall(piece)
            sent += rows
            listen(pause if pause and sent % burst_rows == 0 else 0)
            if client.left:
                break
    except ConnectionError:
        client.left = True
    return sent


def serve(client: Client, options: argparse.Namespace) -> bool:
    """Send all rows to one client. Return whether it has taken them all."""
    pieces = blocks(options.rows, options.block, options.shape, options.numbered)
    started, cpu_started = time.monotonic(), time.process_time()
    sent = send(client, pieces, options.burst_rows, options.pause)
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
    complete: bool = sent == options.rows
    with contextlib.suppress(OSError):  # it may have read enough, and left
        client.socket.settimeout(CLIENT_TIMEOUT)
        client.socket.sendall(CLOSE_1000)
        client.listen(CLIENT_TIMEOUT)
    say(sent=sent, seconds=round(seconds, 6), cpu_seconds=round(cpu_seconds, 6), complete=complete)
    return complete


def say(**event: object) -> None:
    """Write one JSON line."""
    print(json.dumps(event), flush=True)


def duration(text: str) -> float:
    """Seconds in a text such as ``50ms`` or ``0s``."""
    for unit, length in UNITS.items():
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * length
    raise argparse.ArgumentTypeError(f"{text!r} has no unit; write for example 50ms or 0s")


def parse_arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(prog="python -m bench.burst")
    parser.add_argument("--rows", type=int, default=20_000_000, help="for each connection")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--block", type=int, default=10_000, help="rows in a sendall")
    parser.add_argument("--shape", choices=tuple(SHAPES), default="record")
    parser.add_argument("--numbered", action="store_true", help="volumes count up")
    parser.add_argument("--pause", type=duration, default=0.0, help="after each burst, such as 5ms")
    parser.add_argument("--burst-rows", type=int, default=0, help="0: a block")
    parser.add_argument("--connections-served", type=int, default=1, help="one after another")
    options = parser.parse_args()
    options.burst_rows = options.burst_rows or options.block
    if options.block < 1 or options.block % members(options.shape):
        parser.error(f"--block must be a multiple of {MEMBERS} for this shape")
    if options.burst_rows % options.block:
        parser.error("--burst-rows must be a multiple of --block")
    if options.numbered and options.shape in ("map", "binance"):
        parser.error("this shape has no volume to number, or has it twice")
    if options.numbered and str(options.block).strip("0") != "1":
        parser.error("--block must be a power of ten for --numbered")
    return options


def main() -> int:
    """Serve the connections; return the exit status."""
    options = parse_arguments()
    complete = True
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        say(listening=listener.getsockname()[1])
        for _ in range(options.connections_served):
            sock, _ = listener.accept()
            with sock:
                client = Client(sock)
                say(connected=time.time())
                complete &= serve(client, options)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
