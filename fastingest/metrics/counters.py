"""The counters that all processes share, and the ledger's equation.

A block of unsigned 64-bit slots in a small file, in memory where there is a place for that, made by
the supervisor and mapped by its children. Every slot has one writer, so there is no lock; a slot is
written with one store, so a reader sees the old value or the new one. They outlive all
the processes that wrote them: the next start reads there what a run that was killed had received.
One of another version does not, since its slots are others
(:mod:`fastingest.metrics.counters_file`).

There is a block of them for each output, with slots for each feed, since an output has an account
of its own. What is counted of a feed itself stands in the blocks of all its outputs; what is
counted of an output, or of a receiver's outbox, stands with its first feed.

At every moment, for each feed and each output::

    received = written + quarantined + ignored + dropped + lost + set aside + in flight

``received`` counts rows and what was rejected instead of a row, once decoded. A message that is
waiting in the receiver to be decoded (at most a flush interval) is in ``messages`` alone. What the
writer counts is what its journal says. So a writer that is killed between two stores leaves nothing
wrong behind: the next one sets its slots anew.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Sequence
from enum import IntEnum, auto
from functools import cached_property
from multiprocessing import reduction
from pathlib import Path
from typing import Any

from fastingest.metrics import counters_file as file_header
from fastingest.metrics.latency import LatencyHistogram
from fastingest.model.counts import Counts

__all__ = ["Counters", "FeedCounters", "Slot", "State"]


class Slot(IntEnum):
    """The slots, each with the process that writes it."""

    # written by the receiver; of the feed
    STATE = 0  # a State
    MESSAGES = auto()  # complete messages taken from the socket
    DECODED = auto()  # of them, those that have been decoded
    # of the feed's table in this output
    RECEIVED = auto()  # rows and rejects
    REJECTED = auto()  # of them, rejects
    IGNORED = auto()  # left out on purpose, neither row nor reject; not part of RECEIVED
    DROPPED = auto()  # received while the outbox was full, and given up, as --when-full drop says
    UNREADABLE = auto()  # received, and damaged in the spill
    UNSAVED = auto()  # received, and not written when the receiver ended, with no place to keep it
    # of the feed
    CONNECTIONS = auto()  # connections opened
    GAPS = auto()  # times without a connection, after the first one
    GAP_NS = auto()  # their length in all
    GAP_SINCE = auto()  # when the one that lasts now began, in nanoseconds since the epoch; or 0
    # of the receiver's outbox for this output, with the receiver's first feed in it
    OUTBOX_BYTES = auto()  # batches that the writer has not acknowledged, in memory and on disk
    OUTBOX_PEAK = auto()  # the most of them
    SPILL_BYTES = auto()  # of them, on disk
    SPILL_PEAK = auto()  # the most of them on disk
    # of the feed
    PAUSES = auto()  # times the socket was not read because an outbox was full
    REFUSED = auto()  # messages by which the feed has refused something; most of them are IGNORED
    REFUSED_NOW = auto()  # of them, those of the latest connection
    # written by the writer; of the feed's table in this output
    WRITTEN = auto()  # rows appended
    QUARANTINED = auto()  # rejects kept in the quarantine file
    LOST = auto()  # received, and gone with a receiver that died, or:
    UNSYNCED = auto()  # of them, those that the system has dropped after a sync that failed
    SET_ASIDE = auto()  # received, and in batches that could not be written
    STREAM = auto()  # its last batch that is committed, as far as this run has committed any
    SEQUENCE = auto()
    # of the output, with the first feed
    FILE_SIZE = auto()  # bytes
    FIRST_RECEIVED = auto()  # of what is committed, in nanoseconds since the epoch; 0: nothing is
    LAST_RECEIVED = auto()
    LATENCY_MAX = auto()  # nanoseconds from receipt to file
    NOT_KEPT = auto()  # of QUARANTINED, those that are counted only
    REJECT_LIMIT = auto()  # bytes of rejects that the run keeps, and one; 0: nobody has said so
    REJECT_BYTES = auto()  # that it has kept, until there were so many
    SAMPLE_MINUTE = auto()  # since the epoch; the latest in which rejects were sampled
    SAMPLE_REASONS = auto()  # a bit for each reason of which one is kept in it
    TRIED_STREAM = auto()  # the batch that is being made text of, or was when a writer died
    TRIED_SEQUENCE = auto()
    TRIES = auto()  # how often that has been begun, and not been done
    # written by the supervisor; restarts with the first feed
    LOST_MESSAGES = auto()  # taken from the socket, and not decoded when a receiver died
    RECEIVER_RESTARTS = auto()
    WRITER_RESTARTS = auto()
    LATENCY = auto()  # the first bucket of the LatencyHistogram; the writer's, like what follows


class State(IntEnum):
    """What a feed's connection is doing."""

    STARTING = 0
    CONNECTING = auto()
    CONNECTED = auto()
    WAITING = auto()  # for the next try
    PAUSED = auto()  # connected, not read: the writer is behind
    CLOSED = auto()


class Counters:
    """A feed's part of the shared block: ``Slot.LATENCY + LatencyHistogram.BUCKETS`` slots.

    :attr:`feeds` are the parts of all feeds; who has one has all, and the first stands for the
    output.

    It may be passed to a child process as an argument, if it is that of a file. The file itself is
    passed, and not its name, which somebody may have removed. systemd-logind does that when a user
    logs out.

    :param block: the mapped memory.
    :param feed: the index of the feed whose slots these are.
    :param descriptor: of the file that is mapped; closed with the process.
    """

    _STRIDE = Slot.LATENCY + LatencyHistogram.BUCKETS

    def __init__(self, block: mmap.mmap, feed: int = 0, descriptor: int = -1) -> None:
        self._descriptor, self._feed = descriptor, feed
        everything = memoryview(block)[file_header.SIZE :].cast("Q")
        self.block = block
        self.slots = everything[feed * self._STRIDE : (feed + 1) * self._STRIDE]
        self.latency = LatencyHistogram(self.slots[Slot.LATENCY :])

    @cached_property
    def feeds(self) -> tuple[Counters, ...]:
        """Those of each feed, in order."""
        count = (len(self.block) - file_header.SIZE) // (self._STRIDE * 8)
        return tuple(
            self if feed == self._feed else Counters(self.block, feed) for feed in range(count)
        )

    def total(self, slot: Slot) -> int:
        """The sum over all feeds."""
        return sum(counters[slot] for counters in self.feeds)

    @property
    def whole_ledger(self) -> Counts:
        """The counts of all feeds now."""
        return sum((counters.ledger for counters in self.feeds), Counts())

    @classmethod
    def create(cls, path: Path | None = None, feeds: int = 1) -> Counters:
        """A zeroed block, seen as its first feed's; None: for this process alone.

        :raises OSError: there is no room for it, or the file exists.
        """
        size = feeds * cls._STRIDE * 8
        if path is None:
            return cls(mmap.mmap(-1, file_header.SIZE + size))
        with open(path, "xb") as file:
            try:
                file.write(file_header.header(feeds, cls._STRIDE, Slot.__members__))
                file.write(bytes(size))  # written, not stretched: a full disk says so here
                file.flush()
            except OSError:
                path.unlink()
                raise
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, feed: int = 0) -> Counters:
        """The block that :meth:`create` made.

        :raises OtherCounters: another version of fastingest has made it, with other slots.
        :raises OSError: there is none, or not a whole one.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            found, size = os.pread(descriptor, file_header.SIZE, 0), os.fstat(descriptor).st_size
            feeds = file_header.check(path, found, size, cls._STRIDE, Slot.__members__)
            if feed >= feeds:
                raise OSError(f"{path} has counters of {feeds} feeds")
            return cls(mmap.mmap(descriptor, 0), feed, descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return _received_counters, (reduction.DupFd(self._descriptor), self._feed)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def __getitem__(self, slot: Slot) -> int:
        return int(self.slots[slot])

    def __setitem__(self, slot: Slot, value: int) -> None:
        self.slots[slot] = value

    def add(self, slot: Slot, count: int = 1) -> None:
        """Add to a slot that this process alone writes."""
        self.slots[slot] += count

    def bury_receiver(self) -> None:
        """The receiver of this feed is dead: what it had not decoded is lost."""
        self[Slot.LOST_MESSAGES] += self[Slot.MESSAGES] - self[Slot.DECODED]
        self[Slot.DECODED] = self[Slot.MESSAGES]

    @property
    def rows_received(self) -> int:
        """Without the rejects."""
        return self[Slot.RECEIVED] - self[Slot.REJECTED]

    @property
    def ledger(self) -> Counts:
        """The counts now.

        What is written is read first: a row that moves on meanwhile is then still in flight, and
        never counted as more than received.
        """
        ignored = self[Slot.IGNORED]
        slots = (Slot.WRITTEN, Slot.QUARANTINED, Slot.SET_ASIDE, Slot.DROPPED)
        written, quarantined, set_aside, dropped = (self[slot] for slot in slots)
        lost = self[Slot.LOST] + self[Slot.UNREADABLE]
        received = self[Slot.RECEIVED] + ignored
        return Counts(received, written, quarantined, ignored, dropped, lost, set_aside)


class FeedCounters:
    """A feed's counters as its receiver writes them: one block for each of its tables.

    What is counted of the feed itself stands in all of them, so that each output's account has it.

    :param tables: the blocks; at least one.
    """

    def __init__(self, tables: Sequence[Counters]) -> None:
        self.tables = tuple(tables)

    def __getitem__(self, slot: Slot) -> int:
        return self.tables[0][slot]

    def __setitem__(self, slot: Slot, value: int) -> None:
        for table in self.tables:
            table.slots[slot] = value

    def add(self, slot: Slot, count: int = 1) -> None:
        """Add to a slot of the feed."""
        for table in self.tables:
            table.slots[slot] += count


def _received_counters(descriptor: Any, feed: int) -> Counters:
    """The counters, on the child's side of a spawn."""
    number = descriptor.detach()
    try:
        block = mmap.mmap(number, 0)
    except (OSError, ValueError) as error:  # before there is anybody here who could catch it
        problem = error.strerror if isinstance(error, OSError) else error
        sys.exit(f"the counters cannot be mapped: {problem}")
    return Counters(block, feed, number)
