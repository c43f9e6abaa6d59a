"""The ways to the places of rows in a message's struct, and what is gathered there.

What a star leads to is a list in the struct, or a dict. What there is of a row besides what stands
in it (:data:`fastingest.model.jsonpath.OWN`) is gathered with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple, TypeAlias

from fastingest.decode.struct_types import PathNode, compiled, decoder_of, getter
from fastingest.model.jsonpath import Each, NoTree, PlaceSteps, Step, Steps
from fastingest.model.rows import RowPlace

__all__ = ["Found", "Place", "Way", "members_of", "names_decoder"]

_Get: TypeAlias = Callable[[Any], Any]
_Stars: TypeAlias = tuple[tuple[Each, _Get | None], ...]


class Place(NamedTuple):
    """Where rows are.

    :param name: what ``@rows`` says of them.
    :param member: the one below which the place is, where there are several.
    :param get: of a message's struct, what stands there, or where the first star is; None: nothing.
    :param stars: each of them, and how to get from what it has led to where the next one is, or the
        rows are; None: that is it.
    """

    name: str
    member: str
    get: _Get
    stars: _Stars


@dataclass
class Found:
    """What may be rows.

    :param are_arrays: whether arrays of rows stand at the places.
    :param own: what there is of each row besides, where that is wanted.
    """

    are_arrays: bool
    own: dict[str, list[Any]]
    elements: list[Any] = field(default_factory=list)
    ignored: int = 0

    def gather(self, value: Any, stars: _Stars, key: str | None = None, index: int = 0) -> None:
        """Add what the stars lead to from a value.

        :param key: of the last member that has led here.
        :param index: likewise, of an element.
        """
        if not stars:
            if self.are_arrays:
                self._add(value, repeat(key, len(value)), range(len(value)))
            else:
                self._add((value,), (key,), (index,))
            return
        (star, get), *others = stars
        count = len(value)
        is_member = star is Each.MEMBER
        inside = value.values() if is_member else value
        if get is not None:
            inside = list(map(get, inside))
        keys: Iterable[str | None] = value if is_member else repeat(key, count)
        indices: Iterable[int] = repeat(index, count) if is_member else range(count)
        if not count or not (others or self.are_arrays):
            self._add(inside, keys, indices)
            return
        for below in zip(inside, repeat(tuple(others)), keys, indices, strict=False):
            self.gather(*below)

    def _add(self, rows: Any, keys: Iterable[str | None], indices: Iterable[int]) -> None:
        """Add rows, or that there are none."""
        self.ignored += not len(rows)
        self.elements.extend(rows)
        if "@key" in self.own:
            self.own["@key"].extend(keys)
        if "@index" in self.own:
            self.own["@index"].extend(indices)


class Way:
    """The way to a place, in the tree of a message.

    :param root: the tree, in which it is put.
    :param member: the one below which the place is, where there are several.
    :param are_arrays: whether it leads to an array of rows.
    """

    def __init__(self, root: PathNode, place: RowPlace, member: str, *, are_arrays: bool) -> None:
        self._name, self._member = place.name or place.path, member
        before, *behind = _between_stars(place.steps)
        self._start = root, before
        end = root.at(before) if place.is_optional else root.require(before)
        self._stars: list[tuple[Each, PathNode, Steps]] = []
        stars = [step for step in place.steps if isinstance(step, Each)]
        for star, steps in zip(stars, behind, strict=True):
            node = PathNode(is_required=True)
            if star is Each.MEMBER:
                end.members = node
            else:
                end.elements = node
            self._stars.append((star, node, steps))
            end = node.require(steps)
        if are_arrays:
            end.elements = end = PathNode(is_required=True)
        self.row = end
        """What is a row."""

    def compile(self) -> Place:
        """Call this when all is in the tree."""
        stars = tuple(
            (star, getter(node, steps) if steps else None) for star, node, steps in self._stars
        )
        return Place(self._name, self._member, getter(*self._start), stars)


def _between_stars(steps: PlaceSteps) -> list[Steps]:
    """The steps before the first star, and those behind each."""
    parts: list[list[Step]] = [[]]
    for step in steps:
        if isinstance(step, Each):
            parts.append([])
        else:
            parts[-1].append(step)
    return list(map(tuple, parts))


def members_of(places: Sequence[RowPlace]) -> tuple[Steps, list[str]]:
    """The steps to the object below members of which all places are, and these members.

    :raises NoTree: there is none; or it is an array.
    """
    if len(places) == 1:
        return (), [""]
    way: list[str | int] = []
    for together in zip(*(place.steps for place in places), strict=False):
        names = [step for step in together if isinstance(step, str)]
        if len(set(names)) == len(places):
            return tuple(way), names
        if len(names) < len(places) or len(set(names)) > 1:
            raise NoTree
        way.append(names[0])
    raise NoTree


def names_decoder(way: Steps) -> Callable[[bytes], Iterable[str]]:
    """A function of a message: the names of the members where the steps lead, in their order."""
    root = PathNode()
    root.require(way).members = PathNode(is_whole=True, is_required=True)
    parse, get = decoder_of(compiled(root, str)), getter(root, way)
    return lambda message: get(parse(message))
