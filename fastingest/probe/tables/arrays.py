"""The arrays in messages of one shape that may hold rows, and which are sides of one book."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastingest.model.jsonpath import Each, PlaceSteps
from fastingest.probe.tables.field_profile import FieldProfile, kind_of
from fastingest.probe.tables.words import side_of

__all__ = ["RowArray", "Through", "arrays_in", "in_clusters", "with_sisters"]

_DEPTH = 5
_ALIKE = 0.6
_OTHER_SIDE = {"b": "a", "bid": "ask", "bids": "asks", "buy": "sell", "buys": "sells", "bs": "as"}
_OTHER_SIDE |= {other: one for one, other in _OTHER_SIDE.items()}


@dataclass(frozen=True)
class Through:
    """An array, or a map, on the way to another.

    :param at: which of the steps leads to its elements.
    :param profile: of the array.
    :param inside: of its elements.
    """

    at: int
    profile: FieldProfile
    inside: FieldProfile


@dataclass(frozen=True, eq=False)
class RowArray:
    """An array, or a map, that may hold rows.

    :param steps: from the message's root.
    :param elements: the rows.
    :param holder: the object, or array, that it stands in.
    :param is_always: whether it was there each time, be it empty.
    :param through: the arrays on the way.
    :param side: of a book; empty: it says none.
    """

    steps: PlaceSteps
    elements: FieldProfile
    holder: FieldProfile
    is_always: bool
    through: tuple[Through, ...] = ()
    side: str = ""

    def is_like(self, other: RowArray) -> bool:
        """Whether rows of both can be of one table."""
        one, another = self.elements, other.elements
        if bool(one.members) != bool(another.members):
            return False
        if one.members:
            shared = len(one.members.keys() & another.members.keys())
            return shared >= _ALIKE * len(one.members.keys() | another.members.keys())
        if one.positions:
            return (
                all(
                    one.positions[each].is_numeric == another.positions[each].is_numeric
                    for each in one.positions.keys() & another.positions.keys()
                )
                and abs(len(one.positions) - len(another.positions)) <= 1
            )
        return not another.positions


def arrays_in(
    seen: FieldProfile,
    steps: PlaceSteps = (),
    through: tuple[Through, ...] = (),
    *,
    is_always: bool = True,
) -> Iterator[RowArray]:
    """The arrays and the maps in messages that are not always empty.

    :param seen: the messages, or what stands at ``steps``.
    :param is_always: whether that was there each time.
    """
    if len(steps) >= _DEPTH:
        return
    for step, child in seen.children():
        if child.is_pair:
            continue
        place = (*steps, step)
        sure = is_always and child.seen - child.kinds["null"] == seen.seen
        others = set(child.kinds) - {"records", "lists", "empty", "null"}
        if child.is_map:
            yield from _in_map(child, place, through, seen)
        elif child.elements is not None and others <= {"object", "mixed"}:
            if set(child.elements.kinds) <= {"records", "lists", "empty", "null"}:
                yield from _beside(child, place, through)
                continue
            rows = FieldProfile(_rows_of(child), len(place))
            yield RowArray(place, rows, seen, sure, through, side_of(step))
            if child.elements.members:
                inner = Through(len(place), child, child.elements)
                yield from arrays_in(child.elements, (*place, Each.ELEMENT), (*through, inner))
        elif child.members or child.positions:
            yield from arrays_in(child, place, through, is_always=sure)


def _rows_of(child: FieldProfile) -> Iterator[Any]:
    """What are rows of what stands in one place: one row, or an array of rows."""
    for value in child.values:
        if kind_of(value) in ("records", "lists"):
            yield from value
        elif isinstance(value, dict) or (isinstance(value, list) and value):
            yield value


def _in_map(
    child: FieldProfile, place: PlaceSteps, through: tuple[Through, ...], holder: FieldProfile
) -> Iterator[RowArray]:
    """The members of a map, or what is in each."""
    steps = (*place, Each.MEMBER)
    inner = Through(len(place), child, child.in_map)
    inside = list(arrays_in(child.in_map, steps, (*through, inner)))
    if inside:
        yield from inside
    elif child.in_map.is_scalar:
        side = side_of(place[-1]) if place and not isinstance(place[-1], Each) else ""
        yield RowArray(steps, child.in_map, holder, True, through, side)
    else:
        yield RowArray(steps, FieldProfile(_rows_of(child.in_map)), holder, True, through)


def _beside(
    child: FieldProfile, place: PlaceSteps, through: tuple[Through, ...]
) -> Iterator[RowArray]:
    """The arrays in an array of arrays of rows: both sides of a book, by their positions."""
    count = max(child.lengths)
    columns = [
        [each[index] for each in child.arrays if index < len(each)] for index in range(count)
    ]
    profiles = [FieldProfile(column, len(place) + 1) for column in columns]
    sides = _sides_of(child.arrays) if count == 2 else [""] * count
    for index, (profile, side) in enumerate(zip(profiles, sides, strict=True)):
        rows = FieldProfile(_rows_of(profile))
        holder = FieldProfile(child.arrays)
        sure = profile.seen - profile.kinds["null"] == len(child.arrays)
        yield RowArray((*place, index), rows, holder, sure, through, side)


def _sides_of(pairs: Sequence[list[Any]]) -> list[str]:
    """Which of two arrays of levels are bids: those of the lower prices."""
    firsts = [
        (_first_number(one[0]), _first_number(other[0]))
        for one, other in (pair for pair in pairs if len(pair) == 2)
        if one and other
    ]
    known = [(one, other) for one, other in firsts if one is not None and other is not None]
    if known and all(one < other for one, other in known):
        return ["bid", "ask"]
    if known and all(one > other for one, other in known):
        return ["ask", "bid"]
    return ["", ""]


def _first_number(row: Any) -> float | None:
    """The first number of a level, which is its price at every venue."""
    for value in row.values() if isinstance(row, dict) else row if isinstance(row, list) else ():
        try:
            return float(value)
        except (TypeError, ValueError):
            continue
    return None


def in_clusters(arrays: Sequence[RowArray]) -> list[list[RowArray]]:
    """The arrays, together those of which one table can be: on one way, alike, sides or none."""
    clusters: list[list[RowArray]] = []
    for array in arrays:
        like = next(
            (
                each
                for each in clusters
                if each[0].is_like(array)
                and len(each[0].through) == len(array.through)
                and bool(each[0].side) == bool(array.side)
            ),
            None,
        )
        if like is None:
            clusters.append([array])
        else:
            like.append(array)
    return clusters


def with_sisters(cluster: list[RowArray]) -> list[RowArray]:
    """A side of a book beside the other, which was always empty or never there."""
    found = list(cluster)
    for array in cluster:
        *before, last = array.steps
        if not array.side or not isinstance(last, str) or not array.holder.members:
            continue
        if any(
            other.side not in ("", array.side) and other.holder is array.holder for other in cluster
        ):
            continue
        name = _sister_of(last, array)
        if name is None:
            continue
        side = "ask" if array.side == "bid" else "bid"
        # What has always been empty may be left out by and by.
        nothing = FieldProfile()
        found.append(RowArray((*before, name), nothing, array.holder, False, array.through, side))
    return found


def _sister_of(name: str, array: RowArray) -> str | None:
    """The name of the other side; None: something else has it."""
    empty = [
        other
        for other, profile in array.holder.members.items()
        if set(profile.kinds) <= {"empty", "null"} and side_of(other) not in ("", array.side)
    ]
    if len(empty) == 1:
        return empty[0]
    guess = _OTHER_SIDE.get(name) or re.sub(
        "bid|ask|Bid|Ask|buy|sell|Buy|Sell", lambda found: _swapped(found[0]), name
    )
    return None if guess in array.holder.members or guess == name else guess


def _swapped(word: str) -> str:
    other = _OTHER_SIDE[word.lower()]
    return other.capitalize() if word[0].isupper() else other
