"""Messages with many rows each, deep in them: a book's levels, lists in lists, a map of prices.

They are as venues send them: ``depth`` is Binance's depth update with twenty levels on either side,
``events`` Coinbase Advanced's trades, ten in each of two events, ``mids`` Hyperliquid's prices of
500 symbols. What is compared with them, ``record`` and ``binance``, is of :mod:`bench.frames`.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from bench.frames import symbols
from bench.samples import feed_of, messages_of
from fastingest import Options
from fastingest.model.feed import Feed

__all__ = ["NESTED", "Nested", "nested"]

_LEVELS, _EVENTS, _TRADES, _SYMBOLS = 20, 2, 10, 500
_DIFFERENT = 50  # messages, until they are the same again


class Nested(NamedTuple):
    """A feed, and messages of it.

    :param rows: of a message.
    """

    feed: Feed
    messages: list[bytes]
    rows: int


def _depth(generator: random.Random) -> str:
    def levels() -> str:
        price = generator.uniform(100, 90_000)
        pairs = (
            f'["{price + step:.8f}","{generator.lognormvariate(0, 2):.8f}"]'
            for step in range(_LEVELS)
        )
        return ",".join(pairs)

    update = generator.randrange(10**9, 10**10)
    return (
        f'{{"e":"depthUpdate","E":{1672515782136 + update % 1000},"s":"BTCUSDT","U":{update},'
        f'"u":{update + 40},"b":[{levels()}],"a":[{levels()}]}}'
    )


def _events(generator: random.Random) -> str:
    def trade() -> str:
        return (
            f'{{"trade_id":"{generator.randrange(10**8, 10**9)}","product_id":"ETH-USD",'
            f'"price":"{generator.uniform(1000, 2000):.2f}","size":"{generator.uniform(0, 9):.6f}",'
            f'"side":"BUY","time":"2019-08-14T20:42:27.{generator.randrange(1000):03}Z"}}'
        )

    def event() -> str:
        return f'{{"type":"update","trades":[{",".join(trade() for _ in range(_TRADES))}]}}'

    return (
        '{"channel":"market_trades","client_id":"","timestamp":"2023-02-09T20:19:35.39625135Z",'
        f'"sequence_num":0,"events":[{",".join(event() for _ in range(_EVENTS))}]}}'
    )


_NAMES = symbols([3] * 200 + [4] * 200 + [5] * 100)


def _mids(generator: random.Random) -> str:
    prices = (f'"{name}":"{generator.lognormvariate(3, 3):.5f}"' for name in _NAMES)
    return f'{{"channel":"allMids","data":{{"mids":{{{",".join(prices)}}}}}}}'


_MADE = {
    "depth": (
        _depth,
        2 * _LEVELS,
        "$.e=depthUpdate",
        "bid=b, ask=a",
        "symbol=$.s, time:timestamp[ms]=$.E, side=@rows, level:int=@index, price:decimal=[0], "
        "size:decimal=[1]",
    ),
    "events": (
        _events,
        _EVENTS * _TRADES,
        "$.channel=market_trades",
        "events[*].trades",
        "symbol=product_id, time:timestamp, trade_id, price:decimal, size:decimal, side",
    ),
    "mids": (
        _mids,
        _SYMBOLS,
        "$.channel=allMids",
        "data.mids.*",
        "symbol=@key, price:decimal=@value",
    ),
}

NESTED = ("record", "binance", *_MADE)


def nested(shape: str, rows: int) -> Nested:
    """Messages of one of :data:`NESTED` with about so many rows."""
    if shape not in _MADE:
        return Nested(feed_of(shape), messages_of(shape, rows), 1)
    make, each, where, place, columns = _MADE[shape]
    feed = Options(url="ws://127.0.0.1/", rows=place, where=where, columns=columns).feeds[0]
    generator = random.Random(4)
    made = [make(generator).encode() for _ in range(_DIFFERENT)]
    return Nested(feed, [made[index % _DIFFERENT] for index in range(rows // each)], each)
