"""A listener under picows, and a real server that it listens to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import picows

from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.model.batch import Batch, Reject
from fastingest.model.schema import TRADES, Schema
from fastingest.native.factory import reader_with
from fastingest.native.parse_plan import plan_of
from fastingest.source.documents import Documents
from fastingest.source.intake import Intake, Limit
from fastingest.source.listener import Listener
from fastingest.source.loop import ReceiverLoop
from tests.peers.raw import RawConnection, RawServer
from tests.support.native import native_module

__all__ = ["Heard", "Listen", "hear", "native_parser", "record"]


def native_parser(schema: Schema = TRADES) -> Any:
    """What reads a table natively; the test is skipped where it was not built."""
    parser = native_module("_parser")
    native_module("_listener")
    return parser.RowParser(plan_of(schema))


@dataclass
class Heard:
    """What came of a connection."""

    batches: list[Batch] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters.create)
    finished: int = 0
    error: BaseException | None = None

    @property
    def volumes(self) -> list[Any]:
        return [v for batch in self.batches if batch.rows for v in batch.columns()[2]]

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        columns = [batch.columns() for batch in self.batches if batch.rows]
        return [row for each in columns for row in zip(*each, strict=True)]

    @property
    def rejected(self) -> list[Reject]:
        return [reject for batch in self.batches for reject in batch.rejects]

    @property
    def rejects(self) -> list[bytes]:
        return [reject.raw for batch in self.batches for reject in batch.rejects]


def record(number: int, padding: int = 0) -> bytes:
    return b'{"symbol": "A", "price": 1, "volume": %d}' % number + b" " * padding


Listen = Callable[..., Heard]
""":func:`hear`, by one of the listeners."""


def hear(
    *sends: bytes,
    native: bool = False,
    batch_size: int = 1000,
    flush_interval: float = 3600,
    max_message_size: int = 10_000,
    max_rows: int | None = None,
    until: Callable[[Heard], bool] | None = None,
    heard: Heard | None = None,
    schema: Schema = TRADES,
    ignore: Iterable[str] = (),
    documents: Documents | None = None,
) -> Heard:
    """Listen to what a server sends, each part in a segment of its own, until it ends it.

    :param native: by the native listener.
    :param until: the server ends it when this holds; None: after the last part.
    :param heard: what is filled; None: a new one.
    :param schema: the table that is read.
    :param ignore: texts that are neither row nor reject.
    :param documents: finds them in messages; None: they are.
    """
    heard = heard or Heard()

    def script(connection: RawConnection) -> None:
        connection.handshake()
        for part in sends:
            connection.send_raw(part)
        if until is None:
            connection.drop()
        else:
            connection.stall()

    async def run(url: str) -> None:
        def finish() -> None:
            heard.finished += 1

        intake = Intake(
            FeedDecoder([schema], batch_size, ignore=ignore),
            FeedCounters([heard.counters]),
            emit=heard.batches.append,
            finished=finish,
            flush_interval=flush_interval,
            limit=Limit(max_rows),
        )
        listener = Listener(
            intake,
            max_message_size=max_message_size,
            make_reader=reader_with(native_parser(schema), documents) if native else None,
            documents=documents,
        )
        transport, _ = await picows.ws_connect(
            lambda: listener.front,
            url,
            enable_auto_pong=False,
            max_frame_size=max_message_size,
            use_aiofastnet=False,
        )
        while until is not None and not until(heard):
            await asyncio.sleep(0.001)  # between two looks
        if until is not None:
            transport.disconnect()
        try:
            await transport.wait_disconnected()
        except picows.WSError as error:
            heard.error = error

    with RawServer(script) as server, asyncio.Runner(loop_factory=ReceiverLoop) as runner:
        runner.run(asyncio.wait_for(run(server.url), 30))
    assert server.errors == []
    assert heard.counters[Slot.RECEIVED] == len(heard.rows) + len(heard.rejects)
    assert heard.counters[Slot.REJECTED] == len(heard.rejects)
    return heard
