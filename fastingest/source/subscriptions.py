"""What is said to a server on one connection: subscriptions with their replies, and heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import picows

from fastingest.decode.values import ValueTree
from fastingest.model.feed import Heartbeat, Subscription
from fastingest.model.message_conditions import MessageCondition
from fastingest.source.listener import Listener
from fastingest.source.message_values import hold, values_in
from fastingest.source.side_messages import subscription_shown
from fastingest.units import format_duration

__all__ = ["NoReply", "Subscriber", "beat", "says"]


class NoReply(Exception):
    """The reply to a subscription did not come in time."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(
            f"no reply for {format_duration(subscription.timeout)} to the subscription "
            f"{subscription_shown(subscription.text)}"
        )


class Subscriber:
    """Sends the subscriptions of one connection in order, each after the reply to the one before.

    One that is refused is not waited for.

    :param transport: the connection.
    :param listener: takes the frames.
    :param subscriptions: each with its text as it is to be sent.
    :param is_refusal: tells what is no reply, although it may look like one.
    :param is_paused: whether the socket is not being read; the time for a reply stands still then.
    :param every: seconds from sending one to sending the next, at least.
    """

    def __init__(
        self,
        transport: picows.WSTransport,
        listener: Listener,
        subscriptions: Sequence[tuple[Subscription, str]],
        *,
        is_refusal: Callable[[bytes], bool],
        is_paused: Callable[[], bool],
        every: float = 0.0,
    ) -> None:
        self._transport = transport
        self._listener = listener
        self._subscriptions = subscriptions
        self._is_refusal = is_refusal
        self._is_paused = is_paused
        self._every = every
        self._awaited: tuple[int, asyncio.Future[None]] | None = None
        self._replied: set[int] = set()
        self._refused: set[int] = set()
        self._refused_symbols: set[str] = set()

    async def run(self) -> None:
        """Send them all, unless one is refused that the others need (:attr:`is_refused`).

        :raises NoReply: one did not come in time.
        """
        now = asyncio.get_running_loop().time
        due = now()
        for number, (subscription, text) in enumerate(self._subscriptions):
            if due > now():
                await asyncio.sleep(due - now())
            due = now() + self._every
            if subscription.reply is None:
                self._transport.send(picows.WSMsgType.TEXT, text)
                continue
            reply = self._listener.wait_for(partial(self._is_reply, subscription.reply))
            self._awaited = number, reply
            try:
                self._transport.send(picows.WSMsgType.TEXT, text)
                await self._wait(subscription, reply)
                if not reply.cancelled():
                    self._replied.add(number)
            finally:
                self._awaited = None
                reply.cancel()
            if self.is_refused:
                return

    def _is_reply(self, conditions: Sequence[MessageCondition], message: bytes) -> bool:
        return says(message, conditions) and not self._is_refusal(message)

    async def _wait(self, subscription: Subscription, reply: asyncio.Future[None]) -> None:
        left = subscription.timeout
        while not reply.done():
            if left <= 0:
                raise NoReply(subscription)
            tick = min(left, 1.0)
            await asyncio.wait((reply,), timeout=tick)
            left -= 0.0 if self._is_paused() else tick

    def refuse(self, symbols: Sequence[str], number: int | None, *, has_rows: bool) -> int | None:
        """Take note that something is refused.

        :param symbols: those that the refusal names.
        :param number: the subscription that it must be about.
        :param has_rows: whether the connection has brought any.
        :returns: the subscription that it is about; None: that is not known.
        """
        self._refused_symbols.update(symbols)
        if number is None and not symbols:
            number = self._unanswered(has_rows=has_rows)
        if number is not None:
            self._refused.add(number)
        elif symbols:
            self._refused.update(
                index
                for index, (each, _) in enumerate(self._subscriptions)
                if each.symbols and self._refused_symbols.issuperset(each.symbols)
            )
            about = {
                index
                for index, (each, _) in enumerate(self._subscriptions)
                if set(symbols) & set(each.symbols)
            }
            number = about.pop() if len(about) == 1 else None
        if self._awaited is not None and self._awaited[0] in self._refused:
            self._awaited[1].cancel()
        return number

    def _unanswered(self, *, has_rows: bool) -> int | None:
        """The one that what is said now must be about, since all others have their answer."""
        only = 0 if len(self._subscriptions) == 1 and not has_rows else None
        number = self._awaited[0] if self._awaited is not None else only
        return None if number is None or self._has_reply(number) else number

    def _has_reply(self, number: int) -> bool:
        """Whether its reply has come; maybe just now, in the middle of a read."""
        if self._awaited is not None and self._awaited[0] == number:
            reply = self._awaited[1]
            return reply.done() and not reply.cancelled()
        return number in self._replied

    @property
    def is_refused(self) -> bool:
        """Whether nothing will come: one is refused by which we say who we are, or all others."""
        if any(map(self._is_authentication, self._refused)):
            return True
        others = [n for n in range(len(self._subscriptions)) if not self._is_authentication(n)]
        return bool(others) and self._refused.issuperset(others)

    def _is_authentication(self, number: int) -> bool:
        """Whether others need it: it asks for no symbols, as they do, or says a secret."""
        subscription, _ = self._subscriptions[number]
        later = [each for each, _ in self._subscriptions[number + 1 :]]
        if subscription.reply is None or subscription.symbols or not later:
            return False
        return "${" in subscription.text or any(each.symbols for each in later)


async def beat(transport: picows.WSTransport, heartbeat: Heartbeat, text: str) -> None:
    """Send ``text`` as often as ``heartbeat`` says, until cancelled."""
    while True:
        await asyncio.sleep(heartbeat.every)
        transport.send(picows.WSMsgType.TEXT, text)


def says(message: bytes, conditions: Sequence[MessageCondition]) -> bool:
    """Whether all ``conditions`` hold of ``message``, from its root."""
    if not conditions:
        return True
    tree = ValueTree.of(condition.path for condition in conditions)
    return hold(conditions, values_in(message, tree))
