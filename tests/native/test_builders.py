"""Native column buffers: what goes in as cells comes out as chunks."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.model.chunks import cells, encode
from tests.support.native import native_module

native = native_module("_builders")

_INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.just(2**53)
_DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
_WIDE = st.just(str(10**30))
_CELLS: dict[str, st.SearchStrategy[Any]] = {
    "f8": _DOUBLES,
    "i8": _INTEGERS | _WIDE,
    "number": st.integers(-5, 5) | _INTEGERS | _DOUBLES | _WIDE,
    "bool": st.booleans(),
    "text": st.sampled_from(["A", "B", "", "ABCDEFGH", "a longer one, as it happens", "é\n"])
    | st.text(st.characters(exclude_categories=["Cs"])),
}


@st.composite
def _tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Columns' kinds, and rows."""
    kinds = draw(st.lists(st.sampled_from(list(_CELLS)), min_size=1, max_size=4))
    row = st.tuples(*(st.none() | _CELLS[kind] for kind in kinds)).map(list)
    return kinds, draw(st.lists(row, max_size=30))


def _read(columns: Any, start: int = 0) -> list[list[Any]]:
    chunks = columns.chunks(start, columns.rows)
    return [list(row) for row in zip(*map(cells, chunks), strict=True)]


def _exact(kinds: list[str], rows: list[list[Any]]) -> list[list[str]]:
    """1 and 1.0 are one number, and only in a column of numbers; 0.0 and -0.0 are two."""
    return [
        [
            repr(float(cell) if kind == "number" and _is_double(cell) else cell)
            for kind, cell in zip(kinds, row, strict=True)
        ]
        for row in rows
    ]


def _is_double(cell: Any) -> bool:
    return isinstance(cell, int) and abs(cell) < 2**53


@given(_tables(), st.lists(st.integers(0, 30), max_size=4))
@settings(max_examples=200)
def test_rows_come_out_as_they_went_in_however_they_come_together(
    table: tuple[list[str], list[list[Any]]], cuts: list[int]
) -> None:
    kinds, rows = table
    columns = native.ColumnBuilders(kinds)
    start = 0
    for end in sorted({min(cut, len(rows)) for cut in cuts} | {len(rows)}):
        if start < end:
            columns.extend([list(column) for column in zip(*rows[start:end], strict=True)])
        start = end
    assert columns.rows == len(rows)
    assert _exact(kinds, _read(columns)) == _exact(kinds, rows)


def test_the_size_is_about_what_is_sent() -> None:
    columns = native.ColumnBuilders(["f8", "text", "text", "bool"])
    assert columns.size == 0
    values = [f"{n:0100}" for n in range(1000)]  # no two are equal
    columns.extend([[0.5] * 1000, ["A"] * 1000, values, [True] * 1000])
    sent = len(encode(columns.chunks(0, 1000)))
    assert sent * 0.95 < columns.size < sent * 1.05
    columns.begin(990)
    assert columns.size < sent * 0.02
    columns.begin(10)
    assert columns.size == 0


@given(_tables(), st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=150)
def test_a_batch_begins_with_the_rows_that_are_left(
    table: tuple[list[str], list[list[Any]]], begin: int, keep: int
) -> None:
    kinds, rows = table
    columns = native.ColumnBuilders(kinds)
    lists = [list(column) for column in zip(*rows, strict=True)]
    begin, keep = min(begin, len(rows)), min(keep, len(rows))
    if rows:
        columns.extend(lists)
    assert _exact(kinds, _read(columns, begin)) == _exact(kinds, rows[begin:])
    columns.begin(begin)
    columns.cut(keep)
    left = rows[begin:][:keep]
    assert _exact(kinds, _read(columns)) == _exact(kinds, left)
    if rows:
        columns.extend(lists)
    assert _exact(kinds, _read(columns)) == _exact(kinds, left + rows)


def test_more_rows_than_there_was_room_for_at_first() -> None:
    columns = native.ColumnBuilders(["i8", "text", "bool", "text"])
    rows = [[n, f"trade {n}", n % 3 == 0, None if n % 7 else "x"] for n in range(10_000)]
    for start in range(0, 10_000, 999):
        columns.extend([list(each) for each in zip(*rows[start : start + 999], strict=True)])
    assert _read(columns) == rows
    assert [chunk.kind for chunk in columns.chunks(5, 50)] == ["i8", "text", "bool", "codes"]


def test_values_may_come_back_to_be_counted() -> None:
    columns = native.ColumnBuilders(["text"])
    columns.extend([[str(n) for n in range(3000)]])
    kinds = []
    for _ in range(40):
        columns.begin(columns.rows)
        columns.extend([["A", "B", "A"]])
        kinds += [chunk.kind for chunk in columns.chunks(0, 3)]
        assert _read(columns) == [["A"], ["B"], ["A"]]
    assert kinds[0] == "text"
    assert kinds[-1] == "codes"


def test_strings_that_differ_in_the_middle_alone_are_different_values() -> None:
    columns = native.ColumnBuilders(["text"])
    values = [f"0123456789{n:03d}abcdefghij" for n in range(200)] * 2
    columns.extend([values])
    assert _read(columns) == [[value] for value in values]


def test_a_column_of_empty_cells() -> None:
    columns = native.ColumnBuilders(["text", "f8", "i8", "bool", "number"])
    columns.extend([[None] * 9] * 5)
    assert _read(columns) == [[None] * 5] * 9
