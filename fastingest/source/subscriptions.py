"""What is said to a server on one connection: subscriptions with their replies, and heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import picows

from fastingest.access.secrets import shown
from fastingest.decode.values import ValueTree
from fastingest.model.feed import Heartbeat, Subscription
from fastingest.model.jsonpath import Condition
from fastingest.source.listener import Listener
from fastingest.units import format_duration

__all__ = ["NoReply", "beat", "says", "subscribe"]

_SHOWN = 80  # characters of a subscription in a message for people

_decode_any = msgspec.json.Decoder(msgspec.Raw).decode


class NoReply(Exception):
    """The reply to a subscription did not come in time."""

    def __init__(self, subscription: Subscription) -> None:
        text = " ".join(shown(subscription.text).split())
        text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
        super().__init__(
            f"no reply for {format_duration(subscription.timeout)} to the subscription {text}"
        )


async def subscribe(
    transport: picows.WSTransport,
    listener: Listener,
    subscriptions: Sequence[tuple[Subscription, str]],
    is_paused: Callable[[], bool],
    every: float = 0.0,
) -> None:
    """Send ``subscriptions`` in order, each after the reply to the one before it.

    :param subscriptions: each with its text as it is to be sent.
    :param is_paused: whether the socket is not being read; the time for a reply stands still then.
    :param every: seconds from sending one to sending the next, at least.
    :raises NoReply: one did not come in time.
    """
    now = asyncio.get_running_loop().time
    due = now()
    for subscription, text in subscriptions:
        if due > now():
            await asyncio.sleep(due - now())
        due = now() + every
        conditions = subscription.reply
        if conditions is None:
            transport.send(picows.WSMsgType.TEXT, text)
            continue
        reply = listener.wait_for(lambda message, c=conditions: says(message, c))  # type: ignore[misc]
        try:
            transport.send(picows.WSMsgType.TEXT, text)
            left = subscription.timeout
            while not reply.done():
                if left <= 0:
                    raise NoReply(subscription)
                tick = min(left, 1.0)
                await asyncio.wait((reply,), timeout=tick)
                left -= 0.0 if is_paused() else tick
        finally:
            reply.cancel()


async def beat(transport: picows.WSTransport, heartbeat: Heartbeat, text: str) -> None:
    """Send ``text`` as often as ``heartbeat`` says, until cancelled."""
    while True:
        await asyncio.sleep(heartbeat.every)
        transport.send(picows.WSMsgType.TEXT, text)


def says(message: bytes, conditions: Sequence[Condition]) -> bool:
    """Whether all ``conditions`` hold of ``message``, from its root."""
    if not conditions:
        return True
    try:
        text = bytes(_decode_any(message.strip()))
        found = ValueTree.of(condition.path for condition in conditions).find(text)
        return all(condition.holds(found.get(condition.path.steps)) for condition in conditions)
    except (ValueError, RecursionError):  # it is not JSON
        return False
