"""What is printed: the file is read again, by the reader of ``--config``."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest import Options
from fastingest.model.feed import Feed, Heartbeat, Subscription, Table
from fastingest.model.jsonpath import JsonPath
from fastingest.model.message_conditions import parse_message_condition
from fastingest.model.schema import Column, parse_columns
from fastingest.probe.dry_run import DryRun
from fastingest.probe.listen import Sample
from fastingest.probe.proposal import proposal_of
from fastingest.probe.text import column_text, config_text, report_text

NOW = 1_700_000_000.0
TRADE = {"stream": "x@trade", "data": {"e": "trade", "s": "ÄPFEL 'n' \"B\"", "p": "1.5"}}
QUOTE = {"stream": "x@quote", "data": {"e": "quote", "s": "X", "bid": 1.5, "ask": 2.5}}


def sample(*messages: Any, feed: Feed | None = None, ended: str = "") -> Sample:
    raw = [
        each.encode() if isinstance(each, str) else json.dumps(each).encode() for each in messages
    ]
    plain = Feed("feed.example", "wss://feed.example/", (Table(Path("x.csv")),))
    return Sample(feed or plain, raw, 4.96, ended)


def config_of(what: Sample) -> str:
    return config_text(what, proposal_of(what.messages, NOW))


def read_again(text: str, tmp_path: Path) -> Feed:
    path = tmp_path / "probed.toml"
    path.write_text(text, "ascii")
    (feed,) = Options(config=path).feeds
    return feed


def test_one_table_stands_in_the_feed_itself(tmp_path: Path) -> None:
    what = sample(TRADE, TRADE, "pong")
    assert config_of(what).splitlines()[6:] == [
        "[[feed]]",
        'name = "feed.example"',
        'url = "wss://feed.example/"',
        'ignore = ["pong"]',
        "",
        "# 2 messages, such as",
        "#   " + json.dumps(TRADE),
        'rows = "data"',
        'where = ["$.data.e=trade"]',
        "columns = [",
        '    "symbol:str=s",',
        '    "price:decimal=p",',
        '    "stream:str=$.stream",',
        "]",
    ]
    feed = read_again(config_of(what), tmp_path)
    (table,) = proposal_of(what.messages, NOW).tables
    assert [each.schema for each in feed.tables] == [table.schema]
    assert feed.ignore == ("pong",)


BOOK = {"type": "book", "s": "X", "b": [["1.5", "2"]], "a": [["1.6", "2"]]}


def test_several_places_of_rows_are_written_with_their_names(tmp_path: Path) -> None:
    what = sample(*[BOOK] * 3)
    assert 'rows = {bid = "b", ask = "a"}' in config_of(what).splitlines()
    (table,) = proposal_of(what.messages, NOW).tables
    assert [each.schema for each in read_again(config_of(what), tmp_path).tables] == [table.schema]


def test_names_of_places_that_are_not_their_own_are_written_in_an_array(tmp_path: Path) -> None:
    both = [0, {"a": BOOK["a"]}, {"b": BOOK["b"]}, "book-10", "X/Y"]
    what = sample(*[[0, {"as": BOOK["a"], "bs": BOOK["b"]}, "book-10", "X/Y"], both] * 3)
    assert '    "ask=[1].as?",' in config_of(what).splitlines()
    (table,) = proposal_of(what.messages, NOW).tables
    assert [each.schema for each in read_again(config_of(what), tmp_path).tables] == [table.schema]


def test_several_tables_have_a_file_each(tmp_path: Path) -> None:
    what = sample(TRADE, QUOTE)
    feed = read_again(config_of(what), tmp_path)
    assert [(table.out, table.schema) for table in feed.tables] == [
        (Path(f"feed_example_{table.name}.csv"), table.schema)
        for table in proposal_of(what.messages, NOW).tables
    ]


def test_the_feed_is_written_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "a-secret-value")
    feed = Feed(
        name="venue",
        url="wss://feed.example/x?key=${KEY}",
        tables=(Table(Path("stock_data.csv")),),
        headers=("X-Key: ${KEY}",),
        subscriptions=(
            Subscription('{"op":"it\'s"}'),
            Subscription('{"op":"ä"}', (parse_message_condition("$.event=ok,done"),), 2.5),
        ),
        heartbeats=(Heartbeat("ping", 20.0), Heartbeat('{"op":"ping"}', 0.25)),
        proxy="http://proxy.example:3128",
        connect_timeout=2.5,
        stale_after=30.0,
        stale_by="symbol",
        when_stale="reconnect",
        compression="deflate",
    )
    text = config_of(sample({"AAPL": 1.5}, feed=feed))
    assert "a-secret-value" not in text
    assert read_again(text, tmp_path) == feed


def test_a_header_that_is_no_variable_is_remarked() -> None:
    remark = '# "Name: ${VARIABLE}" keeps a secret out of this file.'
    feed = Feed("x", "ws://x/", (), headers=("X-Key: abc",))
    assert remark in config_of(sample(TRADE, feed=feed))
    feed = Feed("x", "ws://x/", (), headers=("X-Key: ${KEY}",))
    assert remark not in config_of(sample(TRADE, feed=feed))


@given(st.text())
def test_any_text_is_a_string_of_the_file(text: str) -> None:
    written = config_of(sample(TRADE, feed=Feed(text, "ws://x/", (), (text,))))
    assert written.isascii() or not text.isascii()
    (feed,) = tomllib.loads(written)["feed"]
    assert (feed["name"], feed["headers"]) == (text, [text])


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (Column("price", "float", JsonPath(("price",))), "price:float"),
        (Column("price", "float", JsonPath(("p",)), False), "price:float?=p"),
        (Column("price", "float", JsonPath(("price",), True)), "price:float=$.price"),
        (Column("type", "str", JsonPath(("@type", "a b"))), 'type:str=["@type"]["a b"]'),
        (Column("side", "str", JsonPath(own="@rows")), "side:str=@rows"),
        (Column("price", "decimal", JsonPath(own="@value"), False), "price:decimal?=@value"),
    ],
)
def test_a_column_is_written_as_it_is_read(column: Column, text: str) -> None:
    assert column_text(column) == text
    assert parse_columns([text]) == (column,)


def test_the_report_counts_shapes_and_shows_an_example_of_each_on_one_line() -> None:
    what = sample(TRADE, "po\nng", TRADE, ended="interrupted")
    proposal = proposal_of(what.messages, NOW)
    report = report_text(what, proposal, DryRun(2, 1, 1, "x: y"), 60)
    assert report.splitlines() == [
        "wss://feed.example/: 3 messages in 5s; interrupted",
        '        2  data             {"stream": "x@trade", "data": {…',
        "        1  a text, ignored  po\\nng",
        "proposed: 1 table",
        "tried on these messages: 2 rows, 1 ignored, 1 rejected",
        "  rejected, first of all: x: y",
    ]


def test_the_report_hides_what_is_secret_in_the_url() -> None:
    feed = Feed("x", "wss://me:password@x/${KEY}", ())
    what = sample("pong", feed=feed)
    report = report_text(what, proposal_of(what.messages, NOW), None, 80)
    assert report.splitlines() == [
        "wss://***@x/***: 1 message in 5s",
        "        1  a text, ignored  pong",
    ]
