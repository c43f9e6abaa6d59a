"""What an output file shows, held against what the feed (:mod:`tests.faults.feed`) said.

    rows = numbers(out)
    check_order(rows)
    for lost in missing(rows, connections(feed.events)):
        assert lost.inside == 0

Whatever must never be is a :class:`Fault`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from bench.burst import FIRST_NUMBER, records
from tests.faults.fault import Fault

__all__ = ["Fault", "Missing", "check_order", "connections", "missing", "numbers"]

HEADER = "symbol,price,volume"
DIGITS = len(str(FIRST_NUMBER))


@dataclass(frozen=True)
class Missing:
    """The rows of one connection that are not in the file."""

    connection: range
    """All its rows."""
    ranges: tuple[range, ...]
    """Those that are missing, in order."""
    at_start: int
    """How many are missing before the first that is in the file."""
    inside: int
    """How many are missing between two that are in the file."""
    at_end: int
    """How many are missing after the last that is in the file; all, if none is."""


def numbers(paths: Path | Sequence[Path], block: int = 1000) -> pl.Series:
    """The numbers of the rows in a file, or in several one after another, each with a header.

    Each line is compared, byte by byte, with the row that the feed sends under that number.

    :param block: of the feed.
    :raises Fault: a line is not a whole, exact row.
    """
    if isinstance(paths, Path):
        paths = [paths]
    beginnings = pl.Series(
        [f"{symbol},{float(price)!r}," for symbol, price, _ in records(block, numbered=True)]
    )
    found = [_numbers_in(path, beginnings) for path in paths]
    return pl.concat([pl.Series("number", [], dtype=pl.Int64), *found])


def _numbers_in(path: Path, beginnings: pl.Series) -> pl.Series:
    """The numbers in one file. A row is one of the ``beginnings`` and its volume."""
    with path.open("rb") as file:
        start = file.readline()
    if start != f"{HEADER}\n".encode():
        raise Fault(f"{path} starts with {start[:100]!r}, not with the header")
    if path.stat().st_size == len(start):
        return pl.Series("number", [], dtype=pl.Int64)
    try:
        # A separator that no row has, so that a line is a cell.
        cells = pl.read_csv(path, separator="\x1f", quote_char=None, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise Fault(f"{path} is not a file of lines: {error}") from error
    table = (
        cells.select(
            pl.first().fill_null("").alias("line"),  # an empty line is null
        )
        .with_columns(
            number=pl.col("line").str.tail(DIGITS).cast(pl.Int64, strict=False) - FIRST_NUMBER,
        )
        .with_columns(beginning=pl.lit(beginnings).gather(pl.col("number") % len(beginnings)))
        .with_columns(expected=pl.col("beginning") + (pl.col("number") + FIRST_NUMBER).cast(str))
        .select("line", "number", right=pl.col("line").eq_missing(pl.col("expected")))
    )
    if not table["right"].all():
        at = (~table["right"]).arg_max() or 0
        raise Fault(f"{path}, line {at + 2}: {table['line'][at][:200]!r} is no row of the feed")
    # What a reader of lines forgives: a last line without an end, another kind of end, empty lines.
    size = len(start) + int(table["line"].str.len_bytes().sum()) + len(table)
    if path.stat().st_size != size:
        raise Fault(f"{path}: lines do not end with one line feed each, or the last does not end")
    return table["number"]


def check_order(numbers: pl.Series) -> None:
    """See that each number is greater than the one before.

    :raises Fault: a row is there twice, or out of order.
    """
    wrong = numbers.diff().le(0)
    if wrong.any():
        at = wrong.arg_max() or 0
        now, before = numbers[at], numbers[at - 1]
        what = "is there twice" if (numbers[:at] == now).any() else "is out of order"
        raise Fault(f"row {now}, at {at} from the start, after row {before}, {what}")


def connections(events: Iterable[Mapping[str, Any]]) -> list[range]:
    """The rows of each connection, from what the feed has said: those it may have got.

    :raises Fault: a connection has not ended, or rows belong to two connections.
    """
    first: int | None = None
    found: list[range] = []
    for event in events:
        if "connected" in event:
            first = event["connected"]
        elif "disconnected" in event:
            if first is None:
                raise Fault(f"{event} belongs to no connection")
            found.append(range(first, event["disconnected"]))
            first = None
    if first is not None:
        raise Fault(f"the connection from row {first} on has not ended")
    for one, other in pairwise(found):
        if other.start < one.stop:
            raise Fault(f"rows {other.start} to {one.stop - 1} belong to two connections")
    return found


def missing(numbers: pl.Series, connections: Sequence[range]) -> list[Missing]:
    """What each of the connections has that is not in the file; one entry for each.

    :param numbers: in order.
    :raises Fault: they are not in order, or a row of the file belongs to no connection.
    """
    check_order(numbers)
    found = []
    done = 0  # numbers before this index belong to connections
    for connection in connections:
        start, end = (
            int(numbers.search_sorted(bound, side="left"))
            for bound in (connection.start, connection.stop)
        )
        if start > done:
            break
        found.append(_missing_in(numbers[start:end], connection))
        done = end
    if done < len(numbers):
        raise Fault(f"row {numbers[done]}, at {done} from the start, was sent in no connection")
    return found


def _missing_in(present: pl.Series, connection: range) -> Missing:
    if present.is_empty():
        ranges = (connection,) if connection else ()
        return Missing(connection, ranges, 0, 0, len(connection))
    first, last = present[0], present[-1]
    gaps = (present.diff() > 1).arg_true()
    holes = [range(present[at - 1] + 1, present[at]) for at in gaps]
    start, end = range(connection.start, first), range(last + 1, connection.stop)
    return Missing(
        connection,
        tuple(hole for hole in (start, *holes, end) if hole),
        len(start),
        sum(map(len, holes)),
        len(end),
    )
