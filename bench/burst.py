"""The load generator: a server that sends ready-made frames as fast as a client takes them.

    python -m bench.burst --rows 20000000

A benchmark of a receiver measures the sender instead, unless the sender is far the faster one.
This one encodes a block of frames once and calls ``sendall`` with it again and again, on a plain
blocking socket: 14 to 24 ns of CPU a row, nearly all of it the kernel's copying. ``--numbered``
rewrites the digits that differ from one block to the next: 24 to 29 ns a row. (Two cores of an AMD
EPYC, the client a loop of ``recv_into``; a slow client wakes the sender more often, and then it is
50.)

It serves one connection after another on 127.0.0.1, each with all the rows from the first one on,
and ends with the last. With ``--together N`` it waits for N of them, and serves these at once, a
thread for each, which costs little: ``sendall`` holds no lock. A client's pings are answered
between blocks. With ``--rate`` a block is sent when it is due; one that is late, for a client was
slow, is sent at once, so that the rate holds on the whole. On stdout, as JSON lines:

``{"listening": port}``, ``{"connected": seconds since the epoch}``
``{"sent": rows, "seconds": …, "cpu_seconds": …, "complete": …}``
    a connection has ended: after all rows and a close frame 1000 (``complete`` is true), or because
    the client has left (then ``sent`` counts the blocks handed over whole). The seconds are those
    of the sending. The exit status is 0 when all connections were complete, otherwise 1.

What the rows are, as ``--shape`` says, is in :mod:`bench.frames`. ``--columns`` and ``--padding``
make a record larger; with much padding, ``--block`` should be smaller, since a block is in memory.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

from bench.frames import FIRST_NUMBER, MEMBERS, SHAPES, blocks, members, records

__all__ = [
    "CLIENT_TIMEOUT",
    "CLOSE",
    "CLOSE_1000",
    "FIRST_NUMBER",
    "PING",
    "PONG",
    "Client",
    "blocks",
    "records",
    "say",
]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
CLOSE, PING, PONG = 0x8, 0x9, 0xA
CLOSE_1000 = b"\x88\x02\x03\xe8"
CLIENT_TIMEOUT = 30.0  # seconds for the handshake, and from our close frame to the client's end
UNITS = {"ms": 1e-3, "s": 1.0}


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


def waits(options: argparse.Namespace) -> Callable[[int], float]:
    """Tells how many seconds to wait when so many rows were sent since now."""
    if options.rate:
        started = time.monotonic()
        return lambda sent: started + sent / options.rate - time.monotonic()
    if options.pause:
        return lambda sent: 0.0 if sent % options.burst_rows else options.pause
    return lambda sent: 0.0


def send(
    client: Client, pieces: Iterator[tuple[bytearray, int]], wait: Callable[[int], float]
) -> int:
    """Send the pieces; return how many rows were handed over in whole pieces."""
    sendall, listen = client.socket.sendall, client.listen
    sent = 0
    client.socket.settimeout(None)  # a client may stop reading for as long as it wants to
    try:
        for piece, rows in pieces:
            sendall(piece)
            sent += rows
            listen(wait(sent))
            if client.left:
                break
    except ConnectionError:
        client.left = True
    return sent


def serve(client: Client, options: argparse.Namespace) -> bool:
    """Send all rows to one client. Return whether it has taken them all."""
    pieces = blocks(
        options.rows,
        options.block,
        options.shape,
        options.numbered,
        columns=options.columns,
        padding=options.padding,
    )
    started, cpu_started = time.monotonic(), time.thread_time()
    sent = send(client, pieces, waits(options))
    seconds, cpu_seconds = time.monotonic() - started, time.thread_time() - cpu_started
    complete: bool = sent == options.rows
    with contextlib.suppress(OSError):  # it may have read enough, and left
        client.socket.settimeout(CLIENT_TIMEOUT)
        client.socket.sendall(CLOSE_1000)
        client.listen(CLIENT_TIMEOUT)
    say(sent=sent, seconds=round(seconds, 6), cpu_seconds=round(cpu_seconds, 6), complete=complete)
    return complete


def serve_together(clients: list[Client], options: argparse.Namespace) -> bool:
    """Send all rows to each of the clients. Return whether all have taken them."""
    complete = [False] * len(clients)

    def serve_one(index: int) -> None:
        complete[index] = serve(clients[index], options)

    threads = [threading.Thread(target=serve_one, args=(index,)) for index in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return all(complete)


def say(**event: object) -> None:
    """Write one JSON line, whole, whatever other threads write."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


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
    parser.add_argument("--rate", type=float, default=0.0, help="rows a second of a connection")
    parser.add_argument("--columns", type=int, default=3, help="members of a record, 3 or more")
    parser.add_argument("--padding", type=int, default=0, help="letters of one member more")
    parser.add_argument("--connections-served", type=int, default=1, help="one after another")
    parser.add_argument("--together", type=int, default=1, help="of these, so many at once")
    options = parser.parse_args()
    options.burst_rows = options.burst_rows or options.block
    if options.block < 1 or options.block % members(options.shape):
        parser.error(f"--block must be a multiple of {MEMBERS} for this shape")
    if options.burst_rows % options.block:
        parser.error("--burst-rows must be a multiple of --block")
    if options.columns < 3 or (options.columns > 3 and options.numbered):
        parser.error("--columns must be 3 or more, and with --numbered it must be 3")
    if (options.columns > 3 or options.padding) and options.shape != "record":
        parser.error("only a record can have more columns or padding")
    if options.rate and options.pause:
        parser.error("either --rate or --pause, not both")
    if options.together < 1 or options.connections_served % options.together:
        parser.error("--connections-served must be a multiple of --together")
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
        for _ in range(options.connections_served // options.together):
            with contextlib.ExitStack() as sockets:
                clients = []
                for _ in range(options.together):
                    clients.append(Client(sockets.enter_context(listener.accept()[0])))
                    say(connected=time.time())
                complete &= serve_together(clients, options)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
