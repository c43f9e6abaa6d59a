"""The comparison's table, of figures that nobody measured."""

from __future__ import annotations

import json
import math

import pytest

from bench.results import Figure, Result, Results, short, times


def result(name: str, kind: str, rates: list[float], cost: float = 100.0) -> Result:
    count = len(rates)
    costs = [cost + index for index in range(count)]
    figures = {"rates": rates, "costs": costs, "peaks": [64.0] * count}
    return Result(name, name.title(), kind, {name: "1.2"}, 5000, **figures)


@pytest.fixture
def results() -> Results:
    return Results(
        {"processor": "A machine", "cores": "2"},
        5.0,
        [
            result("slow|one", "Python", [10e3, 30e3, 20e3]),
            result("quick", "JavaScript", [0.9e6, 1e6, 1.1e6]),
            result("fastingest", "fastingest", [3.9e6, 4.1e6, 4e6], cost=200.4),
            result("limit", "reference", [8e6, 8e6, 8e6]),
        ],
        {"Absent": "needs it: install it"},
    )


def test_a_row_has_median_and_spread_and_cost_and_times_the_slowest(results: Results) -> None:
    assert results.markdown().splitlines()[2:6] == [
        "| Limit | 8.00 M | 8.00 M, 8.00 M | 101 ns | 64 MiB | 400 |",
        "| **Fastingest** | 4.00 M | 3.90 M, 4.10 M | 201 ns | 64 MiB | 200 |",
        "| Quick | 1.00 M | 900 k, 1.10 M | 101 ns | 64 MiB | 50 |",
        "| Slow\\|One | 20 k | 10 k, 30 k | 101 ns | 64 MiB | 1 |",
    ]


def test_fastingest_is_compared_with_the_slowest_the_next_and_the_limit(results: Results) -> None:
    said = (
        "Fastingest is 200 times as fast as Slow|One; 4.0 times as fast as Quick; "
        "0.50 times as fast as Limit."
    )
    assert said in results.markdown().splitlines()


def test_a_peer_that_is_slowest_and_next_is_named_once(results: Results) -> None:
    del results.peers[1]
    said = "Fastingest is 200 times as fast as Slow|One; 0.50 times as fast as Limit."
    assert said in results.markdown().splitlines()


def test_without_fastingest_nothing_is_compared_with_it(results: Results) -> None:
    del results.peers[2]
    assert results.subject is None
    assert "Fastingest" not in results.markdown()


def test_the_table_says_what_it_was_measured_with(results: Results) -> None:
    text = results.markdown()
    assert "processor: A machine, cores: 2." in text
    assert "Medians of 3 rounds" in text
    assert "takes 5 s or so: Limit 5.0 k, Fastingest 5.0 k, Quick 5.0 k, Slow|One 5.0 k." in text
    assert "Versions: slow|one 1.2, quick 1.2, fastingest 1.2, limit 1.2." in text
    assert text.endswith("Left out: Absent: needs it: install it\n")


def test_nobody_is_said_to_take_part_where_all_were_left_out() -> None:
    results = Results({}, 5.0, [], {"Absent": "needs it"})
    assert results.markdown() == "Nobody could take part.\nLeft out: Absent: needs it\n"


def test_all_rounds_are_in_the_json(results: Results) -> None:
    read = json.loads(json.dumps(results.as_dict()))
    assert read["peers"][0]["rates"] == [10e3, 30e3, 20e3]
    assert read["skipped"] == {"Absent": "needs it: install it"}


def test_a_figure_is_the_median_and_both_ends() -> None:
    assert Figure.of([4.0, 1.0, 3.0, 2.0]) == Figure(2.5, 1.0, 4.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(7.4, "7"), (999.4, "999"), (999.6, "1.0 k"), (9994, "10.0 k"), (9996, "10 k")],
        *[(15_149, "15 k"), (999_400, "999 k"), (999_600, "1.00 M"), (12.3456e6, "12.35 M")],
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(1, "1"), (1.26, "1.26"), (2.54, "2.5"), (10.4, "10"), (640.3, "640")]
)
def test_ratios_are_short(ratio: float, text: str) -> None:
    assert times(ratio) == text


def test_memory_that_is_not_known_is_no_number(results: Results) -> None:
    results.peers[0].peaks = [math.nan] * 3
    assert "nan MiB" in results.markdown()
