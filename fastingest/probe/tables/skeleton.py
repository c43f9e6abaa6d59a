"""What of a value is the same in all of its kind: where what stands in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeAlias

from fastingest.probe.tables.field_profile import Steps, is_number_text, kind_of
from fastingest.probe.tables.maps import is_ticker

__all__ = ["SCALARS", "Skeleton", "skeleton_of", "tell_apart"]

SCALARS = ("scalar", "text", "number")
"""What is no object and no array; at positions of arrays, what sort of it."""

Skeleton: TypeAlias = frozenset[tuple[Steps, str]]

_DEPTH = 3
# One row and an array of rows are of one kind.
_ROWS = {"records": "object", "lists": "mixed"}
_MAX_POSITIONS = 8
_MAX_PARTS = 50  # of an object inside; one that has more may be a map, with other names each time


def skeleton_of(value: Any) -> Skeleton:
    """Where what kinds of values stand in a value."""
    return frozenset(_places(value))


def _places(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Where what stands in a value; null and an empty array might be anything."""
    if isinstance(value, dict):
        parts: Iterable[tuple[str | int, Any]] = value.items()
        if len(value) > 1 and all(map(is_ticker, value)):
            return  # as far as one can tell, a map
    elif not steps and isinstance(value, list):
        parts = _numbered(value[:_MAX_PARTS])
    else:
        return
    for step, part in parts:
        kind = _kind(part)
        if kind:
            yield (*steps, step), kind
        if not steps and isinstance(part, list) and kind == "mixed":
            yield from _in_array(part, (step,), isinstance(value, list))
        elif isinstance(part, list) and kind == "object":  # what rows would be made of
            yield from _inside(part, (*steps, step))
        elif kind == "object" and len(steps) + 1 < _DEPTH and len(part) <= _MAX_PARTS:
            yield from _places(part, (*steps, step))


def _kind(part: Any) -> str:
    """What kind of value it is, where one row and an array of rows are of one; empty: any."""
    kind = kind_of(part)
    if kind in ("null", "empty"):
        return ""
    if kind == "mixed" and {*map(type, part)} <= {dict, type(None)}:
        return "object"
    return _ROWS.get(kind, kind)


def _inside(records: Iterable[Any], steps: Steps) -> Iterator[tuple[Steps, str]]:
    """The members of records, as of one that stands there alone."""
    for record in records:
        for name, member in record.items() if isinstance(record, dict) else ():
            kind = _kind(member)
            if kind:
                yield (*steps, name), kind


def _in_array(elements: list[Any], steps: Steps, in_array: bool) -> Iterator[tuple[Steps, str]]:
    """What stands at the positions of an array, or in the first of several.

    :param in_array: whether the message is an array itself, which little else tells apart.
    """
    if isinstance(elements[0], list):
        elements = elements[0]
    if len(elements) > _MAX_POSITIONS and not in_array:
        return
    for index, element in enumerate(elements[:_MAX_PARTS]):
        kind = _kind(element)
        if kind == "scalar" and in_array and element != "":
            yield (*steps, index), "number" if _is_number(element) else "text"
        elif kind and kind != "scalar":
            yield (*steps, index), kind
        if kind == "object":
            yield from _inside(element if isinstance(element, list) else [element], (*steps, index))


def _is_number(value: Any) -> bool:
    return not isinstance(value, str) or is_number_text(value)


def _numbered(elements: list[Any]) -> Iterator[tuple[int, Any]]:
    """Elements by their positions; several objects in a row, which are parts of one, have one."""
    number = -1
    before: Any = None
    for element in elements:
        if not (isinstance(element, dict) and isinstance(before, dict)):
            number += 1
        before = element
        yield number, element


def tell_apart(one: Collection[Skeleton], other: Collection[Skeleton]) -> bool:
    """Whether something always stands in the values of one kind and never in those of the other."""
    first, second = [frozenset.intersection(*each) for each in (one, other)]
    return bool(first - frozenset().union(*other)) or bool(second - frozenset().union(*one))
