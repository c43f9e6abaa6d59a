from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastingest.decode import feed_decoder
from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.decode.reasons import Unfit
from fastingest.decode.router import Router, routers_of
from fastingest.decode.values import json_of
from fastingest.format.csv import to_csv, to_frame
from fastingest.model.batch import Batch, Reject
from fastingest.model.schema import Schema, parse_columns
from tests.peers.plain_reading import Reading, TableReading, read
from tests.support.any_feed import feeds, mixed, schema_of
from tests.support.embedded import embedded, embedded_table, ways_to_embed


def _stamps(count: int, start: int = 0) -> list[tuple[int, int]]:
    """Each message at its own time: 1000 times its index."""
    return [(index + 1, 1000 * (start + index)) for index in range(count)]


def _decoder(tables: Sequence[Schema], ignore: Sequence[str] = ()) -> FeedDecoder:
    return FeedDecoder(tables, 10**6, name="feed", ignore=ignore)


def _take(decoder: FeedDecoder) -> list[Batch]:
    """One batch for each table, empty ones as well."""
    return [table.take() for table in decoder.tables]


def _rows(batch: Batch) -> list[list[str]]:
    """The cells as the file shows them."""
    if not batch.rows:
        return []
    text = bytes(to_csv(to_frame(batch))).decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    return [row or [""] for row in rows]  # one empty cell is an empty line


def _reading(decoder: FeedDecoder, batches: Sequence[Batch]) -> Reading:
    tables = zip(decoder.tables, batches, strict=True)
    return Reading(
        [TableReading(_rows(b), [r.raw for r in b.rejects], table.blanked) for table, b in tables],
        decoder.ignored,
    )


def _decode(
    tables: Schema | Sequence[Schema], *messages: str | bytes, ignore: Sequence[str] = ()
) -> tuple[list[Batch], int]:
    tables = [tables] if isinstance(tables, Schema) else tables
    raw = [message.encode() if isinstance(message, str) else message for message in messages]
    decoder = _decoder(tables, ignore)
    closed = decoder.decode(raw, _stamps(len(raw)))
    assert closed == []
    batches = _take(decoder)
    assert _reading(decoder, batches) == read(tables, raw, ignore=ignore)
    return batches, decoder.ignored


# Anything, held to a reading that shares no code with it.


@given(feeds(), st.lists(st.integers(1, 18), max_size=4))
@settings(max_examples=200)
def test_it_reads_what_a_plain_reading_reads(
    feed: tuple[list[Schema], list[bytes]], cuts: list[int]
) -> None:
    tables, messages = feed
    ignore = ["pong", "[]", '{"a":"é"}']
    expected = read(tables, messages, ignore=ignore)
    decoder, start = _decoder(tables, ignore), 0
    for end in sorted({min(cut, len(messages)) for cut in cuts} | {len(messages)}):
        decoder.decode(messages[start:end], _stamps(end - start, start))
        start = end
    assert _reading(decoder, _take(decoder)) == expected


@given(mixed())
@settings(max_examples=150)
def test_it_reads_what_a_plain_reading_reads_of_mixed_arrays(
    feed: tuple[list[Schema], list[bytes]],
) -> None:
    tables, messages = feed
    decoder = _decoder(tables)
    decoder.decode(messages, _stamps(len(messages)))
    assert _reading(decoder, _take(decoder)) == read(tables, messages)


@given(feeds() | mixed(), ways_to_embed)
@example(([schema_of("c=$.a")], [b"null "]), "plain")
@settings(max_examples=100)
def test_messages_in_a_string_are_read_as_those_that_are_messages(
    feed: tuple[list[Schema], list[bytes]], way: str
) -> None:
    tables, messages = feed
    # What is no JSON is a reject of the first table, and in a string of all of them; null is
    # nothing.
    messages = [each for each in messages if _is_json(each) and each.strip() != b"null"]
    alone, inside = _decoder(tables), _decoder(list(map(embedded_table, tables)))
    alone.decode(messages, _stamps(len(messages)))
    inside.decode([embedded(message, way) for message in messages], _stamps(len(messages)))
    for expected, batch in zip(_take(alone), _take(inside), strict=True):
        assert batch.columns() == expected.columns()
        assert batch.stamps == expected.stamps
        assert len(batch.rejects) == len(expected.rejects)
    assert inside.ignored == alone.ignored
    assert [t.blanked for t in inside.tables] == [t.blanked for t in alone.tables]


def _is_json(message: bytes) -> bool:
    try:
        json_of(message)
    except Unfit:
        return False
    return True


@given(feeds(), st.lists(st.integers(1, 18), max_size=4))
@settings(max_examples=60)
def test_it_does_not_matter_how_messages_come_together(
    feed: tuple[list[Schema], list[bytes]], cuts: list[int]
) -> None:
    tables, messages = feed
    whole, pieces = _decoder(tables), _decoder(tables)
    whole.decode(messages, _stamps(len(messages)))
    start = 0
    for end in sorted({min(cut, len(messages)) for cut in cuts} | {len(messages)}):
        pieces.decode(messages[start:end], _stamps(end - start, start))
        start = end
    everything = [_all_of(batch) for batch in _take(whole)]
    assert [_all_of(batch) for batch in _take(pieces)] == everything
    assert pieces.ignored == whole.ignored
    # A decoder that has seen nothing yet reads its first message by itself.
    alone: list[Any] = [([], [], []) for _ in tables]
    ignored = 0
    for index, message in enumerate(messages):
        decoder = _decoder(tables)
        decoder.decode([message], [(1, 1000 * index)])
        ignored += decoder.ignored
        for (rows, times, rejects), batch in zip(alone, _take(decoder), strict=True):
            rows.extend(zip(*batch.columns(), strict=True))
            times.extend(_times(batch))
            rejects.extend(batch.rejects)
    assert alone == everything
    assert ignored == whole.ignored


def _times(batch: Batch) -> list[int]:
    """When each row was received."""
    times: list[int] = []
    for end, time in batch.stamps:
        assert len(times) < end <= batch.rows
        times += [time] * (end - len(times))
    assert len(times) == batch.rows
    return times


def _all_of(batch: Batch) -> tuple[list[tuple[Any, ...]], list[int], list[Reject]]:
    return list(zip(*batch.columns(), strict=True)), _times(batch), batch.rejects


@given(feeds(), st.integers(1, 8))
@settings(max_examples=60)
def test_a_limit_cuts_after_exactly_so_many_rows(
    feed: tuple[list[Schema], list[bytes]], limit: int
) -> None:
    tables, messages = feed
    whole, cut = _decoder(tables), _decoder(tables)
    whole.decode(messages, _stamps(len(messages)))
    cut.decode(messages, _stamps(len(messages)), limit)
    assert cut.rows == min(limit, whole.rows)
    batches = list(zip(_take(cut), _take(whole), strict=True))
    last = max((time for batch, _ in batches for time in _times(batch)), default=0)
    for batch, full in batches:
        assert _rows(batch) == _rows(full)[: batch.rows]
        assert _times(batch) == _times(full)[: batch.rows]
        # What was received before the last row is there.
        assert batch.rows >= sum(time < last for time in _times(full))


@given(feeds(), st.integers(1, 4))
@settings(max_examples=60)
def test_batches_close_when_they_are_full(
    feed: tuple[list[Schema], list[bytes]], size: int
) -> None:
    tables, messages = feed
    whole, small = _decoder(tables), FeedDecoder(tables, size, name="feed")
    whole.decode(messages, _stamps(len(messages)))
    batches = small.decode(messages, _stamps(len(messages)))
    assert {batch.rows for batch in batches} <= {size}
    batches += _take(small)
    for index, full in enumerate(_take(whole)):
        parts = [batch for batch in batches if batch.table == index]
        assert [row for part in parts for row in _rows(part)] == _rows(full)
        assert [time for part in parts for time in _times(part)] == _times(full)
        assert [reject for part in parts for reject in part.rejects] == full.rejects


@given(st.lists(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), max_size=6))
def test_no_bytes_make_it_fail(messages: list[bytes]) -> None:
    decoder = _decoder([schema_of("a?", "", "$.b=c"), schema_of("x:float=[0]")])
    decoder.decode(messages, _stamps(len(messages)))
    rejects = sum(len(batch.rejects) for batch in _take(decoder))
    assert decoder.rows + decoder.ignored + rejects >= len(messages)


# Rule by rule.

_TRADES = schema_of(
    "symbol=s, price:float=p, quantity:decimal=q, time:timestamp[ms]=T, maker:bool?=m",
    "data",
    "$.data.e=trade",
)
_ONLY = "which only an optional column ({}?) takes"
_TRADE = '{"stream":"x","data":{"e":"trade","s":"A","p":"1.5","q":"2.50","T":1672515782136}}'
_ROW = ["A", "1.5", "2.50", "2022-12-31T19:43:02.136Z", ""]


def _only(tables: Schema | Sequence[Schema], *messages: str | bytes) -> tuple[Any, ...]:
    """Rows, reasons of rejects and what is ignored, with one table."""
    (batch,), ignored = _decode(tables, *messages)
    return _rows(batch), [reject.reason for reject in batch.rejects], ignored


def test_a_message_is_a_row() -> None:
    assert _only(_TRADES, _TRADE, _TRADE) == ([_ROW, _ROW], [], 0)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "not JSON: it ends too early"),
        (b"hello", "not JSON: "),
        (b'{"a":1', "not JSON: it ends too early"),
        (b'{"a":"1"}{"a":"2"}', "not JSON: trailing characters"),
        (b'{"a":"1","z":NaN}', "not JSON: "),
        (b'{"a":"1","z":-Infinity}', "not JSON: "),
        (b'{"a":"1","z":01}', "not JSON: "),
        (b'{"a":"1","z":"\\ud800"}', "not JSON: "),
        (b'{"a":"1","\\ud800":1}', "not JSON: "),
        (b'{"a":"1","z":"\\ud800\\u0041"}', "not JSON: "),
        (b'{"a":"1","z":"\n"}', "not JSON: "),
        (b'\xef\xbb\xbf{"a":"1"}', "not JSON: "),
        (b'{"a":"1","z":"\xff"}', "not UTF-8: byte 14"),
        (b'{"a":"1","\xff":1}', "not UTF-8: byte 10"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":"1","z":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_what_is_not_json_is_rejected_once_by_the_first_table(message: bytes, reason: str) -> None:
    good, table = b'{"a":"1"}', schema_of("a")
    (first, second), ignored = _decode([table, table], good, message, good)
    assert _rows(first) == _rows(second) == [["1"], ["1"]]
    (reject,) = first.rejects
    assert (reject.raw, reject.time) == (message, 1000)
    assert reject.reason.startswith(reason)
    assert "\n" not in reject.reason
    assert (second.rejects, ignored) == ([], 0)


def test_members_that_nobody_asked_for_may_hold_any_json() -> None:
    wide = '"1":1e400,"2":-0,"3":"\\ud83d\\ude00","4":' + "9" * 10_000 + ',"5":[{}],"6":"é"'
    message = f'{{{wide},"a":"1","a":"2"}}'
    assert _only(schema_of("a"), message, message) == ([["2"], ["2"]], [], 0)


def test_what_is_to_be_ignored_is_ignored_even_if_it_is_a_row() -> None:
    message = '{"a":"1"}'
    (batch,), ignored = _decode(
        schema_of("a"), "pong", message, '{"a":"hb"}', '{"a": "hb"}', ignore=["pong", '{"a":"hb"}']
    )
    assert (_rows(batch), batch.rejects, ignored) == ([["1"], ["hb"]], [], 2)


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("$.x=trade", '"trade"', True),
        ("$.x=trade", '"tr\\u0061de"', True),
        ("$.x=trade", '"Trade"', False),
        ("$.x=quote,trade", '"trade"', True),
        ("$.x=trade", '["trade"]', False),
        ("$.x=trade", "5", False),
        ("$.x=1", "1", True),
        ("$.x=1", '"1"', True),
        ("$.x=1", '"\\u0031"', True),
        ("$.x=1", "1.0", False),
        ("$.x=1", "true", False),
        ("$.x=1.0", "1.0", True),
        ("$.x=true", "true", True),
        ("$.x=true", '"true"', True),
        ("$.x=true", "false", False),
        ("$.x=null", "null", True),
        ("$.x=null", '"null"', True),
        ("$.x=", '""', True),
        ("$.x=", "null", False),
        ("$.x^=tra", '"trade"', True),
        ("$.x^=tra", '"tr\\u0061de"', True),
        ("$.x^=1", "12.5", True),
        ("$.x^=tra", '["trade"]', False),
        ("$.x~=t*e,q", '"trade"', True),
        ("$.x~=t?e", '"trade"', False),
    ],
)
def test_a_condition_compares_text(condition: str, value: str, holds: bool) -> None:
    rows, rejects, ignored = _only(
        schema_of("a", "", condition),
        *[f'{{"a":"1","x":{value}}}', '{"a":"1","x":"no"}', '{"a":"1"}', "[]", "5"] * 3,
    )
    assert (len(rows), rejects, ignored) == (3 * holds, [], 15 - 3 * holds)


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ("x!=t,1", ["{}", '"u"', "null", "[]", "1.0", None]),
        ("x exists", ["{}", '"t"', '"u"', "[]", "1", "1.0"]),
        ("x absent", ["null", None]),
    ],
)
@pytest.mark.parametrize("root", ["", "$."])
@pytest.mark.parametrize("form", ["{}", '[{},{{"b":"2","x":"u"}}]'])
def test_a_condition_may_hold_of_what_is_no_text(
    condition: str, taken: list[str | None], root: str, form: str
) -> None:
    if root and form != "{}":
        return
    values = ["{}", '"t"', '"u"', "null", "[]", "1", "1.0", None]
    messages = [
        form.format(f'{{"a":"{index}"{"" if value is None else f""","x":{value}"""}}}')
        for index, value in enumerate(values)
    ]
    rows, rejects, _ = _only(schema_of("a?", "", root + condition), *messages * 3)
    kept = [[str(values.index(value))] for value in values if value in taken]
    assert [row for row in rows if row != [""]] == kept * 3
    assert rejects == []


def test_a_condition_and_a_column_may_be_of_one_value() -> None:
    table = schema_of(
        "side, price:float", "d", "side!=x", "side^=b,x", "price exists", "$.d exists"
    )
    message = '{"d":[{"side":"bid","price":1},{"side":"x","price":1},{"side":"b","price":null}]}'
    assert _only(table, *[message] * 3) == ([["bid", "1.0"]] * 3, [], 6)


@pytest.mark.parametrize("rows", ["null", "5", "{}", '{"d":null}', '{"x":1}', "7"])
def test_where_no_rows_stand_it_depends_on_whether_the_message_was_asked_for(rows: str) -> None:
    message = f'{{"e":"t","d":{rows}}}'
    assert _only(schema_of("a", "d.d"), message, message) == ([], [], 2)
    found, rejects, ignored = _only(schema_of("a", "d.d", "$.e=t"), message, message)
    reason = "is null" if "null" in rows[1:] else "is missing"
    assert (found, ignored) == ([], 0)
    assert rejects == [f"d.d, where the rows should be, {reason}"] * 2


EVENTS = '{"events":[{"trades":[{"i":"1"},{"i":"2"}]},{"trades":[]},{},{"trades":[{"i":"3"}]}]}'
BOOK = '{"s":"A","data":{"a":[["2","5"],["3","6"]],"n":1,"b":[["1.5","4"]]}}'


@pytest.mark.parametrize(
    ("columns", "rows", "message", "expected"),
    [
        ("i", "events[*].trades", EVENTS, ([["1"], ["2"], ["3"]], 2)),
        ("i, n=@index", "events[*].trades", EVENTS, ([["1", "0"], ["2", "1"], ["3", "0"]], 2)),
        (
            "k=@key, v:decimal=@value",
            "mids.*",
            '{"mids":{"AAA":"1.50","BBB":2.5}}',
            ([["AAA", "1.50"], ["BBB", "2.5"]], 0),
        ),
        (
            "k=@key, v?=v, w:int?=@value",
            "*",
            '{"A":{"v":"x"},"B":7}',
            ([["A", "x", ""], ["B", "", "7"]], 0),
        ),
        (
            "k:int?=@key, v:json=@value, w:float?=@value",
            "d.*",
            '{"d":{"1":{"x": [1]},"NaN":null,"":["inf",[2]]}}',
            (
                [["1", '{"x": [1]}', ""], ["", '"inf"', ""], ["", "[2]", ""]],
                1,
            ),
        ),
        ("price:decimal=@key, size:int=@value", "b.*", '{"b":{"1.50":7}}', ([["1.50", "7"]], 0)),
        ("v:int=@value, n=@index", "d", '{"d":[5,6]}', ([["5", "0"], ["6", "1"]], 0)),
        (
            "v:int=@value, n=@index",
            "d[*]",
            '{"d":[5,[6,7]]}',
            ([["5", "0"], ["6", "0"], ["7", "1"]], 0),
        ),
        ("k=@key, v:int=@value", "d.*.x", '{"d":{"A":{"x":1},"B":{"x":null}}}', ([["A", "1"]], 1)),
        (
            "k=@key, v:int=@value",
            "d.*[-1]",
            '{"d":{"A":[1,2],"B":[3]}}',
            ([["A", "2"], ["B", "3"]], 0),
        ),
        (
            "s=$.s, side=@rows, p:decimal=[0], n=@index",
            "bid=data.b, data.a",
            BOOK,
            ([["A", "data.a", "2", "0"], ["A", "data.a", "3", "1"], ["A", "bid", "1.5", "0"]], 0),
        ),
    ],
)
def test_rows_of_several_places(
    columns: str, rows: str, message: str, expected: tuple[list[list[str]], int]
) -> None:
    found, rejects, ignored = _only(schema_of(columns, rows), *[message] * 3)
    assert (found, rejects, ignored) == (expected[0] * 3, [], expected[1] * 3)


def test_of_several_places_each_must_be_there_unless_it_is_optional() -> None:
    bids, asks, none = ('{"b":[["1"]],"x":0}', '{"x":0,"a":[["2"]],"b":[]}', '{"x":0,"a":null}')
    reason = "a, where the rows should be, is missing"
    assert _only(schema_of("p=[0]", "b, a"), bids, asks, none) == (
        [["1"], ["2"]],
        [reason],
        2,
    )
    assert _only(schema_of("p=[0]", "b, a?"), bids, asks, none) == ([["1"], ["2"]], [], 2)
    assert _only(schema_of("p=[0]", "b, a?", "$.x=0"), bids, asks, none) == (
        [["1"], ["2"]],
        ["b, where the rows should be, is missing"],
        1,
    )
    assert _only(schema_of("p=[0]", "b?, a?", "$.x=0"), bids, asks, none)[1:] == ([], 2)


def test_where_a_star_leads_nowhere_there_are_no_rows() -> None:
    table = schema_of("k=@key, v:int=@value", "d.*", "$.t=x")
    messages = [f'{{"t":"x","d":{value}}}' for value in ("{}", "null", "[1]", "5", '{"a":1}')]
    rows, rejects, ignored = _only(table, *messages, '{"t":"x"}')
    assert (rows, ignored) == ([["a", "1"]], 1)
    assert rejects == [
        f"d.*, where the rows should be, {what}"
        for what in ("is null", "is no object", "is no object", "is missing")
    ]


def test_what_a_star_leads_to_is_rejected_alone() -> None:
    (batch,), ignored = _decode(
        schema_of("k=@key, v:int=@value", "d.*"), '{"d":{"a":1,"b":"x", "c":{} ,"d":2}}'
    )
    assert (_rows(batch), ignored) == ([["a", "1"], ["d", "2"]], 0)
    assert [(reject.raw, reject.reason) for reject in batch.rejects] == [
        (b'"x"', 'v: Expected a whole number, got "x" - at @value'),
        (b"{}", "v: @value is missing"),
    ]


def test_cells_that_are_empty_for_a_word_are_counted_wherever_their_rows_are() -> None:
    decoder = FeedDecoder(
        [
            schema_of("k:float?=@key, v:int?=@value, side='nan'", "d.*"),
            schema_of("p:float?=p, q:float?=$.q", "a[*].t, b", "p!=1"),
        ],
        1000,
    )
    messages = [
        b'{"d":{"NaN":"inf","1":"","x":"NaN","2":"-Infinity"}}',
        b'{"a":[{"t":[{"p":"NaN"},{"p":1}]},{"t":{"p":2}}],"b":{"p":"x"},"q":"NaN"}',
    ]
    decoder.decode(messages * 2, [(4, 1)])
    assert [table.counts for table in decoder.tables] == [(6, 2, 6), (4, 2, 6)]


def test_of_members_with_one_name_the_last_one_is_a_row() -> None:
    table = schema_of("k=@key, v:int=@value", "*")
    assert _only(table, '{"a":1,"b":2,"a":3}') == ([["a", "3"], ["b", "2"]], [], 0)


def test_elements_may_be_counted_from_the_end() -> None:
    table = schema_of("pair=$[-1], price:decimal=[0], last?=[-1]", "[1].a")
    short = '[9,{"a":[["1.5","2","1.0"]]},"book-1000","AAA/BBB"]'
    long = '[9,{"a":[["1.5","2","1.0"]]},{"b":[],"c":"1"},"book-1000","CCC"]'
    assert _only(table, short, long, short, long, '[9,{"a":[["7"]]}]') == (
        [
            ["AAA/BBB", "1.5", "1.0"],
            ["CCC", "1.5", "1.0"],
            ["AAA/BBB", "1.5", "1.0"],
            ["CCC", "1.5", "1.0"],
        ],
        ['pair: Expected a string, got {"a":[["7"]]} - at $[-1]'],
        0,
    )
    kept = schema_of("a", "[-2]", "$[-1]=t")
    assert _only(kept, '[{"a":"1"},"t"]', '[5,{"a":"2"},"t"]', '[{"a":"1"},"u"]') == (
        [["1"], ["2"]],
        [],
        1,
    )


def test_arrays_of_any_length_do_not_have_a_shape_each() -> None:
    table = schema_of("a:int=[-1]")
    messages = [json.dumps([*range(length)]) for length in range(1, 80)]
    assert _only(table, *messages, *messages)[0] == [[str(n)] for n in range(79)] * 2


def test_optional_rows_may_be_missing_wherever_a_message_was_asked_for() -> None:
    book = '{"t":"u","c":{"bids":[{"p":"1"}]}}'
    empty = [
        '{"t":"u","c":{"asks":[]}}',
        '{"t":"u","c":{"bids":null}}',
        '{"t":"u","c":{"bids":[]}}',
    ]
    table = schema_of("p", "c.bids?", "$.t=u")
    assert _only(table, book, *empty, '{"t":"v","c":{"bids":5}}', book) == (
        [["1"], ["1"]],
        [],
        4,
    )
    assert _only(table, '{"t":"u","c":{"bids":5}}')[1] == [
        "a row should be an object, and this is none"
    ]


@pytest.mark.parametrize("kind", ["int", "float", "number", "bool", "timestamp[ms]", "decimal"])
@pytest.mark.parametrize("null", ['"null"', '"Null"', r'"n\u0055l\u006C"'])
def test_the_word_null_in_quotes_is_no_empty_cell(kind: str, null: str) -> None:
    good, empty, odd = (f'{{"a": {text}, "s": "A"}}' for text in ("1", "null", null))
    for messages in ([good, odd], [good, empty, odd, good], [odd, good, good]):
        batches, _ = _decode(schema_of(f"s, a:{kind}?"), *messages)
        assert [reject.raw for reject in batches[0].rejects] == [odd.encode()]
    _decode(schema_of(f"s, a:{kind}?", "$.d"), f'{{"d": [{good}]}}', f'{{"d": [{good}, {odd}]}}')


def test_an_array_gives_up_only_its_bad_elements() -> None:
    message = '{"d":[{"a":1}, {"a" : "x"}, 7,{"a":3},null,[] ,{}]}'
    (batch,), ignored = _decode(schema_of("a:int", "d"), '{"d":[{"a":0}]}', message)
    assert _rows(batch) == [["0"], ["1"], ["3"]]
    assert [reject.raw for reject in batch.rejects] == [
        b'{"a" : "x"}',
        b"7",
        b"null",
        b"[]",
        b"{}",
    ]
    assert [reject.reason for reject in batch.rejects] == [
        'a: Expected a whole number, got "x"',
        "a row should be an object, and this is none",
        "a row should be an object, and this is none",
        "a row should be an object, and this is none",
        "a: a is missing",
    ]
    assert ignored == 0


def test_an_empty_array_of_rows_is_ignored() -> None:
    message = '{"d":[]}'
    assert _only(schema_of("a", "d"), message, '{"d":[{"a":"1"}]}', message) == ([["1"]], [], 2)
    assert _only(schema_of("a=[0]"), "[]", '["1"]', "[]", '[["2"],["3"]]') == (
        [["1"], ["2"], ["3"]],
        [],
        2,
    )


def test_rows_that_are_arrays() -> None:
    kraken = schema_of(
        "price:decimal=[0], volume:decimal=[1], time:timestamp[s]=[2], side=[3], symbol=$[3]",
        "[1]",
        "$[2]=trade",
    )
    message = '[0,[["5541.20000","0.15850568","1534614057.321597","s"]],"trade","XBT/USD"]'
    row = ["5541.20000", "0.15850568", "2018-08-18T17:40:57.321597Z", "s", "XBT/USD"]
    two = message.replace("[[", '[["1","2",3,"b"],[')
    first = ["1", "2", "1970-01-01T00:00:03Z", "b", "XBT/USD"]
    one = message.replace("[[", "[").replace("]]", "]")
    heartbeat = '{"event":"heartbeat"}'
    messages = [message, heartbeat, two, message, one, message.replace("trade", "book"), heartbeat]
    rows = [row, first, row, row, row]
    assert _only(kraken, *messages, *messages) == (rows * 2, [], 6)


def test_an_array_of_rows_after_a_message_that_was_one_row_is_asked_row_by_row() -> None:
    """Though the value of the condition is read as it stands, be it an array."""
    taking = schema_of("c0=[0]", "", "[0]=1.0")
    other = schema_of("c0?=$.a")
    for one_row in ('["1.0"]', "[1.0]"):
        for several in ('[["1.0"]]', '[["1.0"],["2"]]', '[["2"]]'):
            decoder = _decoder([taking, other])
            messages = [one_row.encode(), several.encode(), one_row.encode()]
            for index, message in enumerate(messages):
                decoder.decode([message], _stamps(1, index))
            assert _reading(decoder, _take(decoder)) == read([taking, other], messages)


def test_a_shorter_array_lacks_its_last_columns() -> None:
    table = schema_of("a=[0], b:int?=[1], c:float?=[3]")
    assert _only(table, '["x"]', '["x",1]', '["x",null,0,2]', '["x",1,{},3.5,9]', '["x",1,2]') == (
        [["x", "", ""], ["x", "1", ""], ["x", "", "2.0"], ["x", "1", "3.5"], ["x", "1", ""]],
        [],
        0,
    )


def test_where_all_comes_from_the_root_a_message_is_one_row() -> None:
    table = schema_of("kind=$[0], price:float=$[1][0]")
    assert _only(table, '["t",[1.5]]', '[["t"],[1]]', "[]") == (
        [["t", "1.5"]],
        ['kind: Expected a string, got ["t"] - at $[0]', "kind: $[0] is missing"],
        0,
    )


def test_columns_of_the_root_stand_in_every_row() -> None:
    table = schema_of("symbol=$.s, price:float=p", "d")
    messages = [
        '{"s":"A","d":[{"p":1},{"p":2}]}',
        '{"s":"B","d":[]}',
        '{"s":"C","d":[{"p":3}]}',
        '{"s":"D","d":{"p":4}}',
    ]
    rows = [["A", "1.0"], ["A", "2.0"], ["C", "3.0"], ["D", "4.0"]]
    assert _only(table, *messages) == (rows, [], 1)


def test_a_bad_column_of_the_root_rejects_the_message_once() -> None:
    table = schema_of("symbol=$.s, price:float=p", "d", "k=x")
    message = '{"s":5,"d":[{"k":"x","p":1},{"k":"x","p":2},{"k":"y"}]}'
    (batch,), ignored = _decode(table, message, '{"d":[{"k":"y"}]}')
    assert [(r.raw.decode(), r.reason) for r in batch.rejects] == [
        (message, "symbol: Expected a string, got 5 - at $.s")
    ]
    assert (batch.rows, ignored) == (0, 2)


def test_rows_that_a_condition_leaves_out_are_ignored_one_by_one() -> None:
    table = schema_of("symbol=s, price:float=p", "", "ev=T")
    trade, quote = '{"ev":"T","s":"A","p":1}', '{"ev":"Q","s":"A","b":2}'
    status = '{"ev":"status"}'
    messages = [f"[{trade},{quote},{trade}]", f"[{status}]", f"[{quote}]", trade, quote, "[5]"]
    assert _only(table, *messages, *messages) == ([["A", "1.0"]] * 6, [], 10)


def test_messages_that_change_their_shape_by_turns_are_sorted_by_what_was_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []

    def counted(tables: Sequence[tuple[Schema, bool]]) -> list[Router]:
        made.append(tables)
        return routers_of(tables)

    monkeypatch.setattr(feed_decoder, "routers_of", counted)
    decoder = _decoder([schema_of("s", "$.d", "$.e=trade", "k=x")])
    row = '{"s": "A", "k": "x"}'
    for number in range(20):
        text = f'{{"e": "trade", "d": {row if number % 2 else f"[{row}, {row}]"}}}'
        decoder.decode([text.encode()] * 3, _stamps(3))
    assert decoder.rows == 90
    assert len(made) == 2


def test_several_tables_take_what_is_theirs() -> None:
    trades = schema_of("s, p:float", "", "$.type=trade")
    quotes = schema_of("s, b:float", "", "$.type=quote")
    both = schema_of("kind=type, s", "", "$.type=trade,quote")
    trade, quote = '{"type":"trade","s":"A","p":1}', '{"type":"quote","s":"B","b":2}'
    hello = '{"type":"hello"}'
    messages = [trade, hello, quote, quote, "5", trade, hello, '{"type":"trade","s":"C"}'] * 5
    (first, second, third), ignored = _decode([trades, quotes, both], *messages)
    assert _rows(first) == [["A", "1.0"]] * 10
    assert [(r.reason, r.time) for r in first.rejects] == [
        ("p: p is missing", 1000 * index) for index in range(7, 40, 8)
    ]
    assert _rows(second) == [["B", "2.0"]] * 10
    order = [["trade", "A"], ["quote", "B"], ["quote", "B"], ["trade", "A"], ["trade", "C"]]
    assert _rows(third) == order * 5
    assert _times(third)[:6] == [0, 2000, 3000, 5000, 7000, 8000]
    assert ignored == 15


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('{"p":"x"}', 'price: Expected a number, got "x" - at p'),
        (
            '{"p":"nan"}',
            f'price: Expected a number, got "nan", {_ONLY.format("float")} - at p',
        ),
        ('{"p":1e400}', "price: Expected a number that a double holds, got 1e400 - at p"),
        ('{"p":null}', "price: p is null"),
        ("{}", "price: p is missing"),
        ('{"p":1}', "quantity: q is missing"),
        ('{"p":1,"q":"1,5"}', 'quantity: Expected a number, got "1,5" - at q'),
        (
            '{"p":1,"q":""}',
            f'quantity: Expected a number, got "", {_ONLY.format("decimal")} - at q',
        ),
        ('{"p":1,"q":true}', "quantity: Expected a number, got true - at q"),
        ('{"p":1,"q":1,"t":1e9}', "time: Expected seconds since 1970, got 1e9 - at t"),
        ('{"p":1,"q":1,"t":253402300800}', "253402300800 seconds are not within the years"),
        ('{"p":1,"q":1,"t":0,"i":"2023-02-29T00:00:00Z"}', "iso: 2023-02-29 is no date - at i"),
        ('{"p":1,"q":1,"t":0,"i":"yesterday\\n"}', "iso: Expected a time as in ISO 8601, got "),
        ('{"p":1,"q":1,"t":0,"i":5}', "iso: Expected a time as in ISO 8601, got 5 - at i"),
        ("5", "a row should be an object, and this is none"),
    ],
)
def test_a_reason_names_the_column(message: str, reason: str) -> None:
    table = schema_of("price:float=p, quantity:decimal=q, time:timestamp[s]=t, iso:timestamp=i")
    _, (found,), _ = _only(table, message)
    assert reason in found
    assert "\n" not in found


def test_integers_past_64_bits_keep_their_digits() -> None:
    digits = "123456789012345678901234567890"
    messages = [f'{{"n":{n}}}' for n in ("1", digits, f'"{digits}"', "9" * 4300, "9" * 4301, "2")]
    rows, (reason,), _ = _only(schema_of("n:int"), *messages)
    assert rows == [["1"], [digits], [digits], ["9" * 4300], ["2"]]
    assert reason == f"n: Expected a whole number of at most 4,300 digits, got {'9' * 40}…"


def test_a_decimal_of_any_length_keeps_its_text() -> None:
    text = "1" + "0" * 100_000 + ".50"
    rows, _, _ = _only(
        schema_of("n:decimal"), f'{{"n":{text}}}', f'{{"n":"{text}"}}', '{"n":"1E5"}'
    )
    assert rows == [[text], [text], ["1E5"]]


def test_one_member_may_be_several_columns() -> None:
    table = schema_of("exact:decimal=p, price:float=p, text?=p, again:decimal=p", "", "p=1.50,2.50")
    messages = ['{"p":"1.50"}', '{"p":"2.50"}', '{"p":"3.50"}', '{"p":2.50}']
    assert _only(table, *messages) == (
        [["1.50", "1.5", "1.50", "1.50"], ["2.50", "2.5", "2.50", "2.50"]],
        ["text: Expected a string, got 2.50 - at p"],
        1,
    )


def test_paths_that_contradict_each_other_are_read_one_by_one() -> None:
    table = schema_of('whole?=a, part:int?=a.b, odd?=["q\\""]')
    messages = ['{"a":"x"}', '{"a":{"b":1}}', '{"q\\"":"y"}', '{"a":"x"}']
    rows, rejects, _ = _only(table, *messages)
    assert rows == [["x", "", ""], ["", "", "y"], ["x", "", ""]]
    assert rejects == ['whole: Expected a string, got {"b":1} - at a']


@pytest.mark.parametrize("bad", [1000, 1001])
def test_a_message_of_too_many_bad_elements_is_rejected_whole(bad: int) -> None:
    schema = Schema(parse_columns("a:int"))
    message = b"[" + b",".join([b'{"a":1}', *[b"{}"] * bad, b'{"a":2}']) + b"]"
    decoder = FeedDecoder([schema], 10**6)
    batches = decoder.decode([message, b'{"a":3}'], [(2, 5)]) + decoder.take()
    rejects = [reject for batch in batches for reject in batch.rejects]
    rows = [cell for batch in batches for cell in batch.columns()[0]]
    if bad == 1000:
        assert (rows, len(rejects), rejects[0].raw) == ([1, 2, 3], 1000, b"{}")
    else:
        assert (rows, [reject.raw for reject in rejects]) == ([3], [message])
        assert rejects[0].reason == (
            "more than 1,000 of its rows are none; the first: a: a is missing"
        )


_QUOTES = schema_of("s=s, b:decimal?=b, a:decimal?=a")


def _blanked(schema: Schema, *messages: str) -> tuple[list[list[str]], list[str], int]:
    """Rows, reasons and blanked cells, of a run of the messages thrice."""
    decoder = _decoder([schema])
    raw = [message.encode() for message in messages] * 3
    decoder.decode(raw, _stamps(len(raw)))
    (batch,), (table,) = _take(decoder), decoder.tables
    assert _reading(decoder, [batch]) == read([schema], raw)
    third = len(batch.rejects) // 3
    return _rows(batch)[: batch.rows // 3], [r.reason for r in batch.rejects[:third]], table.blanked


@pytest.mark.parametrize("bare", [True, False])
def test_an_empty_string_is_an_empty_cell_where_a_column_is_optional(*, bare: bool) -> None:
    good = '{"s":"A","b":2.5,"a":1}' if bare else '{"s":"A","b":"2.5","a":"1"}'
    messages = [good, '{"s":"A","b":"","a":"1.5"}', good, '{"s":"B","a":"","b":""}']
    rows = [["A", "2.5", "1"], ["A", "", "1.5"], ["A", "2.5", "1"], ["B", "", ""]]
    assert _blanked(_QUOTES, *messages) == (rows, [], 0)
    required = schema_of("s=s, b:decimal=b, a:decimal?=a")
    _, reasons, _ = _blanked(required, *messages[:2])
    assert reasons == [f'b: Expected a number, got "", {_ONLY.format("decimal")}']


@pytest.mark.parametrize("kind", ["int", "float", "number", "decimal"])
def test_what_is_no_number_is_an_empty_cell_where_a_column_is_optional(kind: str) -> None:
    words = ["NaN", "nan", "∞", "-∞", "Infinity", "-Infinity", "inf", "-inf"]
    messages = ['{"v":7}', *(f'{{"v":"{word}"}}' for word in words), '{"v":"-\\u221e"}', "{}"]
    rows, reasons, blanked = _blanked(schema_of(f"v:{kind}?"), *messages)
    assert ([row[0] for row in rows[1:]], reasons, blanked) == ([""] * 10, [], 27)
    expected = "a whole number" if kind == "int" else "a number"
    reason = f'v: Expected {expected}, got "NaN", {_ONLY.format(kind)}'
    assert _blanked(schema_of(f"v:{kind}"), '{"v":"NaN"}') == ([], [reason], 0)


def test_what_is_no_number_in_the_message_counts_for_each_row() -> None:
    table = schema_of("v:float?=$.v, p:float?=p", "d", "k=x")
    row, other = '{"k":"x","p":"nan"}', '{"k":"y","p":"nan"}'
    message = f'{{"v":"NaN","d":[{row},{other},{row}]}}'
    assert _blanked(table, message) == ([["", ""]] * 2, [], 12)
    assert _blanked(table, f'{{"d":[{row},{other}]}}') == ([["", ""]], [], 3)


def test_a_value_may_be_kept_as_it_came() -> None:
    table = schema_of("i:int=i, c:json=c")
    messages = [
        '{"i":1,"c":["@","I"]}',
        '{"i":2,"c":{"x": [1, 2.50] }}',
        '{"i":3,"c": "a" }',
        '{"i":4,"c":1.50}',
        '{"i":5,"c":null}',
        '{"i":6}',
        '{"i":7,"c":""}',
        '{"i":8,"c":"\\u0041"}',
    ]
    cells = ['["@","I"]', '{"x": [1, 2.50] }', '"a"', "1.50", "", '""', '"\\u0041"']
    rows = [[str(i), cell] for i, cell in zip((1, 2, 3, 4, 5, 7, 8), cells, strict=True)]
    assert _only(table, *messages) == (rows, ["c: c is missing"], 0)
    assert _only(schema_of("i:int=i, c:json?=c"), messages[5])[0] == [["6", ""]]
    assert _only(table, *messages[:5] * 2)[0] == rows[:5] * 2


def test_a_row_that_begins_with_an_array_is_an_array_of_rows_whatever_its_columns_are() -> None:
    table = schema_of("c:json=[0], i:int?=[1]")
    assert _only(table, '["a",1]', '[{"x":[]},2]', '[["b",3],[["c"],4]]', '["d"]') == (
        [['"a"', "1"], ['{"x":[]}', "2"], ['"b"', "3"], ['["c"]', "4"], ['"d"', ""]],
        [],
        0,
    )


def test_a_value_may_be_kept_beside_what_is_in_it() -> None:
    table = schema_of("all:json=c, x:int?=c.x, price:float?=p, text:json?=p", "", "c.x=1,2")
    messages = ['{"c":{"x":1},"p":"1.5"}', '{"c":{"x":3}}', '{"c":{"x": 2 }}']
    rows = [['{"x":1}', "1", "1.5", '"1.5"'], ['{"x": 2 }', "2", "", ""]]
    assert _only(table, *messages) == (rows, [], 1)


@pytest.mark.parametrize(
    "word",
    [
        '\\"null\\"',
        "\\u0022NULL\\u0022",
        '\\"nul\\\\u006c\\"',
        '\\"\\u006eull\\"',
        '\\"nu\\u005cu006Cl\\"',
        '\\"\\u005Cu006e\\\\u0075ll\\u0022',
    ],
)
def test_the_word_null_is_no_empty_cell_in_the_text_of_a_string_either(word: str) -> None:
    schema = schema_of("p:float?=w|json.p")
    good, nothing = '{"w":"{\\"p\\":1.5}"}', '{"w":"{\\"p\\":null}"}'
    ((batch,), _) = _decode(schema, good, good, nothing, f'{{"w":"{{\\"p\\":{word}}}"}}', good)
    assert batch.columns() == [[1.5, 1.5, None, 1.5]]
    assert len(batch.rejects) == 1
