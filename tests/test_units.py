from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.units import brief, format_duration, format_size, parse_duration, parse_size, span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("7us", 7e-6),
        (" 3 s ", 3),
        ("0", 0),
        ("-1s", -1),
    ],
)
def test_durations_are_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "s", "ten seconds", "1x", "1s2", "1 MiB", "nan s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 250ms, 10s or 5m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("64KiB", 65536), ("16MiB", 2**24), ("10MB", 10**7), ("5B", 5), ("0", 0)]
)
def test_sizes_are_read_in_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "64", "64k", "16 MiBs"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 64KiB or 16MiB"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(
        milliseconds / 1000
    )


@given(st.integers(min_value=0, max_value=1023))
def test_a_written_size_reads_back(count: int) -> None:
    for unit in (1, 2**10, 2**20):
        assert parse_size(format_size(count * unit)) == count * unit


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (math.nan, "-"),
        (0.0, "0us"),
        (0.000340, "340us"),
        (0.0009999, "1ms"),
        (0.00213, "2.13ms"),
        (0.9999, "1s"),
        (1.234, "1.23s"),
        (59.4, "59.4s"),
        (61.0, "1m 01s"),
    ],
)
def test_brief(seconds: float, shown: str) -> None:
    assert brief(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (3599.4, "59m 59s"),
        (7384.0, "2h 03m 04s"),
        (86400 * 3 + 3600 * 4 + 299.9, "3d 04h 05m"),
    ],
)
def test_span(seconds: float, shown: str) -> None:
    assert span(seconds) == shown
