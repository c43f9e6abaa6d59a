"""Which conditions let some messages, or rows, into a table, and keep the others out.

They are few on purpose. The first discriminator that names a type is always one, since a message of
another type that comes one day is not ours. Others are added only where they keep something out
that has been seen. Without any, a table takes what has rows where its rows are.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from fastingest.model.jsonpath import Condition, JsonPath
from fastingest.model.schema import Schema
from fastingest.probe.discriminators import (
    discriminators_of,
    is_control,
    is_generic,
    is_phase,
    is_type,
    rank,
)
from fastingest.probe.field_profile import Steps, follow
from fastingest.probe.rows import rows_at

__all__ = ["conditions_for", "meets", "says"]

_MAX_VALUES = 8  # of a discriminator in one condition


def conditions_for(
    values: list[Any], others: list[Any], place: Steps, from_root: bool
) -> tuple[tuple[Condition, ...], int]:
    """The conditions that hold for all ``values``, and how many ``others`` they do not keep out.

    :param values: messages, or rows, that the table shall take.
    :param others: what it shall not take.
    :param place: where the rows are.
    :param from_root: whether the conditions are of the message; otherwise they are of the row.
    """
    chosen: list[tuple[Steps, set[str]]] = []
    shared = _shared_discriminators(values)
    taken = [other for other in others if rows_at(other, place) is not None]
    unsaid = len(taken)
    for position, (steps, texts) in enumerate(shared):
        telling = is_type(texts) and not (is_generic(texts) or is_phase(texts) or is_control(texts))
        # With a condition, a message that has no rows is a reject.
        before = taken if chosen else others
        after = [other for other in before if says(other, steps, texts)]
        if (telling and position == 0) or len(after) < len(taken):
            chosen.append((steps, texts))
            taken = after
    if chosen and place and len(taken) > unsaid:
        chosen, taken = [], [other for other in others if rows_at(other, place) is not None]
    where = tuple(
        Condition(JsonPath(steps, from_root), tuple(sorted(texts))) for steps, texts in chosen
    )
    return where, len(taken)


def says(value: Any, steps: Iterable[object], texts: Container[str]) -> bool:
    """Whether one of the texts stands at ``steps``."""
    found = follow(value, steps)
    return isinstance(found, str) and found in texts


def meets(schema: Schema, message: Any) -> bool:
    """Whether a table makes rows or rejects of a message."""
    if not all(says(message, *_spelt(condition)) for condition in schema.where_message):
        return False
    rows = rows_at(message, schema.rows.steps)
    if rows is None:
        return bool(schema.where_message)
    return any(all(says(row, *_spelt(condition)) for condition in schema.where_row) for row in rows)


def _spelt(condition: Condition) -> tuple[Iterable[object], Container[str]]:
    return condition.path.steps, condition.values


def _shared_discriminators(values: list[Any]) -> list[tuple[Steps, set[str]]]:
    """The discriminators that all have, with few values each; the most telling first."""
    texts: dict[Steps, set[str]] = {}
    counts: dict[Steps, int] = {}
    for value in values:
        for steps, text in discriminators_of(value).items():
            texts.setdefault(steps, set()).add(text)
            counts[steps] = counts.get(steps, 0) + 1

    def order(item: tuple[Steps, set[str]]) -> tuple[int, tuple[int, int]]:
        steps, said = item
        if is_generic(said) or is_phase(said):
            return (2, rank(steps))
        return (0 if is_type(said) else 1, rank(steps))

    shared = [
        (steps, said)
        for steps, said in texts.items()
        if counts[steps] == len(values) and len(said) <= _MAX_VALUES
    ]
    return sorted(shared, key=order)
