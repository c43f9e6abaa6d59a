"""One table's messages → its rows, by the shape that they have had of late."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fastingest.decode import auto, spread
from fastingest.decode.decoded import DecodedRun
from fastingest.decode.reasons import Unfit, reason_of
from fastingest.decode.reference import DecodedMessage, ReferenceDecoder
from fastingest.decode.shapes import Columns, MessageShape, shape_of
from fastingest.decode.values import Recall, json_of
from fastingest.model.schema import Schema

__all__ = ["TableDecoder"]

_MAX_WAIT = 1024
_MAX_SHAPES = 32  # that are looked for; where arrays are of any length, there is no end of them
# The string "null", in letters of any size; and with escapes, which takes longer to look for.
_NULL = re.compile(rb'"null"', re.IGNORECASE)
# There may be JSON in strings as well, whose escapes are escaped.
_SLASHES = rb"(?:\\|u005c)*+"
_NULL_ESCAPED = re.compile(
    rb'(?:"|u0022)S(?:n|u00[46]e)S(?:u00[57]5|u)(?:S(?:l|u00[46]c)){2}S(?:"|u0022)'.replace(
        b"S", _SLASHES
    ),
    re.IGNORECASE,
)


class TableDecoder:
    """Reads one table.

    :param schema: the table's.
    :param ignore: messages to be ignored.
    :param is_first: whether it is the feed's first table, whose rejects are what is not JSON.
    """

    def __init__(self, schema: Schema, ignore: frozenset[bytes], *, is_first: bool) -> None:
        self.schema = schema
        self._ignore = ignore
        self._is_first = is_first
        self._reference = ReferenceDecoder(schema) if schema.described else auto.RecordOrMap(schema)
        described = spread.shape_of if spread.is_spread(schema) else shape_of
        self._shape_of = described if schema.described else auto.shape_of
        self._width = sum(column.path is not None for column in schema.columns)
        self._shape: MessageShape | None = None
        self._shapes: list[MessageShape] = []  # that have been seen
        self._wait = 0  # messages for which no other shape is made, which takes milliseconds
        self._last_wait = 0

    def recall_with(self, recall: Recall) -> None:
        """Have what is remembered found with ``recall`` from now on."""
        self._reference.recall = recall

    @property
    def takes_one_row(self) -> bool:
        """Whether a message is one row, as far as is known."""
        return self._shape is not None and self._shape.name == "row"

    def new_run(
        self, positions: list[int] | None = None, takes: list[bool] | None = None
    ) -> DecodedRun:
        """An empty one."""
        return DecodedRun(self._width, positions, takes)

    def read(self, messages: Sequence[bytes], decoded: DecodedRun, most_misses: int) -> bool:
        """Add what the messages bring, which are UTF-8.

        :param most_misses: after so many messages without row or reject, give up.
        :returns: whether all was read.
        """
        start, left = 0, iter(messages)
        while start < len(messages):
            parsed: list[Any] = []
            if self._shape is not None:
                shape = self._shape
                # What was parsed before one that fails stays in the list, and that one is passed.
                with suppress(*Unfit):
                    parsed.extend(map(shape.decode, left))
                if parsed:
                    self._settle(shape, parsed, messages, start, decoded)
                start += len(parsed)
            else:
                next(left)
            if start < len(messages):
                self._alone(messages[start], decoded)
                start += 1
            if decoded.misses > most_misses:
                return False
        return True

    def _settle(
        self,
        shape: MessageShape,
        parsed: list[Any],
        messages: Sequence[bytes],
        start: int,
        decoded: DecodedRun,
    ) -> None:
        """Add what was parsed of the messages from ``start`` on."""
        run = shape.columns(parsed)
        if run is not None and _is_exact(shape, run, messages[start : start + len(parsed)]):
            decoded.add(run, len(parsed))
        elif len(parsed) == 1:
            self._alone(messages[start], decoded)
        else:
            half = len(parsed) // 2
            self._settle(shape, parsed[:half], messages, start, decoded)
            self._settle(shape, parsed[half:], messages, start + half, decoded)

    def _alone(self, message: bytes, decoded: DecodedRun) -> None:
        outcome = self.decode_alone(message)
        decoded.add_alone(outcome)
        if not outcome.rows or outcome.rejects:
            return
        for shape in self._shapes:
            if _fits(shape, message):
                self._shape = shape
                return
        if self._wait:
            self._wait -= 1
            return
        is_full = len(self._shapes) >= _MAX_SHAPES
        made = None if is_full else self._shape_of(self.schema, message)
        if made is not None:
            self._shape = made
            self._shapes.append(made)
        else:
            self._wait = self._last_wait = min(2 * self._last_wait + 1, _MAX_WAIT)

    def decode_alone(self, message: bytes) -> DecodedMessage:
        """What becomes of a message."""
        return (
            DecodedMessage(taken=False)
            if message in self._ignore
            else self.decode_regardless(message)
        )

    def decode_regardless(self, message: bytes) -> DecodedMessage:
        """What a message means that is not to be ignored."""
        try:
            return self._reference.of(json_of(message), message)
        except Unfit as error:
            if self._is_first:
                return DecodedMessage(rejects=[(message, reason_of(error))])
            return DecodedMessage(taken=False)


def _is_exact(shape: MessageShape, run: Columns, messages: Sequence[bytes]) -> bool:
    """Whether no empty cell of the run can be one because of the string "null"."""
    columns = [run.columns[index] for index in shape.lenient]
    # Where no cell is zero either, all() sees it in a third of the time.
    if not any(not all(column) and None in column for column in columns):
        return True
    text = b"".join(messages)
    return (_NULL_ESCAPED if b"\\" in text else _NULL).search(text) is None


def _fits(shape: MessageShape, message: bytes) -> bool:
    try:
        return shape.columns([shape.decode(message)]) is not None
    except Unfit:
        return False
