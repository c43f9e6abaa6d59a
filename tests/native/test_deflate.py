"""Compressed feeds, from servers: one that does what it is told, and the ``websockets`` library."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from fastingest.metrics.counters import Slot
from fastingest.model.feed import Subscription
from fastingest.model.message_conditions import parse_message_condition
from tests.peers.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawConnection, RawServer
from tests.support.meeting import Met, meet, record

HEADER = "Sec-WebSocket-Extensions"


class Deflating:
    """Compresses messages, as a server does that keeps its window."""

    def __init__(self) -> None:
        self._compress = zlib.compressobj(wbits=-15)

    def __call__(self, message: bytes) -> bytes:
        return (self._compress.compress(message) + self._compress.flush(zlib.Z_SYNC_FLUSH))[:-4]


def shake_hands(peer: RawConnection, answer: str = "permessage-deflate") -> Deflating:
    peer.handshake({HEADER: answer})
    return Deflating()


def close_code(peer: RawConnection) -> int:
    while (received := peer.recv_frame()) is not None:
        if received[0] == CLOSE:
            (code,) = struct.unpack_from("!H", received[1])
            return int(code)
    raise AssertionError("the client has left without a close frame")


def met_by(script: Callable[[RawConnection], None], until: Callable[[Met], bool]) -> Met:
    with RawServer(script, RawConnection.stall) as server:
        met = meet(server.url, until, compression="deflate", options={"max_message_size": 1000})
    assert server.errors == []
    return met


def test_it_is_offered_when_it_is_asked_for_and_only_then() -> None:
    offers: list[str | None] = []

    def script(peer: RawConnection) -> None:
        peer.handshake()
        offers.append(peer.headers.get(HEADER.lower()))
        peer.send_text(record(1))
        peer.recv_frame()

    for compression in ("off", "deflate"):
        with RawServer(script) as server:
            met = meet(server.url, lambda met: bool(met.volumes), compression=compression)
        assert met.volumes == [1]
    assert offers == [None, "permessage-deflate; client_max_window_bits"]


def test_messages_of_all_shapes_are_inflated() -> None:
    def script(peer: RawConnection) -> None:
        deflate = shake_hands(peer, "permessage-deflate; server_max_window_bits=15")
        peer.send_frame(TEXT, deflate(record(0)), rsv=4)
        peer.send_frame(TEXT, record(1))  # a server may leave one as it is
        peer.send_frame(BINARY, deflate(record(2)), rsv=4)
        data = deflate(record(3))
        peer.send_frame(TEXT, data[:3], fin=False, rsv=4)
        peer.send_frame(PING, b"in between")
        for byte in data[3:]:
            peer.send_frame(CONTINUATION, bytes([byte]), fin=False)
            peer.send_frame(PONG)
        peer.send_frame(CONTINUATION)
        peer.send_frame(TEXT, record(4)[:9], fin=False)
        peer.send_frame(CONTINUATION, record(4)[9:])
        peer.send_frame(TEXT, deflate(b"no row"), rsv=4)
        peer.send_frame(TEXT, deflate(record(5)), rsv=4)
        assert peer.recv_frame() == (PONG, b"in between", True)
        peer.stall()

    met = met_by(script, lambda met: len(met.volumes) >= 6)
    assert met.volumes == list(range(6))
    assert met.rejects == [b"no row"]


def test_frames_byte_by_byte() -> None:
    def script(peer: RawConnection) -> None:
        deflate = shake_hands(peer)
        for number in range(3):
            for opcode, payload, rsv in (
                (TEXT, deflate(record(2 * number)), 4),
                (TEXT, record(2 * number + 1), 0),
            ):
                head = bytes([0x80 | rsv << 4 | opcode, len(payload)])
                for byte in head + payload:
                    peer.send_raw(bytes([byte]))
        peer.stall()

    met = met_by(script, lambda met: len(met.volumes) >= 6)
    assert met.volumes == list(range(6))


def test_a_reply_may_be_compressed() -> None:
    def script(peer: RawConnection) -> None:
        deflate = shake_hands(peer)
        assert peer.recv_frame() == (TEXT, b"first", True)
        peer.send_frame(TEXT, deflate(record(1)), rsv=4)
        peer.send_frame(TEXT, deflate(b'{"id": 1}'), rsv=4)
        assert peer.recv_frame() == (TEXT, b"second", True)
        peer.send_frame(TEXT, deflate(record(2)), rsv=4)
        peer.stall()

    with RawServer(script) as server:
        met = meet(
            server.url,
            lambda met: len(met.volumes) >= 2,
            compression="deflate",
            subscriptions=(
                Subscription("first", (parse_message_condition("id=1"),)),
                Subscription("second"),
            ),
        )
    assert server.errors == []
    assert (met.volumes, met.rejects, met.counters[Slot.IGNORED]) == ([1, 2], [], 1)


@pytest.mark.parametrize(
    "answer", ["x-custom", "permessage-deflate; server_max_window_bits=16", "permessage-deflate; x"]
)
@pytest.mark.parametrize("compression", ["off", "deflate"])
def test_a_wrong_answer_fails_the_handshake(compression: str, answer: str) -> None:
    def script(peer: RawConnection) -> None:
        shake_hands(peer, answer)
        peer.send_text(record(1))
        peer.recv_frame()

    with RawServer(script) as server:
        met = meet(server.url, lambda met: len(met.reasons) >= 2, compression=compression)
    assert server.errors == []
    assert met.reasons[0].startswith("the opening handshake failed: the server")
    assert (met.connected, met.volumes) == (0, [])


def _bomb(peer: RawConnection, deflate: Deflating) -> None:
    peer.send_frame(TEXT, deflate(bytes(10**6)), rsv=4)


def _split_bomb(peer: RawConnection, deflate: Deflating) -> None:
    data = deflate(bytes(900_000))
    peer.send_frame(TEXT, data[:100], fin=False, rsv=4)
    peer.send_frame(CONTINUATION, data[100:])


def _garbage(peer: RawConnection, deflate: Deflating) -> None:
    peer.send_frame(TEXT, b"\xff\xff\xff\xff", rsv=4)


def _garbage_split(peer: RawConnection, deflate: Deflating) -> None:
    peer.send_frame(BINARY, b"\xff\xff", fin=False, rsv=4)
    peer.send_frame(CONTINUATION, b"\xff\xff")


def _deflated_continuation(peer: RawConnection, deflate: Deflating) -> None:
    peer.send_frame(TEXT, record(90)[:5], fin=False)
    peer.send_frame(CONTINUATION, deflate(record(90)[5:]), rsv=4)


@pytest.mark.parametrize(
    ("misbehave", "code"),
    [
        (_bomb, 1009),
        (_split_bomb, 1009),
        (_garbage, 1007),
        (_garbage_split, 1007),
        (_deflated_continuation, 1002),
        (lambda peer, deflate: peer.send_frame(PING, b"x", rsv=4), 1002),
        (lambda peer, deflate: peer.send_frame(BINARY, record(90), rsv=2), 1002),
        (lambda peer, deflate: peer.send_frame(TEXT, record(90), rsv=1), 1002),
    ],
)
def test_a_broken_message_closes_with_its_code_and_costs_no_other_row(
    misbehave: Callable[[RawConnection, Deflating], None], code: int
) -> None:
    codes: list[int] = []

    def script(peer: RawConnection) -> None:
        deflate = shake_hands(peer)
        peer.send_frame(TEXT, deflate(record(1)), rsv=4)
        peer.send_frame(TEXT, deflate(record(2)), rsv=4)
        misbehave(peer, deflate)
        with contextlib.suppress(OSError):
            peer.send_text(record(91))  # comes too late, or never
        codes.append(close_code(peer))

    met = met_by(script, lambda met: bool(met.reasons and codes))
    assert codes == [code]
    assert met.reasons[0].startswith(f"closed with code {code}: ")
    assert (met.volumes, met.rejects) == ([1, 2], [])


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_compressed_message_that_nobody_agreed_to_breaks_the_protocol(opcode: int) -> None:
    codes: list[int] = []

    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_frame(opcode, Deflating()(record(90)), rsv=4)
        codes.append(close_code(peer))

    with RawServer(script, RawConnection.stall) as server:
        met = meet(server.url, lambda met: bool(met.reasons and codes))
    assert server.errors == []
    assert codes == [1002]
    assert met.reasons == ["closed with code 1002: a frame has a reserved bit set"]
    assert met.rejects == []


def test_many_large_messages_in_a_small_read_do_not_wait_together() -> None:
    """100 MB in some 100 KB: they are decoded, and so given up, as they are inflated."""
    message = b'{"symbol": "A", "price": 1, "volume": 7}' + b" " * 10**6

    def script(peer: RawConnection) -> None:
        deflate = shake_hands(peer)
        peer.send_raw(
            b"".join(
                struct.pack("!BBH", 0xC1, 126, len(data)) + data
                for data in (deflate(message) for _ in range(100))
            )
        )
        peer.stall()

    tracemalloc.start()
    with RawServer(script) as server:
        met = meet(server.url, lambda met: len(met.volumes) >= 100, compression="deflate")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert met.volumes == [7] * 100
    assert peak < 30 * 10**6


@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("bits", [9, 12, 15])
def test_what_the_websockets_library_sends_is_read(takeover: bool, bits: int) -> None:
    count = 500
    port: list[int] = []
    listening, over = threading.Event(), threading.Event()

    async def send(connection: ServerConnection) -> None:
        assert connection.protocol.extensions
        for number in range(count):
            await connection.send(record(number).decode())
        await connection.wait_closed()

    async def run() -> None:
        factory = ServerPerMessageDeflateFactory(
            server_no_context_takeover=not takeover, server_max_window_bits=bits
        )
        async with serve(send, "127.0.0.1", 0, extensions=[factory], compression=None) as server:
            port.append(next(iter(server.sockets)).getsockname()[1])
            listening.set()
            await asyncio.get_running_loop().run_in_executor(None, over.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert listening.wait(10)
        url = f"ws://127.0.0.1:{port[0]}/"
        met = meet(url, lambda met: len(met.volumes) >= count, compression="deflate")
    finally:
        over.set()
        thread.join()
    assert met.volumes == list(range(count))
    assert met.reasons == []
