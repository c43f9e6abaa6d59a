"""Which messages beside the rows are something, as a feed's description says."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from fastingest.decode.values import Values
from fastingest.model.feed import ANSWER_PLACE, Feed
from fastingest.model.jsonpath import JsonPath, parse_path
from fastingest.model.message_conditions import MessageCondition
from fastingest.source.message_values import Group

__all__ = ["Rule", "filled", "places_in", "rules_of"]


class Rule(NamedTuple):
    """A group of conditions, and what a message is that fulfils it."""

    kind: Literal["refused", "reconnect", "answer", "remember"]
    number: int | None  # of the subscription, or of the answer
    conditions: tuple[MessageCondition, ...]
    group: Group


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


def places_in(text: str) -> list[JsonPath]:
    """The paths of what stands in the places of an answer."""
    return [parse_path(place, any_element=True) for place in ANSWER_PLACE.findall(text)]


def filled(text: str, found: Values) -> str:
    """``text`` with the JSON of a message in its places; ``null`` where there is none."""

    def value(place: re.Match[str]) -> str:
        path = parse_path(place[1], any_element=True)
        return found.get(path.steps, b"null").decode(errors="replace")

    return ANSWER_PLACE.sub(value, text)
