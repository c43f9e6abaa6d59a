"""The venue keeps its word: a client of the ``websockets`` library meets what its scripts say."""

from __future__ import annotations

import re
import time

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.peers.venue import (
    Client,
    Desk,
    Meter,
    Rate,
    Venue,
    accept,
    close,
    drop,
    every,
    hear,
    refuse,
    send,
    silence,
    stream,
    unless,
    wait,
)
from tests.support.patience import LIMIT

DESK = Desk(
    re.compile(r"live_(\w+)"),
    granted='{"ok": "{symbol}"}',
    refused={"luna": '{"error": "no {symbol}"}'},
    most=2,
    too_many='{"error": "limit, {symbol}"}',
)


def joined(venue: Venue) -> ClientConnection:
    return connect(venue.url, compression=None, open_timeout=LIMIT, close_timeout=LIMIT)


def status_of(venue: Venue) -> int:
    """What a request is answered with."""
    try:
        with joined(venue):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def ended(client: ClientConnection) -> ConnectionClosed:
    """How the server ends it."""
    while True:
        try:
            client.recv(timeout=LIMIT)
        except ConnectionClosed as error:
            return error


def test_each_connection_meets_the_next_script_and_the_last_one_stays() -> None:
    refused = refuse(503, "closed for today", {"Retry-After": "3"})
    with Venue([refused], [accept(), send("one", b"two"), close(1001, "bye")]) as venue:
        with pytest.raises(InvalidStatus) as error:
            joined(venue)
        assert error.value.response.status_code == 503
        assert error.value.response.headers["Retry-After"] == "3"
        assert error.value.response.body == b"closed for today"
        for _ in range(2):
            with joined(venue) as client:
                assert [client.recv(timeout=LIMIT) for _ in range(2)] == ["one", b"two"]
                end = ended(client)
            assert end.rcvd is not None
            assert (end.rcvd.code, end.rcvd.reason) == (1001, "bye")
    assert [each.status for each in venue.clients] == [503, 101, 101]
    assert [each.close_code for each in venue.clients] == [None, 1001, 1001]


def test_what_it_got_can_be_looked_at_and_waited_for() -> None:
    before = time.monotonic()
    with Venue([accept()]) as venue:
        with joined(venue) as client:
            client.send("hello")
            client.ping().wait(LIMIT)
            client.send("x" * 70_000)
            venue.wait_for(lambda: len(venue.clients[0].texts) == 2)
        venue.wait_for(lambda: venue.clients[0].has_left)
        met = venue.clients[0]
    assert met.texts == ["hello", "x" * 70_000]
    assert before < met.at < met.said[0][0] < time.monotonic()
    assert met.request_line == "GET / HTTP/1.1"
    assert met.headers["upgrade"] == "websocket"
    assert (met.pings, met.close_code) == (1, 1000)


def test_what_does_not_come_in_time_says_how_far_it_was() -> None:
    with Venue([refuse(403)]) as venue:
        status_of(venue)
        with pytest.raises(TimeoutError, match=r"answered so far: \[403\]"):
            venue.wait_for(lambda: False, timeout=0.01)


def test_a_script_waits_for_texts_and_for_time() -> None:
    with Venue([wait(0.2), accept(), hear(2), every(0.01, "row", times=3), drop()]) as venue:
        begun = time.monotonic()
        with joined(venue) as client:
            assert time.monotonic() - begun >= 0.2
            client.send("a")
            client.send("b")
            assert [client.recv(timeout=LIMIT) for _ in range(3)] == ["row"] * 3
            assert isinstance(ended(client), ConnectionClosedError)  # no close frame


def test_after_its_last_step_a_connection_lives_on_and_silence_answers_no_ping() -> None:
    with Venue([accept()], [accept(), silence()]) as venue:
        with joined(venue) as client:
            assert client.ping().wait(LIMIT)
        with joined(venue) as client:
            venue.wait_for(lambda: len(venue.clients) == 2 and venue.clients[1].is_silent)
            answer = client.ping()
            venue.wait_for(lambda: venue.clients[1].pings == 1)
            assert not answer.wait(0.05)


def test_the_desk_grants_and_refuses_and_rows_are_of_what_it_granted() -> None:
    with Venue([accept(), stream(0.01, "{symbol} {n}", but=["eth"])], desk=DESK) as venue:
        with joined(venue) as client:
            client.send("live_btc live_luna")
            client.send("live_eth")
            client.send("live_xrp")
            client.send("hello")
            said = [str(client.recv(timeout=LIMIT)) for _ in range(20)]
    answers = [text for text in said if text.startswith("{")]
    assert answers == [
        '{"ok": "btc"}',
        '{"error": "no luna"}',
        '{"ok": "eth"}',
        '{"error": "limit, xrp"}',
    ]
    rows = [text for text in said if not text.startswith("{")]
    assert {row.split()[0] for row in rows} == {"btc"}
    assert venue.clients[0].granted == ["btc", "eth"]


def test_texts_that_come_too_fast_end_the_connection_or_are_answered() -> None:
    with Venue([accept()], messages=Rate(2, 3600.0)) as venue, joined(venue) as client:
        for text in "abc":
            client.send(text)
        end = ended(client)
        assert end.rcvd is not None
        assert end.rcvd.code == 1008
        assert venue.clients[0].texts == ["a", "b", "c"]
    with Venue([accept()], messages=Rate(2, 3600.0), too_fast="slow", desk=DESK) as venue:
        with joined(venue) as client:
            for text in ("live_a", "live_b", "live_c"):
                client.send(text)
            said = [client.recv(timeout=LIMIT) for _ in range(3)]
    assert said == ['{"ok": "a"}', '{"ok": "b"}', "slow"]


def test_openings_that_come_too_often_are_answered_with_429_and_use_no_script_up() -> None:
    with Venue([refuse(404)], [accept()], openings=Rate(2, 3600.0, ban=3600.0)) as venue:
        assert [status_of(venue) for _ in range(4)] == [404, 101, 429, 429]


def test_a_step_can_depend_on_the_request() -> None:
    def is_named(client: Client) -> bool:
        return "x-name" in client.headers

    with Venue([unless(is_named, refuse(403)), accept()]) as venue:
        assert status_of(venue) == 403
        with connect(venue.url, additional_headers={"X-Name": "me"}, open_timeout=LIMIT):
            pass
    assert [each.status for each in venue.clients] == [403, 101]


def test_it_restarts_at_the_same_port_with_other_scripts() -> None:
    with Venue([accept()]) as venue:
        port = venue.port
        with joined(venue) as client:
            venue.close_port()
            assert isinstance(ended(client), ConnectionClosedError)
        with pytest.raises(ConnectionRefusedError):
            joined(venue)
        venue.play([refuse(503)])
        venue.open_port()
        assert venue.port == port
        assert status_of(venue) == 503


def test_an_answer_may_be_as_odd_as_a_test_needs() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    headers = [("Upgrade", "websocket"), ("Connection", "Keep-Alive"), ("Connection", "Upgrade")]
    with Venue([accept(headers)], [accept(before=early)]) as venue:
        assert status_of(venue) == 101
        with pytest.raises(InvalidStatus) as error:
            joined(venue)
        assert error.value.response.status_code == 103


def test_what_a_step_raises_comes_out() -> None:
    async def fail(client: Client) -> None:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        with Venue([accept(), fail]) as venue, joined(venue):
            venue.wait_for(lambda: bool(venue.errors))


def test_a_meter_counts_what_it_lets_through_in_any_such_time() -> None:
    meter = Meter(Rate(2, 1.0))
    assert [meter.exceeded(at) for at in (0.0, 0.5, 0.9, 1.0, 1.1, 1.5)] == [
        False,
        False,
        True,
        False,
        True,
        False,
    ]


def test_each_try_prolongs_a_ban() -> None:
    meter = Meter(Rate(1, 1.0, ban=10.0))
    assert [meter.exceeded(at) for at in (0.0, 0.5, 10.0, 19.9, 29.9)] == [
        False,
        True,
        True,
        True,
        False,
    ]
