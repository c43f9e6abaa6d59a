from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from fastingest import ConfigError, OptionError
from fastingest.config.overrides import Overrides, build_feeds, located
from fastingest.config.settings import Settings
from fastingest.config.spec import FeedSpec, Message, TableSpec
from fastingest.config.toml_file import TomlFile
from fastingest.model.feed import Feed, Heartbeat
from fastingest.model.schema import TRADES, parse_columns


def spec(**values: Any) -> FeedSpec:
    return FeedSpec((TableSpec(TRADES),), **{"url": "wss://host/path", **values})


def built(*specs: FeedSpec, **overrides: Any) -> tuple[Feed, ...]:
    return build_feeds(specs, Overrides(**overrides))


def one(spec: FeedSpec, **overrides: Any) -> Feed:
    (feed,) = built(spec, **overrides)
    return feed


def names(*urls: str) -> list[str]:
    return [feed.name for feed in built(url=urls)]


def test_overrides_are_settings_with_their_defaults() -> None:
    assert Overrides.of(Settings()) == Overrides()
    changed = Settings(
        url="ws://h", symbols="A,B", out=Path("o.csv"), proxy="http://p", where=("a=1",)
    )
    assert Overrides.of(changed) == Overrides(
        url=("ws://h",), symbols=("A", "B"), out=Path("o.csv"), proxy="http://p", where=("a=1",)
    )


def test_every_override_is_a_setting() -> None:
    settings = {field.name: field.default for field in fields(Settings)}
    own = {field.name: field.default for field in fields(Overrides)}
    assert own.items() <= settings.items()


def test_a_url_that_is_empty_is_none() -> None:
    assert Overrides(url=("", "ws://h", "")).urls == ("ws://h",)
    with pytest.raises(OptionError, match=r"^--url: no feed was named"):
        built(url=("",))
    assert one(spec(), url=("",)).url == "wss://host/path"


# What is laid over a feed


def test_a_feed_stays_as_it_is_where_nothing_is_laid_over_it() -> None:
    beat = Heartbeat("p", 1.0)
    said: dict[str, Any] = {
        "headers": ("A: 1",),
        "heartbeats": (beat,),
        "ignore": ("pong",),
        "compression": "deflate",
        "proxy": "http://p",
        "connect_timeout": 2.5,
        "inflate": "gzip",
        "strip": ("42",),
        "split": "lines",
        "stale_after": 30.0,
        "stale_by": "symbol",
        "when_stale": "reconnect",
        "ca_file": Path("ca"),
        "cert_file": Path("cert"),
        "key_file": Path("key"),
    }
    feed = one(spec(**said))
    assert {name: getattr(feed, name) for name in said} == said


def test_other_columns_leave_out_what_told_what_is_stale() -> None:
    own = spec(stale_by="symbol")
    assert one(own, columns="other=s").stale_by == ""
    assert one(own, columns="symbol=s").stale_by == "symbol"


def test_a_header_takes_the_place_of_the_one_with_its_name_however_that_is_written() -> None:
    own = ("X-A: 1", "X-B: 2", "x-a : 3")
    assert one(spec(headers=own), header=("X-a: 4", "X-C: 5")).headers == (
        "X-B: 2",
        "X-a: 4",
        "X-C: 5",
    )


def test_another_certificate_goes_with_another_key() -> None:
    own = spec(cert_file=Path("cert"), key_file=Path("key"))
    feed = one(own, cert_file=Path("other"))
    assert (feed.cert_file, feed.key_file) == (Path("other"), None)
    feed = one(own, key_file=Path("other"))
    assert (feed.cert_file, feed.key_file) == (Path("cert"), Path("other"))


@pytest.mark.parametrize(
    ("own", "given", "compression"),
    [
        (None, "off", "off"),
        (None, "deflate", "deflate"),
        ("deflate", "off", "deflate"),  # off is what it is when nobody has said anything
        ("off", "deflate", "deflate"),
    ],
)
def test_compression_can_be_switched_on_only(own: str | None, given: str, compression: str) -> None:
    assert one(spec(compression=own), compression=given).compression == compression


@pytest.mark.parametrize(
    ("own", "given", "seconds"),
    [(None, {}, 10.0), (2.5, {}, 2.5), (2.5, {"connect_timeout": 60.0}, 60.0)],
)
def test_a_connect_has_the_time_that_is_given(
    own: float | None, given: dict[str, Any], seconds: float
) -> None:
    assert one(spec(connect_timeout=own), **given).connect_timeout == seconds


@pytest.mark.parametrize(
    ("own", "given", "seconds"),
    [(None, None, None), (None, 5.0, 5.0), (2.5, None, 2.5), (2.5, 5.0, 5.0), (0.0, None, None)],
)
def test_a_feed_is_stale_after_the_time_that_is_given(
    own: float | None, given: float | None, seconds: float | None
) -> None:
    assert one(spec(stale_after=own), stale_after=given).stale_after == seconds


def test_what_is_given_of_the_stale_takes_the_place_of_what_a_file_says() -> None:
    own = spec(stale_by="symbol", stale_after=5.0, when_stale="reconnect")
    feed = one(own, stale_by="price", when_stale="warn")
    assert (feed.stale_by, feed.when_stale) == ("price", "warn")
    feed = one(spec(), stale_after=5.0, stale_by="symbol", when_stale="reconnect")
    assert (feed.stale_by, feed.when_stale) == ("symbol", "reconnect")
    # in the place of one that would be a mistake, too
    assert one(spec(stale_by="s", stale_after=5.0), stale_by="volume").stale_by == "volume"


def test_documents_are_found_as_is_given() -> None:
    own = spec(strip=("42",), split="lines")
    feed = one(own, strip=("a", "b"), split="records")
    assert (feed.strip, feed.split) == (("a", "b"), "records")
    feed = one(spec(), split="lines")
    assert (feed.strip, feed.split) == ((), "lines")


def test_a_feed_without_the_column_that_is_given_keeps_its_own() -> None:
    other = replace(TRADES, columns=parse_columns("channel, price:float"), described=True)
    own = FeedSpec((TableSpec(other),), url="wss://other/", stale_by="channel", out=Path("o.csv"))
    feeds = built(spec(), own, stale_after=5.0, stale_by="symbol")
    assert [feed.stale_by for feed in feeds] == ["symbol", "channel"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"stale_by": "s", "stale_after": 5.0},
            r"--stale-by: no table has a column 's' from the feed; there are symbol, price, vol",
        ),
        (
            {"stale_by": "time", "stale_after": 5.0, "columns": "s, time=@received"},
            r"--stale-by: no table has a column 'time' from the feed; there are s$",
        ),
        ({"stale_by": "symbol"}, r"--stale-by: goes with --stale-after, which says when"),
        ({"when_stale": "reconnect"}, r"--when-stale: goes with --stale-after, which says when"),
    ],
)
def test_a_mistake_in_what_is_given_of_the_stale_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        one(spec(), **given)


def test_what_may_be_stale_are_values_of_a_column_that_there_is() -> None:
    own = spec(stale_by="s")
    with pytest.raises(OptionError, match="no column 's' from the feed; it has symbol, price, vol"):
        one(own)
    assert one(own, columns="s, p:float, @received").stale_by == "s"
    assert one(spec(stale_by="received"), columns="s, @received").stale_by == ""


@pytest.mark.parametrize(
    ("own", "given", "proxy"),
    [
        (None, None, None),
        ("http://p", None, "http://p"),
        ("http://p", "http://q", "http://q"),
        ("http://p", "off", "off"),
        ("http://p", "", ""),
        ("off", None, "off"),
    ],
)
def test_a_proxy_can_be_switched_off(own: str | None, given: str | None, proxy: str | None) -> None:
    assert one(spec(proxy=own), proxy=given).proxy == proxy


def test_a_subscription_may_bring_the_place_for_symbols() -> None:
    feed = one(spec(messages=(Message("own"),)), subscribe=("+{symbol}",), symbols=("A", "B"))
    assert [each.text for each in feed.subscriptions] == ["own", "+A", "+B"]


# What feeds are called


def test_a_feed_is_called_as_it_says_or_by_its_host() -> None:
    named = spec(name="venue")
    assert [feed.name for feed in built(named, spec(), spec(url="ws://x:9/"))] == [
        "venue",
        "host",
        "x:9",
    ]


def test_feeds_of_one_host_are_told_apart_by_paths_and_then_by_numbers() -> None:
    assert names("ws://h/a", "ws://h/b", "ws://i/a") == ["h/a", "h/b", "i"]
    assert names("ws://h:9330", "ws://h:9330/a") == ["h:9330", "h:9330/a"]
    assert names("ws://h:9330/a", "ws://h:9330") == ["h:9330/a", "h:9330"]
    assert names("ws://h", "ws://h?1") == ["h", "h#2"]
    assert names("ws://h/a?1", "ws://h/a?2", "ws://h/a?3") == ["h/a", "h/a#2", "h/a#3"]


def test_no_name_is_that_of_another_feed() -> None:
    feeds = built(spec(url="ws://h/a"), spec(name="h"), spec(name="h/a", url="ws://i"))
    assert [feed.name for feed in feeds] == ["h/a#2", "h", "h/a"]


def test_two_feeds_are_not_given_one_name() -> None:
    with pytest.raises(OptionError, match=r"^--feed: two feeds are named 'a'"):
        built(spec(name="a"), spec(name="b"), spec(name="a", url="ws://i"))


def test_no_name_shows_a_secret() -> None:
    assert names("ws://user:word@h/x?key=${KEY}") == ["h"]
    assert names("ws://${HOST}/x") == ["***"]
    assert names("${URL}") == ["***"]
    assert names("demo://?rate=5") == ["demo://?rate=5"]


# Who is to blame


def test_what_is_wrong_is_told_of_the_file_unless_the_command_line_brought_it() -> None:
    file = TomlFile(Path("f.toml"), "url = 'ws://h'\n\nca-file = 'x'\nheaders = ['a']\n")
    of_file = spec(file=file)
    for option, line in (("ca_file", 3), ("header", 4)):
        error = located(OptionError(option, "wrong"), of_file, Overrides())
        assert isinstance(error, ConfigError)
        assert (error.line, error.problem) == (line, "wrong")
    given = OptionError("ca_file", "wrong")
    assert located(given, of_file, Overrides(ca_file=Path("y"))) is given
    assert str(located(given, spec(), Overrides())) == "--ca-file: wrong"


# Several connections


def shared_out(*symbols: str, size: int | None = 2, **more: Any) -> Feed:
    messages = (Message("login"), Message("all {symbols}"), Message("one {symbol}"))
    return one(spec(messages=messages, per_connection=size, **more), symbols=symbols)


@pytest.mark.parametrize(("count", "size"), [(3, None), (3, 3), (3, 4)])
def test_symbols_that_fit_on_one_connection_have_one(count: int, size: int | None) -> None:
    feed = shared_out(*"ABC"[:count], size=size)
    assert feed.lines == ()
    assert feed.by_line() == (feed,)


def test_symbols_are_shared_out_in_order_and_each_connection_sends_all_for_its_own() -> None:
    feed = shared_out(*"ABCDE", url="wss://h/x?s={symbols}")
    assert [line.symbols for line in feed.lines] == [("A", "B"), ("C", "D"), ("E",)]
    assert [line.url for line in feed.lines] == [
        f"wss://h/x?s={each}" for each in ("A,B", "C,D", "E")
    ]
    assert [[each.text for each in line.subscriptions] for line in feed.lines] == [
        ["login", "all A,B", "one A", "one B"],
        ["login", "all C,D", "one C", "one D"],
        ["login", "all E", "one E"],
    ]
    assert (feed.url, feed.symbols) == ("wss://h/x?s=A,B,C,D,E", tuple("ABCDE"))
    parts = feed.by_line()
    assert [(part.url, part.subscriptions, part.symbols) for part in parts] == [
        (line.url, line.subscriptions, line.symbols) for line in feed.lines
    ]
    assert {(part.name, part.tables, part.lines) for part in parts} == {
        (feed.name, feed.tables, ())
    }
    moved = feed.at("ws://other/")
    assert {part.url for part in (moved, *moved.by_line())} == {"ws://other/"}


def test_so_many_connections_are_too_many() -> None:
    feed = shared_out(*(f"S{n}" for n in range(1024)), size=1)
    assert len(feed.lines) == 1024
    with pytest.raises(OptionError, match=r"1,025 symbols need 1,025 connections with 1 on each"):
        shared_out(*(f"S{n}" for n in range(1025)), size=1)
