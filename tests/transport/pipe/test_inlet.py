"""A receiver's pipe at the writer's end, whatever the receiver does with the other end."""

from __future__ import annotations

import multiprocessing
import os
import struct
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

import msgspec
import pytest

from fastingest.model.batch import LANES, Position
from fastingest.transport.pipe.inlet import Inlet

STREAM = 1000 * LANES + 7


@pytest.fixture
def pipe() -> Iterator[tuple[Inlet, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    inlet = Inlet(ours, STREAM)
    yield inlet, theirs
    inlet.close()
    theirs.close()


Pipe = tuple[Inlet, Connection]


def positions(receiver: Connection) -> list[Position]:
    """All that have come so far."""
    found = []
    while receiver.poll():
        found.append(Position(*msgspec.msgpack.decode(receiver.recv_bytes())))
    return found


def received(inlet: Inlet) -> bytes | None:
    """The next message, if all of it has come."""
    message = inlet.receive()
    return None if message is None else bytes(message)


def test_it_is_of_a_lane(pipe: Pipe) -> None:
    assert (pipe[0].stream, pipe[0].lane, pipe[0].before) == (STREAM, 7, [])


@pytest.mark.parametrize("size", [0, 1, 3, 4, 16_383, 16_384, 16_385, 3_000_000])
def test_messages_come_as_they_were_sent(size: int, pipe: Pipe) -> None:
    inlet, receiver = pipe
    messages = [os.urandom(size), b"", os.urandom(5)]

    def send() -> None:
        for message in messages:
            receiver.send_bytes(message)

    thread = threading.Thread(target=send)
    thread.start()
    found: list[bytes] = []
    while len(found) < len(messages):
        message = received(inlet)
        found += [] if message is None else [message]
    thread.join()
    assert found == messages


def test_a_message_that_comes_byte_by_byte(pipe: Pipe) -> None:
    inlet, receiver = pipe
    for wire in (struct.pack("!i", 3) + b"abc", struct.pack("!iQ", -1, 2) + b"de"):
        for byte in wire[:-1]:
            os.write(receiver.fileno(), bytes([byte]))
            assert received(inlet) is None
        os.write(receiver.fileno(), wire[-1:])
        assert received(inlet) == wire[-3 if wire[-1:] == b"c" else -2 :]


def test_who_stops_in_the_middle_of_a_message_holds_up_nobody(pipe: Pipe) -> None:
    inlet, receiver = pipe
    os.write(receiver.fileno(), struct.pack("!i", 100) + b"x" * 99)
    assert received(inlet) is None
    assert received(inlet) is None
    os.write(receiver.fileno(), b"y")
    assert received(inlet) == b"x" * 99 + b"y"


@pytest.mark.parametrize("begun", [b"", b"\0\0", struct.pack("!i", 5) + b"abc"])
def test_the_end_of_a_pipe(begun: bytes, pipe: Pipe) -> None:
    inlet, receiver = pipe
    os.write(receiver.fileno(), begun)
    receiver.close()
    with pytest.raises(EOFError):
        inlet.receive()


def test_acknowledgements_reach_who_reads_them(pipe: Pipe) -> None:
    inlet, receiver = pipe
    for sequence in range(3):
        inlet.acknowledge(Position(STREAM, sequence))
        assert inlet.send_owed()
        assert positions(receiver) == [Position(STREAM, sequence)]


def test_who_reads_no_acknowledgements_holds_up_nobody_and_gets_the_newest(pipe: Pipe) -> None:
    inlet, receiver = pipe
    most = 100_000  # far more than any system keeps
    for sequence in range(most):
        inlet.acknowledge(Position(STREAM, sequence))
    assert not inlet.send_owed()
    found = positions(receiver)
    assert found == [Position(STREAM, sequence) for sequence in range(len(found))]
    assert len(found) < most
    assert inlet.send_owed()
    assert positions(receiver) == [Position(STREAM, most - 1)]
    assert inlet.send_owed()
    assert positions(receiver) == []


def test_who_is_gone_is_owed_nothing(pipe: Pipe) -> None:
    inlet, receiver = pipe
    receiver.send_bytes(b"last")
    receiver.close()
    inlet.acknowledge(Position(STREAM, 1))
    assert inlet.send_owed()
    assert received(inlet) == b"last"
