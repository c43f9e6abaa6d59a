"""What one message means to one table: the definition, and what every faster way is held to.

:mod:`fastingest.decode.feed_decoder` says the rules in words. Here they are taken one after the
other, value by value; that takes some microseconds a message, and finds the reason of a reject.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from fastingest.decode.cells import ColumnType, content_of
from fastingest.decode.column_types import column_type
from fastingest.decode.elements import elements_of, is_empty
from fastingest.decode.reasons import MAX_BAD_ELEMENTS, too_many_bad
from fastingest.decode.row_finder import FoundRows, find_rows
from fastingest.decode.values import Recall, Values, ValueTree
from fastingest.model.jsonpath import OWN, JsonPath, NoTree, Steps
from fastingest.model.schema import Column, Schema

__all__ = ["DecodedMessage", "ReferenceDecoder", "json_of"]

_decode_any = msgspec.json.Decoder(msgspec.Raw).decode


class _Reader(NamedTuple):
    """A column, with what reads its values."""

    column: Column
    path: JsonPath
    kind: ColumnType

    def read(self, found: Values, own: dict[str, bytes]) -> Any:
        """The cell.

        :param own: of the row, what there is of it besides.
        :raises ValueError: there is none; the message says why.
        """
        value = self._value(found, own)
        if value is None or value == b"null":
            if not self.column.required or (value is not None and self.kind.takes_null):
                return None
            what = "is missing" if value is None else "is null"
            raise ValueError(f"{self.column.name}: {self.path} {what}")
        try:
            return self.kind.read(value)
        except ValueError as error:
            reason = str(error)
            if self.kind.is_blank(content_of(value)):
                if not self.column.required:
                    return None
                reason += f", which only an optional column ({self.column.type}?) takes"
            at = "" if str(self.path) == self.column.name else f" - at {self.path}"
            raise ValueError(f"{self.column.name}: {reason}{at}") from None

    def is_blanked(self, found: Values, own: dict[str, bytes]) -> bool:
        """Whether the cell is empty because the value is no number."""
        return self.kind.is_no_number(content_of(self._value(found, own)))

    def _value(self, found: Values, own: dict[str, bytes]) -> bytes | None:
        name = self.path.own
        if not name:
            return found.get(self.path.steps)
        if name not in OWN:
            return name.encode()
        value = own.get(name)
        is_whole = name == "@value" and value is not None and value.startswith((b"{", b"["))
        return None if is_whole and self.column.type != "json" else value


@dataclass
class DecodedMessage:
    """What becomes of a message.

    :param taken: whether the table takes it, be it for rows, for rejects, or for nothing.
    :param rows: the cells of each row, in the columns' order.
    :param rejects: pairs (raw, reason): the message, or elements of its array of rows.
    :param ignored: rows left out, and 1 for each empty array of rows.
    :param blanked: cells that are empty because their value is no number.
    """

    taken: bool = True
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    rejects: list[tuple[bytes, str]] = field(default_factory=list)
    ignored: int = 0
    blanked: int = 0


def json_of(message: bytes) -> bytes:
    """The message's JSON without white space around it.

    :raises ValueError, RecursionError: it is not UTF-8, or not JSON, or nested too deeply.
    """
    message.decode()
    return bytes(_decode_any(message))


_Row = tuple[bytes, bytes, dict[str, bytes]]
"""What may be a row, what is kept of it in a reject, and JSON of what there is of it besides
(:data:`fastingest.model.jsonpath.OWN`)."""

_NOTHING: dict[str, bytes] = {}


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
        self._only: Steps | None = None  # the steps to the rows, where there is one place
        with suppress(NoTree):
            self._only = schema.rows.steps
        self._where_message, self._where_row = schema.where_message, schema.where_row
        self._container, self._has_arrays = schema.row_container, schema.has_arrays
        self._own = schema.own
        self.recall: Recall | None = None
        """What finds the messages that are remembered; None: there are none."""
        of_root = [reader.path for reader in self._of_root]
        of_root += [condition.path for condition in self._where_message]
        of_row = [reader.path for reader in self._readers if not reader.path.from_root]
        of_row += [condition.path for condition in self._where_row]
        if self._only is not None:
            of_root.append(JsonPath(self._only))
        self._root_tree = ValueTree.of(of_root)
        self._row_tree = ValueTree.of(of_row)

    def of(self, text: bytes, raw: bytes) -> DecodedMessage:
        """What a message means.

        :param text: its JSON, by :func:`json_of`.
        :param raw: the message as it was received, for the rejects.
        """
        where = self._where_message
        found = self._root_tree.find(text, self.recall)
        if not all(each.holds(found.get(each.path.steps)) for each in where):
            return DecodedMessage(taken=False)
        rows: Iterable[_Row | None]
        value = None if self._only is None else found.get(self._only)
        if value is not None and (value != b"null" or not self._only):
            rows = self._rows_at(FoundRows((), self._rows.places[0], value), value, raw)
            return self._outcome(DecodedMessage(), rows, found, raw)
        lacking, there = find_rows(self._rows, text)
        wanted = [each for each in lacking if not each.place.is_optional]
        if len(lacking) == len(self._rows.places) and not (where and wanted):
            return DecodedMessage(taken=False)
        outcome = DecodedMessage()
        for each in wanted[:1]:
            reason = f"{each.place.path}, where the rows should be, {each.lacks}"
            outcome.rejects.append((raw, reason))
        rows = chain.from_iterable(
            [None] if each.value is None else self._rows_at(each, each.value, each.value)
            for each in there
        )
        return self._outcome(outcome, rows, found, raw)

    def _rows_at(self, found: FoundRows, value: bytes, shown: bytes) -> Iterable[_Row | None]:
        """What may be rows; None where there are none.

        :param shown: what is kept of the value where it is a bad row.
        """
        if not self._is_array_of_rows(value):
            return [(value, shown, self._own_of(found, value, found.index))]
        if is_empty(value):
            return [None]
        return (
            (element, element, self._own_of(found, element, index))
            for index, element in enumerate(elements_of(value))
        )

    def _own_of(self, found: FoundRows, value: bytes, index: int) -> dict[str, bytes]:
        """What there is of a row besides what stands in it."""
        if not self._own:
            return _NOTHING
        own = {
            "@index": b"%d" % index,
            "@rows": msgspec.json.encode(found.place.name or found.place.path),
            "@value": value,
        }
        if found.key:
            own["@key"] = found.key
        return own

    def _is_array_of_rows(self, value: bytes) -> bool:
        """Whether ``value`` is no single row, but an array of them."""
        if not self._has_arrays or not value.startswith(b"["):
            return False
        return (
            self._container is not list
            or is_empty(value)
            or next(iter(elements_of(value))).startswith(b"[")
        )

    def _outcome(
        self,
        outcome: DecodedMessage,
        rows: Iterable[_Row | None],
        found_in_root: Values,
        raw: bytes,
    ) -> DecodedMessage:
        """Add what the rows are to an outcome."""
        is_root_bad: bool | None = None  # None: no row has asked for it yet
        lacking = len(outcome.rejects)
        for each in rows:
            if each is None:
                outcome.ignored += 1
                continue
            row, shown, own = each
            found = self._row_tree.find(row, self.recall)
            if not all(
                condition.holds(found.get(condition.path.steps)) for condition in self._where_row
            ):
                outcome.ignored += 1
                continue
            if is_root_bad is None:
                is_root_bad = self._check_root(found_in_root, raw, outcome)
            if is_root_bad:
                continue
            try:
                self._check_kind(row)
                sources = [
                    found_in_root if reader.path.from_root else found for reader in self._readers
                ]
                cells = tuple(
                    reader.read(source, own)
                    for reader, source in zip(self._readers, sources, strict=True)
                )
            except ValueError as error:
                outcome.rejects.append((shown, str(error)))
                if len(outcome.rejects) - lacking > MAX_BAD_ELEMENTS:
                    reason = too_many_bad(outcome.rejects[lacking][1])
                    return DecodedMessage(rejects=[(raw, reason)])
            else:
                outcome.rows.append(cells)
                if None in cells:
                    outcome.blanked += sum(
                        reader.is_blanked(source, own)
                        for reader, source in zip(self._readers, sources, strict=True)
                    )
        return outcome

    def _check_root(self, found: Values, raw: bytes, outcome: DecodedMessage) -> bool:
        """Reject the message if a column of the root is bad; whether it is."""
        try:
            for reader in self._of_root:
                reader.read(found, _NOTHING)
        except ValueError as error:
            outcome.rejects[:] = [(raw, str(error))]
            return True
        return False

    def _check_kind(self, row: bytes) -> None:
        if "@value" in self._own:
            return
        if self._container is dict and not row.startswith(b"{"):
            raise ValueError("a row should be an object, and this is none")
        if self._container is list and not row.startswith(b"["):
            raise ValueError("a row should be an array, and this is none")
