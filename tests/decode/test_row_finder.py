from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from fastingest.decode.row_finder import find_rows
from fastingest.model.jsonpath import Each, PlaceSteps
from fastingest.model.rows import RowPlace, Rows, parse_rows

_json = st.recursive(
    st.none() | st.integers(0, 9),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abé"), inside, max_size=3)
    ),
    max_leaves=12,
)
_places = st.lists(st.sampled_from(["a", "b", 0, -1, Each.MEMBER, Each.ELEMENT]), max_size=3)


def _at(value: Any, steps: PlaceSteps) -> list[Any]:
    """All that the steps lead to."""
    if not steps:
        return [value]
    step, *rest = steps
    inside: list[Any] = []
    if step is Each.MEMBER or step is Each.ELEMENT:
        if isinstance(value, dict if step is Each.MEMBER else list):
            inside = list(value.values()) if isinstance(value, dict) else value
    elif isinstance(value, dict if isinstance(step, str) else list):
        with suppress(KeyError, IndexError):
            inside = [cast(Any, value)[step]]
    return [found for each in inside for found in _at(each, tuple(rest))]


@given(_json, _places.map(tuple), st.booleans())
def test_a_place_leads_to_what_stands_there(value: Any, steps: PlaceSteps, is_spaced: bool) -> None:
    text = json.dumps(value, indent=1 if is_spaced else None).encode()
    lacking, there = find_rows(Rows((RowPlace(steps),)), text)
    found = list(there)
    expected = [each for each in _at(value, steps) if each is not None or not steps]
    assert [json.loads(each.value) for each in found if each.value is not None] == expected
    assert len(lacking) == (not found)
    assert all(each.is_starred for each in found if each.value is None)


def test_places_come_in_the_order_of_the_message() -> None:
    rows = parse_rows("x=a.*, b, a.n[*], c")
    text = b'{"b":[1],"a":{"m":2,"n":[3,4],"o":null},"z":5}'
    lacking, there = find_rows(rows, text)
    assert [(each.place.path, each.lacks) for each in lacking] == [("c", "is missing")]
    assert [(str(each.place), each.value, each.key, each.index) for each in there] == [
        ("b", b"[1]", b"", 0),
        ("x=a.*", b"2", b'"m"', 0),
        ("x=a.*", b"[3,4]", b'"n"', 0),
        ("a.n[*]", b"3", b"", 0),
        ("a.n[*]", b"4", b"", 1),
        ("x=a.*", None, b"", 0),
    ]


def test_a_place_may_be_in_the_text_of_a_string() -> None:
    def found(text: bytes) -> list[tuple[bytes | None, str, bytes]]:
        lacking, there = find_rows(parse_rows("a|json.d"), text)
        return [(each.value, each.lacks, each.broken) for each in [*lacking, *there]]

    assert found(b'{"a":"{\\"d\\":[1]}"}') == [(b"[1]", "", b"")]
    assert found(b'{"a":" "}') == found(b'{"a":null}') == [(None, "is missing", b"")]
    assert found(b'{"a":{"d":1}}') == found(b'{"a":5}') == [(None, "is in no string", b"")]
    assert found(b'{"a":"{"}') == [(None, "a is no JSON text", b'"{"')]


def test_each_string_of_an_array_is_found_alone() -> None:
    text = b'["{\\"d\\":1}","x","",5,"{\\"d\\":null}"]'
    lacking, there = find_rows(parse_rows("[*]|json.d"), text)
    assert lacking == []
    assert [(each.value, each.broken) for each in there] == [
        (b"1", b""),
        (None, b'"x"'),
        (None, b""),
        (None, b""),
        (None, b""),
    ]
