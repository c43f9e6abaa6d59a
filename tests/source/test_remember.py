"""Channels that a venue names once, as Bitfinex does: captured from real servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastingest.model.feed import Remember, Subscription, Table
from fastingest.model.jsonpath import JsonPath
from fastingest.model.message_conditions import parse_message_condition
from tests.peers.raw import TEXT, RawConnection, RawServer, Script, frame
from tests.support.any_feed import schema_of
from tests.support.meeting import Met, meet
from tests.support.serving import answer_close

SUBSCRIBED = (parse_message_condition("$.event=subscribed"),)
FEED: dict[str, Any] = {
    "tables": (
        Table(
            Path("o.csv"),
            schema_of("symbol=$[0]|remembered.symbol, price:decimal=[3]", "[2]", "$[1]=te"),
        ),
    ),
    "remember": Remember((SUBSCRIBED,), JsonPath(("chanId",), True)),
}


def subscribed(channel: int, symbol: str) -> bytes:
    said = {"event": "subscribed", "channel": "trades", "chanId": channel, "symbol": symbol}
    return json.dumps(said).encode()


def trade(channel: int, price: str) -> bytes:
    return f'[{channel},"te",[1,1700000000000,0.5,{price}]]'.encode()


def capture(*lives: list[bytes], native: bool, together: bool, rows: int, **more: Any) -> Met:
    """What comes of connections that bring these messages, one after the other.

    :param together: all messages of a connection come in one read.
    :param rows: how many rows and rejects there are in the end.
    """

    def life(messages: list[bytes], *, is_last: bool) -> Script:
        def serve(connection: RawConnection) -> None:
            connection.handshake()
            frames = [frame(TEXT, each) for each in messages]
            for piece in [b"".join(frames)] if together else frames:
                connection.send_raw(piece)
            if is_last:
                answer_close(connection)

        return serve

    scripts = [life(messages, is_last=messages is lives[-1]) for messages in lives]
    with RawServer(*scripts) as server:
        return meet(
            server.url,
            lambda met: len(met.rows) + len(met.rejects) >= rows,
            native=native,
            **{**FEED, **more},
        )


ways = pytest.mark.parametrize(
    ("native", "together"), [(False, False), (False, True), (True, False), (True, True)]
)


@ways
def test_rows_have_the_symbol_of_their_channel(native: bool, together: bool) -> None:
    messages = [
        b'{"event":"info","version":2}',
        subscribed(7, "tAAAUSD"),
        trade(7, "1.5"),
        subscribed(8, "tBBBUSD"),
        b'[7,"hb"]',
        b"[7,[[1,1700000000000,0.5,1.5],[2,1700000000000,0.5,1.5]]]",
        trade(8, "2.5"),
        trade(7, "1.6"),
    ]
    met = capture(messages, native=native, together=together, rows=3)
    assert met.rows == [("tAAAUSD", "1.5"), ("tBBBUSD", "2.5"), ("tAAAUSD", "1.6")]
    assert (met.rejects, met.counters.ledger.ignored) == ([], 5)


@ways
def test_a_channel_that_is_given_to_another_is_its_own_from_then_on(
    native: bool, together: bool
) -> None:
    messages = [
        *(subscribed(7, "tAAAUSD"), trade(7, "1"), trade(7, "2")),
        *(subscribed(7, "tBBBUSD"), trade(7, "3")),
        *(subscribed(7, "tAAAUSD"), trade(7, "4")),
    ]
    met = capture(messages, native=native, together=together, rows=4)
    assert [symbol for symbol, _ in met.rows] == ["tAAAUSD", "tAAAUSD", "tBBBUSD", "tAAAUSD"]


@ways
def test_another_connection_knows_nothing_of_the_one_before(native: bool, together: bool) -> None:
    first = [subscribed(7, "tAAAUSD"), subscribed(8, "tBBBUSD"), trade(7, "1")]
    second = [trade(8, "2"), subscribed(8, "tAAAUSD"), trade(8, "3")]
    met = capture(first, second, native=native, together=together, rows=3)
    assert met.rows == [("tAAAUSD", "1"), ("tAAAUSD", "3")]
    assert met.rejects == [trade(8, "2")]


@ways
def test_what_is_waited_for_is_remembered_as_well(native: bool, together: bool) -> None:
    reply = (parse_message_condition("$.event=subscribed"),)
    met = capture(
        [subscribed(7, "tAAAUSD"), trade(7, "1"), subscribed(8, "tBBBUSD"), trade(8, "2")],
        native=native,
        together=together,
        rows=2,
        subscriptions=(Subscription("a", reply), Subscription("b", reply)),
    )
    assert met.rows == [("tAAAUSD", "1"), ("tBBBUSD", "2")]


JSON_FEED = {
    **FEED,
    "tables": (
        Table(
            Path("o.csv"),
            schema_of("s:json?=$[0]|remembered.s, price:decimal=[3]", "[2]", "$[1]=te"),
        ),
    ),
}


@ways
@pytest.mark.parametrize("bad", [b'{"chanId":"\xff","s":[1]', b'{"chanId":7,"s":["\xff"]'])
def test_what_is_no_utf_8_is_not_remembered(native: bool, together: bool, bad: bytes) -> None:
    bad += b',"event":"subscribed"}'
    met = capture(
        [bad, trade(7, "1"), b'{"chanId":7,"s":[2],"event":"subscribed"}', trade(7, "2")],
        native=native,
        together=together,
        rows=3,
        **JSON_FEED,
    )
    assert met.rows == [(None, "1"), ("[2]", "2")]
    assert met.rejects == [bad]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("is_split", [False, True])
def test_a_reply_is_remembered_for_what_comes_behind_it(native: bool, is_split: bool) -> None:
    messages = [
        subscribed(7, "tAAAUSD"),
        trade(7, "1"),
        b'{"reply":1,"event":"subscribed","chanId":7,"symbol":"tBBBUSD"}',
        trade(7, "2"),
        b'{"reply":2,"event":"subscribed","chanId":"\xff","symbol":"tCCCUSD"}',
        trade(7, "3"),
    ]

    def serve(connection: RawConnection) -> None:
        connection.handshake()
        connection.recv_frame()  # what asks for the reply
        first, second = messages[:4], messages[4:]
        for each in (first, second):
            frames = [b"\n".join(each)] if is_split else each
            connection.send_raw(b"".join(frame(TEXT, text) for text in frames))
        answer_close(connection)

    replies = [(parse_message_condition(f"$.reply={number}"),) for number in (1, 2)]
    with RawServer(serve) as server:
        met = meet(
            server.url,
            lambda met: len(met.rows) >= 3,
            native=native,
            **FEED,
            split="lines" if is_split else "",
            subscriptions=tuple(Subscription("a", reply) for reply in replies),
        )
    assert met.rows == [("tAAAUSD", "1"), ("tBBBUSD", "2"), ("tBBBUSD", "3")]
    assert met.rejects == []
