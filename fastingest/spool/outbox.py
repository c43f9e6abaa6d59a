"""What the writer has not acknowledged yet: a plain state machine with no I/O.

Theory of operation. A batch that is added gets the stream's next sequence number and a place in a
segment (:mod:`fastingest.spool.held`), and is held until the writer says that it is committed.
Acknowledgements come in order, and stand for everything before them as well. Four questions are
answered here, and others act on the answers:

*What goes to the writer next* (:meth:`Outbox.next_to_send`)? The oldest batch that has not been
sent, while no more than ``window`` bytes are on their way. When the writer is lost, nothing is on
its way any more; its successor says up to where it has come, and sending starts over there.

*Where is a batch kept?* In memory first, always: a segment is filled with batches until it has
``segment_size`` bytes, then it is *sealed* and another one opened. Once the segments in memory take
more than :data:`SPILL_MARK` of ``memory_limit``, sealed ones are moved to disk, one at a time, the
newest first (:meth:`Outbox.next_to_move`): the oldest are about to be sent and need not make the
detour. A segment is given back as a whole, when all its batches are acknowledged.

*May more come in* (:attr:`Outbox.level`)? Not while it is ``FULL``: from where the memory has
reached its limit, because the disk is slow or ``spill_limit`` is reached too, until the memory is
down at the spill mark again. So a writer that is just too slow does not make the receiver stop and
start with every batch. An entry's own bytes count as memory, wherever its batch is kept. Who adds
to a full outbox is served all the same, since what has been received must go somewhere. The bound
holds because the sockets are not read while it is full, or the batches dropped, and because what
one read brings is bounded. ``SPILL`` is where something is on disk, ``MEMORY`` where nothing is.

*What if a batch finds no room in memory?* Then its bytes are only in the receiver's own heap, and
gone with it: it is *exposed* (:meth:`Outbox.expose`), whether it is on its way to the writer or
not. Its segment is the next to be moved to disk. Until it is there, or the writer has it, nothing
more may come in (:attr:`Outbox.is_exposed`), so that one batch, and what had been read by then, is
all that such a time can cost. Where the disk takes nothing either (:meth:`Outbox.refuse`, or no
room under ``spill_limit``), that is ``FULL``.

Nothing here knows what a segment is made of, nor that the transport is a pipe.
"""

from __future__ import annotations

import itertools
from collections import deque
from enum import Enum, auto

from fastingest.spool.held import Held, Place, Segment
from fastingest.spool.segment import RECORD_SIZE

__all__ = ["SPILL_MARK", "Level", "Outbox"]

SPILL_MARK = 0.75
"""The share of the memory limit from which on segments are moved to disk."""

HELD_COST = 256
"""Bytes that a batch takes here, wherever it is kept, so that tiny ones have a bound, too."""


class Level(Enum):
    """How much the outbox holds."""

    MEMORY = auto()  # everything is in memory
    SPILL = auto()  # some of it is on disk
    FULL = auto()  # and there is no room for more


class Outbox:
    """The unacknowledged batches of one stream.

    :param memory_limit: the bytes in memory from which on it is full.
    :param spill_limit: the most bytes on disk.
    :param segment_size: the bytes from which on a segment is sealed.
    :param entry_cost: the bytes in memory that each batch takes, wherever it is kept.
    :param window: the bytes that may be on their way to the writer; one batch may be, always.
    """

    def __init__(
        self,
        *,
        memory_limit: int,
        spill_limit: int,
        segment_size: int,
        window: int,
        entry_cost: int = HELD_COST,
    ) -> None:
        self.memory_limit = memory_limit
        self.spill_limit = spill_limit
        self.segment_size = segment_size
        self.window = window
        self._entry_cost = entry_cost
        self.bytes = 0
        """Bytes of wire form held."""
        self.memory = 0
        """Bytes of the segments in memory."""
        self.disk = 0
        """Bytes of the segments on disk, and of those on their way there."""
        self.peak = self.memory_peak = self.disk_peak = 0
        """The most that they ever were."""
        self.next_sequence = 0
        self._numbers = itertools.count()
        self._held: deque[Held] = deque()
        self._segments: deque[Segment] = deque()
        self._sent = 0  # how many of the held batches are on their way
        self._on_the_way = 0  # their bytes
        self._linked = False
        self._full = False
        self.squeezed = False
        """Whether segments go to disk whatever room there seems to be in memory."""
        self._moving: Segment | None = None
        self._exposed: dict[Segment, None] = {}  # with anything that is; the oldest first
        self._refused = False  # whether the disk takes nothing now

    def __len__(self) -> int:
        return len(self._held)

    @property
    def level(self) -> Level:
        """How much it holds."""
        if self._full or (self._exposed and not self._can_be_moved):
            return Level.FULL
        return Level.SPILL if self.disk else Level.MEMORY

    def add(self, size: int, rows: int, feed: str = "") -> Held:
        """Hold a batch of ``size`` bytes with the number ``next_sequence``; where it belongs."""
        segment = self._segments[-1] if self._segments else None
        if segment is None or segment.sealed:
            segment = Segment(next(self._numbers), self.next_sequence)
            self._segments.append(segment)
            self.memory += segment.size
        held = Held(self.next_sequence, segment, segment.size + RECORD_SIZE, size, rows, feed)
        segment.last = held.sequence
        segment.size += RECORD_SIZE + size
        segment.sealed = segment.size >= self.segment_size
        self.next_sequence += 1
        self._held.append(held)
        self.bytes += size
        self.memory += RECORD_SIZE + size
        self._changed()
        return held

    def expose(self, held: Held) -> None:
        """The batch has found no room in memory, and is in the receiver's heap alone."""
        held.segment.sealed = True
        self._exposed[held.segment] = None

    @property
    def is_exposed(self) -> bool:
        """Whether there is a batch that nobody has but the receiver's heap."""
        return bool(self._exposed)

    def in_exposed(self) -> list[Held]:
        """The batches of segments of which some are only in the receiver's heap."""
        return [held for held in self._held if held.segment in self._exposed]

    def refuse(self, on: bool) -> None:
        """The disk takes no segment, or does again."""
        self._refused = on

    @property
    def _can_be_moved(self) -> bool:
        """Whether what is exposed is on its way to the disk, or can be."""
        if self._refused:
            return False
        if self._moving is not None:
            return True
        return any(segment.size <= self._room_on_disk for segment in self._exposed)

    @property
    def _room_on_disk(self) -> int:
        return self.spill_limit - self.disk

    def squeeze(self, on: bool) -> None:
        """There is less room in memory than there seemed to be, or there is again."""
        self.squeezed = on
        if on and self._segments:
            self._segments[-1].sealed = True

    # Sending

    def link(self, sequence: int) -> list[Segment]:
        """A writer is there, and the batch ``sequence`` the last it has; -1: it has none.

        :returns: the segments that this gives back.
        """
        self._linked = True
        self._sent = self._on_the_way = 0
        return self._let_go(sequence)

    def unlink(self) -> None:
        """The writer is gone, and what was on its way with it."""
        self._linked = False
        self._sent = self._on_the_way = 0

    def next_to_send(self) -> Held | None:
        """The batch that shall go to the writer now; None: nothing shall."""
        if not self._linked or self._sent >= len(self._held):
            return None
        held = self._held[self._sent]
        if self._on_the_way and self._on_the_way + held.size > self.window:
            return None
        return held

    def sent(self, held: Held) -> None:
        """What :meth:`next_to_send` said is on its way."""
        self._sent += 1
        self._on_the_way += held.size

    def acknowledge(self, sequence: int) -> list[Segment]:
        """Let go of the batch ``sequence`` and of all before it.

        :returns: the segments that this gives back.
        :raises ValueError: that batch has not been sent, so the two sides do not agree.
        """
        unsent = self._held[self._sent].sequence if self._sent < len(self) else self.next_sequence
        if sequence >= unsent:
            raise ValueError(f"batch {sequence} was acknowledged and had not been sent")
        return self._let_go(sequence)

    def _let_go(self, sequence: int) -> list[Segment]:
        while self._held and self._held[0].sequence <= sequence:
            held = self._held.popleft()
            self.bytes -= held.size
            if self._sent:
                self._sent -= 1
                self._on_the_way -= held.size
        freed = []
        while self._segments and self._segments[0].last <= sequence:
            freed.append(self._give_back(self._segments.popleft()))
        self._changed()
        return freed

    def _give_back(self, segment: Segment) -> Segment:
        if segment.place is not Place.DISK:
            self.memory -= segment.size
        if segment.place is not Place.MEMORY:
            self.disk -= segment.size
        if segment is self._moving:
            self._moving = None
        self._exposed.pop(segment, None)
        segment.sealed, segment.place = True, Place.GONE
        return segment

    def abandon(self, segment: Segment) -> list[Held]:
        """Let go of what has not been sent of a segment that cannot be read any more."""
        kept = list(itertools.islice(self._held, self._sent))
        rest = list(itertools.islice(self._held, self._sent, None))
        gone = [held for held in rest if held.segment is segment]
        self._held = deque(kept + [held for held in rest if held.segment is not segment])
        self.bytes -= sum(held.size for held in gone)
        still = [held.sequence for held in kept if held.segment is segment]
        if still:
            segment.last = still[-1]
        else:
            self._segments.remove(segment)
            self._give_back(segment)
        self._changed()
        return gone

    # Spilling

    def next_to_move(self, *, everything: bool = False) -> Segment | None:
        """The segment that shall be moved to disk now; None: none shall, or none can be.

        :param everything: also where there is room in memory; the oldest first then, behind those
            that are exposed.
        """
        if self._moving:
            return None
        if everything:
            in_order = itertools.chain(self._exposed, self._segments)
            return next((each for each in in_order if each.place is Place.MEMORY), None)
        room = self._room_on_disk
        for segment in self._exposed:  # the writer may be at it: it is not safe before it has it
            if segment.place is Place.MEMORY and segment.size <= room:
                return segment
        if room < min(self.segment_size, self.memory) or not (
            self.squeezed or self.memory > SPILL_MARK * self.memory_limit
        ):
            return None
        on_the_way = self._held[self._sent - 1].sequence if self._sent else -1
        for segment in reversed(self._segments):
            if segment.first <= on_the_way:
                break
            if segment.place is Place.MEMORY and segment.sealed and segment.size <= room:
                return segment
        return None

    @property
    def is_moving(self) -> bool:
        """Whether a segment is on its way to the disk."""
        return self._moving is not None

    def moving(self, segment: Segment) -> None:
        """It is being moved to disk, and takes no more batches."""
        self._moving = segment
        segment.sealed, segment.place = True, Place.MOVING
        self.disk += segment.size
        self._changed()

    def moved(self, segment: Segment, succeeded: bool) -> None:
        """It is on disk, or could not be moved there; nothing where it was given back meanwhile."""
        if segment is not self._moving:
            return
        self._moving = None
        if succeeded:
            segment.place = Place.DISK
            self.memory -= segment.size
            self._exposed.pop(segment, None)
        else:
            segment.place = Place.MEMORY
            self.disk -= segment.size
        self._changed()

    def _changed(self) -> None:
        self.peak = max(self.peak, self.bytes)
        self.memory_peak = max(self.memory_peak, self.memory)
        self.disk_peak = max(self.disk_peak, self.disk)
        memory = self.memory + len(self._held) * self._entry_cost
        if memory >= self.memory_limit:
            self._full = True
        elif memory <= SPILL_MARK * self.memory_limit:
            self._full = False
