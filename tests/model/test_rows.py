from __future__ import annotations

import pytest

from fastingest.model.jsonpath import Each, NoTree
from fastingest.model.rows import RowPlace, Rows, parse_rows

MEMBER, ELEMENT = Each.MEMBER, Each.ELEMENT


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", Rows()),
        ("data", Rows.at(("data",))),
        ("c.bids?", Rows.at(("c", "bids"), is_optional=True)),
        (" [-1] ? ", Rows.at((-1,), is_optional=True)),
        ("events[*].trades", Rows((RowPlace(("events", ELEMENT, "trades")),))),
        ("mids.*", Rows((RowPlace(("mids", MEMBER)),))),
        ("*", Rows((RowPlace((MEMBER,)),))),
        ("[*].*[0].a", Rows((RowPlace((ELEMENT, MEMBER, 0, "a")),))),
        ('["*"]', Rows.at(("*",))),
        ("data.b, data.a?", Rows((RowPlace(("data", "b")), RowPlace(("data", "a"), True)))),
        (
            'bid = ["x,y"], best ask=a?',
            Rows((RowPlace(("x,y",), False, "bid"), RowPlace(("a",), True, "best ask"))),
        ),
    ],
)
def test_where_rows_are(text: str, rows: Rows) -> None:
    assert parse_rows(text) == rows
    assert parse_rows(str(rows)) == rows


def test_several_places_may_be_a_list_or_have_names() -> None:
    assert parse_rows(["data.b", "data.a?"]) == parse_rows("data.b, data.a?")
    assert parse_rows({"bid": "data.b", "ask": "data.a"}) == parse_rows("bid=data.b, ask=data.a")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("?", "which is always there"),
        ("a??", "is no path"),
        ("a b", "is no path"),
        ("a?.b", "is no path"),
        ("a*", "is no path"),
        ("a.*b", "is no path"),
        ("a[**]", "is no path"),
        ("a.[*]", "is no path"),
        ("a, b, a", "'a' is named twice; its rows would be, too"),
        ("a.*, x=a.*", "'a.*' is named twice"),
        (["a", ""], "the whole message cannot be one of several"),
        ([], "there is no place; write for example data.trades"),
        ({" ": "a"}, "a place of rows has an empty name; write for example bid = "),
        ({"a": 5}, "a place of rows must be a text, and 5 is none"),
        (["a"] * 65, "65 places of rows are too many"),
    ],
)
def test_what_says_it_of_nowhere_is_refused(said: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # its text is looked at
        parse_rows(said)
    assert reason in str(caught.value)


def test_only_one_plain_place_has_steps() -> None:
    assert parse_rows("a[0].b?").steps == ("a", 0, "b")
    for text in ("a, b", "a.*", "[*]"):
        with pytest.raises(NoTree):
            parse_rows(text).steps  # noqa: B018  # to ask is enough
    assert [parse_rows(text).is_optional for text in ("a?", "a?, b?", "a?, b")] == [
        True,
        True,
        False,
    ]
