"""What the messages of the feeds of trades become."""

from __future__ import annotations

from tests.feeds.recorded.expected import Expected, cells

__all__ = ["TRADES"]

TRADES = {
    "alpaca-trades": Expected(
        4,
        cells("2021-02-22T15:51:44.208000000Z | AAPL | 96921 | 126.55 | 1 | D | C"),
        rejects=1,
        ignored=8,
        replies=(1, 2),
        refused=1,
    ),
    "binance-futures-trades": Expected(
        3,
        cells(
            "2022-12-31T19:43:02.130Z | 2022-12-31T19:43:02.136Z | BTCUSDT | 5933014 | "
            "16541.80 | 0.100 | 100 | 105 | true"
        ),
        rejects=1,
        ignored=4,
        replies=(0,),
        refused=1,
    ),
    "binance-trades": Expected(
        5,
        cells(
            "2022-12-31T19:43:02.135Z | 2022-12-31T19:43:02.136Z | BTCUSDT | 2351612357 | "
            "16541.88000000 | 0.00184000 | true"
        ),
        rejects=1,
        ignored=4,
        replies=(0,),
        refused=1,
        reconnects=(9,),
    ),
    "bitfinex-trades": Expected(
        3,
        cells("2019-11-25T15:07:58.808Z | tBTCUSD | 401597395 | 7245.3 | 0.005"),
        rejects=2,
        ignored=9,
        replies=(1, 4),
        refused=1,
        reconnects=(13,),
    ),
    "bitget-trades": Expected(
        4,
        cells("2023-09-26T06:30:36.822Z | BTCUSDT | 1000000001 | 26293.40 | 0.00130000 | sell"),
        rejects=1,
        ignored=7,
        replies=(0,),
        refused=1,
    ),
    "bitmex-trades": Expected(
        3,
        cells(
            "2024-11-24T08:15:38.704Z | XBTUSD | 00000000-006d-1000-0000-000e8737d536 | "
            "98570.9 | 100 | Sell | ZeroPlusTick | 101450 | 0.0010145 | 100.0 | Regular"
        ),
        rejects=2,
        ignored=8,
        replies=(1, 4),
        refused=1,
    ),
    "bitstamp-trades": Expected(
        3,
        cells(
            "2020-11-16T14:10:03.383000Z | live_trades_btcusd | 133391203 | 16500.10 | "
            "0.05000000 | 0 | 1297450462732288 | 1297450459897858"
        ),
        rejects=2,
        ignored=5,
        replies=(0, 1),
        refused=1,
        reconnects=(5,),
    ),
    "bybit-trades": Expected(
        5,
        cells(
            "2022-12-29T09:01:26.865Z | BTCUSDT | 20f43950-d8dd-5b31-9112-a178eb6023af | "
            "16578.50 | 0.001 | Buy | false"
        ),
        rejects=2,
        ignored=4,
        replies=(0, 2),
        refused=1,
    ),
    "coinbase-advanced-trades": Expected(
        5,
        cells("2023-02-09T20:19:33.123456000Z | ETH-USD | 12345 | 1260.01 | 0.3 | BUY | 1"),
        rejects=2,
        ignored=6,
        replies=(2, 4),
        refused=1,
    ),
    "coinbase-matches": Expected(
        3,
        cells(
            "2014-11-07T08:19:27.028459Z | BTC-USD | 10 | 400.23 | 5.23512 | sell | 50 | "
            "ac928c66-ca53-498f-9c13-a110027a60e8 | 132fb6ae-456b-4654-b4e0-d681ac05cea1"
        ),
        rejects=2,
        ignored=6,
        replies=(1, 3),
        refused=1,
    ),
    "crypto-com-trades": Expected(
        4,
        cells("2021-02-17T16:58:58.462Z | BTC_USDT | 2030407068 | 51327.500000 | 0.000100 | SELL"),
        rejects=2,
        ignored=5,
        replies=(0, 2),
        refused=1,
        answers=('{"id":1587523073344,"method":"public/respond-heartbeat"}',),
    ),
    "deribit-trades": Expected(
        4,
        [
            *cells("2020-05-26T09:15:12.188Z | BTC-PERPETUAL | 48079269 | 30289442 | 8950.0"),
            *cells("10.0 | sell | 2 | 8955.88 | 8948.9"),
            *["", "", ""],
        ],
        rejects=2,
        ignored=5,
        replies=(0, 2),
        refused=1,
    ),
    "finnhub-trades": Expected(
        6,
        cells("2019-12-05T06:18:11.134Z | BINANCE:BTCUSDT | 7296.89 | 0.011467"),
        rejects=2,
        ignored=4,
        refused=1,
    ),
    "gateio-trades": Expected(
        3,
        cells(
            "2020-11-25T08:16:58.213457800Z | GT_USDT | 309143071 | 0.4705000000 | "
            "16.4700000000 | sell"
        ),
        rejects=2,
        ignored=5,
        replies=(0, 2),
        refused=1,
    ),
    "gemini-trades": Expected(
        4,
        cells(
            "2025-07-03T02:07:18.600117161Z | btcusd | 2840140956529623 | 45000.50 | 0.10000000 | "
            "true"
        ),
        rejects=2,
        ignored=5,
        replies=(0, 3),
        refused=1,
    ),
    "htx-trades": Expected(
        4,
        cells(
            "2021-09-07T06:09:23.173Z | market.btcusdt.trade.detail | 102523573486 | 52648.62 | "
            "0.006754 | buy"
        ),
        rejects=1,
        ignored=6,
        replies=(0, 2),
        refused=1,
        answers=('{"pong":1630994965000}',),
    ),
    "hyperliquid-trades": Expected(
        4,
        cells(
            "2023-12-29T18:40:00.123Z | BTC | 118906512037719 | 98450.5 | 0.00012 | B | "
            "0x0a1b | 0xaaaa | 0xbbbb"
        ),
        rejects=2,
        ignored=6,
        replies=(0, 2),
        refused=1,
    ),
    "kraken-trades": Expected(
        5,
        cells(
            "2023-09-25T07:49:37.708706000Z | MATIC/USD | 4665906 | 0.5117 | 40.0 | sell | market"
        ),
        rejects=2,
        ignored=7,
        replies=(1,),
        refused=1,
    ),
    "kraken-v1-trades": Expected(
        5,
        cells("2018-08-18T17:40:57.321597Z | XBT/USD | 5541.20000 | 0.15850568 | s | l"),
        rejects=2,
        ignored=8,
        replies=(1,),
        refused=1,
    ),
    "kucoin-matches": Expected(
        3,
        cells(
            "2024-10-25T08:00:22.921000000Z | BTC-USDT | 11067996711960577 | "
            "11067996711960577 | 67523 | 0.003 | buy | 671b5007389355000701b1d3 | "
            "671b50161777ff00074c168d"
        ),
        rejects=1,
        ignored=6,
        replies=(1, 3),
        refused=1,
    ),
    "okx-trades": Expected(
        4,
        cells("2021-08-27T07:21:37.897Z | BTC-USDT | 130639474 | 42219.9 | 0.12060306 | buy | 3"),
        rejects=2,
        ignored=7,
        replies=(0,),
        refused=1,
        reconnects=(6,),
    ),
    "polygon-trades": Expected(
        4,
        cells(
            "2018-09-04T04:53:38.784Z | 2018-09-04T04:53:38.763Z | MSFT | 12345 | 3681328 | "
            "114.125 | 100 | 100.0 | 4 | 3 |  | "
        ),
        rejects=1,
        ignored=8,
        replies=(1, 2),
        refused=2,
    ),
    "upbit-trades": Expected(
        3,
        cells(
            "2024-10-31T01:07:42.047Z | 2024-10-31T01:07:42.082Z | KRW-BTC | "
            "17303368620470000 | 100473000.0 | 0.00014208 | BID"
        ),
        rejects=1,
        ignored=5,
        refused=1,
        binary=True,
    ),
}
