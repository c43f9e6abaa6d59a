from __future__ import annotations

from typing import Any

from fastingest.model.jsonpath import parse_condition
from fastingest.model.rows import Rows
from fastingest.model.schema import Schema, parse_columns
from fastingest.probe.conditions import conditions_for, meets
from fastingest.probe.field_profile import Steps

TRADE = {"type": "trade", "topic": "x.1", "data": {"p": 1}}


def conditions(
    values: list[Any], others: list[Any], place: Steps = (), from_root: bool = True
) -> tuple[list[str], int]:
    found, clashes = conditions_for(values, others, place, from_root)
    return [str(condition) for condition in found], clashes


def test_the_first_discriminator_that_names_a_type_is_always_a_condition() -> None:
    assert conditions([TRADE, {**TRADE, "topic": "x.2"}], []) == (["$.type=trade"], 0)
    assert conditions([{"type": "trade"}], [], from_root=False) == (["type=trade"], 0)


def test_other_discriminators_are_conditions_where_they_keep_something_out() -> None:
    assert conditions([TRADE], [{**TRADE, "topic": "y.1"}]) == (["$.type=trade", "$.topic=x.1"], 0)
    assert conditions([{"topic": "x.1"}], []) == ([], 0)
    assert conditions([{"topic": "x.1"}], [{"topic": "x.2"}]) == (["$.topic=x.1"], 0)


def test_what_cannot_be_kept_out_is_counted() -> None:
    assert conditions([{"p": 1}], [{"q": 1}, {"r": 1}]) == ([], 2)
    assert conditions([TRADE], [TRADE]) == (["$.type=trade"], 1)


def test_a_discriminator_with_many_values_or_that_some_lack_is_no_condition() -> None:
    assert conditions([{"type": f"kind{letter}"} for letter in "abcdefghi"], [{"p": 1}]) == ([], 1)
    assert conditions([{"type": "trade"}, {"p": 1}], []) == ([], 0)


def test_phases_and_answers_are_conditions_only_where_they_are_needed() -> None:
    assert conditions([{"type": "snapshot"}], []) == ([], 0)
    assert conditions([{"type": "snapshot"}], [{"type": "delta"}]) == (["$.type=snapshot"], 0)
    assert conditions([{"type": "heartbeat"}], []) == ([], 0)


def test_conditions_give_way_where_rows_tell_better() -> None:
    """With a condition, a message without rows is a reject; without, it is not taken."""
    trade, reply = {"type": "trade", "data": {"p": 1}}, {"type": "trade", "id": 1}
    other = {"type": "x", "data": {}}
    assert conditions([trade], [reply], ("data",)) == ([], 0)
    assert conditions([trade], [reply, other], ("data",)) == (["$.type=trade"], 1)


def table(where: list[str], rows: str = "") -> Schema:
    place = Rows.at(tuple(filter(None, [rows])))
    return Schema(parse_columns("p:float"), place, tuple(map(parse_condition, where)))


def test_a_table_meets_what_it_makes_rows_or_rejects_of() -> None:
    assert meets(table([]), {"x": 1})
    assert meets(table(["$.type=trade"]), TRADE)
    assert not meets(table(["$.type=trade"]), {"type": "x"})
    assert not meets(table(["$.type=trade"]), {"type": ["trade"]})
    assert meets(table(["$.type=trade"], "rows"), TRADE)
    assert not meets(table([], "rows"), TRADE)
    assert meets(table(["T=t"]), [{"T": "q"}, {"T": "t"}])
    assert not meets(table(["T=t"]), [{"T": "q"}])
    assert not meets(table([]), [])
