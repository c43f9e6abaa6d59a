from __future__ import annotations

from typing import Any

import pytest

from fastingest.probe.tables.skeleton import skeleton_of
from fastingest.probe.tables.stream_names import NamedStream, patterns_of, texts_in

TRADE: dict[str, Any] = {"p": 1}
BOOK: dict[str, Any] = {"b": []}


def patterns(*streams: tuple[str, dict[str, Any]]) -> dict[str, str]:
    """Of names and messages that came under them."""
    found: dict[str, NamedStream] = {}
    for name, message in streams:
        before = found.get(name, NamedStream(frozenset(), frozenset()))
        found[name] = NamedStream(
            before.texts | frozenset(texts_in(message)),
            before.skeletons | {skeleton_of(message)},
        )
    return patterns_of(found)


@pytest.mark.parametrize(
    ("name", "message", "pattern"),
    [
        ("btcusdt@trade", {"s": "BTCUSDT"}, "*@trade"),
        ("aaa@bookTicker", TRADE, "*@bookTicker"),
        ("publicTrade.BTCUSDT", TRADE, "publicTrade.*"),
        ("orderbook.50.BTCUSDT", TRADE, "orderbook.50.*"),
        ("trades.A0", {"code": "A0"}, "trades.*"),
        ("/market/match:BTC-USDT", {"symbol": "BTC-USDT"}, "/market/match:*"),
        ("book.BTC-PERPETUAL.100ms", TRADE, "book.*.100ms"),
        ("market.btcusdt.trade.detail", TRADE, "market.*.trade.detail"),
        ("live_trades_btcusd", TRADE, "live_trades_*"),
        ("ticker.X/Y", {"pair": "X-Y", "symbol": "X/Y"}, "ticker.*"),
        ("spot.trades", TRADE, "spot.trades"),
        ("!miniTicker@arr", TRADE, "!miniTicker@arr"),
        ("BTC-USD", TRADE, ""),
        ("BTCUSDT", TRADE, ""),
        ("a*b.c", TRADE, ""),
    ],
)
def test_what_is_a_symbol_in_a_name_is_open(
    name: str, message: dict[str, Any], pattern: str
) -> None:
    assert patterns((name, message)) == {name: pattern}


def test_what_differs_without_making_another_kind_is_a_symbol() -> None:
    assert patterns(("trade.aaa", TRADE), ("trade.bbb", TRADE)) == dict.fromkeys(
        ["trade.aaa", "trade.bbb"], "trade.*"
    )
    assert patterns(
        ("aaa.trade", TRADE), ("bbb.trade", TRADE), ("aaa.book", BOOK), ("bbb.book", BOOK)
    ) == {
        **dict.fromkeys(["aaa.trade", "bbb.trade"], "*.trade"),
        **dict.fromkeys(["aaa.book", "bbb.book"], "*.book"),
    }
