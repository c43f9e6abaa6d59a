from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.decode.column_types import column_type
from fastingest.decode.struct_types import (
    PathNode,
    access,
    compiled,
    comprehension,
    getter,
    is_scalar_text,
)
from fastingest.model.jsonpath import NoTree, Steps


def _tree(*paths: Steps, kind: str = "int") -> PathNode:
    """A tree in which all paths lead to a value of one type."""
    root = PathNode()
    for steps in paths:
        root.at(steps).kinds.append(column_type(kind))
    return root


def _parse(root: PathNode, message: str) -> Any:
    return msgspec.json.decode(message, type=compiled(root, str))


def _values(root: PathNode, message: str, *paths: Steps) -> list[Any]:
    """What ``access`` comes to in a message."""
    parsed = _parse(root, message)
    return [column[0] for column in comprehension(access(root, p) for p in paths)([parsed])]


_names = st.sampled_from(["a", "b", "f0", "x y", "é", "class"])


@st.composite
def _trees(draw: st.DrawFn) -> tuple[list[Steps], Any]:
    """Paths that go together, and a value in which they lead somewhere or end on the way."""

    def grow(depth: int) -> tuple[list[Steps], Any]:
        if depth == 4 or (depth and draw(st.booleans())):
            return [()], draw(st.integers(-9, 9) | st.none())
        paths: list[Steps] = []
        value: Any
        if draw(st.booleans()):
            value = {"other": [{}]}
            for name in draw(st.lists(_names, min_size=1, max_size=3, unique=True)):
                inner, inside = grow(depth + 1)
                paths += [(name, *steps) for steps in inner]
                if draw(st.integers(0, 3)):
                    value[name] = inside
        else:
            wanted = draw(st.sets(st.integers(0, 3), min_size=1, max_size=3))
            value = []
            for index in range(max(wanted) + 1):
                inner, inside = grow(depth + 1) if index in wanted else ([], [{"other": "1"}])
                paths += [(index, *steps) for steps in inner]
                value.append(inside)
            value = value[: draw(st.integers(0, len(value)))]
        return paths, None if depth and draw(st.integers(0, 4)) == 0 else value

    return grow(0)


def _found(value: Any, steps: Steps) -> Any:
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


@given(_trees(), st.randoms())
def test_each_path_leads_to_its_own_value_or_to_none(tree: tuple[list[Steps], Any], r: Any) -> None:
    paths, value = tree
    r.shuffle(paths)
    root = _tree(*paths)
    root.arrange(value)
    expected = [_found(value, steps) for steps in paths]
    assert _values(root, json.dumps(value), *paths) == expected


@pytest.mark.parametrize(
    "paths",
    [
        [("a",), ("a", "b")],
        [("a", "b"), ("a", 0)],
        [("a", 1), ("a", "b", "c")],
        [('q"',)],
        [("back\\slash",)],
        [("\n",)],
        [("\ud800",)],
    ],
)
def test_some_paths_have_no_tree(paths: list[Steps]) -> None:
    with pytest.raises(NoTree):
        compiled(_tree(*paths), str)


def test_a_tree_in_which_nothing_is_wanted_is_none() -> None:
    root = PathNode()
    root.at(("a", "b"))
    with pytest.raises(NoTree):
        compiled(root, str)


def test_an_array_of_rows_leads_nowhere_else() -> None:
    root = _tree(("d", 0))
    root.at(("d",)).elements = _tree(("p",))
    with pytest.raises(NoTree):
        compiled(root, str)


def test_what_is_required_must_be_there_all_the_way() -> None:
    root = PathNode()
    root.require(("a", "b")).kinds.append(column_type("int"))
    assert _values(root, '{"a":{"b":1}}', ("a", "b")) == [1]
    for message in ("{}", '{"a":null}', '{"a":{}}', '{"a":{"b":null}}'):
        with pytest.raises(msgspec.ValidationError):
            _parse(root, message)


def test_what_stands_before_a_required_element_must_be_there_and_may_be_null() -> None:
    root = _tree((0,))
    root.require((2,)).kinds.append(column_type("int"))
    assert _values(root, "[null,[],5,6]", (0,), (2,)) == [None, 5]
    with pytest.raises(msgspec.ValidationError):
        _parse(root, "[1,2]")


@pytest.mark.parametrize("paths", [[(0,)], [(1,)]])
def test_the_first_element_of_a_row_is_no_array(paths: list[Steps]) -> None:
    root = _tree(*paths)
    root.is_row = True
    assert _values(root, "[7,7]", *paths) == [7]
    for message in ("[]", "[[7],7]", "[[],7]"):
        with pytest.raises(msgspec.ValidationError):
            _parse(root, message)


def test_a_row_has_no_tree_where_its_first_element_would_be_an_array() -> None:
    root = _tree((0, 0))
    root.is_row = True
    with pytest.raises(NoTree):
        compiled(root, str)


def test_several_conditions_allow_what_all_of_them_allow() -> None:
    root = PathNode()
    for values in (("t", "u", "v"), ("u", "v"), ("v", "w")):
        root.require(("e",)).allow(values)
    assert _values(root, '{"e":"v"}', ("e",)) == ["v"]
    for value in "tuw":
        with pytest.raises(msgspec.ValidationError):
            _parse(root, f'{{"e":"{value}"}}')
    root.at(("e",)).allow(["t"])
    with pytest.raises(NoTree):
        compiled(root, str)


def test_a_value_that_is_compared_may_be_any_text() -> None:
    root = PathNode()
    root.at(("e",)).compare(("t",))
    assert [_values(root, m, ("e",)) for m in ('{"e":"x"}', '{"e":null}', "{}")] == [
        ["x"],
        [None],
        [None],
    ]


def test_a_value_that_is_wanted_in_two_ways_stays_json() -> None:
    root = _tree(("p",))
    root.at(("p",)).kinds.append(column_type("float"))
    assert root.at(("p",)).is_raw
    assert [bytes(*_values(root, m, ("p",))) for m in ('{"p":"1.50"}', '{"p":[1, 2]}', "{}")] == [
        b'"1.50"',
        b"[1, 2]",
        b"",
    ]


@pytest.mark.parametrize(
    ("kind", "values", "is_raw"),
    [
        ("str", ["trade"], False),
        ("str", ["trade", "1"], True),
        ("str", ["null"], True),
        ("int", ["trade"], True),
        ("timestamp[iso]", ["trade"], True),
    ],
)
def test_a_column_with_a_condition_is_parsed_where_both_are_text(
    kind: str, values: list[str], is_raw: bool
) -> None:
    root = _tree(("a",), kind=kind)
    root.at(("a",)).allow(values)
    assert root.at(("a",)).is_raw is is_raw


def test_members_are_arranged_like_the_element_that_has_most_of_them() -> None:
    root, element = PathNode(), _tree(("a",), ("b",), ("c",))
    root.at(("d",)).elements = element
    root.arrange({"d": [5, {"a": 1, "z": 0, "y": 0}, {"c": 1, "z": 0, "b": 1}, {"b": 1}]})
    assert list(element.steps) == ["c", "b", "a"]


def test_members_within_rows_that_are_arrays_are_arranged_like_the_first_row() -> None:
    root, element = PathNode(), _tree((1, "a"), (1, "b"))
    root.elements = element
    root.arrange([["x", {"b": 1, "a": 1}], ["y", {"a": 1, "b": 1}]])
    assert list(element.at((1,)).steps) == ["b", "a"]


@pytest.mark.parametrize("value", [None, 5, [], {}, {"d": None}, {"d": []}, {"d": [[]]}])
def test_a_value_that_says_nothing_of_the_order_leaves_it(value: Any) -> None:
    root, element = PathNode(), _tree(("b",), ("a",))
    root.at(("d",)).elements = element
    root.at(("c",))
    root.arrange(value)
    assert (list(root.steps), list(element.steps)) == (["d", "c"], ["b", "a"])


@pytest.mark.parametrize("text", ["", "trade", "True", "nullable", "- 1", "-", "trade1"])
def test_no_json_number_or_word_is_written_so(text: str) -> None:
    assert not is_scalar_text(text)


def test_a_comprehension_makes_a_list_for_each_text() -> None:
    get = comprehension(["x", "f(x)"], {"f": abs})
    assert get([-1, 2]) == [[-1, 2], [1, 2]]
    assert comprehension([])([1]) == []


def test_an_object_of_any_names_is_a_dict_of_what_its_members_are() -> None:
    root = PathNode()
    member = PathNode(is_required=True)
    root.require(("d",)).members = member
    member.at(("a",)).kinds.append(column_type("int"))
    value = {"d": {"x": {"b": 0, "a": 1}, "y": {}}}
    root.arrange(value)
    parsed = _parse(root, json.dumps(value))
    found = getter(root, ("d",))(parsed)
    assert {name: getter(member, ("a",))(each) for name, each in found.items()} == {
        "x": 1,
        "y": None,
    }
    with pytest.raises(msgspec.ValidationError):
        _parse(root, '{"d":{"x":5}}')
    root.at(("d",)).elements = PathNode(is_whole=True)
    with pytest.raises(NoTree):
        compiled(root, str)
