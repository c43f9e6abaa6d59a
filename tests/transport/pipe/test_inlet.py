"""A receiver's pipe at the writer's end, whatever the receiver does with the other end."""

from __future__ import annotations

import multiprocessing
import os
import struct
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from fastingest.model.batch import PARTITIONS, Position
from fastingest.transport.pipe.inlet import Inlet

STREAM = 1000 * PARTITIONS + 7


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
    data = b""
    while receiver.poll():
        data += os.read(receiver.fileno(), 2**16)
    assert len(data) % 16 == 0
    return [Position(*struct.unpack_from("<qq", data, start)) for start in range(0, len(data), 16)]


def send(receiver: Connection, *messages: bytes) -> None:
    """As a receiver does, but waiting."""
    for message in messages:
        data = struct.pack("<I", len(message)) + message
        while data:
            data = data[os.write(receiver.fileno(), data) :]


def received(inlet: Inlet) -> bytes | None:
    """The next message, if all of it has come."""
    message = inlet.receive()
    return None if message is None else bytes(message)


def test_it_is_of_a_partition(pipe: Pipe) -> None:
    assert (pipe[0].stream, pipe[0].partition, pipe[0].before) == (STREAM, 7, [])


@pytest.mark.parametrize("size", [0, 1, 3, 4, 16_383, 16_384, 16_385, 3_000_000])
def test_messages_come_as_they_were_sent(size: int, pipe: Pipe) -> None:
    inlet, receiver = pipe
    messages = [os.urandom(size), b"", os.urandom(5)]

    thread = threading.Thread(target=send, args=(receiver, *messages))
    thread.start()
    found: list[bytes] = []
    while len(found) < len(messages):
        message = received(inlet)
        found += [] if message is None else [message]
    thread.join()
    assert found == messages


def test_a_message_that_comes_byte_by_byte(pipe: Pipe) -> None:
    inlet, receiver = pipe
    for message in (b"abc", b"x" * 256):
        wire = struct.pack("<I", len(message)) + message
        for byte in wire[:-1]:
            os.write(receiver.fileno(), bytes([byte]))
            assert received(inlet) is None
        os.write(receiver.fileno(), wire[-1:])
        assert received(inlet) == message


def test_who_stops_in_the_middle_of_a_message_holds_up_nobody(pipe: Pipe) -> None:
    inlet, receiver = pipe
    os.write(receiver.fileno(), struct.pack("<I", 100) + b"x" * 99)
    assert received(inlet) is None
    assert received(inlet) is None
    os.write(receiver.fileno(), b"y")
    assert received(inlet) == b"x" * 99 + b"y"


@pytest.mark.parametrize("begun", [b"", b"\0\0", struct.pack("<I", 5) + b"abc"])
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
        assert inlet.flush()
        assert positions(receiver) == [Position(STREAM, sequence)]


def test_who_reads_no_acknowledgements_holds_up_nobody_and_gets_the_newest(pipe: Pipe) -> None:
    inlet, receiver = pipe
    most = 100_000  # far more than any system keeps
    for sequence in range(most):
        inlet.acknowledge(Position(STREAM, sequence))
    assert not inlet.flush()
    found = positions(receiver)
    assert found == [Position(STREAM, sequence) for sequence in range(len(found))]
    assert len(found) < most
    assert inlet.flush()
    assert positions(receiver) == [Position(STREAM, most - 1)]
    assert inlet.flush()
    assert positions(receiver) == []


def test_who_is_gone_is_owed_nothing(pipe: Pipe) -> None:
    inlet, receiver = pipe
    send(receiver, b"last")
    receiver.close()
    inlet.acknowledge(Position(STREAM, 1))
    assert inlet.flush()
    assert received(inlet) == b"last"
