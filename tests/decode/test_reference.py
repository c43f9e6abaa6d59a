from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.decode.reference import DecodedMessage, ReferenceDecoder
from fastingest.decode.values import json_of
from fastingest.model.jsonpath import parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import Schema, parse_columns


def _schema(columns: str, rows: str = "", *where: str) -> Schema:
    return Schema(parse_columns(columns), parse_rows(rows), tuple(map(parse_condition, where)))


def _outcome(schema: Schema, message: str) -> DecodedMessage:
    raw = message.encode()
    return ReferenceDecoder(schema).of(json_of(raw), raw)


def test_json_has_no_space_around_it_and_keeps_that_within() -> None:
    assert json_of(b' \r\n\t{ "a" : [1 ,2] }\n') == b'{ "a" : [1 ,2] }'
    assert json_of(b" 5") == b"5"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b"", ValueError),
        (b" ", ValueError),
        (b"{} {}", ValueError),
        (b"{'a':1}", ValueError),
        (b'{"a":"\xff"}', UnicodeDecodeError),
        (b"[" * 100_000 + b"]" * 100_000, RecursionError),
    ],
)
def test_what_is_not_json_has_none(message: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        json_of(message)


def test_cells_stand_in_the_order_of_the_columns() -> None:
    schema = _schema("b:int, s=$.s, @received, a:float?, t:int=$.t", "d")
    assert _outcome(schema, '{"t":3,"d":{"a":1,"b":2},"s":"A"}') == DecodedMessage(
        rows=[(2, "A", 1.0, 3)]
    )
    assert _outcome(schema, '{"t":3,"d":[{"b":2},{"b":4}],"s":"A"}') == DecodedMessage(
        rows=[(2, "A", None, 3), (4, "A", None, 3)]
    )


def test_a_constant_stands_in_each_row() -> None:
    schema = _schema('side="b, \\"", a:int', "d")
    assert _outcome(schema, '{"d":[{"a":1},{"a":2}],"side":"x"}') == DecodedMessage(
        rows=[('b, "', 1), ('b, "', 2)]
    )


def test_a_rejected_message_keeps_the_bytes_that_were_received() -> None:
    reason = 'p: Expected a number, got "x"'
    for message in (' {"p": "x"}\n', '{"p":"x" }'):
        assert _outcome(_schema("p:float"), message) == DecodedMessage(
            rejects=[(message.encode(), reason)]
        )
    assert _outcome(_schema("p:float"), ' [ {"p": "x"} , {"p":1}]\n') == DecodedMessage(
        rows=[(1.0,)], rejects=[(b'{"p": "x"}', reason)]
    )


def test_the_first_column_that_does_not_fit_is_the_reason_those_of_the_root_before_all() -> None:
    schema = _schema("a:int, b:int, s:int=$.s", "d")
    for message, reason in (
        ('{"s":1,"d":{"a":"x","b":"x"}}', 'a: Expected a whole number, got "x"'),
        ('{"s":1,"d":{"a":1,"b":[]}}', "b: Expected a whole number, got []"),
        ('{"s":"x","d":{"a":"x"}}', 's: Expected a whole number, got "x" - at $.s'),
        ('{"d":5}', "s: $.s is missing"),
    ):
        assert _outcome(schema, message) == DecodedMessage(rejects=[(message.encode(), reason)])


def test_a_path_that_leads_through_another_kind_of_value_finds_nothing() -> None:
    schema = _schema("a?=x.y, b?=x[0], c?=z[1][0]")
    for x, row in (
        ('{"y":"A"}', ("A", None, None)),
        ('["B"]', (None, "B", None)),
        ('"y"', (None, None, None)),
        ("[]", (None, None, None)),
        ('{"0":"C"}', (None, None, None)),
    ):
        assert _outcome(schema, f'{{"x":{x},"z":[[1]]}}') == DecodedMessage(rows=[row])
    assert _outcome(schema, '{"z":[0,["D"]]}') == DecodedMessage(rows=[(None, None, "D")])


def test_conditions_of_the_message_come_before_those_of_the_row() -> None:
    schema = _schema("a", "d", "$.e=t", "k=x")
    assert _outcome(schema, '{"d":[{"k":"x","a":"1"}]}') == DecodedMessage(taken=False)
    assert _outcome(schema, '{"e":"t","d":[{"k":"y"},{"a":"1"},5]}') == DecodedMessage(ignored=3)
    assert _outcome(schema, '{"e":"t","d":[]}') == DecodedMessage(ignored=1)


@pytest.mark.parametrize("value", ["[]", "{}", "[1]"])
def test_nothing_equals_an_object_or_an_array(value: str) -> None:
    message = f'{{"a":"1","k":{value}}}'
    assert _outcome(_schema("a", "", f"k={value}"), message) == DecodedMessage(ignored=1)
    assert _outcome(_schema("a", "", f"$.k={value}"), message) == DecodedMessage(taken=False)


_ELEMENTS = {
    '{"k":"x","p":1}': "row",
    '{"k":"x", "p":"2"}': "row",
    '{"k":"x","p":"one"}': "reject",
    '{"k":"x"}': "reject",
    '{"k":"y","p":1}': "ignored",
    "[]": "ignored",
    "null": "ignored",
}


@given(st.lists(st.sampled_from(list(_ELEMENTS)), min_size=1))
def test_each_element_becomes_a_row_a_reject_or_is_ignored_in_its_order(
    elements: list[str],
) -> None:
    outcome = _outcome(_schema("p:int", "", "k=x"), f"[{' ,'.join(elements)}]")
    of = {
        what: [each for each in elements if _ELEMENTS[each] == what]
        for what in ("row", "reject", "ignored")
    }
    assert outcome.taken
    assert outcome.rows == [(int(json.loads(each)["p"]),) for each in of["row"]]
    assert [raw.decode() for raw, _ in outcome.rejects] == of["reject"]
    assert outcome.ignored == len(of["ignored"])


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abd"), inside, max_size=3)
    ),
    max_leaves=8,
)
_TABLES = [
    _schema("a?", "d"),
    _schema("a:int=$.a, b:number?", "", "$.b=1,true"),
    _schema("a=[0], b?=$.a[1].b", "d"),
    _schema("a:bool?=a.b, c:decimal?=a[0]", "", "d=null"),
]


@given(st.dictionaries(st.sampled_from("abd"), _json, max_size=3), st.sampled_from(_TABLES))
def test_neither_the_order_of_members_nor_space_nor_escapes_change_what_is_meant(
    value: dict[str, Any], schema: Schema
) -> None:
    turned = dict(reversed(value.items()))
    one = _outcome(schema, json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    other = _outcome(schema, json.dumps(turned, indent=1))
    assert (one.taken, one.rows, one.ignored) == (other.taken, other.rows, other.ignored)
    # The reasons show a value as it is written.
    assert [reason.partition(", got")[0] for _, reason in one.rejects] == [
        reason.partition(", got")[0] for _, reason in other.rejects
    ]


def _embed(text: str, **others: Any) -> str:
    return json.dumps({"w": text, **others})


@pytest.mark.parametrize(
    ("rows", "where"), [("w|json.d", ()), ("w|json.d?", ()), ("w|json.d?", ("$.c=x",))]
)
def test_rows_may_be_in_the_text_of_a_string(rows: str, where: tuple[str, ...]) -> None:
    schema = _schema("a:int, n:int?=$.w|json.n", rows, *where)
    good = _embed('{"n":7,"d":[{"a":1},{"a":"x"}]}', c="x")
    bad = (b'{"a":"x"}', 'a: Expected a whole number, got "x"')
    assert _outcome(schema, good) == DecodedMessage(rows=[(1, 7)], rejects=[bad])
    for nothing in ("", " ", "null", "{}", '{"d":null}', "5"):
        assert _outcome(schema, _embed(nothing, c="x")) == DecodedMessage(taken=False)
    assert _outcome(schema, '{"w":{"d":{"a":1}},"c":"x"}') == DecodedMessage(taken=False)
    for text in ("x", '{"d":{"a":1}', "{}{}"):
        message = _embed(text, c="x")
        rejects = [(message.encode(), "w is no JSON text")]
        assert _outcome(schema, message) == DecodedMessage(rejects=rejects)
    if where:
        assert _outcome(schema, _embed("x", c="y")) == DecodedMessage(taken=False)


def test_a_string_that_holds_no_json_makes_a_column_bad_and_a_condition_not_hold() -> None:
    schema = _schema("a:int?=w|json.a", "", 'w|json["no"]!=1')
    assert _outcome(schema, _embed('{"a":1}')) == DecodedMessage(rows=[(1,)])
    assert _outcome(schema, _embed(' {"a":1,"no":"1"}')) == DecodedMessage(ignored=1)
    for nothing in ('{"w":""}', '{"w":null}', '{"w":5}', "{}", _embed("[1]")):
        assert _outcome(schema, nothing) == DecodedMessage(rows=[(None,)])
    rejects = [(b'{"w": "x"}', "a: w is no JSON text")]
    assert _outcome(schema, _embed("x")) == DecodedMessage(rejects=rejects)
    assert _outcome(_schema("w", "", "$.w|json.e=t"), _embed("x")) == DecodedMessage(taken=False)
    assert _outcome(_schema("w", "", "w|json.e=t"), _embed("x")) == DecodedMessage(ignored=1)
    assert _outcome(_schema("w", "", "$.w|json absent"), _embed("x")) == DecodedMessage(
        rows=[("x",)]
    )


def test_each_string_of_an_array_is_a_row_or_a_reject() -> None:
    schema = _schema("a:int, r:float=$.r", "w[*]|json")
    message = '{"r":1,"w":["{\\"a\\":1}","x","","{\\"a\\":2}"]}'
    assert _outcome(schema, message) == DecodedMessage(
        rows=[(1, 1.0), (2, 1.0)], rejects=[(b'"x"', "w[*] is no JSON text")], ignored=1
    )
    many = json.dumps({"w": ["x"] * 1001, "r": 1})
    reason = "more than 1,000 of its rows are none; the first: w[*] is no JSON text"
    assert _outcome(schema, many) == DecodedMessage(rejects=[(many.encode(), reason)])
    bad = message.replace('"r":1', '"r":"y"')
    assert _outcome(schema, bad).rejects == [
        (bad.encode(), 'r: Expected a number, got "y" - at $.r')
    ]
