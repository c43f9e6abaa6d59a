"""Batch → polars DataFrame → CSV text.

A ``number`` column arrives as integers, doubles and None mixed. Where all are integers it is a
column of integers. Otherwise it becomes text here, cell by cell what the file shall show: whole
values without a point (up to 2**63), others as the shortest text that reads back as the same
double, which is what polars writes for doubles everywhere.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import polars as pl

from fastingest.schema import ColumnType, Schema

__all__ = ["to_csv", "to_frame"]

_WHOLE = 2**53
"""Below this every integer is a double, and no two integers are the same one."""


def to_frame(schema: Schema, columns: Sequence[list[Any]]) -> pl.DataFrame:
    """The rows as a frame whose CSV text is the file's.

    :param columns: as :meth:`fastingest.batch.Batch.columns` returns them.
    """
    return pl.DataFrame(
        [
            _series(column.name, column.type, values)
            for column, values in zip(schema.columns, columns, strict=True)
        ]
    )


def to_csv(frame: pl.DataFrame) -> memoryview:
    """The frame's rows as they stand in the file: RFC 4180, each ended by a line feed, UTF-8.

    In memory, and not straight into the file: what a write that failed, or a writer that died, has
    left there can then be compared with it.
    """
    text = io.BytesIO()
    frame.write_csv(text, include_header=False)
    return text.getbuffer()


def _series(name: str, kind: ColumnType, values: list[Any]) -> pl.Series:
    if kind == "text":
        return pl.Series(name, values, dtype=pl.String)
    if kind == "double":
        return pl.Series(name, values, dtype=pl.Float64)
    try:
        return pl.Series(name, values, dtype=pl.Int64)
    except (TypeError, OverflowError):
        return _number_text(name, values)


def _number_text(name: str, values: list[Any]) -> pl.Series:
    try:
        doubles = pl.Series(name, values, dtype=pl.Float64)
    except (TypeError, OverflowError):
        doubles = None  # an integer of more than 64 bits, as text
    if doubles is not None and not (doubles.abs() >= _WHOLE).any():
        return _double_text(doubles)
    # Integers that a double may not hold: their own digits; only the doubles go through
    # _double_text.
    digits = [None if value is None or type(value) is float else str(value) for value in values]
    others = [value if type(value) is float else None for value in values]
    digits_or_text = pl.Series(name, digits, dtype=pl.String)
    return digits_or_text.fill_null(_double_text(pl.Series(name, others, dtype=pl.Float64)))


def _double_text(doubles: pl.Series) -> pl.Series:
    whole = (doubles == doubles.round(0)) & (doubles.abs() < 2.0**63)
    integers = doubles.cast(pl.Int64, strict=False).cast(pl.String)
    return integers.zip_with(whole.fill_null(False), doubles.cast(pl.String))
