from __future__ import annotations

from typing import Any

from fastingest.probe.tables.shapes import Unit, group


def shapes_of(*values: Any) -> list[list[int]]:
    """The indices of the values that are of one shape."""
    return [each.messages for each in group(Unit(index, v) for index, v in enumerate(values))]


def test_values_with_most_members_in_common_are_of_one_shape() -> None:
    assert shapes_of(
        {"symbol": "A", "price": 1}, {"id": 1}, {"symbol": "B", "price": 2, "volume": None}
    ) == [[0, 2], [1]]


def test_values_of_one_type_are_of_one_shape_whatever_they_hold() -> None:
    assert shapes_of(
        {"topic": "tickers.X", "type": "snapshot", "a": 1, "b": 2, "c": 3, "d": 4},
        {"topic": "tickers.X", "type": "delta", "a": 1},
        {"topic": "trades.X", "type": "snapshot", "p": 1, "q": 2, "r": 3},
    ) == [[0, 1], [2]]


def test_values_of_one_type_whose_members_contradict_are_of_two_shapes() -> None:
    assert shapes_of({"event": "x", "data": {"a": 1}}, {"event": "x", "data": "none"}) == [[0], [1]]


def test_values_of_several_types_that_look_the_same_are_of_one_shape() -> None:
    assert shapes_of({"type": "bid", "p": 1}, {"type": "ask", "p": 2}, {"type": "x", "y": 2}) == [
        [0, 1],
        [2],
    ]


def test_rows_in_arrays_tell_shapes_apart() -> None:
    assert shapes_of(
        {"channel": "trade", "data": [{"price": 1}]}, {"channel": "status", "data": [{"up": True}]}
    ) == [[0], [1]]


def test_symbols_in_topics_make_no_shapes() -> None:
    values = [{"stream": f"s{number}@trade", "p": 1, "q": 2} for number in range(1000)]
    assert shapes_of(*values) == [list(range(1000))]


def test_an_object_and_an_array_are_of_two_shapes() -> None:
    assert shapes_of({}, [1], {}) == [[0, 2], [1]]


def test_very_many_shapes_are_put_together() -> None:
    assert len(group(Unit(number, {f"x{number}": 1}) for number in range(1000))) == 50
