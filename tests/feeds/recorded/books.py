"""What the messages of the feeds of order books become."""

from __future__ import annotations

from tests.feeds.recorded.expected import Expected, cells

__all__ = ["BOOKS"]

BOOKS = {
    "binance-depth": Expected(
        7,
        cells(
            "2022-12-31T19:43:02.136Z | BTCUSDT | 157 | 160 | bid | 0 | 16541.87000000 | 0.50000000"
        ),
        rejects=1,
        ignored=9,
        replies=(0,),
        refused=1,
        reconnects=(9,),
    ),
    "bybit-orderbook": Expected(
        7,
        cells(
            "2023-06-28T08:29:27.466Z | 2023-06-28T08:29:27.464Z | BTCUSDT | snapshot | "
            "177400507 | 66544703342 | bid | 0 | 30247.20 | 30.028"
        ),
        rejects=2,
        ignored=8,
        replies=(0, 2),
        refused=1,
    ),
    "coinbase-level2": Expected(
        6,
        cells(
            "2023-02-09T20:32:50.714964855Z | 1970-01-01T00:00:00.000000000Z | BTC-USD | "
            "1 | snapshot | bid | 0 | 21921.73 | 0.06317902"
        ),
        rejects=2,
        ignored=7,
        replies=(2, 4),
        refused=1,
    ),
    "kraken-book": Expected(
        8,
        cells(
            "2023-10-06T17:35:55.300000000Z | BTC/USD | snapshot | bid | 0 | 27001.10 | "
            "0.50000000 | 2439117997"
        ),
        rejects=1,
        ignored=12,
        replies=(1,),
        refused=1,
    ),
    "okx-books": Expected(
        6,
        cells(
            "2020-08-10T02:26:23.085Z | BTC-USDT | snapshot | -1 | 123456 | ask | 0 | "
            "8476.98 | 415 | 13 | -855196043"
        ),
        rejects=2,
        ignored=13,
        replies=(0,),
        refused=1,
        reconnects=(8,),
    ),
}
