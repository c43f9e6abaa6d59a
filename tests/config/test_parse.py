from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from fastingest.config import resolve as config
from fastingest.config.parse import read_config_file
from fastingest.config.spec import ConfigFile, FeedSpec
from fastingest.config.symbols import Symbols
from fastingest.config.toml_file import TomlFile
from fastingest.errors import ConfigError
from fastingest.model.feed import Heartbeat, Subscription
from fastingest.model.jsonpath import parse_condition
from fastingest.model.schema import TRADES, parse_columns

URL = 'url = "wss://host/"\n'


def described(text: str) -> ConfigFile:
    problems: list[ConfigError] = []
    config_file = read_config_file(TomlFile(Path("f.toml"), text), problems)
    assert problems == []
    return config_file


def feed_in(text: str) -> FeedSpec:
    (feed,) = described(text).feeds
    return feed


def problems_in(text: str) -> list[str]:
    problems: list[ConfigError] = []
    read_config_file(TomlFile(Path("f.toml"), text), problems)
    return [str(problem) for problem in problems]


def sent(feed: FeedSpec, *symbols: str) -> list[Subscription]:
    chosen = feed.symbols.chosen(symbols)
    return [each for m in feed.messages for each in m.subscriptions(feed.symbols, chosen)]


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


def test_columns_rows_and_conditions_are_a_schema() -> None:
    text = 'columns = ["a:int=b", "c=$.d"]\nrows = "data"\nwhere = ["$.t=x", "u=1,2"]\n'
    schema = feed_in(URL + text).tables[0].schema
    assert schema.columns == parse_columns("a:int=b, c=$.d")
    assert str(schema.rows) == "data"
    assert schema.where == (parse_condition("$.t=x"), parse_condition("u=1,2"))
    assert schema.described


@pytest.mark.parametrize(
    "text", ['headers = ["X-Key: ${K}", "B: 2"]', 'header = {"X-Key" = "${K}", B = "2"}']
)
def test_headers_are_texts_or_a_table(text: str) -> None:
    assert feed_in(URL + text).headers == ("X-Key: ${K}", "B: 2")


def test_what_is_no_text_is_sent_as_json() -> None:
    feed = feed_in(
        URL + 'subscribe = ["as {it} is", {op = "sub", args = ["é", 1, true]}, ["a", {b = 1.5}]]\n'
    )
    assert [each.text for each in sent(feed)] == [
        "as {it} is",
        '{"op":"sub","args":["é",1,true]}',
        '["a",{"b":1.5}]',
    ]


@pytest.mark.parametrize(
    "text", ['"one"', '["one"]', '{send = "one"}', '[{send = "one", timeout = "10s"}]']
)
def test_one_subscription_needs_no_array(text: str) -> None:
    assert sent(feed_in(f"{URL}subscribe = {text}\n")) == [Subscription("one")]


def test_a_subscription_may_wait_for_its_reply() -> None:
    feed = feed_in(
        URL + 'subscribe = {send = {op = "sub"}, reply = ["$.event=ok", "$.id=1"], timeout = "2s"}'
    )
    reply = (parse_condition("$.event=ok"), parse_condition("$.id=1"))
    assert sent(feed) == [Subscription('{"op":"sub"}', reply, 2.0)]


def test_a_subscription_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{}")
    assert sent(feed_in(f"{URL}subscribe = '@{tmp_path / 's.json'}'")) == [Subscription("{}")]


def test_a_text_with_one_symbol_is_repeated_and_its_reply_with_it() -> None:
    feed = feed_in(
        URL
        + """subscribe = ["{symbols}", {send = '{"c":"{symbol}"}', reply = "$.c={symbol}"}]
        symbols = {default = ["A", "B"], each = "<{symbol}>", join = ";", case = "lower"}"""
    )
    assert sent(feed) == [
        Subscription("<a>;<b>"),
        Subscription('{"c":"a"}', (parse_condition("$.c=a"),)),
        Subscription('{"c":"b"}', (parse_condition("$.c=b"),)),
    ]
    assert [each.text for each in sent(feed, "C")] == ["<c>", '{"c":"c"}']


@pytest.mark.parametrize("text", ['symbols = ["A"]', 'symbols = "A"', 'symbols.default = "A"'])
def test_symbols_may_be_their_default_alone(text: str) -> None:
    assert feed_in(f'{URL}subscribe = "{{symbol}}"\n{text}').symbols == Symbols(("A",))


@pytest.mark.parametrize(
    "text",
    ['heartbeat = {send = "p", every = "1m"}', '[[heartbeat]]\nsend = "p"\nevery = "60s"\n'],
)
def test_a_heartbeat_is_a_table_or_several(text: str) -> None:
    assert feed_in(URL + text).heartbeats == (Heartbeat("p", 60.0),)


def test_what_stands_above_all_feeds_is_for_those_that_say_nothing() -> None:
    one, two = described(
        'proxy = "http://p:1"\ncompression = "deflate"\nca-file = "ca.pem"\n'
        f'[[feed]]\n{URL}[[feed]]\n{URL}proxy = "http://q:1"\ncompression = "off"\n'
    ).feeds
    assert (one.proxy, one.compression, one.ca_file) == ("http://p:1", "deflate", Path("ca.pem"))
    assert (two.proxy, two.compression, two.ca_file) == ("http://q:1", "off", Path("ca.pem"))


def test_a_feed_may_have_several_tables() -> None:
    feed = feed_in(
        f'[[feed]]\n{URL}out = "f.csv"\n[[feed.table]]\nout = "a.csv"\ncolumns = "a=b"\n'
        '[[feed.table]]\nname = "q"\ncolumns = "c=d"\nrows = "x"\nwhere = "$.t=q"\n'
    )
    first, second = feed.tables
    assert (feed.out, first.out, first.name) == (Path("f.csv"), Path("a.csv"), None)
    assert (second.out, second.name, str(second.schema.rows)) == (None, "q", "x")


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
        ("columns = 'a:strr=b'\n", "2: column 'a': 'strr' is no type"),
        ("columns = ['a=b',\n\n'c=[x']\n", "4: column 'c': '[x' is no path"),
        ("columns = ['a=b',\n5]\n", "3: each of 'columns' must be a text, and one is a whole"),
        ("columns = ['a=b',\n'a=c']\n", "2: two columns are named 'a'"),
        ("columns = '@received'\n", "2: there is no column that comes from the feed"),
        ("columns = 'a=b'\nrows = 'a b'\n", "3: 'a b' is no path"),
        ("columns = 'a=b'\nwhere = ['$.a=1',\n\n'b']\n", "5: 'b' is no condition"),
        ("rows = 'a'\n", "2: goes with 'columns'"),
        ("headers = ['A: 1',\n'b']\n", "3: 'b' is not of the form 'Name: value'"),
        ("headers = {A = 1}\n", "2: 'A' must be a text"),
        ("headers = {'A B' = '1'}\n", "2: 'A B: 1' is not of the form 'Name: value'"),
        ("header = 'A: 1'\nheaders = 'A: 1'\n", "2: 'header' and 'headers' are the same"),
        ("subscribe = 5\n", "2: 'subscribe' must be an array or a text or a table"),
        ("subscribe = ['a',\n5]\n", "3: each of 'subscribe' must be a text or a table or an array"),
        ("subscribe = {send = 5}\n", "2: 'send' must be a text or a table or an array"),
        ("subscribe = {send = 'a', reply = []}\n", "2: 'reply' is empty, and would be any"),
        ("subscribe = {at = 07:32:00}\n", "2: JSON has no dates"),
        ("subscribe = {send = 'a', replay = 'b=1'}\n", "2: there is no key 'replay' here; did you"),
        ("subscribe = {send = 'a', reply = ['b']}\n", "2: 'b' is no condition"),
        ("subscribe = {send = 'a', timeout = '0s'}\n", "2: '0s' is out of range"),
        ("subscribe = '@/nowhere/at/all'\n", "2: /nowhere/at/all: No such file"),
        ("heartbeat = {send = 'a'}\n", "2: a heartbeat needs 'every'"),
        ("heartbeat = {every = '1s'}\n", "2: a heartbeat needs 'send'"),
        ("heartbeat = {send = 'a', every = '1'}\n", "2: '1' has no unit"),
        ("heartbeat = ['a']\n", "2: 'heartbeat' must be tables"),
        ("subscribe = '{symbol}'\nsymbols = ['A',\n'b c']\n", "4: 'b c' cannot be a symbol"),
        ("subscribe = '{symbol}'\nsymbols.each = 'x'\n", "3: it must hold {symbol}"),
        ("subscribe = '{symbol}'\nsymbols.case = 'Upper'\n", "3: 'Upper' is not one of lower"),
        ("subscribe = '{symbol}'\nsymbols.cse = 'upper'\n", "3: there is no key 'cse' here; did"),
        ("symbols = ['A']\n", "2: nothing holds {symbols} or {symbol}"),
        ("[[table]]\n", "2: a table needs 'columns'"),
        (
            "columns = 'a=b'\n[[table]]\ncolumns = 'a=b'\n",
            "2: 'columns' belongs into [[feed.table]]",
        ),
        (
            "[[table]]\ncolumns = 'a=b'\nname = 'a/b'\n",
            "4: 'a/b' cannot be a part of a file's name",
        ),
        (
            "[[table]]\ncolumns = 'a=b'\nname = 'a'\nout = 'b'\n",
            "4: 'out' says where the table goes",
        ),
        ("[[table]]\ncolumns = 'a=b'\nurl = 'x'\n", "4: there is no key 'url' here"),
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
