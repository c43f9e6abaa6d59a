"""A receiver's end of a pipe, and whatever the writer does with the other end."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.batch import PARTITIONS, Position
from fastingest.transport.pipe.frame import pack
from fastingest.transport.pipe.inlet import Inlet
from fastingest.transport.pipe.uplink import PipeUplink

STREAM = 1000 * PARTITIONS
OTHER = 999 * PARTITIONS


class Events:
    """What an uplink says, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self._more = asyncio.Event()

    def _say(self, what: str, value: Any = None) -> None:
        self.said.append((what, value))
        self._more.set()

    def linked(self, at: Position | None) -> None:
        self._say("linked", at)

    def stored(self, at: Position) -> None:
        self._say("stored", at)

    def lost(self) -> None:
        self._say("lost")

    async def until(self, count: int) -> list[tuple[str, Any]]:
        """All, when there are so many."""
        while len(self.said) < count:
            self._more.clear()
            await self._more.wait()
        return self.said


Body = Callable[[PipeUplink, Events, Connection], Awaitable[None]]


def with_uplink(body: Body) -> None:
    """Run ``body`` with an uplink that is open, what it says, and the writer's end."""

    async def run() -> None:
        ours, theirs = multiprocessing.Pipe()
        events = Events()
        uplink = PipeUplink(STREAM, events)
        await uplink.open(ours)
        try:
            await body(uplink, events, theirs)
        finally:
            uplink.abort()
            theirs.close()

    uvloop.run(asyncio.wait_for(run(), 30))


def at(sequence: int) -> Position:
    return Position(STREAM, sequence)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_the_writer_receives_what_is_sent(batches: list[bytes]) -> None:
    async def body(uplink: PipeUplink, events: Events, other: Connection) -> None:
        inlet = Inlet(other, STREAM)
        for sequence, batch in enumerate(batches):
            uplink.send(at(sequence), batch)
        for batch in batches:
            assert await asyncio.to_thread(_receive, inlet) == batch
            inlet.acknowledge(at(0))

    with_uplink(body)


def _receive(inlet: Inlet) -> bytes:
    while (message := inlet.receive()) is None:
        pass
    return bytes(message)


def test_sending_never_waits_for_the_writer() -> None:
    async def body(uplink: PipeUplink, events: Events, other: Connection) -> None:
        batch = os.urandom(1_000_000)
        for sequence in range(20):  # far more than a pipe holds, and nobody reads
            uplink.send(at(sequence), batch)
        inlet = Inlet(other, STREAM)
        for _ in range(20):
            assert await asyncio.to_thread(_receive, inlet) == batch

    with_uplink(body)


def test_the_first_position_says_where_to_start() -> None:
    async def body(uplink: PipeUplink, events: Events, other: Connection) -> None:
        os.write(other.fileno(), pack(at(7)))
        assert await events.until(1) == [("linked", at(7))]
        os.write(other.fileno(), pack(at(8)))
        assert await events.until(2) == [("linked", at(7)), ("stored", at(8))]

    with_uplink(body)


def test_a_writer_with_another_stream_s_batches_has_none_of_this_one() -> None:
    async def body(uplink: PipeUplink, events: Events, other: Connection) -> None:
        uplink.data_received(pack(Position(OTHER, 7)))
        uplink.data_received(pack(Position(OTHER, 8)))
        uplink.data_received(pack(at(0)))
        assert events.said == [("linked", None), ("stored", at(0))]

    with_uplink(body)


def test_positions_that_arrive_byte_by_byte() -> None:
    async def body(uplink: PipeUplink, events: Events, other: Connection) -> None:
        for byte in pack(at(1)) + pack(at(2)) + pack(at(3)):
            uplink.data_received(bytes([byte]))
        assert events.said == [("linked", at(1)), ("stored", at(2)), ("stored", at(3))]

    with_uplink(body)


def test_of_positions_that_arrive_together_the_last_one_counts() -> None:
    async def body(uplink: PipeUplink, events: Events, other: Connection) -> None:
        data = b"".join(pack(at(sequence)) for sequence in range(5))
        rest = pack(at(5))
        uplink.data_received(data + rest[:3])
        assert events.said == [("linked", at(0)), ("stored", at(4))]
        uplink.data_received(rest[3:])
        assert events.said[2:] == [("stored", at(5))]

    with_uplink(body)


def test_a_writer_that_is_gone_is_told_once() -> None:
    async def body(uplink: PipeUplink, events: Events, other: Connection) -> None:
        other.close()
        assert await events.until(1) == [("lost", None)]
        uplink.send(at(0), b"to nobody")
        await uplink.close()
        assert len(events.said) == 1

    with_uplink(body)


def test_who_has_closed_it_is_told_nothing() -> None:
    async def body(uplink: PipeUplink, events: Events, other: Connection) -> None:
        uplink.send(at(0), b"last")
        await uplink.close()
        assert await asyncio.to_thread(_receive, Inlet(other, STREAM)) == b"last"
        uplink.data_received(pack(at(0)))
        assert events.said == []

    with_uplink(body)


def test_one_that_was_aborted_before_it_was_open_closes_its_pipe() -> None:
    async def run() -> None:
        ours, theirs = multiprocessing.Pipe()
        events = Events()
        uplink = PipeUplink(STREAM, events)
        uplink.abort()
        await uplink.open(ours)
        assert ours.closed
        assert os.read(theirs.fileno(), 1) == b""
        assert events.said == []
        theirs.close()

    uvloop.run(asyncio.wait_for(run(), 30))
