from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.format.timestamps import timestamps

_FIRST, _LAST = -62135596800, 253402300799


def _cells(kind: str, *values: Any) -> list[Any]:
    is_text = any(isinstance(value, str) for value in values)
    is_text = is_text or kind.startswith(("timestamp[s", "timestamp[iso"))
    dtype: Any = pl.String if is_text else pl.Int64
    series = timestamps(kind, pl.Series("time", values, dtype=dtype))
    assert series.name == "time"
    return list(series)


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("timestamp[ms]", 1672515782136, "2022-12-31T19:43:02.136Z"),
        ("timestamp[ms]", 0, "1970-01-01T00:00:00.000Z"),
        ("timestamp[ms]", -1, "1969-12-31T23:59:59.999Z"),
        ("timestamp[ms]", _FIRST * 1000, "0001-01-01T00:00:00.000Z"),
        ("timestamp[ms]", _LAST * 1000 + 999, "9999-12-31T23:59:59.999Z"),
        ("timestamp[us]", 1672515782136001, "2022-12-31T19:43:02.136001Z"),
        ("timestamp[ns]", 1672515782136001002, "2022-12-31T19:43:02.136001002Z"),
        ("timestamp[ns]", -(2**63), "1677-09-21T00:12:43.145224192Z"),
        ("timestamp[ms]", "1700000000123.25", "2023-11-14T22:13:20.12325Z"),
        ("timestamp[ms]", "1700000000123", "2023-11-14T22:13:20.123Z"),
        ("timestamp[ms]", "-0.50", "1969-12-31T23:59:59.99950Z"),
        ("timestamp[ms]", "-1000", "1969-12-31T23:59:59.000Z"),
        ("timestamp[us]", "0.125", "1970-01-01T00:00:00.000000125Z"),
        ("timestamp[us]", f"{_LAST}999999.9", "9999-12-31T23:59:59.9999999Z"),
        ("timestamp[ms,ns]", "1700000000123.25", 1700000000123250000),
        ("timestamp[us,ms]", "-0.5", -1),
        ("timestamp[ms:6]", 1700000000123, "2023-11-14T22:13:20.123000Z"),
        ("timestamp[ms:6]", "1700000000123.25", "2023-11-14T22:13:20.123250Z"),
        ("timestamp[ms:2]", 1700000000120, "2023-11-14T22:13:20.12Z"),
        ("timestamp[ms:0]", 1700000000000, "2023-11-14T22:13:20Z"),
        ("timestamp[ns:6]", -1000, "1969-12-31T23:59:59.999999Z"),
        ("timestamp[s:9]", "1534614057", "2018-08-18T17:40:57.000000000Z"),
        ("timestamp[s:3]", "-1.25", "1969-12-31T23:59:58.750Z"),
        ("timestamp[s:3]", "1.1230000", "1970-01-01T00:00:01.123Z"),
        ("timestamp[s:0]", "1.0", "1970-01-01T00:00:01Z"),
        ("timestamp[iso:9]", "2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000000000Z"),
        ("timestamp[iso:9]", "2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.500000000Z"),
        ("timestamp[iso:3]", "2024-03-01T01:30:00.1230+05:30", "2024-02-29T20:00:00.123Z"),
        ("timestamp[s]", "1534614057", "2018-08-18T17:40:57Z"),
        ("timestamp[s]", "1534614057.321597", "2018-08-18T17:40:57.321597Z"),
        ("timestamp[s]", "1534614057.1000", "2018-08-18T17:40:57.1000Z"),
        ("timestamp[s]", "0.12345678901234567890", "1970-01-01T00:00:00.12345678901234567890Z"),
        ("timestamp[s]", "-1", "1969-12-31T23:59:59Z"),
        ("timestamp[s]", "-0.0", "1970-01-01T00:00:00.0Z"),
        ("timestamp[s]", "-1.250", "1969-12-31T23:59:58.750Z"),
        ("timestamp[s]", "-0.001", "1969-12-31T23:59:59.999Z"),
        ("timestamp[iso]", "2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.5Z"),
        ("timestamp[iso]", "2024-03-01T01:30:00.123456789+05:30", "2024-02-29T20:00:00.123456789Z"),
        ("timestamp[iso]", "2024-12-31T23:00:00-01:00", "2025-01-01T00:00:00Z"),
        ("timestamp[iso]", "0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00Z"),
        ("timestamp[ms,ns]", 1672515782136, 1672515782136000000),
        ("timestamp[ms,s]", -1, -1),
        ("timestamp[ns,ms]", 1672515782136999999, 1672515782136),
        ("timestamp[us,us]", 5, 5),
        ("timestamp[s,ms]", "1534614057.3219", 1534614057321),
        ("timestamp[s,ms]", "-0.0001", -1),
        ("timestamp[s,ns]", "-1.5", -1500000000),
        ("timestamp[iso,ms]", "1970-01-01T00:00:01.2345Z", 1234),
        ("timestamp[iso,s]", "1970-01-01T01:00:00+01:00", 0),
        ("timestamp[s,ns]", str(_LAST), str(_LAST * 10**9)),  # past 64 bits: its digits
    ],
)
def test_a_timestamp(kind: str, value: Any, cell: Any) -> None:
    assert _cells(kind, value) == [cell]
    assert _cells(kind, None, value, None) == [None, cell, None]


def test_a_cell_does_not_depend_on_its_neighbours() -> None:
    for kind, values in {
        "timestamp[s]": ["1", "-1.5", "1.25", None, "-7", "-0.0"],
        "timestamp[iso]": ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5+01:00", None],
        "timestamp[s,us]": ["1", "-1.5", None],
        "timestamp[s:6]": ["1", "-1.5", None, "1.123456", "2.0000000"],
        "timestamp[iso:3]": ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5+01:00", None],
        "timestamp[ms]": ["1", "-1.5", None],
        "timestamp[us:9]": ["1", "-1.5", None],
    }.items():
        assert _cells(kind, *values) == [_cells(kind, value)[0] for value in values]


@given(
    st.sampled_from([("ms", 10**3), ("us", 10**6), ("ns", 10**9)]),
    st.integers(_FIRST, _LAST) | st.integers(-300, 9) | st.integers(1_700_000_000, 1_800_000_000),
    st.integers(1, 300),
    st.integers(),
)
def test_a_cell_does_not_depend_on_how_many_there_are(
    unit: tuple[str, int], start: int, seconds: int, seed: int
) -> None:
    (name, size), random = unit, Random(seed)
    furthest = min(2**63 // size, _LAST + 1) - seconds
    start = max(-(2**63) // size + 1, min(start, furthest))
    many = [start * size + random.randrange(seconds * size) for _ in range(9998)]
    values = [*many, None, start * size]
    cells = _cells(f"timestamp[{name}]", *values)
    assert cells[::97] == _cells(f"timestamp[{name}]", *values[::97])
    assert cells[-97:] == _cells(f"timestamp[{name}]", *values[-97:])


def test_no_rows_are_no_cells() -> None:
    for unit in ("s", "ms", "us", "ns", "iso"):
        assert _cells(f"timestamp[{unit}]") == _cells(f"timestamp[{unit},ms]") == []


@given(
    st.lists(
        st.none()
        | st.tuples(st.integers(_FIRST + 1, _LAST), st.none() | st.text("0123456789", min_size=1))
    )
)
def test_seconds_are_what_they_say(values: list[tuple[int, str | None] | None]) -> None:
    texts = [
        None if value is None else str(value[0]) + (f".{value[1]}" if value[1] else "")
        for value in values
    ]
    for text, cell in zip(texts, _cells("timestamp[s]", *texts), strict=True):
        if text is None:
            assert cell is None
            continue
        whole, _, fraction = cell.removesuffix("Z").partition(".")
        moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
        assert seconds + Fraction(f"0.{fraction or 0}") == Fraction(text)
        assert len(fraction) == len(text.partition(".")[2])


@given(st.lists(st.none() | st.integers(_FIRST * 1000, _LAST * 1000 + 999)))
def test_milliseconds_are_what_they_say(values: list[int | None]) -> None:
    for value, cell in zip(values, _cells("timestamp[ms]", *values), strict=True):
        if value is None:
            assert cell is None
        else:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
            assert cell == f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
