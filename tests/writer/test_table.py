from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.schema import TRADES
from fastingest.writer.table import to_csv, to_frame


def _cells(columns: list[list[Any]]) -> list[list[str]]:
    text = bytes(to_csv(to_frame(TRADES, columns))).decode()
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
    text = bytes(to_csv(to_frame(TRADES, [symbols, [1.0] * 7, [None] * 7]))).decode()
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
    frame = to_frame(TRADES, [["é", "B"], [1.5, 2.0], [3, None]])
    text = to_csv(frame)
    assert text == "é,1.5,3\nB,2.0,\n".encode()
    assert (text.format, text.nbytes, text.contiguous) == ("B", 16, True)


def test_the_same_rows_are_the_same_bytes() -> None:
    """A writer that goes on for a dead one compares its text with what that one has left."""
    columns: list[list[Any]] = [["A", 'q"'], [1e-7, 0.1 + 0.2], [2**53 + 1, 0.5]]
    assert to_csv(to_frame(TRADES, columns)) == to_csv(to_frame(TRADES, columns))
    together = bytes(to_csv(to_frame(TRADES, [*columns[:2], [1, 2]])))
    assert together == b'A,1e-7,1\n"q""",0.30000000000000004,2\n'
