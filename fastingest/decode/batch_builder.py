"""The batch of one table that is being filled, and closed when it is full.

It is full with so many rows, and with so many bytes of them or of rejects. Bytes are looked at when
rows are added, which is once for each run of them: a batch has one run more than its bytes at most.

Rows come as lists of cells, and are made a segment of the batch at once. Where there is a native
listener, it has the rows in column buffers (:meth:`BatchBuilder.gather_in`) before this hears of
them (:meth:`BatchBuilder.settle`); rows decoded in Python go there as well, and a batch is one
segment, made when it is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from fastingest.access.secrets import Redactor
from fastingest.model.batch import Batch, Layout, Reject
from fastingest.model.chunks import Chunk, encode, segment_of
from fastingest.model.schema import ESCAPED, Schema

__all__ = ["MAX_REJECT_BYTES", "MAX_ROW_BYTES", "BatchBuilder", "ColumnBuffers"]

MAX_ROW_BYTES = 1024 * 1024
"""Bytes of encoded rows that close a batch, however few rows there are."""

MAX_REJECT_BYTES = 1024 * 1024
"""Bytes of rejects that close a batch, however few rows there are."""

_REJECT_COST = 200  # bytes that a reject takes besides its raw text, about


class ColumnBuffers(Protocol):
    """Rows in native buffers: the batch that is being filled, and those not settled yet."""

    @property
    def rows(self) -> int:
        """How many there are."""

    @property
    def size(self) -> int:
        """Their bytes as they are sent, about."""

    def cut(self, rows: int) -> None:
        """Keep so many, the first ones."""

    def extend(self, columns: Sequence[list[Any]]) -> None:
        """Add rows as lists of cells, one for each column."""

    def chunks(self, start: int, stop: int) -> list[Chunk]:
        """The rows from ``start`` to ``stop``, a chunk for each column."""

    def begin(self, start: int) -> None:
        """Forget the rows before ``start``."""


class BatchBuilder:
    """Takes one table's decoded rows and rejects.

    :param schema: the table's.
    :param batch_size: the rows that close a batch.
    :param name: the name of the feed that they come from.
    :param table: which of the feed's tables it is.
    """

    def __init__(self, schema: Schema, batch_size: int, name: str = "", table: int = 0) -> None:
        self.schema = schema
        self.batch_size = batch_size
        """The rows that close a batch."""
        self._table = table
        self._layout = Layout(schema.names, schema.types, name)
        self._types = [column.type for column in schema.columns if not column.is_metadata]
        self._connection = 0
        self._gathered: ColumnBuffers | None = None  # the batch's rows, and those not settled yet
        self.first = 1
        """The number of the first row, among the feed's rows in the output; set before any is."""
        self.rows = 0
        """Rows taken so far, over all batches."""
        self.rejects = 0
        """Rejects so far."""
        self.blanked = 0
        """Cells so far that are empty because their value was no number; of rows that were dropped
        at a limit as well."""
        self.redactor = Redactor()
        """Hides secrets in rejects."""
        self._batch = self._new_batch()
        self._reject_bytes = 0
        self._row_bytes = 0  # where they are not in native buffers

    @property
    def counts(self) -> tuple[int, int, int]:
        """What it has taken so far: rows, rejects, and blanked cells."""
        return self.rows, self.rejects, self.blanked

    def _new_batch(self) -> Batch:
        return Batch(0, [], self._layout, table=self._table)

    @property
    def tells_connections(self) -> bool:
        """Whether a column says by which connection a row came."""
        return any(each.type.startswith("@connection") for each in self.schema.columns)

    @property
    def is_empty(self) -> bool:
        """Whether the batch holds nothing."""
        return not self._batch.rows and not self._batch.rejects

    @property
    def room(self) -> int:
        """How many rows the batch still takes; at least one."""
        return self.batch_size - self._batch.rows

    @property
    def oldest(self) -> int:
        """When the batch's oldest row or reject came, in ns since the epoch; 0: it is empty."""
        times = [time for _, time in self._batch.stamps[:1]]
        times += [reject.time for reject in self._batch.rejects[:1]]
        return min(times, default=0)

    def escape_formulas(self) -> None:
        """Have the writer escape text that a spreadsheet takes for a formula; before any row."""
        types = (ESCAPED if type_ == "str" else type_ for type_ in self._layout.types)
        self._layout = self._layout._replace(types=tuple(types))
        self._batch = self._new_batch()

    def connected(self, number: int) -> None:
        """What comes from now on comes by the feed's connection ``number``."""
        self._connection = number

    def gather_in(self, columns: ColumnBuffers) -> None:
        """Keep the batch's rows in native buffers from now on; nothing has been taken yet."""
        self._gathered = columns

    def take(self) -> Batch:
        """Close the batch, and start another."""
        rows = self._batch.rows
        batch = self._close()
        if self._gathered is not None and rows:
            self._gathered.begin(rows)
        return batch

    def _close(self, begin: int = 0) -> Batch:
        """Close the batch, and start another.

        :param begin: where its rows begin among those gathered; they stay there.
        """
        batch = self._batch
        if self._gathered is not None and batch.rows:
            batch.segments.append(encode(self._gathered.chunks(begin, begin + batch.rows)))
        batch.first = self.first + self.rows - batch.rows
        self._batch = self._new_batch()
        self._reject_bytes = self._row_bytes = 0
        return batch

    def fill(self, columns: Sequence[list[Any]], stamps: list[tuple[int, int]]) -> list[Batch]:
        """Add rows to the batch, and to as many more as they fill.

        :param columns: the cells, one list for each column that is no metadata.
        :param stamps: as in :class:`Batch`, for these rows.
        :returns: the batches that this has closed.
        """
        if self._gathered is not None:
            if columns[0]:
                self._gathered.extend(columns)
            return self._settle(self._gathered, stamps)
        closed = []
        start, count = 0, len(columns[0])
        while self._batch.rows + count - start >= self.batch_size:
            end = start + self.batch_size - self._batch.rows
            self._append([column[start:end] for column in columns], stamps, start)
            closed.append(self.take())
            start = end
        if start:
            columns = [column[start:] for column in columns]
        if start < count:
            self._append(columns, stamps, start)
        if self._reject_bytes >= MAX_REJECT_BYTES or self._row_bytes >= MAX_ROW_BYTES:
            closed.append(self.take())
        return closed

    def settle(self, time: int, limit: int | None) -> list[Batch]:
        """Take the rows that have been gathered natively since the last time.

        :param time: when they came, in nanoseconds since the epoch.
        :param limit: take so many of them at most; the others are dropped. None: all.
        :returns: the batches that this has closed.
        """
        if self._gathered is None:
            return []
        new = self._gathered.rows - self._batch.rows
        if limit is not None and new > limit:
            new = limit
            self._gathered.cut(self._batch.rows + new)
        return self._settle(self._gathered, [(new, time)])

    def _settle(self, gathered: ColumnBuffers, stamps: list[tuple[int, int]]) -> list[Batch]:
        """Take the rows gathered since the last time, and close the batches that they fill."""
        closed = []
        total = gathered.rows
        settled = self._batch.rows  # of them
        begin, start = 0, 0  # of the batch, and of the rows that stamps speak of
        while total - begin >= self.batch_size:
            count = begin + self.batch_size - settled
            self._count(count, stamps, start)
            closed.append(self._close(begin))
            start, settled = start + count, settled + count
            begin += self.batch_size
        if begin:
            gathered.begin(begin)
        if total > settled:
            self._count(total - settled, stamps, start)
        if self._reject_bytes >= MAX_REJECT_BYTES or gathered.size >= MAX_ROW_BYTES:
            closed.append(self.take())
        return closed

    def _append(
        self, columns: Sequence[list[Any]], stamps: list[tuple[int, int]], start: int
    ) -> None:
        """Add ``columns``, whose rows are those from ``start`` on as ``stamps`` count them."""
        segment = segment_of(columns, self._types)
        self._batch.segments.append(segment)
        self._row_bytes += len(segment)
        self._count(len(columns[0]), stamps, start)

    def _count(self, count: int, stamps: list[tuple[int, int]], start: int) -> None:
        """Take note of rows of the batch: those from ``start`` on as ``stamps`` count them."""
        batch = self._batch
        if not batch.connections or batch.connections[-1][1] != self._connection:
            batch.connections.append((batch.rows, self._connection))
        for end, time in stamps:
            if end > start:
                batch.stamps.append((batch.rows + min(end - start, count), time))
            if end - start >= count:
                break
        batch.rows += count
        self.rows += count

    def reject(self, raw: bytes, time: int, reason: str) -> None:
        """Add what is no row; :meth:`fill` must follow, and may close the batch for it.

        :param raw: the message, or the element of an array of rows.
        :param time: when it was received, in nanoseconds since the epoch.
        """
        if self.redactor:
            raw, reason = self.redactor.hide_in(raw), self.redactor.hide(reason)
        self._batch.rejects.append(Reject(time, reason, raw))
        self._reject_bytes += len(raw) + _REJECT_COST
        self.rejects += 1
