"""Gets the batches to the writer, whichever it is, and keeps them until it has them.

::

    batches ──▶ Outbox ──wire form──▶ Channel ══▶ writer
              │   ▲                      │
            Spool └── acknowledgements ──┘

The outbox decides, the spool keeps, the channel sends; here they are wired together. A writer's
first message on its pipe says up to where it has come, the others what it has committed since; the
outbox sends what follows.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from fastingest.config.options import Options
from fastingest.metrics.counters import Slot
from fastingest.model.batch import Batch
from fastingest.runtime.assignment import Share
from fastingest.spool.outbox import Held, Level, Outbox, Place, Segment
from fastingest.spool.spool import Spool
from fastingest.transport.pipe.channel import Channel
from fastingest.transport.pipe.wiring import PipeEnd

__all__ = ["Sender"]

RETRY_SPILL = 1.0
"""Seconds until the spill is tried again after an error."""

RETRY_SAVE, SAVE_PATIENCE = 0.1, 5.0
"""Seconds until rows that find room nowhere are tried to be saved again when the run ends, and how
long that goes on: after it they are lost."""

MOST_LOADS = 10
"""Times that a segment on disk is read in vain before its rows are given up."""

_KIB, _MIB = 2**10, 2**20


def _room_in(spool: Path) -> int:
    """Bytes that the spool may take: in a container /dev/shm is small, and not ours alone."""
    try:
        space = os.statvfs(spool)
    except OSError:  # it is gone; then batches stay in this process's own memory
        return 2**63
    return space.f_bavail * space.f_frsize * 3 // 4


def _is_same_disk(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_dev == other.stat().st_dev
    except OSError:
        return True  # as it is by default


class Sender:
    """Everything between a closed batch and the writer.

    :param options: the run's settings.
    :param stream: the id of the batches' stream.
    :param share: the output.
    :param feed: a feed of the receiver's that goes there; what is counted of the outbox is counted
        with this one.
    :param parts: how many outboxes of the run share its limits.
    :param report: takes events for the log.
    :param broken: called when the pipe to the writer has broken. Mostly the writer is dead, and
        there will be another; where it lives, they need another pipe.
    :param full: told, again and again, whether the outbox is full, and whether it holds what only
        this process has, so that nothing more shall be received for now.
    """

    def __init__(
        self,
        options: Options,
        stream: int,
        share: Share,
        *,
        feed: int = 0,
        parts: int = 1,
        report: Callable[..., None],
        broken: Callable[[], None],
        full: Callable[[bool, bool], None],
    ) -> None:
        self._options = options
        self._stream = stream
        places = share.places
        self._feeds = share.counters.feeds
        self._counters = self._feeds[feed]
        self._report = report
        self._broken = broken
        self._full = full
        loop = asyncio.get_running_loop()
        self._call_later, self._now = loop.call_later, loop.time
        room = _room_in(places.spool)
        wanted = max(options.memory_limit // parts, _MIB)
        limit = min(wanted, max(room // parts, 4 * _MIB))
        # Nobody would know what of it is written.
        spill_limit = options.spill_limit // parts if options.journal == "on" else 0
        self._limits = limit, spill_limit
        # What receivers before have left is written before anything of this one, and until then it
        # is part of what may wait; but a feed must be read meanwhile, so a quarter is there always.
        older = places.size_before(stream)
        self._outbox = Outbox(
            memory_limit=max(limit - older[0], limit // 4),
            spill_limit=max(spill_limit - older[1], spill_limit // 4),
            segment_size=max(min(max(limit // 16, 256 * _KIB), 4 * _MIB), limit // 256),
            window=min(limit // 4, 4 * _MIB),
        )
        self._shares_disk = _is_same_disk(places.spill.parent, share.target.path.parent)
        self._level = Level.MEMORY
        self._dropped = 0  # since it was last logged
        self._spill_failed = False
        self._said_full = False
        self._load_failures: dict[Segment, int] = {}
        self._saving = False
        self._is_over = False  # whether no writer is needed any more
        self._unsaved = ""  # why
        self._places = places
        self._save_until = 0.0
        self._saved = asyncio.Event()
        self._channel: Channel | None = None
        self._linked = False  # whether the writer has said up to where it has come
        self._empty = asyncio.Event()
        self._empty.set()
        self._spool = Spool(
            stream,
            places.spool if options.journal == "on" else None,
            places.spill,
            min_free=options.min_free,
            sync=options.fsync is not None,
            report=report,
        )
        self._room = room

    def begin(self) -> None:
        """Say what the user should know from the start."""
        if self._room < self._options.memory_limit:  # of all outboxes together
            what = "the spool has less room than --memory-limit"
            self._report("warning", what, room=self._room)

    @property
    def unacknowledged(self) -> int:
        """Batches that are held."""
        return len(self._outbox)

    async def finish(self, save: asyncio.Event) -> None:
        """Wait until the writer has everything, or until ``save``: then put it on the disk."""
        empty = asyncio.create_task(self._empty.wait())
        saving = asyncio.create_task(save.wait())
        await asyncio.wait((empty, saving), return_when=asyncio.FIRST_COMPLETED)
        empty.cancel()
        saving.cancel()
        self._is_over = True
        channel, self._channel = self._channel, None
        if self._empty.is_set():
            if channel is not None:
                await channel.close()
            return
        if channel is not None:  # its writer may not take anything any more
            channel.abort()
        if self._options.journal == "on":
            self._saving = True
            self._save_until = self._now() + SAVE_PATIENCE
            self._save_next()
            await self._saved.wait()
            self._count_unsaved()

    # Batches

    def emit(self, batch: Batch) -> None:
        """Take a batch that is closed."""
        if self._level is Level.FULL and self._options.when_full == "drop":
            self._drop(batch)
            return
        outbox = self._outbox
        batch.stream, batch.sequence = self._stream, outbox.next_sequence
        wire = batch.to_bytes()
        held = outbox.add(len(wire), batch.count, batch.feed)
        if not self._spool.append(held, wire):
            outbox.expose(held)
        outbox.squeeze(self._spool.is_full)
        self._empty.clear()
        if outbox.next_to_send() is held:
            self._send(held, wire)
        self._changed()

    def _drop(self, batch: Batch) -> None:
        count = batch.count
        self._feeds[batch.feed].add(Slot.DROPPED, count)
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
            tries = self._load_failures[segment] = self._load_failures.get(segment, 0) + 1
            if error.errno != errno.ENOENT and tries < MOST_LOADS:
                self._call_later(RETRY_SPILL, self._send_more)
                return
            self._abandon(segment, error)
        self._load_failures.pop(segment, None)
        self._send_more()
        self._changed()

    def _abandon(self, segment: Segment, error: OSError) -> None:
        """Rows that cannot be read any more are lost; they must not hold up the others."""
        rows = 0
        for held in self._outbox.abandon(segment):
            self._feeds[held.feed].add(Slot.UNREADABLE, held.rows)
            rows += held.rows
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
            self._outbox.memory_limit, self._outbox.spill_limit = self._limits
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
        if not outbox:  # the last of it may have been given up, and not acknowledged
            self._empty.set()
        counters[Slot.OUTBOX_BYTES] = outbox.bytes
        counters[Slot.OUTBOX_PEAK] = outbox.peak
        counters[Slot.SPILL_BYTES] = outbox.disk
        counters[Slot.SPILL_PEAK] = outbox.disk_peak
        if not self._spill_failed and (segment := outbox.next_to_move()) is not None:
            outbox.moving(segment)
            self._spool.move(segment, self._moved, reserve=self._reserve())
        if outbox.level is not self._level:
            self._level_changed(outbox.level)
        self._full(self._level is Level.FULL, outbox.is_exposed)

    def _level_changed(self, level: Level) -> None:
        before, self._level = self._level, level
        held = self._outbox.bytes
        if self._outbox.squeezed and Level.FULL in (level, before):
            # Where there is no room in memory, that may be so for a moment with each batch.
            if level is not Level.FULL or self._said_full:
                return
            self._said_full = True
        elif level is not Level.FULL:
            self._said_full = False
        if level is Level.FULL:
            what = {
                "block": "the feed is not read until there is room",
                "drop": "new rows are dropped until there is room",
                "exit": "the run ends",
            }[self._options.when_full]
            self._report("warning", f"the outbox is full, {what}", queue=held)
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
            self._outbox.refuse(True)
            self._call_later(RETRY_SPILL, self._retry_spill)
        elif self._spill_failed:
            self._spill_failed = False
            self._outbox.refuse(False)
            self._report("info", "the spill can be written again")
        if not self._saving:
            self._changed()
        elif error is None:
            self._save_next()
        else:
            self._unsaved = f"{self._places.spill}: {error.strerror or error}"
            if self._outbox.is_exposed and self._now() < self._save_until:
                self._call_later(RETRY_SAVE, self._save_next)
            else:
                self._saved.set()

    def _retry_spill(self) -> None:
        if self._saving:
            return
        segment = self._outbox.next_to_move()
        if segment is not None:
            self._outbox.moving(segment)
            self._spool.move(segment, self._moved, reserve=self._reserve())
        else:
            self._spill_failed = False
            self._outbox.refuse(False)
            self._changed()

    def _reserve(self) -> int:
        """What the output needs on the same disk until the spill gives anything back.

        What is in memory is older, and written first. As CSV a row takes up to twice the bytes.
        """
        return self._shares_disk * (2 * self._outbox.memory_limit + self._outbox.disk)

    def _save_next(self) -> None:
        """Move all that is held to disk. What cannot be moved stays in the spool."""
        segment = self._outbox.next_to_move(everything=True)
        if segment is not None:
            self._outbox.moving(segment)
            self._spool.move(segment, self._moved)
        elif not self._outbox.is_moving:
            self._saved.set()

    def _count_unsaved(self) -> None:
        """Say what has found room nowhere; the writer may still have some of it."""
        rows = 0
        for held in self._outbox.in_exposed():
            if self._spool.keeps(held):
                self._feeds[held.feed].add(Slot.UNSAVED, held.rows)
                rows += held.rows
        if rows:
            what = "received rows find room neither in memory nor on disk"
            places = {"memory": str(self._places.spool), "problem": self._unsaved}
            self._report("error", what, rows=rows, **places)

    # The writer

    async def join(self, pipe: PipeEnd) -> None:
        """Talk to another writer from now on."""
        if self._is_over:
            pipe.close()
            return
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
        if channel is self._channel:
            self._outbox.unlink()
            self._linked = False
            self._channel = None
            self._broken()
