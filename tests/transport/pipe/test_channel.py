from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

import uvloop
from hypothesis import given
from hypothesis import strategies as st

from fastingest.transport.pipe.channel import Channel

Body = Callable[[Channel, Connection, "asyncio.Queue[bytes]"], Awaitable[None]]


def _with_channel(body: Body) -> None:
    """Run ``body`` with a channel, the other end's connection, and what the channel receives."""

    async def run() -> None:
        ours, theirs = multiprocessing.Pipe()
        received: asyncio.Queue[bytes] = asyncio.Queue()
        closed = asyncio.Event()
        channel = await Channel.open(ours, received.put_nowait, closed.set)
        try:
            await body(channel, theirs, received)
        finally:
            await channel.close()
            assert closed.is_set()
            theirs.close()

    uvloop.run(asyncio.wait_for(run(), 30))


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_connection_understands_a_channel_and_back(messages: list[bytes]) -> None:
    async def body(channel: Channel, other: Connection, received: asyncio.Queue[bytes]) -> None:
        for message in messages:
            channel.send(message)
            other.send_bytes(message)
        for message in messages:
            assert await asyncio.to_thread(other.recv_bytes) == message
            assert await received.get() == message

    _with_channel(body)


def test_messages_that_arrive_byte_by_byte() -> None:
    async def body(channel: Channel, other: Connection, received: asyncio.Queue[bytes]) -> None:
        # the two lengths: 4 bytes, or -1 and 8 bytes
        wire = b"\0\0\0\3abc" + b"\xff\xff\xff\xff" + (2).to_bytes(8, "big") + b"de" + b"\0\0\0\0"
        for byte in wire:
            channel.data_received(bytes([byte]))
        assert [received.get_nowait() for _ in range(3)] == [b"abc", b"de", b""]

    _with_channel(body)


def test_sending_never_waits_for_the_other_end() -> None:
    async def body(channel: Channel, other: Connection, received: asyncio.Queue[bytes]) -> None:
        message = b"x" * 1_000_000
        for _ in range(20):  # far more than a pipe holds, and nobody reads
            channel.send(message)
        for _ in range(20):
            assert await asyncio.to_thread(other.recv_bytes) == message

    _with_channel(body)


def test_the_other_end_going_away_is_noticed() -> None:
    async def run() -> None:
        ours, theirs = multiprocessing.Pipe()
        closed = asyncio.Event()
        channel = await Channel.open(ours, lambda message: None, closed.set)
        theirs.close()
        await closed.wait()
        channel.send(b"to nobody")
        await channel.close()

    uvloop.run(asyncio.wait_for(run(), 30))
