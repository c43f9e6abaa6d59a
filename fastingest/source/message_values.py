"""What a whole message says where conditions look, whether or not it is JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fastingest.decode.values import Values, ValueTree
from fastingest.model.message_conditions import MessageCondition

__all__ = ["hold", "values_in"]

_decode_any = msgspec.json.Decoder(msgspec.Raw).decode


def values_in(message: bytes, tree: ValueTree) -> Values:
    """The values that the paths of ``tree`` lead to; of what is no JSON, the whole alone."""
    text = message.strip()
    try:
        return tree.find(bytes(_decode_any(text)))
    except (ValueError, RecursionError):
        return {(): text}


def hold(conditions: Sequence[MessageCondition], found: Values) -> bool:
    """Whether all ``conditions`` hold of a message.

    :param found: what their paths lead to in it.
    """
    try:
        return all(condition.holds(found.get(condition.path.steps)) for condition in conditions)
    except ValueError:  # no UTF-8
        return False
