from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.decode.cells import Cells, cells_of
from fastingest.decode.column_types import column_type
from fastingest.model.schema import base_type

_TYPES = [
    "str", "int", "float", "number", "bool", "decimal", "json", "timestamp[s]", "timestamp[ms]",
    "timestamp[us]", "timestamp[ns]", "timestamp[iso]", "timestamp[s:3]", "timestamp[s:0]",
    "timestamp[ms:6]", "timestamp[ms:1]", "timestamp[us:7]", "timestamp[ns:6]", "timestamp[iso:3]",
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "value", "cell"),
    [
        ("str", '"A\\u00e9"', "Aé"),
        ("int", "1", 1),
        ("int", '"-12"', -12),
        ("int", "1.0", 1),
        ("int", '"1e3"', 1000),
        ("int", "-0", 0),
        ("int", str(2**63 - 1), 2**63 - 1),
        ("int", str(2**63), str(2**63)),
        ("int", f'"{-(2**63) - 1}"', str(-(2**63) - 1)),
        ("float", "1", 1.0),
        ("float", '"1e-7"', 1e-7),
        ("number", "1", 1),
        ("number", "1.0", 1.0),
        ("number", '"18446744073709551616"', "18446744073709551616"),
        ("bool", "true", True),
        ("bool", "0", False),
        ("bool", '"TRUE"', True),
        ("decimal", "1.50", "1.50"),
        ("decimal", '"-1E+5"', "-1E+5"),
        ("decimal", '"\\u0031"', "1"),
        *[
            ("json", value, value)
            for value in ('["@", "I"]', '{"a":{"b":[]}}', '"a"', "1.50", '""')
        ],
        ("timestamp[s]", '"1534614057.321597"', "1534614057.321597"),
        ("timestamp[s]", "-62135596800", "-62135596800"),
        ("timestamp[s,ns]", "1.5", "1.5"),
        ("timestamp[ms]", '"1672515782136"', 1672515782136),
        ("timestamp[ms,s]", "253402300799999", 253402300799999),
        ("timestamp[ms]", '"1700000000123.25"', "1700000000123.25"),
        ("timestamp[ms]", "-0.50", "-0.50"),
        ("timestamp[us]", "253402300799999999.9", "253402300799999999.9"),
        ("timestamp[us]", '"9007199254740995.0"', 9007199254740995),
        ("timestamp[ms:4]", '"1700000000123.5000"', "1700000000123.5000"),
        ("timestamp[ms:3]", "1700000000123.0", 1700000000123),
        ("timestamp[ns:6]", "1700000000123456000", 1700000000123456000),
        ("timestamp[s:3]", "1534614057.3210", "1534614057.3210"),
        ("timestamp[s:0]", "1534614057.0", "1534614057.0"),
        ("timestamp[iso:3]", '"2026-01-01T10:00:00.1230000Z"', "2026-01-01T10:00:00.1230000Z"),
        ("timestamp[iso:0]", '"2026-01-01T10:00:00.0Z"', "2026-01-01T10:00:00.0Z"),
        ("timestamp[iso]", '"2026-01-01 10:00:00.123456"', "2026-01-01T10:00:00.123456Z"),
        ("timestamp[iso]", '"2026-01-01T10:00:00+0900"', "2026-01-01T10:00:00+09:00"),
        ("timestamp[iso]", '"2026-01-01T10:00:00.5-09"', "2026-01-01T10:00:00.5-09:00"),
        ("timestamp[iso]", '"2024-01-01 00:00:00.5z"', "2024-01-01T00:00:00.5Z"),
        ("timestamp[iso]", '"2024-01-01t23:59:59-05:30"', "2024-01-01T23:59:59-05:30"),
    ],
)
def test_a_cell(type_: str, value: str, cell: Any) -> None:
    read = column_type(type_).read(value.encode())
    assert (read, type(read)) == (cell, type(cell))


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        *[("str", value, f"Expected a string, got {value}") for value in ("1", "true", "[]", "{}")],
        *[
            ("int", value, f"Expected a whole number, got {value}")
            for value in ("1.5", "1e18", '"1_0"', '""', '" 1"', "true", "1e400")
        ],
        ("int", "9" * 4301, f"Expected a whole number of at most 4,300 digits, got {'9' * 40}…"),
        *[
            (type_, value, f"Expected a number, got {value}")
            for type_ in ("float", "number")
            for value in ('"nan"', '"inf"', '"01"', '"+1"', '".5"', "[1]", "true")
        ],
        ("float", "1e400", "Expected a number that a double holds, got 1e400"),
        ("number", '"1e400"', 'Expected a number that a double holds, got "1e400"'),
        *[
            ("bool", value, f"Expected true or false, got {value}")
            for value in ("2", "1.0", '"yes"', '""', "[ ]")
        ],
        *[
            ("decimal", value, f"Expected a number, got {value}")
            for value in ('"1,2"', '"1\\n2"', '""', "true", "[1]", '"\\uff11"')
        ],
        ("decimal", "[1,\n 2]", "Expected a number, got [1, 2]"),
        ("timestamp[s]", "1e9", "Expected seconds since 1970, got 1e9"),
        *[
            ("timestamp[s]", value, f"{value} seconds are not within the years 1 to 9999")
            for value in ("-62135596801", "-62135596800.1", "9" * 12)
        ],
        *[
            ("timestamp[ms]", value, f"{value} milliseconds are not within the years 1 to 9999")
            for value in (
                "-62135596800001", '"253402300800000"', "253402300800000.0", '"-62135596800000.1"',
            )
        ],
        ("timestamp[ms]", "1.55e1", "Expected a number of milliseconds, got 1.55e1"),
        ("timestamp[us]", '"x"', 'Expected a number of microseconds, got "x"'),
        *[
            (type_, value, f"{value} has more digits behind the second than {type_} writes")
            for type_, value in (
                ("timestamp[ms:2]", "1700000000123"), ("timestamp[ms:4]", '"1700000000123.25"'),
                ("timestamp[ms:0]", "1.5e3"), ("timestamp[ns:6]", '"1700000000123456789"'),
                ("timestamp[s:3]", "1.0001"), ("timestamp[s:0]", '"1.5"'),
                ("timestamp[iso:3]", '"2026-01-01T10:00:00.1234Z"'),
                ("timestamp[iso:0]", '"2026-01-01 10:00:00.05"'),
            )
        ],
        ("timestamp[ns]", "0.5", "Expected a whole number of nanoseconds, got 0.5"),
        (
            "timestamp[ns]",
            str(2**63),
            f"{2**63} nanoseconds are not within the years 1677 to 2262",
        ),
        ("timestamp[iso]", '"2023-02-29T00:00:00Z"', "2023-02-29 is no date"),
        ("timestamp[iso]", '"0000-01-01T00:00:00Z"', "0000-01-01 is no date"),
        *[
            ("timestamp[iso]", value, f"Expected a time as in ISO 8601, got {value}")
            for value in (
                '"2024-01-01T24:00:00Z"', '"2024-01-01T00:60:00Z"', '"2024-01-01T00:00:60Z"',
                '"2024-01-01T00:00"', '"2024-01-01T00:00:00.Z"', '"2024-01-01T00:00:00-05Z"',
                '"2024-01-01T00:00:00+2400"', '"2024-01-01T00:00:00+010"', '"2024-01-01"',
                '"2024-01-01T00:00:00+24:00"',
                '"2024-1-1T00:00:00Z"', '"2024-01-01T00:00:00Z\\n"', '""', "20240101",
            )
        ],
    ],
)  # fmt: skip
def test_what_does_not_fit(type_: str, value: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        column_type(type_).read(value.encode())


@pytest.mark.parametrize("type_", _TYPES)
def test_a_reason_says_what_was_expected_in_plain_words(type_: str) -> None:
    reasons = set()
    for value in (b"[1]", b"{}", b"true", b'"x"', b"1e400", b"null", b"-1e-9", b"7.5"):
        try:
            column_type(type_).read(value)
        except ValueError as error:
            reasons.add(str(error))
    assert reasons or type_ == "json"
    for reason in reasons:
        assert not re.search(r"`|\b(?:int|float|bool|str|dict|list|None)\b", reason)


_ODD = st.sampled_from(
    [
        "true",
        "[]",
        '["1"]',
        "{}",
        '"a"',
        '"1,2"',
        '"2024-02-30T00:00:00Z"',
        '"1\\n2"',
        "1e400",
        '"2024-01-01T01:00:00+01:99"',
        '""',
        '"2024-01-01"',
        '"2024-01-01T01:70:00Z"',
        '"01"',
        '"2024-01-01T01:00:70Z"',
        '"2024-01-01T31:00:00Z"',
        '" 1"',
        "-1",
        '"9e9"',
        "2.5",
    ]
) | st.text("0123456789.+-eE,", max_size=6).map(json.dumps)


def _spelled(cells: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Numbers as JSON has them, bare or in a string."""
    return cells.flatmap(lambda cell: st.sampled_from([str(cell), f'"{cell}"']))


_floats = st.floats(allow_nan=False, allow_infinity=False)
_decimals = st.from_regex(r"-?(0|[1-9]\d{0,9})(\.\d{1,9})?(E-?\d)?", fullmatch=True)
_times = st.datetimes().map(lambda time: f"{time.isoformat()}Z") | st.sampled_from(
    [f"2024-01-01T0{n}:0{n}:0{n}Z" for n in range(10)]
    + ["2024-01-01T01:00:00+01:00", "2024-02-29 00:00:00.5z", "2024-02-29t00:00:00Z"]
    + ["2024-01-01 01:00:00", "2024-01-01T01:00:00.5+0100", "2024-01-01T01:00:00-01"]
)
_ticks = st.from_regex(r"-?(0|[1-9]\d{0,13})\.\d{1,9}", fullmatch=True)
_FITTING = {
    "str": st.text(st.characters(exclude_categories=["Cs"]), max_size=4).map(json.dumps),
    "int": _spelled(st.integers(-(2**64), 2**64) | st.integers(-9, 9)),
    "float": _spelled(_floats | st.integers(-9, 9)),
    "number": _spelled(_floats | st.integers(-(2**64), 2**64)),
    "bool": st.sampled_from(["true", "false", "1", "0", '"1"', '"0"', '"true"', '"FALSE"']),
    "decimal": _spelled(_decimals),
    "json": st.sampled_from(['["@", "I"]', '{"a": [null]}', '""', "1.50", "true", '"\\u0041"']),
    "timestamp[s]": _spelled(st.from_regex(r"[1-9]\d{0,10}(\.\d{1,9})?", fullmatch=True)),
    "timestamp[ms]": _spelled(st.integers(-62135596800000, 253402300799999) | _ticks),
    "timestamp[us]": _spelled(st.integers(-62135596800000000, 253402300799999999) | _ticks),
    "timestamp[ns]": _spelled(st.integers(-(2**63), 2**63 - 1)),
    "timestamp[iso]": _times.map(json.dumps),
}


@st.composite
def _columns(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A type, and values of which all fit, or all but one: a column of any is none at all."""
    type_ = draw(st.sampled_from(_TYPES))
    values = draw(st.lists(_FITTING[base_type(type_)], max_size=5))
    if not values:
        return type_, [draw(_ODD)]
    if draw(st.booleans()):
        values = values[:1] * 3
    if draw(st.booleans()):
        values.insert(draw(st.integers(0, len(values))), draw(_ODD))
    return type_, values


def _read(type_: str, value: str) -> Any:
    """The cell; an exception's type where there is none."""
    try:
        return column_type(type_).read(value.encode())
    except ValueError:
        return ValueError


def _may_give_up(type_: str, values: list[str], cells: list[Any]) -> bool:
    """Whether a column may be left to be read value by value."""
    match base_type(type_):
        case "int" | "number":
            return any(isinstance(cell, str) for cell in cells)  # past 64 bits
        case "decimal":
            return any("\\" in value for value in values)
        case "timestamp[ms]" | "timestamp[us]":
            has_text = any(isinstance(cell, str) for cell in cells)
            return has_text and any(set("\\-eE") & set(value) for value in values)
        case "timestamp[s]":
            return any("\\" in value or "-" in value for value in values)
    return False


@given(_columns())
@settings(max_examples=400)
def test_a_column_is_settled_as_its_cells_are_read(column: tuple[str, list[str]]) -> None:
    type_, values = column
    kind = column_type(type_)
    expected = [_read(type_, value) for value in values]
    raws = [msgspec.Raw(value.encode()) for value in values]
    columns = [kind.settle_raw(raws)]
    if kind.parsed is None:
        columns.append(kind.settle(raws))
    if kind.parsed in (None, str):
        texts = [json.loads(value) if value.startswith('"') else None for value in values]
        if None not in texts:
            columns.append(kind.settle(texts))
    if ValueError in expected:
        assert columns == [None] * len(columns)
        return
    for settled in columns:
        if settled is None:
            assert _may_give_up(type_, values, expected)
        else:
            assert repr(settled) == repr(expected)


@pytest.mark.parametrize("type_", _TYPES)
def test_an_empty_string_alone_is_no_column_of_numbers(type_: str) -> None:
    kind = column_type(type_)
    expected = {"str": [""], "json": ['""']}.get(type_)
    assert kind.settle_raw([msgspec.Raw(b'""')]) == expected


@pytest.mark.parametrize("type_", _TYPES)
def test_what_is_usual_is_settled_at_once(type_: str) -> None:
    usual = {
        "str": '"A"',
        "bool": "true",
        "json": '{"a":[1]}',
        "timestamp[iso]": '"2024-01-01T00:00:00.123Z"',
    }.get(base_type(type_), '"1534614000000000000"' if "[ns" in type_ else '"1534614057"')
    if type_ == "timestamp[ms:1]":
        usual = '"1534614000"'
    cell = column_type(type_).read(usual.encode())
    assert column_type(type_).settle_raw([msgspec.Raw(usual.encode())] * 3) == [cell] * 3


def test_timestamps_of_several_days_are_settled_at_once() -> None:
    cells = ["2024-02-29T23:59:59.9Z", "2024-03-01T00:00:00Z", "2024-03-01t00:00:00.25 +01:00"]
    cells[2] = cells[2].replace(" ", "")
    settled = column_type("timestamp[iso]").settle(list(cells))
    assert settled == [*cells[:2], "2024-03-01T00:00:00.25+01:00"]
    assert column_type("timestamp[iso]").settle([*cells, "2024-02-30T00:00:00Z"]) is None


def test_empty_cells_stay_where_they_are() -> None:
    kind = column_type("decimal")
    raws: list[Any] = [msgspec.Raw(raw) for raw in (b"1", b"", b'"2"', b"null")]
    for values, expected in (
        ([*raws, None], ["1", None, "2", None, None]),
        ([None, *raws], [None, "1", None, "2", None]),
        ([None, "1", "2"], [None, "1", "2"]),
        ([None, None], [None, None]),
    ):
        assert cells_of(kind, kind.settle, values, required=False) == Cells(expected)
    for values in ([*raws], [None, "1"], [None]):
        assert cells_of(kind, kind.settle, values, required=True) is None


@pytest.mark.parametrize("type_", ["int", "float", "number", "decimal"])
def test_what_is_no_number_is_an_empty_cell_of_an_optional_column_and_counted(type_: str) -> None:
    kind = column_type(type_)
    cell = kind.read(b"1")
    words = ["NaN", "nan", "Infinity", "-Infinity", "+inf", "\u221e", "-\u221e"]
    raws: list[Any] = [b"1", *(json.dumps(word).encode() for word in words), b"1", b'""', b"null"]
    raws = [*map(msgspec.Raw, raws), None]
    expected = [cell, *[None] * 7, cell, *[None] * 3]
    assert cells_of(kind, kind.settle_raw, raws, required=False) == Cells(expected, 7)
    assert cells_of(kind, kind.settle_raw, raws[:2], required=True) is None
    raws.append(msgspec.Raw(b'"nan "'))
    assert cells_of(kind, kind.settle_raw, raws, required=False) is None


@pytest.mark.parametrize("type_", ["bool", "timestamp[s]", "timestamp[ms]", "timestamp[iso]"])
def test_an_empty_string_is_an_empty_cell_of_an_optional_column(type_: str) -> None:
    kind = column_type(type_)
    raws = [msgspec.Raw(b'""')] * 2
    assert cells_of(kind, kind.settle_raw, raws, required=False) == Cells([None, None])
    assert cells_of(kind, kind.settle_raw, raws, required=True) is None
    nan = [msgspec.Raw(b'"NaN"')]
    assert cells_of(kind, kind.settle_raw, nan, required=False) is None


def test_null_is_an_empty_cell_of_json_also_where_it_is_required() -> None:
    kind = column_type("json")
    raws: list[Any] = [msgspec.Raw(raw) for raw in (b'["@"]', b"null", b'"null"', b"[null]")]
    expected = Cells(['["@"]', None, '"null"', "[null]"])
    for required in (True, False):
        assert cells_of(kind, kind.settle, raws, required=required) == expected
    raws.append(msgspec.Raw(b""))
    assert cells_of(kind, kind.settle, raws, required=True) is None
    assert cells_of(kind, kind.settle, raws, required=False) == Cells([*expected.cells, None])


def test_an_empty_string_is_itself_in_a_column_of_strings() -> None:
    kind = column_type("str")
    raws = [msgspec.Raw(b'""'), msgspec.Raw(b'"NaN"')]
    assert cells_of(kind, kind.settle_raw, raws, required=False) == Cells(["", "NaN"])


def test_times_that_lack_an_offset_or_have_a_fraction_are_settled_at_once() -> None:
    iso = column_type("timestamp[iso]")
    assert iso.settle(["2024-02-29 23:59:59.5"] * 3) == ["2024-02-29T23:59:59.5Z"] * 3
    assert iso.settle(["2024-02-29T23:59:59+0530", "2024-02-29 23:59:59Z"]) == [
        "2024-02-29T23:59:59+05:30",
        "2024-02-29T23:59:59Z",
    ]
    raws = [msgspec.Raw(raw) for raw in (b'"1.25"', b"2", b"3.0", b'"1700000000123.5"')]
    assert column_type("timestamp[ms]").settle_raw(raws) == ["1.25", 2, 3, "1700000000123.5"]
    assert column_type("timestamp[ns]").settle_raw(raws) is None
