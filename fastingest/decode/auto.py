"""Messages told by themselves → rows: the default, where no columns are described.

- an object that has at least one column's name among its members is a *record*, one row;
- an array is a list of records, a row for each;
- any other object is a *map* of symbol to price, a row for each member, the volume empty.

A broken record (``{"price": 145.67}``, which lacks its symbol) is therefore never taken for a map
whose symbol is "price".

Most feeds send one record a message, message after message, so that is tried first, for a whole run
of messages at once: ``list(map(decode, messages))`` calls msgspec from C, message by message. It
costs the same as joining the messages into one array for a single call (245 ns a row against 250,
CPython 3.11), and needs no proof that each of them is one whole value: two broken halves can never
become a row. If any message is something else, the run is gone through again one by one. That is
the only definition of what a message means; the first way merely gets there sooner.

A message that is no row becomes a :class:`~fastingest.model.batch.Reject` with msgspec's reason. An
array gives up only its bad elements, or, where these are more than 1,000, is a reject itself; it is
not read any further then, since a message has room for millions. A map is taken whole or not at
all: half of a subscription reply such as ``{"result": null, "id": 1}`` must not become the row
``id,1``.

The meaning of a value is msgspec's (``strict=False``: a number may stand in a string), with bounds
that it checks while it parses: a double must be finite. An integer past 64 bits, which neither
msgpack nor a polars column of integers can hold, keeps its digits as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from fastingest.decode.column_types import Double, Int64
from fastingest.decode.decoder import Decoder
from fastingest.decode.elements import elements_of, is_empty, members_decoder
from fastingest.decode.reasons import MOST_BAD_ELEMENTS, Unfit, reason_of, too_many_bad
from fastingest.model.batch import Batch
from fastingest.model.schema import TRADES

__all__ = ["PlainDecoder"]


class _Record(msgspec.Struct, gc=False):
    symbol: str
    price: Double
    volume: Int64 | Double | None = None


class _WideRecord(msgspec.Struct, gc=False):
    symbol: str
    price: Double
    volume: int | Double | None = None


_decode_record = msgspec.json.Decoder(_Record, strict=False).decode
_decode_wide = msgspec.json.Decoder(_WideRecord, strict=False).decode
_decode_map = msgspec.json.Decoder(dict[str, Double], strict=False).decode
_decode_records = msgspec.json.Decoder(list[_Record], strict=False).decode
_decode_any = msgspec.json.Decoder(msgspec.Raw).decode

_NAMES = frozenset(TRADES.names)
_named = members_decoder(TRADES.names)


def _to_columns(rows: Sequence[_Record]) -> tuple[list[Any], ...]:
    # A comprehension takes 20 ns a cell, attrgetter 38.
    return (
        [row.symbol for row in rows],
        [row.price for row in rows],
        [row.volume for row in rows],
    )


class PlainDecoder(Decoder):
    """See :class:`Decoder`; it has one table, :data:`TRADES`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        (self._table,) = self.tables
        self._maps = False  # whether the last object that took a second look was a map
        # the rows of a run that is gone through one by one
        self._columns: tuple[list[Any], ...] = ()
        self._stamps: list[tuple[int, int]] = []

    def decode(
        self, messages: list[bytes], stamps: list[tuple[int, int]], limit: int | None = None
    ) -> list[Batch]:
        """As in :class:`Decoder`."""
        rows = None
        if limit is None or len(messages) <= limit:
            rows = self._all_records(messages)
        if rows is not None:
            return self._table.fill(_to_columns(rows), stamps)
        self._one_by_one(messages, stamps, limit)
        return self._table.fill(self._columns, self._stamps)

    def _one_by_one(
        self, messages: list[bytes], stamps: list[tuple[int, int]], limit: int | None
    ) -> None:
        """Read the messages into ``_columns`` and ``_stamps``, and the batch's rejects."""
        self._columns, self._stamps = ([], [], []), []
        start = 0
        for end, time in stamps:
            for raw in messages[start:end]:
                if raw in self._ignore:
                    self.ignored += 1
                    continue
                self._message(raw, time)
                if limit is not None and len(self._columns[0]) >= limit:
                    for column in self._columns:
                        del column[limit:]
                    return
            start = end

    @staticmethod
    def _all_records(messages: list[bytes]) -> list[_Record] | None:
        """The rows, if every message is one valid record; else None."""
        try:
            rows = list(map(_decode_record, messages))
            # msgspec passes over what stands in unknown members without looking at its encoding.
            together = b"".join(messages)
            if not together.isascii():
                for message in messages:
                    message.decode()
        except Unfit:
            return None
        return rows

    def _message(self, raw: bytes, time: int) -> None:
        try:
            raw.decode()
            if raw.lstrip(b" \t\r\n")[:1] == b"[":
                self._array(raw, time)
            else:
                self._object(raw, time)
        except Unfit as error:
            self._table.reject(raw, time, reason_of(error))

    def _array(self, raw: bytes, time: int) -> None:
        try:
            rows = _decode_records(raw)
        except Unfit:
            rows = []
        if rows:
            self._add(_to_columns(rows), time)
            return
        text = bytes(_decode_any(raw))
        if is_empty(text):
            raise ValueError("an empty array holds no row")
        records: list[_Record] = []
        bad: list[tuple[bytes, str]] = []
        for element in elements_of(text):
            try:
                records.append(self._record(element))
            except Unfit as error:
                bad.append((element, reason_of(error)))
                if len(bad) > MOST_BAD_ELEMENTS:
                    raise ValueError(too_many_bad(bad[0][1])) from None
        if records:
            self._add(_to_columns(records), time)
        elif not any(element.startswith(b"{") for element, _ in bad):
            raise ValueError("no element of the array is an object")
        for element, reason in bad:
            self._table.reject(element, time, reason)

    def _object(self, raw: bytes, time: int) -> None:
        """A record or a map: whichever was seen last is tried first, with the same outcome."""
        if self._maps and self._map(raw, time):
            return
        try:
            columns = _to_columns([self._record(raw)])
        except Unfit:
            self._maps = self._map(raw, time)
            if not self._maps:
                raise
        else:
            self._maps = False
            self._add(columns, time)

    @staticmethod
    def _record(raw: bytes) -> Any:
        """The row that ``raw`` is.

        :raises ValueError, RecursionError: it is none.
        """
        try:
            return _decode_record(raw)
        except msgspec.ValidationError as error:
            try:
                row: Any = _decode_wide(raw)
            except Unfit:
                raise error from None
        row.volume = str(row.volume)
        return row

    def _map(self, raw: bytes, time: int) -> bool:
        """Add ``raw``'s rows if it is a map; say whether it is.

        :raises ValueError: it has no member of a record, so it can only be a map, and it is a bad
        one.
        """
        try:
            pairs = _decode_map(raw)
        except Unfit as error:
            if not any(bytes(value) for _, value in _named(raw)):
                raise ValueError(
                    f"no record (none of {', '.join(TRADES.names)}), "
                    f"and no map of symbol to price: {reason_of(error)}"
                ) from None
            return False
        if not pairs:
            raise ValueError("an empty object holds no row")
        if not _NAMES.isdisjoint(pairs):
            return False
        self._add((list(pairs), list(pairs.values()), [None] * len(pairs)), time)
        return True

    def _add(self, columns: tuple[list[Any], ...], time: int) -> None:
        for column, more in zip(self._columns, columns, strict=True):
            column.extend(more)
        if self._stamps and self._stamps[-1][1] == time:
            self._stamps.pop()
        self._stamps.append((len(self._columns[0]), time))
