"""What the messages of the feeds of quotes, bars and other figures become."""

from __future__ import annotations

from tests.feeds.recorded.expected import Expected, cells

__all__ = ["FIGURES"]

FIGURES = {
    "alpaca-bars": Expected(
        4,
        cells(
            "2021-02-22T19:15:00.000000000Z | SPY | 388.985 | 389.13 | 388.975 | 389.12 | "
            "49378 | 461 | 389.062639"
        ),
        rejects=1,
        ignored=7,
        replies=(1, 2),
        refused=1,
    ),
    "alpaca-quotes": Expected(
        4,
        cells("2021-02-22T15:51:45.335689322Z | AMD | U | 87.66 | 1 | Q | 87.68 | 4 | C"),
        rejects=2,
        ignored=4,
        replies=(1, 2),
        refused=1,
    ),
    "binance-book-tickers": Expected(
        5,
        cells("BTCUSDT | 400900217 | 25351.90000000 | 0.31210000 | 25352.52000000 | 0.40660000"),
        rejects=1,
        ignored=2,
        replies=(0,),
        refused=1,
    ),
    "binance-futures-mark-prices": Expected(
        4,
        cells(
            "2022-12-31T19:43:02.000Z | BTCUSDT | 16541.85000000 | 16541.90000000 | "
            "16545.62659091 | 16540.26800000 | 0.00010000 | 2023-01-01T00:00:00.000Z"
        ),
        rejects=1,
        ignored=3,
        replies=(0,),
        refused=1,
    ),
    "binance-klines": Expected(
        3,
        cells(
            "2022-12-31T19:43:00.000Z | 2022-12-31T19:43:59.999Z | "
            "2022-12-31T19:43:02.136Z | BTCUSDT | 1m | 16541.00000000 | 16542.00000000 | "
            "16540.50000000 | 16541.88000000 | 1.50000000 | 24812.82000000 | 0.50000000 | "
            "8270.94000000 | 101 | false"
        ),
        rejects=1,
        ignored=4,
        replies=(0,),
        refused=1,
        reconnects=(7,),
    ),
    "bybit-liquidations": Expected(
        4,
        cells(
            "2025-02-14T03:05:02.929Z | 2025-02-14T03:05:03.204Z | BTCUSDT | Sell | "
            "0.120 | 96500.50"
        ),
        rejects=1,
        ignored=6,
        replies=(0, 2),
        refused=1,
    ),
    "coinbase-tickers": Expected(
        4,
        cells(
            "2022-10-19T23:28:22.061769Z | ETH-USD | 1285.22 | 11.4396987 | buy | 370843401 | "
            "1285.04 | 0.46688654 | 1285.27 | 1.56637040 | 245532.79269678 | 37475248783"
        ),
        rejects=1,
        ignored=5,
        replies=(0, 1),
        refused=1,
    ),
    "deribit-tickers": Expected(
        2,
        cells(
            "2025-12-12T12:11:14.086Z | BTC-PERPETUAL | open | 92283.5 | 117660.0 | "
            "92284.0 | 186520.0 | 92283.5 | 92281.78 | 92263.55 | 92464.66 | "
            "1132329370.0 | 11897.27640428 | 0.00001742 | 0.0 |  |  |  |  |  |  |  |  | "
        ),
        rejects=2,
        ignored=6,
        replies=(0, 2),
        refused=1,
    ),
    "hyperliquid-mids": Expected(
        7,
        cells("@142 | 80907.5"),
        rejects=2,
        ignored=6,
        replies=(0,),
        refused=1,
    ),
    "kraken-tickers": Expected(
        2,
        cells(
            "2023-09-25T09:04:31.750000000Z | BTC/USD | snapshot | 26131.90 | 2.5 | "
            "26132.0 | 3.20000000 | 26131.9 | 163.28908096 | 26104.39279 | 25990.0 | "
            "26506.1 | 250.00 | 0.24"
        ),
        rejects=2,
        ignored=6,
        replies=(1,),
        refused=1,
    ),
    "polygon-bars": Expected(
        4,
        cells(
            "2021-01-08T22:24:00.000Z | 2021-01-08T22:25:00.000Z | GTE | 0.4488 | 0.4489 | "
            "0.4486 | 0.4486 | 4110 | 4110.0 | 0.4488 | 685 | 0.4372 | 9470157 | 0.4352"
        ),
        rejects=1,
        ignored=7,
        replies=(1, 2),
        refused=2,
    ),
    "polygon-quotes": Expected(
        4,
        cells(
            "2018-09-04T04:53:38.784Z | MSFT | 50385480 | 4 | 114.125 | 100 | 7 | 114.128 | 160 | 3"
        ),
        rejects=1,
        ignored=8,
        replies=(1, 2),
        refused=2,
    ),
}
