from __future__ import annotations

from typing import Any

import pytest

from fastingest.probe.tables.field_profile import FieldProfile, follow, kind_of


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (False, "scalar"),
        ("", "scalar"),
        ({}, "object"),
        ([], "empty"),
        ([{}, {"a": 1}], "records"),
        ([[], [1]], "lists"),
        ([1, 2], "mixed"),
        ([{}, []], "mixed"),
    ],
)
def test_a_value_is_of_one_kind(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


def test_steps_lead_through_objects_and_arrays_or_nowhere() -> None:
    value = {"a": [{"b": 1}], "0": 2}
    assert follow(value, ("a", 0, "b")) == 1
    assert follow(value, ()) == value
    assert follow(value, ("a", 1)) is None
    assert follow(value, ("a", "b")) is None
    assert follow(value, (0,)) is None
    assert follow("text", (0,)) is None


def test_members_are_counted_with_what_they_have_held() -> None:
    seen = FieldProfile([{"a": 1, "b": {"c": None}}, {"a": True, "b": {"c": "x"}}, {}])
    assert seen.kinds == {"object": 3}
    a, c = seen.members["a"], seen.members["b"].members["c"]
    assert (a.seen, a.ints, a.bools) == (2, {1}, {True})
    assert (c.seen, c.kinds["null"], c.texts) == (2, 1, {"x"})
    assert [steps for steps, _ in seen.leaves()] == [("a",), ("b", "c")]


def test_arrays_are_taken_apart_by_what_is_in_them() -> None:
    seen = FieldProfile([{"rows": [{"p": 1}, {"p": 2}], "pair": ["x", 1.5]}])
    rows, pair = seen.members["rows"], seen.members["pair"]
    assert rows.elements is not None
    assert rows.elements.members["p"].ints == {1, 2}
    assert (rows.lengths, rows.positions) == ({2}, {})
    assert [node.texts or node.floats for node in pair.positions.values()] == [{"x"}, {1.5}]
    assert [steps for steps, _ in seen.leaves()] == [("rows",), ("pair", 0), ("pair", 1)]


def test_a_short_array_that_is_always_the_same_has_a_leaf_for_each_position() -> None:
    def leaves(*pairs: Any) -> list[Any]:
        return [steps for steps, _ in FieldProfile({"b": pair} for pair in pairs).leaves()]

    assert leaves(["1.5", "2"]) == [("b", 0), ("b", 1)]
    assert leaves(["1.5", "2"], None) == [("b", 0), ("b", 1)]
    assert leaves(["1.5", "2"], ["1.5"]) == [("b",)]
    assert leaves(["x", "y"], ["z", "x"]) == [("b",)]
    assert leaves(["x", "y"], ["z", "x"], ["y", "z"]) == [("b", 0), ("b", 1)]
    assert leaves([1] * 9) == [("b",)]
    assert leaves([0, 12], [0, 12], [0, 12], [37, 5]) == [("b", 0), ("b", 1)]
    assert leaves(*[[0, 12]] * 5) == [("b",)]
    assert leaves(["X", [["1", "2"]]], ["Y", []]) == [("b", 0), ("b", 1)]


def test_positions_are_counted_from_the_end_where_only_that_says_what_stands_there() -> None:
    one = [0, {"a": [["1.5"]]}, "book-10", "XBT/USD"]
    two = [0, {"a": [["1.5"]]}, {"b": [["1.5"]]}, "book-10", "XBT/USD"]
    seen = FieldProfile([one, two])
    assert list(seen.positions) == [0, 1, 2, -2, -1]
    assert seen.positions[2].members.keys() == {"b"}
    assert seen.positions[-1].texts == {"XBT/USD"}
    assert list(FieldProfile([[1, "x"], [1, "x", "y"]]).positions) == [0, 1, 2]


def test_a_number_is_told_from_true_and_from_a_float_of_the_same_value() -> None:
    seen = FieldProfile([1, True, 1.0])
    assert (seen.ints, seen.bools, seen.floats) == ({1}, {True}, {1.0})


def test_what_is_sometimes_an_object_is_no_scalar_and_has_no_leaves_below() -> None:
    seen = FieldProfile([{"a": 1}, {"a": {"b": 2}}])
    ((steps, leaf),) = seen.leaves()
    assert steps == ("a",)
    assert not leaf.is_scalar
    assert leaf.texts == set()


def test_an_object_with_very_many_names_is_a_map() -> None:
    seen = FieldProfile([{str(number): 1 for number in range(1000)}])
    assert seen.is_map
    assert list(seen.leaves()) == []
    assert not FieldProfile([{str(number): 1 for number in range(100)}]).is_map
