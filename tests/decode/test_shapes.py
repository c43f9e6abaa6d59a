from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fastingest.decode.column_types import column_type
from fastingest.decode.reasons import Unfit
from fastingest.decode.shapes import Columns, MessageShape, shape_of
from fastingest.decode.struct_types import PathNode, access, compiled
from fastingest.model.jsonpath import NoTree, parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import Schema, parse_columns


def _schema(columns: str, rows: str = "", *where: str) -> Schema:
    return Schema(parse_columns(columns), parse_rows(rows), tuple(map(parse_condition, where)))


def _shape(schema: Schema, sample: str) -> MessageShape:
    shape = shape_of(schema, sample.encode())
    assert shape is not None
    return shape


def _run(shape: MessageShape, *messages: str) -> Columns | None:
    return shape.columns([shape.decode(message.encode()) for message in messages])


_TRADES = _schema("p:decimal, s=$.s", "d", "$.e=t", "k=x")


@pytest.mark.parametrize(
    ("rows", "name", "run"),
    [
        ('{"k":"x","p":"1"}', "row", Columns([["1"], ["A"]])),
        ('{"k":"x","p":1.50}', "row", Columns([["1.50"], ["A"]])),
        ('[{"k":"x","p":1}]', "rows", Columns([["1"], ["A"]])),
        ('[{"k":"x","p":1},{"k":"y","p":2}]', "rows", Columns([["1"], ["A"]], [1], 1)),
        ('[{"k":"x","p":"1"},{"k":"x","p":"2"}]', "rows", Columns([["1", "2"], ["A", "A"]], [2])),
        ('[{"k":"y"},{"k":"x","p":"1"}]', "mixed", Columns([["1"], ["A"]], [1], 1)),
        ('[{"k":"x","p":1},{"q":[]}]', "mixed", Columns([["1"], ["A"]], [1], 1)),
    ],
)
def test_a_sample_has_a_shape(rows: str, name: str, run: Columns) -> None:
    message = f'{{"e":"t","s":"A","d":{rows}}}'
    shape = _shape(_TRADES, message)
    assert shape.name == name
    assert _run(shape, message) == run


@pytest.mark.parametrize("rows", ["5", "null", '{"k":"x","p":"one"}', '{"k":"y","p":1}', "[5]"])
def test_what_has_no_rows_has_no_shape(rows: str) -> None:
    assert shape_of(_TRADES, f'{{"e":"t","s":"A","d":{rows}}}'.encode()) is None


def test_paths_that_contradict_each_other_have_no_shape() -> None:
    for columns in ("a, b?=a.b", "a?=x.b, b?=x[0]", 'a=["q\\""]'):
        assert shape_of(_schema(columns), b'{"a":"1","x":{"b":"2"},"q\\"":"3"}') is None


def test_a_message_that_was_not_asked_for_fails() -> None:
    shape = _shape(_TRADES, '{"e":"t","s":"A","d":{"k":"x","p":"1"}}')
    for other in (
        '{"e":"u","s":"A","d":{"k":"x","p":"1"}}',
        '{"s":"A","d":{"k":"x","p":"1"}}',
        '{"e":"t","s":"A","d":{"k":"y","p":"1"}}',
        '{"e":"t","s":"A","d":[{"k":"x","p":"1"}]}',
    ):
        with pytest.raises(msgspec.ValidationError):
            shape.decode(other.encode())


def test_a_condition_of_a_bare_value_is_checked_behind() -> None:
    shape = _shape(_schema("a", "", "$.n=1,true"), '{"a":"x","n":1}')
    assert _run(
        shape, *(f'{{"a":"x","n":{n}}}' for n in ("1", '"1"', "true", '"\\u0031"'))
    ) == Columns([["x"] * 4])
    for other in ("1.0", "2", "[1]", '"\\u0032"', "null"):
        assert _run(shape, '{"a":"x","n":1}', f'{{"a":"y","n":{other}}}') is None


def test_a_single_row_that_is_an_array_is_no_array_of_rows() -> None:
    shape = _shape(_schema("b?=[1]"), '[5,"x"]')
    assert shape.name == "row"
    assert _run(shape, '["a","x"]', "[null,null]", "[1.5]") == Columns([["x", None, None]])
    for other in ('[["a"],"x"]', "[[]]", "[]", '[{"a":1}]'):
        with pytest.raises(msgspec.ValidationError):
            shape.decode(other.encode())


def test_columns_of_the_root_stand_in_each_row_that_is_kept() -> None:
    schema = _schema("s=$.s, p:float", "d", "k=x")
    shape = _shape(schema, '{"s":"A","d":[{"k":"x","p":1}]}')
    x, y = '{"k":"x","p":1}', '{"k":"y","p":2}'
    messages = [f'{{"s":"{s}","d":[{d}]}}' for s, d in zip("ABCD", (x, f"{y},{x},{x}", "", y))]  # noqa: B905
    assert _run(shape, *messages) == Columns(
        [["A", "B", "B"], [1.0, 1.0, 1.0]], [1, 2, 0, 0], ignored=3
    )


def test_a_constant_needs_nothing_of_the_message() -> None:
    schema = _schema("side='b', p:float, s=$.s, kind='x'", "d", "k=x")
    for rows, counts in (('{"k":"x","p":1}', None), ('[{"k":"x","p":1},{"q":[]}]', [1])):
        message = f'{{"s":"A","d":{rows}}}'
        run = _run(_shape(schema, message), message)
        assert run is not None
        assert (run.columns, run.counts) == ([["b"], [1.0], ["A"], ["x"]], counts)


def test_members_are_parsed_in_the_order_of_the_sample() -> None:
    schema = _schema("a?, b?, c?=x.c, d?=x.d")
    sample = b'{"x":{"d":"1","n":0,"c":"2"},"b":"3","a":"4"}'
    shape = _shape(schema, sample.decode())
    parsed: Any = shape.decode(sample)
    names = [field.encode_name for field in msgspec.structs.fields(parsed)]
    assert names == ["x", "b", "a"]
    inner = getattr(parsed, msgspec.structs.fields(parsed)[0].name)
    assert [field.encode_name for field in msgspec.structs.fields(inner)] == ["d", "c"]


def test_what_is_not_there_is_none_at_any_depth() -> None:
    root = PathNode()
    root.at(("a", "b", "c", "d")).kinds.append(column_type("int"))
    text = access(root, ("a", "b", "c", "d"))
    decode = msgspec.json.Decoder(compiled(root, str)).decode
    for message, value in {
        "{}": None,
        '{"a":null}': None,
        '{"a":{"b":{}}}': None,
        '{"a":{"b":{"c":{"d":null}}}}': None,
        '{"a":{"b":{"c":{"d":5}}}}': 5,
    }.items():
        assert eval(text, {"x": decode(message)}) == value


def test_a_value_that_leads_on_is_no_leaf() -> None:
    root = PathNode()
    root.at(("a",)).kinds.append(column_type("int"))
    root.at(("a", "b")).kinds.append(column_type("int"))
    with pytest.raises(NoTree):
        compiled(root, str)


@pytest.mark.parametrize("value", ['""', '"NaN"', "null", "2", '"2.5"'])
def test_a_run_of_messages_with_blank_values_is_read_at_once(value: str) -> None:
    table = _schema("s, b:decimal?, n:float?, t:timestamp[ms]")
    shape = _shape(table, f'{{"s":"A","b":{value},"n":{value},"t":"1.5"}}')
    run = _run(
        shape,
        '{"s":"A","b":"","n":"","t":1}',
        '{"s":"B","b":1,"n":2,"t":"1.5"}',
        '{"s":"C","b":"inf","n":"-∞","t":2.25}',
        '{"s":"D","t":3.0}',
    )
    columns: list[list[Any]] = [
        ["A", "B", "C", "D"],
        [None, "1", None, None],
        [None, 2.0, None, None],
    ]
    assert run == Columns([*columns, [1, "1.5", "2.25", 3]], blanked=2)
    assert _run(shape, '{"s":"A","b":"","n":"x","t":1}') is None
    assert _run(shape, '{"s":"A","b":"","n":"","t":""}') is None


def test_a_row_that_may_begin_with_an_array_has_a_shape_only_as_one_of_many() -> None:
    table = _schema("c:json=[0], i:int?=[1]")
    assert shape_of(table, b'["a",1]') is None
    assert _shape(table, '[["a",1]]').name == "rows"


@pytest.mark.parametrize(
    ("rows", "name", "run"),
    [
        ('{"k":"x","p":1.50}', "row", Columns([["1.50"], ["A"], [7]])),
        (
            '[{"k":"x","p":"1"},{"k":"x","p":"2"}]',
            "rows",
            Columns([["1", "2"], ["A"] * 2, [7] * 2], [2]),
        ),
        ('[{"k":"x","p":1},{"q":[]}]', "mixed", Columns([["1"], ["A"], [7]], [1], 1)),
    ],
)
def test_the_text_of_a_string_has_a_shape(rows: str, name: str, run: Columns) -> None:
    schema = _schema("p:decimal, s=$.s, n:int?=$.w|json.n", "w|json.d", "$.w|json.e=t", "k=x")
    text = f'{{"e":"t","n":7,"d":{rows}}}'
    message = json.dumps({"s": "A", "w": text})
    shape = _shape(schema, message)
    assert shape.name == name
    assert _run(shape, message) == run
    for other in ("", "x", "null", text[1:], text.replace('"t"', '"u"')):
        with pytest.raises(Unfit):
            shape.decode(json.dumps({"s": "A", "w": other}).encode())
    with pytest.raises(Unfit):
        shape.decode(f'{{"s":"A","w":{text}}}'.encode())
