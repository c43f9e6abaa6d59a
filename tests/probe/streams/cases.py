"""The smallest streams that show one thing each."""

from __future__ import annotations

import json

from tests.probe.streams.stream import Expert, Some, Stream, stream

__all__ = ["CASES"]

_some = Some("cases")
_p, _q, _ms, _id = _some.price, _some.size, _some.ms, _some.id


def _depth(bids: bool, asks: bool, symbol: str = "A1") -> dict[str, object]:
    return {
        **{"e": "depthUpdate", "E": _ms(), "s": symbol, "U": _id(), "u": _id()},
        "b": _some.levels(_some.bid) if bids else [],
        "a": _some.levels(_p) if asks else [],
    }


_DEPTH = Expert(
    "side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], "
    "event_time:timestamp[ms]=$.E, symbol=$.s, first:number=$.U, last:number=$.u",
    {"bid": "b?", "ask": "a?"},
    ("$.e=depthUpdate",),
)


def _ticker(symbol: str) -> dict[str, object]:
    return {
        "stream": f"{symbol}@bookTicker",
        "data": {"u": _id(), "s": symbol.upper(), "b": str(_some.bid()), "B": str(_q())},
    }


def _combined_depth(symbol: str) -> dict[str, object]:
    return {"stream": f"{symbol}@depth", "data": _depth(True, True, symbol.upper())}


def _upbit_trade(code: str) -> dict[str, object]:
    return {"ty": "trade", "cd": code, "tms": _ms(), "tp": _p(), "tv": _q()}


def _upbit_book(code: str) -> dict[str, object]:
    units = [{"ap": _p(), "bp": _some.bid(), "as": _q(), "bs": _q()} for _ in range(3)]
    return {"ty": "orderbook", "cd": code, "tms": _ms(), "obu": units}


def _open(state: str) -> dict[str, object]:
    if state == "open":
        return {"state": "open", "id": str(_id()), "price": _p(), "at": _ms()}
    return {"state": "closed", "id": str(_id()), "volume": _q(), "high": _p(), "at": _ms()}


def _best() -> dict[str, str]:
    return {"px": str(_p())}


def _map_of_levels(symbol: str) -> dict[str, object]:
    bids, asks = ({str(price()): str(_q()) for _ in range(3)} for price in (_some.bid, _p))
    return {"type": "book", "symbol": symbol, "bids": bids, "asks": asks}


CASES: tuple[Stream, ...] = (
    stream(
        "levels of both sides",
        [_depth(True, True) for _ in range(30)],
        [_depth(True, False, "B2"), _depth(False, True), {"e": "other", "b": 5}],
        _DEPTH,
    ),
    stream(
        "levels of one side",
        [_depth(True, False) for _ in range(30)],
        [_depth(True, True, "B2"), _depth(False, True)],
        _DEPTH,
    ),
    stream(
        "the next symbol of a stream",
        _some.mixed(
            [_ticker(_some.of("aaa", "bbb")) for _ in range(30)],
            [_combined_depth(_some.of("aaa", "bbb")) for _ in range(30)],
        ),
        [_ticker("ccc"), _combined_depth("ccc")],
        Expert(
            "update:number=u, symbol=s, bid:decimal=b, bid_size:decimal=B",
            "data",
            ("$.stream~=*@bookTicker",),
        ),
        Expert(
            "side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], "
            "event_time:timestamp[ms]=$.data.E, symbol=$.data.s, first:number=$.data.U, "
            "last:number=$.data.u",
            {"bid": "data.b", "ask": "data.a"},
            ("$.data.e=depthUpdate",),
        ),
    ),
    stream(
        "one symbol of a stream",
        _some.mixed(
            [_ticker("aaa") for _ in range(30)], [_combined_depth("bbb") for _ in range(30)]
        ),
        [_ticker("ccc"), _combined_depth("aaa")],
        Expert(
            "update:number=u, symbol=s, bid:decimal=b, bid_size:decimal=B",
            "data",
            ("$.stream~=*@bookTicker",),
        ),
        Expert(
            "side=@rows, level:int=@index, price:decimal=[0], size:decimal=[1], "
            "event_time:timestamp[ms]=$.data.E, symbol=$.data.s, first:number=$.data.U, "
            "last:number=$.data.u",
            {"bid": "data.b", "ask": "data.a"},
            ("$.data.e=depthUpdate",),
        ),
    ),
    stream(
        "types of a name that nobody knows",
        _some.mixed(
            [_upbit_trade("A0") for _ in range(30)], [_upbit_book("A0") for _ in range(20)]
        ),
        [_upbit_trade("B0"), _upbit_book("B0"), {"ty": "ticker", "cd": "A0", "tp": 1.5}],
        Expert(
            "code=cd, time:timestamp[ms]=tms, price:float=tp, volume:float=tv",
            "",
            ("$.ty=trade",),
        ),
        Expert(
            "level:int=@index, ap:float=ap, bp:float=bp, as:float=as, bs:float=bs, code=$.cd, "
            "time:timestamp[ms]=$.tms",
            "obu",
            ("$.ty=orderbook",),
        ),
    ),
    stream(
        "a state that is constant in each",
        _some.mixed([_open("open") for _ in range(20)], [_open("closed") for _ in range(20)]),
        [_open("open"), _open("closed"), {"state": "halted", "id": "5", "price": 1.5, "at": 5}],
        Expert("id, price:float, at:timestamp[ms]", "", ("$.state=open",)),
        Expert("id, volume:float, high:float, at:timestamp[ms]", "", ("$.state=closed",)),
    ),
    stream(
        "microseconds in a text",
        [
            {"microtimestamp": f"{_ms()}456", "price": _p(), "amount": str(_q()), "symbol": "A"}
            for _ in range(30)
        ],
        [{"microtimestamp": f"{_ms()}000", "price": 5, "amount": "1", "symbol": "B"}],
        Expert("time:timestamp[us]=microtimestamp, price:float, amount:decimal, symbol"),
    ),
    stream(
        "nanoseconds",
        [{"E": _ms() * 10**6 + 123, "s": "A", "p": str(_p())} for _ in range(30)],
        [{"E": _ms() * 10**6, "s": "B", "p": "5"}],
        Expert("time:timestamp[ns]=E, symbol=s, price:decimal=p"),
    ),
    stream(
        "the best bid and ask as a pair",
        [{"coin": "A", "bbo": [{"px": str(_some.bid())}, {"px": str(_p())}]} for _ in range(30)],
        [{"coin": "B", "bbo": [{"px": "1.5"}, {"px": "1.6"}]}],
        Expert("coin, bid:decimal=bbo[0].px, ask:decimal=bbo[1].px"),
    ),
    stream(
        "the best bid and ask as a pair, of which one may lack",
        [
            {"coin": "A", "bbo": _some.of([_best(), _best()], [None, _best()], [_best(), None])}
            for _ in range(30)
        ],
        [{"coin": "B", "bbo": [_best(), _best()]}, {"coin": "B", "bbo": [None, _best()]}],
        Expert("coin, bid:decimal?=bbo[0].px, ask:decimal?=bbo[1].px"),
    ),
    stream(
        "a book whose sides are maps of price to size",
        [_map_of_levels("A") for _ in range(30)],
        [_map_of_levels("B")],
        Expert(
            "side=@rows, price:decimal=@key, size:decimal=@value, symbol=$.symbol",
            {"bid": "bids.*", "ask": "asks.*"},
            ("$.type=book",),
        ),
    ),
    *(
        stream(
            f"symbols where a type might stand: {message}",
            [json.loads(message.replace("aapl", _some.of("aapl", "msft"))) for _ in range(30)],
            [json.loads(message.replace("aapl", "goog"))],
            Expert(columns),
        )
        for message, columns in (
            ('{"t":"aapl","p":1.5,"v":2.25}', "t, p:float, v:float"),
            ('{"name":"aapl","p":1.5,"v":2.25}', "name, p:float, v:float"),
            ('{"topic":"aapl","symbol":"aapl","p":1.5}', "topic, symbol, p:float"),
            ('{"channel":"aapl","p":1.5,"v":2.25}', "channel, p:float, v:float"),
            ('{"channel":"aaplusdt","p":1.5,"v":2.25}', "channel, p:float, v:float"),
            ('[1600000000123,"aapl",1.5]', "time:timestamp[ms]=[0], s=[1], p:float=[2]"),
            ('["aapl",1.5,2.25]', "s=[0], p:float=[1], v:float=[2]"),
        )
    ),
    stream(
        "a price and a size as a pair",
        [
            {"s": "A", "b": [str(_some.bid()), str(_q())], "a": [str(_p()), str(_q())]}
            for _ in range(30)
        ],
        [{"s": "B", "b": ["1.5", "2"], "a": ["1.6", "3"]}],
        Expert(
            "symbol=s, bid_price:decimal=b[0], bid_size:decimal=b[1], ask_price:decimal=a[0], "
            "ask_size:decimal=a[1]"
        ),
    ),
    stream(
        "a map of symbol to price",
        [{"mids": {"AAA": str(_p()), "BBB": str(_p())}} for _ in range(30)],
        [{"mids": {"AAA": "1.5", "CCC": "2.5"}}],
        Expert("symbol=@key, price:decimal=@value", "mids.*"),
    ),
    stream(
        "a map of symbol to record",
        [
            {
                "channel": "tickers",
                "ts": _ms(),
                "data": {
                    name: {"bid": str(_some.bid()), "ask": str(_p())}
                    for name in _some.of(["A-USD", "B-USD"], ["A-USD"])
                },
            }
            for _ in range(30)
        ],
        [{"channel": "tickers", "ts": _ms(), "data": {"C-USD": {"bid": "1.5", "ask": "1.6"}}}],
        Expert(
            "symbol=@key, bid:decimal, ask:decimal, time:timestamp[ms]=$.ts",
            "data.*",
            ("$.channel=tickers",),
        ),
    ),
    stream(
        "several documents in one message",
        [
            {
                "channel": "trades",
                "events": [
                    {"trades": [{"id": str(_id()), "price": str(_p())} for _ in range(count)]}
                    for count in _some.of([1, 2], [1], [2])
                ],
            }
            for _ in range(30)
        ],
        [{"channel": "trades", "events": [{"trades": [{"id": "1", "price": "1.5"}]}] * 3}],
        Expert("id, price:decimal", "events[*].trades", ("$.channel=trades",)),
    ),
    stream(
        "members by which alone kinds are told",
        _some.mixed(
            [{"sym": "A", "price": _p(), "size": _q()} for _ in range(20)],
            [{"sym": "A", "bid": _some.bid(), "ask": _p(), "time": _ms()} for _ in range(20)],
        ),
        [
            {"sym": "B", "price": 1.5, "size": 2.5},
            {"sym": "B", "bid": 1.5, "ask": 1, "time": 1700000000000},
        ],
        Expert("sym, price:float, size:float", "", ("$.price exists",)),
        Expert("sym, bid:float, ask:float, time:timestamp[ms]", "", ("$.bid exists",)),
    ),
)
