"""What stands in JSON where paths lead to, found without reading the rest of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice

import msgspec

from fastingest.decode.elements import elements_of, members_decoder
from fastingest.model.jsonpath import Embedded, JsonPath, Step, Steps, text_of
from fastingest.model.path_tree import PathTree

__all__ = ["NotJson", "Recall", "ValueTree", "Values", "broken_on", "json_inside", "json_of"]

_LONG = 1024  # bytes of a string that is not looked into anew for each row
_decode_any = msgspec.json.Decoder(msgspec.Raw).decode

Values = dict[Steps, bytes]
"""JSON by the steps that lead to it, without space around it; what is not there is left out."""

Recall = Callable[[bytes], bytes | None]
"""What finds the message that is remembered by a key."""


def json_of(message: bytes) -> bytes:
    """The message's JSON without white space around it.

    :raises ValueError, RecursionError: it is not UTF-8, or not JSON, or nested too deeply.
    """
    message.decode()
    return bytes(_decode_any(message))


class NotJson(ValueError):
    """The text of a string is no JSON."""


def json_inside(value: bytes) -> bytes:
    """The JSON that the text of a string is, without space around it.

    :param value: JSON. What is no string has none inside, nor has a blank one: that is empty.
    :raises NotJson: it is another text.
    """
    if not value.startswith(b'"'):
        return b""
    inside = _inside(value) if len(value) < _LONG else _inside_long(value)
    if inside is None:
        raise NotJson
    return inside


def _inside(value: bytes) -> bytes | None:
    """The JSON inside a string; None: it has another text."""
    try:
        text = (text_of(value) or "").strip(" \t\n\r")
        return json_of(text.encode()) if text else b""
    except (ValueError, RecursionError):
        return None


# Each row of a message may ask what is in a string beside the rows, or in what is remembered.
_inside_long = lru_cache(maxsize=8)(_inside)


def broken_on(path: JsonPath, found: Values) -> JsonPath | None:
    """Where on the way of a path there is a string that should hold JSON, and holds another text.

    :param found: what the path's tree has found.
    """
    for place, step in enumerate(path.steps):
        if step is Embedded.JSON:
            before = JsonPath(path.steps[:place], path.from_root)
            try:
                json_inside(found.get(before.steps, b""))
            except NotJson:
                return before
    return None


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
        self._remembered = self.steps.get(Embedded.REMEMBERED)
        indices = [step for step in self.steps if isinstance(step, int)]
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
        inside: Iterable[tuple[Step, bytes | msgspec.Raw]]
        if self._remembered is not None:
            message = None if recall is None else recall(text)
            inside = [] if message is None else [(Embedded.REMEMBERED, message)]
        elif text.startswith(b'"') and Embedded.JSON in self.steps:
            try:
                inside = [(Embedded.JSON, json_inside(text))]
            except NotJson:
                return
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
