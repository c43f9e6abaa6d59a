"""What a venue's script is made of."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from tests.peers.venue_client import Client, Headers

__all__ = [
    "Script",
    "Step",
    "accept",
    "close",
    "drop",
    "every",
    "hear",
    "refuse",
    "send",
    "silence",
    "stream",
    "unless",
    "wait",
]

Step: TypeAlias = Callable[[Client], Awaitable[None]]
Script: TypeAlias = Sequence[Step]

_UPGRADE = (("Upgrade", "websocket"), ("Connection", "Upgrade"))


def wait(seconds: float) -> Step:
    """Do nothing for so long."""

    async def step(client: Client) -> None:
        await asyncio.sleep(seconds)

    return step


def accept(headers: Headers = _UPGRADE, *, before: bytes = b"") -> Step:
    """Answer 101.

    :param headers: without ``Sec-WebSocket-Accept``.
    :param before: bytes in front of the answer, such as another with 103.
    """

    async def step(client: Client) -> None:
        await client.accept(headers, before)

    return step


def refuse(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> Step:
    """Answer the request with a status, and end the connection."""

    async def step(client: Client) -> None:
        data = body.encode()
        usual = {"Content-Length": str(len(data)), "Connection": "close"}
        await client.respond(status, [*{**usual, **(headers or {})}.items()], data)
        client.drop()

    return step


def unless(holds: Callable[[Client], bool], other: Step) -> Step:
    """Take another step where something does not hold of a client: of its request, say."""

    async def step(client: Client) -> None:
        if not holds(client):
            await other(client)

    return step


def hear(count: int = 1) -> Step:
    """Wait until the client has sent so many texts in all."""

    async def step(client: Client) -> None:
        await client.until(lambda: len(client.said) >= count or client.has_left)

    return step


def send(*messages: str | bytes) -> Step:
    """Send messages: texts, or bytes as binary ones."""

    async def step(client: Client) -> None:
        for message in messages:
            await client.send(message)

    return step


def every(seconds: float, *messages: str | bytes, times: int | None = None) -> Step:
    """Send messages again and again, the first time at once; ``times`` of None: for ever."""

    async def step(client: Client) -> None:
        for _ in itertools.count() if times is None else range(times):
            await send(*messages)(client)
            await asyncio.sleep(seconds)

    return step


def stream(seconds: float, row: str, *, but: Sequence[str] = ()) -> Step:
    """Send a row of each symbol that is granted, again and again.

    :param row: in it ``{symbol}`` stands for the symbol, ``{n}`` for a number that grows.
    :param but: symbols that get none.
    """

    async def step(client: Client) -> None:
        for number in itertools.count():
            for symbol in client.granted:
                if symbol not in but:
                    text = row.replace("{symbol}", symbol).replace("{n}", str(number))
                    await client.send(text)
            await asyncio.sleep(seconds)

    return step


def silence() -> Step:
    """From here on, answer no pings; the connection stays open."""

    async def step(client: Client) -> None:
        client.is_silent = True

    return step


def close(code: int = 1000, reason: str = "") -> Step:
    """Send a close frame, and end the connection once that is answered."""

    async def step(client: Client) -> None:
        await client.close(code, reason)

    return step


def drop() -> Step:
    """End the connection without a close frame."""

    async def step(client: Client) -> None:
        client.drop()

    return step
