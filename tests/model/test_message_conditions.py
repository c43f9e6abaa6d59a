from __future__ import annotations

import re

import pytest

from fastingest.model.jsonpath import ANY, JsonPath
from fastingest.model.message_conditions import (
    MAX_NEEDLES,
    Groups,
    MessageCondition,
    needles_of,
    parse_message_condition,
)


def groups(*texts: str) -> Groups:
    """A group of each text, its conditions parted by semicolons."""
    return tuple(tuple(map(parse_message_condition, text.split(";"))) for text in texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$.event=error", MessageCondition(JsonPath(("event",), True), ("error",))),
        ("event=a, b", MessageCondition(JsonPath(("event",)), ("a", "b"))),
        ("$[0].T=error", MessageCondition(JsonPath((0, "T"), True), ("error",))),
        ("$.error", MessageCondition(JsonPath(("error",), True), (), "exists")),
        ("$.error exists", MessageCondition(JsonPath(("error",), True), (), "exists")),
        ("error absent", MessageCondition(JsonPath(("error",)), (), "absent")),
        ("$.event!=a,b", MessageCondition(JsonPath(("event",), True), ("a", "b"), "!=")),
        ("$.event~=err*", MessageCondition(JsonPath(("event",), True), ("err*",), "~=")),
        ("$^=pong", MessageCondition(JsonPath((), True), ("pong",), "^=")),
        (' $["a=b"] ', MessageCondition(JsonPath(("a=b",), True), (), "exists")),
        ("$.result=[]", MessageCondition(JsonPath(("result",), True), ("[]",))),
        ("$=ping", MessageCondition(JsonPath((), True), ("ping",))),
        ("$[*].T=a", MessageCondition(JsonPath((ANY, "T"), True), ("a",))),
        ("$.data[*].code", MessageCondition(JsonPath(("data", ANY, "code"), True), (), "exists")),
        (" $ = ping,Ping", MessageCondition(JsonPath((), True), ("ping", "Ping"))),
    ],
)
def test_a_condition_of_a_message(text: str, expected: MessageCondition) -> None:
    assert parse_message_condition(text) == expected
    assert parse_message_condition(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("error", "write for example $.event=error, or $.error where it must only be there"),
        ("", "write for example $.event=error"),
        ("$", "holds of every message"),
        ("$=", "compares a whole message"),
        ("$.a==b", "there are =, !="),
        ("$.a>1", "there are =, !="),
        ("$.a..b", "is no path"),
        ("$[*].a[*]=1", "[*] may stand once in a path"),
    ],
)
def test_what_is_no_condition_of_a_message(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_message_condition(text)


@pytest.mark.parametrize(
    ("text", "holds", "fails"),
    [
        ("$.a!=[],x", [b"[0]", b"{}", b'"y"', None], [b"[ ]", b'"x"', b'"[]"']),
        ("$.a^=x", [b'"x"', b'"xy"'], [b'"yx"', b"[]", None]),
        ("$.a absent", [b"null", None], [b"[]", b"0"]),
        ("$^=ping,1", [b"ping 5", b"12"], [b"pong", b"[1]"]),
        ("$.a=1", [b"1", b'"1"'], [b"1.0", b"[1]", None]),
        ("$.a", [b"0", b'""', b"false", b"[]", b"{}"], [b"null", None]),
        ("$.a=[]", [b"[]", b"[ \n]", b'"[]"'], [b"[0]", b"{}", b"null", None]),
        ("$.a={}", [b"{}", b"{ }"], [b'{"a":1}', b"[]", None]),
        ("$=ping", [b"ping", b'"ping"'], [b"pong", b'["ping"]']),
    ],
)
def test_what_a_condition_holds_of(
    text: str, holds: list[bytes | None], fails: list[bytes | None]
) -> None:
    condition = parse_message_condition(text)
    assert [value for value in holds if not condition.holds(value)] == []
    assert [value for value in fails if condition.holds(value)] == []


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["$.success=false"], (b'"success"',)),
        (["$.code=20051"], (b'"code"',)),
        (["$.e=error"], (b'"error"',)),  # "e" is in every message
        (["$[*].T=error;$[*].code=402"], (b'"error"',)),
        (["$.e=a,error"], (b'"a"', b'"error"')),
        (["$.e=a,1"], (b'"e"',)),  # 1 may stand without quotes
        (["$.result=[]"], (b'"result"',)),
        (["$.error"], (b'"error"',)),
        (["$=ping"], (b"ping",)),
        (["$.e="], (b'"e"',)),
        (["$.e^=err"], (b'"err',)),
        (["$.e^=4"], (b'"e"',)),  # 400 may stand without quotes
        (["$.e^=tr"], (b'"e"',)),
        (["$.e~=*err*"], (b'"e"',)),
        (["$.e exists"], (b'"e"',)),
        (["$.e!=x;$.a=error"], (b'"error"',)),
        (["$^=pong"], (b"pong",)),
        (["$.event=error;$.a=1"], (b'"error"',)),
        (["$.payload|json.type=error"], (b'"payload"',)),  # which has its quotes escaped
        # One that all groups share, though others are longer.
        ([f"$.error;$.symbol=symbol{n}" for n in range(100)], (b'"error"',)),
    ],
)
def test_needles(texts: list[str], expected: tuple[bytes, ...]) -> None:
    assert needles_of(groups(*texts)) == expected


@pytest.mark.parametrize(
    "texts",
    [
        ["$[3]"],
        ["$.e!=x"],
        ["$.e absent;$.f!=y"],
        ["$~=p*"],
        ['$["a/b"]'],  # which may be written a\/b
        ["$.error", "$[3]=1"],
        [f"$.a{n}" for n in range(MAX_NEEDLES + 1)],
    ],
)
def test_without_sure_needles_any_message_may_be_it(texts: list[str]) -> None:
    assert needles_of(groups(*texts)) is None


def test_without_groups_no_message_is_it() -> None:
    assert needles_of(()) == ()
