"""What a TOML file says of the tables that are made of a feed."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from fastingest.config.section import Section
from fastingest.config.spec import TableSpec
from fastingest.model.jsonpath import Condition, parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import TRADES, Column, Schema, check_own, parse_columns

__all__ = ["TABLE_KEYS", "tables_of"]

TABLE_KEYS = ("out", "columns", "rows", "where")
"""The keys of a table, but for its name; a feed with one table has them itself."""

_ANOTHER = "\0=x"  # a column from the feed, without which there can be no metadata column


def tables_of(section: Section) -> tuple[TableSpec, ...]:
    """The tables of a feed: those of its ``table``, or the one that the feed itself is."""
    if "table" not in section:
        return (TableSpec(_schema(section), section.key),)
    for moved in ("columns", "rows", "where"):
        if moved in section:
            section.problem(moved, f"{moved!r} belongs into [[feed.table]]; move it there")
    tables = []
    for inner in section.sections("table"):
        inner.only(("name", *TABLE_KEYS))
        out, name = inner.text("out"), inner.text("name")
        if out and name:
            inner.problem("name", "'out' says where the table goes; remove 'name'")
        if name and not re.fullmatch(r"\w[\w.-]{0,99}", name):
            inner.problem("name", f"{name!r} cannot be a part of a file's name; use letters")
        if "columns" not in inner:
            inner.problem("columns", "a table needs 'columns'")
        tables.append(TableSpec(_schema(inner), inner.key, Path(out) if out else None, name))
    return tuple(tables)


def _schema(section: Section) -> Schema:
    if "columns" not in section:
        for name in ("rows", "where"):
            if name in section:
                section.problem(name, "goes with 'columns', which say what the rows are made of")
        return TRADES
    columns = _columns(section)
    rows = section.read("rows", section.get("rows", str, list, dict), parse_rows)
    where: list[Condition] = []
    for index, text in enumerate(section.texts("where") or ()):
        condition = section.read("where", text, parse_condition, index)
        if condition:
            where.append(condition)
    if columns is None:
        return TRADES
    rows = rows or Schema.rows
    section.read("columns", columns, partial(check_own, rows=rows))
    return Schema(columns, rows, tuple(where))


def _columns(section: Section) -> tuple[Column, ...] | None:
    value = section.get("columns", str, list)
    if isinstance(value, list):
        value = section.texts("columns")
        # one by one first, so that an error has the line of its column
        before = len(section.problems)
        for index, column in enumerate(value or ()):
            section.read("columns", [column, _ANOTHER], parse_columns, index)
        if len(section.problems) > before:
            return None
    return section.read("columns", value, parse_columns)
