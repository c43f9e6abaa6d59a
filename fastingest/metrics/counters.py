"""The counters that all processes share, and the ledger's equation.

A block of unsigned 64-bit slots in a small file, in memory where there is a place for that, made by
the supervisor and mapped by its children. Every slot has one writer, so there is no lock; a slot is
written with one store, so a reader sees the old value or the new one. They outlive all
the processes that wrote them: the next start reads there what a run that was killed had received.
It may be of another version, or have other feeds, so the file has the names of both slots and feeds
(:mod:`fastingest.metrics.counters_file`). A new slot needs no more than a line in :class:`Slot`,
and its name is not used for anything else later.

There is a block of them for each output, with slots for each feed, since an output has an account
of its own. What is counted of a feed itself stands in the blocks of all its outputs; what is
counted of an output, or of a receiver's outbox, stands with its first feed.

At every moment, for each feed and each output::

    received = written + rejected + ignored + dropped + lost + set aside + in flight

``received`` counts rows and what was rejected instead of a row, once decoded. A message that is
waiting in the receiver to be decoded (at most a flush interval) is in ``messages`` alone. What the
writer counts is what its journal says. So a writer that is killed between two stores leaves nothing
wrong behind: the next one sets its slots anew.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Collection, Sequence
from enum import IntEnum, auto
from functools import cached_property
from multiprocessing import reduction
from pathlib import Path
from typing import Any

from fastingest.metrics import counters_file
from fastingest.metrics.counters_file import Form
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
    BLANKED = auto()  # cells that are empty because their value was no number, such as "NaN"
    DROPPED = auto()  # received while the outbox was full, and given up, as --when-full drop says
    UNREADABLE = auto()  # received, and damaged in the spill
    UNSAVED = auto()  # received, and not written when the receiver ended, with no place to keep it
    # of the feed
    CONNECTIONS = auto()  # connections opened
    NEVER_READY = auto()  # of its connections, those that were to be, and were not ready once
    GAPS = auto()  # times without a ready connection: subscribed, and granted where replies tell
    GAP_NS = auto()  # their length in all
    # When the time without one that lasts now began, in nanoseconds since the epoch; or 0. The
    # first connect is none, unless something fails. Of several connections, the longest.
    GAP_SINCE = auto()
    # of the receiver's outbox for this output, with the receiver's first feed in it
    OUTBOX_BYTES = auto()  # batches that the writer has not acknowledged, in memory and on disk
    OUTBOX_PEAK = auto()  # the most of them
    SPILL_BYTES = auto()  # of them, on disk
    SPILL_PEAK = auto()  # the most of them on disk
    # of the feed
    PAUSES = auto()  # times the socket was not read because an outbox was full
    REFUSED = auto()  # messages by which the feed has refused something; most of them are IGNORED
    REFUSED_NOW = auto()  # of them, those of the latest connection; or of the latest of each
    STALE = auto()  # what of it is stale now: itself, values of a column, symbols
    LAST_ROW = auto()  # when the last row of a closed batch came, in nanoseconds since the epoch
    # written by the writer; of the feed's table in this output
    WRITTEN = auto()  # rows appended
    REJECTS_COMMITTED = auto()  # rejects that are in their file, or counted only
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
    NOT_KEPT = auto()  # of REJECTS_COMMITTED, those that are counted only
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
    """What a feed's connection is doing; of several, the one that is worst off."""

    STARTING = 0
    CONNECTING = auto()
    SUBSCRIBING = auto()  # connected, and not all subscriptions are sent and answered
    CONNECTED = auto()  # and ready
    WAITING = auto()  # for the next try
    PAUSED = auto()  # connected, not read: the writer is behind
    CLOSED = auto()

    @classmethod
    def worst(cls, states: Collection[State]) -> State:
        """Of several connections, what the one does that most needs to be looked at."""
        return next(state for state in _WORST_FIRST if state in states)


_WORST_FIRST = (
    State.WAITING,
    State.PAUSED,
    State.CONNECTING,
    State.SUBSCRIBING,
    State.STARTING,
    State.CONNECTED,
    State.CLOSED,
)


class Counters:
    """A feed's part of the shared block: ``Slot.LATENCY + LatencyHistogram.BUCKETS`` slots.

    :attr:`feeds` are the parts of all feeds; who has one has all, and the first stands for the
    output. :meth:`of` is the part of the feed that has a name. A part that nobody has named is
    given to the first feed that asks for one, as far as this process is concerned.

    It may be passed to a child process as an argument, if it is that of a file. The file itself is
    passed, and not its name, which somebody may have removed. systemd-logind does that when a user
    logs out.

    :param block: the mapped memory.
    :param form: what is where in it.
    :param row: which part this is, from 0.
    :param descriptor: of the file that is mapped; closed with the process.
    """

    _STRIDE = Slot.LATENCY + LatencyHistogram.BUCKETS
    _SLOTS = tuple(Slot.__members__)

    def __init__(self, block: mmap.mmap, form: Form, row: int = 0, descriptor: int = -1) -> None:
        self._descriptor, self._form, self._row = descriptor, form, row
        everything = memoryview(block)[form.offset :].cast("Q")
        self.block = block
        self.slots = everything[row * self._STRIDE : (row + 1) * self._STRIDE]
        self.latency = LatencyHistogram(self.slots[Slot.LATENCY :])

    @cached_property
    def feeds(self) -> tuple[Counters, ...]:
        """Those of each feed, in order."""
        return tuple(
            self if row == self._row else Counters(self.block, self._form, row)
            for row in range(len(self._form.feeds))
        )

    @cached_property
    def _rows(self) -> dict[str, int]:
        """Which row each feed has, by its name."""
        return {name: row for row, name in enumerate(self._form.feeds) if name}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the feeds, in order; empty where one has none in the file."""
        return self._form.feeds

    def row_of(self, feed: str) -> int | None:
        """Which of :attr:`feeds` the feed of this name has; None: none of them."""
        row = self._rows.get(feed)
        if row is None and feed:
            taken = self._rows.values()
            free = (at for at, name in enumerate(self._form.feeds) if not name and at not in taken)
            row = next(free, None)
            if row is not None:
                self._rows[feed] = row
        return row

    def of(self, feed: str) -> Counters:
        """Those of the feed of this name.

        :raises KeyError: there are none.
        """
        row = self.row_of(feed)
        if row is None:
            raise KeyError(feed)
        return self.feeds[row]

    def total(self, slot: Slot) -> int:
        """The sum over all feeds."""
        return sum(counters[slot] for counters in self.feeds)

    @property
    def whole_ledger(self) -> Counts:
        """The counts of all feeds now."""
        return sum((counters.ledger for counters in self.feeds), Counts())

    @classmethod
    def create(cls, path: Path | None = None, feeds: Sequence[str] = ("",)) -> Counters:
        """A zeroed block, seen as its first feed's.

        :param path: of the file, which must not exist; None: for this process alone.
        :param feeds: the names of the feeds; an empty one for a part that has no name yet.
        :raises OSError: there is no room for it, or the file exists.
        """
        header = counters_file.header(feeds, cls._SLOTS, cls._STRIDE)
        data = header + bytes(len(feeds) * cls._STRIDE * 8)
        if path is None:
            return cls._private(data)
        with open(path, "xb") as file:
            try:
                file.write(data)  # written, not stretched: a full disk says so here
                file.flush()
            except OSError:
                path.unlink()
                raise
        return cls.open(path)

    @classmethod
    def _private(cls, data: bytes) -> Counters:
        block = mmap.mmap(-1, len(data))
        block[:] = data
        return cls(block, counters_file.form_of_block(block))

    @classmethod
    def open(cls, path: Path, feeds: Sequence[str] = ()) -> Counters:
        """The block that :meth:`create` made, by this version of fastingest or by another.

        A file that has other slots is made anew with those of this version. Where there is no room
        for that, what is counted further is lost with this process.

        :param feeds: the names of its rows, where the file is so old that it has none.
        :raises OtherCounters: it is of a version whose form is not known.
        :raises OSError: there is none, or not a whole one.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            form = counters_file.form_of_file(path, descriptor)
            if (form.slots, form.stride) == (cls._SLOTS, cls._STRIDE):
                return cls(mmap.mmap(descriptor, 0), form, 0, descriptor)
            found = os.pread(descriptor, form.size, 0)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        data = counters_file.converted(found, form, cls._SLOTS, cls._STRIDE, feeds)
        try:
            counters_file.replace(path, data)
        except OSError:
            return cls._private(data)
        return cls.open(path)

    @classmethod
    def names_in(cls, path: Path) -> tuple[str, ...]:
        """The :attr:`names` in a file, which is only read.

        :raises OtherCounters: as :meth:`open`.
        :raises OSError: likewise.
        """
        with path.open("rb") as file:
            return counters_file.form_of_file(path, file.fileno()).feeds

    def __reduce__(self) -> tuple[Any, ...]:
        return _received_counters, (reduction.DupFd(self._descriptor), self._row)

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
        slots = (Slot.WRITTEN, Slot.REJECTS_COMMITTED, Slot.SET_ASIDE, Slot.DROPPED)
        written, rejected, set_aside, dropped = (self[slot] for slot in slots)
        lost = self[Slot.LOST] + self[Slot.UNREADABLE]
        received = self[Slot.RECEIVED] + ignored
        return Counts(received, written, rejected, ignored, dropped, lost, set_aside)


class FeedCounters:
    """A feed's counters as its receiver writes them: one block for each of its outputs.

    What is counted of the feed itself stands in all of them, so that each output's account has it.

    :param tables: the blocks that its tables have; at least one. Tables with one output have one.
    """

    def __init__(self, tables: Sequence[Counters]) -> None:
        self.tables = tuple(tables)
        self.outputs = tuple({id(table): table for table in tables}.values())  # each once

    def __getitem__(self, slot: Slot) -> int:
        return self.tables[0][slot]

    def __setitem__(self, slot: Slot, value: int) -> None:
        for output in self.outputs:
            output.slots[slot] = value

    def add(self, slot: Slot, count: int = 1) -> None:
        """Add to a slot of the feed."""
        for output in self.outputs:
            output.slots[slot] += count


def _received_counters(descriptor: Any, row: int) -> Counters:
    """The counters, on the child's side of a spawn."""
    number = descriptor.detach()
    try:
        block = mmap.mmap(number, 0)
    except (OSError, ValueError) as error:  # before there is anybody here who could catch it
        problem = error.strerror if isinstance(error, OSError) else error
        sys.exit(f"the counters cannot be mapped: {problem}")
    return Counters(block, counters_file.form_of_block(block), row, number)
