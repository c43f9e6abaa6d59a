from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.jsonpath import JsonPath, parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import (
    TRADES,
    Column,
    Schema,
    check_own,
    check_type,
    header_of,
    parse_columns,
)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("price:float=p", Column("price", "float", JsonPath(("p",)))),
        ("price:float", Column("price", "float", JsonPath(("price",)))),
        ("symbol=$.arg.instId", Column("symbol", "str", JsonPath(("arg", "instId"), True))),
        ("symbol", Column("symbol", "str", JsonPath(("symbol",)))),
        ("volume:float?=q", Column("volume", "float", JsonPath(("q",)), required=False)),
        ("volume?", Column("volume", "str", JsonPath(("volume",)), required=False)),
        (" a : int ? = [0] ", Column("a", "int", JsonPath((0,)), required=False)),
        ('"a, b":bool=["x,y"]', Column("a, b", "bool", JsonPath(("x,y",)))),
        ('"q\\"x"=a', Column('q"x', "str", JsonPath(("a",)))),
        ('"last.price":float', Column("last.price", "float", JsonPath(("last.price",)))),
        ('"last price"', Column("last price", "str", JsonPath(("last price",)))),
        ("a = b", Column("a", "str", JsonPath(("b",)))),
        ("a= b", Column("a", "str", JsonPath(("b",)))),
        ("a: int", Column("a", "int", JsonPath(("a",)))),
        ("t:timestamp", Column("t", "timestamp[iso]", JsonPath(("t",)))),
        ("t:timestamp[ms, ns]=T", Column("t", "timestamp[ms,ns]", JsonPath(("T",)))),
        ("t:timestamp[ms:6]=T", Column("t", "timestamp[ms:6]", JsonPath(("T",)))),
        ("t:timestamp[iso : 9, iso]", Column("t", "timestamp[iso:9]", JsonPath(("t",)))),
        ("t:timestamp[us,iso]=T", Column("t", "timestamp[us]", JsonPath(("T",)))),
    ],
)
def test_a_column(text: str, column: Column) -> None:
    assert parse_columns(text) == (column,)
    assert not column.is_metadata


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("@received", Column("received", "@received")),
        ("time=@received", Column("time", "@received")),
        ("time:timestamp[ns]=@received", Column("time", "@received:timestamp[ns]")),
        ("@feed", Column("feed", "@feed")),
        ("n=@sequence", Column("n", "@sequence")),
        ("@connection", Column("connection", "@connection")),
        ("@key", Column("key", "str", JsonPath(own="@key"))),
        ("n=@index", Column("n", "int", JsonPath(own="@index"))),
        ("price:decimal?=@value", Column("price", "decimal", JsonPath(own="@value"), False)),
        ("side = @rows", Column("side", "str", JsonPath(own="@rows"))),
    ],
)
def test_a_column_of_our_own(text: str, column: Column) -> None:
    first, own = parse_columns(f"a, {text}")
    assert own == column
    assert (first.is_metadata, own.is_metadata) == (False, own.path is None)


@pytest.mark.parametrize(
    ("columns", "rows", "is_right"),
    [
        ("a=@key", "mids.*", True),
        ("a=@key", "mids.*, data.*", True),
        ("a=@key", "mids", False),
        ("a=@key", "mids[*]", False),
        ("a=@key", "mids.*, data", False),
        ("a?=@key", "mids.*, data", True),
        ("a?=@key", "mids, data", False),
        ("a=@value, b=@index, c=@rows", "mids", True),
    ],
)
def test_a_key_needs_members_in_turn(columns: str, rows: str, is_right: bool) -> None:
    if is_right:
        check_own(parse_columns(columns), parse_rows(rows))
    else:
        with pytest.raises(ValueError, match="column 'a': @key is the name that a"):
            check_own(parse_columns(columns), parse_rows(rows))


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('side="bid"', Column("side", "str", JsonPath(own='"bid"'))),
        (" side : str = 'bid' ", Column("side", "str", JsonPath(own='"bid"'))),
        ("""a='"\\'""", Column("a", "str", JsonPath(own='"\\"\\\\"'))),
        ('a="\\u00e9\\"=,"', Column("a", "str", JsonPath(own='"é\\"=,"'))),
        ('a=""', Column("a", "str", JsonPath(own='""'))),
    ],
)
def test_a_constant(text: str, column: Column) -> None:
    assert parse_columns(f"z, {text}") == (Column("z", "str", JsonPath(("z",))), column)


def test_a_constant_is_no_column_of_the_feed_and_may_hold_what_parts_columns() -> None:
    text = """a, side="bid, 'x'", other='ask, "y=[z"', b=c"""
    assert [(each.name, each.is_constant) for each in parse_columns(text)] == [
        ("a", False),
        ("side", True),
        ("other", True),
        ("b", False),
    ]


def test_columns_are_parted_at_commas_outside_brackets_and_quotes() -> None:
    text = 'a, b:timestamp[ms,ns]=["x,y"][0], "c,d" , e'
    assert [column.name for column in parse_columns(text)] == ["a", "b", "c,d", "e"]
    assert parse_columns(text) == parse_columns(
        ["a", 'b:timestamp[ms,ns]=["x,y"][0]', '"c,d"', "e"]
    )


def test_in_a_list_a_space_is_a_part_of_the_name() -> None:
    assert [column.name for column in parse_columns(["last price:float", "b"])] == [
        "last price",
        "b",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no column that comes from the feed"),
        ('@received, side="bid"', "there is no column that comes from the feed"),
        ('a, b="x', 'is no text in quotes; write for example "bid"'),
        ('a, b="\\ud800"', "is no text in quotes"),
        ('a, b:int="1"', "column 'b': \"1\" is a text, and always there: it needs no type, and no"),
        ('a, b?="x"', "and always there"),
        ('a b="x"', "describes no column|has no comma"),
        ("@received, @feed", "there is no column that comes from the feed"),
        ("a:foo", "column 'a': 'foo' is no type; there are str, int"),
        ("a:timestamp[min]", "is no type"),
        ("a:timestamp[ms,days]", "is no type"),
        ("a:timestamp[ms:10]", "0 to 9"),
        ("a:timestamp[ms:6,ns]", "is no type"),
        ("a:timestamp[:6]", "is no type"),
        ("symbol price", "'symbol price' has no comma between the columns; write 'symbol, price',"),
        (
            "a, b:int=c  d:float e",
            "'b:int=c  d:float e' has no comma .* write 'b:int=c, d:float, e'",
        ),
        ("a=b c=d", "write 'a=b, c=d', or put a name with a space into quotes"),
        (":int=b", "describes no column; write for example"),
        ("a, b=c, a=d", "two columns are named 'a'"),
        ("a=$", "column 'a': '\\$' is the whole message; name a member of it"),
        ("a=b..c", "column 'a': 'b..c' is no path"),
        ("$.arg.instId", "looks like a path; give it a name: NAME=\\$.arg.instId"),
        ("last.price:float", "looks like a path; give it a name"),
        ("[0]", "looks like a path; give it a name"),
        ("a, @when", "'@when' is no column of our own; there are @received, @feed"),
        ("a, @feed:str", "@feed is written as it is"),
        ("a, @received:timestamp[ms]", "@received as timestamp\\[ns\\]"),
    ],
)
def test_what_describes_no_columns_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse_columns(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("type_", ["str", "int", "float", "number", "bool", "decimal"])
def test_a_type_is_what_it_is_called(type_: str) -> None:
    assert check_type(f" {type_} ") == type_


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_a_header_reads_back(names: list[str]) -> None:
    rows = csv.reader(header_of(names).splitlines(keepends=True), strict=True)
    if not any(mark in "".join(names) for mark in "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"):
        assert list(rows) == [names]
    assert Schema(tuple(Column(name, "str") for name in names)).header == header_of(names)


def test_a_header_is_quoted_as_in_rfc_4180() -> None:
    assert header_of(["a", "b,c", 'd"e', "f\ng", " h"]) == 'a,"b,c","d""e","f\ng", h'


def _schema(columns: str, rows: str = "", *where: str) -> Schema:
    return Schema(parse_columns(columns), parse_rows(rows), tuple(map(parse_condition, where)))


@pytest.mark.parametrize(
    ("schema", "container"),
    [
        (_schema("a"), dict),
        (_schema("a=[0]"), list),
        (_schema("a=[0], b?=c"), list),
        (_schema("a=$.a"), None),
        (_schema('a=$.a, side="bid"'), None),
        (_schema("a=$[0]", "d"), None),
        (_schema("a=@value, b=@key", "d.*"), None),
        (_schema("a=@value, b=c"), dict),
        (_schema("a=$.a, b=[1].c", "d"), list),
        (_schema("a=$.a", "d", "k=x"), dict),
        (_schema("a=$.a", "d", "[0]=x"), list),
        (_schema("a=$.a", "d", "$[0]=x"), None),
        (_schema("a, @received"), dict),
    ],
)
def test_the_rows_own_paths_say_what_a_row_is(schema: Schema, container: type | None) -> None:
    assert schema.row_container is container


def test_conditions_are_of_the_message_or_of_the_row() -> None:
    schema = _schema("a", "d", "k=x", "$.e=t", "$[0]=1", "m=y")
    assert list(map(str, schema.where_message)) == ["$.e=t", "$[0]=1"]
    assert list(map(str, schema.where_row)) == ["k=x", "m=y"]


def test_the_default() -> None:
    assert TRADES.header == "symbol,price,volume"
    assert TRADES.types == ("str", "float", "number")
    assert not TRADES.described
