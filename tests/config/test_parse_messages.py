from __future__ import annotations

from pathlib import Path

import pytest

from fastingest.config.spec import FeedSpec
from fastingest.config.symbols import Symbols
from fastingest.model.feed import Heartbeat, Subscription
from fastingest.model.message_conditions import parse_message_condition
from tests.support.config_text import URL, feed_in, problems_in


def sent(feed: FeedSpec, *symbols: str) -> list[Subscription]:
    chosen = feed.symbols.chosen(symbols)
    return [each for m in feed.messages for each in m.subscriptions(feed.symbols, chosen)]


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
    reply = (parse_message_condition("$.event=ok"), parse_message_condition("$.id=1"))
    assert sent(feed) == [Subscription('{"op":"sub"}', reply, 2.0)]


def test_a_subscription_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{}")
    assert sent(feed_in(f"{URL}subscribe = '@{tmp_path / 's.json'}'")) == [Subscription("{}")]


@pytest.mark.parametrize(
    ("per_message", "texts"),
    [
        ("", ["<a;b;c>"]),
        ("per-message = 3", ["<a;b;c>"]),
        ("per-message = 2", ["<a;b>", "<c>"]),
        ("per-message = 1", ["<a>", "<b>", "<c>"]),
    ],
)
def test_symbols_are_shared_out_over_several_messages(per_message: str, texts: list[str]) -> None:
    more = f", {per_message}" if per_message else ""
    feed = feed_in(
        URL
        + f"""subscribe = [{{send = "<{{symbols}}>", reply = ["id=1", "s={{symbols}}"]{more}}}]
        symbols = {{default = ["a", "b", "c"], join = ";"}}"""
    )
    assert [each.text for each in sent(feed)] == texts
    replies = [each.reply[1].values[0] for each in sent(feed) if each.reply]
    assert [f"<{reply}>" for reply in replies] == texts


def test_the_time_between_two_subscriptions() -> None:
    assert feed_in(URL + "subscribe-every = '250ms'\n").subscribe_every == 0.25
    assert feed_in(URL).subscribe_every == 0


def test_a_text_with_one_symbol_is_repeated_and_its_reply_with_it() -> None:
    feed = feed_in(
        URL
        + """subscribe = ["{symbols}", {send = '{"c":"{symbol}"}', reply = "$.c={symbol}"}]
        symbols = {default = ["A", "B"], each = "<{symbol}>", join = ";", case = "lower"}"""
    )
    assert sent(feed) == [
        Subscription("<a>;<b>", symbols=("a", "b"), listed=("<a>", "<b>"), join=";"),
        Subscription('{"c":"a"}', (parse_message_condition("$.c=a"),), symbols=("a",)),
        Subscription('{"c":"b"}', (parse_message_condition("$.c=b"),), symbols=("b",)),
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("subscribe = 5\n", "2: 'subscribe' must be an array or a text or a table"),
        ("subscribe = ['a',\n5]\n", "3: each of 'subscribe' must be a text or a table or an array"),
        ("subscribe = {send = 5}\n", "2: 'send' must be a text or a table or an array"),
        ("subscribe = {send = 'a', reply = []}\n", "2: 'reply' is empty, and would be any"),
        ("subscribe = {at = 07:32:00}\n", "2: JSON has no dates"),
        ("subscribe = {send = 'a', replay = 'b=1'}\n", "2: there is no key 'replay' here; did you"),
        ("subscribe = {send = 'a', reply = ['b']}\n", "2: 'b' is no condition"),
        ("subscribe = {send = 'a', timeout = '0s'}\n", "2: '0s' is out of range"),
        ("subscribe = {send = '{symbols}', per-message = 0}\n", "2: 0 is out of range"),
        ("subscribe = {send = '{symbols}', per-message = '5'}\n", "2: 'per-message' must be a w"),
        ("subscribe = {send = '{symbol}', per-message = 5}\n", "2: it goes with {symbols}"),
        ("subscribe = {send = 'all', per-message = 5}\n", "2: it goes with {symbols}"),
        ("subscribe = '{symbol}'\nper-connection = 0\n", "3: 0 is out of range; it must be at l"),
        ("subscribe = '{symbol}'\nper-connection = '5'\n", "3: 'per-connection' must be a whole"),
        ("subscribe = '{symbol}'\nper-connection = 2.5\n", "3: 'per-connection' must be a whole"),
        ("subscribe = '{symbol}'\nper-connection = true\n", "3: 'per-connection' must be a whol"),
        ("subscribe = 'all'\nper-connection = 5\n", "3: nothing holds {symbols} or {symbol}"),
        ("subscribe = 'a'\nsubscribe-every = '0s'\n", "3: '0s' is out of range"),
        ("subscribe = 'a'\nsubscribe-every = 5\n", "3: 'subscribe-every' must be a text"),
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
    ],
)
def test_a_mistake_in_what_is_sent_is_told_with_its_line(text: str, said: str) -> None:
    (problem,) = problems_in(URL + text)
    assert problem.startswith(f"f.toml:{said}")
    assert "\n" not in problem
