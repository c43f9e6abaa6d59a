"""What a table makes of decoded messages: where its rows are in one, and whether it takes it.

It says what :mod:`fastingest.decode.reference` says of their JSON, but for the cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from fastingest.model.jsonpath import Condition, Each, PlaceSteps
from fastingest.model.rows import RowPlace, Rows
from fastingest.model.schema import Schema
from fastingest.probe.tables.field_profile import follow

__all__ = ["Row", "holds", "meets", "rows_at", "rows_in"]


class Row(NamedTuple):
    """A row, and what there is of it besides.

    :param place: which of the places of rows it is from.
    :param key: the name of the member that the last star has led to.
    :param number: where it stands in its array.
    """

    value: Any
    place: int = 0
    key: str | None = None
    number: int = 0


def rows_in(message: Any, rows: Rows, is_list: bool | None = None) -> list[Row] | None:
    """The rows of a message; None: it has nothing at any of the places.

    :param is_list: whether a row is an array; None: that is told by what stands there.
    """
    found: list[Row] = []
    is_there = False
    for number, place in enumerate(rows.places):
        for match in _matches(Row(message, number), place.steps):
            is_there = True
            found += _rows_of(match, is_list)
    return found if is_there else None


def rows_at(message: Any, place: PlaceSteps) -> list[Any] | None:
    """The rows that stand at one place; None: nothing stands there."""
    found = rows_in(message, Rows((RowPlace(place),)))
    return None if found is None else [row.value for row in found]


def _matches(at: Row, steps: PlaceSteps) -> Iterator[Row]:
    """What the steps lead to that is there."""
    if at.value is None:
        return
    if not steps:
        yield at
        return
    step, *rest = steps
    if step is Each.MEMBER and isinstance(at.value, dict):
        for name, member in at.value.items():
            yield from _matches(at._replace(value=member, key=name), tuple(rest))
    elif step is Each.ELEMENT and isinstance(at.value, list):
        for index, element in enumerate(at.value):
            yield from _matches(at._replace(value=element, number=index), tuple(rest))
    elif not isinstance(step, Each):
        yield from _matches(at._replace(value=follow(at.value, (step,))), tuple(rest))


def _rows_of(match: Row, is_list: bool | None) -> list[Row]:
    found = match.value
    if not isinstance(found, list):
        return [match]
    if is_list is not False and found and not isinstance(found[0], (dict, list)):
        return [match]  # one row, told by position
    if is_list and found and not isinstance(found[0], list):
        return [match]
    return [match._replace(value=each, number=index) for index, each in enumerate(found)]


def holds(condition: Condition, value: Any) -> bool:
    """Whether a condition holds of a message, or of a row."""
    found = follow(value, condition.path.steps)
    if isinstance(found, (dict, list)):
        return condition.holds(b"{}")
    return condition.holds(None if found is None else msgspec.json.encode(found))


def meets(schema: Schema, message: Any) -> bool:
    """Whether a table makes rows or rejects of a message."""
    if not all(holds(condition, message) for condition in schema.where_message):
        return False
    container = schema.row_container
    rows = rows_in(message, schema.rows, None if container is None else container is list)
    if schema.where_message and _lacks(message, schema.rows):
        return True
    if rows is None:
        return False
    return any(all(holds(each, row.value) for each in schema.where_row) for row in rows)


def _lacks(message: Any, rows: Rows) -> bool:
    """Whether a message has nothing at a place where something should be."""
    return any(
        not place.is_optional
        and not any(isinstance(step, Each) for step in place.steps)
        and next(_matches(Row(message), place.steps), None) is None
        for place in rows.places
    )
