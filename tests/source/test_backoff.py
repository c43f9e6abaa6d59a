from __future__ import annotations

from itertools import islice

from fastingest.source.backoff import delays


def test_the_bound_doubles_up_to_the_maximum() -> None:
    bounds = delays(0.5, 30, uniform=lambda low, high: high)
    assert list(islice(bounds, 8)) == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_delay_lies_anywhere_between_nothing_and_its_bound() -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    assert list(islice(delays(1, 4, uniform), 3)) == [0, 0, 0]
    assert drawn == [(0, 1), (0, 2), (0, 4)]


def test_real_delays_stay_in_their_bounds_and_differ() -> None:
    found = list(islice(delays(1, 1), 100))
    assert 0 <= min(found) < max(found) <= 1


def test_an_initial_bound_above_the_maximum_is_cut() -> None:
    assert next(delays(10, 2, uniform=lambda low, high: high)) == 2


def test_after_very_many_tries_it_still_works() -> None:
    endless = delays(0.5, 30, uniform=lambda low, high: high)
    assert next(islice(endless, 5000, None)) == 30
