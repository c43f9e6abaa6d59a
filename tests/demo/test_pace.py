from __future__ import annotations

import math
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastingest.demo.pace import Pace

rates = st.floats(0.01, 1e7)
bursts = st.floats(1, 1000)


@pytest.mark.parametrize(
    ("burst", "seconds", "due"),
    [
        (1, 0.0, 1),
        (1, 0.5, 51),
        (1, 1.0, 101),
        (10, 0.0, 1),
        (10, 0.05, 51),
        (10, 0.1, 100),
        (10, 0.99, 100),
        (10, 1.0, 101),
        (10, 1.05, 151),
    ],
)
def test_rows_due_at_a_hundred_a_second(burst: float, seconds: float, due: int) -> None:
    assert Pace(100, burst).due(seconds) == due


@pytest.mark.parametrize(("row", "seconds"), [(0, 0.0), (50, 0.05), (99, 0.099), (100, 1.0)])
def test_when_a_row_is_due(row: int, seconds: float) -> None:
    assert Pace(100, 10).when(row) == pytest.approx(seconds)


def test_less_than_a_row_a_second() -> None:
    pace = Pace(0.5, 10)
    assert [pace.due(seconds) for seconds in (0, 1.9, 2, 3.9, 4)] == [1, 1, 2, 2, 3]
    assert pace.when(1) == 2.0


@given(rates, bursts, st.integers(1, 100))
@example(5592405.999999998, 2.0, 1)
@example(154044.9999999919, 846.0764647554873, 88)
def test_every_second_has_its_share(rate: float, burst: float, seconds: int) -> None:
    # The first row of the next second is due at its very beginning, hence the one; and so are those
    # whose time is rounded to that. At its beginning a second has rate * burst rows in a second.
    rounded = 2 * sys.float_info.epsilon * seconds * rate * burst
    assert abs(Pace(rate, burst).due(seconds) - rate * seconds) <= 1 + rounded


@given(rates, bursts, st.floats(0, 1000), st.floats(0, 10))
def test_what_is_due_stays_due(rate: float, burst: float, seconds: float, more: float) -> None:
    pace = Pace(rate, burst)
    assert pace.due(seconds) <= pace.due(seconds + more)


@given(rates, bursts, st.integers(0, 10**7))
@example(1.1, 2.0, 33)
def test_a_row_is_due_when_it_is_said_to_be(rate: float, burst: float, row: int) -> None:
    pace = Pace(rate, burst)
    when = pace.when(row)
    assert pace.due(when) > row
    assert when == 0.0 or pace.due(math.nextafter(when, 0.0)) <= row
