"""A table's description, compiled for :mod:`fastingest.native._parser`.

There are two trees of nodes: that of the message's root, node 0, and that of a row, node 1; they
meet in nodes that say that rows are there. Where a row is the message itself, the root is
that node. A path that begins at the root and leads through that node is taken for one of the row's,
and then there must be one row: into an array of rows no such path leads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum, auto
from operator import and_
from typing import NamedTuple

from fastingest.decode.column_types import moments
from fastingest.model.jsonpath import Condition, Each, JsonPath, NoTree, PathTree, PlaceSteps, Steps
from fastingest.model.schema import Schema, base_type
from fastingest.native.kinds import Comparison, NodeKind, Own

__all__ = ["ColumnPlan", "ConditionPlan", "FlatNode", "Notation", "ParsePlan", "plan_of"]


_TESTS = {
    "=": Comparison.IS,
    "!=": Comparison.IS_NOT,
    "^=": Comparison.BEGINS,
    "~=": Comparison.LIKE,
    "exists": Comparison.EXISTS,
    "absent": Comparison.ABSENT,
}


class Notation(Enum):
    """As what a column's values are read. The compiled parser has its own numbers for them."""

    TEXT = auto()
    DOUBLE = auto()
    INTEGER = auto()
    NUMBER = auto()
    BOOL = auto()
    DECIMAL = auto()
    SECONDS = auto()
    ISO = auto()


_READ = {
    "str": (Notation.TEXT, "text"),
    "int": (Notation.INTEGER, "i8"),
    "float": (Notation.DOUBLE, "f8"),
    "number": (Notation.NUMBER, "number"),
    "bool": (Notation.BOOL, "bool"),
    "decimal": (Notation.DECIMAL, "text"),
    "timestamp[s]": (Notation.SECONDS, "text"),
    "timestamp[ms]": (Notation.INTEGER, "i8"),
    "timestamp[us]": (Notation.INTEGER, "i8"),
    "timestamp[ns]": (Notation.INTEGER, "i8"),
    "timestamp[iso]": (Notation.ISO, "text"),
}
_BOUNDS = {
    "timestamp[ms]": moments(10**3),
    "timestamp[us]": moments(10**6),
    "timestamp[ns]": moments(10**9),
}
_OWN = {"@key": Own.KEY, "@value": Own.VALUE, "@index": Own.INDEX, "@rows": Own.ROWS}
_OWN_TYPES = {"@index": "int", "@rows": "str"}
_INT64 = (-(2**63), 2**63 - 1)


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


class ColumnPlan(NamedTuple):
    """How a column is read, and held (see :class:`fastingest.native._builders.ColumnBuilders`)."""

    notation: Notation
    kind: str
    required: bool
    least: int
    greatest: int
    """Bounds of an integer."""
    constant: bytes | None = None
    """What it is in each row; None: it is read."""
    own: Own | None = None
    """What it shows of where the row is; None: it shows what is in it."""


class ConditionPlan(NamedTuple):
    """What a value must be.

    :param texts: those that it is compared with.
    :param holds_of_nothing: whether the value may be missing.
    """

    test: Comparison
    texts: tuple[bytes, ...]
    holds_of_nothing: bool


@dataclass
class ParsePlan:
    """What :class:`fastingest.native._parser.RowParser` reads by.

    :param columns: those that are no metadata.
    :param nodes: the root, the row, and those that they lead to.
    :param conditions: all of them.
    :param of_root: how many of the root must be met by a value that is there.
    :param of_row: how many of the row.
    :param is_asked_for: whether a message of which all conditions hold must have rows.
    :param is_array: whether a row is an array and not an object.
    :param many: whether there may be an array of rows.
    :param places: what ``@rows`` says of each of the places of rows.
    :param required: a bit for each place that must be there.
    :param is_value: whether a row is neither object nor array.
    :param is_empty_fine: whether an array of rows may be empty.
    """

    columns: list[ColumnPlan]
    nodes: list[FlatNode]
    conditions: list[ConditionPlan]
    of_root: int
    of_row: int
    is_asked_for: bool
    is_array: bool
    many: bool
    places: list[bytes]
    required: int
    is_value: bool
    is_empty_fine: bool


@dataclass(eq=False)
class _Node(PathTree):
    """A value in a message.

    :param leaves: what it is there for, if no steps lead on: kinds, each with the index of its
        column, condition or place.
    :param each: to what each member or each element leads.
    """

    leaves: list[tuple[NodeKind, int]] = field(default_factory=list)
    each: tuple[Each, _Node] | None = None

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
            self.each = step, _Node()
        kind, node = self.each
        if kind is not step:
            raise NoTree
        node.put_rows(tuple(rest), place)

    @property
    def places(self) -> int:
        """A bit for each place of rows that is here or below."""
        below: list[_Node] = [*self.steps.values()]
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


def _condition(condition: Condition) -> ConditionPlan:
    texts = tuple(value.encode() for value in condition.values)
    return ConditionPlan(_TESTS[condition.test], texts, condition.holds_of_nothing)


def plan_of(schema: Schema) -> ParsePlan | None:
    """The nodes of a table; None: it has something that only Python reads."""
    try:
        return _plan_of(schema)
    except NoTree:
        return None


def _plan_of(schema: Schema) -> ParsePlan:
    root, row = _Node(), _Node()
    places, own = schema.rows.places, schema.own
    start = places[0].steps if len(places) == 1 else ()
    is_several = len(places) > 1 or any(isinstance(step, Each) for step in start)
    depth = len(start)
    if (schema.row_container is None) != ("@value" in own) and (depth or own or is_several):
        raise NoTree  # the row is of no kind, or of one of two
    indices = [step for place in places for step in place.steps if isinstance(step, int)]
    if len(places) > 1 and min(indices, default=0) < 0:
        raise NoTree  # what is counted from the end comes last, wherever it stands

    def is_inside(path: JsonPath) -> bool:
        """Whether a path from the root leads into the row, if there is one."""
        can_be = path.from_root and not is_several and "@value" not in own
        return can_be and path.steps[:depth] == start

    columns = [(each, each.path) for each in schema.columns if each.path is not None]
    # Of one value, conditions come first: where they do not hold, no column is read.
    leaves = [(each.path, NodeKind.CONDITION, index) for index, each in enumerate(schema.where)]
    leaves += [
        (path, NodeKind.COLUMN, index) for index, (_, path) in enumerate(columns) if not path.own
    ]
    for path, kind, index in leaves:
        if is_inside(path):
            row.put(path.steps[depth:], (kind, index))
        elif path.from_root:
            root.put(path.steps, (NodeKind.LATER if kind is NodeKind.COLUMN else kind, index))
        else:
            row.put(path.steps, (kind, index))
    for number, place in enumerate(places):
        root.put_rows(place.steps, number)
    nodes = [FlatNode(NodeKind.OBJECT)] * 2
    root.flatten(nodes, 0)
    row.flatten(nodes, 1)
    plans = []
    for column, path in columns:
        type_ = base_type(column.type)
        plan = ColumnPlan(*_READ[type_], column.required, *_BOUNDS.get(type_, _INT64))
        if column.is_constant:
            plan = plan._replace(constant=json.loads(path.own).encode())
        elif path.own:
            plan = plan._replace(own=_OWN[path.own])
            if type_ != _OWN_TYPES.get(path.own, type_):
                raise NoTree
        plans.append(plan)
    are_of_root = [each.path.from_root and not is_inside(each.path) for each in schema.where]
    to_meet = [not each.holds_of_nothing for each in schema.where]
    are_outside = [
        is_of_root or each.holds_of_nothing
        for each, is_of_root in zip(schema.where, are_of_root, strict=True)
        if each.path.from_root
    ]
    return ParsePlan(
        plans,
        nodes,
        list(map(_condition, schema.where)),
        of_root=sum(map(and_, are_of_root, to_meet)),
        of_row=sum(to_meet) - sum(map(and_, are_of_root, to_meet)),
        is_asked_for=any(are_outside) and not schema.rows.is_optional,
        places=[(place.name or place.path).encode() for place in places],
        required=sum(1 << n for n, place in enumerate(places) if not place.is_optional),
        is_value="@value" in own,
        is_array=nodes[1].kind is NodeKind.ARRAY,
        many=not any(is_inside(path) for path, _, _ in leaves),
        is_empty_fine=schema.described and schema.has_arrays,
    )
