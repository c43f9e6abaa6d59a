from __future__ import annotations

from typing import Any

from fastingest.probe.tables.skeleton import skeleton_of, tell_apart


def same(one: Any, other: Any) -> bool:
    return skeleton_of(one) == skeleton_of(other)


def test_what_may_be_anything_has_no_place() -> None:
    assert same({"a": 1, "b": None, "c": []}, {"a": "x"})
    assert not same({"a": 1}, {"a": {"b": 1}})


def test_one_row_and_an_array_of_rows_are_the_same() -> None:
    assert same({"data": {"p": 1}}, {"data": [{"p": 1}, {"p": 2}]})
    assert same({"bbo": [None, {"p": 1}]}, {"bbo": [{"p": 1}, {"p": 2}]})
    assert same({"b": ["1", "2"]}, {"b": [["1", "2"], ["3", "4"]]})
    assert not same({"data": {"p": 1}}, {"data": {"q": 1}})


def test_objects_in_a_row_are_parts_of_one() -> None:
    assert same([0, {"a": 1}, {"b": 1}, "book"], [0, {"a": 1, "b": 1}, "book"])


def test_arrays_are_told_apart_by_what_stands_at_their_positions() -> None:
    assert not same([0, ["1", "2"], "x"], [0, ["1", "b"], "x"])
    assert not same([0, ["1", "2"], "x"], [0, ["1", "2", "3"], "x"])
    assert not same({"params": [1, {"p": 1}]}, {"params": [1, {"q": 1}]})
    assert same({"params": [1, "x"]}, {"params": ["x", 1, 2]})


def test_maps_of_symbols_are_the_same_whatever_their_names() -> None:
    assert same({"AAA": 1, "BBB": 2}, {"CCC": 1, "DDD": 2})


def test_kinds_are_told_apart_by_what_only_one_of_them_always_has() -> None:
    trade, quote = skeleton_of({"s": 1, "p": 1}), skeleton_of({"s": 1, "b": 1})
    both = skeleton_of({"s": 1, "p": 1, "b": 1})
    assert tell_apart([trade], [quote])
    assert not tell_apart([trade, quote], [trade])
    assert tell_apart([trade], [both])
