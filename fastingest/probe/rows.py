"""Where in the messages of one shape their rows are.

A message is mostly a letter in an envelope: what is measured stands in one member (``data``), as an
object or as an array of them, and what is around it says whose it is. So the rows are

- the elements of the one array of objects, or of arrays, that holds quantities, unless there are
  more quantities around it than in it;
- otherwise the object that is left when envelopes are taken off: as long as there is one object in
  it that holds more values than stand around it;
- in an array that is told by position, the one element that is an object or an array.

Two arrays beside each other are the sides of an order book, and no rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastingest.probe.columns import is_quantity, type_of
from fastingest.probe.field_profile import FieldProfile, Steps, follow

__all__ = ["find_rows", "quantities", "rows_at"]

_DEPTH = 4


def rows_at(message: Any, place: Iterable[object]) -> list[Any] | None:
    """The rows that stand at ``place``; None: nothing stands there."""
    found = follow(message, place)
    if found is None:
        return None
    if not isinstance(found, list):
        return [found]
    if found and not isinstance(found[0], (dict, list)):
        return [found]  # one row, told by position
    return found


def find_rows(seen: FieldProfile, now: float) -> Steps:
    """Where the rows of these messages are; ``()``: a message is one itself.

    :param seen: of all of them.
    :param now: seconds since the epoch at the time of the probe.
    """
    arrays = [(place, quantities(node, now)) for place, node in _arrays(seen, ())]
    full = [(place, inside) for place, inside in arrays if inside]
    if len(full) == 1 or len(arrays) == 1:
        place, inside = (full or arrays)[0]
        around = sum(
            is_quantity(type_of(leaf, steps[-1], now), steps[-1])
            for steps, leaf in seen.leaves()
            if steps != place[: len(steps)]
        )
        if inside >= max(around, 1):
            return place
    return _unwrapped(seen)


def quantities(seen: FieldProfile, now: float) -> int:
    """How many of a row's values measure something."""
    return sum(
        is_quantity(type_of(leaf, steps[-1], now), steps[-1]) for steps, leaf in seen.leaves()
    )


def _arrays(seen: FieldProfile, steps: Steps) -> Iterator[tuple[Steps, FieldProfile]]:
    """The arrays that may hold rows, and what these are like."""
    if len(steps) >= _DEPTH:
        return
    for step, child in seen.children():
        place = (*steps, step)
        others = set(child.kinds) - {"records", "lists", "empty", "null"}
        if child.elements is not None and others <= {"object"}:
            yield place, child.elements
            # An array that never has more than one element, which holds the array that counts.
            if child.lengths <= {0, 1}:
                yield from _arrays(child.elements, (*place, 0))
        elif child.members and not child.is_map:
            yield from _arrays(child, place)


def _unwrapped(seen: FieldProfile) -> Steps:
    place: Steps = ()
    while True:
        inner = [
            (step, child)
            for step, child in seen.children()
            if set(child.kinds) <= ({"object", "mixed", "null"} if seen.positions else {"object"})
            and not child.is_map
            and (child.members or child.positions)
        ]
        if len(inner) != 1:
            return place
        step, child = inner[0]
        values = sum(leaf.is_scalar for _, leaf in child.leaves())
        around = sum(other.is_scalar for _, other in seen.children())
        if not seen.positions and values <= around:
            return place
        place, seen = (*place, step), child
        if seen.positions:
            return place
