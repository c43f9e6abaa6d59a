"""Documents in messages: found, and read by both listeners under picows and a real socket."""

from __future__ import annotations

import zlib
from itertools import pairwise
from pathlib import Path

import picows
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.metrics.counters import Slot
from fastingest.model.feed import Answer, Feed, Subscription, Table
from fastingest.model.message_conditions import parse_message_condition
from fastingest.source import documents
from fastingest.source.documents import Documents
from tests.peers.raw import BINARY, CONTINUATION, TEXT, RawConnection, RawServer, frame
from tests.support.hearing import Listen, hear, native_parser, record
from tests.support.meeting import meet

LINES = Documents(split="lines")


@pytest.mark.parametrize(
    ("strip", "split", "message", "found"),
    [
        (["42"], "", b'42["trade",{}]', [b'["trade",{}]']),
        (["42"], "", b"2", [b"2"]),
        (["42"], "", b" 42[]", [b" 42[]"]),
        (["42"], "", b"4242[]", [b"42[]"]),
        (["42"], "", b"42", [b""]),
        (["42/t,", "42"], "", b"42/t,[1]", [b"[1]"]),
        (["42", "42/t,"], "", b"42/t,[1]", [b"/t,[1]"]),
        (["\u00e9"], "", b"\xc3\xa9{}\n", [b"{}\n"]),
        ([], "lines", b'{"a":1}\n{"a":2}\n', [b'{"a":1}', b'{"a":2}']),
        ([], "lines", b"{}\r\n\r\n \t{} \n\n5", [b"{}", b"{}", b"5"]),
        ([], "lines", b"{}", [b"{}"]),
        ([], "lines", b"\n \r\n", []),
        ([], "lines", b"", []),
        ([], "records", b"{}\x1e{\n}\x1e", [b"{}", b"{\n}"]),
        ([], "records", b"\x1e{}\n\x1e{}\n", [b"{}", b"{}"]),
        (["a"], "lines", b"a{}\na{}", [b"{}", b"a{}"]),
    ],
)
def test_the_documents_of_a_message(
    strip: list[str], split: str, message: bytes, found: list[bytes]
) -> None:
    assert list(Documents(strip, split)(message)) == found


@given(st.lists(st.sampled_from([b"\n", b" ", b"\r\n", b"{}", b"\x0b", b"5"])).map(b"".join))
def test_a_long_message_has_the_same_documents(message: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_SHORT", 0)
        found = list(LINES(message))
    assert found == list(LINES(message)) == [each for each in _lines(message) if each]


def _lines(message: bytes) -> list[bytes]:
    return [line.strip(b" \t\r\n") for line in message.split(b"\n")]


def test_a_feed_that_says_nothing_has_a_document_in_each_message() -> None:
    feed = Feed("feed", "ws://127.0.0.1/", (Table(Path("rows.csv")),))
    assert Documents.of(feed) is None


def test_each_line_is_a_message(listen: Listen) -> None:
    message = b"\n".join(map(record, range(5))) + b"\r\n\nno row\n" + record(5)
    pieces = [
        frame(TEXT, message),
        frame(BINARY, message),
        frame(TEXT, message[:70], fin=False) + frame(CONTINUATION, message[70:]),
        frame(TEXT, b"\n\n") + frame(TEXT, b""),
    ]
    heard = listen(b"".join(pieces), documents=LINES)
    assert heard.volumes == [*range(6)] * 3
    assert heard.rejects == [b"no row"] * 3
    assert heard.counters[Slot.MESSAGES] == heard.counters[Slot.DECODED] == 3 * 7 + 2
    assert heard.counters[Slot.IGNORED] == 2
    (batch,) = heard.batches
    assert len({time for _, time in batch.stamps}) == 1


def test_without_that_several_lines_are_no_row(listen: Listen) -> None:
    heard = listen(frame(TEXT, record(1) + b"\n" + record(2)))
    assert (heard.volumes, len(heard.rejects)) == ([], 1)


def test_a_prefix_is_cut_off(listen: Listen) -> None:
    texts = [b"42" + record(0), b"2", record(1), b"430" + record(2), b"42" + record(3)]
    both = b"".join(frame(TEXT, text) for text in texts) + frame(BINARY, b"42" + record(4))
    heard = listen(both, documents=Documents(["42"]))
    assert heard.volumes == [0, 1, 3, 4]
    assert heard.rejects == [b"2", b"430" + record(2)]


def test_what_follows_the_rows_that_are_wanted_is_not_taken(listen: Listen) -> None:
    message = b"\n".join(map(record, range(2500)))
    for count in (1, 1000, 1024, 1025, 2400):
        heard = listen(
            frame(TEXT, message) * 2,
            max_rows=count,
            max_message_size=10**6,
            documents=LINES,
            until=lambda heard: heard.finished > 0,
        )
        assert heard.volumes == list(range(count))
        assert heard.finished == 1


def test_many_documents_of_a_message_are_all_taken(listen: Listen) -> None:
    texts = [record(number) if number % 3 else b"no row" for number in range(4000)]
    for kind in (TEXT, BINARY):
        heard = listen(
            frame(kind, b"\n".join(texts)), max_message_size=10**6, documents=LINES, batch_size=999
        )
        assert heard.volumes == [number for number in range(4000) if number % 3]
        assert len(heard.rejects) == 1334
        assert heard.counters[Slot.MESSAGES] == heard.counters[Slot.DECODED] == 4000


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_of_a_message_that_is_too_large_nothing_is_taken(listen: Listen, kind: int) -> None:
    large = frame(kind, b"\n".join(map(record, range(1000))))
    heard = listen(
        frame(TEXT, record(1)) + large[:100], large[100:] + frame(TEXT, record(3)), documents=LINES
    )
    assert heard.volumes == [1]
    assert isinstance(heard.error, picows.WSProtocolError)
    assert heard.error.code == picows.WSCloseCode.MESSAGE_TOO_BIG


_TEXTS = st.sampled_from(
    [
        *(record(1), record(2), b"[" + record(3) + b"," + record(4) + b"]", b"no row", b"", b"[]"),
        *(b'{"AAA": 1.5, "BBB": 2}', b'{"symbol": "\\u0041", "price": 1, "volume": 5}', b"42"),
    ]
)
_MESSAGES = st.lists(
    st.tuples(
        st.sampled_from([b"", b"42", b"4"]),
        st.lists(_TEXTS, min_size=1, max_size=4),
        st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n"]),
        st.sampled_from([TEXT, TEXT, BINARY]),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=25)
@given(messages=_MESSAGES, ends=st.lists(st.integers(0, 600), max_size=4))
def test_documents_are_read_as_messages_are(
    listen: Listen, messages: list[tuple[bytes, list[bytes], bytes, int, bool]], ends: list[int]
) -> None:
    found = Documents(["42"], "lines")
    sent, alone, blank = b"", b"", 0
    for prefix, texts, between, kind, is_ended in messages:
        message = prefix + between.join(texts) + between * is_ended
        sent += frame(kind, message)
        pieces = list(found(message))
        alone += b"".join(frame(kind, piece) for piece in pieces)
        blank += not pieces
    cuts = [0, *sorted(min(end, len(sent)) for end in ends), len(sent)]
    parts = [sent[start:end] for start, end in pairwise(cuts)]
    heard = listen(*filter(None, parts), documents=found)
    expected = hear(*filter(None, [alone]))
    assert heard.rows == expected.rows
    assert heard.rejects == expected.rejects
    counts = [
        heard.counters[slot] - expected.counters[slot] for slot in (Slot.IGNORED, Slot.DECODED)
    ]
    assert counts == [blank, blank]


# What becomes of them in a session.


@pytest.fixture(params=[False, True], ids=["python", "native"])
def native(request: pytest.FixtureRequest) -> bool:
    if request.param:
        native_parser()
    return bool(request.param)


def test_a_line_may_be_a_reply_or_a_question(native: bool) -> None:
    """Of a message with rows, before them and behind."""
    said: list[str] = []

    def script(peer: RawConnection) -> None:
        peer.handshake()
        said.append(text_from(peer))
        peer.send_text(b"\n".join([record(1), b'{"ok":1}', record(2), b'{"ping":7}', record(3)]))
        said.extend([text_from(peer), text_from(peer)])
        peer.stall()

    subscriptions = (
        Subscription("first", (parse_message_condition("$.ok=1"),)),
        Subscription("second"),
    )
    answers = (Answer(((parse_message_condition("$.ping"),),), "pong {$.ping}"),)
    with RawServer(script) as server:
        met = meet(
            server.url,
            lambda met: len(said) == 3 and len(met.volumes) == 3,
            native=native,
            subscriptions=subscriptions,
            answers=answers,
            split="lines",
        )
    assert server.errors == []
    assert (said[0], sorted(said[1:])) == ("first", ["pong 7", "second"])
    assert (met.volumes, met.rejects) == ([1, 2, 3], [])
    assert (met.counters[Slot.IGNORED], met.counters[Slot.MESSAGES]) == (2, 5)


def text_from(peer: RawConnection) -> str:
    while (received := peer.recv_frame()) is not None:
        if received[0] == TEXT:
            return received[1].decode()
    raise ConnectionError("the client has left")


def test_lines_of_what_is_deflated(native: bool) -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake({"Sec-WebSocket-Extensions": "permessage-deflate"})
        made = zlib.compressobj(wbits=-15)
        for kind in (TEXT, BINARY):
            data = made.compress(b"42" + b"\n".join(map(record, range(3))))
            data += made.flush(zlib.Z_SYNC_FLUSH)
            peer.send_frame(kind, data[:-4], rsv=4)
        peer.stall()

    with RawServer(script) as server:
        met = meet(
            server.url,
            lambda met: len(met.volumes) >= 6,
            native=native,
            compression="deflate",
            split="lines",
            strip=("42",),
        )
    assert server.errors == []
    assert (met.volumes, met.rejects) == ([0, 1, 2] * 2, [])
