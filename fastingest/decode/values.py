"""What stands in JSON where paths lead to, found without reading the rest of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice

import msgspec

from fastingest.decode.elements import elements_of, members_decoder
from fastingest.model.jsonpath import REMEMBERED, JsonPath, Steps
from fastingest.model.path_tree import PathTree

__all__ = ["Recall", "ValueTree", "Values"]

Values = dict[Steps, bytes]
"""JSON by the steps that lead to it, without space around it; what is not there is left out."""

Recall = Callable[[bytes], bytes | None]
"""What finds the message that is remembered by a key."""


@dataclass(eq=False)
class ValueTree(PathTree):
    """Finds the values that some paths lead to; :meth:`of` makes it."""

    _members: Callable[[bytes], Iterable[tuple[str, msgspec.Raw]]] | None = None
    _elements: int = 0  # of an array, up to the last that is wanted
    _last: int = 0  # elements at its end, from the first that is wanted
    _remembered: ValueTree | None = None  # what is wanted of the message remembered by it

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
        self._remembered = self.steps.get(REMEMBERED)
        indices = [step for step in self.steps if isinstance(step, int) and step != REMEMBERED]
        self._elements = max([0, *(index + 1 for index in indices)])
        self._last = max([0, *(-index for index in indices)])
        for tree in self.steps.values():
            tree._prepare()

    def find(self, text: bytes, recall: Recall | None = None) -> Values:
        """The values.

        :param text: JSON that has been seen to be some, without space around it.
        :param recall: what finds those that are remembered; None: there are none.
        """
        found: Values = {self.way: text}
        self._find_inside(text, found, recall)
        return found

    def _find_inside(self, text: bytes, found: Values, recall: Recall | None) -> None:
        inside: Iterable[tuple[str | int, bytes | msgspec.Raw]]
        if self._remembered is not None:
            message = None if recall is None else recall(text)
            inside = [] if message is None else [(REMEMBERED, message)]
        elif text.startswith(b"{") and self._members:
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
                tree._find_inside(there, found, recall)

    def _elements_of(self, text: bytes) -> Iterable[tuple[int, bytes]]:
        """The elements of an array that may be wanted, each with its index, from either end."""
        elements = iter(elements_of(text))
        first = list(islice(elements, self._elements))
        if not self._last:
            return enumerate(first)
        last = deque(chain(first, elements), self._last)
        return chain(enumerate(first), zip(range(-len(last), 0), last, strict=True))
