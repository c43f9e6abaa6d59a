"""Messages of one shape → the table that takes them.

What decides is the definition of a table (:mod:`fastingest.model.schema`), and what is proposed is
held to it here: a column that not every row has is optional, one whose values no type takes is left
out, and conditions keep other messages out (:mod:`~fastingest.probe.conditions`).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from fastingest.model.jsonpath import Condition, JsonPath
from fastingest.model.rows import Rows
from fastingest.model.schema import Column, Schema
from fastingest.probe.columns import is_quantity, name_of, type_of, unique
from fastingest.probe.conditions import conditions_for
from fastingest.probe.discriminators import discriminators_of, is_control, is_type
from fastingest.probe.field_profile import FieldProfile, Steps
from fastingest.probe.rows import find_rows, rows_at
from fastingest.probe.shapes import Group, Unit, group

__all__ = ["Candidate", "candidates_of", "inseparable_joined"]

_ENVELOPE = {"jsonrpc"}  # says which protocol it is, never anything of a row


@dataclass(eq=False)
class Candidate:
    """A table that could be proposed, for all or some rows of a group of messages.

    :param messages: the indices of those that have rows for it.
    :param rows: how many rows.
    :param notes: for a person: what is left out, and what to look at.
    :param quantities: how many columns measure something.
    :param is_control: whether its discriminators say that it is an answer or a sign of life.
    """

    messages: list[int]
    rows: int
    schema: Schema
    name: str
    notes: list[str]
    quantities: int
    is_control: bool


def candidates_of(found: Group, messages: Sequence[Any], now: float) -> list[Candidate]:
    """The tables for a group of messages, or of elements of messages that are arrays.

    :param messages: all messages of the probe, decoded.
    :param now: seconds since the epoch at the time of the probe.
    """
    values = [unit.value for unit in found.units]
    if any(unit.in_array for unit in found.units):
        table = _of_elements(found, messages, now)
        return [table] if table is not None else []
    seen = FieldProfile(values)
    place = find_rows(seen, now)
    rows = [
        Unit(unit.message, row) for unit in found.units for row in rows_at(unit.value, place) or ()
    ]
    taken = [unit for unit in found.units if rows_at(unit.value, place) is not None]
    mine = set(found.messages)
    others = [message for index, message in enumerate(messages) if index not in mine]
    # Those of the same discriminators that have no rows would be rejects of the table.
    empty = [unit.value for unit in found.units if rows_at(unit.value, place) is None]
    where, _ = conditions_for([unit.value for unit in taken], others + empty, place, True)
    split = _split(rows) if all(isinstance(unit.value, dict) for unit in rows) else None
    root = FieldProfile(unit.value for unit in taken)
    made = [_table(part, place, root, where + more, now) for part, more in split or [(rows, ())]]
    tables = [table for table in made if table is not None]
    if empty:
        for table in tables:
            many = f"{len(empty)} messages" if len(empty) > 1 else "one message"
            table.notes.append(f"{many} of this kind had no rows")
    return tables


def _of_elements(found: Group, messages: Sequence[Any], now: float) -> Candidate | None:
    """A table whose messages are arrays of rows, or of rows of several tables, or single rows."""
    mine = {id(unit.value) for unit in found.units}
    others = [
        element
        for message in messages
        for element in (message if isinstance(message, list) else [message])
        if id(element) not in mine
    ]
    where, _ = conditions_for([unit.value for unit in found.units], others, (), False)
    return _table(found.units, (), None, where, now)


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
    split = []
    for each in groups:
        others = [unit.value for other in groups if other is not each for unit in other.units]
        where, clashes = conditions_for([unit.value for unit in each.units], others, (), False)
        if clashes:
            return None
        split.append((each.units, where))
    return split


def _table(
    rows: list[Unit],
    place: Steps,
    root: FieldProfile | None,
    where: tuple[Condition, ...],
    now: float,
) -> Candidate | None:
    """The table for ``rows``; None: they hold nothing that goes into a column.

    :param place: where the rows are.
    :param root: the messages, where these are not the rows themselves.
    """
    seen = FieldProfile(unit.value for unit in rows)
    if set(seen.kinds) not in ({"object"}, {"mixed"}):
        return None
    if any(isinstance(unit.value, list) and isinstance(unit.value[0], list) for unit in rows):
        return None  # it would be taken for an array of rows
    said = {each.path for each in where if len(each.values) == 1}
    in_root = {path.steps for path in said if path.from_root}
    in_row = {path.steps for path in said if not path.from_root}
    # A condition on a row's member may be written from the root.
    in_row |= {steps[len(place) :] for steps in in_root if steps[: len(place)] == place}
    columns = _Columns(now)
    columns.add(seen, in_row)
    if not columns.found:
        return None
    if place and root is not None:
        columns.add(root, in_root, place)
    words = [value for condition in where for value in condition.values]
    discriminators = discriminators_of(rows[0].value).values()
    notes = columns.notes
    if not all(is_type(condition.values) for condition in where):
        notes.append("where holds what was subscribed to; add other values with a comma")
    if (0 in place) and isinstance(place[place.index(0) - 1], str):
        notes.append(
            f"{JsonPath(place[: place.index(0)])} had one element in every message; "
            "rows of a second one would be left out"
        )
    names = [step for step in place if isinstance(step, str)]
    return Candidate(
        messages=list(dict.fromkeys(unit.message for unit in rows)),
        rows=len(rows),
        schema=Schema(tuple(columns.found), Rows.at(place), where),
        name=next(iter([*sorted(words, key=len)[:1], *reversed(names)]), "rows"),
        notes=notes,
        quantities=columns.quantities,
        is_control=is_control([*words, *discriminators]) or (root is not None and _is_answer(root)),
    )


def _is_answer(seen: FieldProfile) -> bool:
    """Whether these are answers of JSON-RPC, or of one that is like it."""
    return {"id", "result"} <= set(seen.members)


class _Columns:
    """The columns of one table.

    :param now: seconds since the epoch at the time of the probe.
    """

    def __init__(self, now: float) -> None:
        self.found: list[Column] = []
        self.notes: list[str] = []
        """What is left out, and why."""
        self.quantities = 0
        self._now = now
        self._names: set[str] = set()

    def add(
        self, seen: FieldProfile, said: Set[tuple[object, ...]], rows: Steps | None = None
    ) -> None:
        """Add those for what was seen.

        :param said: where a condition says it already.
        :param rows: where the rows are, if these are the messages around them.
        """
        for steps, leaf in seen.leaves():
            if steps in said or steps[-1] in _ENVELOPE:
                continue
            if rows is not None and (steps[: len(rows)] == rows or rows[: len(steps)] == steps):
                continue
            path = JsonPath(steps, rows is not None)
            kind = type_of(leaf, steps[-1], self._now)
            if kind is None:
                self.notes.append(f"left out: {path}, {_why_left_out(leaf)}")
                continue
            name = unique(name_of(steps, kind, leaf, in_root=path.from_root), self._names, path)
            required = leaf.seen - leaf.kinds["null"] == seen.seen
            self.found.append(Column(name, kind, path, required))
            self.quantities += is_quantity(kind, steps[-1])


def _why_left_out(leaf: FieldProfile) -> str:
    kinds = set(leaf.kinds) - {"null"}
    if not kinds:
        return "which was null in every message"
    if kinds == {"scalar"}:
        if any(len(text) > 1000 for text in leaf.strings):
            return "which holds long texts"
        return "whose values are of several types"
    if "scalar" in kinds:
        return "which is not always a single value"
    if kinds == {"object"}:
        return "an object that has many names" if leaf.is_map else "an object"
    return "an array"
