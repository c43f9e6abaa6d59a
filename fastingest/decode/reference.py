"""What one message means to one table: the definition, and what every faster way is held to.

:mod:`fastingest.decode.feed_decoder` says the rules in words. Here they are taken one after the
other, value by value; that takes some microseconds a message, and finds the reason of a reject.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from fastingest.decode.column_types import ColumnType, column_type
from fastingest.decode.elements import elements_of, is_empty
from fastingest.decode.reasons import MAX_BAD_ELEMENTS, too_many_bad
from fastingest.decode.values import Values, ValueTree
from fastingest.model.jsonpath import JsonPath
from fastingest.model.schema import Column, Schema

__all__ = ["DecodedMessage", "ReferenceDecoder", "json_of"]

_decode_any = msgspec.json.Decoder(msgspec.Raw).decode


class _Reader(NamedTuple):
    """A column, with what reads its values."""

    column: Column
    path: JsonPath
    kind: ColumnType

    def read(self, found: Values) -> Any:
        """The cell.

        :raises ValueError: there is none; the message says why.
        """
        value = self.path.own.encode() or found.get(self.path.steps)
        if value is None or value == b"null":
            if not self.column.required:
                return None
            what = "is missing" if value is None else "is null"
            raise ValueError(f"{self.column.name}: {self.path} {what}")
        try:
            return self.kind.read(value)
        except ValueError as error:
            at = "" if str(self.path) == self.column.name else f" - at {self.path}"
            raise ValueError(f"{self.column.name}: {error}{at}") from None


@dataclass
class DecodedMessage:
    """What becomes of a message.

    :param taken: whether the table takes it, be it for rows, for rejects, or for nothing.
    :param rows: the cells of each row, in the columns' order.
    :param rejects: pairs (raw, reason): the message, or elements of its array of rows.
    :param ignored: rows left out, and 1 for an empty array of rows.
    """

    taken: bool = True
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    rejects: list[tuple[bytes, str]] = field(default_factory=list)
    ignored: int = 0


def json_of(message: bytes) -> bytes:
    """The message's JSON without white space around it.

    :raises ValueError, RecursionError: it is not UTF-8, or not JSON, or nested too deeply.
    """
    message.decode()
    return bytes(_decode_any(message))


class ReferenceDecoder:
    """Tells what messages mean to a table.

    :param schema: the table's.
    """

    def __init__(self, schema: Schema) -> None:
        self._readers = [
            _Reader(column, column.path, column_type(column.type))
            for column in schema.columns
            if column.path is not None
        ]
        self._of_root = [reader for reader in self._readers if reader.path.from_root]
        self._rows = schema.rows
        self._where_message, self._where_row = schema.where_message, schema.where_row
        self._container = schema.row_container
        of_root = [reader.path for reader in self._of_root]
        of_root += [condition.path for condition in self._where_message]
        of_row = [reader.path for reader in self._readers if not reader.path.from_root]
        of_row += [condition.path for condition in self._where_row]
        self._root_tree = ValueTree.of([*of_root, schema.rows.path])
        self._row_tree = ValueTree.of(of_row)

    def of(self, text: bytes, raw: bytes) -> DecodedMessage:
        """What a message means.

        :param text: its JSON, by :func:`json_of`.
        :param raw: the message as it was received, for the rejects.
        """
        where = self._where_message
        found = self._root_tree.find(text)
        if not all(each.holds(found.get(each.path.steps)) for each in where):
            return DecodedMessage(taken=False)
        value = found.get(self._rows.steps)
        if value is None or (value == b"null" and self._rows.steps):
            if not where or self._rows.is_optional:
                return DecodedMessage(taken=False)
            what = "is missing" if value is None else "is null"
            return DecodedMessage(
                rejects=[(raw, f"{self._rows}, where the rows should be, {what}")]
            )
        rows: Iterable[tuple[bytes, bytes]] = [(value, raw)]
        if self._is_array_of_rows(value):
            if is_empty(value):
                return DecodedMessage(ignored=1)
            rows = ((element, element) for element in elements_of(value))
        return self._outcome(rows, found, raw)

    def _is_array_of_rows(self, value: bytes) -> bool:
        """Whether ``value`` is no single row, but an array of them."""
        if self._container is None or not value.startswith(b"["):
            return False
        return (
            self._container is dict or is_empty(value) or next(elements_of(value)).startswith(b"[")
        )

    def _outcome(
        self, rows: Iterable[tuple[bytes, bytes]], found_in_root: Values, raw: bytes
    ) -> DecodedMessage:
        outcome = DecodedMessage()
        is_root_bad: bool | None = None  # None: no row has asked for it yet
        for row, shown in rows:
            found = self._row_tree.find(row)
            if not all(each.holds(found.get(each.path.steps)) for each in self._where_row):
                outcome.ignored += 1
                continue
            if is_root_bad is None:
                is_root_bad = self._check_root(found_in_root, raw, outcome)
            if is_root_bad:
                continue
            try:
                self._check_kind(row)
                cells = tuple(
                    reader.read(found_in_root if reader.path.from_root else found)
                    for reader in self._readers
                )
            except ValueError as error:
                outcome.rejects.append((shown, str(error)))
                if len(outcome.rejects) > MAX_BAD_ELEMENTS:
                    return DecodedMessage(rejects=[(raw, too_many_bad(outcome.rejects[0][1]))])
            else:
                outcome.rows.append(cells)
        return outcome

    def _check_root(self, found: Values, raw: bytes, outcome: DecodedMessage) -> bool:
        """Reject the message if a column of the root is bad; whether it is."""
        try:
            for reader in self._of_root:
                reader.read(found)
        except ValueError as error:
            outcome.rejects.append((raw, str(error)))
            return True
        return False

    def _check_kind(self, row: bytes) -> None:
        if self._container is dict and not row.startswith(b"{"):
            raise ValueError("a row should be an object, and this is none")
        if self._container is list and not row.startswith(b"["):
            raise ValueError("a row should be an array, and this is none")
