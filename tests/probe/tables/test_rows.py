from __future__ import annotations

from typing import Any

import pytest

from fastingest.probe.tables.field_profile import FieldProfile
from fastingest.probe.tables.rows import find_rows, quantities

NOW = 1_700_000_000.0
TRADE = {"price": 1.5, "size": 2, "id": 7}
LEVELS = [["1", "2"]]


def places(*messages: Any) -> list[str]:
    """Where the rows of each table are."""
    return [str(found.rows) for found in find_rows(FieldProfile(messages), NOW)]


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (TRADE, ""),
        ({"stream": "x", "data": TRADE}, "data"),
        ({"method": "m", "params": {"channel": "c", "data": [TRADE]}}, "params.data"),
        # more measured around the array than in it
        ({**TRADE, "fees": [{"amount": 1}]}, ""),
        # the sides of a book, however much there is around them
        ({"bids": LEVELS, "asks": LEVELS, "u": 5}, "bid=bids, ask=asks"),
        ({"ts": 5, "data": {"b": LEVELS, "a": LEVELS, "p": 1}}, "bid=data.b, ask=data.a"),
        ({"bids": LEVELS, "asks": [], "p": 1, "q": 2}, "bid=bids, ask=asks?"),
        ({"bidLevels": LEVELS}, "bid=bidLevels, ask=askLevels?"),
        ({"c": {"levels": [LEVELS, [["2", "5"]]]}}, "bid=c.levels[0], ask=c.levels[1]"),
        ({"obu": [{"ap": 1, "bp": 2}], "p": 1, "q": 2, "r": 3}, "obu"),
        ({"b": LEVELS, "a": 5}, "b"),
        # two objects beside each other
        ({"symbol": "X", "bid": {"p": 1, "q": 2}, "ask": {"p": 1, "q": 2}}, ""),
        # an array that is no row beside one that holds rows
        ({"channels": [{"name": "x"}], "trades": [TRADE]}, "trades"),
        ({"events": [{"type": "x", "trades": [TRADE]}]}, "events[*].trades"),
        ({"events": [{"product_id": "x", "trades": [TRADE]}]}, "events[0].trades"),
        ({"mids": {"AAA": "1.5", "BBB": "2.5"}}, "mids.*"),
        ({"AAA": TRADE, "BBB": TRADE}, "*"),
        ([0, [["1.5", "2"]], "trade"], "[1]"),
        ([0, "te", [1, 2.5]], "[2]"),
        ([0, {"x": 1.5}, "x"], "[1]"),
        ([1, 2.5, "x"], ""),
    ],
)
def test_rows_are_found_inside_their_envelopes(message: Any, place: str) -> None:
    assert places(message, message) == [place]


def test_an_array_that_has_more_than_one_element_at_times_is_gone_through() -> None:
    event = {"product_id": "x", "trades": [TRADE]}
    (found,) = find_rows(FieldProfile([{"events": [event]}, {"events": [event] * 2}]), NOW)
    assert str(found.rows) == "events[*].trades"
    assert found.notes == ("left out: product_id of events, which has several elements",)


def test_sides_that_are_not_always_there_are_optional() -> None:
    one = [0, {"as": LEVELS, "bs": LEVELS}, "book-10", "X/Y"]
    two = [0, {"a": LEVELS}, {"b": LEVELS, "c": "1"}, "book-10", "X/Y"]
    assert places(one, two) == ["ask=[1].as?, bid=[1].bs?, ask=[1].a?, bid=[2].b?, ask=[2].a?"]


def test_arrays_that_are_not_alike_are_rows_of_two_tables() -> None:
    message = {"trades": [TRADE], "candles": [{"open": 1.5, "high": 2.5}]}
    assert places(message, message) == ["trades", "candles"]


def test_two_records_each_time_are_no_rows() -> None:
    pair = {"coin": "X", "bbo": [{"px": "1.5"}, {"px": "1.6"}]}
    assert places(*[pair] * 5) == [""]
    assert places(*[pair] * 5, {"coin": "X", "bbo": [{"px": "1.5"}]}) == ["bbo"]


def test_what_is_measured_is_counted() -> None:
    assert quantities(FieldProfile([TRADE]), NOW) == 2
