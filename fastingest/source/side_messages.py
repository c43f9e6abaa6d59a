r"""What a server says beside the rows: refusals, what it asks for, and what nothing describes.

A message that brings a row is none of these. All others are asked for the feed's conditions, if
they can fulfil one (:func:`fastingest.model.message_conditions.needles_of`). Those that fulfil none
are sampled (:class:`fastingest.source.sample.Sample`) as long as there are *looks* left: a good
many at the beginning of a connection, then so many a second.

Who is to act on it is the session (:class:`SideActor`). The first messages may come before there
is one; they wait for it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal, Protocol, TypeAlias

from fastingest.access.secrets import Redactor, shown
from fastingest.decode.memory import memory_of
from fastingest.decode.values import Values, ValueTree
from fastingest.metrics.counters import FeedCounters
from fastingest.model.event import Event
from fastingest.model.feed import Feed
from fastingest.model.jsonpath import ANY
from fastingest.model.message_conditions import needles_of
from fastingest.source.events import IgnoredMessage
from fastingest.source.message_values import Match, values_in
from fastingest.source.refusals import About, Refusals
from fastingest.source.sample import Sample
from fastingest.source.side_rules import Rule, filled, places_in, rules_of
from fastingest.text import shortened

__all__ = [
    "FIRST_LOOKS",
    "LOOKS",
    "About",
    "Fate",
    "SideActor",
    "SideMessages",
    "subscription_shown",
]

FIRST_LOOKS = 1000
"""Messages that are sampled of a connection before their number is limited."""

LOOKS = 100
"""Messages that are sampled in each second after that."""

Fate: TypeAlias = Literal["row", "reject", "ignored"]
"""What becomes of a message: it has brought at least a row, or else a reject, or neither."""

_ESCAPE = b"\\u"
_MAX_PENDING = 100
_SHOWN = 80  # characters of a subscription in a message for people


def subscription_shown(text: str) -> str:
    """The text of a subscription as written, for people: short, on one line, without secrets."""
    return shortened(" ".join(shown(text).split()), _SHOWN)


class SideActor(Protocol):
    """Acts on what a server says."""

    def refused(self, words: str, symbols: Sequence[str], subscription: int | None) -> About:
        """Something is refused.

        :param words: the server's, for people.
        :param symbols: those that they name.
        :param subscription: the one that it must be about.
        :returns: what it is about.
        """

    def asked_to_reconnect(self, words: str) -> None:
        """The server wants another connection."""

    def answer(self, number: int, fill: Callable[[str], str]) -> None:
        """Send the answer of this number.

        :param fill: puts values into its text.
        """


class SideMessages:
    """Those of one feed, or of one of its connections, over all its lives.

    :param feed: the feed, as the connection has it.
    :param counters: the feed's.
    :param line: which of its connections it is, from 0.
    :param sister: those of another of them: what is told there is not told again here.
    :param refusals: the feed's, where it has several connections; None: there is one.
    """

    def __init__(
        self,
        feed: Feed,
        counters: FeedCounters,
        *,
        line: int = 0,
        sister: SideMessages | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._subscriptions = feed.subscriptions
        self._symbols = frozenset(feed.symbols)
        self._line = line
        self._rules = rules_of(feed)
        self._ignore = frozenset(text.encode() for text in feed.ignore)
        needles = needles_of(tuple(rule.conditions for rule in self._rules))
        self.takes_any = needles is None
        """Whether any message may fulfil a condition."""
        self.needles: tuple[bytes, ...] = needles or ()
        r"""Otherwise only those that contain one of these, or a ``\u``."""
        paths = [path for rule in self._rules for path in rule.group.paths]
        places = [path for answer in feed.answers for path in places_in(answer.send)]
        paths += [path for path in places if ANY not in path.steps]
        self._values = ValueTree.of(paths)
        self.memory = memory_of(feed)
        """What is remembered on the connection; None: nothing ever is."""
        self._sample: Sample = Sample(sister=None if sister is None else sister._sample)
        self._actor: SideActor | None = None
        self._pending: list[Callable[[SideActor], None]] = []
        self._tell: Callable[[Event], None] = lambda _: None
        self._sampled: Callable[[str], None] = lambda _: None
        self._refilled: Callable[[int], None] = lambda _: None
        self._timer: asyncio.TimerHandle | None = None
        self.looks = FIRST_LOOKS
        """Messages that may be sampled now."""
        self.redactor = Redactor()
        self._refusals = refusals or Refusals(feed.symbols, counters, self._report)

    @property
    def has_rules(self) -> bool:
        """Whether there are conditions."""
        return bool(self._rules)

    # Whom it tells

    def tell(self, report: Callable[[Event], None], sampled: Callable[[str], None]) -> None:
        """Have somebody told.

        :param report: takes events for the log.
        :param sampled: takes the first message of each shape, for people.
        """
        self._tell, self._sampled = report, sampled

    def when_refilled(self, call: Callable[[int], None]) -> None:
        """Have a native reader told when there are looks again."""
        self._refilled = call

    def connected(self) -> None:
        """What comes from now on comes by another connection."""
        self._actor = None
        self._pending.clear()
        self._sample.connected()
        if self.memory is not None:
            self.memory.forget()
        self._refusals.connected(self._line)
        self._refill(FIRST_LOOKS)

    def ready(self) -> None:
        """All is asked for on this connection."""
        self._refusals.ready(self._line)

    def retried(self, things: int) -> None:
        """So many things are refused now, on this connection, that are asked for again."""
        self._refusals.retried(things, self._line)

    def disconnected(self) -> None:
        """The connection is over: tell what waits for more to be told with."""
        self._refusals.flush()

    def act_by(self, actor: SideActor) -> None:
        """Have this session act on what comes by its connection, and has come."""
        self._actor = actor
        pending, self._pending = self._pending, []
        for act in pending:
            act(actor)

    def _do(self, act: Callable[[SideActor], None]) -> None:
        if self._actor is not None:
            act(self._actor)
        elif len(self._pending) < _MAX_PENDING:
            self._pending.append(act)

    # What comes

    def may_be_among(self, messages: Sequence[bytes]) -> bool:
        """Whether one of the messages may fulfil a condition."""
        return self.takes_any or self.may_be(b"".join(messages))

    def may_be(self, message: bytes) -> bool:
        """Whether the message may fulfil a condition."""
        if self.takes_any or not self.needles:
            return self.takes_any
        return _ESCAPE in message or any(needle in message for needle in self.needles)

    def refusals_in(self, message: bytes) -> list[bytes | None]:
        """What of a message says no: elements of it, or None for all of it."""
        if not self._rules or not self.may_be(message):
            return []
        rule, matches = self._rule_of(message)
        return [] if rule is None or rule.kind != "refused" else [each.element for each in matches]

    def take(self, message: bytes, fate_of: Callable[[bytes], Fate] | None = None) -> bool:
        """Act on a message, if it fulfils a condition and brings no row; whether it is so.

        :param fate_of: what becomes of it; None: it is known to bring no row.
        """
        if not self._rules or not self.may_be(message):
            return False
        rule, matches = self._rule_of(message)
        if rule is None or (fate_of is not None and fate_of(message) == "row"):
            return False
        if rule.kind == "refused":
            said = [message if each.element is None else each.element for each in matches]
            self._do(lambda actor: self._refused(actor, said, rule.number))
        elif rule.kind == "reconnect":
            words = self.words(message)
            self._do(lambda actor: actor.asked_to_reconnect(words))
        elif rule.kind == "remember" and self.memory is not None:
            self.memory.keep(matches[0].values)
        else:
            number, values = rule.number or 0, matches[0].values
            self._do(lambda actor: actor.answer(number, lambda text: filled(text, values)))
        return True

    def to_remember(self, message: bytes) -> Values | None:
        """What is found in a message, if it is to be remembered."""
        if self.memory is None or not self.may_be(message):
            return None
        rule, matches = self._rule_of(message)
        return matches[0].values if rule is not None and rule.kind == "remember" else None

    def take_out(
        self,
        messages: list[bytes],
        stamps: list[tuple[int, int]],
        fate_of: Callable[[bytes], Fate],
    ) -> None:
        """Act on those of the messages that fulfil a condition and bring no row; drop them.

        :param messages: a run of messages.
        :param stamps: when they came, as in :class:`fastingest.decode.decoder.Decoder`.
        """
        taken = [i for i, message in enumerate(messages) if self.take(message, fate_of)]
        if not taken:
            return
        for index in reversed(taken):
            del messages[index]
        left = {end - bisect_left(taken, end): time for end, time in reversed(stamps)}
        left.pop(0, None)  # a read of nothing else
        stamps[:] = sorted(left.items())

    def brought_no_row(self, message: bytes) -> int:
        """Take a message that was read natively, and is ignored; the looks that are left."""
        if not self.take(message) and self.looks:
            self.look(message, is_reject=False)
        return self.looks

    def look_among(self, messages: Sequence[bytes], fate_of: Callable[[bytes], Fate]) -> None:
        """Sample those of the messages that bring no row, as far as there are looks left."""
        for message in messages:
            if not self.looks:
                return
            fate = fate_of(message)
            if fate == "row":
                self._spend()
            else:
                self.look(message, is_reject=fate == "reject")

    def look(self, message: bytes, *, is_reject: bool) -> None:
        """Sample a message that brings no row.

        :param is_reject: it is kept elsewhere, with a reason.
        """
        self._spend()
        if message in self._ignore:
            return
        if self._sample.add(message) and not is_reject:
            words = self.words(message)
            self._tell(IgnoredMessage(words))
            self._sampled(words)

    def reason(self, *, has_rows: bool) -> str:
        """What of it may be why the connection ends now, for people; empty: nothing.

        :param has_rows: whether it has brought any.
        """
        message = self._sample.reason(has_rows=has_rows)
        return "" if message is None else self.words(message)

    def words(self, message: bytes) -> str:
        """A message for people: short, on one line, without secrets."""
        return shortened(self.redactor.hide(message.decode(errors="backslashreplace")))

    # Looks

    def _spend(self) -> None:
        self.looks -= 1
        if not self.looks and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(1.0, self._refill, LOOKS)

    def _refill(self, looks: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.looks = looks
        self._refilled(looks)

    # Conditions

    def _rule_of(self, message: bytes) -> tuple[Rule | None, list[Match]]:
        """The first rule that holds, and of what of the message it does."""
        found = values_in(message, self._values)
        for rule in self._rules:
            if matches := list(islice(rule.group.matches(found), _MAX_PENDING)):
                return rule, matches
        return None, []

    def _refused(self, actor: SideActor, said: Sequence[bytes], number: int | None) -> None:
        for each in said:
            self._refused_one(actor, each, number)

    def _refused_one(self, actor: SideActor, message: bytes, number: int | None) -> None:
        words = self.words(message)
        named = self._refusals.named_in(message.decode(errors="backslashreplace"))
        symbols = tuple(symbol for symbol in named if symbol in self._symbols)
        number, is_retried = actor.refused(words, symbols, number)
        subscription = None
        if number is not None:
            symbols = symbols or self._subscriptions[number].symbols
            subscription = subscription_shown(self._subscriptions[number].text)
        self._refusals.add(words, symbols, subscription, self._line, is_retried=is_retried)

    def granted(self, number: int, symbols: Sequence[str]) -> None:
        """Tell that a subscription is granted that was refused before.

        :param symbols: those of its symbols that are.
        """
        self._refusals.granted(symbols, subscription_shown(self._subscriptions[number].text))

    def _report(self, event: Event) -> None:
        self._tell(event)
