from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.jsonpath import Condition, JsonPath, parse_condition, parse_path


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
    ],
)
def test_a_path(text: str, path: JsonPath) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        ".a", "a.", "a..b", "$a", "$.", "a b", "[x]", "[-1]", "[1", "[1.5]", "a.[0]", "[0]a", "a,b",
        '["a]', "[1234567]", "a$.b", "$$", '["\\x"]', "-a", '"a"',
    ],
)  # fmt: skip
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no path|Invalid"):
        parse_path(text)


def test_a_path_may_not_be_too_long() -> None:
    assert len(parse_path(".".join("a" * 64)).steps) == 64
    with pytest.raises(ValueError, match="65 steps is too long; 64 are the most"):
        parse_path(".".join("a" * 65))


_steps = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.integers(0, 999_999),
    max_size=4,
)


@given(_steps, st.booleans())
def test_what_a_path_is_written_as_reads_back(steps: list[str | int], from_root: bool) -> None:
    path = JsonPath(tuple(steps), from_root)
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
        ("e==trade", "is no condition; there is = alone"),
        ("$.e != trade", "is no condition; there is = alone"),
        ("p>=5", "is no condition; there is = alone"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_condition(text)
