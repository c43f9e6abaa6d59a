"""The files of a proposal's tables, and their column of the time of receipt."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.feed import Feed
from fastingest.model.schema import Column, Schema, parse_columns
from fastingest.probe.outputs import outputs_of, with_received


@pytest.mark.parametrize(
    ("url", "name", "venue"),
    [
        ("wss://ws.kraken.com/v2", "ws.kraken.com", "kraken"),
        ("wss://stream.binance.com:9443/ws", "stream.binance.com:9443", "binance"),
        ("wss://ws-feed.exchange.coinbase.com", "ws-feed.exchange.coinbase.com", "coinbase"),
        ("wss://stream.venue.co.uk/", "stream.venue.co.uk", "venue"),
        ("wss://x.com.hk/", "x.com.hk", "x"),
        ("wss://feed.example/a", "feed.example/a", "feed_example_a"),
        ("ws://127.0.0.1:8080/", "127.0.0.1:8080", "127_0_0_1_8080"),
        ("ws://[::1]:80/", "[::1]:80", "1_80"),
        ("ws://localhost/quotes", "localhost/quotes", "localhost_quotes"),
        ("wss://ws.kraken.com/v2", "My Feed", "my_feed"),
        ("wss://${HOST}/x", "***/x", "x"),
        ("demo://?rate=5", "demo://?rate=5", "demo"),
        ("ws://ä.example/", "Ä", "feed"),
    ],
)
def test_whose_feed_it_is(url: str, name: str, venue: str) -> None:
    assert outputs_of(Feed(name, url, ()), ["trade", "quote"]) == [
        f"{venue}_trade.csv",
        f"{venue}_quote.csv",
    ]
    assert outputs_of(Feed(name, url, ()), [""]) == [f"{venue}.csv"]


def test_a_single_table_of_which_nothing_is_said() -> None:
    feed = Feed("a.kraken.com", "wss://a.kraken.com", ())
    assert outputs_of(feed, ["rows"]) == ["kraken.csv"]
    assert outputs_of(feed, []) == []
    assert outputs_of(feed, ["rows", "rows"]) == ["kraken.csv"] * 2
    assert outputs_of(feed, ["rows", "trade"]) == ["kraken_rows.csv", "kraken_trade.csv"]


def test_tables_of_one_word_have_one_file() -> None:
    feed = Feed("a.kraken.com", "wss://a.kraken.com", ())
    assert outputs_of(feed, ["trade", "quote", "trade"]) == [
        "kraken_trade.csv",
        "kraken_quote.csv",
        "kraken_trade.csv",
    ]


@given(st.text(), st.lists(st.text(min_size=1), max_size=5, unique=True))
def test_any_names_are_files_of_their_own(name: str, tables: list[str]) -> None:
    names = outputs_of(Feed(name, "ws://x/", ()), tables)
    assert len(set(names)) == len(names) == len(tables)
    assert all(re.fullmatch(r"[a-z0-9_]{1,130}\.csv", each) for each in names)


def test_the_time_of_receipt_has_a_name_of_its_own() -> None:
    schema = Schema(parse_columns(["symbol"]))
    assert with_received(schema).columns[1:] == (Column("received", "@received"),)
    schema = Schema(parse_columns(["received:float"]))
    assert with_received(schema).columns[1:] == (Column("received_at", "@received"),)
