"""Columns and conditions, read from the structs that msgspec has made of messages.

Python for them is put together once, from :func:`fastingest.decode.struct_types.access`, and works
on a whole run of structs at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from fastingest.decode.cells import ColumnType, cells_of
from fastingest.decode.column_types import column_type
from fastingest.decode.struct_types import PathNode, access, comprehension
from fastingest.model.jsonpath import OWN, Condition, JsonPath, NoTree, Steps, text_of
from fastingest.model.schema import Schema

__all__ = ["Extractor", "Texts", "Wanted", "ask", "columns_of", "expect", "filter_of"]

_Settle = Callable[[list[Any]], list[Any] | None]


class Wanted(NamedTuple):
    """A column that comes from the feed."""

    kind: ColumnType
    path: JsonPath
    is_required: bool

    @property
    def may_be_blank(self) -> bool:
        """Whether a string may stand for an empty cell where msgspec looks for another type."""
        return not self.is_required and self.kind.parsed not in (None, str, msgspec.Raw)

    @property
    def is_loose(self) -> bool:
        """Whether there are values that fit, and are not of the type that msgspec looks for."""
        return self.may_be_blank or self.kind.has_other_forms


def columns_of(schema: Schema) -> list[Wanted]:
    """The columns that come from the feed, in the file's order."""
    return [
        Wanted(column_type(column.type), column.path, column.required)
        for column in schema.columns
        if column.path is not None
    ]


class Extractor:
    """Reads columns from structs: those of them that stand in one tree.

    :param root: the tree, in which the columns are put.
    :param start: the steps to where the columns' paths begin.
    :param is_loose: whether values may be of other types than a column's usual one, as they may
        (:attr:`Wanted.is_loose`).
    """

    def __init__(
        self, root: PathNode, columns: Sequence[Wanted], start: Steps, *, is_loose: bool = False
    ) -> None:
        self._root = root
        self._columns: list[tuple[PathNode, ColumnType, Steps, bool] | str] = []  # or constants
        for wanted in columns:
            kind, path, is_required = wanted
            if path.own in OWN:
                raise NoTree
            if path.own:
                self._columns.append(json.loads(path.own))
                continue
            steps = path.steps if path.from_root else start + path.steps
            node = root.require(steps) if is_required else root.at(steps)
            node.is_loose = node.is_loose or (is_loose and wanted.is_loose)
            if kind not in node.kinds:
                node.kinds.append(kind)
            self._columns.append((node, kind, steps, is_required))

    def compile(self) -> None:
        """Call this when all is in the tree."""
        self._get = comprehension(
            repr(column) if isinstance(column, str) else access(self._root, column[2])
            for column in self._columns
        )
        self._settle: list[tuple[int, ColumnType, _Settle, bool]] = []
        for index, column in enumerate(self._columns):
            if isinstance(column, str):
                continue
            node, kind, _, is_required = column
            if node.is_raw:
                self._settle.append((index, kind, kind.settle_raw, is_required))
            elif kind.checked:
                self._settle.append((index, kind, kind.settle, is_required))

    def read(self, structs: Sequence[Any]) -> tuple[list[list[Any]], int] | None:
        """The columns, if all cells fit, and how many cells are empty for what is no number."""
        columns: list[list[Any]] = self._get(structs)
        blanked = 0
        for index, kind, settle, required in self._settle:
            cells = cells_of(kind, settle, columns[index], required=required)
            if cells is None:
                return None
            columns[index] = cells.cells
            blanked += cells.blanked
        return columns, blanked


def expect(root: PathNode, condition: Condition, steps: Steps) -> None:
    """Have a tree parse only what a condition holds of, as far as types can say that."""
    node = root.at(steps) if condition.holds_of_nothing else root.require(steps)
    if condition.test == "=":
        node.allow(condition.values)
    else:
        node.is_asked = True


def ask(root: PathNode, condition: Condition, steps: Steps) -> None:
    """Have a tree parse whatever a condition may be asked of."""
    node = root.at(steps)
    if condition.test == "=":
        node.compare(condition.values)
    else:
        node.is_asked = True


class Texts:
    """Checks the conditions whose values were parsed as they stand, and not by a Literal type.

    :param root: the tree, which has all conditions already.
    :param wanted: the conditions, and the steps to their values.
    """

    def __init__(self, root: PathNode, wanted: Sequence[tuple[Condition, Steps]]) -> None:
        self._checks: list[Callable[[list[Any]], bool]] = []
        texts = []
        for condition, steps in wanted:
            if condition.test != "=":
                self._checks.append(partial(_all_hold, condition))
                texts.append(access(root, steps))
            elif root.at(steps).is_raw:
                self._checks.append(frozenset(condition.values).issuperset)
                texts.append(f"text_of({access(root, steps)})")
        self._get = comprehension(texts, {"text_of": text_of})

    def hold(self, structs: Sequence[Any]) -> bool:
        """Whether all hold for all."""
        if not self._checks:
            return True
        columns = self._get(structs)
        return all(check(column) for check, column in zip(self._checks, columns, strict=True))


def _all_hold(condition: Condition, values: list[Any]) -> bool:
    return all(map(condition.holds, values))


def filter_of(
    root: PathNode, wanted: Sequence[tuple[Condition, Steps]], unless: str = ""
) -> Callable[[Sequence[Any]], list[bool]]:
    """What says of structs of the tree for which of them all the conditions hold.

    :param unless: Python before the conditions, that ends in ``or``; there is ``starts_array`` in
        it, which says of JSON text whether it is an array.
    """
    tests: list[str] = []
    names: dict[str, Any] = {"text_of": text_of, "starts_array": _starts_array}
    for number, (condition, steps) in enumerate(wanted):
        value = access(root, steps)
        if condition.test != "=":
            names[f"holds{number}"] = condition.holds
            tests.append(f"holds{number}({value})")
            continue
        if root.at(steps).is_raw:
            value = f"text_of({value})"
        if len(condition.values) == 1:
            tests.append(f"{value} == {condition.values[0]!r}")
        else:
            names[f"values{number}"] = frozenset(condition.values)
            tests.append(f"{value} in values{number}")
    get = comprehension([f"{unless}({' and '.join(tests)})"], names)

    def flags(structs: Sequence[Any]) -> list[bool]:
        (column,) = get(structs)
        return list(column)

    return flags


def _starts_array(value: msgspec.Raw | None) -> bool:
    return value is not None and bytes(value).startswith(b"[")
