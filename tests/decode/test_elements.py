from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastingest.decode import elements
from fastingest.decode.elements import elements_of, is_empty, members_decoder

_texts = st.text(alphabet='ab",:[]{}\\é\n ', max_size=4)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(_texts, inside, max_size=3),
    max_leaves=30,
)
_spaces = st.sampled_from([(",", ":"), (" , ", ": "), (",\n\t", "\r:")])
_decode = msgspec.json.Decoder(list[msgspec.Raw]).decode


@pytest.fixture(params=["short", "long"])
def length(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all arrays for short ones, or for long ones."""
    if request.param == "long":
        monkeypatch.setattr(elements, "_SHORT", 0)


@pytest.mark.parametrize("short", [0, 2**20])
@settings(deadline=None)
@given(array=st.lists(_values, max_size=5), spaces=_spaces, is_ascii=st.booleans())
@example(array=[[[[["]", {"}": [{}]}]]]]], spaces=(" , ", ": "), is_ascii=True)
def test_the_elements_are_those_that_msgspec_finds(
    short: int, array: list[Any], spaces: tuple[str, str], is_ascii: bool
) -> None:
    text = json.dumps(array, ensure_ascii=is_ascii, separators=spaces).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elements, "_SHORT", short)
        assert list(elements_of(text)) == [bytes(element) for element in _decode(text)]


@pytest.mark.usefixtures("length")
@pytest.mark.parametrize(
    ("array", "found"),
    [
        (b"[]", []),
        (b"[ \n]", []),
        (b"[ 1 ]", [b"1"]),
        (b'["]", "\\"", "\\\\"]', [b'"]"', b'"\\""', b'"\\\\"']),
        (b"[[[[[[ 1 ]]]]] , 2]", [b"[[[[[ 1 ]]]]]", b"2"]),
        (b'[{"a":[{"b":{"c":{"d":"}"}}}]}]', [b'{"a":[{"b":{"c":{"d":"}"}}}]}']),
    ],
)
def test_elements_stand_without_the_space_around_them(array: bytes, found: list[bytes]) -> None:
    assert list(elements_of(array)) == found


def test_a_long_array_is_read_no_further_than_it_is_asked_for() -> None:
    array = b"[" + b"1," * 200_000 + b"what is no JSON"
    found = elements_of(array)
    assert [next(found) for _ in range(3)] == [b"1"] * 3


@pytest.mark.parametrize(
    ("text", "empty"),
    [(b"[]", True), (b"{ \n}", True), (b"[[]]", False), (b'{"":1}', False), (b"[0]", False)],
)
def test_what_has_nothing_in_it_is_empty(text: bytes, empty: bool) -> None:
    assert is_empty(text) == empty


@pytest.mark.parametrize("names", [("a", "é", "c d"), ("a", "é", "c d", 'q"')])
def test_the_members_that_are_wanted_are_found(names: tuple[str, ...]) -> None:
    text = '{"x":{"a":0},"\\u0061":[1, 2],"é":1,"é":"last"}'.encode()
    found = {name: bytes(value) for name, value in members_decoder(names)(text) if bytes(value)}
    assert found == {"a": b"[1, 2]", "é": b'"last"'}


def test_the_members_of_what_is_no_object_are_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `object`, got `array`"):
        members_decoder(("a",))(b"[1]")
