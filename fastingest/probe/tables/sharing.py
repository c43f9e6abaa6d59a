"""Tables that say the same of the same things: one of them is left out, or both write one file.

Some venues send each trade twice, under two words (``te`` and ``tu``): the second brings nothing.
Others send a snapshot in another form than what comes after it: that makes two tables, whose
columns are the same, and one file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from fastingest.model.schema import Column, Schema, base_type, digits_of
from fastingest.probe.reading import Row
from fastingest.probe.tables.discriminators import Discriminators, is_phase
from fastingest.probe.tables.field_profile import Steps
from fastingest.probe.tables.shapes import Unit

__all__ = ["agreed", "is_same_data", "without_repeats"]

_ENOUGH = 3  # rows that are the same, after which they are no others by chance
_NUMBERS = ("int", "float", "number")

_Taken = list[tuple[Unit, list[Row]]]


def without_repeats(taken: _Taken, said_by: Discriminators) -> tuple[_Taken, str]:
    """The messages without those that say again, under another word, what others have said.

    :param taken: messages and their rows.
    :returns: they, and what is to be said of it; empty: nothing.
    """
    by_word: dict[tuple[Steps, str], set[bytes]] = {}
    words_at: dict[Steps, list[str]] = {}
    for unit, rows in taken:
        for steps, text in said_by.of(unit.value).items():
            if said_by.type_at(steps, text) != text or is_phase((text,)):
                continue
            if text not in words_at.setdefault(steps, []):
                words_at[steps].append(text)
            said = by_word.setdefault((steps, text), set())
            said.update(msgspec.json.encode(row.value) for row in rows)
    for steps, (first, *others) in words_at.items():
        for word in others:
            said = by_word[steps, word]
            if len(said) >= _ENOUGH and len(said - by_word[steps, first]) <= len(said) / 10:
                kept = [each for each in taken if said_by.of(each[0].value).get(steps) != word]
                return kept, f"left out: {word}, which says the same as {first} once more"
    return taken, ""


def is_same_data(one: Schema, other: Schema) -> bool:
    """Whether two tables of a feed may write one file: of one kind of message, in two forms."""
    words = {
        value
        for schema in (one, other)
        for condition in schema.where
        if condition.test in ("=", "^=", "~=")
        for value in condition.values
        if not is_phase((value,))
    }
    return (
        len(words) <= 1
        and one.names == other.names
        and all(_family(a) == _family(b) for a, b in zip(one.columns, other.columns, strict=True))
    )


def _family(column: Column) -> str:
    """What is the same of the types of two columns that can be of one."""
    return "number" if column.type in _NUMBERS else base_type(column.type)


def agreed(schemas: Sequence[Schema]) -> list[Schema]:
    """The same tables with types that take what any of them does.

    :param schemas: of the same data.
    """
    columns = list(zip(*(schema.columns for schema in schemas), strict=True))
    types = [_common([column.type for column in each]) for each in columns]
    return [
        replace(
            schema,
            columns=tuple(
                replace(column, type=type_)
                for column, type_ in zip(schema.columns, types, strict=True)
            ),
        )
        for schema in schemas
    ]


def _common(types: Sequence[str]) -> str:
    first = types[0]
    if len(set(types)) == 1:
        return first
    if set(types) <= set(_NUMBERS):
        return "number"
    digits = max((digits_of(each) or 0 for each in types), default=0)
    return re.sub(r"(:\d)?\]$", f":{digits}]" if digits else "]", first)
