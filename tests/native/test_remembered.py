"""What is remembered, read natively and in Python: certain and the same, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.decode.memory import Memory
from fastingest.model.chunks import cells
from fastingest.model.feed import remembered_in
from fastingest.model.schema import Schema
from fastingest.native.parse_plan import plan_of
from tests.support.any_feed import schema_of
from tests.support.native import native_module

native = native_module("_parser")

# Where the rows are, and a key before them, behind them, within them, or at both ends.
KINDS = [
    ("[2]", "$[0]", "p:decimal=[0]"),
    ("[1]", "$[-1]", "p:decimal=[0]"),
    ("", "$.c", "p:decimal=$.p"),
    ("d", "c", "p:decimal=p"),
    ("d", "$.c", "p:decimal=p"),
    ("d[*].e", "$.c", "p:decimal=p"),
    ("d.*", "c", "p:decimal=p, k=@key"),
    ("d", "$.w|json.c", "p:decimal=p"),
    ("w|json.d[*]", "w|json.c", "p:decimal=p, n=@index"),
    ("w|json.d.*", "$.c|json[0]", "p:decimal=p, k=@key"),
]
TYPES = ["str", "int", "decimal", "json", "bool", "timestamp[ms:6]", "float"]
VALUES = ['"A"', "12", '"1.5"', "null", '["x", 1]', "true", '""', "1700000000123.5", '"\\u0041"']
VALUES += [r'"{\"y\":\"A\"}"', r'"{\"y\":[1]} "', r'"{\"y\""', '" "', '"{}"', '"\u00e9"']
KEYS = ["7", '"7"', '"x"', "8", "null", "[7]", "1e0", '"\\u0078"', '""', '"[7]"', '"\u00e9"']
KEYS += ["{}", '"{}"', "-0", '" 7"']
WAYS = ["v", "w[0]", "v|json.y", "v|json", "w[0]|json.y"]
PRICES = ["1.5", '"2"', '"no"', "null"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, Schema]:
    number = draw(st.integers(0, len(KINDS) - 1))
    rows, key, column = KINDS[number]
    columns = [
        f"c{index}:{draw(st.sampled_from(TYPES))}{draw(st.sampled_from(['', '?']))}"
        f"={key}|remembered.{draw(st.sampled_from(WAYS))}"
        for index in range(draw(st.integers(1, 3)))
    ]
    conditions = [
        *(f"{key}|remembered.v=A,12", f"{key}|remembered.v!=A", f"{key}|remembered.v exists"),
        *(f"{key}|remembered.w absent", f"{key}=7", f"{key}|remembered.v~=*1*"),
        *(f"{key}|remembered.v|json.y absent", f"{key}|remembered.v|json.y!=A"),
        *(f"{key}|remembered.v|json exists", f"{key}|remembered.v|json.y^=A"),
    ]
    where = draw(st.lists(st.sampled_from(conditions), max_size=2, unique=True))
    return number, schema_of(", ".join([*columns, column]), rows, *where)


def message_of(number: int, keys: list[str], prices: list[str]) -> str:
    one, price = keys[0], prices[0]
    records = ",".join(f'{{"p":{p},"c":{c}}}' for p, c in zip(prices, keys, strict=True))
    members = ",".join(
        f'"m{i}":{{"p":{p},"c":{c}}}' for i, (p, c) in enumerate(zip(prices, keys, strict=True))
    )
    inside = ",".join(
        f'{{"p":{p},"w":{json.dumps(f"""{{"c":{c}}}""")}}}'
        for p, c in zip(prices, keys, strict=True)
    )
    return [
        f'[{one},"te",[{price}]]',
        f'["te",[{price}],"more",{one}]',
        f'{{"c":{one},"p":{price}}}',
        f'{{"d":[{records}]}}',
        f'{{"d":[{records}],"c":{one}}}',
        f'{{"c":{one},"d":[{{"e":[{records}]}},{{"e":[]}}]}}',
        f'{{"d":{{{members}}}}}',
        f'{{"w":{json.dumps(f"""{{"c":{one}}}""")},"d":[{records}]}}',
        f'{{"w":{json.dumps(f"""{{"d":[{inside}]}}""")}}}',
        f'{{"w":{json.dumps(f"""{{"d":{{{members}}}}}""")},"c":{json.dumps(f"[{one}]")}}}',
    ][number]


@given(
    tables(),
    st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES), st.sampled_from(VALUES))),
    st.lists(
        st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(PRICES)), min_size=1, max_size=3),
        max_size=6,
    ),
)
@settings(max_examples=300)
def test_what_is_read_natively_is_what_python_reads(
    table: tuple[int, Schema],
    kept: list[tuple[str, str, str]],
    said: list[list[tuple[str, str]]],
) -> None:
    number, schema = table
    memory = Memory(("k",), remembered_in([schema]))
    for key, value, first in kept:
        message = f'{{"k":{key},"v":{value},"w":[{first}]}}'.encode()
        memory.keep({(): message, ("k",): key.encode()})
    plan = plan_of(schema)
    assert plan is not None
    parser = native.RowParser(plan)
    parser.remembered = memory.values
    decoder = FeedDecoder([schema], 10**9)
    decoder.recall_with(memory.recall)
    expected: list[tuple[Any, ...]] = []
    for each in said:
        message = (" " * 16 + message_of(number, *map(list, zip(*each, strict=True)))).encode()
        before = parser.columns.rows, parser.ignored, parser.blanked
        ignored, blanked = decoder.ignored, decoder.tables[0].blanked
        decoder.decode([message], [(1, 1)])
        batches = decoder.take()
        if not parser.parse(message):
            assert (parser.columns.rows, parser.ignored, parser.blanked) == before
            continue
        assert not any(batch.rejects for batch in batches)
        expected += [row for batch in batches for row in zip(*batch.columns(), strict=True)]
        assert parser.ignored - before[1] == decoder.ignored - ignored
        assert parser.blanked - before[2] == decoder.tables[0].blanked - blanked
    chunks = parser.columns.chunks(0, parser.columns.rows)
    assert list(zip(*map(cells, chunks), strict=True)) == expected


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_it_is_certain_of_what_venues_send(number: int) -> None:
    rows, key, column = KINDS[number]
    schema = schema_of(f"s={key}|remembered.symbol, {column}", rows, f"{key}|remembered.c=trades")
    memory = Memory(("chanId",), remembered_in([schema]))
    for chan, symbol in ((7, "tAAAUSD"), (8, "tBBBUSD")):
        text = json.dumps({"event": "subscribed", "chanId": chan, "c": "trades", "symbol": symbol})
        memory.keep({(): text.encode(), ("chanId",): str(chan).encode()})
    parser = native.RowParser(plan_of(schema))
    parser.remembered = memory.values
    assert parser.parse(b" " * 16 + message_of(number, ["7", "8"], ["1.5", "2.5"]).encode())
    assert parser.parse(b" " * 16 + message_of(number, ["9", "9"], ["1.5", "2.5"]).encode())
    first = cells(parser.columns.chunks(0, parser.columns.rows)[0])
    assert list(first) in (["tAAAUSD"], ["tAAAUSD", "tBBBUSD"], ["tAAAUSD", "tAAAUSD"])


def test_a_row_that_is_the_key_itself_is_left_to_python() -> None:
    assert plan_of(schema_of("s=$[0]|remembered.s, v=@value", "[0]")) is None


@pytest.mark.parametrize("key", ["[7]", '{"a":1}', "{}"])
def test_by_an_array_or_an_object_nothing_is_remembered(key: str) -> None:
    schema = schema_of("s?=$[0]|remembered.s, p:int=[0]", "[1]")
    memory = Memory(("k",), remembered_in([schema]))
    memory.keep({(): b'{"s":"x"}', ("k",): json.dumps(key).encode()})
    assert list(memory.values) == [key.encode()]
    parser = native.RowParser(plan_of(schema))
    parser.remembered = memory.values
    assert parser.parse(f"[{key},[1],  [], []]".encode())
    assert cells(parser.columns.chunks(0, 1)[0]) == [None]


@pytest.mark.parametrize(
    ("column", "where"),
    [
        ("s?=$[0]|remembered.s|json.y", ()),
        ("s:json?=$[0]|remembered.s|json", ()),
        ("s:int?=$[0]|remembered.s|json", ()),
        ("s='x'", ("$[0]|remembered.s|json absent",)),
        ("s='x'", ("$[0]|remembered.s|json.y!=1",)),
    ],
)
def test_it_is_not_certain_of_what_is_remembered_and_is_no_json(
    column: str, where: tuple[str, ...]
) -> None:
    schema = schema_of(f"{column}, p:int=[0]", "[1]", *where)
    memory = Memory(("k",), remembered_in([schema]))
    memory.keep({(): b'{"s":"{broken"}', ("k",): b"7"})
    parser = native.RowParser(plan_of(schema))
    parser.remembered = memory.values
    assert not parser.parse(b"[7,[1],  [], [] ]")
    assert parser.columns.rows == 0
