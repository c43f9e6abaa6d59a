from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastingest.decode.factory import decoder_of
from fastingest.model.feed import Answer, Feed, Line, Subscription, Table
from fastingest.model.message_conditions import Groups, parse_message_condition
from fastingest.trial.beside import Beside, Said
from tests.support.any_feed import schema_of

SCHEMA = schema_of("s, p:float", "", "$.e=trade")
ROW = b'{"e":"trade","s":"A","p":1}'


def groups(*texts: str) -> Groups:
    return tuple(tuple(map(parse_message_condition, text.split(";"))) for text in texts)


def asked(*replies: str, symbols: Sequence[str] = ()) -> tuple[Subscription, ...]:
    return tuple(Subscription("ask", groups(reply)[0], symbols=tuple(symbols)) for reply in replies)


def taken(feed: Feed, *messages: bytes) -> list[str]:
    beside, decoder = Beside(feed), decoder_of(feed, 100)
    said = [beside.take(message, decoder.fate_of) for message in messages]
    return ["" if each is None else each.kind for each in said]


def feed_of(**others: object) -> Feed:
    return Feed("f", "", (Table(Path(), SCHEMA),), **others)  # type: ignore[arg-type]


def test_a_feed_without_conditions_has_none() -> None:
    assert taken(feed_of(), ROW, b'{"id":1}', b"pong") == ["", "", ""]


def test_the_conditions_of_a_feed_are_asked_of_what_brings_no_row() -> None:
    feed = feed_of(
        refused=groups("$.ok=false"),
        reconnect=groups("$.e=bye"),
        answers=(Answer(groups("$.ping"), '{"pong":{$.ping}}'),),
    )
    row = b'{"e":"trade","s":"A","p":1,"ok":false}'
    messages = [b'{"ok":false}', row, b'{"e":"bye"}', b'{"ping":7}', b'{"ok":true}']
    assert taken(feed, *messages) == ["refused", "", "reconnect", "answer", ""]


def test_what_is_sent_back_has_the_message_s_values_and_no_secret() -> None:
    feed = feed_of(answers=(Answer(groups("$.ping"), '{"pong":{$.ping},"key":"${KEY}"}'),))
    said = Beside(feed).take(b'{"ping": "x"}', decoder_of(feed, 1).fate_of)
    assert said == Said("answer", '{"pong":"x","key":"***"}')


def test_a_refusal_would_not_be_a_reject() -> None:
    """A message that conditions ask for, and that is no row."""
    feed = feed_of(refused=groups("$.error"))
    bad = b'{"e":"trade","error":"no"}'
    assert decoder_of(feed, 1).fate_of(bad) == "reject"
    assert taken(feed, bad) == ["refused"]


def test_each_subscription_has_its_reply() -> None:
    feed = feed_of(subscriptions=asked("$.ok=true", "$.ok=true"))
    assert taken(feed, b'{"ok":true}', ROW, b'{"ok":true}') == ["reply", "", "reply"]


def test_one_that_comes_again_is_a_reply_unless_it_brings_a_row() -> None:
    feed = feed_of(subscriptions=asked("$.s=A"))
    assert taken(feed, ROW, ROW, b'{"s":"A"}') == ["reply", "", "reply"]


def test_one_that_refuses_is_no_reply() -> None:
    feed = feed_of(subscriptions=asked("$.id=1"), refused=groups("$.ok=false"))
    messages = [b'{"id":1,"ok":false}', b'{"id":1,"ok":true}']
    assert taken(feed, *messages) == ["refused", "reply"]


def test_an_array_with_a_reply_and_rows_is_decoded() -> None:
    schema = schema_of("s, p:float", "", "e=trade")
    subscriptions = asked("$[*].id=1")
    feed = Feed("f", "", (Table(Path(), schema),), subscriptions=subscriptions)
    both = b'[{"id":1},{"e":"trade","s":"A","p":1}]'
    assert taken(feed, both, b'[{"id":1}]') == ["", "reply"]


def test_the_replies_of_all_connections_are_awaited() -> None:
    lines = tuple(Line("", asked(f"$.s={each}"), (each,)) for each in "AB")
    feed = feed_of(subscriptions=asked("$.s=A,B"), lines=lines, symbols=("A", "B"))
    first, second = ROW, ROW.replace(b"A", b"B")
    assert taken(feed, first, second, first, second) == ["reply", "reply", "", ""]
