"""The native reader against the decoders in Python: certain and the same, or nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.model.chunks import cells
from fastingest.model.schema import TRADES, Schema, parse_columns
from fastingest.native.parse_plan import plan_of
from tests.support.any_feed import feeds, mixed, schema_of
from tests.support.embedded import embedded, embedded_table, ways_to_embed
from tests.support.native import native_module

native = native_module("_parser")

PADDING = b" " * 16  # a shorter message is not read natively


def _reader(schema: Schema) -> Any:
    plan = plan_of(schema)
    assert plan is not None
    return native.RowParser(plan)


def _read(rows: Any) -> list[list[Any]]:
    """All cells, a list for each row."""
    chunks = rows.columns.chunks(0, rows.columns.rows)
    return [list(row) for row in zip(*map(cells, chunks), strict=True)]


def _decode(schema: Schema, message: bytes) -> tuple[list[list[Any]], int, int, int]:
    """Rows, rejects, ignored ones and blanked cells, as Python has them."""
    decoder = FeedDecoder([schema], 10**9)
    decoder.decode([message], [(1, 1)])
    (table,) = decoder.tables
    rejects = table.rejects
    columns = table.take().columns()
    return (
        [list(row) for row in zip(*columns, strict=True)],
        rejects,
        decoder.ignored,
        table.blanked,
    )


def _exact(rows: list[list[Any]]) -> list[list[tuple[str, str]]]:
    """In which 1, 1.0 and True are not the same, nor 0.0 and -0.0."""
    return [[(type(cell).__name__, repr(cell)) for cell in row] for row in rows]


def _whole_as_read(schema: Schema, rows: list[list[Any]], like: list[list[Any]]) -> Any:
    """The rows with doubles of number columns as integers where ``like`` has integers."""
    types = [column.type for column in schema.columns if not column.is_metadata]
    return [
        [
            int(cell) if type_ == "number" and type(cell) is float and type(other) is int else cell
            for cell, other, type_ in zip(row, others, types, strict=True)
        ]
        for row, others in zip(rows, like, strict=True)
    ]


def check(schema: Schema, messages: Sequence[bytes]) -> int:
    """Hold the native reader to Python, message by message; how many it was certain about."""
    rows = _reader(schema)
    expected: list[list[Any]] = []
    certain = ignored = blanked = 0
    for message in messages:
        before = rows.columns.rows, rows.ignored, rows.blanked
        if rows.parse(message):
            found, rejects, left_out, empty = _decode(schema, message)
            assert not rejects
            expected += found
            ignored += left_out
            blanked += empty
            certain += 1
        else:
            assert (rows.columns.rows, rows.ignored, rows.blanked) == before
    assert (rows.ignored, rows.blanked) == (ignored, blanked)
    read = _read(rows)
    assert len(read) == len(expected)
    assert _exact(_whole_as_read(schema, read, expected)) == _exact(expected)
    return certain


@given(feeds())
@settings(max_examples=150)
def test_what_it_reads_of_any_described_feed_is_what_python_reads(
    feed: tuple[list[Schema], list[bytes]],
) -> None:
    tables, messages = feed
    for schema in tables:
        if plan_of(schema) is not None:
            check(schema, [PADDING + message for message in messages])


@given(mixed())
@settings(max_examples=150)
def test_what_it_reads_of_mixed_arrays_is_what_python_reads(
    feed: tuple[list[Schema], list[bytes]],
) -> None:
    tables, messages = feed
    for schema in tables:
        check(schema, messages)


@given(feeds() | mixed(), ways_to_embed)
@settings(max_examples=150)
def test_what_is_certain_of_a_message_is_certain_where_it_is_in_a_string(
    feed: tuple[list[Schema], list[bytes]], way: str
) -> None:
    tables, messages = feed
    messages = [message for message in messages if message.isascii()]
    for schema in tables:
        inside = embedded_table(schema)
        if plan_of(schema) is not None and plan_of(inside) is not None:
            certain = check(inside, [embedded(message, way) for message in messages])
            assert certain >= check(schema, messages)


_NUMBERS = st.sampled_from(
    ["0", "-0", "1", "-1", "00", "01", "1.", ".5", "1.5", "-0.0", "1e5", "+1"]
)
_DIGITS = st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
_ODD = st.sampled_from(
    ['"A"', '"é"', '"\\u0041"', '"a\x01"', '"a\x7f"', "null", "true", "[]", "{}"]
)
_values = _NUMBERS | _DIGITS | _ODD
_quoted = (_NUMBERS | _DIGITS).map(lambda text: f'"{text}"')
_names = st.sampled_from(["symbol", "price", "volume", "other", "pric\\u0065", ""])
_space = st.sampled_from(["", "", " ", "\n\t", "\r ", "\x0b"])


@st.composite
def _records(draw: st.DrawFn) -> str:
    """A trade, or nearly."""
    members = [
        ("symbol", draw(st.sampled_from(['"AAPL"', '"MSFT"', '""']) | _ODD)),
        ("price", draw(_values | _quoted)),
        ("volume", draw(_values | _quoted)),
        *draw(st.lists(st.tuples(_names, _values | _quoted), max_size=2)),
    ]
    members = draw(st.permutations(members))[draw(st.sampled_from([0, 0, 0, 1])) :]
    space = draw(_space)
    inside = (f'"{name}"{space}:{space}{value}' for name, value in members)
    return "{" + f"{space},{space}".join(inside) + "}"


@given(st.lists(_records() | st.lists(_records(), max_size=3).map(lambda e: f"[{','.join(e)}]")))
@example(
    ['{"symbol": "A", "price": 1.5, "volume": 1.0}', '{"symbol": "A", "price": 1, "volume": 1}']
)
@settings(max_examples=150)
def test_what_it_reads_of_trades_is_what_python_reads(messages: list[str]) -> None:
    check(TRADES, [message.encode() for message in messages])


@given(st.lists(st.binary(min_size=16, max_size=80)))
def test_no_bytes_make_it_fail(messages: list[bytes]) -> None:
    check(TRADES, [*messages, *(b"{" + message + b"}" for message in messages)])


@given(
    st.sampled_from(
        [
            b'{"symbol": "AAPL", "price": 145.67, "volume": 1500, "x": [1, {"y": null}]}',
            b'[{"symbol": "AAPL", "price": "1.25"}, {"symbol": "", "price": -7e-3, "volume": 0.5}]',
        ]
    ),
    st.data(),
)
@settings(max_examples=150)
def test_a_changed_byte_is_seen(message: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(message) - 1))
    changed = data.draw(st.binary(max_size=2))
    check(TRADES, [message[:position] + changed + message[position + 1 :]])


def test_messages_cut_at_any_byte_are_not_read() -> None:
    message = b'{"symbol": "AAPL", "price": 145.67, "volume": 1500}'
    rows = _reader(TRADES)
    assert [size for size in range(len(message) + 1) if rows.parse(message[:size])] == [
        len(message)
    ]


CERTAIN: list[tuple[Schema, list[str]]] = [
    (
        TRADES,
        [
            '{"symbol": "AAPL", "price": 145.67, "volume": 1500}',
            '{"symbol":"AAPL","price":"145.67","volume":null}',
            ' {"volume": 2.5, "price": 1e-7, "symbol": "AAPL", "venue": [{"a": []}, "x", -1.5]} \n',
            '[{"symbol": "A", "price": 0.1}, {"symbol": "B", "price": 145.67000000000002}]',
        ],
    ),
    (
        schema_of(
            "s, p:decimal, q:decimal, t:int, T:timestamp[ms], m:bool", "data", "$.data.e=trade"
        ),
        [
            '{"stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,'
            '"p":"0.00100000","q":"100","T":1672515782136,"m":true,"M":true}}',
            '{"stream":"x","data":{"e":"quote","s":[{}]}}',
        ],
    ),
    (
        schema_of("s, p:float, v:number, t:timestamp[ms]", "data", "$.type=trade"),
        [
            '{"data":[{"c":["1","12"],"p":7296.89,"s":"BTC","t":1575526691134,"v":0.011467},'
            '{"c":null,"p":7296,"s":"BTC","t":1575526691134,"v":3}],"type":"trade"}',
        ],
    ),
    (
        schema_of(
            "symbol=$[3], price:decimal=[0], time:timestamp[s]=[2], side?=[9]", "[1]", "$[2]=trade"
        ),
        [
            '[337,[["5541.20000","0.15850568","1534614057.321597","s","l",""],'
            '["6060.00000","0.02455000","1534614057.324998","b","l",""]],"trade","XBT/USD"]'
        ],
    ),
    (
        schema_of("id=$.id, price:decimal=[0], size:decimal=[1]", "c.bids?", "$.type=u"),
        [
            '{"type":"u","id":"X","c":{"bids":[["1.5","2"],["1.4","3"]],"asks":[]}}',
            '{"type":"u","id":"X","c":{"asks":[["1.6","3"]]}}',
            '{"type":"u","id":"X","c":{"bids":[],"asks":[["1.6","3"]]}}',
            '{"c":{"bids":null},"type":"u","id":"X"}',
            '{"c":{"bids":[["1","2"]]},"type":"v","id":"X"}',
        ],
    ),
    (
        schema_of(
            "pair=$[-1], price:decimal=[0], side=[-3], was?=[-9]", "[1].a", "$[-2]=book-1000"
        ),
        [
            '[9,{"a":[["1.5","2","1.0"],["1.5","x","s","y","1.0"]]},"book-1000","AAA/BBB"]',
            '[9,{"a":[["1.5","2","1.0"]]},{"b":[],"c":"1"},"book-1000","AAA/BBB"]',
            '[9,{"a":[["1.5","2","1.0"]]},"book-100","AAA/BBB"]',
        ],
    ),
    (
        schema_of("a:int=[-16], b:int?=[-1]", "[-1]"),
        ["[0, 1, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]]"],
    ),
    (
        schema_of("side='b', id=$.id, price:decimal=[0], kind='é\"'", "bids", "$.type=u"),
        [
            '{"type":"u","id":"X","bids":[["1.5","2"],["1.4","3"]],"asks":[]}',
            '{"type":"v","id":"X","bids":[["1.5","2"]]}',
            '{"type":"u","id":"X","bids":[]}',
            '{"type":"u","id":"X","bids":[["1.5","2"]]}',
        ],
    ),
    (
        schema_of(
            "side, same?=side, price:decimal",
            "d?",
            "$.e!=a,b",
            "$.id^=BTC-,ETH-",
            "$.x absent",
            "side~=b*,?ell",
            "price exists",
            "side!=back",
            "k absent",
        ),
        [
            '{"e":"c","id":"BTC-1","d":[{"side":"buy","price":1},{"side":"tell","price":1}]}',
            '{"id":"ETH-1","d":[{"side":"back","price":1},{"side":"bell","price":1,"k":null}]}',
            '{"e":{},"id":"ETH-1","d":[{"side":"b","price":null},{"side":"sells","price":1}]}',
            '{"e":[1],"id":"ETH-1","x":null,"d":[{"side":"b","price":1,"k":0},{"price":1}]}',
            '{"e":"b","id":"BTC-1","d":[{"side":"buy","price":1}]}',
            '{"e":"c","id":"BTC","d":[{"side":"buy","price":1}]}',
            '{"e":"c","id":"BTC-1","x":[],"d":[{"side":"buy","price":1}]}',
            '{"e":"c","id":{},"d":[{"side":"buy","price":1}]}',
            '{"e":"c","id":"BTC-1","other":"something"}',
        ],
    ),
    (
        schema_of("i:int, n=@index, e=$.e, place=@rows", "t=events[*].trades", "i!=3"),
        [
            '{"events":[{"trades":[{"i":1},{"i":3},{"i":"2"}]},{"trades":[]},{"x":1}],"e":"A"}',
            '{"e":"A","events":[{"trades":{"i":4}},{"trades":null},{"trades":[{"i":3}]}]}',
            '{"e":"A","events":[                ]}',
            '{"e":"A","events":[{"trades":[{"i":1},{"i":2}]},{"trades":[{"i":5}]}]}',
            '{"e":"A","something":"else"}',
        ],
    ),
    (
        schema_of("k=@key, v:decimal=@value, n=@index, side='mid'", "mids.*", "$.ch=mids"),
        [
            '{"ch":"mids","mids":{"AAA":"1.50","BBB":2.5,"C":["7",8],"D":null}}',
            '{"ch":"other","mids":{"AAA":"1.5","BBB":"2.5"}}',
            '{"ch":"mids","mids":{    }}',
            '{"mids":{"AAA":"3","BBB":"4"},"ch":"mids"}',
        ],
    ),
    (
        schema_of("price:decimal=@key, size:int=@value, side=@rows", "bid=d.b.*, d.a.*?"),
        [
            '{"d":{"b":{"1.50":7,"1.49":8},"a":{"1.60":"9"}}}',
            '{"d":{"a":{"1.60":"9"},"b":{"1.50":7}}}',
            '{"d":{"b":{"1.50":7,"1.49":8}}}',
            '{"d":{"b":{},"a":{  }}}',
            '{"d":{"c":{}},"other":1}',
        ],
    ),
    (
        schema_of("s=$.s, side=@rows, price:decimal=[0], n=@index", "data.b, ask=data.a?"),
        [
            '{"s":"A","data":{"a":[["2","5"],["3","6"]],"n":1,"b":[["1.5","4"]]}}',
            '{"data":{"b":[["1.5","4"]],"a":[]},"s":"A"}',
            '{"data":{"b":["1.5","4"],"a":null},"s":"A"}',
        ],
    ),
    (
        schema_of("outer?=$.x, k?=@key, v:int?=@value", "d.*.*"),
        [
            '{"d":{"A":{"a":1,"b":null},"B":{},"C":{"a":2}}}',
            '{"d":{"A":{"a":[1,null,3]},"B":{"a":1}}}',
        ],
    ),
    (
        schema_of("k:json=@key, n:int?=@key, v:json=@value, w:float?=@value", "d.*.*", "$.t=x"),
        [
            '{"t":"x","d":{"A":{"NaN":"inf","7":[null,"-inf",1]},"B":{"":"","8":2.50}}}',
            '{"d":{"A":{"NaN":"inf"}},"t":"another"}',
            '{"t":"x","d":{"A":{"inf":"nan"},"B":{"7":null}}}',
        ],
    ),
    (
        schema_of("k:json=@key, v:json=@value", "d.*"),
        ['{"d":{"A":{"x": [1]},"B":[[2 ],null,"y"],"C":3.0}}'],
    ),
    (
        schema_of("p:float?=[-2], q:float?=$.q, raw:json=[-1]", "a[*].t, b?", "[0]!=x"),
        [
            '{"a":[{"t":[["NaN",{}],["x","inf",1]]},{"t":[1,"",[2]]}],"q":"NaN"}',
            '{"q":"inf","b":[["x","nan","inf",3],["y","nan","inf"]],"a":[{"t":["inf",4]}]}',
        ],
    ),
    (
        schema_of("k=@key, p:float, q?=q", "*"),
        ['{"AAA":{"p":1.5},"BBB":[{"p":2.5},{"p":3,"q":"x"}],"C":[]}'],
    ),
    (
        schema_of("product=$.product_id, time:timestamp[iso], price:decimal", "trades"),
        [
            '{"product_id":"BTC-USD","trades":[{"time":"2023-02-09T20:32:50.714964855Z","price":"1"},'
            '{"price":2.50,"time":"1999-12-28T23:59:59Z"}]}'
        ],
    ),
]


@pytest.mark.parametrize(("schema", "messages"), CERTAIN)
def test_it_is_certain_about_what_venues_send(schema: Schema, messages: list[str]) -> None:
    assert check(schema, [message.encode() for message in messages]) == len(messages)


@pytest.mark.parametrize("size", [2, 127, 128, 129, 300])
def test_members_are_found_in_any_order_however_many(size: int) -> None:
    names = [f"n{n}" if n % 3 else f"a_longer_name_{n}" for n in range(size)]
    schema = schema_of(f"first:int={names[0]}, last:int={names[-1]}")
    orders = [names, names, names[::-1], names[::-1], names[1:] + names[:1], names]
    messages = [json.dumps({name: n for n, name in enumerate(order)}) for order in orders]
    assert check(schema, [message.encode() for message in messages]) == len(orders)


@pytest.mark.parametrize(
    "message",
    [
        '{"symbol": "A\\u0041", "price": 1, "volume": 1}',
        '{"symbol": "é", "price": 1, "volume": 1}',
        '{"symbol": "A", "price": 1, "price": 2}',
        '{"symbol": "A", "price": 1, "volume": 9223372036854775808}',
        '{"symbol": "A", "price": null, "volume": 1}',
        '{"symbol": "A", "volume": 1, "open": 3.5}',
        '{"symbol": 5, "price": 1, "volume": 1500}',
        '{"AAPL": 145.67, "MSFT": 289.12}',
        '{"ping": 1795729903425}',
        "[                   ]",
        '[{"symbol": "A", "price": 1.5}, 5]',
        '{"symbol": "A", "price": 1.5}, {}',
    ],
)
def test_what_it_is_not_certain_about_is_left(message: str) -> None:
    assert check(TRADES, [message.encode()]) == 0


@pytest.mark.parametrize(
    ("value", "certain"),
    [("16725157", 1), ('"16725157"', 1), ("167251571234", 1), ("1672515712345678", 0)],
)
def test_seconds_of_as_many_digits_as_a_word_has_bytes(value: str, certain: int) -> None:
    assert check(schema_of("at:timestamp[s]"), [b'{   "at": %b}' % value.encode()]) == certain


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63) + 1, 10**18, 1672515782136000001])
def test_integers_of_nineteen_digits(value: int) -> None:
    assert check(schema_of("n:int"), [b'{"n": %d}' % value]) == 1


@pytest.mark.parametrize(
    "schema",
    [
        schema_of("a:int, b:int=a.b"),  # a value cannot be both
        schema_of("a:int=x[0], b:int=x.y"),
        schema_of("a:int", "d", "$.d exists"),
        schema_of("a:int=[-17]"),
        schema_of("a:int=@value, b:int?=b", "d.*"),
        schema_of("a=@key, b=$.b", "d.*"),
        schema_of("a:int=a", "d[-1], d[0]"),
        schema_of("a:int=a, b?=$.d.b", "d.*"),
        schema_of("a:int=a, i:timestamp[ms]=@index", "d.*"),
        schema_of("a:int=$.x", "d"),  # which says only that there must be something
    ],
)
def test_what_cannot_be_walked_through_once_is_left_to_python(schema: Schema) -> None:
    assert plan_of(schema) is None


@pytest.mark.parametrize(
    "message",
    [
        '{"mids":{"AAA":1,"BBB":2,"AAA":3}}',  # of which the last one counts
        '{"mids":{"AA\\u0041":1,"BBB":2}}',
        '{"mids":{"AAA":1,"BBB":{"x":2}}}',
        '{"mids":[1,2,3,4,5,6,7,8,9]}',
        '{"mids":{"AAA":1,"BBB":2} ',
    ],
)
def test_of_members_that_each_are_rows_what_is_not_certain_is_left(message: str) -> None:
    assert check(schema_of("k=@key, v:int=@value", "mids.*"), [message.encode()]) == 0


@pytest.mark.parametrize(("size", "certain"), [(2, 1), (4096, 1), (4097, 0)])
def test_as_many_members_as_there_is_room_for_are_rows(size: int, certain: int) -> None:
    schema = schema_of("k=@key, v:int=@value", "mids.*")
    message = json.dumps({"mids": {f"symbol {n}": n for n in range(size)}}).encode()
    assert check(schema, [message, message]) == 2 * certain


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["repr", ".17g", "f"]))
@settings(max_examples=1000)
def test_doubles_are_exact(value: float, form: str) -> None:
    text = repr(value) if form == "repr" else format(value, form)
    schema = schema_of("a:float")
    rows = _reader(schema)
    if rows.parse(b'{          "a":%b}' % text.encode()):
        assert _exact(_read(rows)) == _exact([[float(text)]])
    else:
        assert float(text) == 0 or len(text) >= 64 or abs(value) < 1e-98 or abs(value) > 1e98


def test_values_are_counted_until_they_stop_repeating() -> None:
    rows = _reader(schema_of("id, side"))
    messages = [f'{{"id": "trade-{n}", "side": "{"bs"[n % 2]}"}}' for n in range(5000)]
    assert check(schema_of("id, side"), [message.encode() for message in messages]) == 5000
    for message in messages:
        rows.parse(message.encode())
    first, second = rows.columns.chunks(0, 5000)
    assert (first.kind, second.kind) == ("text", "codes")
    rows.columns.begin(5000)
    rows.parse(messages[0].encode())
    assert [chunk.kind for chunk in rows.columns.chunks(0, 1)] == ["text", "codes"]


def test_numbers_are_integers_until_the_first_double() -> None:
    schema = parse_columns("n:number")
    rows = _reader(Schema(schema))
    for n, kind in (("1", "i8"), ("-2", "i8"), ("0.5", "f8"), ("3", "f8")):
        assert rows.parse(f'{{              "n": {n}}}'.encode())
        (chunk,) = rows.columns.chunks(0, rows.columns.rows)
        assert chunk.kind == kind
    assert not rows.parse(b'{              "n": 9007199254740993}')  # no double is that
    assert cells(chunk) == [1.0, -2.0, 0.5, 3.0]


def test_an_integer_that_is_no_double_is_kept_from_doubles() -> None:
    rows = _reader(Schema(parse_columns("n:number")))
    assert rows.parse(b'{              "n": 9007199254740993}')
    assert not rows.parse(b'{              "n": 0.5}')
    assert _read(rows) == [[9007199254740993]]


def test_rows_decoded_in_python_come_between() -> None:
    rows = _reader(TRADES)
    message = b'{"symbol": "A", "price": 1.5, "volume": 1}'
    assert rows.parse(message)
    rows.columns.extend([["é", "B"], [2.5, 3.5], [None, 2.5]])
    assert rows.parse(message)
    assert _read(rows) == [["A", 1.5, 1], ["é", 2.5, None], ["B", 3.5, 2.5], ["A", 1.5, 1]]
    wide = str(10**30)
    rows.columns.extend([["C"], [4.5], [wide]])
    assert not rows.parse(message)  # until the batch is closed
    assert _read(rows)[-1] == ["C", 4.5, wide]
    rows.columns.begin(5)
    assert rows.parse(message)
    assert _read(rows) == [["A", 1.5, 1]]


def test_a_message_that_shall_not_be_taken_is_ignored() -> None:
    schema = schema_of("s, p:float", "d", "$.e=trade")
    rows = _reader(schema)
    assert rows.parse(json.dumps({"e": "quote", "d": [{"s": "A", "p": 1}]}).encode())
    assert rows.parse(json.dumps({"e": "trade", "d": [{"s": "A", "p": 1}]}).encode())
    assert rows.parse(json.dumps({"d": {"s": "A", "p": 1}, "e": ["trade"]}).encode())
    assert (rows.ignored, _read(rows)) == (2, [["A", 1.0]])


@pytest.mark.parametrize(
    ("message", "row", "blanked"),
    [
        ('{"s":"A","b":"","a":"1.5"}', ["A", None, "1.5", None, None, None], 0),
        ('{"s":"","b":"NaN","a":"-\u221e"}', ["", None, None, None, None, None], 2),
        ('{"s":"A","i":"+Infinity","t":"","m":""}', ["A", None, None, None, None, None], 1),
    ],
)
def test_empty_strings_and_what_is_no_number_are_empty_cells(
    message: str, row: list[Any], blanked: int
) -> None:
    schema = schema_of("s=s, b:decimal?=b, a:decimal?=a, i:int?, t:timestamp?, m:timestamp[ms]?")
    text = json.dumps(json.loads(message), ensure_ascii=False).encode()
    assert check(schema, [text]) == 1
    rows = _reader(schema)
    assert rows.parse(text)
    assert (_read(rows), rows.blanked) == ([row], blanked)
    required = schema_of("s=s, b:decimal, a:decimal?, i:int, t:timestamp?, m:timestamp[ms]")
    assert not _reader(required).parse(text)


def test_a_row_that_is_left_out_has_no_blanked_cells() -> None:
    schema = schema_of("p:float?, q:float?=$.q", "d", "k=x")
    row, other = '{"p":"nan","k":"x"}', '{"p":"nan","k":"y"}'
    assert check(schema, [f'{{"q":"inf","d":[{row},{other},{row}]}}'.encode()]) == 1
    assert check(schema, [f'{{"q":"inf","d":[{other}]}}'.encode()]) == 1
    assert check(schema, [f'{{"d":[{row},{row[:-1]}'.encode()]) == 0


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("2026-01-31 10:00:00.123456", "2026-01-31T10:00:00.123456Z"),
        ("2026-01-01t10:00:00z", "2026-01-01T10:00:00Z"),
        ("2026-04-30T10:00:00", "2026-04-30T10:00:00Z"),
        ("2026-02-28 23:59:59." + "1" * 43, "2026-02-28T23:59:59." + "1" * 43 + "Z"),
        ("2026-02-28 23:59:59." + "1" * 45, None),
        ("2026-04-31T10:00:00", None),
        ("2026-06-31T10:00:00Z", None),
        ("2026-02-29T10:00:00Z", None),
        ("2026-01-01T10:00:00.", None),
        ("2026-01-01T10:00", None),
        ("2026-01-01", None),
    ],
)
def test_a_time_that_lacks_its_offset_is_put_right(text: str, cell: str | None) -> None:
    schema, message = schema_of("t:timestamp"), json.dumps({"t": text}).encode()
    assert check(schema, [message]) == (cell is not None)
    rows = _reader(schema)
    if rows.parse(message):
        assert _read(rows) == [[cell]]


def test_a_value_is_kept_as_it_came() -> None:
    schema = schema_of("i:int=i, c:json=c, d:json?=d")
    values = ['["@","I"]', '{"x": [1 ,2.50] }', '"a"', "1.50", "true", '""', "[]"]
    messages = [f'{{"i":1, "c": {value} ,"d":{value}}}'.encode() for value in values]
    messages += [b'{"i":1,"c":null,"d":null}', b'{"i":1,"c":[null] }']
    assert check(schema, messages) == len(messages)
    rows = _reader(schema)
    for message in messages:
        assert rows.parse(message)
    cells_ = [[1, value, value] for value in values] + [[1, None, None], [1, "[null]", None]]
    assert _read(rows) == cells_
    for message in (b'{"i":1,"d":[1,2,3]}', b'{"i":1,"c":[1,2,]}', b'{"i":1,"c":["\\u00e9"]}'):
        assert not rows.parse(message)


def _embed(**members: Any) -> bytes:
    return json.dumps({"c": "x", "w": json.dumps(members)}).encode()


def test_rows_in_the_text_of_a_string_are_read_as_others() -> None:
    schema = schema_of("s, p:decimal, id:int=$.w|json.id, c=$.c", "w|json.d", "$.w|json.t=trade")
    rows = _reader(schema)
    trades = [{"s": "A", "p": "1.50"}, {"p": 2.25, "s": "B"}]
    messages = [_embed(t="trade", id=1, d=trades), _embed(d=trades[0], id=2, t="trade")]
    for message in [*messages, _embed(t="quote", id=3, d=trades), b'{"c":"x","w":""      }']:
        assert rows.parse(message)
    expected = [["A", "1.50", 1, "x"], ["B", "2.25", 1, "x"], ["A", "1.50", 2, "x"]]
    assert _read(rows) == expected
    assert rows.ignored == 2
    assert check(schema, messages) == 2


def test_nothing_in_a_string_is_as_nothing_there() -> None:
    schema = schema_of("s, p:float?=w|json.p", "d")
    there = [b'{"d":{"s":"A","w":"{\\"p\\":1.5}"}}', b'{"d":{"s":"A","w":" \\n" }}    ']
    there += [b'{"d":{"s":"A","w":null}}    ', b'{"d":{"s":"AAPL"}}']
    assert check(schema, there) == 4
    rows = _reader(schema)
    for broken in ("{", "{}}", "x", "5", '{"p":1}x', '{"p":01}', "[1]", '{"p":"\u00e9"}', "é"):
        message = json.dumps({"d": {"s": "A", "w": broken}}, ensure_ascii=False).encode()
        assert not rows.parse(message), broken
    assert not rows.parse(b'{"d":{"s":"A","w":{"p":1}}}')
    assert not rows.parse(b'{"d":{"s":"A","w":"{\\u00e9"}}')


def test_what_is_read_last_is_kept_until_then() -> None:
    """Of each message, whatever the size of the texts, and however deep they are."""
    schema = schema_of(
        "k=@key, s, n:json=$.m|json.n|json.n, last=$.m|json.last, p:float=w|json.p",
        "d|json.*",
    )
    messages = []
    for size in (1, 100, 5000, 30_000, 200_000, 20):
        pad = "x" * size
        members = {f"k{i}": {"s": f"s{i}", "w": json.dumps({"p": i, "q": pad})} for i in range(3)}
        inner = json.dumps({"n": [size, pad]})
        messages.append(
            json.dumps(
                {
                    "m": json.dumps({"last": f"l{size}", "n": inner}),
                    "d": json.dumps(members),
                    "z": json.dumps({"y": pad}),
                }
            ).encode()
        )
    assert check(schema, messages) == len(messages)
    rows = _reader(schema)
    assert all(map(rows.parse, messages[:2]))
    assert _read(rows)[3] == ["k0", "s0", json.dumps([100, "x" * 100]), "l100", 0.0]


def test_the_key_may_be_of_the_message_around_the_text() -> None:
    schema = schema_of("k=@key, s, raw:json=x", "m.*|json")
    messages = [
        b'{"m":{"AAA":"{\\"s\\":\\"A\\",\\"x\\":[1, 2]}","B":"{\\"x\\":{},\\"s\\":\\"b\\"}"}}'
    ]
    assert check(schema, messages) == 1
    rows = _reader(schema)
    assert rows.parse(messages[0])
    assert _read(rows) == [["AAA", "A", "[1, 2]"], ["B", "b", "{}"]]


@pytest.mark.parametrize(
    ("string", "is_certain"),
    [
        (r'"a\"b\\c\/\b\f\n\r\t\u0041\u007f\u001F"', True),
        (r'"\u00c4"', False),
        (r'"\u0g41"', False),
        (r'"\u004"', False),
        (r'"\x"', False),
        ('"\\', False),
        ('"é"', False),
        ('"\\"\n"', False),
    ],
)
def test_a_string_that_is_passed_over_may_have_escapes(string: str, is_certain: bool) -> None:
    message = f'{{"s":"A","other":[{string}],"b":{{"c":{string}}}}}'.encode()
    assert check(schema_of("s"), [message]) == is_certain
