from __future__ import annotations

from typing import Any

from fastingest.probe.tables.candidates import Candidate, Others, candidates_of, inseparable_joined
from fastingest.probe.tables.shapes import Unit, group

NOW = 1_700_000_000.0


def tables_of(*messages: Any) -> list[Candidate]:
    """Those for the messages, which must be of one shape."""
    (found,) = group(Unit(index, message) for index, message in enumerate(messages))
    return candidates_of(found, Others(messages), NOW)


def test_what_no_column_can_hold_is_left_out_with_the_reason() -> None:
    common = {
        "a": 1,
        "b": 2,
        "c": 3,
        "d": 4,
        "p": 1.5,
        "q": 1.5,
        "x": 5,
        "y": 6,
        "mixed": 1,
        "u": 7,
        "v": 8,
    }
    (table,) = tables_of(
        {
            **common,
            "nothing": None,
            "text": "x" * 2000,
            "sometimes": 1,
            "empty": {},
            "map": {str(number): 1 for number in range(300)},
            "list": [],
            "long": ["x" * 300],
        },
        {**common, "mixed": "x", "sometimes": {}},
    )
    assert table.notes == [
        "left out: mixed, whose values are of several types",
        "left out: nothing, which was null in every message",
        "left out: text, which holds long texts",
        "left out: sometimes, which is not always a single value",
        "left out: empty, an object",
        "left out: map, an object that has many names",
        "left out: list, an array that was always empty",
        "left out: long, a long array",
    ]
    assert table.schema.header == "a,b,c,d,price,quantity,x,y,u,volume"


def test_what_is_said_by_a_condition_is_no_column() -> None:
    (table,) = tables_of({"jsonrpc": "2.0", "data": {"e": "trade", "s": "X", "p": 1.5}, "id": 3})
    assert [str(condition) for condition in table.schema.where] == ["$.data.e=trade"]
    assert table.schema.header == "symbol,price,id"
    assert (table.name, table.messages, table.rows) == ("trade", [0], 1)


def test_a_condition_with_several_values_leaves_its_column() -> None:
    (table,) = tables_of({"type": "bid", "p": 1.5}, {"type": "ask", "p": 2.5})
    assert [str(condition) for condition in table.schema.where] == ["$.type=ask,bid"]
    assert table.schema.header == "type,price"


def test_messages_of_the_kind_that_have_no_rows_are_noted() -> None:
    row = {"channel": "trade", "data": [{"p": 1.5}]}
    (table,) = tables_of(row, {"channel": "trade", "data": None}, row)
    assert table.notes == ["one message of this kind had no rows"]
    assert str(table.schema.rows) == "data?"
    assert (table.messages, table.rows) == ([0, 2], 2)


def test_a_row_that_begins_with_an_array_cannot_be_told_from_an_array_of_rows() -> None:
    assert tables_of([[1, 2], {"a": 1}, "x", 1.5]) == []


def test_messages_without_single_values_have_no_table() -> None:
    assert tables_of({"list": [], "nothing": None}) == []


def test_elements_of_arrays_that_no_discriminator_tells_apart_are_put_together() -> None:
    def joined(*elements: Any) -> list[list[Any]]:
        groups = group(Unit(0, element, in_array=True) for element in elements)
        return [[unit.value for unit in each.units] for each in inseparable_joined(groups)]

    assert joined({"a": 1}, {"b": 2}) == [[{"a": 1}, {"b": 2}]]
    assert joined({"T": "t", "a": 1}, {"T": "q", "b": 2}) == [
        [{"T": "t", "a": 1}],
        [{"T": "q", "b": 2}],
    ]
