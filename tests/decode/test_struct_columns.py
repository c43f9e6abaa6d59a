from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.decode.column_types import column_type
from fastingest.decode.struct_columns import Extractor, Texts, Wanted, ask, columns_of, filter_of
from fastingest.decode.struct_types import PathNode, compiled
from fastingest.model.jsonpath import Condition, NoTree, Steps, parse_condition, parse_path
from fastingest.model.schema import Schema, parse_columns


def _wanted(columns: str) -> list[Wanted]:
    return columns_of(Schema(parse_columns(columns)))


def _parsed(root: PathNode, text: Any, messages: Sequence[str]) -> list[Any]:
    decode = msgspec.json.Decoder(compiled(root, text), strict=False).decode
    return [decode(message) for message in messages]


def _read(
    columns: str, *messages: str, start: Steps = (), text: Any = str
) -> list[list[Any]] | None:
    root = PathNode()
    cells = Extractor(root, _wanted(columns), start)
    structs = _parsed(root, text, messages)
    cells.compile()
    read = cells.read(structs)
    return None if read is None else read[0]


def test_the_columns_of_our_own_are_not_read() -> None:
    assert _wanted("@received, price:decimal?=$.p, feed=@feed, symbol") == [
        Wanted(column_type("decimal"), parse_path("$.p"), is_required=False),
        Wanted(column_type("str"), parse_path("symbol"), is_required=True),
    ]


def test_columns_begin_at_the_row_or_at_the_root() -> None:
    messages = ['{"s":"A","d":{"s":"B"}}', '{"s":"C","d":{"s":"D"}}']
    assert _read("row=s, root=$.s", *messages, start=("d",)) == [["B", "D"], ["A", "C"]]


def test_no_messages_have_columns_without_cells() -> None:
    assert _read("a, b:decimal, c:timestamp[iso]?=c, d:int=b") == [[], [], [], []]


def test_one_value_may_be_several_columns_of_several_types() -> None:
    messages = ['{"p":"1.50"}', '{"p":2}', "{}", '{"p":null}']
    for columns in ("a:decimal?=p, b:float?=p", "b:float?=p, a:decimal?=p"):
        read = _read(columns, *messages)
        assert read is not None
        assert sorted(read, key=str) == [["1.50", "2", None, None], [1.5, 2.0, None, None]]
    assert _read("a?=p, b?=p", '{"p":"x"}') == [["x"], ["x"]]


def test_columns_of_one_type_share_what_the_parser_makes() -> None:
    root = PathNode()
    Extractor(root, _wanted("a?=p, b?=p"), ())
    assert not root.at(("p",)).is_raw


@pytest.mark.parametrize("text", [str, msgspec.Raw])
def test_a_cell_that_msgspec_cannot_check_is_checked_behind(text: Any) -> None:
    good = ["1.50", "-2", "3e4"]
    quoted = [f'"{each}"' for each in good] if text is str else good
    messages = [f'{{"p":{each}}}' for each in quoted]
    assert _read("p:decimal", *messages, text=text) == [good]
    assert _read("p:decimal", *messages, '{"p":"one"}', text=text) is None


def test_no_required_cell_may_be_null() -> None:
    # Both read the member's JSON, which the parser lets be null.
    columns = "a:decimal=p, b:float=p"
    assert _read(columns, '{"p":1}') == [["1"], [1.0]]
    assert _read(columns, '{"p":1}', '{"p":null}') is None


# Conditions

_TOKENS = [
    '"t"',
    '"1"',
    "1",
    "1.0",
    "true",
    '"true"',
    "null",
    '""',
    "-0",
    '"é"',
    '"t "',
    '"\\u0074"',
]
_VALUES = ["t", "1", "1.0", "true", "null", "", "-0", "é", "z"]


def _conditions() -> st.SearchStrategy[list[Condition]]:
    values = st.lists(st.sampled_from(_VALUES), min_size=1, max_size=3).map(tuple)
    paths = st.sampled_from(["a", "b.c", "$.a"]).map(parse_path)
    tests = st.sampled_from(["=", "=", "!=", "^=", "exists", "absent"])
    conditions = st.builds(
        lambda path, test, values: Condition(path, values if "=" in test else (), test),
        *(paths, tests, values),
    )
    return st.lists(conditions, min_size=1, max_size=3)


def _messages() -> st.SearchStrategy[list[str]]:
    token = st.sampled_from(_TOKENS)
    members = st.fixed_dictionaries(
        {}, optional={"a": token, "b": token.map(lambda inside: f'{{"c":{inside}}}')}
    )
    texts = members.map(
        lambda each: f"{{{','.join(f'{chr(34)}{name}{chr(34)}:{each[name]}' for name in each)}}}"
    )
    return st.lists(texts, max_size=5)


def _holds(condition: Condition, message: str) -> bool:
    """By the standard library's JSON, in which numbers and words stay as they are written."""
    words = {None: "null", True: "true", False: "false"}
    value = json.loads(message, parse_int=str, parse_float=str)
    for step in condition.path.steps:
        if step not in value:
            return condition.test in ("!=", "absent")
        value = value[step]
    if condition.test in ("exists", "absent"):
        return (value is None) == (condition.test == "absent")
    text = words[value] if value is None or isinstance(value, bool) else value
    if condition.test == "^=":
        return any(text.startswith(each) for each in condition.values)
    return (text in condition.values) == (condition.test == "=")


def _some_parsed(root: PathNode, messages: Sequence[str]) -> tuple[list[Any], list[str]]:
    """The structs of the messages that the tree's types take, and these messages."""
    structs, taken = [], []
    for message in messages:
        with suppress(msgspec.ValidationError):
            structs += _parsed(root, str, [message])
            taken.append(message)
    return structs, taken


@given(_conditions(), _messages())
def test_a_filter_says_for_which_structs_all_conditions_hold(
    conditions: list[Condition], messages: list[str]
) -> None:
    root = PathNode()
    wanted = [(condition, condition.path.steps) for condition in conditions]
    for condition, steps in wanted:
        ask(root, condition, steps)
    structs, messages = _some_parsed(root, messages)
    expected = [all(_holds(each, message) for each in conditions) for message in messages]
    assert filter_of(root, wanted)(structs) == expected


@st.composite
def _met(draw: st.DrawFn) -> tuple[list[Condition], list[str]]:
    """Conditions, and messages that meet all of them, but for one now and then."""
    paths = draw(st.lists(st.sampled_from(["a", "b.c"]), min_size=1, max_size=2, unique=True))
    conditions, spellings = [], {}
    for path in paths:
        values = draw(st.lists(st.sampled_from(_VALUES), min_size=1, max_size=3).map(tuple))
        conditions.append(Condition(parse_path(path), values))
        spellings[path] = [
            token for token in _TOKENS if _holds(conditions[-1], _message({path: token}))
        ]
    good = st.fixed_dictionaries(
        {path: st.sampled_from(spellings[path] or _TOKENS) for path in paths}
    )
    messages = [_message(draw(good)) for _ in range(draw(st.integers(1, 4)))]
    if draw(st.booleans()):
        members = draw(good)
        members[draw(st.sampled_from(paths))] = draw(st.sampled_from(_TOKENS))
        messages.insert(draw(st.integers(0, len(messages))), _message(members))
    return conditions, messages


def _message(members: dict[str, str]) -> str:
    spelled = {"a": '"a":{}', "b.c": '"b":{{"c":{}}}'}
    return f"{{{','.join(spelled[path].format(token) for path, token in members.items())}}}"


@given(_met())
@settings(max_examples=300)
def test_texts_hold_where_all_conditions_hold_for_all(
    met: tuple[list[Condition], list[str]],
) -> None:
    """With what the parser has passed already: together they are what the conditions say."""
    conditions, messages = met
    root = PathNode()
    wanted = [(condition, condition.path.steps) for condition in conditions]
    for condition, steps in wanted:
        root.require(steps).allow(condition.values)
    structs, taken = _some_parsed(root, messages)
    texts = Texts(root, wanted)
    for message in messages:
        held = message in taken and texts.hold([structs[taken.index(message)]])
        assert held == all(_holds(each, message) for each in conditions)
    assert texts.hold(structs) == all(_holds(each, m) for each in conditions for m in taken)


def test_conditions_that_cannot_both_hold_have_no_tree() -> None:
    root = PathNode()
    for value in ("t", "u"):
        root.require(("a",)).allow([value])
    with pytest.raises(NoTree):
        compiled(root, str)


def test_a_filter_passes_what_is_excused() -> None:
    root = PathNode()
    condition = parse_condition("k=x")
    root.at(("d", "k")).compare(condition.values)
    (attr,) = (child.attr for child in root.steps.values())
    flags = filter_of(root, [(condition, ("d", "k"))], f"x.{attr} is None or ")
    messages = ["{}", '{"d":null}', '{"d":{}}', '{"d":{"k":"x"}}', '{"d":{"k":"y"}}']
    assert flags(_parsed(root, str, messages)) == [True, True, False, True, False]


def test_a_text_with_an_escape_is_compared_as_any_other() -> None:
    root = PathNode()
    wanted = [(parse_condition("k=1"), ("k",))]
    root.at(("k",)).compare(("1",))
    structs = _parsed(root, str, ['{"k":1}', '{"k":"\\u0031"}', '{"k":"\\u0032"}'])
    assert filter_of(root, wanted)(structs) == [True, True, False]
    assert Texts(root, wanted).hold(structs[:2])
    assert not Texts(root, wanted).hold(structs)
