from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fastingest.model.feed import Answer, Feed, Subscription, Table
from fastingest.model.message_conditions import parse_message_condition
from fastingest.trial.text import trial_text
from fastingest.trial.trial import try_messages
from tests.support.any_feed import schema_of

FEED = Feed(
    "venue",
    "",
    (
        Table(Path("trades.csv"), schema_of("s, p:float", "d", "$.e=trade", "k!=2")),
        Table(Path("quotes.csv"), schema_of("b:int?", "", "$.e=quote")),
    ),
    refused=((parse_message_condition("$.ok=false"),),),
    answers=(Answer(((parse_message_condition("$.ping"),),), '{"pong":{$.ping}}'),),
)


def said(*messages: str, feed: Feed = FEED, show: int = 10, width: int = 60) -> list[str]:
    trial = try_messages(feed, enumerate(map(str.encode, messages), 1), show=show)
    return trial_text(trial, feed, "m.jsonl", show=show, width=width).splitlines()


def trade(price: object, symbol: str = "A") -> str:
    return f'{{"e":"trade","d":[{{"s":"{symbol}","p":{price}}},{{"k":2}}]}}'


def test_the_rows_come_first_and_then_what_became_of_the_messages() -> None:
    assert said(
        '{"ok":false,"message":"there is no symbol of this name, nor another"}',
        trade(1.5),
        trade("true"),
        '{"ping":5}',
        '{"id":1}',
        trade(2),
        '{"id":22}',
    ) == [
        "trades.csv: 2 rows",
        "s,p",
        "A,1.5",
        "A,2.0",
        "",
        "quotes.csv: 0 rows",
        "b",
        "",
        "m.jsonl: 7 messages of venue, read in Python",
        "  rows              2",
        "  rejected          1",
        "  ignored           7, among them 1 refused, 1 answered, 3 left out of messages that have "
        "other rows",
        "rejected:",
        "  line 3: p: Expected a number, got true",
        '    {"s":"A","p":true}',
        "refused by the feed:",
        '  line 1: {"ok":false,"message":"there is no symbol of this…',
        "answered:",
        '  line 4: {"ping":5}',
        '    with {"pong":5}',
        "ignored:",
        '  lines 5, 7: {"id":1}',
    ]


def test_of_many_the_first_are_shown() -> None:
    beats = [f'{{"beat":{number}}}' for number in range(1000)]
    lines = said(*map(trade, [1, 2, 3]), *beats, '{"x":1}', '{"y":1}', *["?"] * 3, show=2)
    assert lines[:4] == ["trades.csv: 3 rows, the first 2", "s,p", "A,1.0", "A,2.0"]
    assert lines[lines.index("rejected, the first 2:") :] == [
        "rejected, the first 2:",
        "  line 1006: not JSON: invalid character (byte 0)",
        "    ?",
        "  line 1007: not JSON: invalid character (byte 0)",
        "    ?",
        "ignored, the first 2:",
        '  lines 4, 5, 6 and 997 more: {"beat":0}',
        '  line 1004: {"x":1}',
    ]


def test_nothing_but_counts_is_shown_where_that_is_asked_for() -> None:
    assert said(trade(1), "?", '{"e":"quote","b":"NaN"}', show=0) == [
        "trades.csv: 1 row",
        "quotes.csv: 1 row",
        "m.jsonl: 3 messages of venue, read in Python",
        "  rows              2",
        "  rejected          1",
        "  ignored           1, among them 1 left out of messages that have other rows",
        "  blanked           1",
    ]


def test_what_cannot_be_printed_is_escaped_and_a_line_break_in_a_cell_stays() -> None:
    lines = said(trade(1, r"\u001b[31m\n\u2028"), "\x1b[0m")
    assert lines[2:4] == [r'"\x1b[31m', r'\u2028",1.0']
    assert r"    \x1b[0m" in lines


def test_that_messages_are_taken_as_inflated_is_said() -> None:
    feed = replace(FEED, inflate="gzip")
    assert said(trade(1), feed=feed)[-1] == (
        'note: inflate = "gzip" is not tried; messages are taken as they are when they are inflated'
    )


def test_one_reply_is_one() -> None:
    feed = replace(
        FEED,
        subscriptions=(Subscription("ask", (parse_message_condition("$.ok=true"),)),),
    )
    assert "  ignored           1, among them 1 reply" in said('{"ok":true}', feed=feed)
