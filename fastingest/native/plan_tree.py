"""The nodes of a :class:`fastingest.native.parse_plan.ParsePlan`: what its paths lead through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from fastingest.model.jsonpath import Each, NoTree, PlaceSteps, Steps
from fastingest.model.path_tree import PathTree
from fastingest.native.kinds import NodeKind

__all__ = ["FlatNode", "PlanTree"]

_MAX_FROM_END = 16  # elements of an array that are kept in mind until its end


class FlatNode(NamedTuple):
    """A value in a message.

    :param of: the index of its column, condition or place of rows; where each member or element
        leads to rows, a bit for each of the places that they are of.
    :param children: pairs (name with its quotes, node); in an array (b"", node or -1) for each
        element, and then for each from the end, the last one first.
    :param from_end: how many of them are from the end.
    """

    kind: NodeKind
    of: int = 0
    children: tuple[tuple[bytes, int], ...] = ()
    from_end: int = 0


@dataclass(eq=False)
class PlanTree(PathTree):
    """A value in a message.

    :param leaves: what it is there for, if no steps lead on: kinds, each with the index of its
        column, condition or place.
    :param each: to what each member or each element leads.
    """

    leaves: list[tuple[NodeKind, int]] = field(default_factory=list)
    each: tuple[Each, PlanTree] | None = None

    def put(self, steps: Steps, leaf: tuple[NodeKind, int]) -> None:
        """Have the steps end in a leaf.

        :raises NoTree: a value would lead on as well, or be a column and rows.
        """
        *before, node = self.along(steps)
        kinds = [kind for kind, _ in [*node.leaves, leaf]]
        if node.steps or node.each or any(way.leaves or way.each for way in before):
            raise NoTree
        if len(kinds) > 1 and NodeKind.ROWS in kinds:
            raise NoTree
        node.leaves.append(leaf)

    def put_rows(self, steps: PlaceSteps, place: int) -> None:
        """Have the steps end in a place of rows.

        :raises NoTree: as in :meth:`put`.
        """
        if not steps:
            self.put((), (NodeKind.ROWS, place))
            return
        step, *rest = steps
        if self.leaves or (self.each if not isinstance(step, Each) else self.steps):
            raise NoTree
        if not isinstance(step, Each):
            self.at((step,)).put_rows(tuple(rest), place)
            return
        if self.each is None:
            self.each = step, PlanTree()
        kind, node = self.each
        if kind is not step:
            raise NoTree
        node.put_rows(tuple(rest), place)

    @property
    def places(self) -> int:
        """A bit for each place of rows that is here or below."""
        below: list[PlanTree] = [*self.steps.values()]
        below += [self.each[1]] if self.each else []
        here = [1 << place for kind, place in self.leaves if kind is NodeKind.ROWS]
        return sum(here) + sum(node.places for node in below)

    def flatten(self, nodes: list[FlatNode], at: int) -> None:
        """Fill in node ``at``, and append those below it."""
        if len(self.leaves) == 1:
            nodes[at] = FlatNode(*self.leaves[0])
            return
        if self.leaves:
            first = len(nodes)
            nodes += [FlatNode(*leaf) for leaf in self.leaves]
            children = tuple((b"", number) for number in range(first, len(nodes)))
            nodes[at] = FlatNode(NodeKind.SEVERAL, 0, children)
            return
        if self.each:
            kind = NodeKind.EACH_MEMBER if self.each[0] is Each.MEMBER else NodeKind.EACH_ELEMENT
            nodes[at] = FlatNode(kind, self.places, ((b"", len(nodes)),))
            nodes.append(FlatNode(NodeKind.OBJECT))
            self.each[1].flatten(nodes, len(nodes) - 1)
            return
        is_array = self.container is list
        numbers: dict[str | int, int] = {}
        for step in sorted(self.steps):  # all names, or all indices
            numbers[step] = len(nodes)
            nodes.append(FlatNode(NodeKind.OBJECT))
        nodes[at] = _array(numbers) if is_array else _object(numbers)
        for step, number in numbers.items():
            self.steps[step].flatten(nodes, number)


def _object(numbers: dict[str | int, int]) -> FlatNode:
    children = ((b'"%b"' % str(name).encode(), number) for name, number in numbers.items())
    return FlatNode(NodeKind.OBJECT, 0, tuple(children))


def _array(numbers: dict[str | int, int]) -> FlatNode:
    indices = [index for index in numbers if isinstance(index, int)]
    elements = max([0, *(index + 1 for index in indices)])
    from_end = max([0, *(-index for index in indices)])
    if from_end > _MAX_FROM_END:
        raise NoTree
    places = [*range(elements), *range(-1, -from_end - 1, -1)]
    children = tuple((b"", numbers.get(place, -1)) for place in places)
    return FlatNode(NodeKind.ARRAY, 0, children, from_end)
