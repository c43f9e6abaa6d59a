"""What frames mean together, frame by frame: no socket, and no connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import picows
import pytest
from picows import WSCloseCode, WSFrame, WSMsgType, WSTransport

from fastingest.source.frames import (
    MessageAssembler,
    answer_close,
    answer_ping,
    check_control,
    close_answer,
)

MAX_SIZE = 10


@dataclass
class Frame:
    """As picows hands one over."""

    msg_type: WSMsgType
    payload: bytes = b""
    fin: bool = True
    rsv1: bool = False
    rsv2: bool = False
    rsv3: bool = False

    def get_payload_as_bytes(self) -> bytes:
        return self.payload


TEXT, BINARY, CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION


@pytest.fixture
def assembler() -> MessageAssembler:
    return MessageAssembler(MAX_SIZE)


def put(assembler: MessageAssembler, *frames: Frame) -> list[bytes | None]:
    return [assembler.put(cast(WSFrame, frame)) for frame in frames]


def fails(assembler: MessageAssembler, *frames: Frame) -> tuple[int, str]:
    """The code and the reason with which the last of the frames fails."""
    put(assembler, *frames[:-1])
    with pytest.raises(picows.WSProtocolError) as caught:
        put(assembler, frames[-1])
    return caught.value.code.value, str(caught.value)


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_a_whole_message_is_its_frame(assembler: MessageAssembler, kind: WSMsgType) -> None:
    # A frame of its own may be larger: picows has bounded that.
    assert put(assembler, Frame(kind, b"x" * 2 * MAX_SIZE)) == [b"x" * 2 * MAX_SIZE]
    assert not assembler.is_split


def test_a_split_message_is_put_together(assembler: MessageAssembler) -> None:
    begins, goes_on = Frame(TEXT, b"a", fin=False), Frame(CONTINUATION, b"b", fin=False)
    assert put(assembler, begins, goes_on) == [None, None]
    assert assembler.is_split
    assert put(assembler, Frame(CONTINUATION, b"c")) == [b"abc"]
    assert not assembler.is_split


def test_a_split_message_has_a_bound(assembler: MessageAssembler) -> None:
    begins = Frame(TEXT, b"x", fin=False)
    assert put(assembler, begins, Frame(CONTINUATION, b"y" * 9)) == [None, b"x" + b"y" * 9]
    too_much = Frame(CONTINUATION, b"y" * 10)
    assert fails(assembler, begins, too_much) == (1009, "a split message is over 10 bytes")


def test_half_a_message_is_none_of_the_next_connection(assembler: MessageAssembler) -> None:
    put(assembler, Frame(TEXT, b"half", fin=False))
    assembler.begin()
    assert put(assembler, Frame(TEXT, b"whole")) == [b"whole"]


def test_a_continuation_continues_something(assembler: MessageAssembler) -> None:
    found = fails(assembler, Frame(CONTINUATION, b"x"))
    assert found == (1002, "a continuation without a message to continue")


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_a_split_message_is_interrupted_by_no_other(
    assembler: MessageAssembler, kind: WSMsgType
) -> None:
    found = fails(assembler, Frame(TEXT, b"x", fin=False), Frame(kind, b"y"))
    assert found == (1002, "a split message was interrupted by another")


BIT = (1002, "a frame has a reserved bit set")


def _bits(kind: WSMsgType) -> list[Frame]:
    return [Frame(kind, rsv1=True), Frame(kind, rsv2=True), Frame(kind, rsv3=True)]


def test_reserved_bits_are_refused() -> None:
    for frame in [*_bits(TEXT), *_bits(BINARY), *_bits(CONTINUATION)]:
        assert fails(MessageAssembler(MAX_SIZE), frame) == BIT


def test_reserved_bits_of_control_frames_are_refused() -> None:
    for kind in (WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE):
        check_control(cast(WSFrame, Frame(kind)))
        for frame in _bits(kind):
            with pytest.raises(picows.WSProtocolError) as caught:
                check_control(cast(WSFrame, frame))
            assert (caught.value.code.value, str(caught.value)) == BIT


# Deflated ones


def _inflate(payload: bytes) -> bytes:
    if payload == b"bad":
        raise picows.WSProtocolError(WSCloseCode.INVALID_TEXT, "it is bad")
    return b"<" + payload + b">"


@pytest.fixture
def inflating(assembler: MessageAssembler) -> MessageAssembler:
    assembler.inflate_with(_inflate)
    return assembler


def test_deflated_messages_are_inflated_whole(inflating: MessageAssembler) -> None:
    begins = Frame(TEXT, b"a", fin=False, rsv1=True)
    found = put(inflating, begins, Frame(CONTINUATION, b"b"), Frame(BINARY, b"c", rsv1=True))
    assert found == [None, b"<ab>", b"<c>"]
    assert inflating.inflated_bytes == 7
    # The bit is the message's, and not the connection's.
    found = put(inflating, Frame(TEXT, b"d", fin=False), Frame(CONTINUATION, b"e"), Frame(TEXT))
    assert found == [None, b"de", b""]
    assert inflating.inflated_bytes == 7


def test_only_a_first_frame_says_that_a_message_is_deflated(inflating: MessageAssembler) -> None:
    frames = Frame(TEXT, b"a", fin=False, rsv1=True), Frame(CONTINUATION, b"b", rsv1=True)
    assert fails(inflating, *frames) == BIT


def test_what_cannot_be_inflated_is_told(inflating: MessageAssembler) -> None:
    assert fails(inflating, Frame(TEXT, b"bad", rsv1=True)) == (1007, "it is bad")


def test_the_next_connection_may_have_agreed_on_nothing(inflating: MessageAssembler) -> None:
    inflating.inflate_with(None)
    assert fails(inflating, Frame(TEXT, b"a", rsv1=True)) == BIT


# Answers


class Wire:
    """What is sent to a server that reads only so much."""

    def __init__(self, received: Any = None, unsent: int = 0) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.close_handshake = received
        self.underlying_transport = SimpleNamespace(get_write_buffer_size=lambda: unsent)

    def _note(self, what: str) -> Callable[..., None]:
        return lambda *values: self.sent.append((what, *values))

    def __getattr__(self, name: str) -> Callable[..., None]:
        return self._note(name)


def test_a_ping_is_answered_with_what_it_holds() -> None:
    wire = Wire(unsent=65_535)
    answer_ping(cast(WSTransport, wire), b"abc")
    assert wire.sent == [("send_pong", b"abc")]


def test_who_reads_no_answers_gets_none() -> None:
    wire = Wire(unsent=65_536)
    answer_ping(cast(WSTransport, wire), b"abc")
    assert wire.sent == []


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        (None, 1000),
        (1000, 1000),
        (1001, 1001),
        (0, 1000),  # as picows says that there was none
        (1005, 1002),
        (1004, 1002),
        (1006, 1002),
        (1015, 1002),
        (999, 1002),
        (4999, 4999),
        (5000, 1002),
    ],
)
def test_a_close_frame_is_answered_with_its_own_code(received: int | None, answer: int) -> None:
    code = None if received is None else _code(received)
    assert close_answer(code).value == answer


def _code(number: int) -> WSCloseCode:
    """Of any number, as picows makes one of what a server sends."""
    try:
        return WSCloseCode(number)
    except ValueError:
        return cast(WSCloseCode, SimpleNamespace(value=number))


def test_a_close_frame_ends_the_connection() -> None:
    received = SimpleNamespace(recv=SimpleNamespace(code=WSCloseCode.GOING_AWAY))
    for handshake, code in ((received, WSCloseCode.GOING_AWAY), (None, WSCloseCode.OK)):
        wire = Wire(handshake)
        answer_close(cast(WSTransport, wire))
        assert wire.sent == [("send_close", code), ("disconnect",)]


def test_binary_messages_are_inflated_where_that_is_asked_for() -> None:
    def shout(data: bytes) -> bytes:
        return data.upper()

    assembler = MessageAssembler(MAX_SIZE, shout)
    assert put(assembler, Frame(BINARY, b"ab")) == [b"AB"]
    assert put(assembler, Frame(TEXT, b"ab")) == [b"ab"]
    parts = (Frame(BINARY, b"a", fin=False), Frame(CONTINUATION, b"b"))
    assert put(assembler, *parts) == [None, b"AB"]
    parts = (Frame(TEXT, b"a", fin=False), Frame(CONTINUATION, b"b"))
    assert put(assembler, *parts) == [None, b"ab"]
    assert assembler.inflated_bytes == 4


def test_what_is_deflated_twice_is_inflated_twice() -> None:
    def shout(data: bytes) -> bytes:
        return data.upper()

    assembler = MessageAssembler(MAX_SIZE, shout)
    assembler.inflate_with(lambda data: data[::-1])
    assert put(assembler, Frame(BINARY, b"ab", rsv1=True)) == [b"BA"]
