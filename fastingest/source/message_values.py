"""What a whole message says where conditions look, whether or not it is JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from fastingest.decode.elements import elements_of
from fastingest.decode.values import Values, ValueTree
from fastingest.model.jsonpath import ANY, JsonPath, Steps
from fastingest.model.message_conditions import MessageCondition

__all__ = ["Group", "Match", "values_in"]

_ROOT_ARRAY: Steps = (ANY,)
_decode_any = msgspec.json.Decoder(msgspec.Raw).decode


def values_in(message: bytes, tree: ValueTree) -> Values:
    """The values that the paths of ``tree`` lead to; of what is no JSON, the whole alone.

    One that is an array stands under :data:`_ROOT_ARRAY` as well.
    """
    text = message.strip()
    try:
        json = bytes(_decode_any(text))
    except (ValueError, RecursionError):
        return {(): text}
    found = tree.find(json)
    if json.startswith(b"["):
        found[_ROOT_ARRAY] = json
    return found


class Match(NamedTuple):
    """A message, or an element in it, that fulfils a group of conditions."""

    element: bytes | None
    """The element; None: it is the message as a whole."""
    values: Values
    """What is found in the message; by steps with ``ANY`` in them, in that element."""


class Group:
    """Conditions that all must hold of a message; those on elements of an array, of the same one.

    :param conditions: they.
    :param wanted: paths to what is read of such an element besides.
    """

    def __init__(
        self, conditions: Sequence[MessageCondition], wanted: Sequence[JsonPath] = ()
    ) -> None:
        self._plain = [each for each in conditions if ANY not in each.path.steps]
        arrays = dict.fromkeys(
            _array_of(each.path) for each in conditions if ANY in each.path.steps
        )
        self._arrays = [_Array(steps, conditions, wanted) for steps in arrays]
        self.paths = [
            *(each.path for each in self._plain),
            *(JsonPath(each.steps, True) for each in self._arrays),
        ]
        """To what has to be found in a message."""

    def matches(self, found: Values) -> Iterator[Match]:
        """The elements of which they hold; or the message alone, where they are not on elements.

        :param found: what :attr:`paths` lead to in it.
        """
        if not _hold([(each, each.path.steps) for each in self._plain], found):
            return
        if not self._arrays:
            yield Match(None, found)
            return
        first, *others = self._arrays
        if all(any(True for _ in other.matches(found)) for other in others):
            for match in first.matches(found):
                yield Match(match.element, found | match.values)


class _Array:
    """What must hold of an element of an array.

    :param steps: where the array is.
    """

    def __init__(
        self, steps: Steps, conditions: Sequence[MessageCondition], wanted: Sequence[JsonPath]
    ) -> None:
        def inside(path: JsonPath) -> Steps | None:
            is_in = ANY in path.steps and _array_of(path) == steps
            return path.steps[len(steps) + 1 :] if is_in else None

        self.steps = steps
        pairs = [(each, inside(each.path)) for each in conditions]
        self._conditions = [(each, way) for each, way in pairs if way is not None]
        ways = [way for _, way in self._conditions]
        ways += [way for path in wanted if (way := inside(path)) is not None]
        self._tree = ValueTree.of(JsonPath(way) for way in ways)

    def matches(self, found: Values) -> Iterator[Match]:
        array = found.get(self.steps or _ROOT_ARRAY, b"")
        for element in elements_of(array) if array.startswith(b"[") else ():
            values = self._tree.find(element)
            if _hold(self._conditions, values):
                in_it = {(*self.steps, ANY, *way): value for way, value in values.items()}
                yield Match(element, in_it)


def _array_of(path: JsonPath) -> Steps:
    """Where the array is of which a path leads to any element."""
    return path.steps[: path.steps.index(ANY)]


def _hold(conditions: Sequence[tuple[MessageCondition, Steps]], found: Values) -> bool:
    """Whether all conditions hold of what their steps lead to."""
    try:
        return all(each.holds(found.get(steps)) for each, steps in conditions)
    except ValueError:  # no UTF-8
        return False
