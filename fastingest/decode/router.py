"""Which messages each table takes, found without reading more of them than the conditions.

Where a feed sends many messages that a table does not want, each of them would fail to be one of
its rows, which costs microseconds. So all messages are parsed into structs of nothing but the
members that conditions ask for, at about half of what a row takes, and sorted by comprehensions.

Only the route "no" counts: what passes is read by its table, which looks at the conditions again.
So a message that cannot be sorted passes everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from fastingest.decode.reasons import Unfit
from fastingest.decode.struct_columns import ask, filter_of
from fastingest.decode.struct_types import PathNode, access, compiled, decoder_of
from fastingest.model.jsonpath import NoTree, Steps
from fastingest.model.schema import Schema

__all__ = ["Route", "Router", "routers_of"]

_Filter = Callable[[Sequence[Any]], list[bool]]


class Route(NamedTuple):
    """Which messages a table takes; None: it may take all.

    :param takes: by the conditions of the message.
    :param keeps: by those of the row as well, where a message is one row.
    """

    takes: list[bool] | None = None
    keeps: list[bool] | None = None


def routers_of(tables: Sequence[tuple[Schema, bool]]) -> list[Router]:
    """As few routers as these tables need, in their order; [] where none has conditions.

    :param tables: pairs of a schema and whether its messages are one row each: then the conditions
        of the row are used as well.
    """
    if not any(_conditions(*table) for table in tables):
        return []
    try:
        return [Router(tables)]
    except NoTree:
        return [_router_alone(table) for table in tables]


def _router_alone(table: tuple[Schema, bool]) -> Router:
    try:
        return Router([table])
    except NoTree:
        return Router([(Schema(table[0].columns), False)])


def _conditions(schema: Schema, one_row: bool) -> bool:
    return bool(schema.where if one_row else schema.where_message)


def _unless_no_row(root: PathNode, start: Steps) -> str:
    """Python that passes what is no single row, whose conditions are not asked."""
    texts = [f"{access(root, start)} is None"] if start else []
    row = root.at(start)
    if row.is_row and 0 in row.steps and row.steps[0].is_raw:  # its type lets an array pass
        texts.append(f"starts_array({access(root, (*start, 0))})")
    return "".join(f"{text} or " for text in texts)


class Router:
    """Sorts the messages for some tables.

    :raises NoTree: their conditions cannot be read together.
    """

    def __init__(self, tables: Sequence[tuple[Schema, bool]]) -> None:
        root = PathNode()
        wanted = []
        for schema, one_row in tables:
            start = schema.rows.steps if one_row else ()
            of_root = [(each, each.path.steps) for each in schema.where_message]
            of_row = [(each, start + each.path.steps) for each in schema.where_row if one_row]
            for condition, steps in of_root + of_row:
                ask(root, condition, steps)
            if of_row:
                root.at(start).is_row |= schema.row_container is list
            wanted.append((of_root, of_row, start))
        self._decode: Callable[[bytes], Any] | None = None
        if root.steps:
            self._decode = decoder_of(compiled(root, str))
        self._filters: list[tuple[_Filter | None, _Filter | None]] = []
        for of_root, of_row, start in wanted:
            takes = filter_of(root, of_root) if of_root else None
            keeps = filter_of(root, of_row, _unless_no_row(root, start)) if of_row else None
            self._filters.append((takes, keeps))

    def sort(self, messages: Sequence[bytes]) -> list[Route]:
        """For each table, what it takes of the messages."""
        if self._decode is None:
            return [Route() for _ in self._filters]
        routes = [
            Route(None if takes is None else [], None if keeps is None else [])
            for takes, keeps in self._filters
        ]
        done, left = 0, iter(messages)
        while done < len(messages):
            parsed: list[Any] = []
            # What was parsed before one that fails stays in the list, and that one is passed.
            with suppress(*Unfit):
                parsed.extend(map(self._decode, left))
            done += len(parsed) + 1
            odd = [True] if done <= len(messages) else []
            for filters, route in zip(self._filters, routes, strict=True):
                for flags, filter_ in zip(route, filters, strict=True):
                    if flags is not None and filter_ is not None:
                        flags.extend(filter_(parsed) + odd)
        return routes
