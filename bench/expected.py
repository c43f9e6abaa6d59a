"""Is a file what it must be? Every row of it is compared with what the load generator has sent.

The generator's rows are the same each time, and those of one block are those of every other (but
for ``numbered`` ones, of which no two are the same). So a block's text is made once and compared
as bytes. Where that fails, the block's lines are parsed, and the values compared: ``145`` is as
good as ``145.0``, and quotes do no harm. What was found equal in this way is from then on what the
next block is compared with, so that a file whose numbers are spelled otherwise is read as fast.

Rows that are not numbered are the same from block to block, so a block that is missing and another
one that is there twice would make up for each other; anything less shows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from bench.frames import NAMES, records

__all__ = ["BLOCK", "WrongFileError", "check"]

BLOCK = 10_000  # rows, as in bench.burst
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")

Row = tuple[str, str, int]


class WrongFileError(Exception):
    """A file does not have the rows that were sent; the message says where it begins."""


def check(path: Path, rows: int, *, numbered: bool = False) -> None:
    """Compare a file with the generator's first rows, in blocks of :data:`BLOCK`.

    :raises WrongFileError: it has other rows, or more, or fewer; or it has another header.
    """
    made = records(min(rows, BLOCK), numbered)
    text = spelled(made)
    with path.open("rb") as file:
        if cells(file.readline()) != list(NAMES):
            raise WrongFileError(f"{path}: the header is not {','.join(NAMES)}")
        for first in range(0, rows, BLOCK):
            block = made[: rows - first]
            if numbered:
                block = [(symbol, price, volume + first) for symbol, price, volume in block]
                text = spelled(block)
            elif len(block) < len(made):
                text = spelled(block)
            start = file.tell()
            if file.read(len(text)) != text:
                file.seek(start)
                lines = list(islice(file, len(block)))
                compare(path, lines, block, first)
                text = b"".join(lines)
        if line := file.readline():
            raise WrongFileError(f"{path}: {line!r} stands behind all of the {rows:,} rows")


def spelled(rows: Sequence[Row]) -> bytes:
    """The rows' text as Python writes it: a price is the shortest text that reads back the same."""
    lines = (f"{symbol},{float(price)!r},{volume}\n" for symbol, price, volume in rows)
    return "".join(lines).encode()


def compare(path: Path, lines: Sequence[bytes], rows: Sequence[Row], first: int) -> None:
    """Compare lines with rows by their values.

    :param first: how many rows come before these.
    :raises WrongFileError: one is not what it must be.
    """
    for index, (symbol, price, volume) in enumerate(rows):
        if index == len(lines):
            raise WrongFileError(f"{path}: it ends after {first + index:,} rows")
        line = lines[index]
        found = cells(line)
        if not (
            line.endswith(b"\n")
            and len(found) == len(NAMES)
            and found[0] == symbol
            and is_number(found[1], float(price))
            and is_number(found[2], volume)
        ):
            sent = f"{symbol},{price},{volume}"
            number = first + index + 1
            raise WrongFileError(f"{path}: row {number:,} is {line!r}, but {sent} was sent")


def cells(line: bytes) -> list[str]:
    """A line's cells."""
    return next(csv.reader([line.decode(errors="replace")]), [])


def is_number(text: str, value: float) -> bool:
    """Whether a cell has this value."""
    return NUMBER.fullmatch(text) is not None and float(text) == value
