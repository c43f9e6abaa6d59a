"""What stands in JSON where paths lead to, found without reading the rest of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice

import msgspec

from fastingest.decode.elements import elements_of, members_decoder
from fastingest.model.jsonpath import JsonPath, PathTree, Steps

__all__ = ["ValueTree", "Values"]

Values = dict[Steps, bytes]
"""JSON by the steps that lead to it, without space around it; what is not there is left out."""


@dataclass(eq=False)
class ValueTree(PathTree):
    """Finds the values that some paths lead to; :meth:`of` makes it."""

    _members: Callable[[bytes], Iterable[tuple[str, msgspec.Raw]]] | None = None
    _elements: int = 0  # of an array, up to the last that is wanted
    _last: int = 0  # elements at its end, from the first that is wanted

    @classmethod
    def of(cls, paths: Iterable[JsonPath]) -> ValueTree:
        """The tree of these paths."""
        root = cls()
        for path in paths:
            root.at(path.steps)
        root._prepare()
        return root

    def _prepare(self) -> None:
        names = tuple(step for step in self.steps if isinstance(step, str))
        if names:
            self._members = members_decoder(names)
        indices = [step for step in self.steps if isinstance(step, int)]
        self._elements = max([0, *(index + 1 for index in indices)])
        self._last = max([0, *(-index for index in indices)])
        for tree in self.steps.values():
            tree._prepare()

    def find(self, text: bytes) -> Values:
        """The values.

        :param text: JSON that has been seen to be some, without space around it.
        """
        found: Values = {self.way: text}
        self._find_inside(text, found)
        return found

    def _find_inside(self, text: bytes, found: Values) -> None:
        inside: Iterable[tuple[str | int, bytes | msgspec.Raw]]
        if text.startswith(b"{") and self._members:
            inside = self._members(text)
        elif text.startswith(b"[") and (self._elements or self._last):
            inside = self._elements_of(text)
        else:
            return
        for step, value in inside:
            tree = self.steps.get(step)
            there = bytes(value)
            if tree is not None and there:
                found[tree.way] = there
                tree._find_inside(there, found)

    def _elements_of(self, text: bytes) -> Iterable[tuple[int, bytes]]:
        """The elements of an array that may be wanted, each with its index, from either end."""
        elements = iter(elements_of(text))
        first = list(islice(elements, self._elements))
        if not self._last:
            return enumerate(first)
        last = deque(chain(first, elements), self._last)
        return chain(enumerate(first), zip(range(-len(last), 0), last, strict=True))
