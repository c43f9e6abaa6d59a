"""What is said to a server on one connection: subscriptions with their replies, and heartbeats."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import picows

from fastingest.decode.elements import elements_of
from fastingest.decode.values import ValueTree
from fastingest.model.feed import Heartbeat, Subscription
from fastingest.model.message_conditions import MessageCondition
from fastingest.source.listener import Listener
from fastingest.source.message_values import Group, values_in
from fastingest.source.refusals import About
from fastingest.source.retries import SETTLES, Retries
from fastingest.source.side_messages import subscription_shown
from fastingest.units import format_duration

__all__ = ["NoReply", "Subscriber", "beat", "parts_where", "reply_in", "says"]


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
    :param refusals_in: finds what is no reply, although it may look like one: elements of a
        message, or None for it as a whole.
    :param is_paused: whether the socket is not being read; the time for a reply stands still then.
    :param every: seconds from sending one to sending the next, at least.
    :param retry_after: seconds after which one that is refused is sent again; 0.0: none is.
    :param granted: told of what is granted after all: the subscription, and its symbols.
    """

    def __init__(
        self,
        transport: picows.WSTransport,
        listener: Listener,
        subscriptions: Sequence[tuple[Subscription, str]],
        *,
        refusals_in: Callable[[bytes], Sequence[bytes | None]],
        is_paused: Callable[[], bool],
        every: float = 0.0,
        retry_after: float = 0.0,
        granted: Callable[[int, Sequence[str]], None] = lambda *_: None,
    ) -> None:
        self._transport = transport
        self._listener = listener
        self._subscriptions = subscriptions
        self._refusals_in = refusals_in
        self._is_paused = is_paused
        self._every = every
        self._granted = granted
        self._awaited: tuple[int, asyncio.Future[None]] | None = None
        self._replied: set[int] = set()
        self._refused: set[int] = set()
        self._refused_symbols: set[str] = set()
        self._may_send_at = 0.0
        self._retry_after = retry_after
        symbols = [each.symbols for each, _ in subscriptions]
        self._retries = Retries(retry_after, symbols) if retry_after else None
        self._is_retrying = False
        self._news = asyncio.Event()  # something else is to be sent again

    async def run(self) -> None:
        """Send them all, unless one is refused that the others need (:attr:`is_hopeless`).

        :raises NoReply: one did not come in time.
        """
        for number, (_, text) in enumerate(self._subscriptions):
            await self._wait_to_send()
            await self._ask(number, text)
            if self.is_hopeless:
                return

    async def retry(self) -> None:
        """Send again what is refused, whenever that is due; it ends when it is cancelled."""
        now = asyncio.get_running_loop().time
        while self._retries is not None:
            number = self._retries.due(now())
            if number is None:
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), _finite(self._retries.next - now()))
            elif self._retries.is_tried(number):
                self._settle(number, self._retries)
            else:
                await self._wait_to_send()
                await self._try_again(number, self._retries)

    async def _try_again(self, number: int, retries: Retries) -> None:
        now = asyncio.get_running_loop().time
        subscription, text = self._subscriptions[number]
        symbols = retries.try_again(number)
        self._is_retrying = True
        try:
            await self._ask(number, subscription.narrowed(text, symbols))
        except NoReply:
            retries.unanswered(number, now())
        finally:
            self._is_retrying = False
        if subscription.reply is None:
            retries.settles(number, now() + max(self._retry_after, SETTLES))
        else:  # the reply may be that to one of the symbols only
            is_one = len(symbols or subscription.symbols) <= 1
            retries.settles(number, now() + (0.0 if is_one else SETTLES))

    def _settle(self, number: int, retries: Retries) -> None:
        """Take what is tried as granted, as far as it was not refused again."""
        now = asyncio.get_running_loop().time()
        if self._is_paused():  # what was said may not have been read
            retries.settles(number, now + SETTLES)
            return
        symbols = retries.settle(number, now)
        self._refused.discard(number)
        self._refused_symbols.difference_update(symbols)
        self._granted(number, symbols)

    async def _wait_to_send(self) -> None:
        now = asyncio.get_running_loop().time
        if self._may_send_at > now():
            await asyncio.sleep(self._may_send_at - now())
        self._may_send_at = now() + self._every

    async def _ask(self, number: int, text: str) -> None:
        """Send one, and wait for its reply where it has one."""
        subscription, _ = self._subscriptions[number]
        if subscription.reply is None:
            self._transport.send(picows.WSMsgType.TEXT, text)
            return
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

    def _is_reply(self, conditions: Sequence[MessageCondition], message: bytes) -> bool:
        """Whether a message is the reply, and nothing else."""
        replies = parts_where(message, conditions)
        refusals = self._refusals_in(message) if replies else []
        held = reply_in(message, replies, refusals)
        if held != "part":
            return held == "all"
        if self._awaited is not None and not self._awaited[1].done():
            self._awaited[1].set_result(None)  # it is, and goes on for what else is in it
        return False

    async def _wait(self, subscription: Subscription, reply: asyncio.Future[None]) -> None:
        left = subscription.timeout
        while not reply.done():
            if left <= 0:
                raise NoReply(subscription)
            tick = min(left, 1.0)
            await asyncio.wait((reply,), timeout=tick)
            left -= 0.0 if self._is_paused() else tick

    def refuse(self, symbols: Sequence[str], number: int | None, *, has_rows: bool) -> About:
        """Take note that something is refused.

        :param symbols: those that the refusal names.
        :param number: the subscription that it must be about.
        :param has_rows: whether the connection has brought any.
        :returns: what it is about.
        """
        self._refused_symbols.update(symbols)
        if number is None and not symbols:
            number = self._unanswered(has_rows=has_rows)
        about = set() if number is None else {number}
        if number is not None:
            if self._is_all_of(number, symbols):
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
            number = next(iter(about)) if len(about) == 1 else None
        is_retried = self._retry_later(about, symbols)
        if self._awaited is not None and self._is_denied(self._awaited[0]):
            self._awaited[1].cancel()
        return About(number, is_retried=is_retried)

    def _is_all_of(self, number: int, symbols: Sequence[str]) -> bool:
        """Whether a refusal that names these symbols leaves nothing of a subscription."""
        own = self._subscriptions[number][0].symbols
        return not set(own) & set(symbols) or self._refused_symbols.issuperset(own)

    def _retry_later(self, about: set[int], symbols: Sequence[str]) -> bool:
        """Have what is refused sent again, as far as it is known what that is; whether it is."""
        if self._awaited is not None and self._awaited[0] in about:
            about = {self._awaited[0]}  # the others have their answer, or are not sent yet
        about = {each for each in about if not self._is_authentication(each)}
        if self._retries is None or not about:
            return False
        for number in about - self._replied or about:
            self._retries.refused(number, symbols, asyncio.get_running_loop().time())
        self._news.set()
        return True

    def _is_denied(self, number: int) -> bool:
        """Whether the one that is waited for need not be waited for any longer."""
        if self._is_retrying and self._retries is not None:
            return not self._retries.is_tried(number)
        return number in self._refused

    def _unanswered(self, *, has_rows: bool) -> int | None:
        """The one that what is said now must be about, since all others have their answer."""
        only = 0 if len(self._subscriptions) == 1 and not has_rows else None
        if only is None and self._retries is not None:
            only = self._retries.latest
        number = self._awaited[0] if self._awaited is not None else only
        return None if number is None or self._has_reply(number) else number

    def _has_reply(self, number: int) -> bool:
        """Whether its reply has come; maybe just now, in the middle of a read."""
        if self._awaited is not None and self._awaited[0] == number:
            reply = self._awaited[1]
            return reply.done() and not reply.cancelled()
        return number in self._replied

    @property
    def refused_things(self) -> int:
        """How much is refused of what is sent again."""
        return 0 if self._retries is None else self._retries.things

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing will come by this connection, whatever is sent again."""
        return self._is_login_refused or (self._retries is None and self.is_refused)

    @property
    def _is_login_refused(self) -> bool:
        return any(map(self._is_authentication, self._refused))

    @property
    def is_refused(self) -> bool:
        """Whether nothing comes now: one is refused by which we say who we are, or all others."""
        if self._is_login_refused:
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


def _finite(seconds: float) -> float | None:
    """A timeout, where None is none."""
    return None if seconds == math.inf else seconds


async def beat(transport: picows.WSTransport, heartbeat: Heartbeat, text: str) -> None:
    """Send ``text`` as often as ``heartbeat`` says, until cancelled."""
    while True:
        await asyncio.sleep(heartbeat.every)
        transport.send(picows.WSMsgType.TEXT, text)


def reply_in(
    message: bytes, replies: Sequence[bytes | None], refusals: Sequence[bytes | None]
) -> Literal["", "part", "all"]:
    """What of a message is a reply: nothing, a part of an array, or all of it.

    :param replies: its elements that look like one; None among them: it does as a whole.
    :param refusals: likewise, what of it is a refusal, and so no reply.
    """
    if not replies:
        return ""
    if refusals and (None in (*refusals, *replies) or set(replies) <= set(refusals)):
        return ""
    return "part" if refusals or _has_more(message, replies) else "all"


def _has_more(message: bytes, parts: Sequence[bytes | None]) -> bool:
    """Whether a message is an array with elements besides these, if they are elements."""
    text = message.strip()
    if not parts or None in parts or not text.startswith(b"["):
        return False
    return any(element not in parts for element in elements_of(text))


def says(message: bytes, conditions: Sequence[MessageCondition]) -> bool:
    """Whether all ``conditions`` hold of ``message``, from its root."""
    return bool(parts_where(message, conditions))


def parts_where(message: bytes, conditions: Sequence[MessageCondition]) -> list[bytes | None]:
    """The elements of ``message`` of which they hold; None among them: it is it as a whole."""
    group = Group(conditions)
    found = values_in(message, ValueTree.of(group.paths))
    return [match.element for match in group.matches(found)]
