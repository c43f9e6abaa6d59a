from __future__ import annotations

from typing import Any

import pytest

from fastingest.probe.field_profile import FieldProfile, Steps
from fastingest.probe.rows import find_rows, quantities, rows_at

NOW = 1_700_000_000.0
TRADE = {"price": 1.5, "size": 2, "id": 7}


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (TRADE, ()),
        ({"stream": "x", "data": TRADE}, ("data",)),
        ({"method": "m", "params": {"channel": "c", "data": [TRADE]}}, ("params", "data")),
        # more measured around the array than in it
        ({**TRADE, "fees": [{"amount": 1}]}, ()),
        # the sides of a book
        ({"bids": [["1", "2"]], "asks": [["3", "4"]], "u": 5}, ()),
        (
            {"ts": 5, "data": {"bids": [["1", "2"]], "asks": [["3", "4"]], "p": 1, "q": 2}},
            ("data",),
        ),
        # two objects beside each other
        ({"symbol": "X", "bid": {"p": 1, "q": 2}, "ask": {"p": 1, "q": 2}}, ()),
        # an array that is no row beside one that holds rows
        ({"channels": [{"name": "x"}], "trades": [TRADE]}, ("trades",)),
        ({"events": [{"type": "x", "trades": [TRADE]}]}, ("events", 0, "trades")),
        ([0, [["1.5", "2"]], "trade"], (1,)),
        ([0, "te", [1, 2.5]], (2,)),
        ([0, {"a": 1.5}, "x"], (1,)),
        ([1, 2.5, "x"], ()),
    ],
)
def test_rows_are_found_inside_their_envelopes(message: Any, place: Steps) -> None:
    assert find_rows(FieldProfile([message, message]), NOW) == place


def test_an_array_that_has_more_than_one_element_at_times_is_not_looked_into() -> None:
    event = {"type": "x", "trades": [TRADE]}
    assert find_rows(FieldProfile([{"events": [event]}, {"events": [event] * 2}]), NOW) == ()


@pytest.mark.parametrize(
    ("message", "place", "rows"),
    [
        ({"a": 1}, (), [{"a": 1}]),
        ([{"a": 1}, {"a": 2}], (), [{"a": 1}, {"a": 2}]),
        ([1, 2], (), [[1, 2]]),
        ([[1, 2], [3, 4]], (), [[1, 2], [3, 4]]),
        ({"data": []}, ("data",), []),
        ({"data": None}, ("data",), None),
        ({"data": None}, ("other",), None),
    ],
)
def test_what_stands_at_a_place_is_a_row_or_an_array_of_rows(
    message: Any, place: Steps, rows: list[Any] | None
) -> None:
    assert rows_at(message, place) == rows


def test_what_is_measured_is_counted() -> None:
    assert quantities(FieldProfile([TRADE]), NOW) == 2
