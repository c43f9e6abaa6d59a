"""What one message means to one table: the definition, and what every faster way is held to.

:mod:`fastingest.decode.feed_decoder` says the rules in words. Here they are taken one after the
other, value by value; that takes some microseconds a message, and finds the reason of a reject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from fastingest.decode.column_types import Kind, kind_of
from fastingest.decode.elements import elements_of, is_empty, members_decoder
from fastingest.decode.reasons import MOST_BAD_ELEMENTS, too_many_bad
from fastingest.model.jsonpath import Condition, JsonPath
from fastingest.model.schema import Column, Schema

__all__ = ["Meaning", "Outcome", "json_of", "row_kind"]

_decode_any = msgspec.json.Decoder(msgspec.Raw).decode
_decode_str = msgspec.json.Decoder(str).decode

_Found = dict[tuple[str | int, ...], bytes]


class _Tree(dict[str | int, "_Tree"]):
    """Steps that lead on, to as many trees; each knows the way to it."""

    way: tuple[str | int, ...] = ()
    _members: Callable[[bytes], Iterable[tuple[str, msgspec.Raw]]] | None = None
    _elements = 0  # of an array, up to the last that is wanted

    @classmethod
    def of(cls, paths: Iterable[JsonPath]) -> _Tree:
        root = cls()
        for path in paths:
            tree = root
            for depth, step in enumerate(path.steps, 1):
                tree = tree.setdefault(step, cls())
                tree.way = path.steps[:depth]
        root._prepare()
        return root

    def _prepare(self) -> None:
        names = tuple(step for step in self if isinstance(step, str))
        if names:
            self._members = members_decoder(names)
        self._elements = max((step + 1 for step in self if isinstance(step, int)), default=0)
        for tree in self.values():
            tree._prepare()

    def find(self, raw: bytes, found: _Found) -> _Found:
        """What stands where the steps lead to in ``raw``; what is not there is left out."""
        inside: Iterable[tuple[str | int, bytes | msgspec.Raw]]
        if raw.startswith(b"{") and self._members:
            inside = self._members(raw)
        elif raw.startswith(b"[") and self._elements:
            inside = enumerate(islice(elements_of(raw), self._elements))
        else:
            return found
        for step, value in inside:
            text = bytes(value)
            tree = self.get(step)
            if tree is None or not text:
                continue
            found[tree.way] = text
            if tree:
                tree.find(text, found)
        return found


class _Reader(NamedTuple):
    """A column, with what reads its values."""

    column: Column
    path: JsonPath
    kind: Kind

    def read(self, found: _Found) -> Any:
        """The cell.

        :raises ValueError: there is none; the message says why.
        """
        value = found.get(self.path.steps)
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
class Outcome:
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


def row_kind(schema: Schema) -> type | None:
    """What a row is: dict, list, or None where nothing is read from it."""
    paths = [column.path for column in schema.columns if column.path is not None]
    paths += [condition.path for condition in schema.where]
    steps = [path.steps[0] for path in paths if not path.from_root]
    if not steps:
        return None
    return list if any(isinstance(step, int) for step in steps) else dict


class Meaning:
    """Tells what messages mean to a table.

    :param schema: the table's.
    """

    def __init__(self, schema: Schema) -> None:
        self._readers = [
            _Reader(column, column.path, kind_of(column.type))
            for column in schema.columns
            if column.path is not None
        ]
        self._of_root = [reader for reader in self._readers if reader.path.from_root]
        self._of_row = [reader for reader in self._readers if not reader.path.from_root]
        self._where_root = [each for each in schema.where if each.path.from_root]
        self._where_row = [each for each in schema.where if not each.path.from_root]
        self._rows = schema.rows
        self._kind = row_kind(schema)
        of_root = [reader.path for reader in self._of_root] + [c.path for c in self._where_root]
        of_row = [reader.path for reader in self._of_row] + [c.path for c in self._where_row]
        self._root_tree = _Tree.of([*of_root, schema.rows])
        self._row_tree = _Tree.of(of_row)

    def of(self, text: bytes, raw: bytes) -> Outcome:
        """What a message means.

        :param text: its JSON, by :func:`json_of`.
        :param raw: the message as it was received, for the rejects.
        """
        found: _Found = self._root_tree.find(text, {(): text})
        if not all(_holds(condition, found) for condition in self._where_root):
            return Outcome(taken=False)
        value = found.get(self._rows.steps)
        if value is None or (value == b"null" and self._rows.steps):
            if not self._where_root:
                return Outcome(taken=False)
            what = "is missing" if value is None else "is null"
            return Outcome(rejects=[(raw, f"{self._rows}, where the rows should be, {what}")])
        rows: Iterable[tuple[bytes, bytes]] = [(value, raw)]
        if self._is_array_of_rows(value):
            if is_empty(value):
                return Outcome(ignored=1)
            rows = ((element, element) for element in elements_of(value))
        return self._outcome(rows, found, raw)

    def _is_array_of_rows(self, value: bytes) -> bool:
        """Whether ``value`` is no single row, but an array of them."""
        if self._kind is None or not value.startswith(b"["):
            return False
        return self._kind is dict or is_empty(value) or next(elements_of(value)).startswith(b"[")

    def _outcome(
        self, rows: Iterable[tuple[bytes, bytes]], found_in_root: _Found, raw: bytes
    ) -> Outcome:
        outcome = Outcome()
        is_root_bad: bool | None = None  # None: no row has asked for it yet
        for row, shown in rows:
            found = self._row_tree.find(row, {})
            if not all(_holds(condition, found) for condition in self._where_row):
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
                if len(outcome.rejects) > MOST_BAD_ELEMENTS:
                    return Outcome(rejects=[(raw, too_many_bad(outcome.rejects[0][1]))])
            else:
                outcome.rows.append(cells)
        return outcome

    def _check_root(self, found: _Found, raw: bytes, outcome: Outcome) -> bool:
        """Reject the message if a column of the root is bad; whether it is."""
        try:
            for reader in self._of_root:
                reader.read(found)
        except ValueError as error:
            outcome.rejects.append((raw, str(error)))
            return True
        return False

    def _check_kind(self, row: bytes) -> None:
        if self._kind is dict and not row.startswith(b"{"):
            raise ValueError("a row should be an object, and this is none")
        if self._kind is list and not row.startswith(b"["):
            raise ValueError("a row should be an array, and this is none")


def _holds(condition: Condition, found: _Found) -> bool:
    value = found.get(condition.path.steps)
    if value is None or value[:1] in b"{[":
        return False
    text = _decode_str(value) if value.startswith(b'"') else value.decode()
    return text in condition.values
