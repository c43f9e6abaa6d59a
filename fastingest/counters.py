"""The counters that all processes share, and the ledger's equation.

A block of unsigned 64-bit slots in shared memory, made by the supervisor and mapped by its
children. Every slot has one writer, so there is no lock; a slot is written with one store, so a
reader sees the old value or the new one. They outlive the process that wrote them: what a killed
child had counted is still there.

At every moment, for each feed::

    received = written + quarantined + ignored + dropped + in flight

``received`` counts rows and what was rejected instead of a row, once decoded. A message that is
waiting in the receiver to be decoded (at most a flush interval) is in ``messages`` alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from ctypes import c_uint64
from dataclasses import dataclass
from enum import IntEnum, auto
from itertools import accumulate
from multiprocessing.context import BaseContext
from typing import Any

__all__ = ["Counters", "LatencyHistogram", "Ledger", "Slot", "State"]


class Slot(IntEnum):
    """The slots, each with the process that writes it."""

    # written by the receiver
    STATE = 0  # a State
    MESSAGES = auto()  # complete messages taken from the socket
    DECODED = auto()  # of them, those that have been decoded
    RECEIVED = auto()  # rows and rejects
    DROPPED = auto()  # received, and given up for a reason that was logged
    CONNECTIONS = auto()  # connections opened
    GAPS = auto()  # times without a connection, after the first one
    GAP_NS = auto()  # their length in all
    OUTBOX_BYTES = auto()  # batches that the writer has not acknowledged
    OUTBOX_PEAK = auto()
    PAUSES = auto()  # times the sockets were not read because the outbox was full
    # written by the writer
    WRITTEN = auto()  # rows appended
    QUARANTINED = auto()  # rejects kept in the quarantine file
    IGNORED = auto()  # left out on purpose, neither row nor reject
    FILE_SIZE = auto()  # bytes
    LATENCY_MAX = auto()  # nanoseconds from receipt to file
    LATENCY = auto()  # the first bucket of the LatencyHistogram


class State(IntEnum):
    """What a feed's connection is doing."""

    STARTING = 0
    CONNECTING = auto()
    CONNECTED = auto()
    WAITING = auto()  # for the next try
    PAUSED = auto()  # connected, not read: the writer is behind
    CLOSED = auto()


class LatencyHistogram:
    """Counts of durations in buckets that grow geometrically: 8 to a factor of two.

    A quantile read from it is too high by 9% at most. The first bucket holds all under 1 µs, the
    last all above about half an hour. (The idea is HdrHistogram's.)
    """

    _PER_OCTAVE = 8
    _FLOOR = 10  # log2 of the first bucket's end in nanoseconds
    BUCKETS = 1 + _PER_OCTAVE * 31

    def __init__(self, slots: Any) -> None:
        self._slots = slots  # memoryview of BUCKETS unsigned 64-bit numbers

    def add(self, nanoseconds: int, count: int) -> None:
        """Count ``count`` durations of ``nanoseconds`` each."""
        self._slots[self._bucket(nanoseconds)] += count

    def quantiles(self, shares: Iterable[float]) -> list[float]:
        """For each share (0.99 for p99): the seconds that so many stayed under; nan with none."""
        counts = list(self._slots)
        total = sum(counts)
        return [self._quantile(counts, share * total) if total else math.nan for share in shares]

    def _quantile(self, counts: list[int], rank: float) -> float:
        reached = accumulate(counts)
        bucket = next(b for b, seen in enumerate(reached) if seen >= rank and counts[b])
        return float(2 ** (self._FLOOR + bucket / self._PER_OCTAVE) / 1e9)

    @classmethod
    def _bucket(cls, nanoseconds: int) -> int:
        if nanoseconds < 1 << cls._FLOOR:
            return 0
        octaves = math.log2(nanoseconds) - cls._FLOOR
        return min(1 + int(octaves * cls._PER_OCTAVE), cls.BUCKETS - 1)


@dataclass(frozen=True)
class Ledger:
    """The counts of one feed, or of several added up, at one moment."""

    received: int
    written: int
    quarantined: int
    ignored: int
    dropped: int

    @property
    def in_flight(self) -> int:
        """Received, and not yet accounted for. At the end of a run: lost."""
        return self.received - self.written - self.quarantined - self.ignored - self.dropped


class Counters:
    """The shared block: ``Slot.LATENCY + LatencyHistogram.BUCKETS`` slots for each feed.

    :param feeds: how many feeds there are.
    :param block: what :meth:`create` made; pass it to a child as an argument of its process.
    """

    _STRIDE = Slot.LATENCY + LatencyHistogram.BUCKETS

    def __init__(self, block: Any, feed: int = 0) -> None:
        everything = memoryview(block).cast("B").cast("Q")
        self.block = block
        self.slots = everything[feed * self._STRIDE : (feed + 1) * self._STRIDE]
        self.latency = LatencyHistogram(self.slots[Slot.LATENCY :])

    @classmethod
    def create(cls, context: BaseContext, feeds: int = 1) -> Counters:
        """A zeroed block in shared memory, seen as its first feed's."""
        return cls(context.RawArray(c_uint64, feeds * cls._STRIDE))

    def __getitem__(self, slot: Slot) -> int:
        return int(self.slots[slot])

    def __setitem__(self, slot: Slot, value: int) -> None:
        self.slots[slot] = value

    def add(self, slot: Slot, count: int = 1) -> None:
        """Add to a slot that this process alone writes."""
        self.slots[slot] += count

    @property
    def ledger(self) -> Ledger:
        """The counts now.

        What is written is read first: a row that moves on meanwhile is then still in flight, and
        never counted as more than received.
        """
        written, quarantined, ignored = (
            self[slot] for slot in (Slot.WRITTEN, Slot.QUARANTINED, Slot.IGNORED)
        )
        return Ledger(self[Slot.RECEIVED], written, quarantined, ignored, self[Slot.DROPPED])
