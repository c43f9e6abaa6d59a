"""The receiver process: one event loop, and what it wires together.

::

    Connection ──frames──▶ Listener ──batches──▶ Sender ══▶ writer

No call here waits, and the only other thread is the spool's: sockets are read and pings answered
whatever the writer is doing. When the outbox is full, ``--when-full`` says what becomes of the
feed; that is the only thing that the writer can do to it.

The control channel leads to the supervisor: events for its log go up, commands come down, and
nothing is connected before ``go``. ``stop`` ends the run once everything is acknowledged; ``save``
ends it at once, with all that is not acknowledged on disk. When the channel breaks, the supervisor
is gone; the receiver then ends as if told to, but within a bound. What is left in the spool is for
the next start.

The pipe to the writer comes over a socket of its own, and another one each time that there is
another writer. Connections to the feed know nothing of it.
"""

from __future__ import annotations

import asyncio
import enum
import gc
import os
import socket
import sys
import traceback
from multiprocessing.connection import Connection as Pipe
from typing import Any

import msgspec

from fastingest.child import ORPHAN_LIMIT, receive_pipe, show_name
from fastingest.counters import Counters
from fastingest.errors import FeedRefused
from fastingest.options import Options
from fastingest.places import Places
from fastingest.receiver.channel import Channel
from fastingest.receiver.connection import Connection
from fastingest.receiver.decoder import Decoder
from fastingest.receiver.listener import Listener
from fastingest.receiver.loop import ReceiverLoop
from fastingest.receiver.sender import Sender
from fastingest.schema import TRADES
from fastingest.writer.csv_file import OutputLock

__all__ = ["main"]


def main(
    options: Options,
    url: str,
    stream: int,
    gap: tuple[int, str] | None,
    control: Pipe,
    *,
    places: Places,
    counters: Counters,
    pipes: socket.socket,
    lock: OutputLock,
) -> None:
    """Receive until told to stop; the target of the receiver process.

    :param options: the run's settings.
    :param url: the feed (the demo's has been resolved to a real one).
    :param stream: the id of this life of the receiver.
    :param gap: since when, in nanoseconds since the epoch, and why there has been no connection;
        None: there has not been one yet.
    :param control: to the supervisor.
    :param places: where the spool and the spill are.
    :param counters: the shared counters.
    :param pipes: brings the pipe to the writer.
    :param lock: the output's; this process holds it for as long as it lives, since the next start
        takes what is in the spool.
    """
    show_name("receiver")
    _let_enums_be_fast()
    with asyncio.Runner(loop_factory=ReceiverLoop) as runner:
        receiver = _Receiver(options, stream, places, counters)
        runner.run(receiver.run(url, gap, pipes, control))


def _let_enums_be_fast() -> None:
    """Take away what makes enums slow in CPython 3.11, for this process; 3.12 did so for all.

    picows looks an opcode's enum member up for every frame. In 3.11 ``EnumType`` has a
    ``__getattr__``, for members that are no attributes of their class, and none is left. Its mere
    presence sends every look-up through a slow path: 150 ns a frame instead of 50.
    """
    if sys.version_info < (3, 12):
        del enum.EnumType.__getattr__  # type: ignore[attr-defined]  # typeshed leaves it out


class _Receiver:
    def __init__(self, options: Options, stream: int, places: Places, counters: Counters) -> None:
        self._options = options
        self._stream = stream
        self._counters = counters
        self._places = places
        self._save = asyncio.Event()
        self._go = asyncio.Event()
        self._has_been_full = False

    async def run(
        self, url: str, gap: tuple[int, str] | None, pipes: socket.socket, control: Pipe
    ) -> None:
        # Everything so far lives as long as the process; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        sender = self._sender = Sender(
            self._options,
            self._stream,
            self._places,
            self._counters,
            report=self._report,
            full=self._full,
        )
        # A receiver that follows on one that died takes the rows that are left to take.
        max_rows = self._options.max_rows
        if max_rows is not None:
            max_rows = max(0, max_rows - self._counters.rows_received)
        listener = Listener(
            Decoder(TRADES, self._options.batch_size),
            self._counters,
            emit=sender.emit,
            finished=self._finish,
            flush_interval=self._options.flush_interval,
            max_message_size=self._options.max_message_size,
            max_rows=max_rows,
        )
        self._connection = Connection(url, self._options, listener, self._counters, self._report)
        self._to_supervisor = await Channel.open(control, self._command, self._on_orphaned)
        sender.begin()
        pipes.setblocking(False)
        loop.add_reader(pipes, self._on_pipe, pipes)
        await self._go.wait()
        if max_rows == 0:
            self._finish()
        try:
            await self._connection.run(gap)
            self._report("debug", "receiving ended", unacknowledged=sender.unacknowledged)
        except FeedRefused as error:
            self._tell("refused", error.url, error.problem)
        listener.stop()
        await sender.finish(self._save)
        await self._to_supervisor.close()
        # At once: a name look-up that hangs has a thread of libuv's, which an exit would wait for.
        os._exit(0)

    def _on_pipe(self, pipes: socket.socket) -> None:
        pipe, _ = receive_pipe(pipes)
        if pipe is not None:
            self._joining = asyncio.create_task(self._sender.join(pipe))

    def _full(self, is_full: bool) -> None:
        """Do with the feed as --when-full says; dropping is done by the sender."""
        when_full = self._options.when_full
        if not is_full or when_full == "drop":
            self._connection.resume()
        elif when_full == "block":
            self._connection.pause()
        elif not self._has_been_full:
            self._has_been_full = True
            self._tell("full")
            # Not from here: the listener may be in the middle of handing on its batches.
            asyncio.get_running_loop().call_soon(self._connection.stop)

    def _finish(self) -> None:
        self._tell("finished")
        self._connection.stop()

    def _command(self, message: bytes) -> None:
        if message in (b"stop", b"save"):
            self._connection.stop()
        if message == b"save":
            self._save.set()
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
