"""Paths that are read of one message, put together: the nodes are the values on their way.

Each reader makes a class of its own of it, for what it keeps of a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from fastingest.model.jsonpath import REMEMBERED, NoTree, Steps

__all__ = ["PathTree"]


@dataclass(eq=False)
class PathTree:
    """A value in a message, and those that paths lead to from it.

    :param steps: where they lead on: a tree of the same class for each step.
    :param way: the steps that have led here, from the root.
    """

    steps: dict[str | int, Self] = field(default_factory=dict)
    way: Steps = ()

    def along(self, steps: Steps) -> Iterator[Self]:
        """Go the steps from here: this value and each that they lead to, made if there is none."""
        tree = self
        yield tree
        for step in steps:
            if step not in tree.steps:
                tree.steps[step] = tree._grown(step)
            tree = tree.steps[step]
            yield tree

    def at(self, steps: Steps) -> Self:
        """What the steps lead to, made if there is none yet."""
        *_, tree = self.along(steps)
        return tree

    def _grown(self, step: str | int) -> Self:
        """A new tree for a step."""
        return type(self)(way=(*self.way, step))

    @property
    def container(self) -> type[dict[str, object]] | type[list[object]] | None:
        """What the value must be for the steps to lead on; None: they end here.

        :raises NoTree: it would have to be an object and an array, or is none of this message.
        """
        if not self.steps:
            return None
        if REMEMBERED in self.steps:
            raise NoTree
        if all(isinstance(step, str) for step in self.steps):
            return dict
        if all(isinstance(step, int) for step in self.steps):
            return list
        raise NoTree
