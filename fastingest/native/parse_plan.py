"""A table's description, compiled for :mod:`fastingest.native._parser`.

There are two trees of nodes: that of the message's root, node 0, and that of a row, node 1; they
meet in nodes that say that rows are there. Where a row is the message itself, the root is
that node. A path that begins at the root and leads through that node is taken for one of the row's,
and then there must be one row: into an array of rows no such path leads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from operator import and_
from typing import NamedTuple

from fastingest.decode.column_types import column_type
from fastingest.decode.time_types import moments, step_of
from fastingest.model.feed import remembered_in
from fastingest.model.jsonpath import Condition, Each, JsonPath, NoTree, Steps
from fastingest.model.schema import Schema, base_type, digits_of
from fastingest.native.kinds import Comparison, NodeKind, Own
from fastingest.native.plan_tree import FlatNode, PlanTree

__all__ = [
    "ColumnPlan",
    "ConditionPlan",
    "Notation",
    "ParsePlan",
    "plan_of",
]


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
    JSON = auto()


_READ = {
    "str": (Notation.TEXT, "text"),
    "int": (Notation.INTEGER, "i8"),
    "float": (Notation.DOUBLE, "f8"),
    "number": (Notation.NUMBER, "number"),
    "bool": (Notation.BOOL, "bool"),
    "decimal": (Notation.DECIMAL, "text"),
    "json": (Notation.JSON, "text"),
    "timestamp[s]": (Notation.SECONDS, "text"),
    "timestamp[ms]": (Notation.INTEGER, "i8"),
    "timestamp[us]": (Notation.INTEGER, "i8"),
    "timestamp[ns]": (Notation.INTEGER, "i8"),
    "timestamp[iso]": (Notation.ISO, "text"),
}
_BOUNDS = {
    "timestamp[ms]": moments("ms"),
    "timestamp[us]": moments("us"),
    "timestamp[ns]": moments("ns"),
}
_ANY = 2**30  # digits
# What a value is there for that stands in the message itself, and one that is remembered.
_COLUMN = (NodeKind.COLUMN, NodeKind.RECALLED)
_CONDITION = (NodeKind.CONDITION, NodeKind.RECALLED_CONDITION)
_OWN = {"@key": Own.KEY, "@value": Own.VALUE, "@index": Own.INDEX, "@rows": Own.ROWS}
_OWN_TYPES = {"@index": "int", "@rows": "str"}
_INT64 = (-(2**63), 2**63 - 1)


class ColumnPlan(NamedTuple):
    """How a column is read, and held (see :class:`fastingest.native._builders.ColumnBuilders`)."""

    notation: Notation
    kind: str
    required: bool
    least: int
    greatest: int
    """Bounds of an integer."""
    has_words: bool
    """Whether an empty cell may stand for what is no number, such as ``"NaN"``."""
    step: int
    """What an integer must be a multiple of."""
    digits: int
    """How many may stand behind the point of a number that stays text, or behind the second."""
    constant: bytes | None = None
    """What it is in each row; None: it is read."""
    own: Own | None = None
    """What it shows of where the row is; None: it shows what is in it."""
    recall: int = -1
    """Which of the values that are remembered by what stands there; -1: it stands there itself."""


class ConditionPlan(NamedTuple):
    """What a value must be.

    :param texts: those that it is compared with.
    :param holds_of_nothing: whether the value may be missing.
    :param recall: as of a column.
    """

    test: Comparison
    texts: tuple[bytes, ...]
    holds_of_nothing: bool
    recall: int = -1


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


def _condition(condition: Condition, remembered: Sequence[Steps]) -> ConditionPlan:
    texts = tuple(value.encode() for value in condition.values)
    recall = _recall(condition.path, remembered)
    return ConditionPlan(_TESTS[condition.test], texts, condition.holds_of_nothing, recall)


def _recall(path: JsonPath, remembered: Sequence[Steps]) -> int:
    behind = path.split[1]
    return remembered.index(behind) if behind else -1


def plan_of(schema: Schema) -> ParsePlan | None:
    """The nodes of a table; None: it has something that only Python reads."""
    try:
        return _plan_of(schema)
    except NoTree:
        return None


def _plan_of(schema: Schema) -> ParsePlan:
    root, row = PlanTree(), PlanTree()
    places, own = schema.rows.places, schema.own
    remembered = remembered_in([schema])
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
    leaves = [(each.path, _CONDITION, index) for index, each in enumerate(schema.where)]
    leaves += [(path, _COLUMN, index) for index, (_, path) in enumerate(columns) if not path.own]
    for path, kinds, index in leaves:
        here, behind = path.split
        kind = kinds[bool(behind)]
        if is_inside(path):
            if behind and not here[depth:]:
                raise NoTree  # the row is the key
            row.put(here[depth:], (kind, index))
        elif path.from_root:
            root.put(here, (NodeKind.LATER if kinds is _COLUMN else kind, index))
        else:
            row.put(here, (kind, index))
    for number, place in enumerate(places):
        root.put_rows(place.steps, number)
    nodes = [FlatNode(NodeKind.OBJECT)] * 2
    root.flatten(nodes, 0)
    row.flatten(nodes, 1)
    plans = []
    for column, path in columns:
        type_ = base_type(column.type)
        bounds = _BOUNDS.get(type_, _INT64)
        digits = digits_of(column.type)
        step = step_of(type_[len("timestamp[") : -1], digits) if type_ in _BOUNDS else 1
        most = _ANY if digits is None else digits
        is_number = column_type(column.type).is_number
        plan = ColumnPlan(*_READ[type_], column.required, *bounds, is_number, step, most)
        plan = plan._replace(recall=_recall(path, remembered))
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
        [_condition(each, remembered) for each in schema.where],
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
