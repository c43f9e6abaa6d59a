"""What is printed: the file is read again, by the reader of ``--config``."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastingest import Options
from fastingest.model.feed import Answer, Feed, Heartbeat, Remember, Subscription, Table
from fastingest.model.jsonpath import JsonPath, parse_path
from fastingest.model.message_conditions import parse_message_condition
from fastingest.model.schema import Column, parse_columns
from fastingest.probe.dry_run import DryRun
from fastingest.probe.listen import Sample
from fastingest.probe.outputs import with_received
from fastingest.probe.proposal import proposal_of
from fastingest.probe.text import column_text, config_text, nothing_text, report_text

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
    path.write_text(text, "utf-8")
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
        'out = "feed_example_trade.csv"',
        'rows = "data"',
        'where = ["$.data.e=trade"]',
        "columns = [",
        '    "symbol:str=s",',
        '    "price:decimal=p",',
        '    "stream:str=$.stream",',
        '    "@received",',
        "]",
    ]
    assert config_of(what).isascii()
    feed = read_again(config_of(what), tmp_path)
    (table,) = proposal_of(what.messages, NOW).tables
    assert [each.schema for each in feed.tables] == [with_received(table.schema)]
    assert feed.ignore == ("pong",)


BOOK = {"type": "book", "s": "X", "b": [["1.5", "2"]], "a": [["1.6", "2"]]}


def test_several_places_of_rows_are_written_with_their_names(tmp_path: Path) -> None:
    what = sample(*[BOOK] * 3)
    assert 'rows = {bid = "b", ask = "a"}' in config_of(what).splitlines()
    (table,) = proposal_of(what.messages, NOW).tables
    feed = read_again(config_of(what), tmp_path)
    assert [each.schema for each in feed.tables] == [with_received(table.schema)]


def test_names_of_places_that_are_not_their_own_are_written_in_an_array(tmp_path: Path) -> None:
    both = [0, {"a": BOOK["a"]}, {"b": BOOK["b"]}, "book-10", "X/Y"]
    what = sample(*[[0, {"as": BOOK["a"], "bs": BOOK["b"]}, "book-10", "X/Y"], both] * 3)
    assert '    "ask=[1].as?",' in config_of(what).splitlines()
    (table,) = proposal_of(what.messages, NOW).tables
    feed = read_again(config_of(what), tmp_path)
    assert [each.schema for each in feed.tables] == [with_received(table.schema)]


def test_several_tables_have_a_file_each(tmp_path: Path) -> None:
    what = sample(TRADE, QUOTE)
    feed = read_again(config_of(what), tmp_path)
    assert [(table.out, table.schema) for table in feed.tables] == [
        (Path(f"feed_example_{table.name}.csv"), with_received(table.schema))
        for table in proposal_of(what.messages, NOW).tables
    ]


def test_the_feed_is_written_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "a-secret-value")
    feed = Feed(
        name="venue",
        url="wss://feed.example/x?key=${KEY}",
        tables=(Table(Path("venue.csv")),),
        headers=("X-Key: ${KEY}",),
        subscriptions=(
            Subscription('{"op":"it\'s"}'),
            Subscription('{"op":"ä"}', (parse_message_condition("$.event=ok,done"),), 2.5),
            Subscription("x", refused=((parse_message_condition("$.no"),),)),
        ),
        subscribe_every=0.25,
        ignore=("pong", "hello"),
        refused=(
            (parse_message_condition("$.event=error"), parse_message_condition("$.code!=1")),
            (parse_message_condition("$.error"),),
        ),
        retry_refused=5.0,
        reconnect=((parse_message_condition("$.type=info"),),),
        answers=(Answer(((parse_message_condition("$.ping"),),), '{"pong":{$.ping}}'),),
        remember=Remember(
            ((parse_message_condition("$.event=subscribed"),),), parse_path("$.chanId")
        ),
        heartbeats=(Heartbeat("ping", 20.0), Heartbeat('{"op":"ping"}', 0.25)),
        proxy="http://proxy.example:3128",
        connect_timeout=2.5,
        stale_after=30.0,
        stale_by="symbol",
        when_stale="reconnect",
        compression="deflate",
        inflate="gzip",
        strip=("42/t,", "42"),
        split="lines",
    )
    text = config_of(sample({"AAPL": 1.5}, feed=feed))
    assert "a-secret-value" not in text
    assert read_again(text, tmp_path) == feed


def test_what_the_server_says_beside_the_rows_is_written(tmp_path: Path) -> None:
    sent = (
        Subscription('{"op":"subscribe","args":["trade.AB-CD","trade.EF-GH"]}'),
        Subscription('{"op":"subscribe","args":["trade.AB-CD","trade.EF-GH"],"id":7}'),
    )
    feed = Feed("x", "ws://x/", (), subscriptions=sent)
    trade = {"symbol": "AB-CD", "price": "1.5"}
    what = sample(
        {"event": "subscribed", "topic": "trade"},
        {"id": 7, "success": True},
        {"ping": 1},
        trade,
        trade,
        feed=feed,
    )
    proposal = proposal_of(what.messages, NOW, sent)
    text = config_text(what, proposal)
    assert text.splitlines()[8:22] == [
        'url = "ws://x/"',
        "subscribe = [",
        """    {send = '{"op":"subscribe","args":[{symbols}]}', reply = ["$.event=subscribed"]},""",
        """    {send = '{"op":"subscribe","args":[{symbols}],"id":7}', """
        """reply = ["$.id=7", "$.success=true"]},""",
        "]",
        "# --symbols says what to ask for in their place.",
        'symbols.default = ["AB-CD", "EF-GH"]',
        """symbols.each = '"trade.{symbol}"'""",
        "# No refusal has come: this is a guess at what one is like.",
        'refused = [["$.event=error"], ["$.success=false"]]',
        """answer = [{when = [["$.ping"]], send = '{"pong":{$.ping}}'}]""",
        "",
        "# 2 messages, such as",
        """#   {"symbol": "AB-CD", "price": "1.5"}""",
    ]
    again = read_again(text, tmp_path)
    assert [each.text for each in again.subscriptions] == [each.text for each in sent]
    assert [each.reply for each in again.subscriptions] == list(proposal.side.replies)
    assert again.refused == proposal.side.guessed
    assert again.answers == proposal.side.answers
    assert again.tables[0].out == Path("x.csv")


def test_the_symbols_of_a_feed_that_has_some_stay_symbols(tmp_path: Path) -> None:
    config = tmp_path / "given.toml"
    config.write_text(
        'url = "ws://x/"\nsubscribe = \'{"args":[{symbols}]}\'\n'
        """symbols = {default = ["A1", "B2"], each = '"trade.{symbol}"'}\n""",
        "utf-8",
    )
    (feed,) = Options(config=config).feeds
    text = config_of(sample(TRADE, feed=feed))
    assert 'symbols.default = ["A1", "B2"]' in text.splitlines()
    assert read_again(text, tmp_path).subscriptions == feed.subscriptions


def test_refusals_that_came_stand_before_those_that_are_guessed() -> None:
    sent = (Subscription('{"event":"subscribe","pair":["X"]}'),)
    what = sample(
        {"event": "subscriptionStatus", "status": "subscribed", "pair": "X"},
        {"event": "subscriptionStatus", "status": "error", "pair": "Y"},
        TRADE,
        feed=Feed("x", "ws://x/", (), subscriptions=sent),
    )
    lines = config_text(what, proposal_of(what.messages, NOW, sent)).splitlines()
    assert lines[lines.index("# The first came; what follows is a guess.") + 1] == (
        'refused = [["$.event=subscriptionStatus", "$.status=error"], ["$.event=error"]]'
    )


NAMES = st.sampled_from(
    ["id", "event", "type", "status", "success", "error", "symbol", "ping", "p"]
)
SAID = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["subscribe", "subscribed", "error", "ok", "AB-CD", "trade.AB-CD", "ping"]),
)
MESSAGES = st.lists(
    st.one_of(
        st.dictionaries(NAMES, SAID | st.dictionaries(NAMES, SAID, max_size=3), max_size=5),
        st.lists(st.dictionaries(NAMES, SAID, min_size=1, max_size=4), max_size=3),
        st.text(max_size=6),
    ),
    min_size=1,
    max_size=6,
)
SENT = st.builds(
    lambda names, ident: json.dumps({"op": "subscribe", "args": names, "id": ident}),
    st.lists(st.sampled_from(["AB-CD", "trade.AB-CD", "x", "ä"]), max_size=3),
    st.integers(0, 2) | st.text(st.characters(exclude_characters="$"), max_size=3),
)


@given(messages=MESSAGES, sent=st.lists(SENT, max_size=3))
@settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_file_is_read_again_and_sends_what_was_sent(
    tmp_path: Path, messages: list[Any], sent: list[str]
) -> None:
    subscriptions = tuple(map(Subscription, sent))
    feed = Feed("x", "ws://x/", (), subscriptions=subscriptions)
    what = sample(*messages, feed=feed)
    proposal = proposal_of(what.messages, NOW, subscriptions)
    if not (proposal.tables or proposal.is_default):
        return
    again = read_again(config_text(what, proposal), tmp_path)
    assert [each.text for each in again.subscriptions] == sent
    for each, reply in zip(again.subscriptions, proposal.side.replies, strict=True):
        assert each.reply == reply


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
        (Column("level", "int", JsonPath(own="@index")), "level:int=@index"),
        (Column("side", "str", JsonPath(own='"bid"')), 'side="bid"'),
        (Column("received", "@received"), "@received"),
        (Column("at", "@received:timestamp[ns]"), "at:timestamp[ns]=@received"),
        (Column("type", "str", JsonPath(("@type", "a b"))), 'type:str=["@type"]["a b"]'),
        (Column("side", "str", JsonPath(own="@rows")), "side:str=@rows"),
        (Column("price", "decimal", JsonPath(own="@value"), False), "price:decimal?=@value"),
    ],
)
def test_a_column_is_written_as_it_is_read(column: Column, text: str) -> None:
    assert column_text(column) == text
    assert parse_columns(["other", text])[1:] == (column,)


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


@pytest.mark.parametrize(
    ("message", "then"),
    [
        ("hello", "ask for some with --subscribe, or listen longer"),
        ('{"p":1}\n{"p":2}', "try --split lines"),
    ],
)
def test_what_may_help_is_said_where_there_is_nothing_to_propose(message: str, then: str) -> None:
    what = sample(message)
    said = nothing_text(what, proposal_of(what.messages, NOW))
    assert said == f"nothing came that looks like data; {then}"
