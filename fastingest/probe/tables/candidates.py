"""Messages of one shape → the table that takes them.

What decides is the definition of a table (:mod:`fastingest.model.schema`), and what is proposed is
held to it here: a column that not every row has is optional, one whose values no type takes is left
out, and conditions keep other messages out (:mod:`~fastingest.probe.tables.conditions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fastingest.model.jsonpath import Condition, Each
from fastingest.model.rows import RowPlace, Rows
from fastingest.model.schema import Schema
from fastingest.probe.reading import Row, holds, rows_in
from fastingest.probe.tables.conditions import conditions_for
from fastingest.probe.tables.discriminators import Discriminators, is_generic, is_phase
from fastingest.probe.tables.field_profile import FieldProfile, Steps
from fastingest.probe.tables.rows import FoundRows, find_rows
from fastingest.probe.tables.shapes import Group, Unit, group
from fastingest.probe.tables.sharing import without_repeats
from fastingest.probe.tables.table_columns import TableColumns, TakenMessage

__all__ = ["Candidate", "Others", "candidates_of", "inseparable_joined", "tables_of_maps"]

_MAX_PARTS = 3  # of messages of one shape that have their rows in different places


@dataclass(eq=False)
class Candidate:
    """A table that could be proposed, for all or some rows of a group of messages.

    :param messages: the indices of those that have rows for it.
    :param rows: how many rows.
    :param notes: for a person: what is left out, and what to look at.
    :param quantities: how many columns measure something.
    """

    messages: list[int]
    rows: int
    schema: Schema
    name: str
    notes: list[str]
    quantities: int


@dataclass
class Others:
    """All messages of the probe, of which those that a table shall not take are asked for.

    :param values: decoded; None where it is no object and no array.
    :param beside: the indices of replies and the like.
    """

    values: Sequence[Any]
    beside: Sequence[int] = ()
    said_by: Discriminators = field(init=False)

    def __post_init__(self) -> None:
        beside = set(self.beside)
        there = [(index, each) for index, each in enumerate(self.values) if each is not None]
        self.said_by = Discriminators(
            (each for index, each in there if index not in beside),
            (each for index, each in there if index in beside),
        )

    @cached_property
    def elements(self) -> list[Any]:
        """The elements of messages that are arrays, and all other messages."""
        return [
            element
            for message in self.values
            if message is not None
            for element in (message if isinstance(message, list) else [message])
        ]

    @cached_property
    def elements_said_by(self) -> Discriminators:
        """What tells these apart."""
        return Discriminators(self.elements)

    def than(self, messages: set[int]) -> list[Any]:
        """All but these."""
        return [
            value
            for index, value in enumerate(self.values)
            if index not in messages and value is not None
        ]


def candidates_of(
    found: Group, others: Others, now: float, parts: int = _MAX_PARTS
) -> list[Candidate]:
    """The tables for a group of messages, or of elements of messages that are arrays.

    :param others: all messages of the probe.
    :param now: seconds since the epoch at the time of the probe.
    :param parts: into how many parts the group may fall by where its rows are.
    """
    if any(unit.in_array for unit in found.units):
        books = _books_in_arrays(found, others, now)
        if books:
            return books
        table = _of_elements(found, others, now)
        return [table] if table is not None else []
    values = [unit.value for unit in found.units]
    places = find_rows(FieldProfile(values), now)
    tables = [table for where in places for table in _tables_at(where, found.units, others, now)]
    empty = [
        unit
        for unit in found.units
        if all(rows_in(unit.value, where.rows) is None for where in places)
    ]
    if empty and len(empty) < len(found.units) and parts > 1:
        rest = Group(empty, found.skeleton, found.types)
        more = candidates_of(rest, others, now, parts - 1)
        tables += [each for each in more if each.quantities]
    return tables


def tables_of_maps(found: Group, others: Others, now: float) -> list[Candidate]:
    """The table for messages that are maps of symbol to price."""
    where = FoundRows(Rows((RowPlace((Each.MEMBER,)),)))
    return _tables_at(where, found.units, others, now)


def _tables_at(
    where: FoundRows, units: Sequence[Unit], others: Others, now: float
) -> list[Candidate]:
    """The tables whose rows are at one place, or at several."""
    every = [(unit, rows_in(unit.value, where.rows)) for unit in units]
    taken = [(unit, rows) for unit, rows in every if rows is not None]
    if not taken:
        return []
    taken, repeated = without_repeats(taken, others.said_by)
    mine = {unit.message for unit, _ in taken}
    values = [unit.value for unit, _ in taken]
    rest = others.than(mine)
    with_rows = [each for each in rest if rows_in(each, where.rows) is not None]
    conditions, _ = conditions_for(values, with_rows, others.said_by)
    rows = where.rows
    if any(all(holds(each, other) for each in conditions) for other in rest) and conditions:
        rows = _optional(rows)
    flat = [(Unit(unit.message, row.value), unit, row) for unit, found in taken for row in found]
    split = None
    if len({_form(row.value) for _, _, row in flat}) > 1:
        split = _split([unit for unit, _, _ in flat])
    made = []
    parts: list[tuple[list[Unit] | None, tuple[Condition, ...]]] = [(None, ())]
    if split is not None:
        parts = [*split]
    for part, more in parts:
        wanted = None if part is None else {id(each.value) for each in part}
        messages = [
            (
                unit.message,
                TakenMessage(
                    unit.value,
                    [row for row in found if wanted is None or id(row.value) in wanted],
                ),
            )
            for unit, found in taken
        ]
        if part is not None:
            messages = [each for each in messages if each[1].rows]
        made.append(_table(messages, where, rows, conditions + more, now))
    tables = [table for table in made if table is not None]
    without = sum(rows is None for _, rows in every)
    for table in tables:
        table.notes += [*where.notes, *filter(None, [repeated])]
        if without:
            many = f"{without} messages" if without > 1 else "one message"
            table.notes.append(f"{many} of this kind had no rows")
    return tables


def _form(row: Any) -> tuple[Any, ...]:
    """What rows of one kind have in common, roughly: their names, or the types of their values."""
    if isinstance(row, dict):
        return tuple(row)
    return tuple(map(type, row)) if isinstance(row, list) else ()


def _optional(rows: Rows) -> Rows:
    """The same places, of which a message need have none."""
    return Rows(tuple(place._replace(is_optional=bool(place.steps)) for place in rows.places))


def _books_in_arrays(found: Group, others: Others, now: float) -> list[Candidate]:
    """The tables of books that are the only elements of their messages, each."""
    elements = FieldProfile(unit.value for unit in found.units)
    places = [where for where in find_rows(elements, now) if where.is_book]
    messages = [Unit(index, others.values[index]) for index in found.messages]
    if not all(isinstance(unit.value, list) and len(unit.value) == 1 for unit in messages):
        return []
    tables = []
    for where in places:
        rows = Rows(tuple(each._replace(steps=(0, *each.steps)) for each in where.rows.places))
        around = (((0,), elements), *(((0, *steps), node) for steps, node in where.around))
        inside = replace(where, rows=rows, around=around, pairs=())
        tables += _tables_at(inside, messages, others, now)
    return tables


def _of_elements(found: Group, others: Others, now: float) -> Candidate | None:
    """A table whose messages are arrays of rows, or of rows of several tables, or single rows."""
    mine = {id(unit.value) for unit in found.units}
    rest = [element for element in others.elements if id(element) not in mine]
    values = [unit.value for unit in found.units]
    where, _ = conditions_for(values, rest, others.elements_said_by, from_root=False)
    by_message: dict[int, TakenMessage] = {}
    for unit in found.units:
        taken = by_message.setdefault(unit.message, TakenMessage(None, []))
        taken.rows.append(Row(unit.value))
    return _table(list(by_message.items()), FoundRows(Rows()), Rows(), where, now)


def inseparable_joined(groups: list[Group]) -> list[Group]:
    """The groups, with those put together whose units come in the same arrays.

    They stay apart where discriminators tell them apart.
    """
    for kind in (dict, list):
        arrays = [
            each
            for each in groups
            if any(unit.in_array for unit in each.units) and isinstance(each.units[0].value, kind)
        ]
        if len(arrays) > 1 and _separated(arrays) is None:
            for other in arrays[1:]:
                arrays[0].absorb(other)
            arrays[0].units.sort(key=lambda unit: unit.message)
            groups = [each for each in groups if each not in arrays[1:]]
    return groups


def _split(rows: list[Unit]) -> list[tuple[list[Unit], tuple[Condition, ...]]] | None:
    """Rows of several kinds in one array, where their discriminators tell them apart."""
    groups = group(rows)
    return _separated(groups) if len(groups) > 1 else None


def _separated(groups: list[Group]) -> list[tuple[list[Unit], tuple[Condition, ...]]] | None:
    """The units of each group with the conditions that keep the others out, if there are such."""
    said_by = Discriminators(unit.value for each in groups for unit in each.units)
    split = []
    for each in groups:
        others = [unit.value for other in groups if other is not each for unit in other.units]
        values = [unit.value for unit in each.units]
        where, clashes = conditions_for(values, others, said_by, from_root=False, only_types=True)
        if clashes:
            return None
        split.append((each.units, where))
    return split


def _table(
    messages: list[tuple[int, TakenMessage]],
    where: FoundRows,
    rows: Rows,
    conditions: tuple[Condition, ...],
    now: float,
) -> Candidate | None:
    """The table for some messages; None: they hold nothing that goes into a column.

    :param messages: each with its index.
    :param where: where the rows are.
    :param rows: the same as it is proposed.
    """
    taken = [message for _, message in messages]
    every = [row.value for message in taken for row in message.rows]
    kinds = set(FieldProfile(every).kinds)
    is_map = any(place.steps and place.steps[-1] is Each.MEMBER for place in rows.places)
    if kinds not in ({"object"}, {"mixed"}) and not (
        is_map and kinds in ({"scalar"}, {"scalar", "null"})
    ):
        return None
    if any(isinstance(each, list) and isinstance(each[0], list) for each in every):
        return None  # it would be taken for an array of rows
    said = {each.path for each in conditions if each.test == "=" and len(each.values) == 1}
    in_root = {path.steps for path in said if path.from_root}
    in_row = {path.steps for path in said if not path.from_root}
    places = [place.steps for place in rows.places]
    for place in places:  # a condition on a row's member may be written from the root
        in_row |= {steps[len(place) :] for steps in in_root if steps[: len(place)] == place}
    columns = TableColumns(taken, now)
    columns.add_rows(where, in_row)
    if not any(
        column.path is not None and column.path.own in ("", "@value") for column in columns.found
    ):
        return None
    if any(places) and not (is_map and len(places[0]) == 1):
        columns.add_around(where, in_root)
    return Candidate(
        messages=list(dict.fromkeys(index for index, _ in messages)),
        rows=len(every),
        schema=Schema(tuple(columns.found), rows, conditions),
        name=_name(conditions, where),
        notes=columns.notes,
        quantities=columns.quantities,
    )


def _name(conditions: tuple[Condition, ...], where: FoundRows) -> str:
    """A word for the table: what it takes, or else where that is."""
    words = [
        value
        for each in conditions
        if each.test in ("=", "^=", "~=")
        for value in each.values
        if not is_phase((value,)) and not is_generic((value,))
    ]
    steps: Steps = tuple(
        step
        for step in (where.rows.places[0].steps if where.rows.places else ())
        if isinstance(step, str | int)
    )
    names = [step for step in reversed(steps) if isinstance(step, str)]
    if where.is_book and len(where.rows.places) > 1:
        names = ["book"]
    return next(iter([*sorted(words, key=len)[:1], *names]), "rows")
