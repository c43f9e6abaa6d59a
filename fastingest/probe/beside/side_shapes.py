"""What was set aside, by its shapes: how often each came, its first message, and what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastingest.probe.beside.side_messages import SideMessages
from fastingest.probe.tables.shapes import Unit, group

__all__ = ["side_shapes"]

_SAYS = {
    "reply": "a reply",
    "refusal": "a refusal",
    "ping": "a ping",
    "sign": "a sign of life",
}


def side_shapes(
    side: SideMessages, values: Sequence[Any], messages: Sequence[bytes]
) -> Iterator[tuple[int, bytes, str]]:
    """The number of messages of each shape, the first of them, and what it is, for a person.

    :param values: the messages, decoded.
    """
    for kind, says in _SAYS.items():
        units = [Unit(index, values[index]) for index, of in side.kinds.items() if of == kind]
        for each in group(units):
            yield len(each.units), messages[each.units[0].message], says
    for text in sorted(side.texts):
        yield messages.count(text), text, "a ping"
