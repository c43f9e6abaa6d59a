from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastingest.decode.auto import SIGNALS
from fastingest.decode.batch_builder import MAX_REJECT_BYTES
from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.model.batch import Batch
from fastingest.model.schema import TRADES

Row = tuple[Any, ...]


def _decode(*messages: bytes | str, limit: int | None = None) -> Batch:
    """What the messages decode to, each received a microsecond after the one before."""
    decoder = FeedDecoder([TRADES], batch_size=10**6)
    raw = [message.encode() if isinstance(message, str) else message for message in messages]
    decoder.decode(raw, [(n + 1, 1000 * n) for n in range(len(raw))], limit)
    return _take(decoder)


def _take(decoder: FeedDecoder) -> Batch:
    """The batch being filled, empty or not."""
    (table,) = decoder.tables
    return table.take()


def _rows(batch: Batch) -> list[Row]:
    return list(zip(*batch.columns(), strict=True))


@pytest.mark.parametrize(
    ("message", "rows"),
    [
        ('{"symbol": "AAPL", "price": 145.67, "volume": 1500}', [("AAPL", 145.67, 1500)]),
        ('{"volume":1500,"price":145.67,"symbol":"AAPL"}', [("AAPL", 145.67, 1500)]),
        ('{"symbol":"A","price":1}', [("A", 1.0, None)]),
        ('{"symbol":"A","price":1,"volume":null}', [("A", 1.0, None)]),
        ('{"symbol":"A","price":"145.67","volume":"0.25"}', [("A", 145.67, 0.25)]),
        ('{"symbol":"A","price":"1e3","volume":"1500"}', [("A", 1000.0, 1500)]),
        ('{"symbol":"A","price":1,"x":{"y":[1,{}]},"z":"}"}', [("A", 1.0, None)]),
        ('{"symbol":"A","symbol":"B","price":1}', [("B", 1.0, None)]),
        ('{"symbol":"A,\\"\\n\\u00e9","price":1}', [('A,"\né', 1.0, None)]),
        ('{"symbol":"日本","price":1}', [("日本", 1.0, None)]),
        ('{"symbol":"","price":0}', [("", 0.0, None)]),
        (' \t\r\n{"symbol":"A","price":1} \n', [("A", 1.0, None)]),
        ('{"symbol":"A","price":1,"volume":9223372036854775807}', [("A", 1.0, 2**63 - 1)]),
        ('{"symbol":"A","price":1,"volume":9223372036854775808}', [("A", 1.0, str(2**63))]),
        (
            '{"symbol":"A","price":1,"volume":"-9223372036854775809"}',
            [("A", 1.0, str(-(2**63) - 1))],
        ),
        ('{"symbol":"A","price":5e-324}', [("A", 5e-324, None)]),
        ('{"symbol":"A","price":1.7976931348623157e308}', [("A", 1.7976931348623157e308, None)]),
        (
            '[{"symbol":"A","price":1},{"symbol":"B","price":2}]',
            [("A", 1.0, None), ("B", 2.0, None)],
        ),
        ('  [ {"symbol":"A","price":1} ]', [("A", 1.0, None)]),
        ('{"AAPL": 145.67, "MSFT": 289.12}', [("AAPL", 145.67, None), ("MSFT", 289.12, None)]),
        ('{"BTC": "61000.5"}', [("BTC", 61000.5, None)]),
        ('{"A": 1, "A": 2}', [("A", 2.0, None)]),
        ('{"null": 1, "B": 2}', [("null", 1.0, None), ("B", 2.0, None)]),
        ('{"PING": 1}', [("PING", 1.0, None)]),
        ('{"id": 1, "B": 2}', [("id", 1.0, None), ("B", 2.0, None)]),
        ('{"symbol":5,"symbol":"B","price":"x","price":1}', [("B", 1.0, None)]),
    ],
)
def test_what_a_message_means(message: str, rows: list[Row]) -> None:
    batch = _decode(message)
    assert _rows(batch) == rows
    assert [list(map(type, row)) for row in _rows(batch)] == [list(map(type, row)) for row in rows]
    assert batch.rejects == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "not JSON: it ends too early"),
        (b"hello", "not JSON"),
        (b'{"symbol":"A","price":1', "not JSON: it ends too early"),
        (b'{"symbol":"A","price":1}}', "not JSON: trailing characters"),
        (b'{"symbol":"A","price":1} {"symbol":"B","price":2}', "not JSON: trailing characters"),
        (b'{"symbol":"A","price":NaN}', "not JSON"),
        (b'{"symbol":"A","price":"NaN"}', 'price: Expected a number, got "NaN", which only an'),
        (b'{"symbol":"A","price":"-inf"}', 'price: Expected a number, got "-inf", which only an'),
        (b'{"symbol":"A","price":1e999}', "price: Expected a number that a double holds"),
        (b'{"symbol":"A","price":"-1e999"}', "price: Expected a number that a double holds"),
        (b'{"symbol":"A","price":1,"volume":"-inf "}', "volume"),
        (
            b'{"symbol":"A","price":1,"volume":' + b"9" * 5000 + b"}",
            "volume: Expected a number of at most 4,300 digits, got 9",
        ),
        (b'{"symbol":"A","price":true}', "price: Expected a number, got true"),
        (b'{"symbol":"A","price":null}', "price: price is null"),
        (b'{"symbol":"A","price":"x"}', 'price: Expected a number, got "x"'),
        (b'{"symbol":"A","price":1,"volume":"null"}', 'volume: Expected a number, got "null"'),
        (b'{"symbol":"A","price":1,"volume":[]}', "volume: Expected a number, got []"),
        (b'{"symbol":5,"price":1}', "symbol: Expected a string, got 5"),
        (b'{"symbol":"A"}', "price: price is missing"),
        (b'{"price":145.67}', "symbol: symbol is missing"),
        (b'{"volume":1}', "symbol: symbol is missing"),
        (b'{"symbol":1,"price":2}', "symbol: Expected a string, got 1"),
        (b"{}", "an empty object holds no row"),
        (b"[]", "an empty array holds no row"),
        (b"[ ]", "an empty array holds no row"),
        (b"[1, [2], null]", "no element of the array is an object"),
        (b" [5] ", "no element of the array is an object"),
        (b"[" + b"5," * 1000 + b"5]", "more than 1,000 of its rows are none; the first: a row"),
        (b"5", "a row should be an object, and this is none"),
        (b'"A"', "a row should be an object, and this is none"),
        (b"null", "a row should be an object, and this is none"),
        (b'{"result":null,"id":1}', "no map of symbol to price: Expected a number, got null"),
        (b'{"AAPL":1,"MSFT":"nan"}', "no map of symbol to price"),
        (b'{"ping":1795729903425}', "its only member is 'ping', which is no symbol"),
        (b' {"id" : "1"} ', "its only member is 'id', which is no symbol"),
        (b'{"id":1,"id":2}', "its only member is 'id', which is no symbol"),
        (b'{"type":"heartbeat"}', "no record (none of symbol, price, volume), and no map"),
        (b'\xef\xbb\xbf{"symbol":"A","price":1}', "not JSON: invalid character (byte 0)"),
        (b'{"symbol":"A\xff","price":1}', "not UTF-8: byte 12"),
        (b'{"symbol":"A","price":1,"x":"\xff"}', "not UTF-8: byte 29"),
        (b"\xff\xfe", "not UTF-8: byte 0"),
        (b'{"symbol":"\\ud800","price":1}', "not JSON"),
        (b'{"symbol":"A\n","price":1}', "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"symbol":"A","price":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too deeply"),
        (b'[{"symbol":"A","price":1}', "not JSON: it ends too early"),
        (b'[{"symbol":"A","price":1},]', "not JSON"),
    ],
)
def test_a_message_that_is_no_row_is_rejected_with_the_reason(message: bytes, reason: str) -> None:
    good = '{"symbol":"N","price":7}'
    batch = _decode(good, message, good)
    assert _rows(batch) == [("N", 7.0, None)] * 2
    (reject,) = batch.rejects
    assert reject.raw == message
    assert reject.time == 1000
    assert reason in reject.reason
    assert "\n" not in reject.reason


def test_an_array_gives_up_only_its_bad_elements() -> None:
    batch = _decode('[{"symbol":"A","price":1}, {"symbol":"B"}, 7, {"symbol":"C","price":3}, []]')
    assert _rows(batch) == [("A", 1.0, None), ("C", 3.0, None)]
    assert [reject.raw for reject in batch.rejects] == [b'{"symbol":"B"}', b"7", b"[]"]


def test_a_map_within_an_array_is_no_record() -> None:
    batch = _decode('[{"A":1}]', '[{"symbol":"B","price":2}, {"A":1}]')
    assert _rows(batch) == [("B", 2.0, None)]
    assert [(reject.raw, reject.reason) for reject in batch.rejects] == [
        (b'{"A":1}', "symbol: symbol is missing")
    ] * 2


def test_many_alike_are_read_as_each_alone() -> None:
    """Together, as most come: the odd one among them is found, whatever they are."""
    record, array, prices = (
        '{"symbol":"R","price":1,"volume":2}',
        '[{"symbol":"S","price":3},{"symbol":"T","price":4}]',
        '{"U":5,"V":"6"}',
    )
    odd = [
        "[]",
        "{}",
        '{"pong":1}',
        '{"id":1,"Z":2}',
        '{"price":"7"}',
        '{"symbol":"8","price":"9"}',
        "[5]",
        record,
        array,
        prices,
    ]
    for usual in (record, array, prices):
        for other in odd:
            for messages in ([usual] * 5 + [other] + [usual] * 4, [other, other, *[usual] * 3]):
                alone = [_decode(message) for message in messages]
                batch = _decode(*messages)
                assert _rows(batch) == [row for each in alone for row in _rows(each)]
                assert [(r.raw, r.reason) for r in batch.rejects] == [
                    (r.raw, r.reason) for each in alone for r in each.rejects
                ]


def test_two_broken_halves_are_no_row() -> None:
    """Joined by a comma they would be one."""
    batch = _decode('{"symbol":"A', '","price":1}')
    assert _rows(batch) == []
    assert [reject.raw for reject in batch.rejects] == [b'{"symbol":"A', b'","price":1}']


def test_the_order_is_kept_across_shapes() -> None:
    batch = _decode(
        '{"symbol":"A","price":1}',
        '[{"symbol":"B","price":2},{"symbol":"C","price":3}]',
        "nothing",
        '{"D":4,"E":5}',
        '{"F":6}',
        '{"symbol":"G","price":7}',
    )
    assert [row[0] for row in _rows(batch)] == list("ABCDEFG")
    assert batch.stamps == [(1, 0), (3, 1000), (5, 3000), (6, 4000), (7, 5000)]
    assert [reject.time for reject in batch.rejects] == [2000]


@pytest.mark.parametrize("before", ['{"X":1}', '{"symbol":"X","price":1}'])
@pytest.mark.parametrize("message", ['{"price":"5"}', '{"symbol":"5","price":"1"}', '{"id":1}'])
def test_what_came_before_does_not_change_what_a_message_means(before: str, message: str) -> None:
    alone, after = _decode(message), _decode(before, "no row", before, message)
    assert _rows(after)[2:] == _rows(alone)
    assert [r.reason for r in after.rejects[1:]] == [r.reason for r in alone.rejects]


# Held to a reading that shares no code with it: the standard library's json, and rules written out.

_LIMIT = 10**300  # beyond, json's integers and msgspec's bounds need care that is tested above


def _number(value: Any) -> Any:
    """The number, or the one that the string holds; else None."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) else None


def _read_record(value: Any) -> Row | None:
    if not isinstance(value, dict) or not isinstance(value.get("symbol"), str):
        return None
    price, volume = _number(value.get("price")), value.get("volume")
    if price is None:
        return None
    if volume is not None:
        volume = _number(volume)
        if volume is None:
            return None
    return (value["symbol"], float(price), volume)


def _read(message: Any) -> tuple[list[Row], int]:
    """The rows of a message, and how many rejects it leaves."""
    if isinstance(message, list) and not any(isinstance(each, dict) for each in message):
        return [], 1
    if isinstance(message, list):
        rows = [row for row in map(_read_record, message) if row is not None]
        return rows, len(message) - len(rows)
    if isinstance(message, dict) and not message.keys() & {"symbol", "price", "volume"}:
        prices = [_number(price) for price in message.values()]
        if not prices or None in prices or (len(prices) == 1 and message.keys() & SIGNALS):
            return [], 1
        return [(k, float(p), None) for k, p in zip(message, prices, strict=True)], 0
    row = _read_record(message)
    return ([row], 0) if row is not None else ([], 1)


_floats = st.floats(allow_nan=False, allow_infinity=False)
_numbers = st.integers(-(2**63), 2**63 - 1) | _floats
_numeric_text = _numbers.map(json.dumps)
_texts = st.sampled_from(["A", "symbol", "price", "volume", "x", "é", 'a"b', "a,b", "1.5"])
_scalars = st.none() | st.booleans() | _numbers | _numeric_text | _texts
_records = st.fixed_dictionaries(
    {"symbol": _texts, "price": _numbers | _numeric_text},
    optional={"volume": st.none() | _numbers | _numeric_text, "other": _scalars},
)
_objects = st.dictionaries(_texts, _scalars, max_size=4)
_maps = st.dictionaries(st.sampled_from(["A", "B", "é", "ping", "id"]), _numbers, min_size=1)
_values = st.one_of(
    _records, _records, _maps, _objects, _scalars, st.lists(_records | _objects | _scalars)
)


@given(st.lists(_values, max_size=8), st.booleans())
@example([{"symbol": "A", "price": 1}, {"A": 1}], True)
@settings(max_examples=400)
def test_it_reads_what_a_plain_reading_reads(messages: list[Any], ascii_only: bool) -> None:
    raw = [json.dumps(message, ensure_ascii=ascii_only).encode() for message in messages]
    batch = _decode(*raw)
    expected = [_read(message) for message in messages]
    assert _rows(batch) == [row for rows, _ in expected for row in rows]
    assert len(batch.rejects) == sum(rejects for _, rejects in expected)


@given(st.lists(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), max_size=6))
def test_no_bytes_make_it_fail(messages: list[bytes]) -> None:
    batch = _decode(*messages)
    assert batch.rows + len(batch.rejects) >= len(messages)


@given(st.lists(_values, max_size=6), st.lists(st.booleans(), min_size=6, max_size=6))
def test_it_does_not_matter_how_messages_come_together(
    messages: list[Any], cuts: list[bool]
) -> None:
    raw = [json.dumps(message).encode() for message in messages]
    whole = _decode(*raw)
    decoder = FeedDecoder([TRADES], batch_size=10**6)
    start = 0
    for end in range(1, len(raw) + 1):
        if cuts[end - 1] or end == len(raw):
            stamps = [(n - start + 1, 1000 * n) for n in range(start, end)]
            decoder.decode(raw[start:end], stamps)
            start = end
    pieces = _take(decoder)
    assert _rows(pieces) == _rows(whole)
    assert pieces.stamps == whole.stamps
    assert pieces.rejects == whole.rejects


@given(st.lists(_values, max_size=8), st.integers(1, 12))
def test_a_limit_cuts_after_exactly_so_many_rows(messages: list[Any], limit: int) -> None:
    raw = [json.dumps(message).encode() for message in messages]
    everything, cut = _decode(*raw), _decode(*raw, limit=limit)
    assert _rows(cut) == _rows(everything)[:limit]
    if _rows(cut):
        assert cut.stamps[-1][0] == cut.rows == len(_rows(cut))


def _times(batch: Batch) -> list[int]:
    """When each row was received."""
    times: list[int] = []
    for end, time in batch.stamps:
        assert len(times) < end <= batch.rows
        times += [time] * (end - len(times))
    return times


@given(st.lists(_values, max_size=8), st.integers(1, 5), st.integers(1, 8))
def test_batches_close_when_they_are_full(messages: list[Any], size: int, cut: int) -> None:
    raw = [json.dumps(message).encode() for message in messages]
    stamps = [(n + 1, 1000 * n) for n in range(len(raw))]
    whole = _decode(*raw)
    decoder = FeedDecoder([TRADES], batch_size=size)
    closed = decoder.decode(raw[:cut], stamps[:cut])
    closed += decoder.decode(raw[cut:], [(end - cut, time) for end, time in stamps[cut:]])
    assert {batch.rows for batch in closed} <= {size}
    batches = [*closed, _take(decoder)]
    assert batches[-1].rows < size
    assert decoder.is_empty
    assert [row for batch in batches for row in _rows(batch)] == _rows(whole)
    assert [time for batch in batches for time in _times(batch)] == _times(whole)
    assert [reject for batch in batches for reject in batch.rejects] == whole.rejects
    assert (decoder.rows, decoder.tables[0].rejects) == (whole.rows, len(whole.rejects))


def test_many_bytes_of_rejects_close_a_batch_as_well() -> None:
    decoder = FeedDecoder([TRADES], batch_size=10)
    large = b"x" * (MAX_REJECT_BYTES // 2)
    assert decoder.decode([large], [(1, 0)]) == []
    (batch,) = decoder.decode([large], [(1, 0)])
    assert (batch.rows, len(batch.rejects)) == (0, 2)
    assert decoder.is_empty


def test_what_is_to_be_ignored_is_neither_row_nor_reject() -> None:
    decoder = FeedDecoder([TRADES], batch_size=10, ignore=["pong", '{"event":"hb"}'])
    messages = [b"pong", b'{"A":1}', b'{"event":"hb"}', b'{"event": "hb"}', b"pong"]
    decoder.decode(messages, [(5, 0)])
    batch = _take(decoder)
    assert _rows(batch) == [("A", 1.0, None)]
    assert [reject.raw for reject in batch.rejects] == [b'{"event": "hb"}']
    assert decoder.ignored == 3


@pytest.mark.parametrize("bad", [1000, 1001])
def test_an_array_of_too_many_bad_elements_is_rejected_whole(bad: int) -> None:
    record = b'{"symbol":"A","price":1}'
    message = b"[" + b",".join([record, *[b"{}"] * bad, record]) + b"]"
    decoder = FeedDecoder([TRADES], 10**6)
    batches = decoder.decode([message, record], [(2, 5)]) + decoder.take()
    rejects = [reject for batch in batches for reject in batch.rejects]
    assert sum(batch.rows for batch in batches) == (3 if bad == 1000 else 1)
    assert [reject.raw for reject in rejects] == ([b"{}"] * 1000 if bad == 1000 else [message])
