from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.jsonpath import (
    Condition,
    Embedded,
    JsonPath,
    Step,
    parse_condition,
    parse_path,
    text_of,
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", JsonPath()),
        ("$", JsonPath((), from_root=True)),
        ("price", JsonPath(("price",))),
        (" last.price ", JsonPath(("last", "price"))),
        ("[0]", JsonPath((0,))),
        ("data[0].p", JsonPath(("data", 0, "p"))),
        ("[1][12]", JsonPath((1, 12))),
        ("$[-1]", JsonPath((-1,), from_root=True)),
        ("a[-2].b", JsonPath(("a", -2, "b"))),
        ('["a.b"]', JsonPath(("a.b",))),
        ('x["a\\"]\\u00e9"].y', JsonPath(("x", 'a"]é', "y"))),
        ('[""]', JsonPath(("",))),
        ("$.arg.instId", JsonPath(("arg", "instId"), from_root=True)),
        ("$[3]", JsonPath((3,), from_root=True)),
        ('$["a b"]', JsonPath(("a b",), from_root=True)),
        ("btcusdt@trade", JsonPath(("btcusdt@trade",))),
        ("a/b-c_d:e", JsonPath(("a/b-c_d:e",))),
        ("24h.1st", JsonPath(("24h", "1st"))),
        ("größe", JsonPath(("größe",))),
        ("a|json.b[0]", JsonPath(("a", Embedded.JSON, "b", 0))),
        ("$|json", JsonPath((Embedded.JSON,), from_root=True)),
        ("a|json|json[-1]", JsonPath(("a", Embedded.JSON, Embedded.JSON, -1))),
        ('["a|json"].b', JsonPath(("a|json", "b"))),
    ],
)
def test_a_path(text: str, path: JsonPath) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        ".a", "a.", "a..b", "$a", "$.", "a b", "[x]", "[-0]", "[-00]", "[--1]", "[1", "[1.5]",
        "a.[0]", "[0]a", "a,b",
        '["a]', "[1234567]", "a$.b", "$$", '["\\x"]', "-a", '"a"', "a.|json", "a|json b",
    ],
)  # fmt: skip
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no path|Invalid"):
        parse_path(text)


@pytest.mark.parametrize("text", ["a|xml.b", "a|jsonb", "a|", "a||json", "a|json|b"])
def test_a_step_into_a_string_has_one_spelling(text: str) -> None:
    hint = r'is no path; write for example payload\|json\.price, or \["a\|b"\] for a name with \|'
    with pytest.raises(ValueError, match=hint):
        parse_path(text)


def test_a_row_is_no_string() -> None:
    with pytest.raises(ValueError, match=r"a row is no string; .* for example items\[\*\]\|json"):
        parse_path("|json.p")


@pytest.mark.parametrize("text", ["*", "a.*", "a[*].b", "$.*", "$[*]"])
def test_a_path_of_one_value_has_no_stars(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no path of one value; \* stands only where rows are"):
        parse_path(text)


def test_a_path_may_not_be_too_long() -> None:
    assert len(parse_path(".".join("a" * 64)).steps) == 64
    with pytest.raises(ValueError, match="65 steps is too long; 64 are the most"):
        parse_path(".".join("a" * 65))


_steps = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.integers(-999_999, 999_999)
    | st.just(Embedded.JSON),
    max_size=4,
)


@given(_steps, st.booleans())
def test_what_a_path_is_written_as_reads_back(steps: list[Step], from_root: bool) -> None:
    path = JsonPath(tuple(steps), from_root or steps[:1] == [Embedded.JSON])
    assert parse_path(str(path)) == path


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("e=trade", Condition(JsonPath(("e",)), ("trade",))),
        ("$.data.e = trade", Condition(JsonPath(("data", "e"), from_root=True), ("trade",))),
        ("s=BTC, ETH", Condition(JsonPath(("s",)), ("BTC", "ETH"))),
        ("x=", Condition(JsonPath(("x",)), ("",))),
        ("x=a=b", Condition(JsonPath(("x",)), ("a=b",))),
        ('["a=b"]=c', Condition(JsonPath(("a=b",)), ("c",))),
        ("$[0]=1", Condition(JsonPath((0,), from_root=True), ("1",))),
        ("e!=a,b", Condition(JsonPath(("e",)), ("a", "b"), "!=")),
        ("$.e ^= BTC-", Condition(JsonPath(("e",), from_root=True), ("BTC-",), "^=")),
        ("e~=*-USD,?", Condition(JsonPath(("e",)), ("*-USD", "?"), "~=")),
        ("$.p|json.e=a", Condition(JsonPath(("p", Embedded.JSON, "e"), from_root=True), ("a",))),
        ("e~=", Condition(JsonPath(("e",)), ("",), "~=")),
        (" $.k  exists ", Condition(JsonPath(("k",), from_root=True), (), "exists")),
        ('["a=b"] absent', Condition(JsonPath(("a=b",)), (), "absent")),
        ("exists absent", Condition(JsonPath(("exists",)), (), "absent")),
        ("e=x exists", Condition(JsonPath(("e",)), ("x exists",))),
        ("e=!x", Condition(JsonPath(("e",)), ("!x",))),
    ],
)
def test_a_condition(text: str, condition: Condition) -> None:
    assert parse_condition(text) == condition
    assert parse_condition(str(condition)) == condition


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("trade", "is no condition; write for example"),
        ("=trade", "is no condition"),
        ("$=trade", "compares a whole message; name a member of it"),
        ("a b=trade", "is no path"),
        ("e==trade", "is no condition; there are =, !=, "),
        ("e!==trade", "is no condition; there are =, !=, "),
        ("$.e ! = trade", "is no path"),
        ("p>=5", "is no condition; there are =, !=, "),
        ("p<5", "is no condition; there are =, !=, "),
        ("exists", "is no condition; write for example"),
        (" absent", "is no condition; write for example"),
        ("$ exists", "compares a whole message; name a member of it"),
        ("!=x", "is no condition; write for example"),
        ("e^=", "every text begins with nothing"),
        ("e^=a,,b", "every text begins with nothing"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_condition(text)


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (b"1", True),
        (b'"1"', True),
        (b'"\\u0031"', True),
        (b"1.0", False),
        (b"true", False),
        (b"null", True),
        (b'"null"', True),
        (b"[1]", False),
        (b"{}", False),
        (b"", False),
        (None, False),
    ],
)
def test_a_condition_holds_where_one_of_its_values_is_written(
    value: bytes | None, holds: bool
) -> None:
    assert parse_condition("x=1,null,[1],{}").holds(value) is holds


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ("x!=1,t", [b"1.0", b'"T"', b"null", b"[1]", b"", None], [b"1", b'"1"', b'"\\u0074"']),
        ("x^=ab,1", [b'"ab"', b'"abc"', b"12", b"1.5", b'"\\u0061b"'], [b'"a"', b'["ab"]', None]),
        (
            "x~=a*b?,7",
            [b'"ab1"', b'"aabb\\u00e9"', b"7", b'"a\\nbb"'],
            [b'"ab"', b'"xab1"', b"77", None],
        ),
        ("x~=*", [b'""', b"null", b"1"], [b"{}", b"[]", None]),
        ("x~=[a].*", [b'"[a]."', b'"[a].b"'], [b'"a.b"', b'"[a]b"']),
        ("x exists", [b"1", b'""', b'"null"', b"{}", b"[]", b"false"], [b"null", b"", None]),
        ("x absent", [b"null", b"", None], [b"0", b'"null"', b"{}"]),
    ],
)
def test_what_a_condition_holds_of(
    condition: str, holds: list[bytes | None], fails: list[bytes | None]
) -> None:
    found = parse_condition(condition)
    assert [value for value in holds if not found.holds(value)] == []
    assert [value for value in fails if found.holds(value)] == []
    assert found.holds_of_nothing == found.holds(None)


@given(st.text("ab?*\n", max_size=6), st.text("ab\n", max_size=8))
def test_stars_stand_for_anything_and_question_marks_for_one_character(
    pattern: str, text: str
) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    held = Condition(JsonPath(("x",)), (pattern,), "~=").holds(json.dumps(text).encode())
    assert held == (re.fullmatch(expression, text, re.DOTALL) is not None)


def test_a_pattern_with_many_stars_takes_no_time() -> None:
    condition = Condition(JsonPath(("x",)), ("*a" * 30 + "*b",), "~=")
    assert not condition.holds(b'"' + b"a" * 10_000 + b'"')


def test_nothing_is_not_an_empty_text() -> None:
    condition = parse_condition("x=")
    assert [condition.holds(value) for value in (b'""', None, b"", b"null")] == [
        True,
        False,
        False,
        False,
    ]


@given(st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_the_text_of_a_value_is_a_strings_own_or_what_is_written(value: Any) -> None:
    if isinstance(value, str) and not value.isascii():
        value = value.encode(errors="ignore").decode()  # no half of a surrogate pair
    for is_ascii in (True, False):
        written = json.dumps(value, ensure_ascii=is_ascii)
        text = value if isinstance(value, str) else written
        assert text_of(written.encode()) == text
        assert text_of(msgspec.Raw(written.encode())) == text
