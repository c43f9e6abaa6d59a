"""Messages → rows and rejects. No I/O: bytes in, columns out.

Most feeds send one record a message, message after message, so that is tried first, for a whole run
of messages at once: ``list(map(decode, messages))`` calls msgspec from C, message by message. It
costs the same as joining the messages into one array for a single call (245 ns a row against 250,
CPython 3.11), and needs no proof that each of them is one whole value: two broken halves can never
become a row. If any message is something else, the run is gone through again one by one. That is
the only definition of what a message means; the first way merely gets there sooner.

A message that is no row becomes a :class:`~fastingest.batch.Reject` with msgspec's reason. An array
gives up only its bad elements. A map is taken whole or not at all: half of a subscription reply
such as ``{"result": null, "id": 1}`` must not become the row ``id,1``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from fastingest.batch import Batch, Reject, encode_columns
from fastingest.schema import Schema

__all__ = ["Decoder"]

MOST_REJECT_BYTES = 1024 * 1024
"""Bytes of rejects that close a batch, however few rows there are."""

_REJECT_COST = 200  # bytes that a reject takes besides its raw text, about

_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

# What msgspec raises on bytes that are not what they should be. A UnicodeDecodeError is a
# ValueError, and so is every error of msgspec's own; deep nesting is a RecursionError.
_Unfit = (ValueError, RecursionError)


def _reason(error: Exception) -> str:
    """``error`` as a reason for a person, in one line."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    # The bounds of schema.py, which shut out inf and nan.
    text = re.sub(r"Expected `float` [<>]= -?[\d.e+]+", "a number that is not finite", str(error))
    for theirs, ours in (
        ("JSON is malformed: ", "not JSON: "),
        ("Input data was truncated", "not JSON: it ends too early"),
    ):
        text = text.replace(theirs, ours)
    return text


class Decoder:
    """Decodes messages into the batch that is being filled, and closes it when it is full.

    :param schema: what a row is.
    :param batch_size: the rows that close a batch.
    :param feed: the index of the feed that the messages come from.
    """

    def __init__(self, schema: Schema, batch_size: int, feed: int = 0) -> None:
        self._schema = schema
        self._names = frozenset(schema.names)
        self._batch_size = batch_size
        self._batch = Batch(0, [], feed=feed)
        self._reject_bytes = 0
        self._maps = False  # whether the last object that took a second look was a map
        # the rows of a run that is gone through one by one
        self._columns: tuple[list[Any], ...] = ()
        self._stamps: list[tuple[int, int]] = []
        self.rows = 0
        """Rows decoded so far, over all batches."""
        self.rejects = 0
        """Rejects so far."""

    @property
    def is_empty(self) -> bool:
        """Whether the batch being filled holds nothing."""
        return not self._batch.rows and not self._batch.rejects

    @property
    def room(self) -> int:
        """How many rows the batch being filled still takes; at least one."""
        return self._batch_size - self._batch.rows

    @property
    def oldest(self) -> int:
        """When the batch's oldest row or reject came, in ns since the epoch; 0: it is empty."""
        times = [time for _, time in self._batch.stamps[:1]]
        times += [reject.time for reject in self._batch.rejects[:1]]
        return min(times, default=0)

    def decode(
        self, messages: list[bytes], stamps: list[tuple[int, int]], limit: int | None = None
    ) -> list[Batch]:
        """Add what ``messages`` say; the batches that this has closed.

        :param messages: whole messages, in the order received.
        :param stamps: pairs (end, time): the messages before ``end``, from where the pair before
            ended, came at ``time``, in nanoseconds since the epoch. The last ``end`` is their
            number.
        :param limit: stop after so many rows. None: no limit.
        """
        rows = None
        if limit is None or len(messages) <= limit:
            rows = self._all_records(messages)
        if rows is not None:
            columns = self._schema.to_columns(rows)
        else:
            self._one_by_one(messages, stamps, limit)
            columns, stamps = self._columns, self._stamps
        return self._fill(columns, stamps)

    def take(self) -> Batch:
        """Close the batch being filled, and start another."""
        batch = self._batch
        self._batch = Batch(0, [], feed=batch.feed)
        self._reject_bytes = 0
        return batch

    def _fill(self, columns: Sequence[list[Any]], stamps: list[tuple[int, int]]) -> list[Batch]:
        """Add rows to the batch, and to as many more as they fill."""
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
        for end, time in stamps:
            if end > start:
                batch.stamps.append((batch.rows + min(end - start, count), time))
            if end - start >= count:
                break
        batch.rows += count
        self.rows += count

    def _one_by_one(
        self, messages: list[bytes], stamps: list[tuple[int, int]], limit: int | None
    ) -> None:
        """Read the messages into ``_columns`` and ``_stamps``, and the batch's rejects."""
        self._columns, self._stamps = tuple([] for _ in self._schema.columns), []
        start = 0
        for end, time in stamps:
            for raw in messages[start:end]:
                self._message(raw, time)
                if limit is not None and len(self._columns[0]) >= limit:
                    for column in self._columns:
                        del column[limit:]
                    return
            start = end

    def _all_records(self, messages: list[bytes]) -> list[Any] | None:
        """The rows, if every message is one valid record; else None."""
        try:
            rows = list(map(self._schema.decode_row, messages))
            # msgspec passes over what stands in unknown members without looking at its encoding.
            together = b"".join(messages)
            if not together.isascii():
                for message in messages:
                    message.decode()
        except _Unfit:
            return None
        return rows

    def _message(self, raw: bytes, time: int) -> None:
        try:
            raw.decode()
            if raw.lstrip(b" \t\r\n")[:1] == b"[":
                self._array(raw, time)
            else:
                self._object(raw, time)
        except _Unfit as error:
            self._reject(raw, time, error)

    def _array(self, raw: bytes, time: int) -> None:
        elements = [bytes(element) for element in _decode_elements(raw)]
        if not elements:
            raise ValueError("an empty array holds no row")
        if not any(element.startswith(b"{") for element in elements):
            raise ValueError("no element of the array is an object")
        rows = self._all_records(elements)
        if rows is not None:
            self._add(self._schema.to_columns(rows), time)
            return
        for element in elements:
            try:
                self._add(self._schema.to_columns([self._record(element)]), time)
            except _Unfit as error:
                self._reject(element, time, error)

    def _object(self, raw: bytes, time: int) -> None:
        """A record or a map: whichever was seen last is tried first, with the same outcome."""
        if self._maps and self._map(raw, time):
            return
        try:
            columns = self._schema.to_columns([self._record(raw)])
        except _Unfit:
            self._maps = self._map(raw, time)
            if not self._maps:
                raise
        else:
            self._maps = False
            self._add(columns, time)

    def _record(self, raw: bytes) -> Any:
        """The row that ``raw`` is.

        :raises ValueError, RecursionError: it is none.
        """
        try:
            return self._schema.decode_row(raw)
        except msgspec.ValidationError as error:
            try:
                row = self._schema.decode_wide(raw)
            except _Unfit:
                raise error from None
        # An integer past 64 bits, which neither msgpack nor a polars column of integers can hold.
        for name in row.__struct_fields__:
            if isinstance(getattr(row, name), int):
                setattr(row, name, str(getattr(row, name)))
        return row

    def _map(self, raw: bytes, time: int) -> bool:
        """Add ``raw``'s rows if it is a map; say whether it is.

        :raises ValueError: it has no member of a record, so it can only be a map, and it is a bad
        one.
        """
        try:
            pairs = self._schema.decode_map(raw)
        except _Unfit as error:
            members = _decode_members(raw)
            if members and self._names.isdisjoint(members):
                key, value = self._schema.map_key, self._schema.map_value
                raise ValueError(
                    f"no record (none of {', '.join(self._schema.names)}), "
                    f"and no map of {key} to {value}: {_reason(error)}"
                ) from None
            return False
        if not pairs:
            raise ValueError("an empty object holds no row")
        if not self._names.isdisjoint(pairs):
            return False
        self._add(self._schema.map_columns(pairs), time)
        return True

    def _add(self, columns: tuple[list[Any], ...], time: int) -> None:
        for column, more in zip(self._columns, columns, strict=True):
            column.extend(more)
        if self._stamps and self._stamps[-1][1] == time:
            self._stamps.pop()
        self._stamps.append((len(self._columns[0]), time))

    def _reject(self, raw: bytes, time: int, error: Exception) -> None:
        self._batch.rejects.append(Reject(time, _reason(error), raw))
        self._reject_bytes += len(raw) + _REJECT_COST
        self.rejects += 1
