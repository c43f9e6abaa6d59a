"""Where in a message its rows are.

::

    data.trades          one row, or an array of rows
    payload|json.trades  the same in the JSON that the text of a string is
    c.bids?              the same; a message that has nothing there is ignored
    events[*].trades     the same of each element of an array in turn
    mids.*               each member of an object in turn
    data.b, data.a       rows of several places, in the order in which the message has them
    bid=data.b, ask=data.a     the same, each with a name
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fastingest.model.jsonpath import (
    Each,
    NoTree,
    PlaceSteps,
    Step,
    Steps,
    parse_place,
    text_of_steps,
)

__all__ = ["RowPlace", "Rows", "parse_rows"]

_PARTS = re.compile(r'(?:\[(?:"(?:[^"\\]|\\.)*"|[^\]"])*\]|"(?:[^"\\]|\\.)*"|[^,])+')
_NAMED = re.compile(r'\s*([^\s=,."\[\]$][^=,."\[\]]*?)\s*=(.*)', re.DOTALL)
_MAX_PLACES = 64


class RowPlace(NamedTuple):
    """One place of rows.

    :param steps: from the message's root.
    :param is_optional: whether a message that conditions have asked for may have nothing there.
    :param name: what ``@rows`` says of its rows; empty: the path.
    """

    steps: PlaceSteps = ()
    is_optional: bool = False
    name: str = ""

    @property
    def path(self) -> str:
        """As it is written."""
        return text_of_steps(self.steps)

    def __str__(self) -> str:
        path = f"{self.path}?" if self.is_optional else self.path
        return f"{self.name}={path}" if self.name else path


class Rows(NamedTuple):
    """Where a table's rows are: one place, or several."""

    places: tuple[RowPlace, ...] = (RowPlace(),)

    @classmethod
    def at(cls, steps: Steps, *, is_optional: bool = False) -> Rows:
        """Those of one place."""
        return cls((RowPlace(steps, is_optional),))

    @property
    def steps(self) -> Steps:
        """The steps to the only place.

        :raises NoTree: there may be several.
        """
        if len(self.places) > 1:
            raise NoTree
        steps: list[Step] = []
        for step in self.places[0].steps:
            if isinstance(step, Each):
                raise NoTree
            steps.append(step)
        return tuple(steps)

    @property
    def is_optional(self) -> bool:
        """Whether none of the places must be there."""
        return all(place.is_optional for place in self.places)

    def __str__(self) -> str:
        return ", ".join(map(str, self.places))


def parse_rows(said: str | Sequence[str] | Mapping[str, str]) -> Rows:
    """Where ``said`` says that the rows are.

    :param said: a place, or several with commas; or one each; or by their names.
    :raises ValueError: it says it of nowhere.
    """
    if isinstance(said, Mapping):
        if not all(name.strip() for name in said):
            raise ValueError('a place of rows has an empty name; write for example bid = "data.b"')
        places = [_place(_text(path), name) for name, path in said.items()]
    elif isinstance(said, str):
        places = [_named(part) for part in _PARTS.findall(said)] or [RowPlace()]
    else:
        places = [_named(_text(part)) for part in said]
    if not places:
        raise ValueError("there is no place; write for example data.trades")
    if len(places) > _MAX_PLACES:
        raise ValueError(f"{len(places)} places of rows are too many; {_MAX_PLACES} are the most")
    for index, place in enumerate(places):
        if len(places) > 1 and not place.steps:
            raise ValueError("the whole message cannot be one of several places of rows")
        if place.steps in [other.steps for other in places[:index]]:
            raise ValueError(f"{place.path!r} is named twice; its rows would be, too")
    return Rows(tuple(places))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a place of rows must be a text, and {value!r} is none")
    return value


def _named(text: str) -> RowPlace:
    named = _NAMED.fullmatch(text)
    return _place(text) if named is None else _place(named[2], named[1])


def _place(text: str, name: str = "") -> RowPlace:
    text = text.strip()
    steps = parse_place(text.removesuffix("?"))
    if text.endswith("?") and not steps:
        raise ValueError(f"{text!r} is the whole message, which is always there")
    return RowPlace(steps, text.endswith("?"), name)
