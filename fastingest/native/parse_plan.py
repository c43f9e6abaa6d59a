"""A table's description, compiled for :mod:`fastingest.native._parser`.

There are two trees of nodes: that of the message's root, node 0, and that of a row, node 1; they
meet in a node that says that the rows are there. Where a row is the message itself, the root is
that node. A path that begins at the root and leads through that node is taken for one of the row's,
and then there must be one row: into an array of rows no such path leads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from fastingest.decode.column_types import moments
from fastingest.decode.reference import row_kind
from fastingest.model.jsonpath import JsonPath
from fastingest.model.schema import Schema, base_type

__all__ = ["ColumnPlan", "How", "NodeKind", "Nodes", "nodes_of"]


class NodeKind(IntEnum):
    """What a value is there for."""

    OBJECT = 0
    ARRAY = 1
    COLUMN = 2
    CONDITION = 3
    ROWS = 4
    LATER = 5
    """A column of the root, where there may be several rows."""


class How(IntEnum):
    """How a column's values are read."""

    TEXT = 0
    DOUBLE = 1
    INTEGER = 2
    NUMBER = 3
    BOOL = 4
    DECIMAL = 5
    SECONDS = 6
    ISO = 7


_HOW = {
    "str": (How.TEXT, "text"),
    "int": (How.INTEGER, "i8"),
    "float": (How.DOUBLE, "f8"),
    "number": (How.NUMBER, "number"),
    "bool": (How.BOOL, "bool"),
    "decimal": (How.DECIMAL, "text"),
    "timestamp[s]": (How.SECONDS, "text"),
    "timestamp[ms]": (How.INTEGER, "i8"),
    "timestamp[us]": (How.INTEGER, "i8"),
    "timestamp[ns]": (How.INTEGER, "i8"),
    "timestamp[iso]": (How.ISO, "text"),
}
_BOUNDS = {
    "timestamp[ms]": moments(10**3),
    "timestamp[us]": moments(10**6),
    "timestamp[ns]": moments(10**9),
}
_INT64 = (-(2**63), 2**63 - 1)


class ColumnPlan(NamedTuple):
    """How a column is read, and held (see :class:`fastingest.native._builders.Columns`)."""

    type: How
    kind: str
    required: bool
    least: int
    greatest: int
    """Bounds of an integer."""


@dataclass
class Nodes:
    """What :class:`fastingest.native._parser.Rows` reads by.

    :param columns: those that are not our own.
    :param nodes: for each one its kind, the index of its column or condition, and its children:
        pairs (name with its quotes, node), and in an array (b"", node or -1) for each element.
    :param conditions: the texts that are taken; the root's come first.
    :param of_root: how many are the root's.
    :param is_array: whether a row is an array and not an object.
    :param many: whether there may be an array of rows.
    """

    columns: list[ColumnPlan]
    nodes: list[tuple[NodeKind, int, list[tuple[bytes, int]]]]
    conditions: list[tuple[bytes, ...]]
    of_root: int
    is_array: bool
    many: bool


class _OnlyPythonError(Exception):
    """The description has something that is not read natively."""


@dataclass
class _Tree:
    """Steps that lead on, or a leaf."""

    leaf: tuple[NodeKind, int] | None = None
    inside: dict[str | int, _Tree] = field(default_factory=dict)

    def put(self, steps: Iterable[str | int], leaf: tuple[NodeKind, int]) -> None:
        tree = self
        for step in steps:
            if tree.leaf is not None:
                raise _OnlyPythonError
            tree = tree.inside.setdefault(step, _Tree())
        if tree.leaf is not None or tree.inside:
            raise _OnlyPythonError
        tree.leaf = leaf

    def flatten(self, nodes: list[tuple[NodeKind, int, list[tuple[bytes, int]]]], at: int) -> None:
        """Fill in node ``at``, and append those below it."""
        if self.leaf is not None:
            nodes[at] = (*self.leaf, [])
            return
        is_array = any(isinstance(step, int) for step in self.inside)
        if is_array and not all(isinstance(step, int) for step in self.inside):
            raise _OnlyPythonError  # a value cannot be both
        children: list[tuple[bytes, int]] = []
        for step in sorted(self.inside):  # all names, or all indices
            if isinstance(step, int):
                children += [(b"", -1)] * (step - len(children))
            nodes.append((NodeKind.OBJECT, 0, []))
            children.append((_name(step), len(nodes) - 1))
        nodes[at] = (NodeKind.ARRAY if is_array else NodeKind.OBJECT, 0, children)
        for (_, node), (_, tree) in zip(
            (child for child in children if child[1] >= 0),
            sorted(self.inside.items()),
            strict=True,
        ):
            tree.flatten(nodes, node)


def _name(step: str | int) -> bytes:
    return b"" if isinstance(step, int) else b'"%b"' % step.encode()


def nodes_of(schema: Schema) -> Nodes | None:
    """The nodes of a table; None: it has something that only Python reads."""
    try:
        return _nodes_of(schema)
    except _OnlyPythonError:
        return None


def _nodes_of(schema: Schema) -> Nodes:
    root, row = _Tree(), _Tree()
    depth = len(schema.rows.steps)
    if depth and row_kind(schema) is None:
        raise _OnlyPythonError

    def is_inside(path: JsonPath) -> bool:
        """Whether a path from the root leads into the row, if there is one."""
        return path.from_root and path.steps[:depth] == schema.rows.steps

    columns = [(each, each.path) for each in schema.columns if each.path is not None]
    where = sorted(schema.where, key=lambda each: not each.path.from_root or is_inside(each.path))
    leaves = [(path, NodeKind.COLUMN, index) for index, (_, path) in enumerate(columns)]
    leaves += [(each.path, NodeKind.CONDITION, index) for index, each in enumerate(where)]
    for path, kind, index in leaves:
        if is_inside(path):
            row.put(path.steps[depth:], (kind, index))
        elif path.from_root:
            root.put(path.steps, (NodeKind.LATER if kind is NodeKind.COLUMN else kind, index))
        else:
            row.put(path.steps, (kind, index))
    root.put(schema.rows.steps, (NodeKind.ROWS, 0))
    nodes: list[tuple[NodeKind, int, list[tuple[bytes, int]]]] = [
        (NodeKind.OBJECT, 0, []),
        (NodeKind.OBJECT, 0, []),
    ]
    root.flatten(nodes, 0)
    row.flatten(nodes, 1)
    plans = []
    for column, _ in columns:
        type_ = base_type(column.type)
        plans.append(ColumnPlan(*_HOW[type_], column.required, *_BOUNDS.get(type_, _INT64)))
    return Nodes(
        plans,
        nodes,
        [tuple(value.encode() for value in each.values) for each in where],
        sum(each.path.from_root and not is_inside(each.path) for each in where),
        is_array=nodes[1][0] is NodeKind.ARRAY,
        many=not any(is_inside(path) for path, _, _ in leaves),
    )
