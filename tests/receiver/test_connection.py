"""What decides about connections; the connections themselves are in tests/end_to_end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastingest import Options
from fastingest.batch import Batch
from fastingest.counters import Counters, Slot
from fastingest.receiver import connection
from fastingest.receiver.connection import Connection
from fastingest.receiver.decoder import Decoder
from fastingest.receiver.listener import Listener
from fastingest.receiver.loop import ReceiverLoop
from fastingest.schema import TRADES
from tests.peers.raw import RawConnection, RawServer, Script


def _events_of(*scripts: Script, until: int, **options: Any) -> list[tuple[str, dict[str, Any]]]:
    """What a connection to the scripts reports, up to its ``until``-th event."""
    events: list[tuple[str, dict[str, Any]]] = []

    async def run(url: str) -> None:
        def report(level: str, event: str, **facts: Any) -> None:
            events.append((event, facts))
            if len(events) == until:
                feed.stop()

        batches: list[Batch] = []
        counters = Counters.create()
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
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.1)
    events = _events_of(RawConnection.stall, until=2, reconnect_initial=0.001)
    assert [event for event, _ in events] == ["no connection"] * 2
    assert {facts["reason"] for _, facts in events} == {"no answer in time"}


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
