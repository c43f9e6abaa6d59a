"""Streams of Binance, Coinbase, Kraken v2, OKX, Bybit and Hyperliquid."""

from __future__ import annotations

from typing import Any

from tests.probe.streams.stream import Expert, Some, Stream, stream

__all__ = ["VENUES"]

_some = Some("venues")
_p, _bid, _q, _ms, _id, _iso = (
    *(_some.price, _some.bid, _some.size, _some.ms, _some.id, _some.iso),
)


# Binance, combined


def _binance(symbol: str, kind: str) -> dict[str, Any]:
    data: dict[str, Any] = {"e": kind, "E": _ms(), "s": symbol}
    if kind == "trade":
        data |= {"t": _id(), "p": str(_p()), "q": str(_q()), "T": _ms()}
        data |= {"m": _some.of(True, False), "M": True}
    elif kind == "depthUpdate":
        data |= {"U": _id(), "u": _id(), "b": _some.levels(_bid), "a": _some.levels(_p)}
    else:
        data = {"u": _id(), "s": symbol, "b": str(_bid()), "B": str(_q())}
        data |= {"a": str(_p()), "A": str(_q())}
    name = {"depthUpdate": "depth@100ms"}.get(kind, kind)
    return {"stream": f"{symbol.lower()}@{name}", "data": data}


def _binance_symbol() -> str:
    return str(_some.of("BTCUSDT", "ETHUSDT"))


_BINANCE = stream(
    "Binance: trades, book tickers and depth",
    [
        {"result": None, "id": 1},
        *_some.mixed(
            [_binance(_binance_symbol(), "trade") for _ in range(30)],
            [_binance(_binance_symbol(), "bookTicker") for _ in range(30)],
            [_binance(_binance_symbol(), "depthUpdate") for _ in range(30)],
        ),
    ],
    [
        *(_binance("SOLUSDT", kind) for kind in ("trade", "bookTicker", "depthUpdate")),
        {"result": None, "id": 2},
        {"stream": "solusdt@kline_1m", "data": {"e": "kline", "s": "SOLUSDT", "k": {"o": "1"}}},
    ],
    Expert(
        "event_time:timestamp[ms]=E, symbol=s, id:number=t, price:decimal=p, quantity:decimal=q, "
        "time:timestamp[ms]=T, buyer_is_maker:bool=m, M:bool",
        "data",
        ("$.data.e=trade",),
    ),
    Expert(
        "update:number=u, symbol=s, bid:decimal=b, bid_size:decimal=B, ask:decimal=a, "
        "ask_size:decimal=A",
        "data",
        ("$.stream~=*@bookTicker",),
    ),
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], quantity:decimal=[1], "
        "event_time:timestamp[ms]=$.data.E, symbol=$.data.s, first:number=$.data.U, "
        "last:number=$.data.u",
        {"bid": "data.b", "ask": "data.a"},
        ("$.data.e=depthUpdate",),
    ),
)


def _partial(symbol: str) -> dict[str, Any]:
    return {
        "stream": f"{symbol}@depth5",
        "data": {
            "lastUpdateId": _id(),
            "bids": [[str(_bid()), str(_q())] for _ in range(5)],
            "asks": [[str(_p()), str(_q())] for _ in range(5)],
        },
    }


_BINANCE_PARTIAL = stream(
    "Binance: partial depth, whose symbol only the stream says",
    [_partial(_some.of("btcusdt", "ethusdt")) for _ in range(30)],
    [_partial("solusdt")],
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], quantity:decimal=[1], "
        "last:int=$.data.lastUpdateId, stream=$.stream",
        {"bid": "data.bids", "ask": "data.asks"},
        ("$.stream~=*@depth5",),
    ),
)


# Coinbase Exchange


def _match(product: str, kind: str = "match") -> dict[str, Any]:
    return {
        **{"type": kind, "trade_id": _id(), "maker_order_id": f"m-{_id()}"},
        **{"taker_order_id": f"t-{_id()}", "side": _some.of("buy", "sell"), "size": str(_q())},
        **{"price": str(_p()), "product_id": product, "sequence": _id(), "time": _iso()},
    }


def _coinbase_ticker(product: str) -> dict[str, Any]:
    return {
        **{"type": "ticker", "sequence": _id(), "product_id": product, "price": str(_p())},
        **{"best_bid": str(_bid()), "best_ask": str(_p()), "side": _some.of("buy", "sell")},
        **{"time": _iso(), "trade_id": _id(), "last_size": str(_q())},
    }


def _l2(product: str, snapshot: bool = False) -> dict[str, Any]:
    if snapshot:
        sides = {"bids": _some.levels(_bid), "asks": _some.levels(_p)}
        return {"type": "snapshot", "product_id": product, **sides}
    changes = [[_some.of("buy", "sell"), str(_p()), str(_q())] for _ in range(_some.of(1, 2))]
    return {"type": "l2update", "product_id": product, "changes": changes, "time": _iso()}


_SUBSCRIPTIONS = {
    "type": "subscriptions",
    "channels": [{"name": "matches", "product_ids": ["BTC-USD", "ETH-USD"]}],
}

_COINBASE = stream(
    "Coinbase: matches, level2 and ticker",
    [
        _SUBSCRIPTIONS,
        _match("BTC-USD", "last_match"),
        _match("ETH-USD", "last_match"),
        _l2("BTC-USD", True),
        _l2("ETH-USD", True),
        *_some.mixed(
            [_match(_some.of("BTC-USD", "ETH-USD")) for _ in range(30)],
            [_l2(_some.of("BTC-USD", "ETH-USD")) for _ in range(30)],
            [_coinbase_ticker(_some.of("BTC-USD", "ETH-USD")) for _ in range(30)],
            [{"type": "heartbeat", "sequence": _id(), "last_trade_id": 1, "time": _iso()}] * 3,
        ),
    ],
    [
        *(_match("SOL-USD", kind) for kind in ("match", "last_match")),
        _l2("SOL-USD", True),
        _l2("SOL-USD"),
        _coinbase_ticker("SOL-USD"),
        {"type": "error", "message": "no"},
    ],
    Expert(
        "type, trade_id:int, maker_order_id, taker_order_id, side, size:decimal, price:decimal, "
        "product_id, sequence:int, time:timestamp[iso:6]",
        "",
        ("$.type=match,last_match",),
    ),
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], "
        "product_id=$.product_id",
        {"bid": "bids", "ask": "asks"},
        ("$.type=snapshot",),
    ),
    Expert(
        "side=[0], price:decimal=[1], size:decimal=[2], product_id=$.product_id, "
        "time:timestamp[iso:6]=$.time",
        "changes",
        ("$.type=l2update",),
    ),
    Expert(
        "sequence:int, product_id, price:decimal, best_bid:decimal, best_ask:decimal, side, "
        "time:timestamp[iso:6], trade_id:int, last_size:decimal",
        "",
        ("$.type=ticker",),
    ),
)


def _advanced(product: str, kind: str) -> dict[str, Any]:
    update = [
        {
            "side": _some.of("bid", "offer"),
            "event_time": _iso(6),
            "price_level": str(_p()),
            "new_quantity": str(_q()),
        }
        for _ in range(_some.of(1, 3))
    ]
    return {
        **{"channel": "l2_data", "client_id": "", "timestamp": _iso(9), "sequence_num": _id()},
        "events": [{"type": kind, "product_id": product, "updates": update}],
    }


_COINBASE_ADVANCED = stream(
    "Coinbase Advanced Trade: level2",
    [
        *(_advanced(product, "snapshot") for product in ("BTC-USD", "ETH-USD")),
        {"channel": "subscriptions", "events": [{"subscriptions": {"level2": ["BTC-USD"]}}]},
        *(_advanced(_some.of("BTC-USD", "ETH-USD"), "update") for _ in range(30)),
    ],
    [_advanced("SOL-USD", "snapshot"), _advanced("SOL-USD", "update")],
    Expert(
        "side, event_time:timestamp[iso:6], price_level:decimal, new_quantity:decimal, "
        "type=$.events[0].type, product_id=$.events[0].product_id, "
        "timestamp:timestamp[iso:9]=$.timestamp, sequence:int=$.sequence_num",
        "events[0].updates",
        ("$.channel=l2_data",),
        ("client_id",),
    ),
)


# Kraken, WebSocket API v2


def _kraken_trade(symbol: str, kind: str, count: int) -> dict[str, Any]:
    trades = [
        {
            **{"symbol": symbol, "side": _some.of("buy", "sell"), "price": _p(), "qty": _q()},
            **{"ord_type": "limit", "trade_id": _id(), "timestamp": _iso()},
        }
        for _ in range(count)
    ]
    return {"channel": "trade", "type": kind, "data": trades}


def _kraken_book(symbol: str, kind: str, bids: bool = True, asks: bool = True) -> dict[str, Any]:
    def levels(price: Any) -> list[dict[str, float]]:
        return [{"price": price(), "qty": _q()} for _ in range(_some.of(1, 2))]

    data: dict[str, Any] = {"symbol": symbol, "bids": levels(_bid) if bids else []}
    data |= {"asks": levels(_p) if asks else [], "checksum": _id()}
    if kind == "update":
        data["timestamp"] = _iso()
    return {"channel": "book", "type": kind, "data": [data]}


_KRAKEN = stream(
    "Kraken v2: trades and book",
    [
        {"channel": "status", "type": "update", "data": [{"system": "online", "version": "2.0.0"}]},
        {
            "method": "subscribe",
            "result": {"channel": "trade", "symbol": "BTC/USD"},
            "success": True,
        },
        _kraken_trade("BTC/USD", "snapshot", 5),
        _kraken_book("BTC/USD", "snapshot"),
        *_some.mixed(
            [_kraken_trade("BTC/USD", "update", _some.of(1, 2)) for _ in range(30)],
            [_kraken_book("BTC/USD", "update", _some.of(True, False)) for _ in range(30)],
            [{"channel": "heartbeat"}] * 5,
        ),
    ],
    [
        _kraken_trade("ETH/USD", "snapshot", 3),
        _kraken_trade("ETH/USD", "update", 1),
        _kraken_book("ETH/USD", "snapshot"),
        _kraken_book("ETH/USD", "update", False, True),
        _kraken_book("ETH/USD", "update", True, False),
    ],
    Expert(
        "symbol, side, price:float, qty:float, ord_type, trade_id:int, "
        "time:timestamp[iso:6]=timestamp, type=$.type",
        "data",
        ("$.channel=trade",),
    ),
    Expert(
        "side=@rows, level:int=@index, price:float, qty:float, symbol=$.data[0].symbol, "
        "checksum:int=$.data[0].checksum, time:timestamp[iso:6]?=$.data[0].timestamp, type=$.type",
        {"bid": "data[0].bids", "ask": "data[0].asks"},
        ("$.channel=book",),
    ),
)


# OKX


def _okx(channel: str, symbol: str, action: str = "update") -> dict[str, Any]:
    arg = {"channel": channel, "instId": symbol}
    if channel == "trades":
        data: dict[str, Any] = {"instId": symbol, "tradeId": str(_id()), "px": str(_p())}
        data |= {"sz": str(_q()), "side": _some.of("buy", "sell"), "ts": str(_ms()), "count": "3"}
    elif channel == "tickers":
        data = {"instType": "SPOT", "instId": symbol, "last": str(_p()), "lastSz": str(_q())}
        data |= {"askPx": str(_p()), "bidPx": str(_bid()), "vol24h": str(_id()), "ts": str(_ms())}
    else:
        data = {"asks": _some.levels(_p, "0", "4"), "bids": _some.levels(_bid, "0", "2")}
        data |= {"ts": str(_ms()), "checksum": -_id(), "prevSeqId": _id(), "seqId": _id()}
        return {"arg": arg, "action": action, "data": [data]}
    return {"arg": arg, "data": [data]}


def _okx_reply(channel: str) -> dict[str, Any]:
    arg = {"channel": channel, "instId": "BTC-USDT"}
    return {"event": "subscribe", "arg": arg, "connId": "a4d3ae55"}


_OKX = stream(
    "OKX: trades, books and tickers",
    [
        *map(_okx_reply, ("trades", "books", "tickers")),
        _okx("books", "BTC-USDT", "snapshot"),
        *_some.mixed(
            [_okx("trades", _some.of("BTC-USDT", "ETH-USDT")) for _ in range(30)],
            [_okx("books", _some.of("BTC-USDT", "ETH-USDT")) for _ in range(30)],
            [_okx("tickers", _some.of("BTC-USDT", "ETH-USDT")) for _ in range(30)],
        ),
        "pong",
    ],
    [
        *(_okx(channel, "SOL-USDT") for channel in ("trades", "books", "tickers")),
        _okx("books", "SOL-USDT", "snapshot"),
        _okx_reply("trades"),
        {"event": "error", "code": "60012", "msg": "no"},
    ],
    Expert(
        "symbol=instId, id=tradeId, price:decimal=px, size:decimal=sz, side, "
        "time:timestamp[ms]=ts, count:decimal",
        "data?",
        ("$.arg.channel=trades",),
    ),
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], zero:decimal=[2], "
        "orders:decimal=[3], time:timestamp[ms]=$.data[0].ts, checksum:int=$.data[0].checksum, "
        "previous:int=$.data[0].prevSeqId, sequence:int=$.data[0].seqId, symbol=$.arg.instId, "
        "action=$.action",
        {"bid": "data[0].bids?", "ask": "data[0].asks?"},
        ("$.arg.channel=books",),
    ),
    Expert(
        "instType, symbol=instId, last:decimal, lastSz:decimal, askPx:decimal, bidPx:decimal, "
        "vol24h:decimal, time:timestamp[ms]=ts",
        "data?",
        ("$.arg.channel=tickers",),
    ),
)


# Bybit


def _bybit_book(symbol: str, kind: str) -> dict[str, Any]:
    data = {"s": symbol, "b": _some.levels(_bid), "a": _some.levels(_p), "u": _id(), "seq": _id()}
    return {
        "topic": f"orderbook.50.{symbol}",
        "type": kind,
        "ts": _ms(),
        "data": data,
        "cts": _ms(),
    }


def _bybit_trade(symbol: str) -> dict[str, Any]:
    trades = [
        {
            **{"T": _ms(), "s": symbol, "S": _some.of("Buy", "Sell"), "v": str(_q())},
            **{"p": str(_p()), "L": _some.of("PlusTick", "ZeroMinusTick"), "i": f"2290-{_id()}"},
            **{"BT": False},
        }
        for _ in range(_some.of(1, 1, 2))
    ]
    return {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": _ms(), "data": trades}


_BYBIT = stream(
    "Bybit: order book and trades",
    [
        {"success": True, "ret_msg": "subscribe", "conn_id": "f5a-1", "op": "subscribe"},
        _bybit_book("BTCUSDT", "snapshot"),
        *_some.mixed(
            [_bybit_book("BTCUSDT", "delta") for _ in range(30)],
            [_bybit_trade("BTCUSDT") for _ in range(30)],
        ),
        {"success": True, "ret_msg": "pong", "conn_id": "f5a-1", "op": "ping"},
    ],
    [_bybit_book("ETHUSDT", "snapshot"), _bybit_book("ETHUSDT", "delta"), _bybit_trade("ETHUSDT")],
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], symbol=$.data.s, "
        "update:number=$.data.u, sequence:int=$.data.seq, type=$.type, time:timestamp[ms]=$.ts, "
        "matched:timestamp[ms]=$.cts",
        {"bid": "data.b", "ask": "data.a"},
        ("$.topic^=orderbook.50.",),
    ),
    Expert(
        "time:timestamp[ms]=T, symbol=s, side=S, volume:decimal=v, price:decimal=p, tick=L, "
        "id=i, block:bool=BT, sent:timestamp[ms]=$.ts",
        "data",
        ("$.topic^=publicTrade.",),
        ("type",),
    ),
)


# Hyperliquid


def _hyperliquid(channel: str, coin: str) -> dict[str, Any]:
    if channel == "trades":
        trade = {
            **{"coin": coin, "side": _some.of("A", "B"), "px": str(_p()), "sz": str(_q())},
            **{
                "time": _ms(),
                "hash": f"0x{_id():x}",
                "tid": _id(),
                "users": [f"0xa{_id()}", f"0xb{_id()}"],
            },
        }
        return {"channel": "trades", "data": [trade] * _some.of(1, 2)}
    if channel == "allMids":
        names = ["BTC", "ETH", "@107", "kPEPE", "PURR/USDC", coin]
        return {"channel": "allMids", "data": {"mids": {name: str(_p()) for name in names}}}

    def level(price: Any) -> dict[str, Any]:
        return {"px": str(price()), "sz": str(_q()), "n": _some.of(1, 2, 7)}

    if channel == "bbo":
        bbo = [level(_bid), level(_p)]
        return {"channel": "bbo", "data": {"coin": coin, "time": _ms(), "bbo": bbo}}
    levels = [[level(price) for _ in range(3)] for price in (_bid, _p)]
    return {"channel": "l2Book", "data": {"coin": coin, "time": _ms(), "levels": levels}}


_HYPERLIQUID = stream(
    "Hyperliquid: trades, mids, best bid and ask, and book",
    [
        {
            "channel": "subscriptionResponse",
            "data": {"method": "subscribe", "subscription": {"type": "trades", "coin": "BTC"}},
        },
        *_some.mixed(
            *(
                [_hyperliquid(channel, _some.of("BTC", "ETH")) for _ in range(30)]
                for channel in ("trades", "allMids", "bbo", "l2Book")
            )
        ),
        {"channel": "pong"},
    ],
    [_hyperliquid(channel, "SOL") for channel in ("trades", "allMids", "bbo", "l2Book")],
    Expert(
        "coin, side, px:decimal, sz:decimal, time:timestamp[ms], hash, tid:number, "
        "maker=users[0], taker=users[1]",
        "data",
        ("$.channel=trades",),
    ),
    Expert("coin=@key, mid:decimal=@value", "data.mids.*", ("$.channel=allMids",)),
    Expert(
        "coin, time:timestamp[ms], bid:decimal=bbo[0].px, bid_size:decimal=bbo[0].sz, "
        "bids:number=bbo[0].n, ask:decimal=bbo[1].px, ask_size:decimal=bbo[1].sz, "
        "asks:number=bbo[1].n",
        "data",
        ("$.channel=bbo",),
    ),
    Expert(
        "side=@rows, level:int=@index, px:decimal, sz:decimal, n:number, coin=$.data.coin, "
        "time:timestamp[ms]=$.data.time",
        {"bid": "data.levels[0]", "ask": "data.levels[1]"},
        ("$.channel=l2Book",),
    ),
)

VENUES: tuple[Stream, ...] = (
    *(_BINANCE, _BINANCE_PARTIAL, _COINBASE, _COINBASE_ADVANCED, _KRAKEN, _OKX, _BYBIT),
    _HYPERLIQUID,
)
