"""What decides about connections; the connections themselves are in tests/end_to_end."""

from __future__ import annotations

import asyncio
import email.utils
import multiprocessing
import socket
import ssl
import time
from http import HTTPStatus
from typing import Any

import picows
import pytest

from fastingest import Options
from fastingest.batch import Batch
from fastingest.counters import Counters, Slot
from fastingest.receiver import connection
from fastingest.receiver.connection import Connection, ReceiverLoop, Trouble, diagnose
from fastingest.receiver.decoder import Decoder
from fastingest.receiver.listener import Listener
from fastingest.schema import TRADES
from tests.peers.raw import RawConnection, RawServer, Script


def _rejected(status: int, **headers: str) -> picows.WSHandshakeError:
    response = picows.WSUpgradeResponse.create_error_response(status)
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return picows.WSHandshakeError("expected 101", response=response)


@pytest.mark.parametrize("status", [s for s in HTTPStatus if s >= 400])
def test_only_refusals_for_good_are_hopeless(status: HTTPStatus) -> None:
    trouble = diagnose(_rejected(status))
    assert trouble.hopeless == (status in (401, 403, 404, 410))
    assert trouble.reason == f"the server answered {status.value} {status.phrase}"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (" 7 ", 7),
        ("-1", 0),
        ("soon", 0),
        ("", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("9" * 400, 86400),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    assert diagnose(_rejected(429, Retry_After=value)).retry_after == seconds


def test_retry_after_a_date() -> None:
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 98 < diagnose(_rejected(503, Retry_After=date)).retry_after <= 100


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (ConnectionRefusedError(111, "Connection refused"), Trouble("Connection refused")),
        (ConnectionResetError(), Trouble("ConnectionResetError")),
        (TimeoutError(), Trouble("no connection within 10s")),
        (
            socket.gaierror(-2, "Name or service not known"),
            Trouble("the host name has no address: Name or service not known"),
        ),
        (ssl.SSLError(1, "[SSL] bad record"), Trouble("TLS failed: ('[SSL] bad record',)")),
        (
            picows.WSProtocolError(picows.WSCloseCode.MESSAGE_TOO_BIG, "too big"),
            Trouble("closed with code 1009: too big"),
        ),
        (picows.WSError("what"), Trouble("the opening handshake failed: what")),
        (RuntimeError("what"), Trouble("RuntimeError: what")),
    ],
)
def test_troubles_that_are_worth_another_try(error: Exception, trouble: Trouble) -> None:
    found = diagnose(error)
    assert not found.hopeless
    if not isinstance(error, ssl.SSLError):
        assert found == trouble
    assert found.reason


def _events_of(*scripts: Script, until: int, **options: Any) -> list[tuple[str, dict[str, Any]]]:
    """What a connection to the scripts reports, up to its ``until``-th event."""
    events: list[tuple[str, dict[str, Any]]] = []

    async def run(url: str) -> None:
        def report(level: str, event: str, **facts: Any) -> None:
            events.append((event, facts))
            if len(events) == until:
                feed.stop()

        batches: list[Batch] = []
        counters = Counters.create(multiprocessing.get_context("spawn"))
        listener = Listener(
            Decoder(TRADES, batch_size=10),
            counters,
            emit=batches.append,
            finished=lambda: None,
            flush_interval=0.05,
            max_message_size=1000,
        )
        feed = Connection(url, Options(url=url, **options), listener, counters, report)
        await asyncio.wait_for(feed.run(), 30)
        assert counters[Slot.RECEIVED] == sum(batch.rows for batch in batches)

    with RawServer(*scripts) as server, asyncio.Runner(loop_factory=ReceiverLoop) as runner:
        runner.run(run(server.url))
    return events


def test_a_handshake_that_is_not_answered_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_CONNECT_TIMEOUT", 0.1)
    events = _events_of(RawConnection.stall, until=2, reconnect_initial=0.0)
    assert [event for event, _ in events] == ["no connection"] * 2
    assert {facts["reason"] for _, facts in events} == {"no connection within 100ms"}


@pytest.mark.parametrize(("healthy", "starts_over"), [(60.0, False), (0.0, True)])
def test_the_waits_start_over_after_a_healthy_time(
    monkeypatch: pytest.MonkeyPatch, healthy: float, starts_over: bool
) -> None:
    """Told from the generators that are made: one for the run, and one after each success."""
    made: list[float] = []

    def delays(initial: float, maximum: float) -> Any:
        made.append(initial)
        return iter([0.0] * 100)

    def drop(peer: RawConnection) -> None:
        peer.handshake()
        peer.drop()

    monkeypatch.setattr(connection, "HEALTHY", healthy)
    monkeypatch.setattr(connection, "delays", delays)
    events = _events_of(drop, until=7)
    lost = [event for event, _ in events].count("no connection")
    assert lost >= 2
    assert len(made) == (1 + lost if starts_over else 1)
