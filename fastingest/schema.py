"""Columns, and which JSON becomes which of them. The receiver and the writer share one Schema.

A message is told by itself, each time:

- an object that has at least one column's name among its members is a *record*, one row;
- an array is a list of records, a row for each;
- any other object is a *map* from :attr:`Schema.map_key` to :attr:`Schema.map_value`, by default
  symbol to price, a row for each member, every other column empty.

A broken record (``{"price": 145.67}``, which lacks its symbol) is therefore never taken for a map
whose symbol is "price".

The meaning of a value is msgspec's (``strict=False``: a number may stand in a string), with bounds
that it checks while it parses, so that nothing needs to look at a row again: a double must be
finite, an integer must fit in 64 bits. Where it does not, :attr:`Schema.decode_wide` keeps the
exact digits of the integer as text.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

__all__ = ["TRADES", "Column", "ColumnType", "Schema"]

ColumnType = Literal["text", "double", "number"]
"""``text``: a string. ``double``: a finite one. ``number``: an integer, kept exact, or a double."""

_LARGEST = (
    1.7976931348623157e308  # the largest finite double, so that the bounds shut out inf and nan
)
_Double = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: dict[ColumnType, Any] = {"text": str, "double": _Double, "number": _Int64 | _Double}
_WIDE_TYPES: dict[ColumnType, Any] = {**_TYPES, "number": int | _Double}


@dataclass(frozen=True)
class Column:
    """One column of the file.

    :param name: its name in the header, and the record's member that it is read from.
    :param type: see :data:`ColumnType`.
    :param required: whether a record without it, or with null, is no row; otherwise the cell stays
        empty.
    """

    name: str
    type: ColumnType
    required: bool = True


@dataclass(frozen=True)
class Schema:
    """The columns in the file's order, compiled into msgspec types.

    :param map_key: the column that a map's keys go to.
    :param map_value: the column that a map's values go to.
    """

    columns: tuple[Column, ...]
    map_key: str
    map_value: str

    decode_row: Callable[[bytes], Any] = field(init=False, repr=False, compare=False)
    """One record in JSON → a row. Raises msgspec's ``DecodeError`` where it is none."""

    decode_wide: Callable[[bytes], Any] = field(init=False, repr=False, compare=False)
    """Like ``decode_row``, with integers of any length."""

    decode_map: Callable[[bytes], dict[str, Any]] = field(init=False, repr=False, compare=False)
    """One map in JSON → a dict. Raises msgspec's ``DecodeError`` where it is none."""

    to_columns: Callable[[Sequence[Any]], tuple[list[Any], ...]] = field(
        init=False, repr=False, compare=False
    )
    """Rows → one list for each column."""

    def __post_init__(self) -> None:
        decoder = msgspec.json.Decoder
        row, wide = self._row_type(_TYPES), self._row_type(_WIDE_TYPES)
        kinds = {column.name: _TYPES[column.type] for column in self.columns}
        pairs = types.GenericAlias(dict, (kinds[self.map_key], kinds[self.map_value]))
        set_once = object.__setattr__
        set_once(self, "decode_row", decoder(row, strict=False).decode)
        set_once(self, "decode_wide", decoder(wide, strict=False).decode)
        set_once(self, "decode_map", decoder(pairs, strict=False).decode)
        # A comprehension with the attribute spelled out takes 20 ns a cell, attrgetter 38.
        lists = "".join(f"[row.c{index} for row in rows]," for index in range(len(self.columns)))
        set_once(self, "to_columns", eval(f"lambda rows: ({lists})"))  # noqa: S307 - our own text

    def _row_type(self, by_type: dict[ColumnType, Any]) -> type[msgspec.Struct]:
        """A struct with a field ``c0``, ``c1``, … for each column, so that any name will do."""
        required, optional = [], []
        for index, column in enumerate(self.columns):
            kind = by_type[column.type]
            if column.required:
                required.append((f"c{index}", kind, msgspec.field(name=column.name)))
            else:
                optional.append(
                    (f"c{index}", kind | None, msgspec.field(name=column.name, default=None))
                )
        return msgspec.defstruct("Row", required + optional, gc=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in the file's order."""
        return tuple(column.name for column in self.columns)

    @property
    def header(self) -> str:
        """The file's first line, without its end (RFC 4180 quoting)."""
        return ",".join(
            '"' + name.replace('"', '""') + '"' if re.search(r'[",\r\n]', name) else name
            for name in self.names
        )

    def map_columns(self, pairs: dict[str, Any]) -> tuple[list[Any], ...]:
        """A decoded map → one list for each column; other columns are None throughout."""
        given = {self.map_key: list(pairs), self.map_value: list(pairs.values())}
        return tuple(given.get(name) or [None] * len(pairs) for name in self.names)


TRADES = Schema(
    (Column("symbol", "text"), Column("price", "double"), Column("volume", "number", False)),
    map_key="symbol",
    map_value="price",
)
"""The default: ``{"symbol": "AAPL", "price": 145.67, "volume": 1500}`` or ``{"AAPL": 145.67}``."""
