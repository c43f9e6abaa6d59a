"""A benchmark's figures, and the clock of what times itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.figures import Figures, Scale, Stopwatch


@pytest.fixture
def measured() -> Any:
    """What pytest-benchmark would hand out, after rounds of half a second."""
    return SimpleNamespace(name="test_a_name", stats={"median": 0.5}, extra_info={})


def test_time_is_by_the_row(measured: Any) -> None:
    figures = Figures(measured)
    before = figures.are_there
    figures.note(2_000_000)
    assert (before, figures.are_there) == (False, True)
    assert measured.extra_info == {"rows": 2_000_000, "rows_per_second": 4e6, "ns_per_row": 250.0}
    assert str(figures) == "test_a_name: 4,000,000 rows/s, 250 ns a row"


def test_processes_have_the_median_of_the_rounds(measured: Any) -> None:
    figures = Figures(measured)
    figures.note(
        1_000_000,
        cpu=[{"writer": 0.1}, {"writer": 0.3, "late": 0.001}, {"writer": 0.2}],
        peaks=[{"writer": 61.23456}],
        latency=[{"p50": 0.0456, "p99.9": 0.1}],
    )
    assert measured.extra_info["cpu_ns_per_row"] == {"writer": 200.0, "late": 1.0}
    assert measured.extra_info["peak_mib"] == {"writer": 61.23}
    assert measured.extra_info["latency_ms"] == {"p50": 45.6, "p99.9": 100.0}
    assert str(figures) == (
        "test_a_name: 2,000,000 rows/s, 500 ns a row; CPU writer 200, late 1 ns; "
        "memory writer 61.23 MiB; latency p50 45.6, p99.9 100 ms"
    )


def test_what_is_not_known_is_left_out(measured: Any) -> None:
    Figures(measured).note(1000, peaks=[{}, {}])
    assert measured.extra_info.keys() == {"rows", "rows_per_second", "ns_per_row"}


def test_a_stopwatch_goes_on_when_it_is_told_to() -> None:
    stopwatch = Stopwatch()
    before = stopwatch()
    stopwatch.add(1.5)
    stopwatch.add(0.25)
    assert stopwatch() - before == 1.75


def test_what_is_quick_takes_few_rows_once() -> None:
    assert (Scale(False).rows(10_000_000), Scale(False).rounds(), Scale(False).rounds(500)) == (
        10_000_000,
        3,
        500,
    )
    assert (Scale(True).rows(10_000_000), Scale(True).rounds(500)) == (50_000, 1)
