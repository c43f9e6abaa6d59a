"""What recorded messages are beside rows: replies, refusals, and what a server asks for.

A capture knows what it is waiting for when a message comes; of recorded ones it is only known in
which order they came. So a message is the reply to a subscription that has had none yet, and of
those that come later, as after another connect, the ones that bring no row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from fastingest.access.secrets import shown
from fastingest.decode.memory import Memory
from fastingest.decode.values import Values
from fastingest.model.feed import Feed
from fastingest.model.message_conditions import MessageCondition
from fastingest.source.message_values import Match
from fastingest.source.side_messages import Fate
from fastingest.source.side_rules import (
    Rule,
    SideRules,
    filled,
    places_in,
    replies_of,
    rules_of,
)
from fastingest.source.subscriptions import reply_in

__all__ = ["Beside", "Kind", "Said"]

Kind: TypeAlias = Literal["reply", "refused", "reconnect", "answer", "remember"]


class Said(NamedTuple):
    """What a message is that is no row."""

    kind: Kind
    answer: str = ""
    """What is sent back, for people, where something is."""


class Beside:
    """Tells the side messages of a feed.

    :param feed: the feed, with all its connections.
    :param memory: what remembers messages that are to be; None: none are.
    """

    def __init__(self, feed: Feed, memory: Memory | None = None) -> None:
        self._memory = memory
        parts = feed.by_line()
        self._answers = feed.answers
        places = [path for answer in feed.answers for path in places_in(answer.send)]
        self._rules = SideRules(_once([rule for part in parts for rule in rules_of(part)]), places)
        replies = [rule for part in parts for rule in replies_of(part)]
        self._replies = SideRules(_once(replies))
        self._awaited = Counter(rule.conditions for rule in replies)

    def take(self, message: bytes, fate_of: Callable[[bytes], Fate]) -> Said | None:
        """What a message is; None: it is to be decoded.

        :param fate_of: what becomes of it then.
        """
        rule, matches = None, list[Match]()
        if self._rules.may_be(message):
            rule, matches = next(self._rules.holding(message), (None, []))
        is_reply = self._replies.may_be(message) and self._is_reply(message, rule, matches, fate_of)
        if not is_reply and (rule is None or fate_of(message) == "row"):
            return None
        if rule is not None and rule.kind == "remember" and self._memory is not None:
            self._memory.keep(matches[0].values)
        if is_reply or rule is None:
            return Said("reply")
        if rule.kind == "answer":
            return Said("answer", self._answer(rule.number or 0, matches[0].values))
        return Said(rule.kind)

    def _is_reply(
        self,
        message: bytes,
        rule: Rule | None,
        matches: list[Match],
        fate_of: Callable[[bytes], Fate],
    ) -> bool:
        """Whether a message is a reply, and nothing else."""
        is_refusal = rule is not None and rule.kind == "refused"
        refusals = [match.element for match in matches] if is_refusal else []
        is_any = False
        for reply, found in self._replies.holding(message):
            held = reply_in(message, [match.element for match in found], refusals)
            if held and self._awaited[reply.conditions]:
                self._awaited[reply.conditions] -= 1
                return held == "all"
            is_any = is_any or held == "all"
        return is_any and fate_of(message) != "row"

    def _answer(self, number: int, values: Values) -> str:
        return filled(shown(self._answers[number].send), values)


def _once(rules: list[Rule]) -> list[Rule]:
    """The rules without those that say the same as one before."""
    said = dict[tuple[str, tuple[MessageCondition, ...]], Rule]()
    for rule in rules:
        said.setdefault((rule.kind, rule.conditions), rule)
    return list(said.values())
