"""What every source feeds: whole messages in, closed batches out.

Theory of operation. Messages wait in a list until it pays to decode them together: at the end of a
read that brought many, or when enough small reads have come, or when the flush interval of the
oldest is over. Each read gets one time stamp. Decoded rows fill a batch, which is handed on
(``emit``) when it is full or when the flush interval is over.

A feed has one intake, whatever connections bring its messages; the listener of each says which it
is (:class:`~fastingest.source.arrivals.Arrivals`). A read is of one of them and over before another
begins, so the order is that of the reads. What is decoded together came by one of them.

A native reader (:class:`MessageReader`) reads messages straight into the columns of the batch, as
long as it is certain what they mean; the others it leaves in the list. What it has read is settled
here: at the end of a read, when it fills a batch, and before anything is decoded in Python.

What it costs is counted in nanoseconds a message. So :attr:`Intake.message` is an attribute, and no
method: it is what takes a message at once, the list's own ``append`` or the reader's ``take``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import chain

from fastingest.access.secrets import Redactor, joint
from fastingest.decode.batch_builder import ColumnBuffers
from fastingest.decode.decoder import Decoder
from fastingest.metrics.counters import FeedCounters, Slot
from fastingest.model.batch import Batch
from fastingest.source.arrivals import Arrivals, Brought, MessageReader, Run, Turns, runs_of
from fastingest.source.side_messages import SideMessages

__all__ = ["MAX_WAITING_BYTES", "Intake", "Limit"]

# A read that brings this many messages is decoded at once; smaller ones wait for company. Decoding
# one message alone takes 3.2 µs, one of 32 together 0.45, one of 1,000 0.34.
_MANY = 32

_MAX_WAITING = 1024
MAX_WAITING_BYTES = 256 * 1024
"""What may wait undecoded, in messages and in bytes."""


_MESSAGES = int(Slot.MESSAGES)  # once a read, an int is quicker than a member of an enum


class Limit:
    """How many rows may still be taken, by all intakes that share it; None: any number."""

    def __init__(self, left: int | None = None) -> None:
        self.left = left


class Intake:
    """Takes one feed's messages, over all its connections.

    :param decoder: makes rows of messages.
    :param counters: the feed's, for each of its tables; what is not of one table is counted in the
        first.
    :param emit: takes each batch when it is closed.
    :param finished: called when the limit is reached; nothing is taken after that.
    :param flush_interval: seconds after which a batch is closed anyway.
    :param limit: may be shared with others.
    :param side: takes what messages say that bring no row; None: nobody does. Where there are
        several connections, that of the first one.
    """

    def __init__(
        self,
        decoder: Decoder,
        counters: FeedCounters,
        *,
        emit: Callable[[Batch], None],
        finished: Callable[[], None],
        flush_interval: float,
        limit: Limit | None = None,
        side: SideMessages | None = None,
    ) -> None:
        self._decoder = decoder
        self._counters = counters
        self._emit = emit
        self._finished = finished
        self._flush_interval = flush_interval
        self._limit = limit or Limit()
        self.first = Arrivals(side)
        """What comes by the only connection, or the first one."""
        self._turns = Turns(decoder, counters)
        self._has_several = False
        self._redactors: list[Redactor] = []
        self._all_slots = [output.slots for output in counters.outputs]
        self._call_later = asyncio.get_running_loop().call_later
        self._timer: asyncio.TimerHandle | None = None
        self._stamps: list[tuple[int, int]] = []  # of messages: (end, ns since the epoch)
        self._owners: list[Arrivals] = []  # by whose connection they came, for each stamp
        self._waiting_bytes = 0
        self._time = 0  # of the read under way, in ns since the epoch; 0: not asked for yet
        self._reader: MessageReader | None = None
        self._stopped: list[Callable[[], None]] = []
        self.waiting: list[bytes] = []
        """Messages that are not decoded yet."""
        self.message: Callable[[bytes], None] = self.waiting.append
        """Takes a whole message."""
        self.closed = False
        """Whether :meth:`stop` was called, or the limit was reached: nothing is to be fed then."""
        self._bound_waiting()

    def another(self, side: SideMessages | None) -> Arrivals:
        """What comes by one more connection; nothing has been taken yet.

        :param side: as for the first.
        """
        self._has_several = True
        self._turns.share()
        return Arrivals(side)

    def when_stopped(self, call: Callable[[], None]) -> None:
        """Have the source, or a connection of it, told when it is to feed nothing any more."""
        self._stopped.append(call)

    @property
    def has_enough(self) -> bool:
        """Whether the limit is reached."""
        return self._limit.left == 0

    @property
    def batch_size(self) -> int:
        """Rows that close a batch of the first table."""
        return self._decoder.tables[0].batch_size

    def read_with(self, reader: MessageReader, columns: ColumnBuffers) -> None:
        """Have messages read natively from now on; nothing has been taken yet.

        :param columns: where ``reader`` puts the rows.
        """
        self._reader = reader
        self._decoder.tables[0].gather_in(columns)
        self.message = reader.take

    def hide_with(self, redactor: Redactor, by: Arrivals | None = None) -> None:
        """Hide in rejects what ``redactor`` hides, and that of each other connection."""
        self._redactors.append(redactor)
        together = joint(self._redactors)
        for table in self._decoder.tables:
            table.redactor = together
        side = (by or self.first).side
        if side is not None:
            side.redactor = redactor

    def brought(self, by: Arrivals) -> Brought:
        """What a connection has brought, as far as it is decoded."""
        return self._turns.brought(by)

    def connected(self, by: Arrivals | None = None) -> None:
        """Take note that this connection is another one from now on."""
        by = by or self.first
        self._turns.connected(by)
        if by.side is not None:
            by.side.connected()

    def disconnected(self, by: Arrivals | None = None) -> None:
        """Hand on what the connection brought."""
        self.decode(by)
        self.flush()
        self._time = 0

    def drop_larger_than(self, size: int) -> bool:
        """Take back the waiting messages from the first of more than ``size`` bytes on, if any."""
        for index, message in enumerate(self.waiting):
            if len(message) > size:
                del self.waiting[index:]
                return True
        return False

    def count_ignored(self, by: Arrivals | None = None) -> None:
        """Count a message that the source has used up itself."""
        self._turns.turn_to(by or self.first)
        self._counters.tables[0].add(Slot.IGNORED)
        self._counters.add(Slot.MESSAGES)
        self._counters.add(Slot.DECODED)

    def stop(self) -> None:
        """Hand on everything received, and take nothing any more."""
        self.closed = True
        for call in self._stopped:
            call()
        self.flush()

    def flush(self) -> None:
        """Close the batch under way, if there is anything in it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.decode()
        if not self._decoder.is_empty:
            for batch in self._decoder.take():
                self._hand_on(batch)
            self._bound_waiting()

    # While a connection is read

    def end_of_read(self, by: Arrivals | None = None) -> None:
        """Give one receive time to all messages since the last, and decode what is worth it.

        :param by: whose connection was read; None: the first's.
        """
        by = by or self.first
        messages, stamps = self.waiting, self._stamps
        if self._reader is not None:
            self.settle(by)
        counted = stamps[-1][0] if stamps else 0
        new = len(messages) - counted
        if not new:
            self._time = 0
            return
        self._count_messages(new)
        stamps.append((len(messages), self._now()))
        self._owners.append(by)
        self._time = 0
        if new < _MANY:
            self._waiting_bytes += sum(map(len, messages[counted:]))
            # What the server asks for, or refuses, does not wait for company.
            is_urgent = by.asked is not None and by.asked.may_be_among(messages[counted:])
            is_full = (
                len(messages) >= self._most_waiting or self._waiting_bytes >= MAX_WAITING_BYTES
            )
            if not is_full and not is_urgent:
                return
        self.decode(by)

    def _now(self) -> int:
        """When the read under way came."""
        if not self._time:
            self._time = time.time_ns()
        return self._time

    def _count_messages(self, new: int) -> None:
        for slots in self._all_slots:
            slots[_MESSAGES] += new
        if self._timer is None:
            self._timer = self._call_later(self._flush_interval, self.flush)

    def settle(self, by: Arrivals | None = None) -> None:
        """Account for what was read natively, by this connection; None: the first."""
        if self._reader is None:
            return
        messages, ignored, blanked = self._reader.take_counts()
        if not messages:
            return
        self._count_messages(messages)
        if by is not self._turns.present:
            self._turns.turn_to(by or self.first)
        table = self._decoder.tables[0]
        before = [table.counts]
        table.blanked += blanked
        self._decoder.ignored += ignored
        closed = table.settle(self._now(), self._limit.left)
        self._account(before, ignored, messages, closed)

    def decode(self, by: Arrivals | None = None) -> None:
        """Make rows of the waiting messages, and close the batches that this fills.

        :param by: whose connection is being read, if one is; None: the first's.
        """
        self.settle(by)
        messages = self.waiting
        if not messages:
            return
        counted = self._stamps[-1][0] if self._stamps else 0
        if counted < len(messages):  # it is not the end of a read
            self._count_messages(len(messages) - counted)
            self._stamps.append((len(messages), self._now()))
            self._owners.append(by or self.first)
        if self._has_several:
            runs = list(runs_of(messages, self._stamps, self._owners))
        else:
            runs = [Run(messages[:], self._stamps[:], self.first)]
        messages.clear()
        self._stamps.clear()
        self._owners.clear()
        self._waiting_bytes = 0
        for run in chain.from_iterable(map(Run.parts, runs)):
            self._decode(run)

    def _decode(self, run: Run) -> None:
        (messages, stamps, by), decoder = run, self._decoder
        if by is not self._turns.present:
            self._turns.turn_to(by)
        before = [table.counts for table in decoder.tables]
        ignored, decoded, closed = decoder.ignored, len(messages), []
        if by.asked is not None and by.asked.may_be_among(messages):
            by.asked.take_out(messages, stamps, decoder.fate_of)
        aside = decoded - len(messages)
        if messages and self._limit.left != 0:  # as it is where another intake has reached it
            closed = decoder.decode(messages, stamps, self._limit.left)
        if by.side is not None and by.side.looks:
            rejects = sum(table.rejects for table in decoder.tables)
            if decoder.ignored > ignored or rejects > sum(each for _, each, _ in before):
                by.side.look_among(messages, decoder.fate_of)
        self._account(before, decoder.ignored - ignored + aside, decoded, closed)

    def _account(
        self, before: list[tuple[int, int, int]], ignored: int, decoded: int, closed: list[Batch]
    ) -> None:
        """Count what messages have brought, and hand on the batches that this has closed.

        :param before: of each table, its counts before.
        """
        decoder = self._decoder
        taken = 0
        tables = zip(decoder.tables, self._counters.tables, before, strict=True)
        for table, counters, (rows, rejects, blanked) in tables:
            rows, rejects = table.rows - rows, table.rejects - rejects  # noqa: PLW2901
            counters.add(Slot.RECEIVED, rows + rejects)
            if rejects:
                counters.add(Slot.REJECTED, rejects)
            if table.blanked > blanked:
                counters.add(Slot.BLANKED, table.blanked - blanked)
            taken += rows
        if ignored:
            self._counters.tables[0].add(Slot.IGNORED, ignored)
        # Last: what a kill finds in between is counted twice rather than not at all.
        self._counters.add(Slot.DECODED, decoded)
        for batch in closed:
            self._hand_on(batch)
        if closed and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            if decoder.oldest:
                waited = (time.time_ns() - decoder.oldest) / 1e9
                left = min(max(0.0, self._flush_interval - waited), self._flush_interval)
                self._timer = self._call_later(left, self.flush)
        if self._limit.left is not None:
            self._limit.left -= taken
            if self._limit.left == 0 and not self.closed:
                self.stop()
                self._finished()
        self._bound_waiting()

    def _hand_on(self, batch: Batch) -> None:
        if batch.stamps:
            self._counters[Slot.LAST_ROW] = batch.stamps[-1][1]
        self._emit(batch)

    def _bound_waiting(self) -> None:
        """Set how many messages may wait: fewer than fill the batch, or the run."""
        most = min(_MAX_WAITING, self._decoder.room)
        left = self._limit.left
        self._most_waiting = most if left is None else min(most, left)
