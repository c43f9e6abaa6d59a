from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from fastingest.config import resolve as config
from fastingest.config.symbols import Symbols
from fastingest.model.schema import TRADES, parse_columns
from tests.support.config_text import URL, described, feed_in, problems_in

# What a file may say


def test_a_feed_alone_has_its_keys_at_the_top_or_in_a_table() -> None:
    keys = URL + 'name = "n"\ncolumns = "a=b"\n'
    for feed in (feed_in(keys), feed_in("[[feed]]\n" + keys)):
        assert (feed.url, feed.name) == ("wss://host/", "n")
        assert feed.tables[0].schema.columns == parse_columns("a=b")


def test_a_feed_of_which_nothing_else_is_said_tells_messages_by_themselves() -> None:
    feed = feed_in(URL)
    assert [table.schema for table in feed.tables] == [TRADES]
    assert (feed.headers, feed.messages, feed.heartbeats, feed.ignore) == ((), (), (), ())
    assert (feed.name, feed.out, feed.compression, feed.proxy) == (None, None, None, None)
    assert feed.symbols == Symbols()


def test_options_are_read_with_their_units() -> None:
    config_file = described(
        'out = "o.csv"\nflush-interval = "100ms"\nmax_rows = 5\nidle-timeout = "off"\n'
        'fsync = "batch"\nquiet = true\nmin-free = "1MiB"\nwhen-full = "drop"\n'
        f'spill-dir = "/tmp"\nreceivers = 2\n{URL}'
    )
    assert config_file.settings == {
        "out": Path("o.csv"),
        "flush_interval": 0.1,
        "max_rows": 5,
        "idle_timeout": None,
        "fsync": 0.0,
        "quiet": True,
        "min_free": 2**20,
        "when_full": "drop",
        "spill_dir": Path("/tmp"),
        "receivers": 2,
    }


def test_a_file_of_nothing_but_options_describes_no_feed() -> None:
    assert described('out = "o.csv"\nmax-rows = 1\n').feeds == ()


@pytest.mark.parametrize(
    "text", ['headers = ["X-Key: ${K}", "B: 2"]', 'header = {"X-Key" = "${K}", B = "2"}']
)
def test_headers_are_texts_or_a_table(text: str) -> None:
    assert feed_in(URL + text).headers == ("X-Key: ${K}", "B: 2")


def test_what_stands_above_all_feeds_is_for_those_that_say_nothing() -> None:
    one, two = described(
        'proxy = "http://p:1"\ncompression = "deflate"\nca-file = "ca.pem"\n'
        f'connect-timeout = "1m"\n[[feed]]\n{URL}[[feed]]\n{URL}proxy = "off"\n'
        'compression = "off"\nconnect-timeout = "2.5s"\n'
    ).feeds
    assert (one.proxy, one.compression, one.ca_file) == ("http://p:1", "deflate", Path("ca.pem"))
    assert (two.proxy, two.compression, two.ca_file) == ("off", "off", Path("ca.pem"))
    assert (one.connect_timeout, two.connect_timeout) == (60.0, 2.5)


def test_when_a_feed_is_stale_may_stand_above_all_feeds() -> None:
    one, two = described(
        f'stale-after = "1m"\nwhen-stale = "reconnect"\n[[feed]]\n{URL}stale-by = "symbol"\n'
        f'[[feed]]\n{URL}stale-after = "off"\nwhen-stale = "warn"\n'
    ).feeds
    assert (one.stale_after, one.stale_by, one.when_stale) == (60.0, "symbol", "reconnect")
    assert (two.stale_after, two.stale_by, two.when_stale) == (0.0, "", "warn")


def test_documents_in_messages() -> None:
    feed = feed_in(URL + "strip = '42'\nsplit = 'lines'\n")
    assert (feed.strip, feed.split) == (("42",), "lines")
    assert feed_in(URL + "strip = ['42/t,', '42']\n").strip == ("42/t,", "42")
    assert (feed_in(URL).strip, feed_in(URL).split) == ((), "")


# What is wrong with it


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colums = 'a=b'\n", "2: there is no key 'colums' here; did you mean 'columns'?"),
        ("zzz = 1\n", "2: there is no key 'zzz' here"),
        ("config = 'x'\n", "2: there is no key 'config' here"),
        ("flush-interva = '1s'\n", "2: there is no key 'flush-interva' here; did you mean"),
        ("max-rows = 1\nmax_rows = 2\n", "3: 'max_rows' and 'max-rows' are the same"),
        ("name = 5\n", "2: 'name' must be a text, and is a whole number"),
        ("name = ''\n", "2: 'name' is empty"),
        ("name = 'a\tb'\n", r"2: 'a\tb' is no name"),
        ("quiet = 'yes'\n", "2: 'quiet' must be true or false, and is a text"),
        ("max-rows = '5'\n", "2: 'max-rows' must be a whole number, and is a text"),
        ("max-rows = 5.0\n", "2: 'max-rows' must be a whole number, and is a number"),
        ("out = 1979-05-27\n", "2: 'out' must be a text, and is a date or a time"),
        ("duration = 10\n", "2: '10' has no unit; write for example 250ms, 10s or 5m"),
        ("duration = 'off'\n", "2: 'off' is no duration"),
        ("fsync = 'always'\n", "2: 'always' is neither never, nor batch, nor a duration"),
        ("compression = 'gzip'\n", "2: 'gzip' is not one of off, deflate"),
        ("inflate = 'deflate'\n", "2: 'deflate' is not one of gzip, zlib, raw"),
        ("strip = 42\n", "2: 'strip' must be an array or a text, and is a whole number"),
        ("strip = ['42', '']\n", '2: every message begins with nothing; write for example "42"'),
        ("split = 'ndjson'\n", "2: 'ndjson' is not one of lines, records"),
        ("stale-after = '5'\n", "2: '5' has no unit"),
        ("stale-after = '1ms'\n", "2: 1ms is out of range; it must be at least 10ms"),
        ("when-stale = 'stop'\n", "2: 'stop' is not one of warn, reconnect"),
        ("connect-timeout = '5'\n", "2: '5' has no unit"),
        ("connect-timeout = '1ms'\n", "2: 1ms is out of range; it must be at least 10ms"),
        ("connect-timeout = 'off'\n", "2: 'off' is no duration"),
        ("headers = ['A: 1',\n'b']\n", "3: 'b' is not of the form 'Name: value'"),
        ("headers = {A = 1}\n", "2: 'A' must be a text"),
        ("headers = {'A B' = '1'}\n", "2: 'A B: 1' is not of the form 'Name: value'"),
        ("header = 'A: 1'\nheaders = 'A: 1'\n", "2: 'header' and 'headers' are the same"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, said: str) -> None:
    (problem,) = problems_in(URL + text)
    assert problem.startswith(f"f.toml:{said}")
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 'a'\n", "1: there is no 'url'; write for example url = \"wss://host/path\""),
        ("[[feed]]\n[[feed]]\nurl='ws://a'\n", "1: there is no 'url'"),
        ("feed = []\n", "1: there is no feed; write [[feed]] above its keys"),
        ("feed = 'x'\n", "1: 'feed' must be an array or a table, and is a text"),
        ("url = 'http://x'\n", "1: 'http://x' must begin with ws://, wss:// or demo://"),
        ("url = 'wss://a b'\n", "1: 'wss://a b' holds a space"),
        ("url = 'wss://h/{symbol}'\n", "1: a URL is not repeated; write {symbols}"),
        ("url = 'wss://h/#${KEY}'\n", "1: 'wss://h/#***' has a fragment"),
        (
            "[[feed]]\nurl='ws://a'\nname='n'\n[[feed]]\nurl='ws://a'\nname='n'\n",
            "6: two feeds are",
        ),
        ("where = 'a=b'\n[[feed]]\nurl='ws://a'\n", "1: 'where' belongs into [[feed]]; move it"),
        ("[[feed]]\nurl='ws://a'\nmax-rows = 1\n", "3: there is no key 'max-rows' here"),
    ],
)
def test_a_mistake_about_feeds_is_told_with_its_line(text: str, said: str) -> None:
    (problem,) = problems_in(text)
    assert problem.startswith(f"f.toml:{said}")


def test_all_mistakes_are_told_in_the_order_of_the_lines() -> None:
    text = "max-rows = 'x'\n[[feed]]\nheaders = ['x']\nname = 1\n[[feed]]\nurl = 'x://y'\nzzz = 1\n"
    assert [problem.partition(": ")[0] for problem in problems_in(text)] == [
        f"f.toml:{line}" for line in (1, 2, 3, 4, 6, 7)
    ]


def test_the_reference_of_the_format_is_a_file_without_mistakes() -> None:
    doc: Any = config.__doc__
    reference = textwrap.dedent(doc.partition("::\n\n")[2].partition("\n\nA file with one")[0])
    head, own, table = re.split(r"(?m)^(?=columns = \"symbol|\[\[feed.table)", reference)
    out, name = (
        table.replace('\nname = "', '\n# name = "'),
        table.replace('\nout = "', '\n# out = "'),
    )
    (one,) = described(head + own).feeds
    (several,) = described(f"{head}{out}\n{name}").feeds
    assert one.name == several.name == "venue"
    assert len(one.messages) == 3
    assert [(table.out, table.name) for table in one.tables] == [(None, None)]
    assert [(each.out, each.name) for each in several.tables] == [
        (Path("quotes.csv"), None),
        (None, "quotes"),
    ]
