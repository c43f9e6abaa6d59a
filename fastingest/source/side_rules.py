"""Which messages beside the rows are something, as a feed's description says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from fastingest.decode.values import Values, ValueTree
from fastingest.model.feed import ANSWER_PLACE, Feed
from fastingest.model.jsonpath import ANY, JsonPath, parse_path
from fastingest.model.message_conditions import MessageCondition, needles_of
from fastingest.source.message_values import Group, Match, values_in

__all__ = ["Rule", "SideRules", "filled", "places_in", "replies_of", "rules_of"]

_MAX_MATCHES = 100  # elements of a message

_ESCAPE = b"\\u"


class Rule(NamedTuple):
    """A group of conditions, and what a message is that fulfils it."""

    kind: Literal["refused", "reconnect", "answer", "remember", "reply"]
    number: int | None  # of the subscription, or of the answer
    conditions: tuple[MessageCondition, ...]
    group: Group


class SideRules:
    """Rules, and the messages that they are about.

    :param rules: in the order in which they are asked.
    :param wanted: paths to what else is read of a message where one holds.
    """

    def __init__(self, rules: Sequence[Rule], wanted: Sequence[JsonPath] = ()) -> None:
        self._rules = rules
        needles = needles_of(tuple(rule.conditions for rule in rules))
        self.takes_any = needles is None
        """Whether any message may fulfil a condition."""
        self.needles: tuple[bytes, ...] = needles or ()
        r"""Otherwise only those that contain one of these, or a ``\u``."""
        paths = [path for rule in rules for path in rule.group.paths]
        paths += [path for path in wanted if ANY not in path.steps]
        self._values = ValueTree.of(paths)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._rules)

    def may_be(self, message: bytes) -> bool:
        """Whether the message may fulfil a condition."""
        if self.takes_any or not self.needles:
            return self.takes_any
        return _ESCAPE in message or any(needle in message for needle in self.needles)

    def holding(self, message: bytes) -> Iterator[tuple[Rule, list[Match]]]:
        """The rules that hold, in their order, each with what of the message it does.

        What is no UTF-8 is not remembered: cells would be made of it.
        """
        found = values_in(message, self._values)
        for rule in self._rules:
            matches = list(islice(rule.group.matches(found), _MAX_MATCHES))
            if matches and (rule.kind != "remember" or _is_utf_8(message)):
                yield rule, matches


def _is_utf_8(message: bytes) -> bool:
    try:
        message.decode()
    except ValueError:
        return False
    return True


def rules_of(feed: Feed) -> list[Rule]:
    """Those of a feed, in the order in which they are asked."""
    rules = [
        Rule("refused", number, group, Group(group))
        for number, subscription in enumerate(feed.subscriptions)
        for group in subscription.refused
    ]
    rules += [Rule("refused", None, group, Group(group)) for group in feed.refused]
    rules += [Rule("reconnect", None, group, Group(group)) for group in feed.reconnect]
    rules += [
        Rule("answer", number, group, Group(group, places_in(answer.send)))
        for number, answer in enumerate(feed.answers)
        for group in answer.when
    ]
    if feed.remember is not None:
        key = feed.remember.key
        rules += [
            Rule("remember", None, group, Group([*group, MessageCondition(key, (), "exists")]))
            for group in feed.remember.when
        ]
    return rules


def replies_of(feed: Feed) -> list[Rule]:
    """What is a reply to a subscription of a feed that waits for one."""
    return [
        Rule("reply", number, subscription.reply, Group(subscription.reply))
        for number, subscription in enumerate(feed.subscriptions)
        if subscription.reply is not None
    ]


def places_in(text: str) -> list[JsonPath]:
    """The paths of what stands in the places of an answer."""
    return [parse_path(place, any_element=True) for place in ANSWER_PLACE.findall(text)]


def filled(text: str, found: Values) -> str:
    """``text`` with the JSON of a message in its places; ``null`` where there is none."""

    def value(place: re.Match[str]) -> str:
        path = parse_path(place[1], any_element=True)
        return found.get(path.steps, b"null").decode(errors="replace")

    return ANSWER_PLACE.sub(value, text)
