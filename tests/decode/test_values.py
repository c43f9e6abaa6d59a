from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.decode import values
from fastingest.decode.reference import ReferenceDecoder
from fastingest.decode.values import NotJson, ValueTree, broken_on, json_inside, json_of
from fastingest.model.jsonpath import JsonPath, Steps, parse_path
from tests.support.any_feed import schema_of

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abé"), inside, max_size=3)
    ),
    max_leaves=12,
)
_ways = st.lists(st.sampled_from(["a", "b", "é", 0, 1, 2, -1, -2]), max_size=3).map(tuple)


def _at(value: Any, way: Steps) -> Any:
    """What the steps lead to; KeyError or the like: nothing."""
    for step in way:
        if isinstance(value, str):  # of which an index would be a character
            raise TypeError
        value = value[step]
    return value


@given(_json, st.lists(_ways, max_size=4), st.booleans())
def test_each_path_finds_what_stands_there_and_nothing_else(
    value: Any, ways: list[Steps], is_spaced: bool
) -> None:
    text = json.dumps(value, indent=1 if is_spaced else None).encode()
    found = ValueTree.of(map(JsonPath, ways)).find(text)
    assert found[()] == text
    for way in ways:
        try:
            expected = _at(value, way)
        except (KeyError, IndexError, TypeError):
            assert way not in found
        else:
            assert json.loads(found[way]) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"a":{"b":1},"a":{"c":2}}', None),  # the last one counts
        (b'{"a":{"c":2},"a":{"b": [ ] }}', b"[ ]"),
        (b'{"a": [{"b":1}]}', None),
        (b'{"\\u0061":{"b":"x"}}', b'"x"'),
        (b"5", None),
    ],
)
def test_a_value_is_found_as_it_is_written(text: bytes, found: bytes | None) -> None:
    assert ValueTree.of([parse_path("a.b")]).find(text).get(("a", "b")) == found


def test_a_value_that_leads_on_may_be_wanted_itself() -> None:
    tree = ValueTree.of([parse_path("a"), parse_path("a.b"), parse_path("a[0]")])
    assert tree.find(b'{"a":{"b":1}}') == {
        (): b'{"a":{"b":1}}',
        ("a",): b'{"b":1}',
        ("a", "b"): b"1",
    }
    assert tree.find(b'{"a":[7]}')[("a", 0)] == b"7"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"a":"{\\"b\\":1.50}"}', b"1.50"),
        (b'{"a":" {\\u0022b\\u0022 : [ 1 ] }\\n"}', b"[ 1 ]"),
        (b'{"a":"{\\"b\\":\\"\\\\\\"\xc3\xa9\\"}"}', b'"\\"\xc3\xa9"'),
        (b'{"a":"{\\"c\\":1}"}', None),
        (b'{"a":"[1]"}', None),
        (b'{"a":""}', None),
        (b'{"a":{"b":1}}', None),
        (b'{"a":"{\\"b\\":1"}', None),
    ],
)
def test_a_value_is_found_in_the_text_of_a_string(text: bytes, found: bytes | None) -> None:
    path = parse_path("a|json.b")
    assert ValueTree.of([path]).find(text).get(path.steps) == found


def test_a_string_may_hold_no_json() -> None:
    assert json_inside(b'"  "') == json_inside(b"5") == json_inside(b"null") == b""
    assert json_inside(b'" 5 "') == b"5"
    for text in (b'"x"', b'"{}{}"', b'"NaN"', b'"\\ufeff{}"', b'"' + b"[" * 5000 + b'"'):
        with pytest.raises(NotJson):
            json_inside(text)


def test_what_is_broken_on_the_way_is_named() -> None:
    path = parse_path("$.a|json.b|json.c")
    tree = ValueTree.of([path])
    assert broken_on(path, tree.find(b'{"a":"{"}')) == parse_path("$.a")
    assert broken_on(path, tree.find(b'{"a":"{\\"b\\":\\"}\\"}"}')) == parse_path("$.a|json.b")
    assert broken_on(path, tree.find(b'{"a":""}')) is None


def test_a_long_string_is_not_read_anew_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = json.dumps({"a": ["x" * 2000]})
    rows = [{"p": number} for number in range(50)]
    message = json.dumps({"w": inside, "d": rows}).encode()
    reference, read = ReferenceDecoder(schema_of("p:int, n?=$.w|json.n", "d")), list[bytes]()

    def counting(text: bytes) -> bytes:
        read.append(text)
        return json_of(text)

    monkeypatch.setattr(values, "json_of", counting)
    assert len(reference.of(message, message).rows) == 50
    assert read == [inside.encode()]
    broken = message.replace(b']}"', b']"')
    assert reference.of(broken, broken).rejects == [(broken, "n: $.w is no JSON text")]
