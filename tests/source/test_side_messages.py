"""What a server says beside the rows: told from them, acted on, sampled. By both listeners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.model.event import Event
from fastingest.model.feed import Answer, Feed, Subscription, Table
from fastingest.model.jsonpath import parse_condition
from fastingest.model.message_conditions import Groups, parse_message_condition
from fastingest.model.schema import Schema, parse_columns
from fastingest.source.events import GrantedByFeed, IgnoredMessage, RefusedByFeed
from fastingest.source.refusals import About, Refusals
from fastingest.source.side_messages import FIRST_LOOKS, LOOKS, SideMessages
from tests.peers.raw import CLOSE, TEXT, RawConnection, RawServer, frame
from tests.support.meeting import Met, meet
from tests.support.native import native_module

ROW = '{"e": "t", "p": 1.5}'
COLUMNS = parse_columns("e=e, s:str?=s, p:float=p")
TABLE = Table(Path("o.csv"), Schema(COLUMNS, where=(parse_condition("e=t"),), described=True))


def groups(*texts: str) -> Groups:
    return tuple(tuple(map(parse_message_condition, text.split(";"))) for text in texts)


class Actor:
    """Notes what it is to do."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.text = '<{$.ping}|{$.a[0]}|{"x":1}>'

    def refused(self, words: str, symbols: Sequence[str], subscription: int | None) -> About:
        self.done.append(("refused", words, tuple(symbols), subscription))
        return About(subscription)

    def asked_to_reconnect(self, words: str) -> None:
        self.done.append(("reconnect", words))

    def answer(self, number: int, fill: Callable[[str], str]) -> None:
        self.done.append(("answer", number, fill(self.text)))


def made(**feed: Any) -> tuple[SideMessages, Actor]:
    side = SideMessages(Feed("f", "ws://h", (TABLE,), **feed), FeedCounters([Counters.create()]))
    actor = Actor()
    side.act_by(actor)
    return side, actor


# Told from each other


def test_the_first_condition_that_holds_counts() -> None:
    subscriptions = (Subscription("a", refused=groups("$.id=1;$.error")), Subscription("b"))
    side, actor = made(
        subscriptions=subscriptions,
        refused=groups("$.error"),
        reconnect=groups("$.type=info;$.code=20051", "$.bye"),
        answers=(
            Answer(groups("$.pong"), "x"),
            Answer(groups("$.ping", "$.a"), "{$.ping}{$.a[0]}"),
        ),
        symbols=("LUNA",),
    )
    messages = [
        b'{"id": 1, "error": "no LUNA"}',
        b'{"id": 2, "error": "n\\u006f"}',
        b'{"type": "info", "code": 20051}',
        b'{"bye": 1}',
        b' {"ping": 1.50} ',
        b'{"ping": "x", "a": [{"b": [1]}]}',
        b'{"type": "info", "code": 20052}',
        b'{"error": null}',
        b'{"err',
        b"\xff",
    ]
    assert [side.take(each) for each in messages] == [True] * 6 + [False] * 4
    assert actor.done == [
        ("refused", '{"id": 1, "error": "no LUNA"}', ("LUNA",), 0),
        ("refused", '{"id": 2, "error": "n\\u006f"}', (), None),
        ("reconnect", '{"type": "info", "code": 20051}'),
        ("reconnect", '{"bye": 1}'),
        ("answer", 1, '<1.50|null|{"x":1}>'),
        ("answer", 1, '<"x"|{"b": [1]}|{"x":1}>'),
    ]


def test_of_an_array_each_element_that_is_refused_is_told_by_itself() -> None:
    side, actor = made(
        refused=groups("$[*].T=error;$[*].code=405"),
        answers=(Answer(groups("$[*].ping"), "<{$[*].ping}|{$[*].id}|{$[0].id}>"),),
        symbols=("LUNA", "BTC"),
    )
    actor.text = "<{$[*].ping}|{$[*].id}|{$[0].id}>"
    luna, other = b'{"T": "error", "code": 405, "msg": "no LUNA"}', b'{"T":"error","code":405}'
    assert side.take(b'[{"T":"ok","s":"BTC"}, ' + luna + b', {"T":"error"}, ' + other + b"]")
    assert side.take(b'[{"id":1}, {"ping":7,"id":2}]')
    assert not side.take(b'[{"T":"error"}, {"code":405}]')
    assert actor.done == [
        ("refused", luna.decode(), ("LUNA",), None),
        ("refused", other.decode(), (), None),
        ("answer", 0, "<7|2|1>"),
    ]


def test_a_message_that_brings_a_row_is_none() -> None:
    side, actor = made(refused=groups("$.error"))
    message = b'{"error": 1}'
    assert not side.take(message, lambda each: "row")
    assert side.take(message, lambda each: "reject")
    assert len(actor.done) == 1


def test_what_comes_before_there_is_a_session_waits_for_it() -> None:
    side, _ = made(refused=groups("$.error"))
    side.connected()
    assert side.take(b'{"error": 1}')
    actor = Actor()
    side.act_by(actor)
    assert [each[0] for each in actor.done] == ["refused"]


def test_a_run_loses_what_is_taken_out_and_keeps_its_times() -> None:
    side, _ = made(refused=groups("$.error"))
    messages = [b"0", b'{"error": 1}', b"2", b'{"error": 3}', b"4", b'{"error": 5}']
    stamps = [(1, 10), (2, 20), (4, 40), (6, 60)]
    side.take_out(messages, stamps, lambda each: "ignored")
    assert messages == [b"0", b"2", b"4"]
    assert stamps == [(1, 10), (2, 40), (3, 60)]
    messages = [b'{"error": 1}']
    stamps = [(1, 10)]
    side.take_out(messages, stamps, lambda each: "ignored")
    assert (messages, stamps) == ([], [])


_NAMES = st.sampled_from(["e", "error", "é", "a/b", 'q"', "x"])
_ANY: list[Any] = [1, "1", "error", None, True, [], {}, "ä", "a/b", [1]]


@given(
    st.dictionaries(_NAMES, st.sampled_from(_ANY), max_size=4),
    st.lists(
        st.lists(
            st.sampled_from(
                ["$.e=1", "$.e=error", "$.error", "$.é=ä", '$["a/b"]=a/b', "$.x=[]", "$.x=error,1"]
            ),
            min_size=1,
            max_size=2,
        ),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
def test_no_message_that_fulfils_a_condition_lacks_its_needles(
    message: dict[str, Any], conditions: list[list[str]], in_ascii: bool
) -> None:
    side, _ = made(refused=groups(*(";".join(group) for group in conditions)))
    text = json.dumps(message, ensure_ascii=in_ascii).encode()
    if next(side._rules.holding(text), None) is not None:
        assert side.may_be(text)


# The sample


def test_the_first_of_each_shape_is_told_short_on_one_line_and_without_secrets() -> None:
    side, _ = made(ignore=("pong",))
    told: list[Event] = []
    sampled: list[str] = []
    side.tell(told.append, sampled.append)
    side.redactor.use(["s3cret"])
    for message in (
        b'{"a": "s3cret"}',
        b'{"a": 1}',
        b"\x1b[31m\n",
        b"pong",
        b'{"b":"%s"}' % (b"x" * 999),
    ):
        side.look(message, is_reject=False)
    side.look(b'{"c": 1}', is_reject=True)
    assert told == [IgnoredMessage(words) for words in sampled]
    assert sampled == ['{"a": "***"}', '{"a": 1}', "\\x1b[31m\\n", '{"b":"' + "x" * 293 + "…"]
    assert side.reason(has_rows=False) == '{"c": 1}'


def test_looks_are_limited_and_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[Any] = []

    def call_later(delay: float, call: Any, *arguments: Any) -> Any:
        timers.append((delay, call, arguments))
        return SimpleNamespace(cancel=lambda: None)

    loop = SimpleNamespace(call_later=call_later)
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    side, _ = made()
    refilled: list[int] = []
    side.when_refilled(refilled.append)
    looked = []

    def fate_of(message: bytes) -> Any:
        looked.append(message)
        return "row" if len(looked) % 2 else "ignored"

    messages = [b"[%d]" % number for number in range(2 * FIRST_LOOKS)]
    side.look_among(messages, fate_of)
    assert (len(looked), side.looks) == (FIRST_LOOKS, 0)
    assert side.brought_no_row(b'{"new": 1}') == 0
    assert side.reason(has_rows=False) != '{"new": 1}'
    ((delay, call, arguments),) = timers
    assert delay == 1.0
    call(*arguments)
    assert (side.looks, refilled) == (LOOKS, [LOOKS])
    assert side.brought_no_row(b'{"new": 1}') == LOOKS - 1
    side.connected()
    assert refilled == [LOOKS, FIRST_LOOKS]


# On a connection, by both listeners


@pytest.fixture(params=["Python", "native"])
def native(request: pytest.FixtureRequest) -> bool:
    if request.param == "native":
        native_module("_listener")
    return bool(request.param == "native")


def _text(peer: RawConnection) -> str:
    while (received := peer.recv_frame()) is not None and received[0] != CLOSE:
        if received[0] == TEXT:
            return received[1].decode()
    raise ConnectionError("the client has left")


def _stay(peer: RawConnection) -> None:
    while (received := peer.recv_frame(30)) is not None:
        if received[0] == CLOSE:
            return


def _met(script: Any, until: Callable[[Met], bool], **arguments: Any) -> Met:
    with RawServer(script) as server:
        met = meet(server.url, until, tables=(TABLE,), **arguments)
    assert server.errors == []
    return met


SLOW = {"flush_interval": 3600.0}  # nothing here may wait for it


def test_answers_are_sent_at_once_with_the_values_as_they_came(native: bool) -> None:
    said: list[str] = []

    def script(peer: RawConnection) -> None:
        peer.handshake()
        # among others, in one read; the parser is not certain of what has an escape
        peer.send_raw(b"".join(frame(TEXT, t.encode()) for t in (ROW, '{"ping": 1.50}', ROW)))
        said.append(_text(peer))
        for message in ('{"ping": "a\\n", "e": "x"}', "ping", '{"ping": null, "e": "x"}'):
            peer.send_text(message)
        said.append(_text(peer))
        said.append(_text(peer))
        peer.send_frame(0x2, b'{"ping": 3}')
        said.append(_text(peer))
        peer.close()

    answers = (Answer(groups("$.ping"), '{"pong":{$.ping}}'), Answer(groups("$=ping"), "pong"))
    met = _met(script, lambda met: bool(met.reasons), answers=answers, native=native, options=SLOW)
    assert said[:4] == ['{"pong":1.50}', '{"pong":"a\\n"}', "pong", '{"pong":3}']
    assert met.counters[Slot.RECEIVED] % 2 == 0
    assert met.rejects == []
    assert met.counters[Slot.REFUSED] == 0


def test_another_connection_is_made_when_the_server_asks_for_it(native: bool) -> None:
    ask = '{"type": "info", "code": 20051, "msg": "restart"}'

    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_text(ROW)
        peer.send_text(ask)
        _stay(peer)

    met = _met(
        script,
        lambda met: met.connected >= 3,
        reconnect=groups("$.type=info;$.code=20051"),
        native=native,
        # the waits start over, or the third would take its time
        options={**SLOW, "reconnect_initial": 0.001, "reconnect_max": 3600.0},
    )
    reason = f"the server asked for another connection: {ask}"
    assert met.reasons[:2] == [reason] * 2
    assert met.gaps[0][2] == reason


def test_a_refused_symbol_does_not_take_the_others_down(native: bool) -> None:
    said: list[str] = []

    def script(peer: RawConnection) -> None:
        peer.handshake()
        for _ in range(3):
            said.append(_text(peer))
            symbol = said[-1].removeprefix("sub ")
            if symbol == "LUNA":
                peer.send_text('{"e": "error", "msg": "no such channel: trades_luna"}')
            else:
                peer.send_text(json.dumps({"e": "ok", "s": symbol}))
        peer.send_text(ROW)
        _stay(peer)

    met = _met(
        script,
        lambda met: met.counters[Slot.RECEIVED] >= 1,
        subscriptions=tuple(
            Subscription(f"sub {s}", groups(f"$.e=ok;$.s={s}")[0], 3600.0, symbols=(s,))
            for s in ("BTC", "LUNA", "ETH")
        ),
        symbols=("BTC", "LUNA", "ETH"),
        refused=groups("$.e=error"),
        native=native,
    )
    assert said == ["sub BTC", "sub LUNA", "sub ETH"]
    assert met.reasons == []
    words = '{"e": "error", "msg": "no such channel: trades_luna"}'
    assert [each for each in met.events if isinstance(each, RefusedByFeed)] == [
        RefusedByFeed(words, "LUNA")
    ]
    assert met.counters[Slot.REFUSED] == met.counters[Slot.REFUSED_NOW] == 1
    assert met.counters[Slot.IGNORED] == 3


def test_a_symbol_of_a_list_is_asked_for_again_by_the_same_connection(native: bool) -> None:
    said: list[str] = []

    no = '{"e": "error", "m": "LUNA comes too fast"}'

    def script(peer: RawConnection) -> None:
        peer.handshake()
        for answers in [('{"e": "ok"}', no), (no,), ('{"e": "ok"}',)]:
            said.append(_text(peer))
            for message in (ROW, *answers, ROW):
                peer.send_text(message)
        _stay(peer)

    met = _met(
        script,
        lambda met: any(isinstance(each, GrantedByFeed) for each in met.events),
        subscriptions=(
            Subscription(
                'sub "BTC" "LUNA"',
                groups("$.e=ok")[0],
                3600.0,
                symbols=("BTC", "LUNA"),
                listed=('"BTC"', '"LUNA"'),
                join=" ",
            ),
        ),
        symbols=("BTC", "LUNA"),
        refused=groups("$.e=error"),
        retry_refused=0.02,
        native=native,
    )
    assert said == ['sub "BTC" "LUNA"', 'sub "LUNA"', 'sub "LUNA"']
    assert [each for each in met.events if isinstance(each, GrantedByFeed | RefusedByFeed)] == [
        RefusedByFeed(no, "LUNA"),
        GrantedByFeed("LUNA"),
    ]
    assert (met.counters[Slot.REFUSED], met.counters[Slot.REFUSED_NOW]) == (2, 0)
    assert (met.reasons, met.gaps) == ([], [])
    assert met.counters.ledger.received >= 5


@pytest.mark.parametrize("with_reply", [True, False])
def test_a_feed_that_refuses_all_at_first_ends_the_run(native: bool, with_reply: bool) -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        _text(peer)
        peer.send_text('{"e": "no", "msg": "key \\u0007 s3cret"}')
        _stay(peer)

    reply = groups("$.e=ok,no")[0] if with_reply else None
    met = _met(
        script,
        lambda met: False,
        subscriptions=(Subscription("sub", reply, 3600.0, refused=groups("$.e=no")),),
        native=native,
    )
    assert str(met.error).endswith('it refuses: {"e": "no", "msg": "key \\u0007 s3cret"}')
    assert met.gaps == []


def test_who_may_not_log_in_does_not_go_on_to_subscribe(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "s3cret")
    said: list[str] = []

    def script(peer: RawConnection) -> None:
        peer.handshake()
        said.append(_text(peer))
        peer.send_text('{"e": "no", "msg": "s3cret is no key"}')
        with pytest.raises(ConnectionError):
            _text(peer)

    met = _met(
        script,
        lambda met: False,
        subscriptions=(
            Subscription("auth ${KEY}", groups("$.e=ok")[0], 3600.0),
            Subscription("sub", groups("$.e=ok")[0], 3600.0),
        ),
        refused=groups("$.e=no"),
        native=native,
    )
    assert said == ["auth s3cret"]
    assert str(met.error).endswith('it refuses: {"e": "no", "msg": "*** is no key"}')


def test_a_feed_that_has_worked_and_refuses_is_tried_again(native: bool) -> None:
    refusals = '{"e": "no"}'
    connections: list[int] = []

    def script(peer: RawConnection) -> None:
        peer.handshake()
        connections.append(1)
        _text(peer)
        if len(connections) == 1:
            peer.send_text(ROW)
            peer.close()
        else:
            peer.send_text(refusals)
            _stay(peer)

    met = _met(
        script,
        lambda met: len(met.reasons) >= 3,
        subscriptions=(Subscription("sub", None),),
        refused=groups("$.e=no"),
        native=native,
    )
    assert met.error is None
    assert met.reasons[1:3] == [f"it refuses: {refusals}"] * 2
    assert sum(isinstance(each, RefusedByFeed) for each in met.events) == 1
    assert met.counters[Slot.REFUSED] >= 2


def test_strict_ends_the_run_at_any_refusal(native: bool) -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_text(ROW)
        peer.send_text('{"e": "no"}')
        _stay(peer)

    met = _met(
        script, lambda met: False, refused=groups("$.e=no"), native=native, options={"strict": True}
    )
    assert str(met.error).endswith('it refuses: {"e": "no"}')
    assert met.counters[Slot.RECEIVED] == 1


@pytest.mark.parametrize("row", [ROW, None])
def test_what_nothing_describes_is_quoted_where_it_may_be_the_reason(
    native: bool, row: str | None
) -> None:
    said = '{"type": "error", "data": "token is expired"}'

    def script(peer: RawConnection) -> None:
        peer.handshake()
        for message in (row, said):
            if message:
                peer.send_text(message)
        peer.close(1000)

    met = _met(script, lambda met: len(met.reasons) >= 2, native=native)
    reason = f"the server closed with code 1000; the server said: {said}"
    assert met.reasons[:2] == [reason] * 2
    told = [each for each in met.events if isinstance(each, IgnoredMessage)]
    assert told == [IgnoredMessage(said)]


def test_a_reply_that_does_not_come_quotes_what_came(native: bool) -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        _text(peer)
        peer.send_text('{"e": "no"}')
        _stay(peer)

    met = _met(
        script,
        lambda met: bool(met.reasons),
        subscriptions=(Subscription("sub", groups("$.e=ok")[0], 0.2),),
        native=native,
    )
    reason = 'no reply for 200ms to the subscription sub; the server said: {"e": "no"}'
    assert met.reasons[0] == reason


def test_a_connection_knows_its_own_symbols_alone_and_tells_no_shape_again() -> None:
    async def scenario() -> None:
        counters = FeedCounters([Counters.create()])
        feed = Feed("f", "ws://h", (TABLE,), refused=groups("$.error"), symbols=("A", "B"))
        refusals = Refusals(feed.symbols, counters, lambda event: None, 2)
        first = SideMessages(replace(feed, symbols=("A",)), counters, refusals=refusals)
        other = SideMessages(
            replace(feed, symbols=("B",)), counters, line=1, sister=first, refusals=refusals
        )
        told: list[str] = []
        for side in (first, other):
            actor = Actor()
            side.tell(lambda event: None, told.append)
            side.connected()
            side.act_by(actor)
            assert side.take(b'{"error": "no A, no B"}')
            side.look(b'{"hello": 1}', is_reject=False)
            ((_, _, symbols, _),) = actor.done
            assert symbols == (("A",) if side is first else ("B",))
            assert side.reason(has_rows=False) == '{"hello": 1}'
            side.ready()
        assert told == ['{"hello": 1}']
        assert (counters[Slot.REFUSED], counters[Slot.REFUSED_NOW]) == (2, 2)
        first.connected()
        first.ready()
        assert counters[Slot.REFUSED_NOW] == 1

    asyncio.run(scenario())
