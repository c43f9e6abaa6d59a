"""The native reader held to the decoders in Python: what :mod:`tests.fuzz.fuzz_rows` looks for.

Whatever the bytes are, the native reader either says that it is not certain, and has changed
nothing, or it has exactly the rows that the decoder in Python has, which rejects nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from fastingest.config.catalog import known_feed
from fastingest.decode.decoder import Decoder
from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.decode.memory import Memory
from fastingest.decode.values import ValueTree
from fastingest.model.chunks import cells, decode, encode
from fastingest.model.feed import remembered_in
from fastingest.model.jsonpath import JsonPath, parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import TRADES, Schema, parse_columns
from fastingest.native._parser import RowParser
from fastingest.native.parse_plan import ParsePlan, plan_of
from tests.feeds.recorded import messages_of

__all__ = ["SHAPES", "Shape", "compare", "decoder_of"]


class Shape(NamedTuple):
    """A table, and messages of a feed that has it; and what was remembered before, by "id"."""

    schema: Schema
    messages: list[bytes]
    remembered: tuple[bytes, ...] = ()


# All types, of a root that has columns itself, and of rows of which each may lack one.
_EVERYTHING = Schema(
    parse_columns(
        "s:str, i:int?, f:float?, n:number?, d:decimal?, b:bool?, ts:timestamp[s]?, "
        "us:timestamp[us]?, ns:timestamp[ns]?, iso:timestamp?, "
        "us9:timestamp[us:9]?, ns6:timestamp[ns:6]?, s3:timestamp[s:3]?, iso6:timestamp[iso:6]?, "
        "raw:json?, id:int=$.id, note:str?=$.note, raws:json?=$.raws"
    ),
    parse_rows("data.rows"),
    (parse_condition("$.type=row,rows"), parse_condition("take=true,1")),
)
_EVERYTHING_SENT = [
    b'{"type":"rows","id":7,"note":"x","data":{"rows":[{"s":"A","i":-12,"f":0.1,"n":3,"d":"0.10",'
    b'"b":true,"ts":1672515782.25,"us":1672515782136001,"ns":167251578213600001,'
    b'"iso":"2023-01-01T00:00:00.5Z",'
    b'"us9":1672515782136001,"ns6":1672515782136001000,'
    b'"s3":"1672515782.25","iso6":"2023-01-01 00:00:00.123456",'
    b'"raw":[1,{"x":null}],"take":true},{"take":1,"n":2.5,"f":"17","s":"B"}]}}',
    b'{"data":{"rows":{"take":"1","s":"","n":null,"iso":"1999-02-28T23:59:59Z"}},"id":1,"type":"row"}',
]
_TRADES_SENT = [
    b'{"symbol": "AAPL", "price": 145.67, "volume": 1500}',
    b'{"symbol":"MSFT","price":"289.12","other":[{"x":[1,-2.5e3]},null,"y"],"volume":0.25}',
    b'[{"symbol":"A","price":1,"volume":12},{"volume":null,"price":1e2,"symbol":"B"}]',
    b'{"AAPL": 145.67, "MSFT": 289.12}',
    b'{"ping": 1795729903425}',
]
_KNOWN = (
    "binance-trades",
    "finnhub-trades",
    "kraken-trades",
    "kraken-v1-trades",
    "coinbase-matches",
    "deribit-trades",
    "binance-depth",
    "bybit-orderbook",
    "coinbase-advanced-trades",
    "hyperliquid-trades",
    "kraken-book",
    "okx-books",
)

# A side of a book, which may be missing.
_LEVELS = Schema(
    parse_columns("id=$.id, price:decimal=[0], size:float=[1], last?=[-1], was?=[-3], side='b'"),
    parse_rows("c.bids?"),
    (parse_condition("$.type=u"),),
)
_LEVELS_SENT = [
    b'{"type":"u","id":"X","c":{"bids":[["1.5","2"],["1.4","3"]],"asks":[]}}',
    b'{"type":"u","id":"X","c":{"asks":[["1.6","3"]]}}',
    b'{"type":"u","id":"X","c":{"bids":[],"asks":[["1.6",3]]}}',
    b'{"c":{"bids":null},"type":"u","id":"X"}',
]

# All that a condition may say.
_CONDITIONS = Schema(
    parse_columns("id, side=d.side, price:number=d.price"),
    where=tuple(
        map(
            parse_condition,
            ["$.e!=b,1", "id^=BTC-,ETH", "d.side~=b*y,?e*", "d.price exists", "$.error absent"],
        )
    ),
)
_CONDITIONS_SENT = [
    b'{"e":"a","id":"BTC-1","d":{"side":"buy","price":1.5}}',
    b'{"id":"ETH","d":{"side":"sell","price":"7"},"error":null}',
    b'{"e":"b","id":"BTC-1","d":{"side":"buy","price":1.5}}',
    b'{"e":2,"id":"BTC","d":{"side":"bay","price":1.5}}',
    b'{"e":[],"id":"BTC-","d":{"side":"bays","price":null}}',
    b'{"e":{},"id":"BTC-","d":{"side":"bay","price":1},"error":{"code":5}}',
]

# Rows of each member, of several places, with all that is known of where they are.
_BOOKS = Schema(
    parse_columns("s?=$.s, price:decimal=@key, size:number=@value, side=@rows, n=@index"),
    parse_rows("bid=d.b.*, ask=d.a.*?"),
    (parse_condition("$.e=book"),),
)
_BOOKS_SENT = [
    b'{"e":"book","s":"A","d":{"b":{"1.50":7,"1.49":"8.5"},"a":{"1.60":[9,10]}}}',
    b'{"d":{"a":{"1.60":"9","1.7":null},"x":{"1.50":7},"b":{}},"e":"book"}',
    b'{"e":"book","d":{"b":{"1.50":7,"1.49":8}},"s":null}',
    b'{"e":"trade","d":{"b":{"1.50":7}},"s":"B"}',
]
_EVENTS = Schema(
    parse_columns("i:int, p:float?, n=@index, k=@key, side='x'"),
    parse_rows("*[*].trades"),
    (parse_condition("p!=0"),),
)
_EVENTS_SENT = [
    b'{"A":[{"trades":[{"i":1,"p":1.5},{"i":"2"}]},{"trades":[]},{"x":1}],"B":[{"trades":null}]}',
    b'{"A":[],"B":[{"trades":{"i":4,"p":0}},{"trades":[{"i":3,"p":0},{"i":5}]}]}',
]

# What may be anything, and cells that are empty for a word, in rows of which some are left out.
_WORDS = Schema(
    parse_columns("k:float?=@key, p:float?=[-2], q:int?=$.q, raw:json=[-1], side='nan'"),
    parse_rows("a.*, b[*].t?"),
    (parse_condition("[0]!=x"),),
)
_WORDS_SENT = [
    b'{"a":{"NaN":[["inf",{"y":[1]}],["x","nan","z"]],"1.5":["1","nan",null]},"q":"NaN"}',
    b'{"q":7,"b":[{"t":[["nan","-inf",2.50],["x","inf",3]]},{"t":["","y"]}],"a":{"inf":[[1,[]]]}}',
]
_VALUES = Schema(
    parse_columns("k:json=@key, v:json=@value, n:number?=@value, m:int?=$.m"),
    parse_rows("d.*.*"),
    (parse_condition("$.t=x"),),
)
_VALUES_SENT = [
    b'{"t":"x","d":{"A":{"NaN":"inf","7":[null,"-inf",1]},"B":{"":"","8":2.50}},"m":"nan"}',
    b'{"m":1,"d":{"A":{"NaN":"inf"}},"t":"another"}',
]

# JSON in strings, in which there is more of it.
_EMBEDDED = Schema(
    parse_columns("s, p:decimal?, n:int?=$.w|json.n, c?=x|json[-1], raw:json?=$.m|json"),
    parse_rows("w|json.d.*, e[*]|json?"),
    (parse_condition("$.w|json.t=a,b"), parse_condition("x|json[0]!=1")),
)
_EMBEDDED_SENT = [
    rb'{"m":"{\"y\": [1]}","w":"{\"t\":\"a\",\"n\":7,\"d\":{\"A\":{\"s\":\"x\",\"p\":1.50}}}"}',
    rb'{"w":" {\u0022d\u0022:{\"B\":[{\"x\":\"[2,\\\"z\\\"]\",\"s\":\"y\"}]},\"t\":\"b\"}\n"}',
    rb'{"e":["{\"s\":\"v\",\"p\":null}",null,"{\"s\":\"u\"}"],"w":"{\"t\":\"b\",\"d\":{}}"}',
    rb'{"w":"{\"t\":\"c\",\"d\":{\"A\":{}}}","m":""}',
]

# Columns of messages before, by keys of the root, of strings, and of rows behind stars.
_REMEMBERED = Schema(
    parse_columns(
        "s=w|json.c|remembered.s, p:decimal, n:int?=c|remembered.t|json.n, k?=@key, "
        "raw:json?=$.c|remembered.v, inside:json?=$.c|remembered.t|json, key=$.c"
    ),
    parse_rows("d.*, e[*]|json.d?"),
    (parse_condition("$.c|remembered.kind=a,1"), parse_condition("w|json.c|remembered.x!=b")),
)
_MEMORIES = (
    rb'{"id":7,"s":"A","t":"{\"n\":12}","kind":"a","x":"a"}',
    rb'{"id":"8","s":"B","t":"{\"n\":\"NaN\"}","kind":1,"v":[1,{"y":"\u00e9"}]}',
    rb'{"id":"x","s":1,"t":"no JSON","kind":"a","x":"b","v":null}',
    '{"id":"é","s":"é","t":7,"kind":["a"],"v":"é"}'.encode(),
    rb'{"id":"[7]","s":"C","t":"","kind":"a","v":1.50}',
)
_REMEMBERED_SENT = [
    rb'{"c":7,"d":{"A":{"p":1.50,"c":8,"w":"{\"c\":7}"},"B":{"p":"2","w":"{\"c\":\"8\"}"}}}',
    rb'{"d":{"A":{"c":"7","w":" {\"c\":7}","p":"1"}},"e":["{\"d\":{\"p\":3,\"w\":'
    rb'\"{\\\"c\\\":8}\"}}"],"c":"8"}',
    rb'{"c":[7],"d":{"A":{"p":1,"c":{},"w":"{\"c\":[7]}"}}}',
    rb'{"c":"x","d":{"A":{"p":1,"c":"x","w":"{\"c\":8}"}}}',
]

SHAPES: tuple[Shape, ...] = (
    Shape(TRADES, _TRADES_SENT),
    Shape(_EVERYTHING, _EVERYTHING_SENT),
    Shape(_LEVELS, _LEVELS_SENT),
    Shape(_CONDITIONS, _CONDITIONS_SENT),
    Shape(_BOOKS, _BOOKS_SENT),
    Shape(_EVENTS, _EVENTS_SENT),
    Shape(_WORDS, _WORDS_SENT),
    Shape(_VALUES, _VALUES_SENT),
    Shape(_EMBEDDED, _EMBEDDED_SENT),
    Shape(_REMEMBERED, _REMEMBERED_SENT, _MEMORIES),
    *(Shape(known_feed(name).feeds[0].tables[0].schema, messages_of(name)) for name in _KNOWN),
)
"""What is tried: the default, known feeds, and one with everything."""


@cache
def _plan(shape: int) -> ParsePlan:
    plan = plan_of(SHAPES[shape].schema)
    assert plan is not None
    return plan


@cache
def decoder_of(shape: int) -> Decoder:
    """The one in Python; what it means by a message does not depend on those before."""
    decoder = FeedDecoder([SHAPES[shape].schema], 10**9)
    decoder.recall_with(_memory(shape).recall)
    return decoder


@cache
def _memory(shape: int) -> Memory:
    memory = Memory(("id",), remembered_in([SHAPES[shape].schema]))
    tree = ValueTree.of([JsonPath(("id",))])
    for message in SHAPES[shape].remembered:
        memory.keep(tree.find(message))
    return memory


def compare(shape: int, messages: Sequence[bytes]) -> int:
    """Read the messages both ways; of how many the native reader was certain.

    :raises AssertionError: they differ.
    """
    types = [column.type for column in SHAPES[shape].schema.columns if not column.is_metadata]
    rows = RowParser(_plan(shape))
    rows.remembered = _memory(shape).values
    decoder = decoder_of(shape)
    (table,) = decoder.tables
    blanked_before = table.blanked
    expected: list[list[Any]] = [[] for _ in types]
    certain = ignored = 0
    for message in messages:
        before = rows.columns.rows, rows.ignored, rows.blanked
        if not rows.parse(message):
            assert (rows.columns.rows, rows.ignored, rows.blanked) == before, (
                f"changed by {message!r}"
            )
            continue
        rejects, ignored_before = table.rejects, decoder.ignored
        decoder.decode([message], [(1, 1)])
        batch = table.take()
        assert table.rejects == rejects, f"{batch.rejects[0].reason}: {message!r}"
        if batch.rows:
            for column, more in zip(expected, batch.columns(), strict=True):
                column.extend(more)
        certain += 1
        ignored += decoder.ignored - ignored_before
        assert rows.blanked == table.blanked - blanked_before, (
            f"blanked {rows.blanked}: {message!r}"
        )
        assert rows.ignored == ignored, f"ignored {rows.ignored} and not {ignored}: {message!r}"
        count = rows.columns.rows
        assert count == len(expected[0]), f"{count} rows and not {len(expected[0])}: {message!r}"
    wanted = [_comparable(column, type_) for column, type_ in zip(expected, types, strict=True)]
    _hold(rows, types, wanted, 0)
    # A batch may be closed anywhere; the rest is the next one's.
    start = rows.columns.rows // 2
    _hold(rows, types, wanted, start)
    rows.columns.begin(start)
    _hold(rows, types, [column[start:] for column in wanted], 0)
    return certain


def _hold(rows: RowParser, types: list[str], wanted: list[list[str]], start: int) -> None:
    """Hold the native reader's rows from ``start`` on to those that are wanted."""
    chunks = decode(encode(rows.columns.chunks(start, rows.columns.rows)))
    for chunk, column, type_ in zip(chunks, wanted, types, strict=True):
        found = _comparable(cells(chunk), type_)
        assert found == column[start:], f"{type_}: {found} and not {column[start:]}"


def _comparable(column: Sequence[Any], type_: str) -> list[str]:
    """The cells as text, in which 1, 1.0 and True are not the same, nor 0.0 and -0.0.

    A whole number is written alike whether it is an integer or a double.
    """
    if type_ == "number":
        column = [int(cell) if _is_whole(cell) else cell for cell in column]
    return [repr(cell) for cell in column]


def _is_whole(cell: Any) -> bool:
    return isinstance(cell, float) and cell.is_integer() and repr(cell) != "-0.0"
