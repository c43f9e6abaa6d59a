"""The listener under picows and a real socket: frames in, batches out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import picows
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.batch import Batch
from fastingest.counters import Counters, FeedCounters, Slot
from fastingest.receiver.listener import Limit, Listener
from fastingest.receiver.loop import ReceiverLoop
from fastingest.receiver.plain import PlainDecoder
from fastingest.schema import TRADES
from tests.peers.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawConnection,
    RawServer,
    frame,
)


@dataclass
class Heard:
    """What came of a connection."""

    batches: list[Batch] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters.create)
    finished: int = 0
    error: BaseException | None = None

    @property
    def volumes(self) -> list[Any]:
        return [v for batch in self.batches if batch.rows for v in batch.columns()[2]]

    @property
    def rejects(self) -> list[bytes]:
        return [reject.raw for batch in self.batches for reject in batch.rejects]


def record(number: int, padding: int = 0) -> bytes:
    return b'{"symbol": "A", "price": 1, "volume": %d}' % number + b" " * padding


def listen(
    *sends: bytes,
    batch_size: int = 1000,
    flush_interval: float = 3600,
    max_message_size: int = 10_000,
    max_rows: int | None = None,
    until: Callable[[Heard], bool] | None = None,
) -> Heard:
    """Hear what a server sends, each part in a segment of its own, until it ends the connection.

    :param until: the server ends it when this holds; None: after the last part.
    """
    heard = Heard()

    def script(connection: RawConnection) -> None:
        connection.handshake()
        for part in sends:
            connection.send_raw(part)
        if until is None:
            connection.drop()
        else:
            connection.stall()

    async def run(url: str) -> None:
        def finish() -> None:
            heard.finished += 1

        listener = Listener(
            PlainDecoder([TRADES], batch_size),
            FeedCounters([heard.counters]),
            emit=heard.batches.append,
            finished=finish,
            flush_interval=flush_interval,
            max_message_size=max_message_size,
            limit=Limit(max_rows),
        )
        transport, _ = await picows.ws_connect(
            lambda: listener,
            url,
            enable_auto_pong=False,
            max_frame_size=max_message_size,
            use_aiofastnet=False,
        )
        while until is not None and not until(heard):
            await asyncio.sleep(0.001)  # between two looks
        if until is not None:
            transport.disconnect()
        try:
            await transport.wait_disconnected()
        except picows.WSError as error:
            heard.error = error

    with RawServer(script) as server, asyncio.Runner(loop_factory=ReceiverLoop) as runner:
        runner.run(asyncio.wait_for(run(server.url), 30))
    assert server.errors == []
    assert heard.counters[Slot.RECEIVED] == len(heard.volumes) + len(heard.rejects)
    assert heard.counters[Slot.REJECTED] == len(heard.rejects)
    return heard


_PIECES = [
    frame(TEXT, record(0)),
    frame(BINARY, record(1, padding=200)),
    frame(PING, b"x") + frame(PONG, record(99)),
    frame(TEXT, record(2)[:5], fin=False) + frame(PONG) + frame(CONTINUATION, record(2)[5:]),
    frame(TEXT, b"", fin=False)
    + frame(CONTINUATION, b"", fin=False)
    + frame(CONTINUATION, record(3)),
    frame(TEXT, b"no row"),
    frame(TEXT, b"[" + record(4) + b"," + record(5) + b"]"),
]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, sum(map(len, _PIECES))), max_size=6))
def test_it_does_not_matter_how_frames_are_cut_into_segments(cuts: list[int]) -> None:
    data = b"".join(_PIECES)
    ends = [*sorted(cuts), len(data)]
    parts = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    heard = listen(*filter(None, parts))
    assert heard.volumes == list(range(6))
    assert heard.rejects == [b"no row"]
    assert heard.counters[Slot.MESSAGES] == heard.counters[Slot.DECODED] == 6
    assert heard.error is None


def test_frames_byte_by_byte() -> None:
    heard = listen(*(bytes([byte]) for byte in b"".join(_PIECES)))
    assert heard.volumes == list(range(6))


def test_a_batch_is_closed_when_it_is_full() -> None:
    rows = b"".join(frame(TEXT, record(number)) for number in range(2500))
    heard = listen(rows, until=lambda heard: len(heard.batches) >= 2)
    assert [batch.rows for batch in heard.batches] == [1000, 1000, 500]  # the last at the end
    assert heard.volumes == list(range(2500))


def test_a_batch_is_closed_when_its_oldest_row_is_too_old() -> None:
    heard = listen(
        frame(TEXT, record(1)), flush_interval=0.01, until=lambda heard: bool(heard.batches)
    )
    assert heard.volumes == [1]


def test_rejects_do_not_wait_longer_than_rows() -> None:
    heard = listen(frame(TEXT, b"no"), flush_interval=0.01, until=lambda heard: bool(heard.batches))
    assert (heard.volumes, heard.rejects) == ([], [b"no"])


def test_what_waits_to_be_decoded_is_bounded() -> None:
    """Many small reads, and few large ones; nothing would make it decode but the bounds."""
    for size, count in ((0, 1100), (9000, 40)):
        parts = [frame(TEXT, record(number, size)) for number in range(count)]
        heard = listen(*parts, until=lambda heard: heard.counters[Slot.RECEIVED] > 0)
        assert heard.volumes == list(range(count))[: len(heard.volumes)]
        assert len(heard.volumes) > 0


@pytest.mark.parametrize("count", [1, 31, 32, 33, 500])
def test_max_rows_are_taken_and_no_more(count: int) -> None:
    rows = b"".join(frame(TEXT, record(number)) for number in range(1000))
    heard = listen(rows, rows, max_rows=count, until=lambda heard: heard.finished > 0)
    assert heard.volumes == list(range(count))
    assert heard.finished == 1


def test_half_a_message_at_the_end_is_none() -> None:
    heard = listen(frame(TEXT, record(1)), frame(TEXT, record(2), fin=False), b"\x81\x20abc")
    assert heard.volumes == [1]
    assert heard.rejects == []


def test_a_refused_frame_is_not_taken_when_it_is_whole() -> None:
    large = frame(TEXT, b'{"symbol": "' + b"x" * 20_000 + b'", "price": 1, "volume": 2}')
    heard = listen(frame(TEXT, record(1)) + large[:100], large[100:] + frame(TEXT, record(3)))
    assert heard.volumes == [1]
    assert isinstance(heard.error, picows.WSProtocolError)
    assert heard.error.code == picows.WSCloseCode.MESSAGE_TOO_BIG


def test_rows_before_a_close_frame_are_taken_and_none_after_it() -> None:
    heard = listen(
        frame(TEXT, record(1)) + frame(CLOSE, b"\x03\xe8") + frame(TEXT, record(2)),
        frame(TEXT, record(3)),
    )
    assert heard.volumes == [1]


def test_the_rows_of_a_read_have_its_time() -> None:
    heard = listen(b"".join(frame(TEXT, record(number)) for number in range(10)))
    (batch,) = heard.batches
    assert len(batch.stamps) <= 2  # the kernel may have cut it in two
    assert batch.stamps[-1][0] == 10
    assert all(time > 1_700_000_000 * 10**9 for _, time in batch.stamps)
