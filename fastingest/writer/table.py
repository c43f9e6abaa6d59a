"""Batch → polars DataFrame → CSV text.

A ``number`` column arrives as integers, doubles and None mixed. Where all are integers it is a
column of integers. Otherwise it becomes text here, cell by cell what the file shall show: whole
values without a point (up to 2**63), others as the shortest text that reads back as the same
double, which is what polars writes for doubles everywhere.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import polars as pl

from fastingest.batch import Batch
from fastingest.writer.timestamps import iso_of, timestamps

__all__ = ["to_csv", "to_frame"]

_WHOLE = 2**53
"""Below this every integer is a double, and no two integers are the same one."""


def to_frame(batch: Batch) -> pl.DataFrame:
    """The batch's rows as a frame whose CSV text is the file's."""
    cells = iter(batch.columns())
    return pl.DataFrame(
        [
            _own(batch, name, kind) if kind.startswith("@") else _series(name, kind, next(cells))
            for name, kind in zip(batch.layout.names, batch.layout.types, strict=True)
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


def _own(batch: Batch, name: str, kind: str) -> pl.Series:
    """A column of our own; see :data:`fastingest.schema.OWN`."""
    own, _, written = kind.partition(":")
    if own == "@feed":
        return pl.repeat(batch.layout.feed, batch.rows, eager=True).alias(name)
    if own == "@sequence":
        first = batch.first
        return pl.int_range(first, first + batch.rows, dtype=pl.Int64, eager=True).alias(name)
    if own == "@connection":
        starts = [start for start, _ in batch.connections[1:]]
        runs = zip((number for _, number in batch.connections), [*starts, batch.rows], strict=True)
        return _runs(name, runs)
    received = _runs(name, ((time, end) for end, time in batch.stamps))
    return iso_of(received, "ns") if written == "timestamp[ns]" else received


def _runs(name: str, runs: Iterable[tuple[int, int]]) -> pl.Series:
    """A column in which each value stands up to a row's index."""
    values, lengths, start = [], [], 0
    for value, end in runs:
        values.append(value)
        lengths.append(end - start)
        start = end
    frame = pl.DataFrame({name: values, "": lengths}, schema={name: pl.Int64, "": pl.UInt32})
    return frame.select(pl.col(name).repeat_by("").explode()).to_series()


_DTYPES: dict[str, Any] = {
    "str": pl.String,
    "decimal": pl.String,
    "float": pl.Float64,
    "bool": pl.Boolean,
}


def _series(name: str, kind: str, values: list[Any]) -> pl.Series:
    if kind in _DTYPES:
        return pl.Series(name, values, dtype=_DTYPES[kind])
    if kind.startswith("timestamp"):
        return timestamps(name, kind, values)
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
