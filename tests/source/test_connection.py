"""What decides about connections, and what is said on them; more is in tests/end_to_end."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fastingest import FeedRefused, Options
from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.model.event import Event
from fastingest.model.feed import Heartbeat, Subscription
from fastingest.model.message_conditions import parse_message_condition
from fastingest.model.schema import TRADES
from fastingest.source import connection
from fastingest.source.events import Connected, Gap, NoConnection
from fastingest.source.gap import Outage
from fastingest.source.intake import Intake
from fastingest.source.listener import Listener
from fastingest.source.side_messages import SideMessages
from tests.peers.raw import CLOSE, PING, TEXT, RawConnection, RawServer, Script, frame
from tests.support.meeting import Met, meet, record

SECRET = "s3cr3t/k+y"


def _stay(peer: RawConnection) -> None:
    """Serve until the client closes."""
    while (received := peer.recv_frame(30)) is not None:
        if received[0] == CLOSE:
            return


def _text(peer: RawConnection) -> str:
    """The text that the client sends next."""
    received = peer.recv_frame()
    if received is None or received[0] == CLOSE:
        raise ConnectionError("the client has left")
    assert received[0] == TEXT
    return received[1].decode()


def _met(*scripts: Script, **arguments: Any) -> Met:
    with RawServer(*scripts) as server:
        met = meet(server.url, **arguments)
    assert server.errors == []
    return met


# Connecting again


def test_a_long_url_is_shortened_in_the_log() -> None:
    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        connection.stall()

    with RawServer(script) as server:
        url = f"{server.url}?streams=" + "/".join(f"s{n}@trade" for n in range(500))
        met = meet(url, until=lambda met: bool(met.volumes))
    (connected,) = [each for each in met.events if isinstance(each, Connected)]
    assert connected.url == url[:199] + "…"


def test_a_handshake_that_is_not_answered_is_given_up() -> None:
    met = _met(RawConnection.stall, until=lambda met: len(met.events) >= 2, connect_timeout=0.1)
    assert [type(each) for each in met.events] == [NoConnection] * 2 + [Gap]
    assert set(met.reasons) == {"no answer in time"}


@pytest.mark.parametrize(
    ("healthy", "replies", "starts_over"),
    [(60.0, True, False), (0.0, True, True), (0.0, False, False)],
)
def test_the_waits_start_over_after_a_healthy_time(
    monkeypatch: pytest.MonkeyPatch, healthy: float, replies: bool, starts_over: bool
) -> None:
    """Told from the generators that are made: one for the run, and one after each success."""
    made: list[float] = []

    def delays(initial: float, maximum: float) -> Any:
        made.append(initial)
        return iter([0.0] * 100)

    def drop(peer: RawConnection) -> None:
        peer.handshake()
        _text(peer)
        peer.drop()

    monkeypatch.setattr(connection, "HEALTHY", healthy)
    monkeypatch.setattr(connection, "delays", delays)
    reply = None if replies else (parse_message_condition("id=1"),)
    met = _met(
        drop,
        until=lambda met: len(met.reasons) >= 3,
        subscriptions=(Subscription("s", reply),),
    )
    assert len(made) == (1 + len(met.reasons) if starts_over else 1)


def test_each_gap_is_told_with_its_time_and_its_reason() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.close(4000, "come back")

    met = _met(script, until=lambda met: met.connected >= 3)
    logged = [each for each in met.events if isinstance(each, Gap)]
    assert logged == [Gap(*gap) for gap in met.gaps]
    assert len(logged) == met.counters[Slot.GAPS] >= 2
    assert {each.reason for each in logged} == {"the server closed with code 4000: come back"}


# Subscriptions


def test_a_subscription_waits_for_the_reply_to_the_one_before_it() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        assert _text(peer) == "first"
        peer.send_text(record(1))
        # Neither of these is the reply; the second says it at another place.
        peer.send_text('{"result": null, "id": 2}')
        peer.send_text('{"data": {"id": 1, "result": null}}')
        with pytest.raises(TimeoutError):
            peer.recv_frame(0.05)
        reply = '{"result": null, "id": 1}'
        peer.send_raw(frame(TEXT, record(2)) + frame(TEXT, reply.encode()) + frame(TEXT, record(3)))
        assert _text(peer) == "second"
        peer.send_text(reply)  # nobody waits for it any more
        assert _text(peer) == "third"
        peer.send_text('[0, {"event": "ready"}]')
        assert _text(peer) == "fourth"
        peer.send_text(record(4))
        _stay(peer)

    met = _met(
        script,
        until=lambda met: len(met.volumes) >= 4,
        subscriptions=(
            Subscription(
                "first", (parse_message_condition("id=1"), parse_message_condition("$.result=null"))
            ),
            Subscription("second"),
            Subscription("third", (parse_message_condition("[1].event=steady,ready"),)),
            Subscription("fourth"),
        ),
    )
    assert met.volumes == [1, 2, 3, 4]
    assert len(met.rejects) == 3
    assert met.counters[Slot.IGNORED] == 2
    assert met.counters[Slot.MESSAGES] == 9
    assert met.reasons == []


def test_a_reply_may_come_in_pieces_and_as_a_binary_message() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        assert _text(peer) == "first"
        peer.send_raw(
            frame(TEXT, b'{"id"', fin=False) + frame(0, b": 1", fin=False) + frame(0, b"}")
        )
        assert _text(peer) == "second"
        peer.send_frame(2, b'{"id": 1}')
        assert _text(peer) == "third"
        peer.send_text(record(1))
        _stay(peer)

    reply = (parse_message_condition("id=1"),)
    subscriptions = tuple(Subscription(text, reply) for text in ("first", "second"))
    met = _met(
        script,
        until=lambda met: len(met.volumes) >= 1,
        subscriptions=(*subscriptions, Subscription("third")),
    )
    assert (met.volumes, met.rejects, met.counters[Slot.IGNORED]) == ([1], [], 2)


def test_a_subscription_without_its_reply_costs_the_connection_and_no_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FEED_KEY", SECRET)

    def silent(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_text(record(1))
        _stay(peer)

    text = '{"op": "subscribe",\n "key": "${FEED_KEY}", "args": ["%s"]}' % ("x" * 100)
    met = _met(
        silent,
        until=lambda met: len(met.reasons) >= 2 and len(met.volumes) >= 2,
        subscriptions=(Subscription(text, (parse_message_condition("id=1"),), timeout=0.05),),
    )
    shown = '{"op": "subscribe", "key": "***", "args": ["' + "x" * 35 + "…"
    assert met.reasons[0] == f"no reply for 50ms to the subscription {shown}"
    assert set(met.volumes) == {1}


def test_subscriptions_are_sent_and_waited_for_on_each_connection() -> None:
    said: list[str] = []

    def script(peer: RawConnection) -> None:
        peer.handshake()
        for number in (1, 2):
            said.append(_text(peer))
            peer.send_text(f'{{"id": {number}}}')
        peer.drop()

    met = _met(
        script,
        until=lambda met: met.connected >= 3,
        subscriptions=tuple(
            Subscription(f"s{n}", (parse_message_condition(f"id={n}"),)) for n in (1, 2)
        ),
    )
    assert said[:4] == ["s1", "s2", "s1", "s2"]
    assert met.rejects == []
    assert met.counters[Slot.IGNORED] >= 4


def test_heartbeats_are_sent_each_at_its_own_pace() -> None:
    said: list[str] = []
    enough = threading.Event()

    def script(peer: RawConnection) -> None:
        peer.handshake()
        while said.count("slow") < 2:
            said.append(_text(peer))
        enough.set()
        _stay(peer)

    met = _met(
        script,
        until=lambda met: enough.is_set(),
        heartbeats=(Heartbeat("quick", 0.01), Heartbeat("slow", 0.1)),
    )
    assert said.count("quick") > said.count("slow") == 2
    assert met.reasons == []


def test_a_server_that_reads_no_answer_to_its_pings_gets_no_more_of_them() -> None:
    pings = 200_000
    answers = 0

    def script(peer: RawConnection) -> None:
        nonlocal answers
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        peer.handshake()
        for _ in range(pings // 1000):
            peer.send_raw(frame(PING, b"x" * 125) * 1000)
        peer.send_raw(frame(TEXT, record(1)) + frame(CLOSE))
        while received := peer.socket.recv(2**20):
            answers += len(received)

    met = _met(script, until=lambda met: len(met.reasons) >= 1)
    assert met.volumes[:1] == [1]
    assert 0 < answers < pings * 131 // 2  # a pong takes 131 bytes


# Secrets


def test_secrets_are_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first token\n")
    monkeypatch.setenv("FEED_KEY", SECRET)
    seen: list[tuple[str, str, str]] = []

    def script(peer: RawConnection) -> None:
        peer.handshake()
        seen.append((peer.request_line, peer.headers["authorization"], _text(peer)))
        token.write_text("second token\n")
        peer.send_text('{"echo": ' + json.dumps(SECRET).replace("/", r"\/") + "}")
        peer.send_text(f"no row: {SECRET}")
        peer.close(4000, f"bad key {SECRET}")

    with RawServer(script) as server:
        met = meet(
            server.url + "?key=${FEED_KEY}",
            lambda met: met.connected >= 3,
            headers=(f"Authorization: Bearer ${{file:{token}}}",),
            subscriptions=(Subscription('{"key": "${FEED_KEY}", "not": "$${x}"}'),),
        )
    assert server.errors == []
    line = f"GET /?key={SECRET} HTTP/1.1"
    text = f'{{"key": "{SECRET}", "not": "${{x}}"}}'
    assert seen[:2] == [
        (line, "Bearer first token", text),
        (line, "Bearer second token", text),
    ]
    assert met.events[0] == Connected(server.url + "?key=***")
    said = "the server closed with code 4000: bad key ***; the server said: no row: ***"
    assert met.reasons[0] == said
    assert met.rejects[:2] == [b'{"echo": "***"}', b"no row: ***"]
    for known in (SECRET, "first token", "second token"):
        assert known not in repr(met.events) + repr(met.gaps)


def test_what_the_log_is_told_shows_no_secret() -> None:
    """Whoever has found the words: here the receiver before."""
    told: list[Event] = []
    options = Options(url="ws://127.0.0.1/")
    counters = FeedCounters([Counters.create()])

    async def run() -> None:
        intake = Intake(
            FeedDecoder([TRADES], 1),
            counters,
            emit=lambda batch: None,
            finished=lambda: None,
            flush_interval=1.0,
        )
        listener = Listener(intake, max_message_size=1024)
        feed = options.feeds[0]
        side = SideMessages(feed, counters)
        met = connection.Connection(feed, options, listener, counters, told.append, side=side)
        met.redactor.use([SECRET])
        met.stop()
        await met.run(Outage(time.time_ns(), f"it died of {SECRET}"))

    asyncio.run(run())
    (gap,) = told
    assert isinstance(gap, Gap)
    assert gap.reason == "it died of ***"


def test_a_refusal_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_KEY", SECRET)

    def script(peer: RawConnection) -> None:
        peer.read_request()
        peer.send_raw(f"HTTP/1.1 403 {SECRET} is no key\r\n\r\n".encode())

    with RawServer(script) as server:
        url = server.url.replace("://", "://me:${FEED_KEY}@")
        met = meet(url, lambda met: False)
    assert isinstance(met.error, FeedRefused)
    shown = server.url.replace("://", "://***@")
    assert str(met.error) == f"{shown}: the server answered 403 *** is no key"
    assert met.error.__cause__ is None


def test_a_secret_that_cannot_be_read_any_more_is_tried_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("right")

    def lose(peer: RawConnection) -> None:
        peer.handshake()
        token.unlink()
        peer.drop()

    met = _met(
        lose,
        until=lambda met: len(met.reasons) >= 3,
        headers=(f"X-Key: ${{file:{token}}}",),
    )
    assert met.error is None
    assert met.reasons[1:3] == [f"header: the secret's file {token}: No such file or directory"] * 2


def test_a_secret_that_makes_a_header_malformed_is_not_shown(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("two\nlines")
    met = _met(
        RawConnection.stall,
        until=lambda met: len(met.reasons) >= 1,
        headers=(f"X-Key: ${{file:{token}}}",),
    )
    assert met.reasons[0] == "header: the value of 'X-Key' holds a character that no header may"
