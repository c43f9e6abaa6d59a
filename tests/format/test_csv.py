from __future__ import annotations

import csv
import io
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastingest.format.base import Format
from fastingest.format.csv import CsvFormat, to_csv, to_frame
from fastingest.model.batch import Batch, Layout
from fastingest.model.chunks import Buffer, Chunk, encode, segment_of
from fastingest.model.schema import ESCAPED, TRADES, Column, Schema
from tests.support.chunks import CELLS, forms_of


def _text(columns: list[list[Any]], types: tuple[str, ...] = TRADES.types) -> bytes:
    """Rows as they stand in the file."""
    layout = Layout(tuple(f"c{index}" for index in range(len(types))), types, "feed")
    rows = len(columns[0])
    return bytes(to_csv(to_frame(Batch(rows, [segment_of(columns, types)], layout, [(rows, 7)]))))


def _cells(columns: list[list[Any]], types: tuple[str, ...] = TRADES.types) -> list[list[str]]:
    text = _text(columns, types).decode()
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def _volumes(*values: Any) -> list[str]:
    count = len(values)
    return [row[2] for row in _cells([["A"] * count, [1.0] * count, list(values)])]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1500, 2, -7, 0], ["1500", "2", "-7", "0"]),
        ([1500, None], ["1500", ""]),
        ([None, None], ["", ""]),
        ([0.25, 1500, None, 2.0], ["0.25", "1500", "", "2"]),
        ([1500.0], ["1500"]),
        ([-0.0, 0.0], ["0", "0"]),
        ([1e15, 123456789.125], ["1000000000000000", "123456789.125"]),
        ([2**53 + 1, 0.5], ["9007199254740993", "0.5"]),
        ([2**63 - 1, -(2**63), 0.5], ["9223372036854775807", "-9223372036854775808", "0.5"]),
        (
            ["123456789012345678901234567890", 1, None, 0.5],
            ["123456789012345678901234567890", "1", "", "0.5"],
        ),
        ([1e18], ["1000000000000000000"]),
        ([1e300], ["1e+300"]),
        ([1e-7], ["1e-7"]),
    ],
)
def test_volumes(values: list[Any], texts: list[str]) -> None:
    assert _volumes(*values) == texts


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_prices_read_back_as_the_same_double_and_are_no_longer_than_needed(
    prices: list[float],
) -> None:
    rows = _cells([["A"] * len(prices), prices, [None] * len(prices)])
    for price, (_, text, _) in zip(prices, rows, strict=True):
        assert float(text).hex() == price.hex()
        assert len(_digits(text)) <= len(_digits(repr(price)))


def _digits(text: str) -> str:
    return text.split("e", maxsplit=1)[0].replace(".", "").replace("-", "").strip("0")


@given(
    st.lists(
        st.none()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False),
        min_size=1,
    )
)
def test_volumes_read_back_and_whole_ones_have_no_point(volumes: list[Any]) -> None:
    for volume, text in zip(volumes, _volumes(*volumes), strict=True):
        if volume is None:
            assert text == ""
        elif isinstance(volume, int):
            assert text == str(volume)
        else:
            assert float(text) == volume
            if volume.is_integer() and abs(volume) < 2**63:
                assert text == str(int(volume))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_symbol_reads_back(symbols: list[str]) -> None:
    rows = _cells([symbols, [1.0] * len(symbols), [None] * len(symbols)])
    assert [row[0] for row in rows] == symbols


def test_quoting_is_as_in_rfc_4180() -> None:
    symbols = ["a,b", 'q"x', "line\nbreak", "cr\rx", "é", " lead", "plain"]
    text = _text([symbols, [1.0] * 7, [None] * 7]).decode()
    assert text.split(",1.0,\n") == [
        '"a,b"',
        '"q""x"',
        '"line\nbreak"',
        '"cr\rx"',
        "é",
        " lead",
        "plain",
        "",
    ]


def test_the_text_is_utf_8_and_each_row_ends_with_a_line_feed() -> None:
    layout = Layout(TRADES.names, TRADES.types, "feed")
    segments: list[Buffer] = [
        segment_of([["é"], [1.5], [3]], TRADES.types),
        segment_of([["B"], [2.0], [None]], TRADES.types),
    ]
    text = to_csv(to_frame(Batch(2, segments, layout, [(2, 7)])))
    assert text == "é,1.5,3\nB,2.0,\n".encode()
    assert (text.format, text.nbytes, text.contiguous) == ("B", 16, True)


def test_the_same_rows_are_the_same_bytes() -> None:
    """A writer that goes on for a dead one compares its text with what that one has left."""
    columns: list[list[Any]] = [["A", 'q"'], [1e-7, 0.1 + 0.2], [2**53 + 1, 0.5]]
    assert _text(columns) == _text(columns)
    together = _text([*columns[:2], [1, 2]])
    assert together == b'A,1e-7,1\n"q""",0.30000000000000004,2\n'


def test_a_cell_does_not_depend_on_its_neighbours() -> None:
    values = [1, 2.5, None, str(2**70), 2**53 + 1, 1e300, -0.0, 7.0]
    together = [row[0] for row in _cells([values, [0] * len(values)], ("number", "int"))]
    assert together == [_cells([[value], [0]], ("number", "int"))[0][0] for value in values]


@pytest.mark.parametrize(
    ("type_", "values", "texts"),
    [
        ("str", ["a", None, ""], ["a", "", ""]),
        ("int", [1, None, -(2**63)], ["1", "", str(-(2**63))]),
        ("int", [1, str(2**64), None], ["1", str(2**64), ""]),
        ("int", [None, None], ["", ""]),
        ("float", [1.0, None, 1e16], ["1.0", "", "1e+16"]),
        ("bool", [True, False, None], ["true", "false", ""]),
        ("decimal", ["1.50", "1E5", None], ["1.50", "1E5", ""]),
        ("timestamp[ms]", [1672515782136, None], ["2022-12-31T19:43:02.136Z", ""]),
        ("timestamp[s,ms]", ["1.5", None], ["1500", ""]),
    ],
)
def test_types(type_: str, values: list[Any], texts: list[str]) -> None:
    rows = _cells([values, [0] * len(values)], (type_, "int"))
    assert [row[0] for row in rows] == texts


@given(st.data(), st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
def test_the_text_does_not_depend_on_the_form_of_the_pieces(data: Any, types: list[str]) -> None:
    lengths = data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=4))
    plain: list[Buffer] = []
    mixed: list[Buffer] = []
    for length in lengths:
        forms = []
        for type_ in types:
            cell = CELLS[type_] if data.draw(st.booleans()) else st.none() | CELLS[type_]
            column = data.draw(st.lists(cell, min_size=length, max_size=length))
            forms.append(forms_of(column, type_))
        plain.append(encode([each[0] for each in forms]))
        mixed.append(encode([data.draw(st.sampled_from(each)) for each in forms]))
    layout = Layout(tuple(f"c{index}" for index in range(len(types))), tuple(types), "feed")
    rows = sum(lengths)
    text = to_csv(to_frame(Batch(rows, plain, layout, [(rows, 7)])))
    assert to_csv(to_frame(Batch(rows, mixed, layout, [(rows, 7)]))) == text


@given(st.lists(CELLS["number"] | st.none(), min_size=1))
@example([2.0**63, -(2.0**63), 1.0])
@example([-(2.0**63)])
@example([1e15, 0.5, -0.0, 1.0])
@example([999999999999999.0, -0.0, 0.5])
def test_a_number_is_what_its_python_object_is(cells: list[Any]) -> None:
    for chunk in forms_of(cells, "number"):
        batch = Batch(len(cells), [encode([chunk])], Layout(("n",), ("number",), "feed"))
        lines = bytes(to_csv(to_frame(batch))).decode().splitlines()
        assert lines == [_number_text(cell) for cell in cells]


def _number_text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and not (cell.is_integer() and abs(cell) < 2**63):
        return str(pl.Series([cell], dtype=pl.Float64).cast(pl.String).item())
    return str(int(cell))


@pytest.mark.parametrize(
    ("symbols", "is_plain"),
    [
        (["AAPL", "é", " "], True),
        (["AAPL", None], True),
        (["AAPL", ""], False),
        (["a,b"], False),
        (['a"b'], False),
        (["a\nb"], False),
        (["a\rb"], False),
    ],
)
def test_what_may_need_quotes_is_seen(symbols: list[str | None], is_plain: bool) -> None:
    for chunk in forms_of(symbols, "str"):
        layout = Layout(("s",), ("str",), "feed")
        frame = to_frame(Batch(len(symbols), [encode([chunk])], layout))
        assert frame.is_plain is is_plain


# Formulas

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "=a,b", '="x"']
NO_FORMULAS = ["A", "", "'=1", "1-1", " =1", "é=", "a\n=1", "\u00a0", "'"]


def _texts_of(symbols: list[str | None], type_: str) -> list[list[str]]:
    """The same cells in every form that they may come in: what a reader finds in the file."""
    found = []
    for chunk in forms_of(symbols, "str"):
        layout = Layout(("s", "n"), (type_, "int"), "feed")
        numbers = Chunk("i8", len(symbols), bytes(8 * len(symbols)))
        batch = Batch(len(symbols), [encode([chunk, numbers])], layout)
        text = bytes(to_csv(to_frame(batch))).decode()
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert [row[1] for row in rows] == ["0"] * len(symbols)
        found.append([row[0] for row in rows])
    return found


def test_text_that_is_a_formula_gets_a_quote_in_front_where_that_is_asked_for() -> None:
    both: list[str | None] = [*FORMULAS, *NO_FORMULAS, None]
    escaped = [*(f"'{each}" for each in FORMULAS), *NO_FORMULAS, ""]
    assert _texts_of(both, ESCAPED) == [escaped] * len(forms_of(both, "str"))
    assert _texts_of(both, "str") == [[each or "" for each in both]] * len(forms_of(both, "str"))


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_text_that_is_no_formula_stays_as_it_is(symbols: list[str | None]) -> None:
    for found in _texts_of(symbols, ESCAPED):
        for symbol, text in zip(symbols, found, strict=True):
            assert text == ("'" if (symbol or "").startswith(FIRST_OF_FORMULAS) else "") + (
                symbol or ""
            )


FIRST_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def test_numbers_are_no_formulas() -> None:
    types = (ESCAPED, "int", "float", "number", "decimal", "timestamp[ms,ns]", "number")
    columns: list[list[Any]] = [["-A"], [-5], [-1.5], [-7], ["-0.00100"], [-1], [str(-(2**70))]]
    assert _text(columns, types) == b"'-A,-5,-1.5,-7,-0.00100,-1000000,-1180591620717411303424\n"


def test_columns_of_our_own_come_from_the_batch() -> None:
    names = ("received", "time", "feed", "connection", "sequence", "a")
    types = ("@received", "@received:timestamp[ns]", "@feed", "@connection", "@sequence", "str")
    batch = Batch(
        4,
        [segment_of([["p", "q"]], ("str",)), segment_of([["r", "s"]], ("str",))],
        Layout(names, types, "a feed, quoted"),
        stamps=[(1, 1_000_000_007), (4, 1_672_515_782_136_000_001)],
        connections=[(0, 1), (3, 4)],
        first=41,
    )
    assert bytes(to_csv(to_frame(batch))).decode().splitlines() == [
        '1000000007,1970-01-01T00:00:01.000000007Z,"a feed, quoted",1,41,p',
        '1672515782136000001,2022-12-31T19:43:02.136000001Z,"a feed, quoted",1,42,q',
        '1672515782136000001,2022-12-31T19:43:02.136000001Z,"a feed, quoted",1,43,r',
        '1672515782136000001,2022-12-31T19:43:02.136000001Z,"a feed, quoted",4,44,s',
    ]


# As a format


def test_a_file_is_its_header_and_its_batches_one_after_the_other() -> None:
    format_: Format = CsvFormat()
    layout = Layout(TRADES.names, TRADES.types, "feed")
    columns: list[list[Any]] = [["A", 'q"'], [1.5, 2.0], [1, 0.5]]
    batch = Batch(2, [segment_of(columns, TRADES.types)], layout, [(2, 7)])
    text = bytes(format_.encode(batch))
    assert format_.begin(TRADES) + text + format_.end() == (
        b'symbol,price,volume\nA,1.5,1\n"q""",2.0,0.5\n'
    )
    assert bytes(format_.encode(batch)) == text
    assert format_.suffix == ".csv"


def test_a_header_is_quoted_as_rows_are() -> None:
    schema = Schema((Column("a,b", "str"), Column('c"', "str")))
    assert CsvFormat().begin(schema) == b'"a,b","c"""\n'


def test_a_batch_of_rejects_alone_has_no_bytes() -> None:
    batch = Batch(0, [], Layout(TRADES.names, TRADES.types, "feed"))
    assert bytes(CsvFormat().encode(batch)) == b""


def test_a_batch_that_has_other_rows_than_it_says_is_a_defect() -> None:
    layout = Layout(TRADES.names, TRADES.types, "feed")
    batch = Batch(2, [segment_of([["A"], [1.5], [1]], TRADES.types)], layout, [(2, 7)])
    with pytest.raises(CsvFormat.defects, match="its columns have 1 rows, and not 2"):
        CsvFormat().encode(batch)


def test_there_is_no_state_to_go_on_from() -> None:
    format_ = CsvFormat()
    assert format_.snapshot() == b""
    format_.resume(format_.snapshot())
    with pytest.raises(ValueError, match="CSV has no state, and here are 4 bytes of one"):
        format_.resume(b"PAR1")
