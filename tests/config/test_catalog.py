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
        alpaca-quotes alpaca-trades binance-book-tickers binance-trades bitstamp-trades
        bybit-trades coinbase-matches coinbase-tickers crypto-com-trades deribit-trades
        finnhub-trades gemini-trades htx-trades kraken-trades kraken-v1-trades okx-trades
        polygon-trades
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
    assert feed.symbols.default
    assert [table.schema.described for table in feed.tables] == [True]
    assert (feed.out, feed.tables[0].out) == (None, None)  # --out says where


@pytest.mark.parametrize("name", NAMES)
def test_exact_numbers_stay_exact(name: str) -> None:
    """Prices and sizes are decimals, but for the two venues that write them as doubles."""
    columns = feed_of(name).tables[0].schema.columns
    exact = [c for c in columns if re.search(r"price|size|quantity|amount|volume", c.name)]
    assert exact
    expected = {"float"} if name in ("deribit-trades", "htx-trades") else {"decimal"}
    assert {column.type for column in exact} == expected


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


def test_the_listing_has_a_line_for_each() -> None:
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    assert "Binance spot: each trade" in lines[NAMES.index("binance-trades")]
    assert lines[NAMES.index("finnhub-trades")].endswith("  FINNHUB_TOKEN")
    assert not any(line.endswith(" ") for line in lines)


def test_an_unknown_name_is_refused_with_those_that_are_like_it() -> None:
    with pytest.raises(OptionError, match="'kraken' is no known feed; did you mean kraken-trades"):
        known_text("kraken")
    with pytest.raises(OptionError, match="'x' is no known feed; there are alpaca-quotes, alpaca-"):
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
