"""Where the tables of the feeds go: the file of each, and what cannot share one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastingest.config.spec import FeedSpec, TableSpec
from fastingest.errors import OptionError
from fastingest.model.feed import Feed
from fastingest.model.schema import Schema
from fastingest.storage.names import named

__all__ = ["check_outputs", "outputs_of"]


def outputs_of(specs: Sequence[FeedSpec], out: Path, *, is_given: bool) -> list[tuple[Path, ...]]:
    """The files of each feed's tables, in their order.

    :param out: where those go that say nothing.
    :param is_given: whether the user has named it: then a table that is the only one goes there,
        whatever it says itself.
    :raises OptionError: it is given, and no table would go there.
    """
    if is_given and sum(len(spec.tables) for spec in specs) == 1:
        return [(out,)]
    if is_given and all(table.out or spec.out for spec in specs for table in spec.tables):
        raise OptionError("out", "every table says where it goes; change that where it does")
    return [tuple(_file(table, spec.out or out) for table in spec.tables) for spec in specs]


def _file(table: TableSpec, base: Path) -> Path:
    if table.out is not None:
        return table.out
    return base.with_name(f"{base.stem}_{table.name}{base.suffix}") if table.name else base


def check_outputs(specs: Sequence[FeedSpec], feeds: Sequence[Feed]) -> None:
    """Refuse tables for one file whose columns do not agree.

    Those of one feed must have the same types as well, and cannot number their rows.

    :param feeds: what was made of ``specs``.
    :raises ConfigError: they are of one feed, in a file.
    :raises OptionError: anything else of that.
    """
    first: dict[Path, tuple[Feed, Schema]] = {}
    for spec, feed in zip(specs, feeds, strict=True):
        own: dict[Path, Schema] = {}
        for table_spec, table in zip(spec.tables, feed.tables, strict=True):
            path = named(table.out)
            problem = _disagreement(own.setdefault(path, table.schema), table.schema)
            if problem:
                raise (
                    spec.file.error(
                        table_spec.key,
                        f"another table of this feed writes {table.out}, too, and {problem}; "
                        "give each its own 'out', or a 'name'",
                    )
                    if spec.file
                    else OptionError("out", f"two tables would write {table.out}, and {problem}")
                )
            other, schema = first.setdefault(path, (feed, table.schema))
            if schema.header != table.schema.header:
                raise OptionError(
                    "out",
                    f"{table.out} cannot have the header {schema.header!r} of {other.name} and "
                    f"{table.schema.header!r} of {feed.name}; give them an 'out' each, in a file "
                    "for --config, or capture them in a run each",
                )


def _disagreement(first: Schema, second: Schema) -> str:
    """Why two tables of a feed cannot write one file; empty where they can."""
    if first is second:
        return ""
    if first.header != second.header:
        return f"its header is {first.header!r} and not {second.header!r}"
    for name, one, other in zip(first.names, first.types, second.types, strict=True):
        if one != other:
            return f"its column {name!r} is {one} and not {other}"
        if one == "@sequence":
            return f"their rows would have the same numbers in {name!r}"
    return ""
