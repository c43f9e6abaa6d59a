"""Gets the batches to the writer, whichever it is, and keeps them until it has them.

::

    batches ──▶ Outbox ──wire form──▶ Uplink ══▶ writer
              │   ▲                     │
            Spool └── what is stored ───┘
              │
            Mover ──▶ disk

The outbox decides, the spool keeps, the uplink sends; here they are wired together: which batch is
sent, and what it means that one is stored. A writer first says up to where it has come, and then
what it has committed since; the outbox sends what follows.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

from fastingest.config.settings import Settings
from fastingest.metrics.counters import Slot
from fastingest.model.batch import Batch, Position
from fastingest.model.event import Event
from fastingest.receiver.events import (
    OutboxFullBlocks,
    OutboxFullDrops,
    OutboxFullExits,
    OutboxHasRoom,
    RowsDropped,
    RowsUnsaved,
    SpillEmpty,
    SpoolSmall,
    WriterBehind,
)
from fastingest.runtime.assignment import SharedOutput
from fastingest.spool.events import SpillUnreadable
from fastingest.spool.held import Held, Place, Segment
from fastingest.spool.limits import limits_of, room_in
from fastingest.spool.mover import RETRY_SPILL, Mover
from fastingest.spool.outbox import Level, Outbox
from fastingest.spool.spool import Spool
from fastingest.transport.base import Uplink

__all__ = ["Delivery"]

MAX_LOADS = 10
"""Times that a segment on disk is read in vain before its rows are given up."""

_FULL = {"block": OutboxFullBlocks, "drop": OutboxFullDrops, "exit": OutboxFullExits}


def _is_same_disk(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_dev == other.stat().st_dev
    except OSError:
        return True  # as it is by default


class Delivery:
    """Everything between a closed batch and the writer.

    It is told what comes of an uplink (:class:`fastingest.transport.base.UplinkEvents`).

    :param options: the run's settings.
    :param stream: the id of the batches' stream.
    :param share: the output.
    :param feed: the name of a feed of the receiver's that goes there; what is counted of the outbox
        is counted with this one.
    :param parts: how many outboxes of the run share its limits.
    :param report: takes events for the log.
    :param broken: called when the uplink to the writer has broken. Mostly the writer is dead, and
        there will be another; where it lives, they need another uplink.
    :param full: told, again and again, whether the outbox is full, and whether it holds what only
        this process has, so that nothing more shall be received for now.
    """

    def __init__(
        self,
        options: Settings,
        stream: int,
        share: SharedOutput,
        *,
        feed: str,
        parts: int = 1,
        report: Callable[[Event], None],
        broken: Callable[[], None],
        full: Callable[[bool, bool], None],
    ) -> None:
        self._options = options
        self._stream = stream
        places = share.places
        self._counters_of = share.counters.of
        self._counters = self._counters_of(feed)
        self._report = report
        self._broken = broken
        self._full = full
        loop = asyncio.get_running_loop()
        self._call_later = loop.call_later
        self._room = room_in(places.spool)
        self._limits = limits_of(
            options.memory_limit,
            # Nobody would know what of it is written.
            options.spill_limit if options.journal == "on" else 0,
            parts=parts,
            room=self._room,
            older=places.size_before(stream),
        )
        self._outbox = Outbox(
            memory_limit=self._limits.first_memory,
            spill_limit=self._limits.first_spill,
            segment_size=self._limits.segment_size,
            window=self._limits.window,
        )
        self._level = Level.MEMORY
        self._dropped = 0  # since it was last logged
        self._said_full = False
        self._load_failures: dict[Segment, int] = {}
        self._is_over = False  # whether no writer is needed any more
        self._places = places
        self._uplink: Uplink | None = None
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
        self._mover = Mover(
            self._outbox,
            self._spool,
            shares_disk=_is_same_disk(places.spill.parent, share.target.path.parent),
            report=report,
            changed=self._changed,
            call_later=loop.call_later,
            now=loop.time,
        )

    def begin(self) -> None:
        """Say what the user should know from the start."""
        if self._room < self._options.memory_limit:  # of all outboxes together
            self._report(SpoolSmall(self._room))

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
        uplink, self._uplink = self._uplink, None
        if self._empty.is_set():
            if uplink is not None:
                await uplink.close()
            return
        if uplink is not None:  # its writer may not take anything any more
            uplink.abort()
        if self._options.journal == "on":
            await self._mover.save()
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
        self._counters_of(batch.feed).add(Slot.DROPPED, count)
        if not self._dropped:
            self._call_later(1.0, self._report_dropped)
        self._dropped += count

    def _report_dropped(self) -> None:
        self._report(RowsDropped(self._dropped))
        self._dropped = 0

    def _send(self, held: Held, wire: bytes) -> None:
        if self._uplink is not None:  # as it is whenever the outbox has anything to send
            self._uplink.send(Position(self._stream, held.sequence), wire)
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
            if error.errno != errno.ENOENT and tries < MAX_LOADS:
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
            self._counters_of(held.feed).add(Slot.UNREADABLE, held.rows)
            rows += held.rows
        self._report(SpillUnreadable(rows=rows, problem=error.strerror or str(error)))
        if segment.place is Place.GONE:  # and not where some of it is on its way to the writer
            self._spool.free(segment)

    def _changed(self) -> None:
        """Act on what the outbox holds now."""
        outbox, counters = self._outbox, self._counters
        if not outbox:  # the last of it may have been given up, and not acknowledged
            self._empty.set()
        counters[Slot.OUTBOX_BYTES] = outbox.bytes
        counters[Slot.OUTBOX_PEAK] = outbox.peak
        counters[Slot.SPILL_BYTES] = outbox.disk
        counters[Slot.SPILL_PEAK] = outbox.disk_peak
        self._mover.move_next()
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
            self._report(_FULL[self._options.when_full](held))
        elif before is Level.FULL:
            self._report(OutboxHasRoom(held))
        elif level is Level.SPILL:
            self._report(WriterBehind(held))
        else:
            self._report(SpillEmpty())

    def _count_unsaved(self) -> None:
        """Say what has found room nowhere; the writer may still have some of it."""
        rows = 0
        for held in self._outbox.in_exposed():
            if self._spool.keeps(held):
                self._counters_of(held.feed).add(Slot.UNSAVED, held.rows)
                rows += held.rows
        if rows:
            problem = f"{self._places.spill}: {self._mover.problem}"
            self._report(RowsUnsaved(rows, memory=str(self._places.spool), problem=problem))

    # The writer

    def join(self, uplink: Uplink) -> None:
        """Talk to another writer from now on, which has yet to say so (:meth:`linked`)."""
        if self._is_over:
            uplink.abort()
            return
        self._outbox.unlink()
        if self._uplink is not None:
            self._uplink.abort()
        self._uplink = uplink

    def linked(self, at: Position | None) -> None:
        """As in :class:`fastingest.transport.base.UplinkEvents`."""
        # What the receivers before have left is written.
        self._outbox.memory_limit = self._limits.memory
        self._outbox.spill_limit = self._limits.spill
        self._let_go(self._outbox.link(-1 if at is None else at.sequence))

    def stored(self, at: Position) -> None:
        """As in :class:`fastingest.transport.base.UplinkEvents`."""
        self._let_go(self._outbox.acknowledge(at.sequence))

    def lost(self) -> None:
        """As in :class:`fastingest.transport.base.UplinkEvents`."""
        self._outbox.unlink()
        self._uplink = None
        self._broken()

    def _let_go(self, freed: list[Segment]) -> None:
        for segment in freed:
            self._spool.free(segment)
        self._send_more()
        self._changed()
