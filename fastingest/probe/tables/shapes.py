"""Messages, or rows, that are of one shape: those that one table can take.

Two are of one shape where they say so, or where they look so. They say so by
their discriminators (:mod:`fastingest.probe.tables.discriminators`): those that have all of them in
common, whatever else they hold, unless what is an object in one is a text in the other. They look
so by their members: those that have most of them in common, and no types that differ. With types
that differ they must have all members in common. Then the type is a column of one table
(``{"type": "bid", …}`` and ``{"type": "ask", …}``).

A symbol in a topic thus makes no shape of its own, nor does a snapshot beside its updates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from fastingest.probe.tables.discriminators import Discriminators, is_control, is_generic, is_phase
from fastingest.probe.tables.field_profile import Steps
from fastingest.probe.tables.skeleton import SCALARS, Skeleton, skeleton_of

__all__ = ["Group", "Unit", "group"]

_ALIKE = 0.6  # of all places of two values, those that both have
_SAME = 0.95
_MAX_GROUPS = 50  # what comes after that is put together, whatever it is

_Types: TypeAlias = frozenset[tuple[Steps, str]]


class Unit(NamedTuple):
    """A message, a row of one, or an element of a message that is an array of rows."""

    message: int
    """The message's index."""
    value: Any
    in_array: bool = False
    """Whether it is an element of the message."""


@dataclass(eq=False)
class Group:
    """Units of one shape."""

    units: list[Unit]
    skeleton: Skeleton
    types: _Types
    said: set[_Types] = field(default_factory=set)
    """All discriminators but the phases and what replies say, as they have come together."""

    @property
    def messages(self) -> list[int]:
        """The indices of the messages, each once."""
        return list(dict.fromkeys(unit.message for unit in self.units))

    def is_like(self, other: Group) -> bool:
        """Whether both are of one shape."""
        if isinstance(self.units[0].value, dict) != isinstance(other.units[0].value, dict):
            return False
        shared = len(self.skeleton & other.skeleton)
        alike = shared / (len(self.skeleton | other.skeleton) or 1)
        if not self.skeleton and not other.skeleton:
            alike = 1.0
        if (self.said & other.said) - {frozenset()} and not self._contradicts(other):
            return True
        if self.types != other.types:
            same_places = {place for place, _ in self.types} == {place for place, _ in other.types}
            return same_places and alike >= _SAME
        if self.types and not self._contradicts(other):
            return True
        return alike >= _ALIKE and not self._contradicts(other, "scalar")

    def _contradicts(self, other: Group, but: str = "") -> bool:
        """Whether different kinds of values stand at a place, but for one that may be any."""
        mine, theirs = dict(self.skeleton), dict(other.skeleton)
        return any(
            not (kind in SCALARS and theirs.get(place, kind) in SCALARS)
            and theirs.get(place, kind) != kind
            and but not in (kind, theirs[place])
            for place, kind in mine.items()
        )

    def absorb(self, other: Group) -> None:
        """Take the other's units."""
        self.units += other.units
        self.skeleton |= other.skeleton
        self.types |= other.types
        self.said |= other.said


def group(units: Iterable[Unit], said_by: Discriminators | None = None) -> list[Group]:
    """The units by their shapes, in the order in which each was first seen.

    :param said_by: what tells them apart, if that is known.
    """
    listed = list(units)
    discriminators = said_by or Discriminators(unit.value for unit in listed)
    exact: dict[tuple[bool, _Types, Skeleton], Group] = {}
    for unit in listed:
        found_in = discriminators.of(unit.value).items()
        said = {
            place: text
            for place, text in found_in
            if not is_phase((text,)) and not is_control((text,)) and not _is_from_beginning(place)
        }
        types = frozenset(
            (place, kind)
            for place, text in said.items()
            if (kind := discriminators.type_at(place, text)) and not is_generic((text,))
        )
        skeleton = skeleton_of(unit.value)
        key = (isinstance(unit.value, dict), types, skeleton)
        found = exact.get(key)
        if found is None:
            found = exact[key] = Group([], skeleton, types)
        found.units.append(unit)
        found.said.add(frozenset(said.items()))
    # Twice, since what a group has taken meanwhile may make it like another one.
    groups = _joined(_joined(exact.values()))
    for each in groups:
        each.units.sort(key=lambda unit: unit.message)
    return groups


def _is_from_beginning(place: Steps) -> bool:
    """Whether an array's element is meant that is counted from the beginning, too."""
    return isinstance(place[0], int) and place[0] >= 0


def _joined(groups: Iterable[Group]) -> list[Group]:
    """The groups, with those put together that are alike."""
    joined: list[Group] = []
    rest: list[Unit] = []
    for new in groups:
        like = next((each for each in joined if each.is_like(new)), None)
        if like is not None:
            like.absorb(new)
        elif len(joined) < _MAX_GROUPS:
            joined.append(new)
        else:
            rest += new.units
    if rest:
        joined[-1].units += rest
    return joined
