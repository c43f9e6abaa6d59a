r"""Conditions on whole messages: which of them are replies, refusals, or ask for something.

They are written as other conditions are (:mod:`fastingest.model.jsonpath`), and in three more ways.
Paths begin at the message's root, with ``$`` or without::

    $.event=error,warning   a value, or any of several
    $.error                 it is there, and not null; this one needs its $
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
from typing import NamedTuple, TypeAlias

from fastingest.model.jsonpath import JsonPath, parse_condition, parse_path, text_of

__all__ = [
    "MAX_NEEDLES",
    "Groups",
    "MessageCondition",
    "needles_of",
    "parse_message_condition",
]

MAX_NEEDLES = 16
"""With more of them it is sooner done to look into each message."""

_WHOLE = re.compile(r"\s*\$\s*=(.*)", re.DOTALL)
_EMPTY = {b"[": "[]", b"{": "{}"}
# A number, or a name of JSON: what a string may say as well, without quotes or with them.
_UNQUOTED = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null|\[\]|\{\}")


class MessageCondition(NamedTuple):
    """What a message must say.

    :param path: from its root.
    :param values: texts, any of which the value must have; none: it must be there.
    """

    path: JsonPath
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}={','.join(self.values)}" if self.values else str(self.path)

    def holds(self, value: bytes | None) -> bool:
        """Whether it holds where the path leads to this.

        :param value: JSON without space around it; None: it leads to nothing.
        """
        if value is None:
            return False
        if not self.values:
            return value != b"null"
        empty = _EMPTY.get(value[:1])
        if empty is not None:
            return empty in self.values and not value[1:-1].strip()
        return text_of(value) in self.values


Groups: TypeAlias = tuple[tuple[MessageCondition, ...], ...]
"""Groups of conditions: all of one must hold."""


def parse_message_condition(text: str) -> MessageCondition:
    """The condition that ``text`` says.

    :raises ValueError: it says none.
    """
    whole = _WHOLE.fullmatch(text)
    if whole is not None and whole[1].strip() and not whole[1].startswith("="):
        return MessageCondition(
            JsonPath((), True), tuple(each.strip() for each in whole[1].split(","))
        )
    if "=" in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        return MessageCondition(*parse_condition(text, any_element=True))
    if not text.strip().startswith("$"):
        raise ValueError(
            f"{text!r} is no condition; write for example $.event=error, or $.error where it must "
            "only be there"
        )
    path = parse_path(text, any_element=True)
    if not path.steps:
        raise ValueError(f"{text!r} holds of every message; write for example $.error, or $=ping")
    return MessageCondition(path)


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
    if not condition.path.steps:
        return _written(condition.values, quote="")
    if condition.values and not any(map(_UNQUOTED.fullmatch, condition.values)):
        needles = _written(condition.values, quote='"')
        if needles:
            return needles
    names = [step for step in condition.path.steps if isinstance(step, str)]
    return _written(names[-1:], quote='"')


def _written(texts: Sequence[str], quote: str) -> tuple[bytes, ...]:
    """The texts as they stand in JSON; empty where that may be in several ways."""
    if not all(text and text.isprintable() and not set('"\\/') & set(text) for text in texts):
        return ()
    return tuple(f"{quote}{text}{quote}".encode() for text in texts)
