"""Which symbols the data of a probe names."""

from __future__ import annotations

import json
from typing import Any

from fastingest.probe.beside.known_symbols import known_symbols
from fastingest.probe.proposal import proposal_of


def known(*messages: Any) -> set[str]:
    raw = [json.dumps(message).encode() for message in messages]
    return known_symbols(proposal_of(raw, 1_700_000_000.0), raw)


def test_columns_that_are_called_so_hold_symbols() -> None:
    assert known({"product_id": "ABC", "price": 1.5}, {"product_id": "T", "price": 2}) == {"ABC"}
    assert known({"coin": "OP", "side": "buy", "px": "1.5"}) == {"OP"}


def test_pairs_are_symbols_whatever_their_column_is_called() -> None:
    assert known({"what": "BTC-USD", "price": 1.5}, {"what": "ETH/EUR", "price": 1.5}) == {
        "BTC-USD",
        "ETH/EUR",
    }
    assert known({"what": "BTC-USD", "price": 1.5}, {"what": "all", "price": 1.5}) == set()


def test_names_of_streams_hold_pairs() -> None:
    assert known({"ch": "market.btcusdt.trade.detail", "price": 1.5}) == {"btcusdt"}
    assert known({"arg": {"channel": "trades:BTC-USD"}, "data": [{"price": 1.5}]}) == {"BTC-USD"}
    assert known({"channel": "trades", "price": 1.5}) == set()


def test_what_can_be_no_symbol_is_none() -> None:
    assert known({"symbol": "a b", "price": 1.5}, {"symbol": "12", "price": 1.5}) == set()


def test_only_rows_name_symbols() -> None:
    reply = {"event": "subscribed", "symbol": "XYZ"}
    assert known(reply, {"symbol": "ABC", "price": 1.5}) == {"ABC"}
