"""A connection to a server that misbehaves, with each of the two readers.

It is in this process; whole runs against such servers are in tests/end_to_end/test_connection.py.
"""

from __future__ import annotations

import contextlib
import email.utils
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fastingest import FeedRefused
from fastingest.source.events import Gap, NoConnection
from fastingest.units import parse_duration
from tests.peers.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawConnection,
    RawServer,
    Script,
    frame,
)
from tests.support.hearing import native_parser
from tests.support.meeting import Met, meet
from tests.support.serving import answer_close, record, serve


@pytest.fixture(params=[False, True], ids=["python", "native"])
def native(request: pytest.FixtureRequest) -> bool:
    """Whether the native listener reads; skipped where there is none."""
    if request.param:
        native_parser()
    return bool(request.param)


def _until_rows(count: int, *scripts: Script, native: bool = False, **options: Any) -> Met:
    """Stay connected to a server of these scripts until there are so many rows."""
    with RawServer(*scripts) as server:
        met = meet(
            server.url,
            until=lambda met: len(met.volumes) >= count,
            native=native,
            options=options,
        )
    assert server.errors == []
    assert met.error is None
    return met


# Losing the connection


def drop(connection: RawConnection) -> None:
    connection.handshake()
    connection.send_text(record(1))
    connection.drop()


def _reset(connection: RawConnection) -> None:
    connection.handshake()
    connection.send_text(record(1))
    connection.recv_frame(30)  # the client's ping says that it has read the row
    connection.reset()


def _close_with(code: int, reason: str) -> Script:
    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        connection.close(code, reason)

    return script


def _close_without_code(connection: RawConnection) -> None:
    connection.handshake(then=frame(TEXT, record(1)) + frame(CLOSE))
    answer_close(connection)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (drop, "the server broke the connection off without a close frame"),
        (_reset, "the server broke the connection off without a close frame"),
        (_close_without_code, "the server closed with no code"),
        *(
            (_close_with(code, reason), f"the server closed with code {code}{said}")
            for code, reason, said in [
                (1000, "", ""),
                (1001, "going", ": going"),
                (1008, "policy", ": policy"),
                (1011, "", ""),
                (1012, "", ""),
                (1013, "", ""),
                (3000, "", ""),
                (4999, "é", ": é"),
            ]
        ),
    ],
)
def test_a_lost_connection_is_made_again(script: Script, reason: str, native: bool) -> None:
    met = _until_rows(2, script, serve(2), native=native, ping_interval=0.1)
    assert met.volumes == [1, 2]
    assert met.connected == 2
    (lost,) = [event for event in met.events if isinstance(event, NoConnection)]
    assert lost.reason == reason
    assert "retry_in" in lost.fields
    ((start, length, why),) = met.gaps
    assert why == reason
    assert 0 <= length < 30
    assert abs(time.time() - start / 1e9) < 60


@pytest.mark.parametrize("code", [1000, 1001, 3999])
def test_a_close_frame_is_answered_with_its_code(code: int, native: bool) -> None:
    answers: list[bytes] = []

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_frame(CLOSE, struct.pack("!H", code))
        received = connection.recv_frame()
        assert received is not None
        assert received[0] == CLOSE
        answers.append(received[1])

    _until_rows(1, script, serve(1), native=native)
    assert answers == [struct.pack("!H", code)]


def test_gaps_do_not_overlap() -> None:
    """Connections that bring nothing: each gap begins when its own connection was lost."""

    def nothing(connection: RawConnection) -> None:
        connection.handshake()
        connection.drop()

    met = _until_rows(2, drop, nothing, nothing, nothing, serve(2))
    assert len(met.gaps) == 4
    starts = [start for start, _, _ in met.gaps]
    assert starts == sorted(set(starts))
    assert sum(length for _, length, _ in met.gaps) < 30


# Failing to connect


def _reject(status: int, **headers: str) -> Script:
    def script(connection: RawConnection) -> None:
        connection.reject(status, {name.replace("_", "-"): v for name, v in headers.items()})

    return script


def _wrong_accept(connection: RawConnection) -> None:
    connection.handshake(accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA=")


def _not_http(connection: RawConnection) -> None:
    connection.read_request()
    connection.send_raw(b"220 mail.example ESMTP\r\n\r\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (_reject(500), "the server answered 500 Internal Server Error"),
        (_reject(502), "the server answered 502 Bad Gateway"),
        (_reject(429), "the server answered 429 Too Many Requests"),
        (_reject(200), "the server answered 200 OK, and is no WebSocket endpoint"),
        (
            _wrong_accept,
            "the opening handshake failed: cannot upgrade, invalid sec-websocket-accept response",
        ),
        (
            _not_http,
            "the opening handshake failed: its answer is no HTTP: 220 mail.example ESMTP",
        ),
        (lambda connection: connection.reset(), "Connection reset by peer"),
        (
            lambda connection: connection.drop(),
            "the opening handshake failed: the server closed the connection",
        ),
    ],
)
def test_a_failed_attempt_is_repeated(script: Script, reason: str) -> None:
    met = _until_rows(1, script, script, serve(1))
    assert met.reasons == [reason] * 2
    assert [event.reason for event in met.events if isinstance(event, Gap)] == [reason]
    assert len(met.gaps) == 1  # for all attempts


def test_retry_after_is_honoured() -> None:
    """Whatever is waited for is waited for at the same time."""

    def waited(case: tuple[int, str]) -> float:
        status, form = case
        tried: list[float] = []

        def script(connection: RawConnection) -> None:
            now = time.time()
            tried.append(now)
            # a date and a time have whole seconds, so two of them are at least one
            after = {
                "seconds": "1",
                "date": email.utils.formatdate(now + 2, usegmt=True),
                "time": str(int(now + 2)),
                "time in ms": str(int(now * 1000) + 1000),
            }[form]
            connection.reject(status, {"Retry-After": after})

        def then(connection: RawConnection) -> None:
            tried.append(time.time())
            serve(1)(connection)

        _until_rows(1, script, then)
        return tried[1] - tried[0]

    forms = ("seconds", "date", "time", "time in ms")
    cases = [(status, form) for status in (429, 503) for form in forms]
    with ThreadPoolExecutor(len(cases)) as threads:
        for case, seconds in zip(cases, threads.map(waited, cases), strict=True):
            assert seconds >= 0.99, case


def test_a_wait_that_no_server_can_mean_is_none() -> None:
    met = _until_rows(1, _reject(429, Retry_After=str(10**13)), serve(1))
    (lost,) = (event for event in met.events if isinstance(event, NoConnection))
    assert parse_duration(lost.retry_in) < 1


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (403, b'{"error":\n "no \x1b[1mkey"}', '403 Forbidden: {"error": "no \\x1b[1mkey"}'),
        (451, b"<html><title>Not in your country</title></html>", ": Not in your country"),
        (418, b"x" * 1000, ": " + "x" * 200 + "…"),
        (
            503,
            b"<html>\n<head><title>503 Service Temporarily Unavailable</title></head></html>",
            "503 Service Unavailable: 503 Service Temporarily Unavailable",
        ),
        (
            200,
            b"<!DOCTYPE html><title>Welcome</title>",
            "the server answered 200 OK, and is no WebSocket endpoint: Welcome",
        ),
    ],
)
def test_a_refusal_is_quoted(status: int, body: bytes, says: str) -> None:
    with RawServer(lambda connection: connection.reject(status, body=body)) as server:
        met = meet(server.url, until=lambda met: bool(met.reasons))
    assert (met.reasons[0] if met.reasons else str(met.error)).endswith(says)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_at_the_first_connect_is_final(status: int) -> None:
    with RawServer(_reject(status)) as server:
        met = meet(server.url, until=lambda met: False)
        assert server.connections == 1
    assert isinstance(met.error, FeedRefused)
    assert f"{server.url}: the server answered {status}" in str(met.error)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_after_a_good_connection_is_retried(status: int) -> None:
    assert _until_rows(2, drop, _reject(status), serve(2)).volumes == [1, 2]


def test_an_old_http_version_can_refuse_as_well() -> None:
    def refuse(connection: RawConnection) -> None:
        connection.read_request()
        connection.send_raw(b"HTTP/1.0 404 Not Found\r\n\r\n")
        connection.drop()

    with RawServer(refuse) as server:
        met = meet(server.url, until=lambda met: False)
    assert isinstance(met.error, FeedRefused)
    assert "the server answered 404 Not Found" in str(met.error)


# A connection that is dead without saying so


def test_a_half_open_connection_is_found_by_ping(native: bool) -> None:
    pings: list[int] = []

    def stall(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        received = connection.recv_frame(30)
        pings.append(received[0] if received else -1)
        connection.stall()

    met = _until_rows(2, stall, serve(2), native=native, ping_interval=0.2)
    assert pings == [PING]
    assert met.reasons == ["no answer to a ping for 200ms"]
    assert met.volumes == [1, 2]


def test_a_feed_that_only_answers_pings_is_found_by_idle_timeout(native: bool) -> None:
    def answer_pings(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        while (received := connection.recv_frame(30)) is not None:
            if received[0] == PING:
                connection.send_frame(PONG, received[1])

    timing = {"ping_interval": 0.1, "idle_timeout": 0.6}
    met = _until_rows(2, answer_pings, serve(2), native=native, **timing)
    assert met.reasons == ["no row for 600ms; only control frames came"]


def test_a_server_that_answers_pings_keeps_its_connection(native: bool) -> None:
    answered = threading.Event()

    def answer_pings(connection: RawConnection) -> None:
        connection.handshake()
        for _ in range(5):
            received = connection.recv_frame(30)
            assert received is not None
            assert received[0] == PING
            connection.send_frame(PONG, received[1])
        answered.set()
        connection.send_text(record(1))
        answer_close(connection)

    met = _until_rows(1, answer_pings, native=native, ping_interval=0.05)
    assert answered.is_set()
    assert met.reasons == []


def test_a_message_may_take_longer_than_a_ping(native: bool) -> None:
    """A server cannot answer a ping in the middle of a frame."""
    message = b'{"symbol": "' + b"x" * 30_000 + b'", "price": 1}'

    def trickle(connection: RawConnection) -> None:
        connection.handshake()
        data = frame(TEXT, message)
        for start in range(0, len(data), 1000):
            connection.send_raw(data[start : start + 1000])
            time.sleep(0.03)  # a slow link: this is what is tested
        answer_close(connection)

    assert _until_rows(1, trickle, native=native, ping_interval=0.2).reasons == []


# Frames


def test_split_messages_are_put_together(native: bool) -> None:
    message = '{"symbol": "é€", "price": 1.5, "volume": 2}'.encode()

    def script(connection: RawConnection) -> None:
        connection.handshake()
        for opcode in (TEXT, BINARY):
            # byte by byte, so that characters are split as well; with control frames in between
            connection.send_frame(opcode, message[:1], fin=False)
            for byte in message[1:-1]:
                connection.send_frame(CONTINUATION, bytes([byte]), fin=False)
                connection.send_frame(PONG)
            connection.ping()
            connection.send_frame(CONTINUATION, message[-1:])
        connection.send_frame(TEXT, b"", fin=False)
        connection.send_frame(CONTINUATION, record(3))
        connection.send_frame(BINARY, record(4))
        answer_close(connection)

    met = _until_rows(4, script, native=native)
    assert met.rows == [("é€", 1.5, 2)] * 2 + [("A", 1.5, 3), ("A", 1.5, 4)]


def _too_large(connection: RawConnection) -> None:
    connection.send_text(b'{"symbol": "' + b"x" * 2000 + b'", "price": 1}')


def _too_large_in_fragments(connection: RawConnection) -> None:
    connection.send_frame(TEXT, b"x" * 600, fin=False)
    connection.send_frame(CONTINUATION, b"x" * 600)


def _new_message_inside_another(connection: RawConnection) -> None:
    connection.send_raw(
        frame(TEXT, b"x", fin=False) + frame(TEXT, record(90)) + frame(TEXT, record(91))
    )


def _continuation_of_nothing(connection: RawConnection) -> None:
    connection.send_raw(frame(CONTINUATION, record(90)) + frame(TEXT, record(91)))


@pytest.mark.parametrize(
    ("misbehave", "code"),
    [
        (_too_large, 1009),
        (_too_large_in_fragments, 1009),
        (_new_message_inside_another, 1002),
        (_continuation_of_nothing, 1002),
        (lambda connection: connection.send_frame(0x3, record(90)), 1002),
        (lambda connection: connection.send_frame(TEXT, record(90), masked=True), 1002),
    ],
)
def test_a_broken_protocol_closes_with_its_code_and_reconnects(
    misbehave: Callable[[RawConnection], None], code: int, native: bool
) -> None:
    codes: list[int] = []

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        misbehave(connection)
        with contextlib.suppress(OSError):
            connection.send_text(record(92))  # comes too late, or never
        received = connection.recv_frame()
        assert received is not None
        assert received[0] == CLOSE
        codes.append(*struct.unpack_from("!H", received[1]))

    def has_second(met: Met) -> bool:
        return 2 in met.volumes and bool(codes)

    with RawServer(script, serve(2)) as server:
        met = meet(server.url, until=has_second, native=native, options={"max_message_size": 1024})
    assert server.errors == []
    assert codes == [code]
    assert f"closed with code {code}" in met.reasons[0]
    assert [volume for volume in met.volumes if volume < 90] == [1, 2]
    assert 90 not in met.volumes
    assert 91 not in met.volumes


def test_a_message_just_small_enough_is_taken(native: bool) -> None:
    message = b'{"symbol": "' + b"x" * 1000 + b'", "price": 1}'

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(message)
        connection.send_frame(TEXT, message[:500], fin=False)
        connection.send_frame(CONTINUATION, message[500:])
        answer_close(connection)

    met = _until_rows(2, script, native=native, max_message_size=len(message))
    assert met.rows == [("x" * 1000, 1.0, None)] * 2
