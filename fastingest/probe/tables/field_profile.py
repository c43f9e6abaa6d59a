"""What several JSON values have in common: where their parts are, and what has been seen there.

Many values become one tree. Its root stands for all of them, a member's node for that member of
each, and so on down; a node looks into its values only as far as it is asked. An array is taken
apart by what is in it. Where all its elements are objects, or all are arrays, they are rows of some
kind: :attr:`FieldProfile.elements` stands for all of them. Otherwise an element's position says
what it means, and there is a node for each position. Where arrays are not all of one length, those
that only their distance from the end says are counted from there, as -1, -2, ….
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from fastingest.probe.tables.maps import are_names_of_a_map

__all__ = ["FieldProfile", "Steps", "follow", "is_number_text", "kind_of"]

Steps: TypeAlias = tuple[str | int, ...]

_KINDS: dict[type, str] = {
    **{type(None): "null", dict: "object"},
    **{str: "scalar", int: "scalar", float: "scalar", bool: "scalar"},
}
_KINDS_OF_ARRAYS: dict[type, str] = {dict: "records", list: "lists"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_DEPTH = 8  # levels that are looked into
_MAX_MEMBERS = 200  # names after which an object is a map of something and not a record
_MAX_POSITIONS = 64
_MAX_UNROLLED = 8  # elements of an array that has a column for each


def is_number_text(text: str) -> bool:
    """Whether a text is a number, as venues write those that must keep their digits."""
    return _NUMBER.fullmatch(text) is not None


def kind_of(value: Any) -> str:
    """What a JSON value is: null, scalar, object, or an array of empty, records, lists, mixed."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if not value:
        return "empty"
    inside = set(map(type, value))
    if len(inside) == 1:
        return _KINDS_OF_ARRAYS.get(inside.pop(), "mixed")
    return "mixed"


def follow(value: Any, steps: Iterable[object]) -> Any:
    """What stands at ``steps`` in ``value``; None where they lead nowhere."""
    for step in steps:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


class FieldProfile:
    """What was seen at one place.

    :param values: all of it, null included.
    :param depth: of the place.
    """

    def __init__(self, values: Iterable[Any] = (), depth: int = 0) -> None:
        self.values = list(values)
        self.is_pair = False
        """Whether what looks like an array of rows is one of two things, each with a meaning."""
        self._depth = depth

    def mark_as_pair(self) -> None:
        """Say that it is such an array."""
        self.is_pair = True
        for name in ("positions", "is_unrolled"):
            self.__dict__.pop(name, None)

    @property
    def seen(self) -> int:
        """How many values, null among them."""
        return len(self.values)

    @cached_property
    def kinds(self) -> Counter[str]:
        """How many of each kind."""
        kinds: Counter[str] = Counter()
        for type_, count in Counter(map(type, self.values)).items():
            if type_ in _KINDS:
                kinds[_KINDS[type_]] += count
            else:
                kinds.update(kind_of(value) for value in self.values if type(value) is type_)
        return kinds

    def _of_type(self, kind: type) -> set[Any]:
        return {value for value in self.values if type(value) is kind}

    @cached_property
    def strings(self) -> set[str]:
        """The strings."""
        return self._of_type(str)

    @cached_property
    def ints(self) -> set[int]:
        """The whole numbers."""
        return self._of_type(int)

    @cached_property
    def floats(self) -> set[float]:
        """The other numbers."""
        return self._of_type(float)

    @cached_property
    def bools(self) -> set[bool]:
        """Of true and false, those that there were."""
        return self._of_type(bool)

    @cached_property
    def arrays(self) -> list[list[Any]]:
        """The arrays that are not empty."""
        return [value for value in self.values if isinstance(value, list) and value]

    @cached_property
    def lengths(self) -> set[int]:
        """How long the arrays were."""
        return {len(value) for value in self.values if isinstance(value, list)}

    @cached_property
    def members(self) -> dict[str, FieldProfile]:
        """The members of the objects."""
        found: dict[str, list[Any]] = {}
        if self._depth < _DEPTH:
            for value in self.values:
                for name, member in value.items() if isinstance(value, dict) else ():
                    if name in found or len(found) <= _MAX_MEMBERS:
                        found.setdefault(name, []).append(member)
        return {name: self._below(values) for name, values in found.items()}

    @cached_property
    def elements(self) -> FieldProfile | None:
        """The elements of arrays of objects and of arrays of arrays; None: there was none."""
        inside = [each for array in self.arrays if kind_of(array) != "mixed" for each in array]
        return self._below(inside) if inside and self._depth < _DEPTH else None

    @cached_property
    def in_map(self) -> FieldProfile:
        """The members of a map."""
        return self._below(
            each for value in self.values if isinstance(value, dict) for each in value.values()
        )

    @cached_property
    def positions(self) -> dict[int, FieldProfile]:
        """The elements of the other arrays, by where they are."""
        if self._depth >= _DEPTH:
            return {}
        if self.is_pair:
            arrays = self.arrays
        else:
            arrays = [array for array in self.arrays if kind_of(array) == "mixed"]
        if not arrays:
            return {}
        least = min(map(len, arrays))
        most = min(max(map(len, arrays)), _MAX_POSITIONS)
        head = _head(arrays, least) if least < most else least
        tail = least - head
        found = {index: self._below(each[index] for each in arrays) for index in range(head)}
        for index in range(head, most - tail):
            middle = self._below(each[index] for each in arrays if index < len(each) - tail)
            # Where there is a tail, another array has something else there.
            if not tail or not middle.is_scalar:
                found[index] = middle
        for index in range(-tail, 0):
            found[index] = self._below(each[index] for each in arrays)
        return found

    def _below(self, values: Iterable[Any]) -> FieldProfile:
        return FieldProfile(values, self._depth + 1)

    @cached_property
    def is_map(self) -> bool:
        """Whether its names are no column names: those of symbols, or very many."""
        if not self.members:
            return False
        if len(self.members) > _MAX_MEMBERS:
            return True
        return self._depth < _DEPTH and are_names_of_a_map(self.members, self.kinds["object"])

    @property
    def is_scalar(self) -> bool:
        """Whether it has held strings, numbers, true and false, and no object or array."""
        return self.kinds["scalar"] > 0 and set(self.kinds) <= {"scalar", "null"}

    @property
    def is_object(self) -> bool:
        """Whether it has held objects with names for columns, and nothing else."""
        return bool(self.members) and set(self.kinds) <= {"object", "null"} and not self.is_map

    @cached_property
    def is_unrolled(self) -> bool:
        """Whether it is an array that has a column, or some, for each position."""
        if self.is_pair:
            return True
        (length, *others) = self.lengths or {0}
        if others or not 2 <= length <= _MAX_UNROLLED or not set(self.kinds) <= {"mixed", "null"}:
            return False
        each = self.positions.values()
        if not all(one.is_scalar or set(one.kinds) == {"null"} for one in each):
            # An envelope: what stands at a position is of one kind.
            return all(len({*one.kinds} - {"null", "empty"}) <= 1 for one in each)
        if any(one.is_numeric and (one.floats or one.strings) for one in each):
            return True
        # Words, and whole numbers, may be codes, of which there are two by chance.
        different = {tuple(array) for array in self.arrays}
        return len(self.arrays) >= 3 and 2 * len(different) >= len(self.arrays)

    @property
    def is_numeric(self) -> bool:
        """Whether it has held numbers, be it in strings, and nothing else."""
        if not self.is_scalar or self.bools:
            return False
        return all(map(is_number_text, self.strings))

    @property
    def texts(self) -> set[str]:
        """The strings, where it has held nothing but strings; otherwise none."""
        if self.is_scalar and not (self.ints or self.floats or self.bools):
            return self.strings
        return set()

    def children(self) -> Iterator[tuple[str | int, FieldProfile]]:
        """The members and the positions, each with its name or index."""
        if not self.is_map:
            yield from self.members.items()
        yield from self.positions.items()

    def leaves(self) -> Iterator[tuple[Steps, FieldProfile]]:
        """All below it that has a column or none, with the way there.

        Objects are looked into, and arrays that have a column for each position.
        """
        for step, child in self.children():
            if child.is_object or child.is_unrolled:
                for steps, leaf in child.leaves():
                    yield (step, *steps), leaf
            else:
                yield (step,), child


def _head(arrays: Sequence[list[Any]], least: int) -> int:
    """How many positions are counted from the beginning, where lengths differ."""
    for head in range(least, -1, -1):
        places = [*range(head), *range(head - least, 0)]
        if all(len({_sort_of(each[place]) for each in arrays} - {""}) <= 1 for place in places):
            return head
    return least


def _sort_of(value: Any) -> str:
    """What sort of value it is, roughly: what stands at one position is of one sort."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return "inside"
    return "text" if isinstance(value, str) else "number"
