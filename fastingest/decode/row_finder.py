"""What stands in a message where the rows of a table are: each place's matches, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import merge
from itertools import chain

import msgspec

from fastingest.decode.elements import elements_of
from fastingest.decode.values import NotJson, json_inside
from fastingest.model.jsonpath import Each, Embedded, PlaceSteps, Step, text_of_steps
from fastingest.model.rows import RowPlace, Rows

__all__ = ["FoundRows", "find_rows"]

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class FoundRows:
    """What stands at a place, or where one of its stars has led to.

    :param order: where in the message that is: the number of each member or element on the way.
    :param place: which of the places.
    :param value: JSON of a row, or of an array of rows; None: nothing is there.
    :param lacks: why nothing is there, behind what should be.
    :param is_starred: whether a star has led here.
    :param key: the name of the member that the last ``.*`` has led to, as JSON; empty: none has.
    :param index: of the element that the last ``[*]`` has led to.
    :param broken: a string on the way that should hold JSON, and holds another text, which is what
        it ``lacks`` in whole; empty: there is none.
    """

    order: tuple[int, ...]
    place: RowPlace
    value: bytes | None
    lacks: str = ""
    is_starred: bool = False
    key: bytes = b""
    index: int = 0
    broken: bytes = b""


def find_rows(rows: Rows, text: bytes) -> tuple[list[FoundRows], Iterator[FoundRows]]:
    """What stands where the rows are.

    :param text: the message's JSON, without space around it.
    :returns: the places that the message lacks, and what stands at the others, in its order.
    """
    lacking, there = [], []
    for place in rows.places:
        matches = _follow(FoundRows((), place, text), place.steps)
        first = next(matches)
        if first.value is None and not first.is_starred:
            lacking.append(first)
        else:
            there.append(chain([first], matches))
    return lacking, merge(*there, key=lambda each: each.order)


def _follow(at: FoundRows, steps: PlaceSteps) -> Iterator[FoundRows]:
    """What the steps lead to from ``at``: at least one."""
    text = at.value or b""
    if not steps:
        is_null = text == b"null" and at.order != ()
        yield _lacking(at, "is null") if is_null else at
        return
    step, *rest = steps
    if step is Embedded.JSON:
        yield from _follow_inside(at, steps)
        return
    opening = b"[" if isinstance(step, int) or step is Each.ELEMENT else b"{"
    if not text.startswith(opening):
        is_what = "null" if text == b"null" else "no array" if opening == b"[" else "no object"
        yield _lacking(at, f"is {is_what}" if isinstance(step, Each) else "is missing")
        return
    if isinstance(step, Each):
        number = -1
        for number, (key, value) in enumerate(_inside(text)):  # -1: there is none
            below = FoundRows((*at.order, number), at.place, value, "", True, at.key, at.index)
            if step is Each.MEMBER:
                below.key = _encode(key)
            else:
                below.index = number
            yield from _follow(below, tuple(rest))
        if number < 0:
            yield FoundRows(at.order, at.place, None, "is empty", is_starred=True)
        return
    size = sum(1 for _ in _inside(text)) if isinstance(step, int) and step < 0 else 0
    for number, (key, value) in enumerate(_inside(text)):
        if key == step or (size and number - size == step):
            below = FoundRows(
                (*at.order, number), at.place, value, "", at.is_starred, at.key, at.index
            )
            yield from _follow(below, tuple(rest))
            return
    yield _lacking(at, "is missing")


def _follow_inside(at: FoundRows, steps: PlaceSteps) -> Iterator[FoundRows]:
    """What the steps lead to, the first of them into the text of a string."""
    text = at.value or b""
    try:
        inside = json_inside(text)
    except NotJson:
        way = text_of_steps(at.place.steps[: -len(steps)]) or "the message"
        yield replace(at, value=None, lacks=f"{way} is no JSON text", broken=text)
    else:
        if inside:
            yield from _follow(replace(at, order=(*at.order, 0), value=inside), steps[1:])
        else:
            is_string = text.startswith(b'"') or text == b"null"
            yield _lacking(at, "is missing" if is_string else "is in no string")


def _lacking(at: FoundRows, lacks: str) -> FoundRows:
    return FoundRows(at.order, at.place, None, lacks, at.is_starred)


def _inside(text: bytes) -> Iterator[tuple[Step, bytes]]:
    """The members of an object, or the elements of an array, in their order."""
    if text.startswith(b"["):
        yield from enumerate(elements_of(text))
    else:
        for name, value in _decode_members(text).items():
            yield name, bytes(value)
