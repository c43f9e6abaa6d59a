"""A feed's connection in this process, against real servers: what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from fastingest import Options
from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.model.batch import Batch
from fastingest.model.event import Event
from fastingest.native.factory import reader_of
from fastingest.source.base import SourceObserver
from fastingest.source.connection import Connection
from fastingest.source.events import Connected, NoConnection
from fastingest.source.intake import Intake
from fastingest.source.listener import Listener
from fastingest.source.loop import ReceiverLoop
from fastingest.source.side_messages import SideMessages
from tests.support.hearing import native_parser
from tests.support.patience import LIMIT
from tests.support.serving import record

__all__ = ["Met", "meet", "record"]


@dataclass
class Met:
    """What came of a connection so far."""

    events: list[Event] = field(default_factory=list)
    """What the log is told."""
    gaps: list[tuple[int, float, str]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters.create)
    error: Exception | None = None
    """What :meth:`Connection.run` has raised."""

    @property
    def volumes(self) -> list[Any]:
        return [v for batch in self.batches if batch.rows for v in batch.columns()[2]]

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        columns = [batch.columns() for batch in self.batches if batch.rows]
        return [row for each in columns for row in zip(*each, strict=True)]

    @property
    def rejects(self) -> list[bytes]:
        return [reject.raw for batch in self.batches for reject in batch.rejects]

    @property
    def reasons(self) -> list[str]:
        """Why there was no connection, each time."""
        return [each.reason for each in self.events if isinstance(each, NoConnection)]

    @property
    def connected(self) -> int:
        return sum(isinstance(each, Connected) for each in self.events)


class _Gaps(SourceObserver):
    def __init__(self, met: Met) -> None:
        self._met = met

    def gap_ended(self, start_ns: int, seconds: float, reason: str) -> None:
        self._met.gaps.append((start_ns, seconds, reason))


def meet(
    url: str,
    until: Callable[[Met], bool],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = ReceiverLoop,
    options: dict[str, Any] | None = None,
    native: bool = False,
    **feed: Any,
) -> Met:
    """Stay connected to ``url`` until ``until`` holds.

    :param options: of the run.
    :param native: by the native listener.
    :param feed: more of what a feed has.
    """
    met = Met()
    quick = {"reconnect_initial": 0.001, "reconnect_max": 0.01, "flush_interval": 0.01}
    if native:
        native_parser()
    made = Options(url=("ws://127.0.0.1/",), **{**quick, **(options or {})})

    async def run() -> None:
        counters = FeedCounters([met.counters])
        described = replace(made.feeds[0], name="feed", url=url, **feed)
        schemas = [table.schema for table in described.tables]
        side = SideMessages(described, counters)
        intake = Intake(
            FeedDecoder(schemas, 100, ignore=described.ignore),
            counters,
            emit=met.batches.append,
            finished=lambda: None,
            flush_interval=made.flush_interval,
            side=side,
        )
        make_reader = reader_of(described) if native else None
        listener = Listener(intake, max_message_size=made.max_message_size, make_reader=make_reader)
        connection = Connection(
            described,
            made,
            listener,
            counters,
            met.events.append,
            side=side,
            observer=_Gaps(met),
        )
        running = asyncio.create_task(connection.run())
        while not until(met) and not running.done():
            await asyncio.sleep(0.001)  # between two looks
        connection.stop()
        try:
            await running
        except Exception as error:
            met.error = error

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(asyncio.wait_for(run(), LIMIT))
    ledger = met.counters.ledger
    assert ledger.received == len(met.rows) + len(met.rejects) + ledger.ignored
    assert met.counters[Slot.MESSAGES] == met.counters[Slot.DECODED]
    return met
