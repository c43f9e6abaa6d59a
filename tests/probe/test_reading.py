from __future__ import annotations

from typing import Any

import pytest

from fastingest.model.jsonpath import parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import Schema, parse_columns
from fastingest.probe.reading import holds, meets, rows_at, rows_in
from fastingest.probe.tables.field_profile import Steps

TRADE = {"type": "trade", "topic": "x.1", "data": {"p": 1}}


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


def test_stars_and_several_places_lead_to_rows() -> None:
    def of(rows: str, message: Any) -> Any:
        found = rows_in(message, parse_rows(rows))
        return None if found is None else [tuple(row) for row in found]

    assert of("m.*", {"m": {"A": "1", "B": "2"}}) == [("1", 0, "A", 0), ("2", 0, "B", 0)]
    assert of("e[*].t", {"e": [{"t": [{"i": 1}]}, {"t": [{"i": 2}]}, {}]}) == [
        ({"i": 1}, 0, None, 0),
        ({"i": 2}, 0, None, 0),
    ]
    assert of("b, a", {"a": [["1", "2"]], "b": []}) == [(["1", "2"], 1, None, 0)]
    assert of("b?, a?", {"c": 5}) is None


def test_conditions_hold_of_decoded_values() -> None:
    assert holds(parse_condition("$.type=trade"), TRADE)
    assert holds(parse_condition("$.data exists"), TRADE)
    assert holds(parse_condition("$.data!=x"), TRADE)
    assert holds(parse_condition("$.data.p=1"), TRADE)
    assert not holds(parse_condition("$.other exists"), TRADE)
    assert not holds(parse_condition("$.data=x"), TRADE)


def table(where: list[str], rows: str = "") -> Schema:
    return Schema(parse_columns("p:float"), parse_rows(rows), tuple(map(parse_condition, where)))


def test_a_table_meets_what_it_makes_rows_or_rejects_of() -> None:
    assert meets(table([]), {"x": 1})
    assert meets(table(["$.type=trade"]), TRADE)
    assert not meets(table(["$.type=trade"]), {"type": "x"})
    assert not meets(table(["$.type=trade"]), {"type": ["trade"]})
    assert meets(table(["$.type=trade"], "rows"), TRADE)
    assert not meets(table(["$.type=trade"], "rows?"), TRADE)
    assert not meets(table([], "rows"), TRADE)
    assert meets(table(["T=t"]), [{"T": "q"}, {"T": "t"}])
    assert not meets(table(["T=t"]), [{"T": "q"}])
    assert not meets(table([]), [])
