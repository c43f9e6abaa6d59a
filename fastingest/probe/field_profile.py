"""What several JSON values have in common: where their parts are, and what has been seen there.

Many values become one tree. Its root stands for all of them, a member's node for that member of
each, and so on down. An array is taken apart by what is in it. Where all its elements are objects,
or all are arrays, they are rows of some kind: :attr:`FieldProfile.elements` stands for all of them.
Otherwise an element's position says what it means, and there is a node for each position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

__all__ = ["FieldProfile", "Steps", "follow", "kind_of"]

Steps: TypeAlias = tuple[str | int, ...]

_DEPTH = 8  # levels that are looked into
_MAX_MEMBERS = 200  # names after which an object is a map of something and not a record
_MAX_POSITIONS = 64


def kind_of(value: Any) -> str:  # noqa: PLR0911 - one return for each kind
    """What a JSON value is: null, scalar, object, or an array of empty, records, lists, mixed."""
    match value:
        case None:
            return "null"
        case dict():
            return "object"
        case []:
            return "empty"
        case list() if all(isinstance(each, dict) for each in value):
            return "records"
        case list() if all(isinstance(each, list) for each in value):
            return "lists"
        case list():
            return "mixed"
    return "scalar"


def follow(value: Any, steps: Iterable[object]) -> Any:
    """What stands at ``steps`` in ``value``; None where they lead nowhere."""
    for step in steps:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


class FieldProfile:
    """What was seen at one place.

    :param values: what to begin with.
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.seen = 0
        """How many values, null among them."""
        self.kinds: Counter[str] = Counter()
        """How many of each kind."""
        self.strings: set[str] = set()
        self.ints: set[int] = set()
        self.floats: set[float] = set()
        self.bools: set[bool] = set()
        self._scalars: dict[type, set[Any]] = {
            str: self.strings,
            int: self.ints,
            float: self.floats,
            bool: self.bools,
        }
        self.members: dict[str, FieldProfile] = {}
        self.positions: list[FieldProfile] = []
        self.elements: FieldProfile | None = None
        self.lengths: set[int] = set()
        """How long the arrays were."""
        for value in values:
            self.add(value)

    def add(self, value: Any, depth: int = 0) -> None:
        """Take one more value."""
        self.seen += 1
        kind = kind_of(value)
        self.kinds[kind] += 1
        if kind == "scalar":
            self._scalars[type(value)].add(value)
        elif isinstance(value, list):
            self.lengths.add(len(value))
        if depth < _DEPTH:
            self._look_into(value, kind, depth + 1)

    def _look_into(self, value: Any, kind: str, depth: int) -> None:
        if kind == "object":
            for name, member in value.items():
                if name not in self.members:
                    if len(self.members) > _MAX_MEMBERS:
                        continue
                    self.members[name] = FieldProfile()
                self.members[name].add(member, depth)
        elif kind in ("records", "lists"):
            self.elements = self.elements or FieldProfile()
            for element in value:
                self.elements.add(element, depth)
        elif kind == "mixed":
            missing = min(len(value), _MAX_POSITIONS) - len(self.positions)
            self.positions += [FieldProfile() for _ in range(missing)]
            for node, element in zip(self.positions, value, strict=False):
                node.add(element, depth)

    @property
    def is_map(self) -> bool:
        """Whether it has so many names that they are no column names."""
        return len(self.members) > _MAX_MEMBERS

    @property
    def is_scalar(self) -> bool:
        """Whether it has held strings, numbers, true and false, and no object or array."""
        return self.kinds["scalar"] > 0 and set(self.kinds) <= {"scalar", "null"}

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
        yield from enumerate(self.positions)

    def leaves(self) -> Iterator[tuple[Steps, FieldProfile]]:
        """All below it that is no object, with the way there; arrays are not looked into."""
        for step, child in self.children():
            if child.members and set(child.kinds) <= {"object", "null"} and not child.is_map:
                for steps, leaf in child.leaves():
                    yield (step, *steps), leaf
            else:
                yield (step,), child
