"""Messages as each known feed's venue documents them, and what they must become.

A file has one message a line, in the order in which a server would send them: its replies,
heartbeats, errors and oddities among them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["EXPECTED", "SECRETS", "Expected", "messages_of"]

SECRETS = {
    "APCA_API_KEY_ID": "PKAPCA-7f21",
    "APCA_API_SECRET_KEY": "alpaca-secret-91ab",
    "FINNHUB_TOKEN": "finnhub-token-55c0",
    "POLYGON_API_KEY": "polygon-key-0c1d",
}
"""The variables that known feeds need."""


class Expected(NamedTuple):
    """What becomes of a feed's messages.

    :param rows: how many rows there are.
    :param first: the cells of the first of them, but for metadata columns.
    :param rejects: how many messages, or elements of messages, are rejected.
    :param ignored: how many are neither row nor reject.
    :param replies: the messages, counted from 0, that answer its subscriptions.
    :param refused: how many say no to something.
    :param reconnects: the messages, counted from 0, that ask for another connection.
    :param answers: what is to be answered, in order.
    """

    rows: int
    first: list[str]
    rejects: int
    ignored: int
    replies: tuple[int, ...] = ()
    refused: int = 0
    reconnects: tuple[int, ...] = ()
    answers: tuple[str, ...] = ()


def messages_of(name: str) -> list[bytes]:
    """The messages of a known feed."""
    return (Path(__file__).parent / f"{name}.jsonl").read_bytes().splitlines()


def _cells(text: str) -> list[str]:
    return text.split(" | ")


EXPECTED = {
    "alpaca-quotes": Expected(
        4,
        _cells("2021-02-22T15:51:45.335689322Z | AMD | U | 87.66 | 1 | Q | 87.68 | 4 | C"),
        rejects=2,
        ignored=4,
        replies=(1, 2),
        refused=1,
    ),
    "alpaca-trades": Expected(
        4,
        _cells("2021-02-22T15:51:44.208000000Z | AAPL | 96921 | 126.55 | 1 | D | C"),
        rejects=1,
        ignored=8,
        replies=(1, 2),
        refused=1,
    ),
    "binance-book-tickers": Expected(
        5,
        _cells("BTCUSDT | 400900217 | 25351.90000000 | 0.31210000 | 25352.52000000 | 0.40660000"),
        rejects=1,
        ignored=2,
        replies=(0,),
        refused=1,
    ),
    "binance-trades": Expected(
        5,
        _cells(
            "2022-12-31T19:43:02.135Z | 2022-12-31T19:43:02.136Z | BTCUSDT | 2351612357 | "
            "16541.88000000 | 0.00184000 | true"
        ),
        rejects=1,
        ignored=4,
        replies=(0,),
        refused=1,
        reconnects=(9,),
    ),
    "bitstamp-trades": Expected(
        3,
        _cells(
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
        _cells(
            "2022-12-29T09:01:26.865Z | BTCUSDT | 20f43950-d8dd-5b31-9112-a178eb6023af | "
            "16578.50 | 0.001 | Buy | false"
        ),
        rejects=2,
        ignored=4,
        replies=(0, 2),
        refused=1,
    ),
    "coinbase-matches": Expected(
        3,
        _cells(
            "2014-11-07T08:19:27.028459Z | BTC-USD | 10 | 400.23 | 5.23512 | sell | 50 | "
            "ac928c66-ca53-498f-9c13-a110027a60e8 | 132fb6ae-456b-4654-b4e0-d681ac05cea1"
        ),
        rejects=2,
        ignored=6,
        replies=(1, 3),
        refused=1,
    ),
    "coinbase-tickers": Expected(
        4,
        _cells(
            "2022-10-19T23:28:22.061769Z | ETH-USD | 1285.22 | 11.4396987 | buy | 370843401 | "
            "1285.04 | 0.46688654 | 1285.27 | 1.56637040 | 245532.79269678 | 37475248783"
        ),
        rejects=1,
        ignored=5,
        replies=(0, 1),
        refused=1,
    ),
    "crypto-com-trades": Expected(
        4,
        _cells("2021-02-17T16:58:58.462Z | BTC_USDT | 2030407068 | 51327.500000 | 0.000100 | SELL"),
        rejects=2,
        ignored=5,
        replies=(0, 2),
        refused=1,
        answers=('{"id":1587523073344,"method":"public/respond-heartbeat"}',),
    ),
    "deribit-trades": Expected(
        4,
        [
            *_cells("2020-05-26T09:15:12.188Z | BTC-PERPETUAL | 48079269 | 30289442 | 8950.0"),
            *_cells("10.0 | sell | 2 | 8955.88 | 8948.9"),
            *["", "", ""],
        ],
        rejects=2,
        ignored=5,
        replies=(0, 2),
        refused=1,
    ),
    "finnhub-trades": Expected(
        6,
        _cells("2019-12-05T06:18:11.134Z | BINANCE:BTCUSDT | 7296.89 | 0.011467"),
        rejects=2,
        ignored=4,
        refused=1,
    ),
    "gemini-trades": Expected(
        4,
        _cells(
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
        _cells(
            "2021-09-07T06:09:23.173Z | market.btcusdt.trade.detail | 102523573486 | 52648.62 | "
            "0.006754 | buy"
        ),
        rejects=1,
        ignored=6,
        replies=(0, 2),
        refused=1,
        answers=('{"pong":1630994965000}',),
    ),
    "kraken-trades": Expected(
        5,
        _cells(
            "2023-09-25T07:49:37.708706000Z | MATIC/USD | 4665906 | 0.5117 | 40.0 | sell | market"
        ),
        rejects=2,
        ignored=7,
        replies=(1,),
        refused=1,
    ),
    "kraken-v1-trades": Expected(
        5,
        _cells("2018-08-18T17:40:57.321597Z | XBT/USD | 5541.20000 | 0.15850568 | s | l"),
        rejects=2,
        ignored=8,
        replies=(1,),
        refused=1,
    ),
    "okx-trades": Expected(
        4,
        _cells("2021-08-27T07:21:37.897Z | BTC-USDT | 130639474 | 42219.9 | 0.12060306 | buy | 3"),
        rejects=1,
        ignored=6,
        replies=(0,),
        refused=1,
        reconnects=(6,),
    ),
    "polygon-trades": Expected(
        4,
        [
            *_cells(
                "2018-09-04T04:53:38.784Z | MSFT | 12345 | 3681328 | 114.125 | 100 | 100.0 | 4 | 3"
            ),
            "",
            "",
        ],
        rejects=1,
        ignored=8,
        replies=(1, 2),
        refused=2,
    ),
}
