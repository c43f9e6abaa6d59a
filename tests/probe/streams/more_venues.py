"""Streams of Upbit, KuCoin, Gate.io, BitMEX, Bitget, Deribit, Bitstamp, Finnhub, HTX, Gemini, …."""

from __future__ import annotations

from typing import Any

from tests.probe.streams.stream import Expert, Some, Stream, stream

__all__ = ["MORE_VENUES"]

_some = Some("more venues")
_p, _bid, _q, _ms, _id, _iso = (
    *(_some.price, _some.bid, _some.size, _some.ms, _some.id, _some.iso),
)


def _upbit(kind: str, code: str) -> dict[str, Any]:
    message: dict[str, Any] = {"type": kind, "code": code, "timestamp": _ms()}
    if kind == "trade":
        message |= {"trade_timestamp": _ms(), "trade_price": _p(), "trade_volume": _q()}
        message |= {"ask_bid": _some.of("ASK", "BID"), "sequential_id": _id() * 10**6}
    else:
        units = [
            {"ask_price": _p(), "bid_price": _bid(), "ask_size": _q(), "bid_size": _q()}
            for _ in range(3)
        ]
        message |= {"total_ask_size": _q(), "total_bid_size": _q(), "orderbook_units": units}
    return {**message, "stream_type": _some.of("SNAPSHOT", "REALTIME")}


_UPBIT = stream(
    "Upbit: trades and order book",
    _some.mixed(
        [_upbit("trade", _some.of("KRW-BTC", "KRW-ETH")) for _ in range(30)],
        [_upbit("orderbook", _some.of("KRW-BTC", "KRW-ETH")) for _ in range(30)],
    ),
    [_upbit("trade", "KRW-SOL"), _upbit("orderbook", "KRW-SOL")],
    Expert(
        "code, timestamp:timestamp[ms], trade_timestamp:timestamp[ms], price:float=trade_price, "
        "volume:float=trade_volume, side=ask_bid, id:int=sequential_id, stream_type",
        "",
        ("$.type=trade",),
    ),
    Expert(
        "level:int=@index, ask_price:float, bid_price:float, ask_size:float, bid_size:float, "
        "code=$.code, timestamp:timestamp[ms]=$.timestamp, total_ask:float=$.total_ask_size, "
        "total_bid:float=$.total_bid_size, stream_type=$.stream_type",
        "orderbook_units",
        ("$.type=orderbook",),
    ),
)


def _kucoin(kind: str, symbol: str) -> dict[str, Any]:
    if kind == "match":
        data: dict[str, Any] = {"symbol": symbol, "side": _some.of("buy", "sell")}
        data |= {"price": str(_p()), "size": str(_q()), "tradeId": str(_id())}
        data |= {"sequence": str(_id()), "time": str(_ms() * 10**6)}
        return {
            **{"type": "message", "topic": f"/market/match:{symbol}"},
            **{"subject": "trade.l3match", "data": data},
        }
    changes = {
        "asks": [[str(_p()), str(_q()), str(_id())]] if _some.of(True, False) else [],
        "bids": [[str(_bid()), str(_q()), str(_id())]],
    }
    data = {"changes": changes, "sequenceEnd": _id(), "sequenceStart": _id()}
    data |= {"symbol": symbol, "time": _ms()}
    return {
        **{"type": "message", "topic": f"/market/level2:{symbol}"},
        **{"subject": "trade.l2update", "data": data},
    }


_KUCOIN = stream(
    "KuCoin: matches and level2",
    [
        {"id": "hQvf8jkno", "type": "welcome"},
        {"id": "1545910660739", "type": "ack"},
        *_some.mixed(
            [_kucoin("match", _some.of("BTC-USDT", "ETH-USDT")) for _ in range(30)],
            [_kucoin("level2", _some.of("BTC-USDT", "ETH-USDT")) for _ in range(30)],
            [{"id": "1", "type": "pong"}] * 2,
        ),
    ],
    [_kucoin("match", "SOL-USDT"), _kucoin("level2", "SOL-USDT")],
    Expert(
        "symbol, side, price:decimal, size:decimal, id=tradeId, sequence:decimal, "
        "time:timestamp[ns]",
        "data",
        ("$.subject=trade.l3match",),
    ),
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], sequence:decimal=[2], "
        "last:int=$.data.sequenceEnd, first:int=$.data.sequenceStart, symbol=$.data.symbol, "
        "time:timestamp[ms]=$.data.time",
        {"bid": "data.changes.bids", "ask": "data.changes.asks"},
        ("$.subject=trade.l2update",),
    ),
)


def _gate(kind: str, pair: str) -> dict[str, Any]:
    message: dict[str, Any] = {"time": _ms() // 1000, "time_ms": _ms()}
    message |= {"channel": f"spot.{kind}", "event": "update"}
    if kind == "trades":
        result: dict[str, Any] = {"id": _id(), "create_time": _ms() // 1000}
        result |= {"create_time_ms": f"{_ms()}.{_some.of('4578', '12', '5')}"}
        result |= {"side": _some.of("sell", "buy"), "currency_pair": pair}
        result |= {"amount": str(_q()), "price": str(_p())}
    else:
        result = {"t": _ms(), "e": "depthUpdate", "E": _ms() // 1000, "s": pair, "U": _id()}
        result |= {"u": _id(), "b": _some.levels(_bid), "a": _some.levels(_p)}
    return {**message, "result": result}


def _gate_reply(kind: str) -> dict[str, Any]:
    return {
        **{"time": _ms() // 1000, "time_ms": _ms(), "channel": f"spot.{kind}"},
        **{"event": "subscribe", "result": {"status": "success"}},
    }


_GATE = stream(
    "Gate.io: trades and order book updates",
    [
        _gate_reply("trades"),
        _gate_reply("order_book_update"),
        *_some.mixed(
            [_gate("trades", _some.of("BTC_USDT", "ETH_USDT")) for _ in range(30)],
            [_gate("order_book_update", _some.of("BTC_USDT", "ETH_USDT")) for _ in range(30)],
        ),
    ],
    [_gate("trades", "SOL_USDT"), _gate("order_book_update", "SOL_USDT"), _gate_reply("trades")],
    Expert(
        "id:int, create_time:timestamp[s], create_time_ms:timestamp[ms:9], side, currency_pair, "
        "amount:decimal, price:decimal, time:timestamp[s]=$.time, time_ms:timestamp[ms]=$.time_ms",
        "result",
        ("$.channel=spot.trades", "$.event=update"),
        ("event",),
    ),
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], "
        "t:timestamp[ms]=$.result.t, E:timestamp[s]=$.result.E, s=$.result.s, "
        "first:number=$.result.U, last:number=$.result.u, time:timestamp[s]=$.time, "
        "time_ms:timestamp[ms]=$.time_ms",
        {"bid": "result.b", "ask": "result.a"},
        ("$.result.e=depthUpdate",),
        ("event", "channel"),
    ),
)


def _bitmex(table: str, action: str, symbol: str) -> dict[str, Any]:
    message: dict[str, Any] = {"table": table, "action": action}
    if action == "partial":
        message |= {"keys": ["id"], "types": {"timestamp": "timestamp", "symbol": "symbol"}}
        message |= {"filter": {"symbol": symbol}}
    row: dict[str, Any] = {"symbol": symbol, "side": _some.of("Buy", "Sell")}
    if table == "trade":
        row |= {
            "timestamp": _iso(3),
            "size": _id() % 1000,
            "price": _p(),
            "trdMatchID": f"a-{_id()}",
        }
        row |= {"tickDirection": _some.of("PlusTick", "MinusTick"), "trdType": "Regular"}
    else:
        row |= {"id": _id(), "timestamp": _iso(3)}
        if action != "delete":
            row |= {"size": _id() % 1000}
        if action in ("insert", "partial"):
            row |= {"price": _p()}
    return {**message, "data": [row] * (3 if action == "partial" else _some.of(1, 2))}


_BITMEX = stream(
    "BitMEX: trades and order book",
    [
        {
            "info": "Welcome to the API.",
            "version": "2.0",
            "timestamp": _iso(3),
            "limit": {"remaining": 39},
        },
        {
            "success": True,
            "subscribe": "trade:XBTUSD",
            "request": {"op": "subscribe", "args": ["trade:XBTUSD"]},
        },
        _bitmex("trade", "partial", "XBTUSD"),
        _bitmex("orderBookL2", "partial", "XBTUSD"),
        *_some.mixed(
            [_bitmex("trade", "insert", "XBTUSD") for _ in range(30)],
            [
                _bitmex("orderBookL2", _some.of("insert", "update", "delete"), "XBTUSD")
                for _ in range(30)
            ],
        ),
    ],
    [
        _bitmex("trade", "partial", "ETHUSD"),
        _bitmex("trade", "insert", "ETHUSD"),
        *(_bitmex("orderBookL2", each, "ETHUSD") for each in ("partial", "update", "delete")),
    ],
    Expert(
        "symbol, side, timestamp:timestamp[iso:3], size:number, price:float, id=trdMatchID, "
        "tick=tickDirection, type=trdType, action=$.action",
        "data",
        ("$.table=trade",),
    ),
    Expert(
        "symbol, side, id:int, timestamp:timestamp[iso:3], size:number?, price:float?, "
        "action=$.action",
        "data",
        ("$.table=orderBookL2",),
    ),
)


def _bitget(channel: str, symbol: str, action: str) -> dict[str, Any]:
    arg = {"instType": "SPOT", "channel": channel, "instId": symbol}
    if channel == "trade":
        data = [
            {
                **{"ts": str(_ms()), "price": str(_p()), "size": str(_q())},
                **{"side": _some.of("buy", "sell"), "tradeId": str(_id())},
            }
            for _ in range(5 if action == "snapshot" else 1)
        ]
    else:
        levels = {"asks": _some.levels(_p), "bids": _some.levels(_bid)}
        data = [{**levels, "checksum": 0, "seq": _id(), "ts": str(_ms())}]
    return {"action": action, "arg": arg, "data": data, "ts": _ms()}


_BITGET = stream(
    "Bitget: trades and books",
    [
        {
            "event": "subscribe",
            "arg": {"instType": "SPOT", "channel": "trade", "instId": "BTCUSDT"},
        },
        {
            "event": "subscribe",
            "arg": {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"},
        },
        _bitget("trade", "BTCUSDT", "snapshot"),
        _bitget("books", "BTCUSDT", "snapshot"),
        *_some.mixed(
            [_bitget("trade", "BTCUSDT", "update") for _ in range(30)],
            [_bitget("books", "BTCUSDT", "update") for _ in range(30)],
            ["pong"] * 2,
        ),
    ],
    [_bitget(each, "ETHUSDT", "update") for each in ("trade", "books")],
    Expert(
        "time:timestamp[ms]=ts, price:decimal, size:decimal, side, id=tradeId, action=$.action, "
        "kind=$.arg.instType, symbol=$.arg.instId, sent:timestamp[ms]=$.ts",
        "data?",
        ("$.arg.channel=trade",),
    ),
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], "
        "checksum:int=$.data[0].checksum, seq:int=$.data[0].seq, time:timestamp[ms]=$.data[0].ts, "
        "action=$.action, kind=$.arg.instType, symbol=$.arg.instId, sent:timestamp[ms]=$.ts",
        {"bid": "data[0].bids?", "ask": "data[0].asks?"},
        ("$.arg.channel=books",),
    ),
)


def _deribit(kind: str, name: str) -> dict[str, Any]:
    if kind == "trades":
        channel = f"trades.{name}.raw"
        data: Any = [
            {
                **{"trade_seq": _id(), "trade_id": str(_id()), "timestamp": _ms()},
                **{"tick_direction": _some.of(0, 1, 2, 3), "price": _p(), "amount": _q()},
                **{
                    "instrument_name": name,
                    "index_price": _p(),
                    "direction": _some.of("buy", "sell"),
                },
            }
        ]
    else:
        channel = f"book.{name}.100ms"
        data = {"type": _some.of("snapshot", "change"), "timestamp": _ms(), "change_id": _id()}
        data |= {"instrument_name": name}
        data |= {"bids": [[_some.of("new", "delete"), _bid(), _q()]], "asks": []}
        if _some.of(True, False):
            data["asks"] = [[_some.of("new", "change"), _p(), _q()]]
    return {
        "jsonrpc": "2.0",
        "method": "subscription",
        "params": {"channel": channel, "data": data},
    }


_DERIBIT = stream(
    "Deribit: trades and book",
    [
        {
            "jsonrpc": "2.0",
            "id": 1,
            "result": ["trades.BTC-PERPETUAL.raw"],
            "usIn": 1,
            "usOut": 2,
            "usDiff": 1,
        },
        *_some.mixed(
            [_deribit("trades", "BTC-PERPETUAL") for _ in range(30)],
            [_deribit("book", "BTC-PERPETUAL") for _ in range(30)],
        ),
        {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}},
    ],
    [_deribit("trades", "ETH-PERPETUAL"), _deribit("book", "ETH-PERPETUAL")],
    Expert(
        "seq:int=trade_seq, id=trade_id, time:timestamp[ms]=timestamp, tick:number=tick_direction, "
        "price:float, amount:float, instrument_name, index_price:float, direction",
        "params.data",
        ("$.params.channel^=trades.",),
    ),
    Expert(
        "side=@rows, level:int=@index, action=[0], price:float=[1], amount:float=[2], "
        "type=$.params.data.type, time:timestamp[ms]=$.params.data.timestamp, "
        "change:int=$.params.data.change_id, name=$.params.data.instrument_name",
        {"bid": "params.data.bids", "ask": "params.data.asks"},
        ("$.params.channel^=book.",),
    ),
)


def _bitstamp(kind: str, symbol: str) -> dict[str, Any]:
    micro = f"{_ms()}{_id() % 1000:03}"
    if kind == "trade":
        price, amount = _p(), _q()
        data: dict[str, Any] = {"id": _id(), "timestamp": micro[:10], "amount": amount}
        data |= {"amount_str": str(amount), "price": price, "price_str": str(price)}
        data |= {"type": _some.of(0, 1), "microtimestamp": micro, "buy_order_id": _id()}
        return {"data": data, "channel": f"live_trades_{symbol}", "event": "trade"}
    data = {"timestamp": micro[:10], "microtimestamp": micro}
    data |= {"bids": _some.levels(_bid), "asks": _some.levels(_p)}
    return {"data": data, "channel": f"order_book_{symbol}", "event": "data"}


_BITSTAMP = stream(
    "Bitstamp: trades and order book",
    [
        {"event": "bts:subscription_succeeded", "channel": "live_trades_btcusd", "data": {}},
        {"event": "bts:subscription_succeeded", "channel": "order_book_btcusd", "data": {}},
        *_some.mixed(
            [_bitstamp("trade", _some.of("btcusd", "ethusd")) for _ in range(30)],
            [_bitstamp("book", _some.of("btcusd", "ethusd")) for _ in range(30)],
        ),
    ],
    [_bitstamp("trade", "xrpeur"), _bitstamp("book", "xrpeur")],
    Expert(
        "id:int, timestamp:timestamp[s], amount:float, amount_str:decimal, price:float, "
        "price_str:decimal, type:number, microtimestamp:timestamp[us], buyer:int=buy_order_id, "
        "channel=$.channel",
        "data",
        ("$.event=trade",),
    ),
    Expert(
        "side=@rows, level:int=@index, price:decimal=[0], amount:decimal=[1], "
        "timestamp:timestamp[s]=$.data.timestamp, micro:timestamp[us]=$.data.microtimestamp, "
        "channel=$.channel",
        {"bid": "data.bids", "ask": "data.asks"},
        ("$.channel^=order_book_",),
        ("event",),
    ),
)


def _finnhub(symbol: str) -> dict[str, Any]:
    trades = [
        {"c": None, "p": _p(), "s": symbol, "t": _ms(), "v": _q()} for _ in range(_some.of(1, 2))
    ]
    return {"data": trades, "type": "trade"}


_FINNHUB = stream(
    "Finnhub: trades",
    [*(_finnhub(_some.of("BINANCE:BTCUSDT", "AAPL")) for _ in range(30)), {"type": "ping"}],
    [_finnhub("MSFT"), {"type": "ping"}, {"type": "error", "msg": "no"}],
    Expert(
        "price:float=p, symbol=s, time:timestamp[ms]=t, volume:float=v",
        "data",
        ("$.type=trade",),
    ),
)


def _htx(symbol: str) -> dict[str, Any]:
    trades = [
        {
            **{"id": _id(), "ts": _ms(), "tradeId": _id(), "amount": _q(), "price": _p()},
            **{"direction": _some.of("buy", "sell")},
        }
        for _ in range(_some.of(1, 2))
    ]
    tick = {"id": _id(), "ts": _ms(), "data": trades}
    return {"ch": f"market.{symbol}.trade.detail", "ts": _ms(), "tick": tick}


_HTX = stream(
    "HTX: trades",
    [
        {"id": "id1", "status": "ok", "subbed": "market.btcusdt.trade.detail", "ts": _ms()},
        *(_htx(_some.of("btcusdt", "ethusdt")) for _ in range(30)),
        {"ping": _ms()},
    ],
    [_htx("solusdt"), {"ping": _ms()}],
    Expert(
        "id:int, time:timestamp[ms]=ts, trade_id:int=tradeId, amount:float, price:float, "
        "direction, channel=$.ch, sent:timestamp[ms]=$.ts, tick:int=$.tick.id, "
        "ticked:timestamp[ms]=$.tick.ts",
        "tick.data",
        ("$.ch~=market.*.trade.detail",),
    ),
)


def _crypto_com(name: str) -> dict[str, Any]:
    trades = [
        {
            **{"d": str(_id()), "t": _ms(), "p": str(_p()), "q": str(_q())},
            **{"s": _some.of("BUY", "SELL"), "i": name},
        }
    ]
    result = {"instrument_name": name, "subscription": f"trade.{name}", "channel": "trade"}
    return {"id": -1, "method": "subscribe", "code": 0, "result": {**result, "data": trades}}


_CRYPTO_COM = stream(
    "Crypto.com: trades",
    [
        {"id": 1, "method": "subscribe", "code": 0},
        *(_crypto_com(_some.of("BTC_USDT", "ETH_USDT")) for _ in range(30)),
        {"id": 5, "method": "public/heartbeat", "code": 0},
    ],
    [_crypto_com("SOL_USDT")],
    Expert(
        "id:decimal=d, time:timestamp[ms]=t, price:decimal=p, quantity:decimal=q, side=s, symbol=i",
        "result.data?",
        ("$.result.channel=trade",),
        ("id", "method", "code"),
    ),
)


def _gemini(symbol: str) -> dict[str, Any]:
    return {
        **{"E": _ms() * 10**6 + 123456, "s": symbol, "t": _id(), "p": str(_p()), "q": str(_q())},
        **{"m": _some.of(True, False)},
    }


_GEMINI = stream(
    "Gemini: trades",
    [{"id": "1", "status": 200}, *(_gemini(_some.of("btcusd", "ethusd")) for _ in range(30))],
    [_gemini("solusd"), {"id": "2", "status": 200}],
    Expert(
        "time:timestamp[ns]=E, symbol=s, id:number=t, price:decimal=p, quantity:decimal=q, "
        "buyer_is_maker:bool=m",
        "",
        ("$.m=true,false",),
    ),
)

MORE_VENUES: tuple[Stream, ...] = (
    *(_UPBIT, _KUCOIN, _GATE, _BITMEX, _BITGET, _DERIBIT, _BITSTAMP, _FINNHUB, _HTX),
    *(_CRYPTO_COM, _GEMINI),
)
