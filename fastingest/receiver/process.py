"""The receiver process: one event loop, and what it wires together.

::

    Connection ──frames──▶ Listener ──batches──▶ Outbox ──wire form──▶ Channel ══▶ writer
                                                   ▲                      │
                                                   └── acknowledgements ──┘

No call here blocks and there is no second thread: sockets are read and pings answered whatever the
writer is doing. When the outbox is full, the sockets are left unread until it has room; that is the
only thing that the writer can do to the feed.

The control channel leads to the supervisor: events for its log go up, ``go`` and ``stop`` come
down, and nothing is connected before ``go``. When it breaks, the supervisor is gone; the receiver
then ends as if told to, but within a bound.
"""

from __future__ import annotations

import asyncio
import enum
import gc
import os
import secrets
import sys
import traceback
from multiprocessing.connection import Connection as Pipe
from typing import Any

import msgspec

from fastingest.batch import Batch
from fastingest.child import ORPHAN_LIMIT, show_name
from fastingest.counters import Counters, Slot
from fastingest.errors import FeedRefused
from fastingest.options import Options
from fastingest.receiver.channel import Channel
from fastingest.receiver.connection import Connection
from fastingest.receiver.decoder import Decoder
from fastingest.receiver.listener import Listener
from fastingest.receiver.loop import ReceiverLoop
from fastingest.receiver.outbox import Outbox
from fastingest.schema import TRADES

__all__ = ["main"]

OUTBOX_LIMIT = 32 * 2**20
"""Bytes of batches that may wait for the writer before the sockets are left unread."""


def main(options: Options, url: str, pipe: Pipe, control: Pipe, block: Any) -> None:
    """Receive until told to stop; the target of the receiver process.

    :param options: the run's settings.
    :param url: the feed (the demo's has been resolved to a real one).
    :param pipe: to the writer.
    :param control: to the supervisor.
    :param block: the shared counters.
    """
    show_name("receiver")
    _let_enums_be_fast()
    with asyncio.Runner(loop_factory=ReceiverLoop) as runner:
        runner.run(_Receiver(options, Counters(block)).run(url, pipe, control))


def _let_enums_be_fast() -> None:
    """Take away what makes enums slow in CPython 3.11, for this process; 3.12 did so for all.

    picows looks an opcode's enum member up for every frame. In 3.11 ``EnumType`` has a
    ``__getattr__``, for members that are no attributes of their class, and none is left. Its mere
    presence sends every look-up through a slow path: 150 ns a frame instead of 50.
    """
    if sys.version_info < (3, 12):
        del enum.EnumType.__getattr__  # type: ignore[attr-defined]  # typeshed leaves it out


class _Receiver:
    def __init__(self, options: Options, counters: Counters) -> None:
        self._options = options
        self._counters = counters
        self._outbox = Outbox(secrets.randbits(63), OUTBOX_LIMIT)
        self._empty = asyncio.Event()
        self._empty.set()
        self._writer_gone = asyncio.Event()
        self._go = asyncio.Event()

    async def run(self, url: str, pipe: Pipe, control: Pipe) -> None:
        # Everything so far lives as long as the process; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        asyncio.get_running_loop().set_exception_handler(self._unexpected)
        listener = Listener(
            Decoder(TRADES, self._options.batch_size),
            self._counters,
            emit=self._emit,
            finished=self._finish,
            flush_interval=self._options.flush_interval,
            max_message_size=self._options.max_message_size,
            max_rows=self._options.max_rows,
        )
        self._connection = Connection(url, self._options, listener, self._counters, self._report)
        self._to_writer = await Channel.open(pipe, self._acknowledged, self._on_writer_gone)
        self._to_supervisor = await Channel.open(control, self._command, self._on_orphaned)
        await self._go.wait()
        try:
            await self._connection.run()
            self._report("debug", "receiving ended", unacknowledged=len(self._outbox))
        except FeedRefused as error:
            self._tell("refused", error.url, error.problem)
        listener.stop()
        gone = asyncio.create_task(self._writer_gone.wait())
        empty = asyncio.create_task(self._empty.wait())
        await asyncio.wait((gone, empty), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        empty.cancel()
        await self._to_writer.close()
        await self._to_supervisor.close()
        # At once: a name look-up that hangs has a thread of libuv's, which an exit would wait for.
        os._exit(0)

    def _emit(self, batch: Batch) -> None:
        self._to_writer.send(self._outbox.add(batch))
        self._empty.clear()
        self._outbox_changed()

    def _acknowledged(self, message: bytes) -> None:
        stream, sequence = msgspec.msgpack.decode(message)
        if stream == self._outbox.stream:
            self._outbox.acknowledge(sequence)
            self._outbox_changed()
            if not self._outbox:
                self._empty.set()

    def _outbox_changed(self) -> None:
        self._counters[Slot.OUTBOX_BYTES] = self._outbox.bytes
        self._counters[Slot.OUTBOX_PEAK] = self._outbox.peak
        if self._outbox.is_full:
            self._connection.pause()
        else:
            self._connection.resume()

    def _finish(self) -> None:
        self._tell("finished")
        self._connection.stop()

    def _command(self, message: bytes) -> None:
        if message == b"stop":
            self._connection.stop()
        self._go.set()

    def _on_writer_gone(self) -> None:
        """Nothing more can be written, so nothing more may be received."""
        self._writer_gone.set()
        self._connection.stop()
        self._go.set()

    def _on_orphaned(self) -> None:
        asyncio.get_running_loop().call_later(ORPHAN_LIMIT, os._exit, 1)
        self._connection.stop()
        self._go.set()

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that met nobody: a bug, here or in a library; the connection it hit ends."""
        error = context.get("exception")
        trace = "".join(traceback.format_exception(error)) if error else ""
        self._report("error", "internal error", what=context["message"], traceback=trace)

    def _report(self, level: str, event: str, **facts: Any) -> None:
        self._tell("log", level, event, facts)

    def _tell(self, kind: str, *values: Any) -> None:
        self._to_supervisor.send(msgspec.msgpack.encode((kind, *values)))
