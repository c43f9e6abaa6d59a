"""What stands beside data, at many venues, and where it is not what it looks like."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.feed import Subscription
from fastingest.model.message_conditions import Groups, parse_message_condition
from fastingest.probe.beside.side_messages import Rule, SideMessages, side_messages_of
from fastingest.probe.dry_run import dry_run
from fastingest.probe.proposal import proposal_of
from tests.probe.venues import VENUES

NOW = 1_700_000_000.0
TRADE = {"e": "trade", "s": "X", "p": "1.5"}
SUBSCRIBE = '{"op":"subscribe","args":["x"]}'


def raw(message: Any) -> bytes:
    return message.encode() if isinstance(message, str) else json.dumps(message).encode()


def side_of(messages: Iterable[Any], *sent: str) -> SideMessages:
    made = list(map(raw, messages))
    values = []
    for message in made:
        try:
            value = msgspec.json.decode(message)
        except ValueError:
            value = None
        values.append(value if isinstance(value, (dict, list)) else None)
    return side_messages_of(made, values, list(map(Subscription, sent)))


def written(groups: Groups) -> list[list[str]]:
    return [[str(condition) for condition in group] for group in groups]


def answers_of(side: SideMessages) -> list[tuple[list[str], str]]:
    return [(written(each.when)[0], each.send) for each in side.answers]


@pytest.mark.parametrize("name", sorted(VENUES))
def test_a_venue_s_messages_are_told_apart(name: str) -> None:
    venue = VENUES[name]
    side = side_of((text for _, text in venue.messages), *venue.sent)
    expected = {index: kind for index, (kind, _) in enumerate(venue.messages) if kind != "data"}
    assert dict(side.kinds) == expected
    assert [reply and written((reply,))[0] for reply in side.replies] == venue.replies
    assert written(side.refused) == venue.refused
    assert answers_of(side) == venue.answers


@pytest.mark.parametrize("name", sorted(VENUES))
def test_where_nothing_is_refused_it_is_guessed_how_that_is_said(name: str) -> None:
    venue = VENUES[name]
    granted = [text for kind, text in venue.messages if kind != "refusal"]
    side = side_of(granted, *venue.sent)
    assert side.refused == ()
    assert written(side.guessed) == venue.guessed
    assert side.refusal is None


@pytest.mark.parametrize("name", sorted(VENUES))
def test_what_is_said_of_a_venue_holds_of_none_of_its_data(name: str) -> None:
    venue = VENUES[name]
    messages = [raw(text) for _, text in venue.messages]
    proposal = proposal_of(messages, NOW, list(map(Subscription, venue.sent)))
    data = {index for index, (kind, _) in enumerate(venue.messages) if kind == "data"}
    assert not proposal.side.taken(messages) & data
    assert all(set(table.sources) <= data for table in proposal.tables)
    tried = dry_run(proposal, messages)
    assert tried is None or tried.rejected == 0


def test_a_refusal_that_was_guessed_is_the_one_that_comes() -> None:
    for name, venue in VENUES.items():
        granted = [text for kind, text in venue.messages if kind != "refusal"]
        refusals = [raw(text) for kind, text in venue.messages if kind == "refusal"]
        rules = list(map(Rule, side_of(granted, *venue.sent).guessed))
        assert any(rule.holds(refusals[0]) for rule in rules), name


def test_of_several_subscriptions_each_has_the_reply_with_its_number() -> None:
    sent = ['{"method":"sub","id":1}', '{"method":"sub","id":2}', '{"method":"sub","id":3}']
    side = side_of([{"result": None, "id": 2}, {"result": None, "id": 1}, TRADE], *sent)
    assert [reply and str(reply[0]) for reply in side.replies] == ["$.id=1", "$.id=2", None]


def test_a_reply_is_that_to_the_subscription_that_it_names() -> None:
    sent = ['{"event":"conf","flags":65536}', '{"event":"subscribe","channel":"x"}', "hello"]
    side = side_of([{"event": "conf", "status": "OK"}, {"event": "subscribed"}, TRADE], *sent)
    assert [written((reply or (),))[0] for reply in side.replies] == [
        ["$.event=conf", "$.status=OK"],
        ["$.event=subscribed"],
        [],
    ]


def test_a_subscription_that_says_nothing_of_itself_has_the_reply_that_is_left() -> None:
    side = side_of([{"event": "subscribed"}, TRADE], "sub x")
    assert [written((reply or (),))[0] for reply in side.replies] == [["$.event=subscribed"]]


def test_many_things_that_are_asked_for_have_many_replies() -> None:
    names = [f"S{number}" for number in range(80)]
    acks = [{"event": "subscribe", "arg": name} for name in names]
    side = side_of([*acks, TRADE], json.dumps({"op": "subscribe", "args": names}))
    assert list(side.kinds.values()) == ["reply"] * 80


def test_one_reply_to_two_subscriptions_is_not_waited_for() -> None:
    ack = {"event": "subscribed", "channel": "x"}
    assert side_of([ack, TRADE], SUBSCRIBE, SUBSCRIBE).replies == (None, None)
    both = side_of([ack, ack, TRADE], SUBSCRIBE, SUBSCRIBE).replies
    assert [written((reply or (),)) for reply in both] == [[["$.event=subscribed"]]] * 2


def test_a_reply_that_cannot_be_told_from_data_is_not_waited_for() -> None:
    update = {"event": "subscribed", "price": 1.5}
    side = side_of([{"event": "subscribed"}, update], SUBSCRIBE)
    assert dict(side.kinds) == {0: "reply"}
    assert side.replies == (None,)


def test_a_number_that_is_another_one_each_time_is_none_of_the_subscription() -> None:
    sent = '{"op":"subscribe","id":"${now:ms}"}'
    side = side_of([{"id": "1700000000000", "op": "subscribe", "success": True}, TRADE], sent)
    assert [written((reply or (),))[0] for reply in side.replies] == [
        ["$.op=subscribe", "$.success=true"]
    ]


def test_what_comes_again_and_again_is_no_reply() -> None:
    messages = [{"type": "subscription", "user": f"u{number}"} for number in range(60)]
    assert side_of(messages, SUBSCRIBE).kinds == {}


def test_a_reply_that_was_given_is_kept() -> None:
    reply = (parse_message_condition("$.mine=1"),)
    side = side_messages_of(
        [b'{"event":"subscribed"}'], [{"event": "subscribed"}], [Subscription(SUBSCRIBE, reply)]
    )
    assert side.replies == (reply,)


def test_where_some_replies_are_given_the_others_are_not_waited_for() -> None:
    reply = (parse_message_condition("$.event=subscribed"),)
    sent = [Subscription('{"event":"conf","flags":65536}'), Subscription(SUBSCRIBE, reply)]
    values = [{"event": "conf", "status": "OK"}, {"event": "subscribed"}]
    side = side_messages_of(list(map(raw, values)), values, sent)
    assert side.replies == (None, reply)
    bare = side_messages_of(list(map(raw, values)), values, [Subscription(e.text) for e in sent])
    assert None not in bare.replies


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"ping": 1492420473027}, (["$.ping"], '{"pong":{$.ping}}')),
        (
            {"ping": "a1", "time": "2021-01-28T11:47:42Z"},
            (["$.ping"], '{"pong":{$.ping},"time":{$.time}}'),
        ),
        ({"op": "ping", "ts": "149242"}, (["$.op=ping"], '{"op":"pong","ts":{$.ts}}')),
        (
            {"action": "ping", "data": {"ts": 1575}},
            (["$.action=ping"], '{"action":"pong","data":{$.data}}'),
        ),
        ("ping", (["$=ping"], "pong")),
        ("Ping", (["$=Ping"], "Pong")),
    ],
)
def test_a_ping_is_answered_with_what_is_in_it(message: Any, answer: tuple[list[str], str]) -> None:
    assert answers_of(side_of([message, TRADE])) == [answer]


def test_a_ping_that_says_nothing_may_be_a_mere_sign_of_life() -> None:
    side = side_of([{"type": "ping"}, TRADE])
    assert (side.kinds[0], side.answers) == ("ping", ())


def test_a_ping_is_not_answered_in_words_that_we_do_not_use() -> None:
    ping = {"m": "ping", "hp": 3}
    assert side_of([ping, TRADE], '{"op":"sub","ch":"x"}').answers == ()
    assert answers_of(side_of([ping, TRADE], '{"m":"sub"}')) == [
        (["$.m=ping"], '{"m":"pong","hp":{$.hp}}')
    ]


@pytest.mark.parametrize(
    ("sent", "message", "conditions"),
    [
        (
            '{"method":"SUBSCRIPTION","params":["spot@deals@BTCUSDT"]}',
            {"id": 0, "code": 0, "msg": "spot@deals@BTCUSDT"},
            ["$.code=0"],
        ),
        (SUBSCRIBE, {"status": "ok"}, ["$.status=ok"]),
        (SUBSCRIBE, {"success": True, "ts": 17}, ["$.success=true"]),
        ('{"id":7,"method":"x"}', {"id": 7, "code": 0, "message": "OK"}, ["$.id=7", "$.code=0"]),
    ],
)
def test_a_reply_may_only_say_how_it_went(sent: str, message: Any, conditions: list[str]) -> None:
    side = side_of([message, TRADE], sent)
    assert dict(side.kinds) == {0: "reply"}
    (reply,) = side.replies
    assert reply is not None
    assert set(conditions) <= set(written((reply,))[0])
    assert side_of([message, TRADE]).kinds == {}


@pytest.mark.parametrize(
    ("message", "conditions"),
    [
        (
            {"event": "subscribe", "errorCode": "90002", "errorMessage": "no symbol"},
            ["$.event=subscribe", "$.errorCode", "$.errorCode!=0"],
        ),
        ({"id": 7, "code": 20001, "message": "bad"}, ["$.code", "$.code!=0", "$.message"]),
        ({"code": 2, "msg": "bad"}, ["$.code", "$.msg"]),
        ({"event": "rejected", "text": "no"}, ["$.event=rejected"]),
        ({"ev": "status", "status": "not_authorized"}, ["$.ev=status", "$.status=not_authorized"]),
        ({"op": "subscribe", "status": 404}, ["$.op=subscribe", "$.status=404"]),
        (
            {"ev": "status", "status": "max_connections", "message": "Maximum exceeded."},
            ["$.ev=status", "$.status=max_connections"],
        ),
    ],
)
def test_a_refusal_may_be_said_in_many_ways(message: Any, conditions: list[str]) -> None:
    side = side_of([message, TRADE], '{"op":"subscribe","id":7}')
    assert dict(side.kinds) == {0: "refusal"}
    assert written(side.refused) == [conditions]
    assert side.refusal == raw(message)


@pytest.mark.parametrize(
    "message",
    [
        {"ev": "status", "status": "connected", "message": "Maximum exceeded."},
        {"ev": "status", "status": "halted", "sym": "AB", "message": "Maximum exceeded."},
        {"ev": "status", "status": "max_connections", "message": "Connections."},
    ],
)
def test_a_status_is_no_refusal_by_any_word_beside_it(message: Any) -> None:
    assert dict(side_of([message, TRADE], SUBSCRIBE).kinds) == {0: "sign"}


def test_words_that_say_no_are_no_reply() -> None:
    message = {"id": 0, "code": 0, "msg": "Not Subscribed successfully! [x]. Reason: Blocked!"}
    side = side_of([message, TRADE], SUBSCRIBE)
    assert (dict(side.kinds), side.replies, side.refused) == ({0: "refusal"}, (None,), ())
    assert side.refusal == raw(message)


def test_many_ways_of_refusing_are_not_all_written() -> None:
    refusals = [{"op": "subscribe", "code": 100 + number, "msg": "no"} for number in range(20)]
    side = side_of([{"op": "subscribe", "success": True}, *refusals, TRADE], SUBSCRIBE)
    assert (len(side.refused), side.guessed) == (8, ())
    assert written(side.refused)[0] == ["$.op=subscribe", "$.code=100"]


def test_socket_io_is_answered() -> None:
    side = side_of(['0{"sid":"a","pingInterval":25000}', "40", '42["trade",{}]', "2"])
    assert answers_of(side) == [(["$=2"], "3")]
    assert side_of(["2", "3"]).answers == ()


@pytest.mark.parametrize(
    "message",
    [
        {"type": "info", "price": 1.5, "size": 2},
        {"method": "subscription", "params": {"data": [{"price": 1.5}]}},
        {"id": 1, "user": "ada", "text": "hello"},
        {"symbol": "X", "state": "open"},
        {"type": "status", "quotes": [[1.5, 2.5]]},
        [1, "te", [2, 1.5]],
        [[1, 2.5]],
        {},
        [],
    ],
)
def test_data_is_not_set_aside(message: Any) -> None:
    assert side_of([message], '{"op":"subscribe","id":1}').kinds == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "event", "type", "status", "success", "error", "result", "x"]),
            inner | st.sampled_from(["subscribe", "subscribed", "error", "ping", "ok"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


def _sayable(messages: Sequence[Any]) -> bool:
    return all(isinstance(message, (dict, list)) for message in messages)


@given(st.lists(JSON, min_size=1, max_size=8).filter(_sayable))
def test_what_is_said_of_any_messages_holds_of_what_was_set_aside_only(
    messages: list[Any],
) -> None:
    made = list(map(raw, messages))
    side = side_of(messages, '{"event":"subscribe","id":1}')
    assert side.taken(made) <= set(side.kinds)
    for condition in (each for group in (*side.refused, *side.guessed) for each in group):
        assert parse_message_condition(str(condition)) == condition
