"""Messages as venues send them, with invented values, and what they mean, by hand for each venue.

A reading is made of the standard library's json and of nothing of the package, and knows its venue
alone. Numbers stay texts all the way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fastingest.config.catalog import known_feed
from fastingest.model.jsonpath import parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import Schema, parse_columns

__all__ = ["READINGS", "VenueReading"]

Row = tuple[str, ...]


class VenueReading(NamedTuple):
    """A venue's messages, and what they mean.

    :param schema: the table, without metadata columns.
    :param messages: those that have rows, or might.
    :param others: what the venue sends besides.
    :param read: the rows of a message, as json reads it with its numbers as texts.
    :param is_certain: whether the native reader leaves none of them to Python.
    """

    schema: Schema
    messages: SearchStrategy[str]
    others: tuple[str, ...]
    read: Callable[[Any], Iterator[Row]]
    is_certain: bool = True


def _known(name: str) -> Schema:
    schema = known_feed(name).feeds[0].tables[0].schema
    columns = tuple(column for column in schema.columns if not column.is_metadata)
    return replace(schema, columns=columns)


def _described(rows: Any, where: list[str], columns: list[str]) -> Schema:
    return Schema(parse_columns(columns), parse_rows(rows), tuple(map(parse_condition, where)))


# Values, as JSON

_DECIMALS = st.one_of(
    st.sampled_from(["0", "0.00000000", "1", "0.00100000", "16541.88", "123456789012345678.5"]),
    st.decimals("0.00000001", "99999999", places=8).map(lambda each: f"{each:f}"),
    st.integers(0, 10**12).map(str),
)
_QUOTED = _DECIMALS.map(json.dumps)
_IDS = st.integers(0, 2**63 - 1).map(str)
_MILLISECONDS = st.integers(0, 4_000_000_000_000).map(str)


def _array(*elements: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.tuples(*elements).map(lambda each: f"[{','.join(each)}]")


def _arrays(element: SearchStrategy[str], least: int = 0) -> SearchStrategy[str]:
    return st.lists(element, min_size=least, max_size=4).map(lambda each: f"[{','.join(each)}]")


@st.composite
def _object(
    draw: st.DrawFn, members: dict[str, SearchStrategy[str]], maybe: tuple[str, ...] = ()
) -> str:
    """An object whose members come in any order; those in ``maybe`` may be missing, or null."""
    names = draw(st.permutations(list(members)))
    written = []
    for name in names:
        value = draw(members[name])
        if name in maybe:
            value = draw(st.sampled_from([value, value, "null", ""]))
        if value:
            written.append(f"{json.dumps(name)}:{value}")
    return "{" + draw(st.sampled_from([",", ", "])).join(written) + "}"


def _texts(*values: str) -> SearchStrategy[str]:
    return st.sampled_from([json.dumps(value) for value in values])


_SYMBOL = st.sampled_from(
    ['"BTC-USDT"', '"ETHUSD"', '"XBT/USD"', '"ÄÖ,1"', r'"A\"B"', r'"\u00e9"', r'"A\/B"']
)
_LEVELS = _arrays(_array(_QUOTED, _QUOTED))


# What several hands need


def _time(milliseconds: str) -> str:
    seconds, rest = divmod(int(milliseconds), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


# Two members, each an array of [price, size]: Binance, Bybit, OKX, dYdX


def _binance(message: Any) -> Iterator[Row]:
    event = message["data"]
    for member, levels in event.items():
        if member in ("b", "a"):
            side = {"b": "bid", "a": "ask"}[member]
            for level, (price, quantity) in enumerate(levels or []):
                ids = event["U"], event["u"]
                yield _time(event["E"]), event["s"], *ids, side, str(level), price, quantity


def _bybit(message: Any) -> Iterator[Row]:
    book = message["data"]
    matched = _time(message["cts"]) if message.get("cts") else ""
    for member, levels in book.items():
        if member in ("b", "a"):
            side = "bid" if member == "b" else "ask"
            for level, (price, quantity) in enumerate(levels or []):
                yield (
                    *(_time(message["ts"]), matched, book["s"], message["type"]),
                    *(book["u"], book["seq"] or "", side, str(level), price, quantity),
                )


def _okx(message: Any) -> Iterator[Row]:
    (book,) = message["data"]
    for member, levels in book.items():
        if member in ("bids", "asks"):
            for level, (price, size, _, orders) in enumerate(levels or []):
                yield (
                    *(_time(book["ts"]), message["arg"]["instId"], message["action"]),
                    *(book["prevSeqId"], book["seqId"], member[:-1], str(level), price, size),
                    *(orders, book.get("checksum") or ""),
                )


def _dydx(message: Any) -> Iterator[Row]:
    for member, levels in message["contents"].items():
        for level, (price, size) in enumerate(levels or []):
            yield message["id"], message["message_id"], member, str(level), price, size


# Two members, each an array of objects: Kraken's API v2


def _kraken(message: Any) -> Iterator[Row]:
    (book,) = message["data"]
    time = book.get("timestamp") or ""
    if time:
        time = time[:-1].ljust(29, "0") + "Z"
    for member, levels in book.items():
        if member in ("bids", "asks"):
            for level, each in enumerate(levels or []):
                yield (
                    *(time, book["symbol"], message["type"], member[:-1], str(level)),
                    *(each["price"], each["qty"], book["checksum"]),
                )


# Changes, each [side, price, size], and a snapshot: Coinbase Exchange


def _coinbase_changes(message: Any) -> Iterator[Row]:
    for side, price, size in message["changes"]:
        yield message["time"], message["product_id"], side, price, size


def _coinbase_snapshot(message: Any) -> Iterator[Row]:
    for member, levels in message.items():
        if member in ("bids", "asks"):
            for level, (price, size) in enumerate(levels or []):
                yield message["product_id"], member, str(level), price, size


# The changes of the first event, and trades of several: Coinbase Advanced Trade


def _coinbase_level2(message: Any) -> Iterator[Row]:
    event = message["events"][0]
    for level, each in enumerate(event["updates"]):
        yield (
            message["timestamp"].removesuffix("Z").ljust(29, "0") + "Z",
            each["event_time"].removesuffix("Z") + ".000000000Z",
            *(event["product_id"], message["sequence_num"], event["type"], each["side"]),
            *(str(level), each["price_level"], each["new_quantity"]),
        )


def _coinbase_trades(message: Any) -> Iterator[Row]:
    for event in message["events"]:
        for trade in event["trades"]:
            yield (
                *(trade["time"].removesuffix("Z") + ".000000000Z", trade["product_id"]),
                *(trade["trade_id"], trade["price"], trade["size"], trade["side"]),
                message["sequence_num"],
            )


# A map of coins: Hyperliquid


_COINS = ("BTC", "@107", "PURR/USDC", 'A"B', "k,1", "é", "[*]")


def _hyperliquid(message: Any) -> Iterator[Row]:
    for coin, price in message["data"]["mids"].items():
        if price is not None:
            yield coin, price


# Arrays in arrays: Bitfinex, and Kraken's API v1


def _bitfinex(message: Any) -> Iterator[Row]:
    channel, kind, *rest = message
    if kind == "te":
        ((trade_id, time, amount, price),) = rest
        yield channel, trade_id, _time(time), amount, price


def _kraken_v1(message: Any) -> Iterator[Row]:
    _, *sides, channel, pair = message
    for part in sides:
        for member, levels in part.items():
            if member == "c":
                continue
            side = "ask" if member[0] == "a" else "bid"
            for level, (price, volume, time, *kind) in enumerate(levels):
                seconds, fraction = time.split(".")
                shown = _time(f"{seconds}000").replace("000Z", f"{fraction}Z")
                yield pair, channel, side, str(level), price, volume, shown, *(kind or [""])


_KRAKEN_V1_LEVELS = _arrays(
    st.one_of(
        _array(_QUOTED, _QUOTED, _texts("1534614248.456738", "1534614248.000001")),
        _array(_QUOTED, _QUOTED, _texts("1534614249.100000"), _texts("r")),
    ),
    least=1,
)


@st.composite
def _kraken_v1_messages(draw: st.DrawFn) -> str:
    """Both sides at first; then one, with the checksum, or both, one in an object each."""
    a, b = draw(_KRAKEN_V1_LEVELS), draw(_KRAKEN_V1_LEVELS)
    sum_ = f'"c":"{draw(st.integers(0, 2**32 - 1))}"'
    sides = draw(
        st.sampled_from(
            [
                f'{{"as":{a},"bs":{b}}}',
                f'{{"as":[],"bs":{b}}}',
                f'{{"a":{a},{sum_}}}',
                f'{{"b":{b},{sum_}}}',
                f'{{"a":{a}}}',
                f'{{"a":{a}}},{{"b":{b},{sum_}}}',
                f'{{"b":{b}}},{{"a":{a},{sum_}}}',
            ]
        )
    )
    channel = draw(_texts("book-10", "book-1000"))
    return f"[{draw(st.integers(0, 999))},{sides},{channel},{draw(_SYMBOL)}]"


_TRADE = _object(
    {
        "trade_id": _IDS.map(json.dumps),
        "product_id": _SYMBOL,
        "price": _QUOTED,
        "size": _QUOTED,
        "side": _texts("BUY", "SELL"),
        "time": _texts("2023-02-09T20:19:35Z", "1999-12-31T23:59:59Z"),
    }
)

READINGS: dict[str, VenueReading] = {
    "binance": VenueReading(
        _known("binance-depth"),
        _object(
            {
                "stream": _texts("btcusdt@depth@100ms"),
                "data": _object(
                    {
                        "e": _texts("depthUpdate"),
                        "E": _MILLISECONDS,
                        "s": _SYMBOL,
                        "U": _IDS,
                        "u": _IDS,
                        "b": _LEVELS,
                        "a": _LEVELS,
                    },
                    ("b", "a"),
                ),
            }
        ),
        ('{"result":null,"id":1}', '{"stream":"x@trade","data":{"e":"trade","s":"X","b":[["1"]]}}'),
        _binance,
    ),
    "bybit": VenueReading(
        _known("bybit-orderbook"),
        _object(
            {
                "topic": _texts("orderbook.50.BTCUSDT"),
                "type": _texts("snapshot", "delta"),
                "ts": _MILLISECONDS,
                "data": _object(
                    {"s": _SYMBOL, "b": _LEVELS, "a": _LEVELS, "u": _IDS, "seq": _IDS}, ("b", "a")
                ),
                "cts": _MILLISECONDS,
            },
            ("cts",),
        ),
        (
            '{"success":true,"ret_msg":"pong","conn_id":"2324d924","op":"ping"}',
            '{"topic":"publicTrade.B","ts":1,"type":"snapshot","data":[{"T":1,"s":"B","p":"1"}]}',
        ),
        _bybit,
    ),
    "okx": VenueReading(
        _known("okx-books"),
        _object(
            {
                "arg": _object({"channel": _texts("books"), "instId": _SYMBOL}),
                "action": _texts("snapshot", "update"),
                "data": _array(
                    _object(
                        {
                            "asks": _arrays(_array(_QUOTED, _QUOTED, _texts("0"), _IDS)),
                            "bids": _arrays(_array(_QUOTED, _QUOTED, _texts("0"), _IDS)),
                            "ts": _MILLISECONDS.map(json.dumps),
                            "checksum": st.integers(-(2**31), 2**31).map(str),
                            "prevSeqId": st.integers(-1, 2**60).map(str),
                            "seqId": _IDS,
                        },
                        ("asks", "bids", "checksum"),
                    )
                ),
            }
        ),
        (
            "pong",
            '{"event":"subscribe","arg":{"channel":"books","instId":"X"},"connId":"accb8e21"}',
            '{"arg":{"channel":"books5","instId":"X"},"data":[{"asks":[["1","1","0","1"]]}]}',
        ),
        _okx,
    ),
    "dydx": VenueReading(
        _described(
            {"bids": "contents.bids?", "asks": "contents.asks?"},
            ["$.type=channel_data", "$.channel=v4_orderbook"],
            [
                *("symbol=$.id", "message_id:int=$.message_id", "side=@rows", "level:int=@index"),
                *("price:decimal=[0]", "size:decimal=[1]"),
            ],
        ),
        _object(
            {
                "type": _texts("channel_data"),
                "connection_id": _texts("a1b2"),
                "message_id": _IDS,
                "id": _SYMBOL,
                "channel": _texts("v4_orderbook"),
                "contents": _object({"bids": _LEVELS, "asks": _LEVELS}, ("bids", "asks")),
            }
        ),
        (
            '{"type":"connected","connection_id":"a1b2","message_id":0}',
            '{"type":"channel_data","id":"X","channel":"v4_trades","contents":{"trades":[]}}',
        ),
        _dydx,
    ),
    "kraken": VenueReading(
        _known("kraken-book"),
        _object(
            {
                "channel": _texts("book"),
                "type": _texts("snapshot", "update"),
                "data": _array(
                    _object(
                        {
                            "symbol": _SYMBOL,
                            "bids": _arrays(_object({"price": _DECIMALS, "qty": _DECIMALS})),
                            "asks": _arrays(_object({"price": _DECIMALS, "qty": _DECIMALS})),
                            "checksum": st.integers(0, 2**32 - 1).map(str),
                            "timestamp": _texts("2023-10-06T17:35:55.440295Z"),
                        },
                        ("bids", "asks", "timestamp"),
                    )
                ),
            }
        ),
        (
            '{"channel":"heartbeat"}',
            '{"channel":"status","type":"update","data":[{"system":"online"}]}',
            '{"method":"subscribe","result":{"channel":"book","symbol":"BTC/USD"},"success":true}',
        ),
        _kraken,
    ),
    "coinbase-changes": VenueReading(
        _described(
            "changes",
            ["$.type=l2update"],
            [
                *("time=$.time", "symbol=$.product_id", "side=[0]"),
                *("price:decimal=[1]", "size:decimal=[2]"),
            ],
        ),
        _object(
            {
                "type": _texts("l2update"),
                "product_id": _SYMBOL,
                "changes": _arrays(_array(_texts("buy", "sell"), _QUOTED, _QUOTED)),
                "time": _texts("2019-08-14T20:42:27.265Z"),
            }
        ),
        (
            '{"type":"snapshot","product_id":"X","bids":[["1","2"]],"asks":[]}',
            '{"type":"subscriptions","channels":[{"name":"level2","product_ids":["X"]}]}',
        ),
        _coinbase_changes,
    ),
    "coinbase-snapshot": VenueReading(
        _described(
            ["bids", "asks"],
            ["$.type=snapshot"],
            [
                *("symbol=$.product_id", "side=@rows", "level:int=@index"),
                *("price:decimal=[0]", "size:decimal=[1]"),
            ],
        ),
        _object(
            {
                "type": _texts("snapshot"),
                "product_id": _SYMBOL,
                "bids": _LEVELS,
                "asks": _LEVELS,
            }
        ),
        ('{"type":"l2update","product_id":"X","changes":[["buy","1","2"]],"bids":[["1","2"]]}',),
        _coinbase_snapshot,
    ),
    "coinbase-level2": VenueReading(
        _known("coinbase-level2"),
        _object(
            {
                "channel": _texts("l2_data"),
                "timestamp": _texts("2023-02-09T20:32:50.714964855Z", "2023-02-09T20:32:50.9Z"),
                "sequence_num": _IDS,
                "events": _array(
                    _object(
                        {
                            "type": _texts("snapshot", "update"),
                            "product_id": _SYMBOL,
                            "updates": _arrays(
                                _object(
                                    {
                                        "side": _texts("bid", "offer"),
                                        "event_time": _texts("1970-01-01T00:00:00Z"),
                                        "price_level": _QUOTED,
                                        "new_quantity": _QUOTED,
                                    }
                                )
                            ),
                        }
                    )
                ),
            }
        ),
        (
            '{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{}}]}',
            '{"channel":"l2_data","sequence_num":1,"events":[{"updates":[]},{"updates":[]}]}',
        ),
        _coinbase_level2,
    ),
    "coinbase-trades": VenueReading(
        _known("coinbase-advanced-trades"),
        _object(
            {
                "channel": _texts("market_trades"),
                "client_id": _texts(""),
                "timestamp": _texts("2023-02-09T20:19:35.39625135Z"),
                "sequence_num": _IDS,
                "events": _arrays(
                    _object({"type": _texts("update"), "trades": _arrays(_TRADE)}), least=1
                ),
            }
        ),
        (
            '{"channel":"heartbeats","sequence_num":5,"events":[{"heartbeat_counter":3049}]}',
            '{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{}}]}',
        ),
        _coinbase_trades,
    ),
    "hyperliquid": VenueReading(
        _known("hyperliquid-mids"),
        _object(
            {
                "channel": _texts("allMids"),
                "data": _object(
                    {
                        "mids": _object(
                            dict.fromkeys(_COINS, _QUOTED),
                            ("BTC", "@107", "k,1"),
                        )
                    }
                ),
            }
        ),
        (
            '{"channel":"pong"}',
            '{"channel":"trades","data":[{"coin":"BTC","px":"1","mids":{"X":"1"}}]}',
        ),
        _hyperliquid,
    ),
    "bitfinex": VenueReading(
        _described(
            "[2]",
            ["$[1]=te"],
            [
                *("channel:int=$[0]", "trade_id:int=[0]", "time:timestamp[ms]=[1]"),
                *("amount:decimal=[2]", "price:decimal=[3]"),
            ],
        ),
        st.one_of(
            _array(
                *(_IDS, _texts("te")),
                _array(
                    *(_IDS, _MILLISECONDS),
                    st.tuples(st.sampled_from(["", "-"]), _DECIMALS).map("".join),
                    _DECIMALS,
                ),
            ),
            _array(_IDS, _texts("tu"), _array(_IDS, _MILLISECONDS, _DECIMALS, _DECIMALS)),
            _array(_IDS, _arrays(_array(_IDS, _MILLISECONDS, _DECIMALS, _DECIMALS))),
        ),
        (
            '[7,"hb"]',
            '{"event":"info","version":2,"serverId":"083bd8d4","platform":{"status":1}}',
            '{"event":"subscribed","channel":"trades","chanId":7,"symbol":"tBTCUSD"}',
        ),
        _bitfinex,
    ),
    "kraken-v1": VenueReading(
        _described(
            [
                *("ask=[1].as?", "bid=[1].bs?", "ask=[1].a?", "bid=[1].b?"),
                *("ask=[2].a?", "bid=[2].b?"),
            ],
            ["$[-2]^=book-"],
            [
                *("symbol=$[-1]", "channel=$[-2]", "side=@rows", "level:int=@index"),
                *("price:decimal=[0]", "volume:decimal=[1]", "time:timestamp[s:6]=[2]"),
                "republished:str?=[3]",
            ],
        ),
        _kraken_v1_messages(),
        (
            '{"event":"heartbeat"}',
            '[337,[["5541.2","0.1","1534614057.321597","s","l",""]],"trade","XBT/USD"]',
        ),
        _kraken_v1,
        is_certain=False,  # of a text where another message has an object
    ),
}
