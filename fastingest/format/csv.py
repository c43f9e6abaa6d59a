"""Batch → polars DataFrame → CSV text.

Theory of operation. The chunks of a column (:mod:`fastingest.model.chunks`) become a column of a
frame without a loop over its rows: their buffers are handed over as Arrow arrays, which nanoarrow
makes and polars takes (1.5 ns a number, 8 a text, 4 a code), and only ``cells`` become Python
objects on the way. What is alike in neighbouring chunks is joined first, for each chunk costs 15
µs.

A ``number`` column is one of integers where all are. Otherwise it becomes text here, cell by cell
what the file shall show: whole values without a point (up to 2**63), others as the shortest text
that reads back as the same double, which is what polars writes for doubles everywhere. So what
stands in the file for a cell depends neither on its neighbours nor on the form that it came in.

To look for characters that need quotes takes polars 11 ns a cell of text. Where it is certain that
there are none, it is told not to. That is seen in the bytes of the chunks: a search for four
characters in all texts together takes 0.2 ns a cell, and codes have each text once.

Text that begins as a formula does to a spreadsheet gets a ``'`` in front where the batch's columns
say so, as OWASP advises against CSV injection. Numbers, those of ``decimal`` columns as well, are
none, whatever sign they begin with.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import nanoarrow  # type: ignore[import-untyped]  # it has none
import polars as pl
from polars.exceptions import PanicException

from fastingest.format.timestamps import iso_of, timestamps
from fastingest.model.batch import Batch
from fastingest.model.chunks import (
    DICTIONARY,
    OBJECT,
    UTF8,
    Buffer,
    Chunk,
    ChunkKind,
    decode_values,
)
from fastingest.model.schema import ESCAPED, Schema, base_type

__all__ = ["CsvFormat", "Frame", "to_csv", "to_frame"]

_FLOAT64, _INT64, _UINT16, _UINT8, _STRING = (
    nanoarrow.c_schema(each())
    for each in (
        nanoarrow.float64,
        nanoarrow.int64,
        nanoarrow.uint16,
        nanoarrow.uint8,
        nanoarrow.string,
    )
)

_WHOLE = 2**53
"""Below this every integer is a double, and no two integers are the same one."""

_NO_EXPONENT = 1e15
"""Below this a whole double is written with all its digits, and ``.0``."""


class CsvFormat:
    """CSV (RFC 4180) with a header, UTF-8, each row ended by a line feed.

    A :class:`fastingest.format.base.Format`. A row depends on nothing before it, so there is no
    state, and a file of it can be gone on with wherever a row ends.
    """

    suffix = ".csv"
    defects: tuple[type[BaseException], ...] = (Exception, PanicException)
    """Anything. A panic of polars is no Exception."""

    def begin(self, schema: Schema) -> bytes:
        """The header."""
        return (schema.header + "\n").encode()

    def encode(self, batch: Batch) -> memoryview:
        """The batch's rows.

        :raises ValueError: its columns do not have as many rows as it says.
        :raises BaseException: something else is wrong in it: one of :attr:`defects`.
        """
        if not batch.rows:
            return memoryview(b"")
        frame = to_frame(batch)
        if frame.columns.height != batch.rows:
            raise ValueError(f"its columns have {frame.columns.height} rows, and not {batch.rows}")
        return to_csv(frame)

    def end(self) -> bytes:
        """Nothing: the file ends with its last row."""
        return b""

    def snapshot(self) -> bytes:
        """Nothing."""
        return b""

    def resume(self, state: bytes) -> None:
        """Go on, which takes no state.

        :raises ValueError: there is one: it is of another format.
        """
        if state:
            raise ValueError(f"CSV has no state, and here are {len(state)} bytes of one")


class Frame(NamedTuple):
    """Rows, ready to be written."""

    columns: pl.DataFrame
    """Its CSV text is the file's."""
    is_plain: bool
    """Whether it is certain that no cell needs quotes."""


def to_frame(batch: Batch) -> Frame:
    """The batch's rows."""
    cells = iter(batch.chunks())
    columns: list[pl.Series] = []
    is_plain = True
    for name, kind in zip(batch.layout.names, batch.layout.types, strict=True):
        if kind.startswith("@"):
            columns.append(_own(batch, name, kind))
            is_plain &= kind != "@feed" or _are_plain(batch.layout.feed.encode())
        else:
            chunks = next(cells)
            is_escaped, kind = kind == ESCAPED, "str" if kind == ESCAPED else kind  # noqa: PLW2901
            column = _series(kind, chunks).rename(name)
            columns.append(_escaped(column) if is_escaped else column)
            if kind in ("str", "json"):  # all others are made of digits and the like
                is_plain = is_plain and all(_are_plain(_text_of(chunk)) for chunk in chunks)
                is_plain = is_plain and not (column == "").any()  # nulls are passed over
    return Frame(pl.DataFrame(columns), is_plain)


def to_csv(frame: Frame) -> memoryview:
    """The rows as they stand in the file: RFC 4180, each ended by a line feed, UTF-8.

    In memory, and not straight into the file: what a write that failed, or a writer that died, has
    left there can then be compared with it.
    """
    text = io.BytesIO()
    frame.columns.write_csv(
        text, include_header=False, quote_style="never" if frame.is_plain else "necessary"
    )
    return text.getbuffer()


# Quotes


def _text_of(chunk: Chunk) -> bytes:
    """Bytes in which all the strings of a chunk are, and other bytes as well."""
    return bytes(chunk.extra if chunk.kind == DICTIONARY else chunk.data)


def _are_plain(texts: bytes) -> bool:
    """Whether it is certain that no string in ``texts`` needs quotes, unless it is empty."""
    return not any(special in texts for special in (b",", b'"', b"\n", b"\r"))


# Formulas

_FORMULA = r"^[=+\-@\t\r\n]"


def _escaped(texts: pl.Series) -> pl.Series:
    """Texts, with a quote in front of those that a spreadsheet would take for formulas."""
    are_formulas = texts.str.contains(_FORMULA)
    return ("'" + texts).zip_with(are_formulas, texts) if are_formulas.any() else texts


# Metadata columns


def _own(batch: Batch, name: str, kind: str) -> pl.Series:
    """A metadata column; see :data:`fastingest.model.schema.METADATA`."""
    own, _, written = kind.partition(":")
    if own == "@feed":
        return pl.Series(name, [batch.layout.feed]).new_from_index(0, batch.rows)
    if own == "@sequence":
        first = batch.first
        return pl.int_range(first, first + batch.rows, dtype=pl.Int64, eager=True).alias(name)
    if own == "@connection":
        starts = [start for start, _ in batch.connections[1:]]
        runs = zip((number for _, number in batch.connections), [*starts, batch.rows], strict=True)
        return _runs(runs).rename(name)
    received = _runs((time, end) for end, time in batch.stamps).rename(name)
    return iso_of(received, "ns") if written == "timestamp[ns]" else received


def _runs(runs: Iterable[tuple[int, int]]) -> pl.Series:
    """A column in which each value stands up to a row's index."""
    parts, start = [], 0
    for value, end in runs:
        parts.append(value.to_bytes(8, "little", signed=True) * (end - start))
        start = end
    return _part("int", Chunk("i8", start, b"".join(parts)))


# Columns of cells


def _series(kind: str, chunks: Sequence[Chunk]) -> pl.Series:
    """The column of these chunks, as it shall stand in the file."""
    parts = [_part(kind, chunk) for chunk in _joined(chunks)]
    if len({part.dtype for part in parts}) > 1:  # integers and text, in number columns
        parts = [part.cast(pl.String) for part in parts]
    column = parts[0] if len(parts) == 1 else pl.concat(parts)
    return timestamps(kind, column) if kind.startswith("timestamp") else column


def _joined(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The same cells in fewer chunks, where that is simple."""
    if len(chunks) == 1:
        return list(chunks)
    joined: list[Chunk] = []
    for (kind, extra, is_simple), group in groupby(chunks, _form):
        alike = list(group)
        if len(alike) == 1 or not is_simple:
            joined += alike
        else:
            data = b"".join([chunk.data for chunk in alike])
            joined.append(Chunk(kind, sum(chunk.count for chunk in alike), data, extra))
    return joined


def _form(chunk: Chunk) -> tuple[ChunkKind, bytes, bool]:
    """What chunks must have in common to be joined, and whether they can be."""
    is_simple = chunk.kind not in (UTF8, OBJECT) and not len(chunk.validity)
    return chunk.kind, bytes(chunk.extra) if chunk.kind == DICTIONARY else b"", is_simple


def _part(kind: str, chunk: Chunk) -> pl.Series:
    """The cells of a chunk as they shall stand in the file, unless they are timestamps."""
    if chunk.kind == OBJECT:
        return _column_of(kind, decode_values(chunk.data))
    if chunk.kind == DICTIONARY:
        codes = _array(chunk, _UINT16, chunk.data)
        return pl.Series(decode_values(chunk.extra), dtype=pl.String)[codes]
    if chunk.kind == UTF8:
        return _array(chunk, _STRING, chunk.extra, chunk.data)
    if chunk.kind == "bool":
        return _array(chunk, _UINT8, chunk.data).cast(pl.Boolean)
    if chunk.kind == "i8":
        return _array(chunk, _INT64, chunk.data)
    doubles = _array(chunk, _FLOAT64, chunk.data)
    return _double_text(doubles) if kind == "number" else doubles


def _array(chunk: Chunk, schema: Any, *buffers: Buffer) -> pl.Series:
    """A chunk's buffers as a column; they are kept for as long as it is there."""
    validity = chunk.validity if len(chunk.validity) else None
    nulls = 0 if validity is None else -1  # to be counted
    array = nanoarrow.c_array_from_buffers(
        schema, chunk.count, [validity, *buffers], null_count=nulls
    )
    return pl.Series(array)


_DTYPES: dict[str, Any] = {
    "str": pl.String,
    "decimal": pl.String,
    "json": pl.String,
    "float": pl.Float64,
    "bool": pl.Boolean,
    "timestamp[s]": pl.String,
    "timestamp[iso]": pl.String,
}


def _column_of(kind: str, values: list[Any]) -> pl.Series:
    """Cells that are Python objects as a column."""
    dtype = _DTYPES.get(base_type(kind))
    if dtype is not None:
        return pl.Series(values, dtype=dtype)
    try:
        return pl.Series(values, dtype=pl.Int64)
    except (TypeError, OverflowError):
        return _number_text(values)


def _number_text(values: list[Any]) -> pl.Series:
    try:
        doubles = pl.Series(values, dtype=pl.Float64)
    except (TypeError, OverflowError):
        doubles = None  # an integer of more than 64 bits, as text
    if doubles is not None and not (doubles.abs() >= _WHOLE).any():
        return _double_text(doubles)
    # Integers that a double may not hold: their own digits; only the doubles go through
    # _double_text.
    digits = [None if value is None or type(value) is float else str(value) for value in values]
    others = [value if type(value) is float else None for value in values]
    text = _double_text(pl.Series(others, dtype=pl.Float64)).cast(pl.String)
    return pl.Series(digits, dtype=pl.String).fill_null(text)


def _double_text(doubles: pl.Series) -> pl.Series:
    """Doubles of a number column: integers if all are whole, doubles if none is, otherwise text."""
    integers = doubles.cast(pl.Int64, strict=False)  # null from 2**63 on
    whole = ((integers == doubles) & (doubles > -(2.0**63))).fill_null(False)
    count = whole.sum()
    if count == len(doubles) - doubles.null_count():
        return integers
    if not count:
        return doubles
    text = doubles.cast(pl.String)
    # Nulls are passed over. This takes 10 ns a cell less than the general way.
    if (doubles.abs() < _NO_EXPONENT).all() and not (text == "-0.0").any():
        return text.str.strip_suffix(".0")
    return integers.cast(pl.String).zip_with(whole, text)
