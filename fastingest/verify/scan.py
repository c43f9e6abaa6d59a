"""One pass through the file: its rows, and the sums of the regions that are claimed of it.

Theory of operation. The file is read once, in blocks that begin at the start of a row and hold
whole rows, so that memory does not grow with it. What a row is, the csv module says (RFC 4180: a
line feed in a quoted cell ends no row). It is asked in terms of lines: each row ends with some line
of its block, and so a place in the file is between two rows if it is behind the line feed of a line
that ends a row. A block without quotes is looked at as a whole: there, each line is a row, and
whether all have their columns shows when all but commas and line feeds is deleted.

The regions of the ledger cut the file into stretches. All sums (rows, CRC-32) are taken stretch by
stretch, for the regions that the stretch is in, of which there is more than one only where regions
overlap, which they must not.
"""

from __future__ import annotations

import csv
import io
import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from fastingest.checksum import crc32
from fastingest.units import format_size
from fastingest.verify.claims import Claim

__all__ = ["CHUNK", "MAX_ROW", "MAX_TOLD", "Place", "Scan", "no_field_size_limit", "row_ends"]

CHUNK = 1024 * 1024
"""Bytes that are read at once."""

MAX_ROW = 32 * 1024 * 1024
"""No row is longer. Behind a quote that nobody closes, all there is would otherwise be one cell."""

MAX_TOLD = 10
"""This many broken rows are told one by one."""

_NOT_STRUCTURE = bytes(set(range(256)) - set(b",\n"))


@dataclass(frozen=True)
class Place:
    """A place in the file: the number of its line, and whether a row may begin there."""

    line: int
    is_between_rows: bool


def row_ends(data: bytes, columns: int) -> tuple[Sequence[int], list[tuple[int, str]]]:
    """Which lines of whole lines end a row, the first one being 1, and what is wrong with rows.

    Where the last row goes on past ``data``, its lines end no row. A broken row is told by the
    number of lines before it.
    """
    count = data.count(b"\n")
    if b'"' not in data and b"\r" not in data:
        row = b"," * (columns - 1) + b"\n"
        if data.translate(None, _NOT_STRUCTURE) == row * count:
            return range(1, count + 1), []
    # In Latin-1 any byte is a character, and those of the structure are the same as in UTF-8.
    lines = io.TextIOWrapper(io.BytesIO(data), "latin-1", newline="\n")
    reader = csv.reader(chain(lines, [""]))
    ends: list[int] = [0]
    broken: list[tuple[int, str]] = []
    while True:
        try:
            for cells in reader:
                ends.append(reader.line_num)
                if len(cells) != columns:
                    broken.append((ends[-2], f"{len(cells)} columns instead of {columns}"))
            break
        except csv.Error:  # the only one that is left when neither strict nor limited
            ends.append(reader.line_num)
            broken.append((ends[-2], "a carriage return in a cell without quotes"))
    # The empty line is the last row, or a part of it, which then was not whole.
    last = ends[-2]
    return ends[1:-1], [each for each in broken if each[0] < last]


def _line_start(data: bytes, lines: int) -> int:
    """The offset behind so many line feeds."""
    if lines == data.count(b"\n"):  # nearly always
        return data.rfind(b"\n") + 1
    return len(data) - len(data.split(b"\n", lines)[lines])


class Scan:
    """The one pass through the file, behind its header.

    :param claims: whose ``rows`` and ``crc32`` are found.
    :param start: where the first row begins.
    :param settled: what is behind this is not looked at, but for counting rows.
    :param line: the number of the first row's line.
    """

    def __init__(
        self, claims: Sequence[Claim], columns: int, start: int, settled: int, line: int = 2
    ) -> None:
        self.offset = start
        self.line = line
        self.rows = 0
        self.strange_rows = 0
        """Rows of no region."""
        self.late_rows = 0
        """Likewise, and behind all that is settled."""
        self.broken_rows = 0
        """Those that are no rows of the file's columns."""
        self.problems: list[str] = []
        """What is wrong with the first of them, and with the last row, a sentence each."""
        self.places = {start: Place(line, True)}
        """Where regions begin and end."""
        self._columns = columns
        self._settled = settled
        filled = [claim for claim in claims if start <= claim.region.start < claim.region.end]
        self._coming = deque(sorted(filled, key=lambda claim: claim.region.start))
        regions = [claim.region for claim in claims]
        cuts = {region.start for region in regions} | {region.end for region in regions}
        self._cuts = deque(sorted(cut for cut in cuts | {settled} if cut > start))
        self._inside: list[Claim] = []
        self._enter(start)

    def read(self, file: BinaryIO, size: int) -> bool:
        """Read up to ``size``; whether the end of that is inside a row."""
        file.seek(self.offset)
        rest = b""
        wanted = CHUNK
        while chunk := file.read(max(0, min(wanted, size - self.offset - len(rest)))):
            data = rest + chunk
            whole = data[: data.rfind(b"\n") + 1]
            ends, broken = row_ends(whole, self._columns)
            used = _line_start(whole, ends[-1]) if ends else 0
            if not used and len(data) > MAX_ROW:
                used = _line_start(whole, 1) if whole else len(data)
                ends = [1] if whole else []
                broken = [(0, f"no row, or one of more than {format_size(MAX_ROW)}")]
            self._take(data[:used], ends, broken)
            rest = data[used:]
            wanted = CHUNK if used else max(CHUNK, len(rest))  # so that each is read about twice
        if rest and self.offset < self._settled:
            where = f"byte {self.offset:,}, line {self.line:,}"
            self.problems.append(f"{where}: the last row is not whole, {len(rest):,} bytes of it")
        self._take(rest, [], [])
        return bool(rest)

    def _take(self, data: bytes, ends: Sequence[int], broken: Sequence[tuple[int, str]]) -> None:
        self._tell(data, broken)
        begin = lines = rows = 0
        while begin < len(data):
            cut = self._cuts[0] if self._cuts else self.offset + len(data)
            stop = min(cut - self.offset, len(data))
            lines += data.count(b"\n", begin, stop)
            rows_then = bisect_right(ends, lines)
            self._count(self.offset + begin, rows_then - rows, memoryview(data)[begin:stop])
            if self._cuts and self.offset + stop == cut:
                self._cuts.popleft()
                is_end = data[stop - 1] == ord("\n") and _holds(ends, lines)
                self.places[cut] = Place(self.line + lines, is_end)
                self._enter(cut)
            begin, rows = stop, rows_then
        self.offset += len(data)
        self.line += lines

    def _tell(self, data: bytes, broken: Sequence[tuple[int, str]]) -> None:
        has_unsettled = self._settled < self.offset + len(data)
        settled = data.count(b"\n", 0, max(0, self._settled - self.offset))
        for lines, problem in broken:
            if has_unsettled and lines >= settled:
                break
            self.broken_rows += 1
            if self.broken_rows <= MAX_TOLD:
                byte = self.offset + _line_start(data, lines)
                self.problems.append(f"byte {byte:,}, line {self.line + lines:,}: {problem}")

    def _count(self, start: int, rows: int, data: memoryview) -> None:
        self.rows += rows
        for claim in self._inside:
            claim.rows += rows
            claim.crc32 = crc32(data, claim.crc32)
        if not self._inside:
            if start < self._settled:
                self.strange_rows += rows
            else:
                self.late_rows += rows

    def _enter(self, cut: int) -> None:
        self._inside = [claim for claim in self._inside if claim.region.end > cut]
        while self._coming and self._coming[0].region.start == cut:
            self._inside.append(self._coming.popleft())


def _holds(ends: Sequence[int], line: int) -> bool:
    index = bisect_left(ends, line)
    return index < len(ends) and ends[index] == line


class _NoLimit:
    """The csv module's limit of a cell's length, which all threads share, as long as it is off."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = 0

    def begin(self) -> None:
        with self._lock:
            if not self._users:
                self._before = csv.field_size_limit(2**31 - 1)  # no block is larger
            self._users += 1

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                csv.field_size_limit(self._before)


_no_limit = _NoLimit()


@contextmanager
def no_field_size_limit() -> Iterator[None]:
    """Let the csv module read cells of any length meanwhile, be it in several threads at once."""
    _no_limit.begin()
    try:
        yield
    finally:
        _no_limit.end()
