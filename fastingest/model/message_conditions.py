r"""Conditions on whole messages: which of them are replies, refusals, or ask for something.

They are written as other conditions are (:mod:`fastingest.model.jsonpath`), and in three more ways.
Paths begin at the message's root, with ``$`` or without::

    $.event=error,warning   a value, or any of several; the other tests as well
    $.error                 as $.error exists; this one needs its $
    $.result=[]             an empty array; {} is an empty object
    $=ping                  the whole message, which need not be JSON
    $[*].T=error            of any element of an array; all such conditions of a group of the same

Conditions come in *groups*: all of a group must hold, and any group will do.

Theory of operation. Looking into each message would cost too much where most are of no interest. So
a group has *needles*, of which any message that fulfils it contains at least one, as it is, or
written with ``\u`` escapes: the name of a member in its quotes, or the values that it may have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from fastingest.model.jsonpath import Condition, Embedded, JsonPath, parse_condition, parse_path

__all__ = [
    "MAX_NEEDLES",
    "Groups",
    "MessageCondition",
    "needles_of",
    "parse_message_condition",
]

MAX_NEEDLES = 16
"""With more of them it is sooner done to look into each message."""

_WHOLE = re.compile(r"\s*\$\s*([!^~]?=)(.*)", re.DOTALL)
_EMPTY = {b"[": "[]", b"{": "{}"}
# A number, or a name of JSON: what a string may say as well, without quotes or with them.
_UNQUOTED_BEGINNING = re.compile(r"-|[0-9]|(?:t|tr|tru|true|f|fa|fal|fals|false|n|nu|nul|null)$")
_UNQUOTED = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null|\[\]|\{\}")


class MessageCondition(Condition):
    """What a message must say; its path is from the root."""

    __slots__ = ()

    def __str__(self) -> str:
        return str(self.path) if self.test == "exists" else super().__str__()

    def holds(self, value: bytes | msgspec.Raw | None) -> bool:
        """Whether it holds where the path leads to this.

        :param value: JSON without space around it; None: it leads to nothing.
        """
        text = b"" if value is None else bytes(value)
        if _EMPTY.get(text[:1]) in self.values and self.test in ("=", "!="):
            return (not text[1:-1].strip()) == (self.test == "=")
        return super().holds(value)


Groups: TypeAlias = tuple[tuple[MessageCondition, ...], ...]
"""Groups of conditions: all of one must hold."""


def parse_message_condition(text: str) -> MessageCondition:
    """The condition that ``text`` says.

    :raises ValueError: it says none.
    """
    whole = _WHOLE.fullmatch(text)
    if whole is not None and whole[2].strip() and not whole[2].startswith("="):
        texts = tuple(each.strip() for each in whole[2].split(","))
        return MessageCondition(JsonPath((), True), texts, whole[1])
    if re.search(r"[=<>]|\s(exists|absent)\s*$", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        return MessageCondition(*parse_condition(text, any_element=True))
    if not text.strip().startswith("$"):
        raise ValueError(
            f"{text!r} is no condition; write for example $.event=error, or $.error where it must "
            "only be there"
        )
    path = parse_path(text, any_element=True)
    if not path.steps:
        raise ValueError(f"{text!r} holds of every message; write for example $.error, or $=ping")
    return MessageCondition(path, (), "exists")


def needles_of(groups: Groups) -> tuple[bytes, ...] | None:
    r"""Pieces of which each message that fulfils a group contains one, unless it has a ``\u``.

    None: any message may fulfil one. What is shared by several groups is preferred, and of others
    what is longer, and so met by fewer messages.
    """
    candidates = [
        [each for condition in group if (each := _needles(condition))] for group in groups
    ]
    if not all(candidates):
        return None
    often = Counter(each for group in candidates for each in group)
    chosen = dict.fromkeys(
        needle
        for group in candidates
        for needle in max(group, key=lambda each: (often[each], min(map(len, each))))
    )
    return tuple(chosen) if len(chosen) <= MAX_NEEDLES else None


def _needles(condition: MessageCondition) -> tuple[bytes, ...]:
    """Those of one condition; empty where none are sure."""
    if condition.test in ("!=", "absent"):
        return ()
    steps = condition.path.steps
    if Embedded.JSON in steps:  # what stands behind it is escaped
        names = [step for step in steps[: steps.index(Embedded.JSON)] if isinstance(step, str)]
        return _written(names[-1:], '"', '"')
    may_be_bare = _UNQUOTED.fullmatch if condition.test == "=" else _UNQUOTED_BEGINNING.match
    if condition.test in ("=", "^="):
        closing = '"' if condition.test == "=" else ""
        if not steps:
            return _written(condition.values)
        if not any(map(may_be_bare, condition.values)):
            needles = _written(condition.values, '"', closing)
            if needles:
                return needles
    names = [step for step in steps if isinstance(step, str)]
    return _written(names[-1:], '"', '"')


def _written(texts: Sequence[str], opening: str = "", closing: str = "") -> tuple[bytes, ...]:
    """The texts as they stand in JSON; empty where that may be in several ways."""
    if not all(text and text.isprintable() and not set('"\\/') & set(text) for text in texts):
        return ()
    return tuple(f"{opening}{text}{closing}".encode() for text in texts)
