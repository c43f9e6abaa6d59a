"""What becomes of the command line, known feeds and files together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fastingest import ConfigError, OptionError, Options
from fastingest.config.catalog import known_feed, known_names
from fastingest.config.options import options_from
from fastingest.config.resolve import read_file
from fastingest.model.feed import Feed, Heartbeat, Subscription
from fastingest.model.jsonpath import parse_condition
from fastingest.model.schema import TRADES, parse_columns

ONE = """\
url = "wss://host/path"
headers = ["X-A: 1", "X-B: 2"]
subscribe = "first"
rows = "data"
where = "$.e=trade"
columns = "s=s, p:float=p"
"""
TWO = """\
[[feed]]
url = "wss://one.example/"
columns = "a=b"
[[feed]]
url = "wss://two.example/"
columns = "c=d"
out = "two.csv"
"""


def feeds_of(**given: Any) -> tuple[Feed, ...]:
    return Options(**given).feeds


def feed_of(**given: Any) -> Feed:
    (feed,) = feeds_of(**given)
    return feed


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return written(tmp_path, ONE)


def written(folder: Path, text: str) -> Path:
    path = folder / "feeds.toml"
    path.write_text(text, "utf-8")
    return path


def refused(**given: Any) -> str:
    with pytest.raises((OptionError, ConfigError)) as error:
        Options(**given)
    assert "\n" not in str(error.value)
    assert error.value.exit_status == 2
    return str(error.value)


# URLs alone


def test_a_url_alone_is_a_feed_told_by_itself() -> None:
    feed = feed_of(url="wss://feed.example/trades?key=1", header=("A: 1",), subscribe=("s",))
    assert (feed.name, feed.url) == ("feed.example", "wss://feed.example/trades?key=1")
    assert [(table.out, table.schema) for table in feed.tables] == [
        (Path("stock_data.csv"), TRADES)
    ]
    assert (feed.headers, feed.subscriptions) == (("A: 1",), (Subscription("s"),))
    assert (feed.compression, feed.proxy, feed.ca_file) == ("off", None, None)


def test_several_urls_share_what_is_given() -> None:
    feeds = feeds_of(url=("wss://a/", "wss://b/"), columns="s=s, p:int=p", rows="d", where=("e=t",))
    assert [feed.name for feed in feeds] == ["a", "b"]
    for feed in feeds:
        schema = feed.tables[0].schema
        assert schema.columns == parse_columns("s=s, p:int=p")
        assert (str(schema.rows), schema.where) == ("d", (parse_condition("e=t"),))


@pytest.mark.parametrize(
    ("urls", "names"),
    [
        (["wss://h:8443/a"], ["h:8443"]),
        (["wss://h/a", "wss://h/b"], ["h/a", "h/b"]),
        (["wss://h/a?x=1", "wss://h/a?x=2", "wss://i/"], ["h/a", "h/a#2", "i"]),
        (["demo://?rate=5", "demo://"], ["demo://?rate=5", "demo://"]),
        (["wss://user:word@h/a?t=${T}"], ["h"]),
        (["wss://${T}.example/${T}", "wss://${T}.example/b"], ["***.example/***", "***.example/b"]),
    ],
)
def test_a_feed_has_a_short_name_without_secrets(
    urls: list[str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T", "token")
    assert [feed.name for feed in feeds_of(url=urls)] == names


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "--url: no feed was named; write for example --url wss://host/path"),
        ({"url": ""}, "--url: no feed was named"),
        ({"url": ("wss://a/", "wss://a/")}, "--url: the same URL is named twice"),
        ({"url": "wss://a/", "rows": "x"}, "--rows: goes with --columns"),
        ({"url": "wss://a/", "where": ("x=1",)}, "--where: goes with --columns"),
        ({"url": "wss://a/", "columns": " "}, "--columns: describes no column; write for example"),
        ({"url": "wss://a/", "columns": "a:x=b"}, "--columns: column 'a': 'x' is no type"),
        ({"url": "wss://a/", "columns": "a=b", "rows": "a b"}, "--rows: 'a b' is no path"),
        ({"url": "wss://a/", "columns": "a=b", "where": ("x",)}, "--where: 'x' is no condition"),
        ({"url": "wss://a/", "symbols": ("A",)}, "--symbols: wss://a/ has no place for them"),
        ({"url": "wss://a/{symbol}", "symbols": ("A",)}, "--url: a URL is not repeated"),
        ({"url": "wss://a/{symbols}", "symbols": ('"',)}, "--symbols: '\"' cannot be a symbol"),
        ({"url": "http://a/"}, "--url: 'http://a/' must begin with ws://"),
        ({"url": "wss://a/${NOT_SET_ANYWHERE}"}, "--url: the environment variable NOT_SET"),
        ({"feed": ("bynance-trades",)}, "--feed: 'bynance-trades' is no known feed; did you"),
        ({"feed": ("okx-trades", "okx-trades")}, "--feed: the same feed is named twice"),
        (
            {"feed": ("okx-trades", "bybit-trades"), "url": "wss://a/"},
            "--url: takes the place of a feed's own: name one feed and one URL, not 2 and 1",
        ),
        ({"feed": ("okx-trades",), "url": ("wss://a/", "wss://b/")}, "--url: takes the place of"),
        ({"config": "/nowhere/at/all"}, "--config: /nowhere/at/all: No such file or directory"),
    ],
)
def test_what_describes_no_feed_is_refused(given: dict[str, Any], said: str) -> None:
    assert refused(**given).startswith(said)


def test_symbols_fill_what_the_command_line_says() -> None:
    feed = feed_of(
        url="wss://a/?s={symbols}", subscribe=('{"s":"{symbol}"}',), symbols="BTC/USD,ETH"
    )
    assert feed.url == "wss://a/?s=BTC%2FUSD,ETH"
    assert [each.text for each in feed.subscriptions] == ['{"s":"BTC/USD"}', '{"s":"ETH"}']


def test_braces_are_left_alone_where_no_symbols_are_given() -> None:
    feed = feed_of(url="wss://a/", subscribe=('{"s":"{symbol}"}',))
    assert [each.text for each in feed.subscriptions] == ['{"s":"{symbol}"}']


# Known feeds


def test_a_known_feed_has_its_symbols_and_its_name() -> None:
    feed = feed_of(feed="binance-trades")
    assert feed.name == "binance-trades"
    assert feed.url == "wss://stream.binance.com:9443/stream"
    (subscription,) = feed.subscriptions
    assert '"params":["btcusdt@trade","ethusdt@trade"]' in subscription.text
    assert feed.tables[0].schema == known_feed("binance-trades").feeds[0].tables[0].schema
    assert feed.tables[0].out == Path("stock_data.csv")


def test_symbols_fill_a_known_feed() -> None:
    (subscription,) = feed_of(feed="binance-trades", symbols=("SOLUSDT,bnbusdt",)).subscriptions
    assert '"params":["solusdt@trade","bnbusdt@trade"]' in subscription.text
    feed = feed_of(feed="bybit-trades", symbols=("SOLUSDT", "BNBUSDT"))
    assert [each.text for each in feed.subscriptions] == [
        '{"op":"subscribe","args":["publicTrade.SOLUSDT"]}',
        '{"op":"subscribe","args":["publicTrade.BNBUSDT"]}',
    ]
    assert feed.heartbeats == (Heartbeat('{"op":"ping"}', 20.0),)


def test_a_url_takes_the_place_of_a_known_feeds_own() -> None:
    feed = feed_of(feed="kraken-trades", url="ws://127.0.0.1:1/x?s={symbols}", symbols="A")
    assert (feed.name, feed.url) == ("kraken-trades", 'ws://127.0.0.1:1/x?s="A"')


def test_many_symbols_of_binance_go_into_several_messages_of_200() -> None:
    symbols = tuple(f"S{number}" for number in range(1024))
    feed = feed_of(feed="binance-book-tickers", symbols=symbols)
    assert [each.text.count("@bookTicker") for each in feed.subscriptions] == [200] * 5 + [24]
    assert feed.subscribe_every == 0.25
    assert len(feed.url) < 100
    assert feed.lines == ()


@pytest.mark.parametrize(
    ("name", "most"),
    [
        *[(name, 1024) for name in known_names() if name.startswith("binance-")],
        ("bitfinex-trades", 30),
        ("bitget-trades", 1000),
        ("crypto-com-trades", 400),
        ("kucoin-matches", 300),
    ],
)
def test_a_known_feed_has_another_connection_above_what_its_venue_allows(
    name: str, most: int
) -> None:
    feed = feed_of(feed=name, symbols=tuple(f"S{number}" for number in range(most + 1)))
    assert [len(line.symbols) for line in feed.lines] == [most, 1]


def test_several_known_feeds_with_one_header_write_one_file() -> None:
    feeds = feeds_of(feed=("okx-trades", "bybit-trades"), columns="symbol, price:decimal", out="x")
    assert [feed.name for feed in feeds] == ["okx-trades", "bybit-trades"]
    assert {table.out for feed in feeds for table in feed.tables} == {Path("x")}


def test_two_headers_for_one_file_are_refused_and_both_shown(tmp_path: Path) -> None:
    said = refused(feed=("okx-trades", "gemini-trades"), out=tmp_path / "x.csv")
    for name in ("okx-trades", "gemini-trades"):
        assert known_feed(name).feeds[0].tables[0].schema.header in said
    assert said.startswith("--out: ")


# A file, and what is laid over it


def test_a_file_describes_a_feed(one: Path) -> None:
    feed = feed_of(config=one)
    assert (feed.name, feed.url) == ("host", "wss://host/path")
    assert feed.headers == ("X-A: 1", "X-B: 2")
    assert feed.subscriptions == (Subscription("first"),)
    schema = feed.tables[0].schema
    assert (str(schema.rows), schema.header) == ("data", "s,p")


def test_the_command_line_is_laid_over_a_file(one: Path) -> None:
    feed = feed_of(
        config=one,
        url="ws://other/",
        header=("x-a: 9", "X-C: 3"),
        subscribe=("second",),
        columns="q:int=q",
        compression="deflate",
        proxy="http://p:1",
        out="o.csv",
    )
    assert (feed.name, feed.url) == ("other", "ws://other/")
    assert feed.headers == ("X-B: 2", "x-a: 9", "X-C: 3")
    assert [each.text for each in feed.subscriptions] == ["first", "second"]
    assert (feed.compression, feed.proxy) == ("deflate", "http://p:1")
    schema = feed.tables[0].schema
    assert (schema.header, str(schema.rows), len(schema.where)) == ("q", "data", 1)
    assert feed.tables[0].out == Path("o.csv")


def test_rows_and_conditions_are_replaced_each_alone(one: Path) -> None:
    schema = feed_of(config=one, rows="[1]").tables[0].schema
    assert (schema.header, str(schema.rows), len(schema.where)) == ("s,p", "[1]", 1)
    schema = feed_of(config=one, where=("a=1", "b=2")).tables[0].schema
    assert (str(schema.rows), schema.where) == (
        "data",
        (parse_condition("a=1"), parse_condition("b=2")),
    )


def test_columns_of_a_feed_with_several_tables_are_changed_in_its_file(tmp_path: Path) -> None:
    text = "url='ws://a'\n[[table]]\nname='x'\ncolumns='a=b'\n[[table]]\ncolumns='a=b'\n"
    said = refused(config=written(tmp_path, text), columns="c=d")
    assert said == "--columns: ws://a has 2 tables; change its file"


def test_a_file_may_leave_the_url_to_the_command_line(tmp_path: Path) -> None:
    path = written(tmp_path, "columns = 'a=b'\n")
    assert feed_of(config=path, url="ws://h/").tables[0].schema.header == "a"
    assert refused(config=path).startswith(f"{path}:1: there is no 'url'")


def test_a_file_of_options_goes_with_urls_and_known_feeds(tmp_path: Path) -> None:
    path = written(tmp_path, "max-rows = 5\n")
    assert [feed.name for feed in feeds_of(config=path, url=("ws://a", "ws://b"))] == ["a", "b"]
    assert feed_of(config=path, feed="okx-trades").name == "okx-trades"
    assert refused(config=path) == f"--config: {path} describes no feed; add --url or --feed"


def test_a_file_and_known_feeds_are_captured_together(one: Path) -> None:
    feeds = feeds_of(config=one, feed="okx-trades", columns="a=b")
    assert [feed.name for feed in feeds] == ["okx-trades", "host"]


def test_symbols_that_are_needed_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "url = 'ws://a/{symbols}'\n")
    assert refused(config=path) == (
        "--symbols: ws://a/{symbols} needs some; write for example --symbols AAPL,MSFT"
    )
    assert feed_of(config=path, symbols="A").url == "ws://a/A"


def test_what_a_run_finds_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    text = "url = 'ws://a/'\n\nheaders = ['A: ${NOT_SET_ANYWHERE}']\n"
    path = written(tmp_path, text)
    assert refused(config=path).startswith(f"{path}:3: the environment variable NOT_SET_ANYWHERE")
    path = written(tmp_path, "url = 'ws://a/'\nca-file = '/nowhere/at/all'\n")
    assert refused(config=path).startswith(f"{path}:2: /nowhere/at/all: ")


def test_what_the_command_line_brings_is_blamed_itself(one: Path) -> None:
    said = refused(config=one, header=("A: ${NOT_SET_ANYWHERE}",))
    assert said.startswith("--header: the environment variable NOT_SET_ANYWHERE")
    assert refused(config=one, url="http://x").startswith("--url: 'http://x' must begin with")


# Where tables go

TABLES = "[[feed.table]]\ncolumns = 'a=b'\n{0}\n[[feed.table]]\ncolumns = 'c=d'\n{1}\n"


@pytest.mark.parametrize(
    ("text", "given", "outs"),
    [
        ("", "stock_data.csv", ["stock_data.csv"]),
        ("", "x.csv", ["x.csv"]),
        ("out = 'f.csv'\n", "stock_data.csv", ["f.csv"]),
        ("out = 'f.csv'\n", "x.csv", ["x.csv"]),
        (TABLES.format("", "name = 'q'"), "x.csv", ["x.csv", "x_q.csv"]),
        (TABLES.format("name = 't'", "name = 'q'"), "d/x", ["d/x_t", "d/x_q"]),
        (TABLES.format("name = 't'", "out = 'q.csv'"), "x.csv", ["x_t.csv", "q.csv"]),
        ("out = 'f'\n" + TABLES.format("", "name = 'q'"), "stock_data.csv", ["f", "f_q"]),
    ],
)
def test_where_tables_go(tmp_path: Path, text: str, given: str, outs: list[str]) -> None:
    path = written(tmp_path, "[[feed]]\nurl = 'ws://a'\n" + text)
    assert [str(table.out) for table in feed_of(config=path, out=given).tables] == outs


def test_out_at_the_top_is_where_feeds_write_that_say_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "out = 'top.csv'\n" + TWO)
    for options in (Options(config=path), options_from({"config": path})):
        assert [str(feed.tables[0].out) for feed in options.feeds] == ["top.csv", "two.csv"]


def test_an_out_that_nothing_would_write_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, TWO.replace("[[feed]]", "[[feed]]\nout='one.csv'", 1))
    assert refused(config=path, out="x.csv") == (
        "--out: every table says where it goes; change that where it does"
    )


def test_two_tables_of_a_feed_write_one_file_only_if_they_agree(tmp_path: Path) -> None:
    text = "[[feed]]\nurl = 'ws://a'\n" + TABLES.format("out='x.csv'", "out='./y/../x.csv'")
    path = written(tmp_path, text)
    assert refused(config=path).startswith(
        f"{path}:6: another table of this feed writes y/../x.csv, too"
    )


def test_two_feeds_may_write_one_file_with_one_header(tmp_path: Path) -> None:
    text = TWO.replace("out = 'two.csv'", "").replace("c=d", "a=c")
    feeds = feeds_of(config=written(tmp_path, text.replace('out = "two.csv"', "")), out="x")
    assert [str(feed.tables[0].out) for feed in feeds] == ["x", "x"]


# Options of a file


def test_options_of_a_file_are_defaults(tmp_path: Path) -> None:
    path = written(tmp_path, "flush-interval = '100ms'\nmax-rows = 5\nout = 'o.csv'\n" + TWO)
    assert read_file(path, needs_url=False).settings == {
        "flush_interval": 0.1,
        "max_rows": 5,
        "out": Path("o.csv"),
    }
    options = options_from({"config": path, "max_rows": 7})
    assert (options.flush_interval, options.max_rows, options.out) == (0.1, 7, Path("o.csv"))


def test_an_option_of_a_file_out_of_range_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "\nbatch-size = 0\n" + TWO)
    with pytest.raises(ConfigError) as error:
        options_from({"config": path})
    assert str(error.value) == f"{path}:2: 0 is out of range; it must be at least 1"
    with pytest.raises(OptionError, match=r"^--batch-size: -1 is"):
        options_from({"config": path, "batch_size": -1})


def test_the_first_mistake_of_a_file_is_raised(tmp_path: Path) -> None:
    path = written(tmp_path, "url = 'ws://a'\nzzz = 1\nyyy = 2\n")
    with pytest.raises(ConfigError) as error:
        Options(config=path)
    assert (error.value.path, error.value.line) == (path, 2)
    assert error.value.problem == "there is no key 'zzz' here"
