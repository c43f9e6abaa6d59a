from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fastingest import ConfigError, UsageError
from fastingest.config.offline import feed_offline
from fastingest.config.options import settings_from
from fastingest.model.feed import Feed

TWO = """
out = "all.csv"
[[feed]]
name = "a"
url = "wss://${NO_SUCH_HOST}/?key=${NO_SUCH_KEY}"
ca-file = "/no/such.pem"
columns = "s, p:float"

[[feed]]
url = "wss://b.example/x"
subscribe = ['{"op":"{symbols}"}']
[[feed.table]]
name = "x"
columns = "s, q:float"
"""


def described(tmp_path: Path, text: str = "", **given: Any) -> Feed:
    if text:
        path = tmp_path / "f.toml"
        path.write_text(text)
        given["config"] = path
    return feed_offline(settings_from(given))


def test_without_a_feed_the_columns_are_enough(tmp_path: Path) -> None:
    feed = described(tmp_path, columns="a, b:int", rows="d", out="o.csv")
    assert feed.name == "feed"
    assert [(table.out, table.schema.header) for table in feed.tables] == [(Path("o.csv"), "a,b")]
    assert described(tmp_path).tables[0].schema.header == "symbol,price,volume"


def test_a_feed_of_the_file_is_named_and_needs_nothing_that_a_connect_does(tmp_path: Path) -> None:
    feed = described(tmp_path, TWO, feed="a")
    assert (feed.name, feed.tables[0].schema.header, feed.tables[0].out) == (
        "a",
        "s,p",
        Path("all.csv"),
    )
    feed = described(tmp_path, TWO, feed="b.example")
    assert (feed.name, feed.symbols) == ("b.example", ("SYMBOL",))
    assert feed.tables[0].out == Path("all_x.csv")


def test_the_only_feed_of_a_file_need_not_be_named(tmp_path: Path) -> None:
    feed = described(tmp_path, 'columns = "s, p:float"', columns="s", symbols=())
    assert feed.tables[0].schema.header == "s"


def test_a_known_feed_is_named_where_no_file_describes_one(tmp_path: Path) -> None:
    feed = described(tmp_path, 'flush-interval = "1s"', feed="alpaca-trades")
    assert (feed.name, feed.tables[0].schema.names[0]) == ("alpaca-trades", "time")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "--feed: messages are of one feed; {} has 2, name one of them: a, b.example"),
        ({"feed": "c"}, "--feed: {} has no feed 'c'; it has a, b.example"),
        ({"feed": ["a", "b.example"]}, "--feed: messages are of one feed; name one of them"),
    ],
)
def test_which_feed_of_a_file_is_meant_must_be_clear(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        described(tmp_path, TWO, **given)
    assert str(refused.value) == said.format(tmp_path / "f.toml")


def test_of_many_feeds_some_are_named(tmp_path: Path) -> None:
    text = "".join(f'[[feed]]\nname = "f{n}"\nurl = "wss://h/{n}"\n' for n in range(30))
    with pytest.raises(UsageError, match=r"has 30, name one of them: f0, .*, f9, …$"):
        described(tmp_path, text)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"feed": ["alpaca-trades", "okx-trades"]}, "2 feeds are named"),
        ({"url": ["ws://a", "ws://b"]}, "2 feeds are named"),
        ({"rows": "d"}, "--rows: goes with --columns"),
        ({"feed": "nosuch"}, "--feed: 'nosuch' is no known feed"),
    ],
)
def test_what_describes_no_feed_or_several_is_refused(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        described(tmp_path, **given)


def test_a_mistake_in_the_file_is_told_by_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        described(tmp_path, 'flush-interval = "soon"\ncolumns = "a"')
    assert refused.value.line == 1
