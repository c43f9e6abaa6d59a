"""The messages of a probe → what to capture of them.

Theory of operation. First, what stands beside the data is set aside: replies, signs of life and
texts (:mod:`~fastingest.probe.messages`, :mod:`~fastingest.probe.beside.side_messages`); tables
must only keep it out. The other messages are put together by their shapes
(:mod:`~fastingest.probe.tables.shapes`); for each shape it is found where its rows are
(:mod:`~fastingest.probe.tables.rows`) and what tables would take them
(:mod:`~fastingest.probe.tables.candidates`). Those that measure something are proposed; where none
does, that of the most frequent shape.

No message may be of two tables, and none of another shape may become a reject: where conditions
cannot keep shapes apart, only the table with the most rows is proposed; and what still is in its
way, a reply that always reads the same, is ignored word for word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastingest.model.feed import Subscription
from fastingest.model.schema import Schema
from fastingest.probe.beside.side_messages import SideMessages, side_messages_of
from fastingest.probe.beside.side_shapes import side_shapes
from fastingest.probe.messages import Messages, messages_of
from fastingest.probe.reading import meets
from fastingest.probe.tables.candidates import (
    Candidate,
    Others,
    candidates_of,
    inseparable_joined,
    tables_of_maps,
)
from fastingest.probe.tables.field_profile import kind_of
from fastingest.probe.tables.shapes import Group, Unit, group
from fastingest.probe.tables.sharing import agreed, is_same_data
from fastingest.probe.tables.words import file_word

__all__ = ["Proposal", "ProposedTable", "SeenShape", "proposal_of"]

_MAX_TABLES = 8
_MAX_IGNORED = 8
_MAX_IGNORED_BYTES = 200  # bytes
# A shape without quantities is data where it is so frequent.
_OFTEN, _SHARE = 5, 0.1

_TICKER = re.compile(r"[A-Z0-9][A-Z0-9._/:-]*")


@dataclass(frozen=True)
class SeenShape:
    """Messages of one shape.

    :param messages: how many.
    :param example: the first of them.
    :param says: what it is, for a person.
    :param tables: the indices of the proposed tables that take them.
    """

    messages: int
    example: bytes
    says: str
    tables: tuple[int, ...] = ()


@dataclass(frozen=True)
class ProposedTable:
    """A table, and what it was made from.

    :param name: a word for it, made for file names.
    :param sources: the indices of the messages that it was made from.
    :param rows: how many rows these have for it.
    :param example: the first message.
    :param notes: what a person should know of it, a line each.
    """

    name: str
    schema: Schema
    sources: tuple[int, ...]
    rows: int
    example: bytes
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Proposal:
    """What was seen, and what to capture of it.

    :param tables: none where nothing is data, or where ``is_default``.
    :param ignore: messages that are neither row nor reject, word for word.
    :param is_default: whether the messages are told by themselves, without columns.
    :param side: what is no data, and what can be said of it.
    """

    shapes: tuple[SeenShape, ...]
    tables: tuple[ProposedTable, ...]
    ignore: tuple[str, ...]
    is_default: bool = False
    side: SideMessages = field(default_factory=SideMessages)


def proposal_of(
    messages: Sequence[bytes], now: float, sent: Sequence[Subscription] = ()
) -> Proposal:
    """What to capture of a feed that has sent ``messages``.

    :param now: seconds since the epoch when they came.
    :param sent: the subscriptions that they came after.
    """
    heard = messages_of(messages, now)
    side = side_messages_of(messages, heard.values, sent)
    heard = heard.without(side.kinds)
    maps = [index for index in heard.data if _is_map(heard.values[index])]
    plain = [index for index in heard.data if index not in set(maps)]
    others = Others(heard.values, heard.beside)
    units = list(_units(heard, plain))
    has_elements = any(unit.in_array for unit in units)
    said_by = others.elements_said_by if has_elements else others.said_by
    groups = inseparable_joined(group(units, said_by))
    found = [(each, candidates_of(each, others, now)) for each in groups]
    chosen = _choose([each for _, candidates in found for each in candidates], heard.values)
    is_default = bool(maps) and all(map(_is_trade, chosen))
    if is_default:
        chosen = []
    elif maps:
        of_maps = Group(list(_units(heard, maps)), frozenset(), frozenset())
        found.append((of_maps, tables_of_maps(of_maps, others, now)))
        chosen = _choose([each for _, candidates in found for each in candidates], heard.values)
    order = {id(each): index for index, each in enumerate(chosen)}
    shapes = [_shape(each, candidates, order, messages, is_default) for each, candidates in found]
    if is_default:
        shapes.append(SeenShape(len(maps), messages[maps[0]], "prices by symbol"))
    shapes += [SeenShape(*each) for each in side_shapes(side, heard.values, messages)]
    shapes += [
        SeenShape(len(each.messages), messages[each.messages[0]], "a reply or a sign of life")
        for each in group(_units(heard, [i for i in heard.beside if i not in side.kinds]))
    ]
    ignore, unread = _ignored([i for i in heard.texts if messages[i] not in side.texts], messages)
    shapes += unread
    if not is_default:
        data = {index for _, candidates in found for each in candidates for index in each.messages}
        data |= side.taken(messages)
        answers = [index for index in (*heard.data, *heard.beside) if index not in data]
        ignore += _in_the_way(chosen, answers, heard.values, messages, len(ignore))
    tables = _named([_proposed(each, messages) for each in chosen])
    return Proposal(tuple(shapes), tuple(tables), tuple(ignore), is_default, side)


def _units(heard: Messages, indices: Iterable[int]) -> Iterator[Unit]:
    """The messages, or the elements of those that are arrays of rows."""
    for index in indices:
        value = heard.values[index]
        if kind_of(value) in ("records", "lists"):
            yield from (Unit(index, element, True) for element in value)
        else:
            yield Unit(index, value)


def _is_map(value: Any) -> bool:
    """Whether this is a map of symbol to price, as far as one message can tell."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(_TICKER.fullmatch(name) and re.search("[A-Z]{2}", name) for name in value)
        and all(
            isinstance(each, (int, float)) and not isinstance(each, bool) for each in value.values()
        )
    )


def _is_trade(candidate: Candidate) -> bool:
    """Whether messages told by themselves give the same rows."""
    schema = candidate.schema
    return str(schema.rows) == "" and {str(column.path) for column in schema.columns} <= {
        "symbol",
        "price",
        "volume",
    }


# Which tables


def _choose(candidates: list[Candidate], values: Sequence[Any]) -> list[Candidate]:
    often = max(_OFTEN, _SHARE * len(values))
    data = [each for each in candidates if each.quantities or len(each.messages) >= often]
    if not data:
        data = sorted(candidates, key=lambda each: (-each.rows, -len(each.messages)))[:1]
    met = {
        (one, other): _met(data[one], data[other], values)
        for one in range(len(data))
        for other in range(len(data))
        if one != other
    }

    def worth(one: int) -> tuple[int, int, int]:
        spoilt = sum(count for (each, _), count in met.items() if each == one)
        return (len(data[one].messages) - spoilt, data[one].rows, data[one].quantities)

    chosen: list[int] = []
    for one in sorted(range(len(data)), key=worth, reverse=True):
        if len(chosen) < _MAX_TABLES and not any(
            met[one, other] or met[other, one] for other in chosen
        ):
            chosen.append(one)
    return [data[one] for one in sorted(chosen)]


def _met(table: Candidate, other: Candidate, values: Sequence[Any]) -> int:
    """How many messages of the other table this one makes rows or rejects of."""
    own = set(table.messages)
    return sum(meets(table.schema, values[index]) for index in other.messages if index not in own)


# What is neither row nor reject


def _ignored(texts: list[int], messages: Sequence[bytes]) -> tuple[list[str], list[SeenShape]]:
    """Texts that are no JSON objects and arrays: those to ignore, and all of them as shapes."""
    counts: dict[bytes, list[int]] = {}
    for index in texts:
        counts.setdefault(messages[index], []).append(index)
    said = [raw for raw in counts if _can_be_ignored(raw)]
    if len(said) > _MAX_IGNORED:
        said = []
    shapes = [SeenShape(len(counts[raw]), raw, "a text, ignored") for raw in said]
    rest = [index for raw, indices in counts.items() if raw not in said for index in indices]
    if rest:
        shapes.append(SeenShape(len(rest), messages[rest[0]], "no JSON object or array"))
    return [raw.decode() for raw in said], shapes


def _can_be_ignored(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return len(raw) <= _MAX_IGNORED_BYTES


def _in_the_way(
    chosen: list[Candidate],
    answers: list[int],
    values: Sequence[Any],
    messages: Sequence[bytes],
    already: int,
) -> list[str]:
    """Answers that no condition keeps out of a table."""
    schemas = [each.schema for each in chosen]
    met = dict.fromkeys(
        messages[index]
        for index in answers
        if any(meets(schema, values[index]) for schema in schemas)
    )
    texts = [raw.decode() for raw in met if _can_be_ignored(raw)]
    return texts if len(texts) + already <= _MAX_IGNORED else []


# For people


def _shape(
    found: Group,
    candidates: list[Candidate],
    order: dict[int, int],
    messages: Sequence[bytes],
    is_default: bool,
) -> SeenShape:
    indices = found.messages
    tables = tuple(order[id(each)] for each in candidates if id(each) in order)
    if tables or (is_default and any(map(_is_trade, candidates))):
        says = "data"
    elif not any(each.quantities for each in candidates):
        says = "no quantity in it"
    else:
        says = "data, maybe, which no condition tells apart"
    return SeenShape(len(indices), messages[indices[0]], says, tables)


def _proposed(candidate: Candidate, messages: Sequence[bytes]) -> ProposedTable:
    return ProposedTable(
        candidate.name,
        candidate.schema,
        tuple(candidate.messages),
        candidate.rows,
        messages[candidate.messages[0]],
        tuple(candidate.notes),
    )


def _named(tables: Sequence[ProposedTable]) -> list[ProposedTable]:
    """The same with names that can stand in a file's name; those of the same data have the same."""
    files: list[list[int]] = []
    for index, table in enumerate(tables):
        same = [each for each in files if is_same_data(tables[each[0]].schema, table.schema)]
        if same:
            same[0].append(index)
        else:
            files.append([index])
    named = list(tables)
    taken: set[str] = set()
    for file in files:
        words = [file_word(tables[at].name) for at in file]
        word = next((each for each in words if each not in ("", "rows")), "rows")
        name = next(
            each
            for each in (word, *(f"{word}_{number}" for number in range(2, _MAX_TABLES + 2)))
            if each not in taken
        )
        taken.add(name)
        schemas = agreed([tables[at].schema for at in file])
        for at, schema in zip(file, schemas, strict=True):
            named[at] = replace(tables[at], name=name, schema=schema)
    return named
