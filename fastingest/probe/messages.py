"""Which messages of a probe tables are made from, and which stand beside them.

Beside them stand replies, signs of life, notices and errors. They say so by a word, where one
stands that names a kind of message, or by what members they have, and they hold no data: no array
of records or of arrays that measure something. Besides, there are texts that are no JSON objects
and arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from fastingest.probe.tables.arrays import arrays_in
from fastingest.probe.tables.discriminators import discriminators_of, is_control
from fastingest.probe.tables.field_profile import FieldProfile
from fastingest.probe.tables.rows import quantities

__all__ = ["Messages", "is_beside", "messages_of"]

_BESIDE = {"success", "subscribe", "subbed", "unsubbed", "error", "errors", "err", "ping", "pong"}
_ANSWER = {"id", "result"}


@dataclass(frozen=True)
class Messages:
    """What came, told apart as far as single messages can be.

    :param values: what each message says; None where it is no object and no array.
    :param data: the indices of those that tables are made from.
    :param beside: those of replies, signs of life and the like.
    :param texts: those of what is no object and no array.
    """

    values: list[Any]
    data: list[int]
    beside: list[int]
    texts: list[int]

    def without(self, others: Collection[int]) -> Messages:
        """The same with these indices among those of what stands beside the data."""
        data = [index for index in self.data if index not in others]
        beside = sorted({*self.beside, *others} - set(self.texts))
        return replace(self, data=data, beside=beside)


def messages_of(raw: Sequence[bytes], now: float) -> Messages:
    """Decode messages and tell them apart.

    :param now: seconds since the epoch when they came.
    """
    values = list(map(_decoded, raw))
    found = Messages(values, [], [], [])
    for index, value in enumerate(values):
        if value is None:
            found.texts.append(index)
        else:
            (found.beside if is_beside(value, now) else found.data).append(index)
    return found


def _decoded(raw: bytes) -> Any:
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def is_beside(value: Any, now: float) -> bool:
    """Whether a message, as far as it can tell itself, is a reply, a sign of life or a notice."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return all(is_beside(each, now) for each in value)
    near = {steps[0]: text for steps, text in discriminators_of(value).items() if len(steps) == 1}
    said = [text for step, text in near.items() if isinstance(step, str) or step >= 0]
    members = value if isinstance(value, dict) else {}
    is_notice = isinstance(members.get("info"), str)
    if not (is_control(said) or is_notice or _BESIDE & set(members) or set(members) >= _ANSWER):
        return False
    # A new subscription's first data may come in its reply.
    return not any(quantities(each.elements, now) for each in arrays_in(FieldProfile([value])))
