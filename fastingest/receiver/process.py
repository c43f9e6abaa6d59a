"""The receiver process: one event loop, and what it wires together.

::

    Connection ──frames──▶ Listener ──batches──▶ Outbox ──wire form──▶ Channel ══▶ writer
                                               │   ▲                      │
                                             Spool └── acknowledgements ──┘

No call here waits, and the only other thread is the spool's: sockets are read and pings answered
whatever the writer is doing. When the outbox is full, ``--when-full`` says what becomes of the
feed; that is the only thing that the writer can do to it.

The control channel leads to the supervisor: events for its log go up, commands come down, and
nothing is connected before ``go``. ``stop`` ends the run once everything is acknowledged; ``save``
ends it at once, with all that is not acknowledged on disk. When the channel breaks, the supervisor
is gone; the receiver then ends as if told to, but within a bound. What is left in the spool is for
the next start.

The pipe to the writer comes over a socket of its own, and another one each time that there is
another writer. Its first message says up to where that writer has come; the outbox sends what
follows. Connections to the feed know nothing of it.
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
from pathlib import Path
from typing import Any

import msgspec

from fastingest.batch import Batch
from fastingest.child import ORPHAN_LIMIT, receive_pipe, show_name
from fastingest.counters import Counters, Slot
from fastingest.errors import FeedRefused
from fastingest.options import Options
from fastingest.places import Places
from fastingest.receiver.channel import Channel
from fastingest.receiver.connection import Connection
from fastingest.receiver.decoder import Decoder
from fastingest.receiver.listener import Listener
from fastingest.receiver.loop import ReceiverLoop
from fastingest.receiver.outbox import Held, Level, Outbox, Place, Segment
from fastingest.receiver.spool import Spool
from fastingest.schema import TRADES
from fastingest.writer.csv_file import OutputLock

__all__ = ["main"]

RETRY_SPILL = 1.0
"""Seconds until the spill is tried again after an error."""

_KIB, _MIB = 2**10, 2**20


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


def _room_in(spool: Path) -> int:
    """Bytes that the spool may take: in a container /dev/shm is small, and not ours alone."""
    try:
        space = os.statvfs(spool)
    except OSError:  # it is gone; then batches stay in this process's own memory
        return 2**63
    return space.f_bavail * space.f_frsize * 3 // 4


class _Receiver:
    def __init__(self, options: Options, stream: int, places: Places, counters: Counters) -> None:
        self._options = options
        self._stream = stream
        self._places = places
        self._counters = counters
        self._room = _room_in(places.spool)
        limit = min(options.memory_limit, max(self._room, 4 * _MIB))
        self._outbox = Outbox(
            memory_limit=limit,
            spill_limit=options.spill_limit,
            segment_size=max(min(max(limit // 16, 256 * _KIB), 4 * _MIB), limit // 256),
            window=min(limit // 4, 4 * _MIB),
        )
        self._level = Level.MEMORY
        self._dropped = 0  # since it was last logged
        self._spill_failed = False
        self._saving = False
        self._saved = asyncio.Event()
        self._channel: Channel | None = None
        self._linked = False  # whether the writer has said up to where it has come
        self._empty = asyncio.Event()
        self._empty.set()
        self._save = asyncio.Event()
        self._go = asyncio.Event()

    async def run(
        self, url: str, gap: tuple[int, str] | None, pipes: socket.socket, control: Pipe
    ) -> None:
        # Everything so far lives as long as the process; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        self._call_later = loop.call_later
        self._spool = Spool(
            self._stream,
            self._places.spool if self._options.journal == "on" else None,
            self._places.spill,
            min_free=self._options.min_free,
            sync=self._options.fsync is not None,
            report=self._report,
        )
        # A receiver that follows on one that died takes the rows that are left to take.
        max_rows = self._options.max_rows
        if max_rows is not None:
            max_rows = max(0, max_rows - self._counters.rows_received)
        listener = Listener(
            Decoder(TRADES, self._options.batch_size),
            self._counters,
            emit=self._emit,
            finished=self._finish,
            flush_interval=self._options.flush_interval,
            max_message_size=self._options.max_message_size,
            max_rows=max_rows,
        )
        self._connection = Connection(url, self._options, listener, self._counters, self._report)
        self._to_supervisor = await Channel.open(control, self._command, self._on_orphaned)
        pipes.setblocking(False)
        loop.add_reader(pipes, self._on_pipe, pipes)
        if self._room < self._options.memory_limit:
            self._report("warning", "the spool has less room than --memory-limit", room=self._room)
        await self._go.wait()
        if max_rows == 0:
            self._finish()
        try:
            await self._connection.run(gap)
            self._report("debug", "receiving ended", unacknowledged=len(self._outbox))
        except FeedRefused as error:
            self._tell("refused", error.url, error.problem)
        listener.stop()
        empty = asyncio.create_task(self._empty.wait())
        save = asyncio.create_task(self._save.wait())
        await asyncio.wait((empty, save), return_when=asyncio.FIRST_COMPLETED)
        empty.cancel()
        save.cancel()
        if not self._empty.is_set():
            self._saving = True
            self._save_next()
            await self._saved.wait()
        if self._channel is not None:
            await self._channel.close()
        await self._to_supervisor.close()
        # At once: a name look-up that hangs has a thread of libuv's, which an exit would wait for.
        os._exit(0)

    # Batches

    def _emit(self, batch: Batch) -> None:
        if self._level is Level.FULL and self._options.when_full == "drop":
            self._drop(batch.count)
            return
        outbox = self._outbox
        batch.stream, batch.sequence = self._stream, outbox.next_sequence
        wire = batch.to_bytes()
        held = outbox.add(len(wire), batch.count)
        self._spool.append(held, wire)
        self._empty.clear()
        if outbox.next_to_send() is held:
            self._send(held, wire)
        self._changed()

    def _drop(self, count: int) -> None:
        self._counters.add(Slot.DROPPED, count)
        if not self._dropped:
            self._call_later(1.0, self._report_dropped)
        self._dropped += count

    def _report_dropped(self) -> None:
        self._report("warning", "rows dropped, the outbox is full", rows=self._dropped)
        self._dropped = 0

    def _send(self, held: Held, wire: bytes) -> None:
        if self._channel is not None:  # as it is whenever the outbox has anything to send
            self._channel.send(wire)
            self._outbox.sent(held)

    def _send_more(self) -> None:
        """Send what there is, as far as the window goes; what is on disk must be loaded first."""
        while (held := self._outbox.next_to_send()) is not None:
            try:
                wire = self._spool.read(held)
            except OSError as error:
                self._abandon(held.segment, error)
                continue
            if wire is None:
                self._spool.unload(held.segment)
                self._spool.load(held.segment, self._loaded)
                return
            self._send(held, wire)

    def _loaded(self, segment: Segment, error: OSError | None) -> None:
        if error is not None:
            self._abandon(segment, error)
        self._send_more()
        self._changed()

    def _abandon(self, segment: Segment, error: OSError) -> None:
        """Rows that cannot be read any more are lost; they must not hold up the others."""
        rows = sum(held.rows for held in self._outbox.abandon(segment))
        self._counters.add(Slot.UNREADABLE, rows)
        problem = error.strerror or str(error)
        self._report("error", "rows in the spill cannot be read", rows=rows, problem=problem)
        if segment.place is Place.GONE:  # and not where some of it is on its way to the writer
            self._spool.free(segment)

    def _acknowledged(self, channel: Channel, message: bytes) -> None:
        if channel is not self._channel:
            return
        stream, sequence = msgspec.msgpack.decode(message)
        if stream != self._stream:
            sequence = -1  # the writer has nothing of this stream yet
        if self._linked:
            freed = self._outbox.acknowledge(sequence)
        else:
            self._linked = True
            freed = self._outbox.link(sequence)
        for segment in freed:
            self._spool.free(segment)
        self._send_more()
        self._changed()
        if not self._outbox:
            self._empty.set()

    def _changed(self) -> None:
        """Act on what the outbox holds now."""
        outbox, counters = self._outbox, self._counters
        counters[Slot.OUTBOX_BYTES] = outbox.bytes
        counters[Slot.OUTBOX_PEAK] = outbox.peak
        counters[Slot.MEMORY_PEAK] = outbox.memory_peak
        counters[Slot.SPILL_BYTES] = outbox.disk
        counters[Slot.SPILL_PEAK] = outbox.disk_peak
        if not self._spill_failed and (segment := outbox.next_to_move()) is not None:
            outbox.moving(segment)
            self._spool.move(segment, self._moved)
        if outbox.level is not self._level:
            self._level_changed(outbox.level)
        if self._options.when_full == "block" and self._level is Level.FULL:
            self._connection.pause()
        else:
            self._connection.resume()

    def _level_changed(self, level: Level) -> None:
        before, self._level = self._level, level
        held = self._outbox.bytes
        if level is Level.FULL:
            what = {
                "block": "the feed is not read until there is room",
                "drop": "new rows are dropped until there is room",
                "exit": "the run ends",
            }[self._options.when_full]
            self._report("warning", f"the outbox is full, {what}", queue=held)
            if self._options.when_full == "exit":
                self._tell("full")
                # Not from here: the listener may be in the middle of handing on its batches.
                self._call_later(0, self._connection.stop)
        elif before is Level.FULL:
            self._report("info", "the outbox has room again", queue=held)
        elif level is Level.SPILL:
            self._report("warning", "the writer is behind, spilling to disk", queue=held)
        else:
            self._report("info", "the spill is empty again")

    # The spill

    def _moved(self, segment: Segment, error: OSError | None) -> None:
        self._outbox.moved(segment, succeeded=error is None)
        if error is not None:
            if not self._spill_failed:
                problem = error.strerror or str(error)
                self._report("error", "the spill cannot be written", problem=problem)
            self._spill_failed = True
            self._call_later(RETRY_SPILL, self._retry_spill)
        elif self._spill_failed:
            self._spill_failed = False
            self._report("info", "the spill can be written again")
        if not self._saving:
            self._changed()
        elif error is None:
            self._save_next()
        else:
            self._saved.set()

    def _retry_spill(self) -> None:
        segment = None if self._saving else self._outbox.next_to_move()
        if segment is not None:
            self._outbox.moving(segment)
            self._spool.move(segment, self._moved)
        else:
            self._spill_failed = False

    def _save_next(self) -> None:
        """Move all that is held to disk. What cannot be moved stays in the spool."""
        segment = self._outbox.next_to_move(everything=True)
        if segment is not None:
            self._outbox.moving(segment)
            self._spool.move(segment, self._moved)
        elif not self._outbox.is_moving:
            self._saved.set()

    # The writer

    def _on_pipe(self, pipes: socket.socket) -> None:
        pipe, _ = receive_pipe(pipes)
        if pipe is not None:
            self._joining = asyncio.create_task(self._join(pipe))

    async def _join(self, pipe: Pipe) -> None:
        """Talk to another writer from now on."""
        self._outbox.unlink()
        self._linked = False
        if self._channel is not None:
            self._channel.abort()
        channel = self._channel = Channel(
            lambda message: self._acknowledged(channel, message),
            lambda: self._on_writer_gone(channel),
        )
        await channel.take_over(pipe)

    def _on_writer_gone(self, channel: Channel) -> None:
        """The supervisor knows, too, and there will be another."""
        if channel is self._channel:
            self._outbox.unlink()
            self._linked = False
            self._channel = None

    # The supervisor

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
