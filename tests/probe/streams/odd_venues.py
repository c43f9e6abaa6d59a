"""Streams in forms that few venues have: dYdX, Phemex, Tiingo, Bitfinex's book, invented ones."""

from __future__ import annotations

from typing import Any

from tests.probe.streams.stream import Expert, Some, Stream, stream

__all__ = ["ODD_VENUES"]

_some = Some("odd venues")
_p, _bid, _q, _ms, _id, _iso = (
    *(_some.price, _some.bid, _some.size, _some.ms, _some.id, _some.iso),
)


# Snapshots come in the reply to a subscription, and of a book as records, where updates are arrays.


def _dydx(channel: str, name: str, *, is_reply: bool = False) -> dict[str, Any]:
    message: dict[str, Any] = {"type": "subscribed" if is_reply else "channel_data"}
    message["connection_id"] = "c1"
    message |= {"message_id": _id(), "id": name, "channel": f"v4_{channel}"}
    if channel == "trades":
        trade = {"id": str(_id()), "size": str(_q()), "price": str(_p()), "createdAt": _iso(3)}
        return {**message, "contents": {"trades": [trade] * (3 if is_reply else 1)}}
    if is_reply:
        bids = [{"price": str(_bid()), "size": str(_q())} for _ in range(3)]
        asks = [{"price": str(_p()), "size": str(_q())} for _ in range(3)]
        return {**message, "contents": {"bids": bids, "asks": asks}}
    return {
        **message,
        "contents": _some.of({"bids": _some.levels(_bid)}, {"asks": _some.levels(_p)}),
    }


_OF_DYDX = "connection=$.connection_id, message:int=$.message_id, symbol=$.id"
_DYDX = stream(
    "dYdX: trades and order book",
    [
        {"type": "connected", "connection_id": "c1", "message_id": 0},
        _dydx("trades", "BTC-USD", is_reply=True),
        _dydx("orderbook", "BTC-USD", is_reply=True),
        *_some.mixed(
            [_dydx("trades", _some.of("BTC-USD", "ETH-USD")) for _ in range(30)],
            [_dydx("orderbook", _some.of("BTC-USD", "ETH-USD")) for _ in range(30)],
        ),
    ],
    [
        _dydx("trades", "SOL-USD", is_reply=True),
        _dydx("orderbook", "SOL-USD", is_reply=True),
        _dydx("trades", "SOL-USD"),
        _dydx("orderbook", "SOL-USD"),
    ],
    Expert(
        f"trade=id, size:decimal, price:decimal, created:timestamp[iso:3]=createdAt, {_OF_DYDX}",
        "contents.trades",
        ("$.channel=v4_trades",),
        ("type",),
    ),
    Expert(
        f"side=@rows, level:int=@index, price:decimal, size:decimal, {_OF_DYDX}",
        {"bid": "contents.bids", "ask": "contents.asks"},
        ("$.channel=v4_orderbook", "$.type=subscribed"),
        ("type",),
    ),
    Expert(
        f"side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], {_OF_DYDX}",
        {"bid": "contents.bids?", "ask": "contents.asks?"},
        ("$.channel=v4_orderbook", "$.type=channel_data"),
        ("type",),
    ),
)


def _phemex(kind: str, symbol: str, phase: str = "incremental") -> dict[str, Any]:
    message: dict[str, Any] = {"sequence": _id(), "symbol": symbol, "type": phase}
    if kind == "trades":
        trades = [
            [_ms() * 10**6, _some.of("Buy", "Sell"), int(_p() * 10**4), _id() % 100]
            for _ in range(10 if phase == "snapshot" else 1)
        ]
        return {**message, "trades": trades}
    book = {"asks": [[int(_p() * 10**4), _id() % 100]], "bids": [[int(_bid() * 10**4), 5]]}
    return {"book": book, "depth": 30, **message, "timestamp": _ms() * 10**6}


_PHEMEX = stream(
    "Phemex: trades and book, which say no channel",
    [
        {"error": None, "id": 1, "result": {"status": "success"}},
        _phemex("trades", "BTCUSD", "snapshot"),
        _phemex("book", "BTCUSD", "snapshot"),
        *_some.mixed(
            [_phemex("trades", _some.of("BTCUSD", "ETHUSD")) for _ in range(30)],
            [_phemex("book", _some.of("BTCUSD", "ETHUSD")) for _ in range(30)],
        ),
    ],
    [
        *(_phemex(kind, "SOLUSD", "snapshot") for kind in ("trades", "book")),
        *(_phemex(kind, "SOLUSD") for kind in ("trades", "book")),
    ],
    Expert(
        "time:timestamp[ns]=[0], side=[1], price:number=[2], size:number=[3], "
        "sequence:int=$.sequence, symbol=$.symbol, type=$.type",
        "trades",
    ),
    Expert(
        "side=@rows, level:int=@index, price:number=[0], size:number=[1], depth:number=$.depth, "
        "sequence:int=$.sequence, symbol=$.symbol, type=$.type, time:timestamp[ns]=$.timestamp",
        {"bid": "book.bids", "ask": "book.asks"},
    ),
)


def _tiingo(kind: str, symbol: str) -> dict[str, Any]:
    at = f"2023-11-14T22:13:{_id() % 60:02}.{_id() % 10**9:09}-05:00"
    head = [kind, at, _ms() * 10**6, symbol]
    if kind == "Q":
        quote = [_id() % 9, _bid(), _p(), _p(), _id() % 9, None, None]
        return {"messageType": "A", "service": "iex", "data": [*head, *quote, 0, 0]}
    trade = [None, None, None, None, None, _p(), _id() % 500]
    return {"messageType": "A", "service": "iex", "data": [*head, *trade, 0, 1]}


_TIINGO = stream(
    "Tiingo: quotes and trades, which are arrays",
    [
        {"messageType": "I", "response": {"code": 200}, "data": {"subscriptionId": 61}},
        *(_tiingo(_some.of("Q", "T"), _some.of("vym", "spy")) for _ in range(60)),
        {"messageType": "H", "response": {"code": 200, "message": "HeartBeat"}},
    ],
    [_tiingo("Q", "gld"), _tiingo("T", "gld")],
    Expert(
        "date:timestamp[iso]=[1], time:timestamp[ns]=[2], symbol=[3], bid_size:number=[4], "
        "bid:float=[5], mid:float=[6], ask:float=[7], ask_size:number=[8], halted:number=[11], "
        "after:number=[12]",
        "data",
        ("$.messageType=A", "[0]=Q"),
        ("service",),
    ),
    Expert(
        "date:timestamp[iso]=[1], time:timestamp[ns]=[2], symbol=[3], last:float=[9], "
        "size:number=[10], halted:number=[11], after:number=[12]",
        "data",
        ("$.messageType=A", "[0]=T"),
        ("service",),
    ),
)


def _bitfinex(levels: int, channel: int = 7) -> list[Any]:
    def level() -> list[float]:
        return [_p(), _some.of(0, 1, 2), round(_q() * _some.of(1, -1), 4)]

    return [channel, level() if levels == 1 else [level() for _ in range(levels)]]


_BITFINEX = stream(
    "Bitfinex: book, whose snapshot is an array of rows",
    [
        {"event": "subscribed", "channel": "book", "chanId": 7, "symbol": "tBTCUSD"},
        _bitfinex(25),
        *(_bitfinex(1) for _ in range(30)),
        [7, "hb"],
    ],
    [_bitfinex(25, 8), _bitfinex(1, 8), [8, "hb"]],
    Expert(
        "price:float=[0], count:number=[1], amount:float=[2], channel:number=$[0]",
        "[1]?",
        ("$[1]!=hb",),
    ),
)


def _trade() -> dict[str, Any]:
    return {"id": str(_id()), "px": str(_p()), "sz": str(_q()), "ts": _ms()}


_DEEPER = stream(
    "a snapshot whose rows lie deeper",
    [
        {"channel": "trade", "type": "snapshot", "data": {"trades": [_trade() for _ in range(9)]}},
        *({"channel": "trade", "type": "update", "data": _trade()} for _ in range(30)),
    ],
    [
        {"channel": "trade", "type": "snapshot", "data": {"trades": [_trade() for _ in range(3)]}},
        {"channel": "trade", "type": "update", "data": _trade()},
    ],
    Expert(
        "id, px:decimal, sz:decimal, ts:timestamp[ms], type=$.type",
        "data.trades?",
        ("$.channel=trade",),
    ),
    Expert(
        "id, px:decimal, sz:decimal, ts:timestamp[ms], type=$.type",
        "data",
        ("$.channel=trade", "$.type!=snapshot"),
    ),
)

_MORE = stream(
    "a snapshot that has an array of rows where updates have one",
    [
        {"channel": "trade", "type": "snapshot", "data": [_trade() for _ in range(9)]},
        *({"channel": "trade", "type": "update", "data": _trade()} for _ in range(30)),
    ],
    [
        {"channel": "trade", "type": "snapshot", "data": [_trade() for _ in range(3)]},
        {"channel": "trade", "type": "update", "data": _trade()},
    ],
    Expert(
        "id, px:decimal, sz:decimal, ts:timestamp[ms], type=$.type",
        "data",
        ("$.channel=trade",),
    ),
)


def _whitebit(method: str, market: str) -> dict[str, Any]:
    if method == "trades_update":
        trades = [
            {"id": _id(), "time": _ms() / 1000, "price": str(_p()), "amount": str(_q())}
            for _ in range(_some.of(1, 2))
        ]
        return {"id": None, "method": method, "params": [market, trades]}
    bids, asks = {"bids": _some.levels(_bid)}, {"asks": _some.levels(_p)}
    sides = _some.of(bids, asks, bids | asks)
    return {"id": None, "method": method, "params": [_some.of(True, False), sides, market]}


_WHITEBIT = stream(
    "WhiteBIT: trades and depth, by positions",
    [
        {"id": 1, "result": {"status": "success"}, "error": None},
        *_some.mixed(
            [_whitebit("trades_update", _some.of("BTC_USDT", "ETH_USDT")) for _ in range(30)],
            [_whitebit("depth_update", _some.of("BTC_USDT", "ETH_USDT")) for _ in range(30)],
        ),
    ],
    [_whitebit(method, "SOL_USDT") for method in ("trades_update", "depth_update")],
    Expert(
        "id:int, time:timestamp[s:3], price:decimal, amount:decimal, market=$.params[0]",
        "params[1]",
        ("$.method=trades_update",),
    ),
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], amount:decimal=[1], "
        "is_full:bool=$.params[0], market=$.params[2]",
        {"bid": "params[1].bids?", "ask": "params[1].asks?"},
        ("$.method=depth_update",),
    ),
)


def _codes(symbol: str) -> dict[str, Any]:
    trade = {"s": symbol, "p": _p(), "v": _id() % 100, "t": _ms()}
    return {**trade, "c": [0, 12]}


_CODES = stream(
    "codes of trades, two each time by chance",
    [{"status_code": 200, "message": "Authorized"}, *(_codes("AAPL") for _ in range(30))],
    [{**_codes("MSFT"), "c": [37]}, {**_codes("MSFT"), "c": []}],
    Expert("symbol=s, price:float=p, volume:number=v, time:timestamp[ms]=t, conditions:json=c"),
)

ODD_VENUES: tuple[Stream, ...] = (
    _DYDX,
    _PHEMEX,
    _TIINGO,
    _BITFINEX,
    _DEEPER,
    _MORE,
    _WHITEBIT,
    _CODES,
)
