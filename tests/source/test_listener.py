"""The listeners under picows and a real socket: frames in, batches out."""

from __future__ import annotations

from itertools import pairwise

import picows
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.metrics.counters import Slot
from fastingest.source import listener
from tests.peers.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from tests.support.hearing import Heard, Listen, hear, native_parser, record


def test_what_came_before_a_ping_is_counted_before_that_is_answered(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    counts = []

    def answer(transport: picows.WSTransport, payload: bytes) -> None:
        slots = (Slot.MESSAGES, Slot.DECODED, Slot.RECEIVED)
        counts.append((payload, *(heard.counters[slot] for slot in slots)))

    monkeypatch.setattr(listener, "answer_ping", answer)
    texts = [frame(TEXT, record(number)) for number in range(5)]
    more = frame(TEXT, record(5)) + frame(TEXT, b"no row") + frame(PING, b"b")
    listen(b"".join(texts) + frame(PING, b"a") + more, heard=heard)
    assert counts == [(b"a", 5, 5, 5), (b"b", 7, 7, 7)]
    assert heard.volumes == list(range(6))


def test_a_ping_behind_the_last_row_that_is_wanted_is_not_answered(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = []
    monkeypatch.setattr(listener, "answer_ping", lambda *_: answered.append(1))
    heard = listen(frame(TEXT, record(0)) + frame(PING), max_rows=1)
    assert (heard.volumes, heard.finished, answered) == ([0], 1, [])


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


@settings(max_examples=25)
@given(st.lists(st.integers(0, sum(map(len, _PIECES))), max_size=6))
def test_it_does_not_matter_how_frames_are_cut_into_segments(
    listen: Listen, cuts: list[int]
) -> None:
    data = b"".join(_PIECES)
    ends = [*sorted(cuts), len(data)]
    parts = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    heard = listen(*filter(None, parts))
    assert heard.volumes == list(range(6))
    assert heard.rejects == [b"no row"]
    assert heard.counters[Slot.MESSAGES] == heard.counters[Slot.DECODED] == 6
    assert heard.error is None


def test_frames_byte_by_byte(listen: Listen) -> None:
    heard = listen(*(bytes([byte]) for byte in b"".join(_PIECES)))
    assert heard.volumes == list(range(6))


def test_a_batch_is_closed_when_it_is_full(listen: Listen) -> None:
    rows = b"".join(frame(TEXT, record(number)) for number in range(2500))
    heard = listen(rows, until=lambda heard: len(heard.batches) >= 2)
    assert [batch.rows for batch in heard.batches] == [1000, 1000, 500]  # the last at the end
    assert heard.volumes == list(range(2500))


def test_a_batch_is_closed_when_its_oldest_row_is_too_old(listen: Listen) -> None:
    heard = listen(
        frame(TEXT, record(1)), flush_interval=0.01, until=lambda heard: bool(heard.batches)
    )
    assert heard.volumes == [1]


def test_rejects_do_not_wait_longer_than_rows(listen: Listen) -> None:
    heard = listen(frame(TEXT, b"no"), flush_interval=0.01, until=lambda heard: bool(heard.batches))
    assert (heard.volumes, heard.rejects) == ([], [b"no"])


def test_what_waits_to_be_decoded_is_bounded(listen: Listen) -> None:
    """Many small reads, and few large ones; nothing would make it decode but the bounds."""
    for size, count in ((0, 1100), (9000, 40)):
        parts = [frame(TEXT, record(number, size)) for number in range(count)]
        heard = listen(*parts, until=lambda heard: heard.counters[Slot.RECEIVED] > 0)
        assert heard.volumes == list(range(count))[: len(heard.volumes)]
        assert len(heard.volumes) > 0


@pytest.mark.parametrize("count", [1, 31, 32, 33, 500])
def test_max_rows_are_taken_and_no_more(listen: Listen, count: int) -> None:
    rows = b"".join(frame(TEXT, record(number)) for number in range(1000))
    heard = listen(rows, rows, max_rows=count, until=lambda heard: heard.finished > 0)
    assert heard.volumes == list(range(count))
    assert heard.finished == 1


def test_half_a_message_at_the_end_is_none(listen: Listen) -> None:
    heard = listen(frame(TEXT, record(1)), frame(TEXT, record(2), fin=False), b"\x81\x20abc")
    assert heard.volumes == [1]
    assert heard.rejects == []


def test_a_refused_frame_is_not_taken_when_it_is_whole(listen: Listen) -> None:
    large = frame(TEXT, b'{"symbol": "' + b"x" * 20_000 + b'", "price": 1, "volume": 2}')
    heard = listen(frame(TEXT, record(1)) + large[:100], large[100:] + frame(TEXT, record(3)))
    assert heard.volumes == [1]
    assert isinstance(heard.error, picows.WSProtocolError)
    assert heard.error.code == picows.WSCloseCode.MESSAGE_TOO_BIG


def test_rows_before_a_close_frame_are_taken_and_none_after_it(listen: Listen) -> None:
    heard = listen(
        frame(TEXT, record(1)) + frame(CLOSE, b"\x03\xe8") + frame(TEXT, record(2)),
        frame(TEXT, record(3)),
    )
    assert heard.volumes == [1]


def test_the_rows_of_a_read_have_its_time(listen: Listen) -> None:
    heard = listen(b"".join(frame(TEXT, record(number)) for number in range(10)))
    (batch,) = heard.batches
    assert len(batch.stamps) <= 2  # the kernel may have cut it in two
    assert batch.stamps[-1][0] == 10
    assert all(time > 1_700_000_000 * 10**9 for _, time in batch.stamps)


_MESSAGES = st.sampled_from(
    [
        *(record(number) for number in range(10)),
        b'{"symbol": "A", "price": "1.25", "volume": 0.5}',
        b"[" + record(11) + b", " + record(12) + b"]",
        b"[" + record(13) + b', {"price": 1}]',
        b'{"AAPL": 145.67, "MSFT": 289.12}',
        '{"symbol": "\u00e9", "price": 1.5, "volume": 123456789012345678901}'.encode(),
        b"no row at all, though long enough",
        b"",
    ]
)


@settings(max_examples=40)
@given(
    st.lists(_MESSAGES, max_size=60),
    st.lists(st.integers(0, 2000), max_size=8),
    st.lists(st.integers(0, 3000), max_size=4),
    st.integers(1, 40),
)
def test_both_listeners_make_the_same_of_any_messages_however_they_are_cut(
    messages: list[bytes], splits: list[int], cuts: list[int], batch_size: int
) -> None:
    """Cut into frames at the first places, and into segments at the others."""
    data, at = b"", 0
    for message in messages:
        inside = [each - at for each in sorted(set(splits)) if at < each < at + len(message)]
        pieces = [message[a:b] for a, b in pairwise([0, *inside, len(message)])]
        for index, piece in enumerate(pieces):
            opcode = CONTINUATION if index else TEXT
            data += frame(opcode, piece, fin=index == len(pieces) - 1)
        at += len(message)
    native_parser()
    ends = [*sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    parts = [data[a:b] for a, b in pairwise([0, *ends]) if a < b]
    one, other = (
        hear(*parts, batch_size=batch_size, max_message_size=100_000, native=native)
        for native in (False, True)
    )
    assert one.rows == other.rows
    assert [(r.raw, r.reason) for r in one.rejected] == [(r.raw, r.reason) for r in other.rejected]
    assert [batch.rows for batch in one.batches if batch.rows] == [
        batch.rows for batch in other.batches if batch.rows
    ]
    for batch in (*one.batches, *other.batches):
        assert [end for end, _ in batch.stamps][-1:] == ([batch.rows] if batch.rows else [])
    assert [one.counters[slot] for slot in _COUNTED] == [other.counters[slot] for slot in _COUNTED]


_COUNTED = (Slot.MESSAGES, Slot.DECODED, Slot.RECEIVED, Slot.REJECTED, Slot.IGNORED, Slot.BLANKED)
