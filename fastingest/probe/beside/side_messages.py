"""The messages of a probe → those that are no data, and what a file can say of them.

What is set aside here is never made a row of, even where it bears the name of a channel. Of it come

- the *reply* to each subscription, where its conditions hold of one for each of them;
- what is *refused*: as it was seen, or as venues that reply so refuse, which is a guess;
- what is *answered*: a ping of the server that says what it wants back.

No condition is proposed that holds of any other message that has come: a reply that is taken for
data, or data that is taken for a reply, would cost rows or connections.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastingest.decode.values import ValueTree
from fastingest.model.feed import Answer, Subscription
from fastingest.model.message_conditions import (
    Groups,
    MessageCondition,
    needles_of,
    parse_message_condition,
)
from fastingest.probe.beside.message_kinds import Asked, Kind, Said, asked_of, said_by
from fastingest.probe.beside.pings import KNOWN, pong_of, pongs_of_texts
from fastingest.probe.beside.refusal_forms import refusals_like
from fastingest.probe.tables.field_profile import kind_of
from fastingest.source.message_values import Group, values_in

__all__ = ["Rule", "SideMessages", "side_messages_of"]

_MAX_GROUPS = 8  # of conditions on refusals: with too many, a run looks into each message
_OFTEN = 50  # times; a message that says the same so often is no reply, whatever it says


@dataclass(frozen=True)
class SideMessages:
    """What was set aside.

    :param kinds: what each of these messages is, by its index.
    :param replies: the conditions of each subscription's reply, as given or proposed; None: none.
    :param refused: groups of conditions that hold of refusals that have come.
    :param guessed: those of refusals as they probably are.
    :param answers: what is answered.
    :param texts: of messages that are no objects and arrays, those that are answered.
    :param refusal: the first refusal; None: there is none.
    """

    kinds: Mapping[int, Kind] = field(default_factory=dict)
    replies: tuple[tuple[MessageCondition, ...] | None, ...] = ()
    refused: Groups = ()
    guessed: Groups = ()
    answers: tuple[Answer, ...] = ()
    texts: frozenset[bytes] = frozenset()
    refusal: bytes | None = None

    def taken(self, messages: Sequence[bytes]) -> set[int]:
        """The indices of those that a run acts on, so that no table is asked for them."""
        groups = [*self.refused, *self.guessed]
        groups += [group for answer in self.answers for group in answer.when]
        rules = [Rule(group) for group in groups]
        awaited = [Rule(reply) for reply in self.replies if reply is not None]
        taken = set()
        for index, message in enumerate(messages):
            reply = next((rule for rule in awaited if rule.holds(message)), None)
            if any(rule.holds(message) for rule in rules):
                taken.add(index)
            elif reply is not None:
                taken.add(index)
                awaited.remove(reply)
        return taken


class Rule:
    """A group of conditions, asked of messages as a run asks them."""

    def __init__(self, conditions: Sequence[MessageCondition]) -> None:
        self._group = Group(conditions)
        self._tree = ValueTree.of(self._group.paths)
        self._needles = needles_of((tuple(conditions),))

    def holds(self, message: bytes) -> bool:
        """Whether they hold of a message, or of an element of it."""
        if self._needles is not None and not any(map(message.__contains__, self._needles)):
            return b"\\u" in message and self._is_it(message)
        return self._is_it(message)

    def _is_it(self, message: bytes) -> bool:
        return any(True for _ in self._group.matches(values_in(message, self._tree)))


@dataclass(frozen=True)
class _Aside:
    """A message that is set aside."""

    index: int
    kind: Kind
    parts: tuple[Said, ...]
    beginning: str
    """Of the paths to what its parts say."""


def side_messages_of(
    messages: Sequence[bytes], values: Sequence[Any], sent: Sequence[Subscription]
) -> SideMessages:
    """What of ``messages`` is no data.

    :param values: each of them decoded; None: it is no object and no array.
    :param sent: the subscriptions that they came after.
    """
    asked = [asked_of(each.text) for each in sent]
    things = sum(each.text.count('"') for each in sent)  # of which each may have a reply
    aside = _without_frequent(
        [found for index, value in enumerate(values) if (found := _aside(index, value, asked))],
        max(_OFTEN, things),
    )
    kinds = {each.index: each.kind for each in aside}
    conditions = _Conditions(messages, kinds)
    replies = conditions.replies(aside, sent, asked)
    refused = conditions.refused(aside)
    guessed = conditions.guessed(aside, replies, refused) if sent else ()
    answers, texts = conditions.answers(values, aside, asked)
    first = next((messages[each.index] for each in aside if each.kind == "refusal"), None)
    return SideMessages(kinds, replies, refused, guessed, answers, texts, first)


def _aside(index: int, value: Any, asked: Sequence[Asked]) -> _Aside | None:
    is_array = kind_of(value) == "records"
    said = [said_by(part, asked) for part in (value if is_array else [value])]
    parts = tuple(each for each in said if each is not None)
    if len(parts) < len(said):
        return None
    order: tuple[Kind, ...] = ("refusal", "reply", "ping", "sign")
    kind = next(kind for kind in order if any(part.kind == kind for part in parts))
    return _Aside(index, kind, parts, "$[*]." if is_array else "$.")


def _without_frequent(aside: list[_Aside], often: int) -> list[_Aside]:
    """Those that do not say the same over and over, as only signs of life do.

    :param often: how many times are more than replies come.
    """
    counts = Counter((each.kind, each.parts[0].conditions) for each in aside)
    return [
        each
        for each in aside
        if each.kind in ("ping", "sign") or counts[each.kind, each.parts[0].conditions] <= often
    ]


class _Conditions:
    """Finds conditions that hold of what they are for, and of nothing else that has come.

    :param kinds: what messages were set aside, and as what.
    """

    def __init__(self, messages: Sequence[bytes], kinds: Mapping[int, Kind]) -> None:
        self._messages = messages
        self._kinds = kinds

    def _only(self, texts: Sequence[str], *kinds: Kind) -> tuple[MessageCondition, ...]:
        """The conditions, if they hold only of messages of these kinds; otherwise none."""
        conditions = tuple(map(parse_message_condition, texts))
        rule = Rule(conditions) if conditions else None
        if rule is None or any(
            self._kinds.get(index) not in kinds and rule.holds(message)
            for index, message in enumerate(self._messages)
        ):
            return ()
        return conditions

    # Replies

    def replies(
        self, aside: Sequence[_Aside], sent: Sequence[Subscription], asked: Sequence[Asked]
    ) -> tuple[tuple[MessageCondition, ...] | None, ...]:
        """The conditions of the reply to each of the subscriptions.

        Where some have theirs, which are waited for has been said, and stays as it is.
        """
        if any(each.reply for each in sent):
            return tuple(each.reply for each in sent)
        said = [
            (each.beginning, part)
            for each in aside
            for part in each.parts
            if part.kind == "reply" and part.conditions
        ]
        chosen: list[tuple[MessageCondition, ...]] = []
        for own in asked:
            fits = [_fit(part, own, asked) for _, part in said]
            best = max(fits, default=0)
            texts = _written(*said[fits.index(best)]) if best else ()
            chosen.append(self._only(texts, "reply", "refusal"))
        # One that may be answered by the message that was the reply to another is not waited for.
        answers = sum(each.kind == "refusal" for each in aside)
        replies = [self._messages[each.index] for each in aside if each.kind == "reply"]
        enough = [
            bool(conditions)
            and sum(map(Rule(conditions).holds, replies)) + answers >= chosen.count(conditions)
            for conditions in chosen
        ]
        return tuple(
            conditions if is_certain else None
            for conditions, is_certain in zip(chosen, enough, strict=True)
        )

    # Refusals

    def refused(self, aside: Sequence[_Aside]) -> Groups:
        """Those of the refusals that have come."""
        texts = dict.fromkeys(
            _written(each.beginning, part)
            for each in aside
            for part in each.parts
            if part.kind == "refusal" and part.conditions
        )
        found = filter(None, (self._only(text, "refusal") for text in texts))
        return tuple(found)[:_MAX_GROUPS]

    def guessed(
        self,
        aside: Sequence[_Aside],
        replies: Sequence[tuple[MessageCondition, ...] | None],
        refused: Groups,
    ) -> Groups:
        """Those of refusals that are to such replies what venues make of them."""
        known = {tuple(map(str, group)) for group in refused}
        awaited = [Rule(reply) for reply in replies if reply is not None]
        texts: dict[tuple[str, ...], None] = {}
        for each in aside:
            raw = self._messages[each.index]
            if each.kind == "reply" and any(rule.holds(raw) for rule in awaited):
                for part in each.parts:
                    texts |= dict.fromkeys(refusals_like(each.beginning, part, raw))
        found = filter(None, (self._only(text, "refusal") for text in texts))
        new = tuple(group for group in found if tuple(map(str, group)) not in known)
        return new[: _MAX_GROUPS - len(refused)]

    # Answers

    def answers(
        self, values: Sequence[Any], aside: Sequence[_Aside], asked: Sequence[Asked]
    ) -> tuple[tuple[Answer, ...], frozenset[bytes]]:
        """What is answered, and to which messages that are no JSON objects."""
        found: dict[tuple[str, ...], str] = {}
        names = {name for each in asked for name in each.names}
        for each in aside:
            if each.kind == "ping" and isinstance(values[each.index], dict):
                found |= pong_of(values[each.index], names)
        for known, send in KNOWN.items():
            rule = Rule(tuple(map(parse_message_condition, known)))
            if any(rule.holds(self._messages[each.index]) for each in aside):
                found[known] = send
        texts = set()
        for ping, pong in pongs_of_texts(self._messages).items():
            texts.add(ping.encode())
            found[(f"$={ping}",)] = pong
        answers = []
        for when, send in found.items():
            conditions = tuple(map(parse_message_condition, when))
            answers.append(Answer((conditions,), send))
        return tuple(answers), frozenset(texts)


def _written(beginning: str, part: Said) -> tuple[str, ...]:
    return tuple(beginning + condition for condition in part.conditions)


def _fit(reply: Said, own: Asked, asked: Sequence[Asked]) -> int:
    """How well a reply fits a subscription: 0, if it is not the reply to it.

    :param asked: all subscriptions.
    """
    if reply.ident:
        return 3 if reply.ident == own.ident else 0
    if _names(reply, own):
        return 2
    others = reply.stems & {"sub", "auth"} and own.stems
    return 0 if others or any(_names(reply, each) for each in asked) else 1


def _names(reply: Said, asked: Asked) -> bool:
    """Whether a reply says that it is one to such a subscription."""
    return bool(reply.stems & asked.stems or reply.verbs & asked.verbs)
