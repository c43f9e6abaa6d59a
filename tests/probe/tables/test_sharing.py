from __future__ import annotations

from typing import Any

from fastingest.model.jsonpath import parse_condition
from fastingest.model.schema import Schema, parse_columns
from fastingest.probe.reading import Row
from fastingest.probe.tables.discriminators import Discriminators
from fastingest.probe.tables.shapes import Unit
from fastingest.probe.tables.sharing import agreed, is_same_data, without_repeats


def table(columns: str, *where: str) -> Schema:
    return Schema(parse_columns(columns), where=tuple(map(parse_condition, where)))


def test_tables_of_one_word_and_of_the_same_columns_write_one_file() -> None:
    snapshot = table("p:float, t:timestamp[iso:3]", "$[1]!=hb,te")
    updates = table("p:number, t:timestamp[iso:6]", "$[1]=te")
    assert is_same_data(snapshot, updates)
    assert [schema.types for schema in agreed([snapshot, updates])] == [
        ("number", "timestamp[iso:6]")
    ] * 2
    phases = [table("p:float", f"$.type={phase}") for phase in ("snapshot", "update")]
    assert is_same_data(*phases)


def test_tables_of_two_words_or_of_other_columns_do_not() -> None:
    assert not is_same_data(table("p:float", "$.e=trade"), table("p:float", "$.e=quote"))
    assert not is_same_data(table("p:float"), table("q:float"))
    assert not is_same_data(table("p:float"), table("p:str"))


def repeats(*messages: list[Any]) -> tuple[list[Any], str]:
    """The messages that are left, and why, of those with their rows at [1]."""
    taken = [(Unit(0, message), [Row(message[1])]) for message in messages]
    kept, why = without_repeats(taken, Discriminators(messages))
    return [unit.value for unit, _ in kept], why


def test_what_says_again_what_another_word_has_said_is_left_out() -> None:
    first: list[list[Any]] = [["te", [number, 1.5]] for number in range(5)]
    second: list[list[Any]] = [["tu", row] for _, row in first]
    assert repeats(*first, *second) == (
        first,
        "left out: tu, which says the same as te once more",
    )
    other: list[list[Any]] = [["tx", [number, 2.5]] for number in range(5)]
    assert repeats(*first, *other) == (first + other, "")
    assert repeats(*first, *second[:2]) == (first + second[:2], "")
