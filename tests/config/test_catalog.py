from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from fastingest import OptionError
from fastingest.access.references import variables_in
from fastingest.cli import commands as cli
from fastingest.config.catalog import known_feed, known_names, known_text, listing
from fastingest.config.check import check
from fastingest.config.spec import FeedSpec
from tests.feeds.recorded import SECRETS

NAMES = known_names()


def feed_of(name: str) -> FeedSpec:
    (feed,) = known_feed(name).feeds
    return feed


def test_the_known_feeds() -> None:
    expected = """
        alpaca-bars alpaca-quotes alpaca-trades binance-book-tickers binance-depth
        binance-futures-mark-prices binance-futures-trades binance-klines binance-trades
        bitfinex-trades bitget-trades bitmex-trades bitstamp-trades bybit-liquidations
        bybit-orderbook bybit-trades coinbase-advanced-trades coinbase-level2
        coinbase-matches coinbase-tickers crypto-com-trades deribit-tickers deribit-trades
        finnhub-trades gateio-trades gemini-trades htx-trades hyperliquid-mids
        hyperliquid-trades kraken-book kraken-tickers kraken-trades kraken-v1-trades
        kucoin-matches okx-books okx-trades polygon-bars polygon-quotes polygon-trades
        upbit-trades
    """
    assert list(NAMES) == expected.split()


@pytest.mark.parametrize("name", NAMES)
def test_a_known_feed_says_what_it_is_and_where_that_is_documented(name: str) -> None:
    lines = known_text(name).splitlines()
    assert re.fullmatch(r"# [A-Z].{10,88}\.", lines[0])
    assert lines[1] == "#"
    assert re.fullmatch(r"# https://\S+", lines[2])
    assert max(map(len, lines)) <= 200
    assert "Symbols" in known_text(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_known_feed_is_complete(name: str) -> None:
    feed = feed_of(name)
    assert feed.name == name
    assert (feed.url or "").startswith("wss://")
    assert bool(feed.symbols.default) == feed.has_place
    assert [table.schema.described for table in feed.tables] == [True]
    assert (feed.out, feed.tables[0].out) == (None, None)  # --out says where


@pytest.mark.parametrize("name", NAMES)
def test_exact_numbers_stay_exact(name: str) -> None:
    """Prices and sizes are decimals, but for the venues that write them as doubles."""
    columns = feed_of(name).tables[0].schema.columns
    exact = [c for c in columns if re.search(r"price|size|quantity|amount|volume", c.name)]
    assert exact
    is_double = name.startswith(("bitfinex-", "bitmex-", "deribit-", "htx-", "upbit-"))
    types = {column.type for column in exact}
    assert types - {"int"} == ({"float"} if is_double else {"decimal"})
    assert "int" not in types or name == "bitmex-trades"  # contracts


@pytest.mark.parametrize("name", NAMES)
def test_a_known_feed_has_a_time_and_a_symbol(name: str) -> None:
    columns = {column.name: column.type for column in feed_of(name).tables[0].schema.columns}
    assert {"symbol", "channel"} & set(columns)
    times = [kind for kind in columns.values() if "timestamp" in kind]
    assert times


def test_the_variables_that_known_feeds_need() -> None:
    needed = {variable for name in NAMES for variable in variables_in(feed_of(name).texts)}
    assert needed == set(SECRETS)


def test_variables_are_found_once_in_their_order() -> None:
    assert variables_in(["${B} $${C} ${file:/x}", "${ A }${B}"]) == ["B", "A"]


def test_the_listing_fits_a_terminal_and_says_the_same() -> None:
    lines = listing(80).splitlines()
    assert max(map(len, lines)) <= 80
    starts = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert starts == list(known_names())
    assert " ".join(listing(80).split()) == " ".join(listing().split())
    assert max(map(len, listing(5).splitlines())) <= 60


def test_the_listing_has_a_line_for_each_with_what_it_captures() -> None:
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    (start,) = {re.match(r"\S+ +", line).end() for line in lines}  # type: ignore[union-attr]
    whats = [re.split(" {2,}", line[start:])[0] for line in lines]
    assert whats[NAMES.index("binance-trades")].startswith("Binance spot: each trade")
    assert not any(what.endswith(".") for what in whats)
    assert lines[NAMES.index("finnhub-trades")].endswith("  needs FINNHUB_TOKEN")
    assert len({line.index("  needs ") for line in lines if "  needs " in line}) == 1
    assert not any(line.endswith(" ") for line in lines)


def test_an_unknown_name_is_refused_with_those_that_are_like_it() -> None:
    with pytest.raises(
        OptionError, match="'okx' is no known feed; did you mean okx-books or okx-trades"
    ):
        known_text("okx")
    with pytest.raises(OptionError, match="'x' is no known feed; 'fastingest feeds' lists them"):
        known_text("x")
    with pytest.raises(OptionError, match="is no known feed"):
        known_text("../feeds/okx-trades")


# The command


def test_the_command_lists_the_feeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["feeds"]) == 0
    assert capsys.readouterr().out == listing() + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_the_command_prints_a_file_to_begin_with(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["feeds", name]) == 0
    printed = capsys.readouterr().out
    assert printed == known_text(name)
    assert tomllib.loads(printed)["name"] == name
    (tmp_path / "my.toml").write_text(printed)
    found = check(tmp_path / "my.toml")
    assert (found.problems, len(found.feeds)) == ((), 1)


def test_the_command_refuses_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["feeds", "okx-trade"]) == 2
    said = "fastingest: error: 'okx-trade' is no known feed; did you mean okx-trades"
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stale_can_be_told_by_symbol(name: str) -> None:
    feed = feed_of(name)
    assert feed.stale_by in feed.tables[0].schema.names
