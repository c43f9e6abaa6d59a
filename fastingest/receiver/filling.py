"""The batch of one table that is being filled, and closed when it is full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastingest.batch import Batch, Layout, Reject, encode_columns
from fastingest.schema import Schema
from fastingest.secrets import Redactor

__all__ = ["MOST_REJECT_BYTES", "Filling"]

MOST_REJECT_BYTES = 1024 * 1024
"""Bytes of rejects that close a batch, however few rows there are."""

_REJECT_COST = 200  # bytes that a reject takes besides its raw text, about


class Filling:
    """Takes one table's decoded rows and rejects.

    :param schema: the table's.
    :param batch_size: the rows that close a batch.
    :param feed: the index of the feed that they come from.
    :param name: its name.
    :param table: which of the feed's tables it is.
    """

    def __init__(
        self, schema: Schema, batch_size: int, feed: int = 0, name: str = "", table: int = 0
    ) -> None:
        self.schema = schema
        self._batch_size = batch_size
        self._feed = feed
        self._table = table
        self._layout = Layout(schema.names, schema.types, name)
        self._connection = 0
        self.first = 1
        """The number of the first row, among the feed's rows in the output; set before any is."""
        self.rows = 0
        """Rows taken so far, over all batches."""
        self.rejects = 0
        """Rejects so far."""
        self.redactor = Redactor()
        """Hides secrets in rejects."""
        self._batch = self._new_batch()
        self._reject_bytes = 0

    def _new_batch(self) -> Batch:
        return Batch(0, [], self._layout, feed=self._feed, table=self._table)

    @property
    def is_empty(self) -> bool:
        """Whether the batch holds nothing."""
        return not self._batch.rows and not self._batch.rejects

    @property
    def room(self) -> int:
        """How many rows the batch still takes; at least one."""
        return self._batch_size - self._batch.rows

    @property
    def oldest(self) -> int:
        """When the batch's oldest row or reject came, in ns since the epoch; 0: it is empty."""
        times = [time for _, time in self._batch.stamps[:1]]
        times += [reject.time for reject in self._batch.rejects[:1]]
        return min(times, default=0)

    def connected(self, number: int) -> None:
        """What comes from now on comes by the feed's connection ``number``."""
        self._connection = number

    def take(self) -> Batch:
        """Close the batch, and start another."""
        batch = self._batch
        batch.first = self.first + self.rows - batch.rows
        self._batch = self._new_batch()
        self._reject_bytes = 0
        return batch

    def fill(self, columns: Sequence[list[Any]], stamps: list[tuple[int, int]]) -> list[Batch]:
        """Add rows to the batch, and to as many more as they fill.

        :param columns: the cells, one list for each column that is not our own.
        :param stamps: as in :class:`Batch`, for these rows.
        :returns: the batches that this has closed.
        """
        closed = []
        start, count = 0, len(columns[0])
        while self._batch.rows + count - start >= self._batch_size:
            end = start + self._batch_size - self._batch.rows
            self._append([column[start:end] for column in columns], stamps, start)
            closed.append(self.take())
            start = end
        if start:
            columns = [column[start:] for column in columns]
        if start < count:
            self._append(columns, stamps, start)
        if self._reject_bytes >= MOST_REJECT_BYTES:
            closed.append(self.take())
        return closed

    def _append(
        self, columns: Sequence[list[Any]], stamps: list[tuple[int, int]], start: int
    ) -> None:
        """Add ``columns``, whose rows are those from ``start`` on as ``stamps`` count them."""
        batch, count = self._batch, len(columns[0])
        batch.segments.append(encode_columns(columns))
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
