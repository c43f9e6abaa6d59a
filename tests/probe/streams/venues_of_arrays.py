"""Streams whose messages are arrays: Kraken v1, Bitfinex, Alpaca, Polygon."""

from __future__ import annotations

from typing import Any

from tests.probe.streams.stream import Expert, Some, Stream, stream

__all__ = ["VENUES_OF_ARRAYS"]

_some = Some("venues of arrays")
_p, _bid, _q, _ms, _id, _iso = (
    *(_some.price, _some.bid, _some.size, _some.ms, _some.id, _some.iso),
)


def _seconds(digits: int = 6) -> str:
    return f"{_ms() // 1000}.{_id() % 10**digits:0{digits}}"


def _kraken_trades(pair: str) -> list[Any]:
    trades = [
        [str(_p()), str(_q()), _seconds(), _some.of("b", "s"), _some.of("l", "m"), ""]
        for _ in range(_some.of(1, 2))
    ]
    return [0, trades, "trade", pair]


_KRAKEN_TRADES = stream(
    "Kraken v1: trades",
    [
        {"connectionID": 8628615390848610000, "event": "systemStatus", "status": "online"},
        {
            **{"channelID": 0, "channelName": "trade", "event": "subscriptionStatus"},
            **{"pair": "XBT/USD", "status": "subscribed", "subscription": {"name": "trade"}},
        },
        *(_kraken_trades(_some.of("XBT/USD", "ETH/USD")) for _ in range(30)),
        {"event": "heartbeat"},
    ],
    [_kraken_trades("SOL/USD"), {"event": "heartbeat"}],
    Expert(
        "price:decimal=[0], volume:decimal=[1], time:timestamp[s]=[2], side=[3], type=[4], "
        "misc=[5], pair=$[3]",
        "[1]",
        ("$[2]=trade",),
        ("[0]",),
    ),
)


def _levels(price: Any) -> list[list[str]]:
    return [[str(price()), str(_q()), _seconds()] for _ in range(_some.of(1, 2))]


def _kraken_book(kind: str, pair: str) -> list[Any]:
    kinds: dict[str, list[Any]] = {
        "snapshot": [{"as": _levels(_p), "bs": _levels(_bid)}],
        "asks": [{"a": _levels(_p), "c": str(_id())}],
        "bids": [{"b": _levels(_bid), "c": str(_id())}],
        "both": [{"a": _levels(_p)}, {"b": _levels(_bid), "c": str(_id())}],
    }
    return [336, *kinds[kind], "book-10", pair]


_KRAKEN_BOOK = stream(
    "Kraken v1: book",
    [
        _kraken_book("snapshot", "XBT/USD"),
        *(_kraken_book(_some.of("asks", "bids", "both"), "XBT/USD") for _ in range(30)),
        {"event": "heartbeat"},
    ],
    [_kraken_book(kind, "ETH/USD") for kind in ("snapshot", "asks", "bids", "both")],
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], volume:decimal=[1], "
        "time:timestamp[s]=[2], pair=$[-1]",
        ["ask=[1].as?", "bid=[1].bs?", "ask=[1].a?", "bid=[1].b?", "bid=[2].b?"],
        ("$[-2]=book-10",),
        ("[0]", "[1].c", "[2].c"),
    ),
)


def _execution() -> list[Any]:
    return [_id(), _ms(), round(_q() * _some.of(1, -1), 4), _p()]


def _bitfinex(kind: str, channel: int = 17470) -> list[Any]:
    if kind == "snapshot":
        return [channel, [_execution() for _ in range(5)]]
    return [channel, "hb"] if kind == "hb" else [channel, kind, _execution()]


def _twice(count: int, channel: int = 17470) -> list[Any]:
    """Trades as they are sent: when they are executed, and again a little later."""
    trades = [_bitfinex("te", channel) for _ in range(count)]
    return [each for one in trades for each in (one, [channel, "tu", one[2]])]


_BITFINEX = stream(
    "Bitfinex: trades",
    [
        {"event": "info", "version": 2, "platform": {"status": 1}},
        {"event": "subscribed", "channel": "trades", "chanId": 17470, "symbol": "tBTCUSD"},
        _bitfinex("snapshot"),
        *_twice(30),
        _bitfinex("hb"),
    ],
    [_bitfinex("snapshot", 5), *_twice(1, 5), _bitfinex("hb", 5)],
    Expert(
        "id:number=[0], time:timestamp[ms]=[1], amount:float=[2], price:float=[3], "
        "channel:number=$[0]",
        "[1]?",
        ("$[1]!=hb,te,tu",),
    ),
    Expert(
        "id:number=[0], time:timestamp[ms]=[1], amount:float=[2], price:float=[3], "
        "channel:number=$[0]",
        "[2]",
        ("$[1]=te",),
    ),
)


def _alpaca(kind: str, symbol: str) -> dict[str, Any]:
    message: dict[str, Any] = {"T": kind, "S": symbol}
    if kind == "t":
        message |= {"i": _id(), "x": _some.of("V", "D"), "p": _p(), "s": _id() % 500}
        message |= {"c": _some.of(["@"], ["@", "I"]), "z": "C", "t": _iso(9)}
    else:
        message |= {"bx": "U", "bp": _bid(), "bs": _id() % 9, "ax": "Q", "ap": _p()}
        message |= {"as": _id() % 9, "c": ["R"], "z": "C", "t": _iso(9)}
    return message


_ALPACA = stream(
    "Alpaca: trades and quotes",
    [
        [{"T": "success", "msg": "connected"}],
        [{"T": "success", "msg": "authenticated"}],
        [{"T": "subscription", "trades": ["AAPL"], "quotes": ["AAPL"], "bars": []}],
        *(
            [_alpaca(_some.of("t", "q"), _some.of("AAPL", "AMD")) for _ in range(_some.of(1, 3))]
            for _ in range(40)
        ),
    ],
    [[_alpaca("t", "MSFT"), _alpaca("q", "MSFT")], [{"T": "error", "code": 406, "msg": "no"}]],
    Expert(
        "symbol=S, id:int=i, exchange=x, price:float=p, size:number=s, conditions:json=c, tape=z, "
        "time:timestamp[iso:9]=t",
        "",
        ("T=t",),
    ),
    Expert(
        "symbol=S, bx, bp:float, bs:number, ax, ap:float, as:number, conditions:json=c, tape=z, "
        "time:timestamp[iso:9]=t",
        "",
        ("T=q",),
    ),
)


def _alpaca_book(symbol: str) -> list[Any]:
    def levels(price: Any) -> list[dict[str, float]]:
        return [{"p": price(), "s": _q()} for _ in range(_some.of(0, 1, 2))]

    return [{"T": "o", "S": symbol, "t": _iso(9), "b": levels(_bid), "a": levels(_p)}]


_ALPACA_BOOK = stream(
    "Alpaca: order books and trades of crypto",
    [
        [{"T": "success", "msg": "connected"}],
        *_some.mixed(
            [_alpaca_book(_some.of("BTC/USD", "ETH/USD")) for _ in range(40)],
            [[_alpaca("t", _some.of("BTC/USD", "ETH/USD"))] for _ in range(40)],
        ),
    ],
    [_alpaca_book("SOL/USD"), [_alpaca("t", "SOL/USD")]],
    Expert(
        "side=@rows, level:int=@index, price:float=p, size:float=s, symbol=$[0].S, "
        "time:timestamp[iso:9]=$[0].t",
        {"bid": "[0].b", "ask": "[0].a"},
        ("$[0].T=o",),
    ),
    Expert(
        "symbol=S, id:int=i, exchange=x, price:float=p, size:number=s, conditions:json=c, tape=z, "
        "time:timestamp[iso:9]=t",
        "",
        ("T=t",),
    ),
)


def _polygon(symbol: str) -> dict[str, Any]:
    return {
        **{"ev": "T", "sym": symbol, "x": 4, "i": str(_id()), "z": 3, "p": _p(), "s": _id() % 500},
        **{"c": _some.of([0, 12], [37]), "t": _ms(), "q": _id()},
    }


_POLYGON = stream(
    "Polygon: trades",
    [
        [{"ev": "status", "status": "connected", "message": "Connected Successfully"}],
        [{"ev": "status", "status": "auth_success", "message": "authenticated"}],
        *([_polygon(_some.of("MSFT", "AAPL")) for _ in range(_some.of(1, 3))] for _ in range(30)),
    ],
    [[_polygon("TSLA")], [{"ev": "status", "status": "error", "message": "no"}]],
    Expert(
        "sym, x:number, id=i, z:number, price:float=p, size:number=s, c:json, "
        "time:timestamp[ms]=t, q:number",
        "",
        ("ev=T",),
    ),
)


def _kraken(kind: str, pair: str) -> list[Any]:
    if kind == "trade":
        return _kraken_trades(pair)
    if kind == "spread":
        spread = [str(_bid()), str(_p()), _seconds(), str(_q()), str(_q())]
        return [0, spread, "spread", pair]
    ohlc = [_seconds(), _seconds(), *(str(_p()) for _ in range(5)), str(_q()), _id() % 99]
    return [42, ohlc, "ohlc-5", pair]


_KRAKEN_ALL = stream(
    "Kraken v1: trades, spreads and candles",
    _some.mixed(
        *(
            [_kraken(kind, _some.of("XBT/USD", "ETH/USD")) for _ in range(30)]
            for kind in ("trade", "spread", "ohlc")
        ),
        [{"event": "heartbeat"}] * 3,
    ),
    [_kraken(kind, "SOL/USD") for kind in ("trade", "spread", "ohlc")],
    Expert(
        "price:decimal=[0], volume:decimal=[1], time:timestamp[s]=[2], side=[3], type=[4], "
        "misc=[5], pair=$[3]",
        "[1]",
        ("$[2]=trade",),
        ("[0]",),
    ),
    Expert(
        "bid:decimal=[0], ask:decimal=[1], time:timestamp[s]=[2], bid_size:decimal=[3], "
        "ask_size:decimal=[4], pair=$[3]",
        "[1]",
        ("$[2]=spread",),
        ("[0]",),
    ),
    Expert(
        "time:timestamp[s]=[0], until:timestamp[s]=[1], open:decimal=[2], high:decimal=[3], "
        "low:decimal=[4], close:decimal=[5], vwap:decimal=[6], volume:decimal=[7], "
        "count:number=[8], pair=$[3]",
        "[1]",
        ("$[2]=ohlc-5",),
        ("[0]",),
    ),
)

VENUES_OF_ARRAYS: tuple[Stream, ...] = (
    *(_KRAKEN_TRADES, _KRAKEN_BOOK, _KRAKEN_ALL, _BITFINEX, _ALPACA, _ALPACA_BOOK, _POLYGON),
)
