"""What of a value is the same in all of its kind: where what stands in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeAlias

from fastingest.probe.field_profile import Steps, kind_of
from fastingest.probe.maps import is_ticker

__all__ = ["Skeleton", "skeleton_of", "tell_apart"]

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
        kind = _ROWS.get(kind_of(part), kind_of(part))
        if kind not in ("null", "empty"):
            yield (*steps, step), kind
        if kind_of(part) == "mixed" and steps == () and len(part) <= _MAX_POSITIONS:
            yield from _in_array(part, (step,))
        if isinstance(part, list) and kind == "object":  # what rows would be made of
            for each in part:
                yield from _inside(each, (*steps, step))
        if kind == "object" and len(steps) + 1 < _DEPTH and len(part) <= _MAX_PARTS:
            yield from _places(part, (*steps, step))


def _inside(record: dict[str, Any], steps: Steps) -> Iterator[tuple[Steps, str]]:
    """The members of one of several records, as of one that stands there alone."""
    for name, member in record.items():
        kind = _ROWS.get(kind_of(member), kind_of(member))
        if kind not in ("null", "empty"):
            yield (*steps, name), kind


def _in_array(elements: list[Any], steps: Steps) -> Iterator[tuple[Steps, str]]:
    """What stands at the positions of an array that is an envelope."""
    for index, element in enumerate(elements):
        if isinstance(element, (dict, list)):
            kind = _ROWS.get(kind_of(element), kind_of(element))
            yield (*steps, index), kind
            if kind == "object":
                for each in element if isinstance(element, list) else [element]:
                    yield from _inside(each, (*steps, index))


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
