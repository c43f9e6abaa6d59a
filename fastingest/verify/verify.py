"""Whether an output and its ledger agree.

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
import errno
import fcntl
import io
import os
import stat
import zlib
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from fastingest.errors import UsageError
from fastingest.isotime import iso_time
from fastingest.storage.journal import journal_path
from fastingest.storage.ledger import GONE, Region, iter_entries, ledger_path
from fastingest.storage.names import beside, named
from fastingest.text import counted, escape
from fastingest.units import format_size

__all__ = ["RegionResult", "Report", "report_text", "verify"]

_CHUNK = 1024 * 1024

_LONGEST = 32 * 1024 * 1024
"""No row is longer. Behind a quote that nobody closes, all there is would otherwise be one cell."""

_TOLD = 10
"""This many broken rows are told one by one."""

_SHOWN = 20
"""This many regions are shown although nothing is wrong with them: the last ones."""

_NOT_STRUCTURE = bytes(set(range(256)) - set(b",\n"))


@dataclass(frozen=True)
class RegionResult:
    """What one run appended.

    :param run: when it started, ISO 8601.
    :param rows: how many the ledger says.
    :param bytes: how many the ledger says.
    :param problem: what is wrong with them, empty where nothing is.
    """

    run: str
    rows: int
    bytes: int
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """What :func:`verify` found.

    :param out: the output.
    :param rows: in the file, without the header; of a torn one at the end nothing is counted.
    :param size: bytes.
    :param regions: those that should be in the file, in the ledger's order.
    :param problems: all disagreements, those of the regions among them, a sentence each.
    :param notes: what is worth knowing and no disagreement.
    """

    out: Path
    rows: int
    size: int
    regions: list[RegionResult]
    problems: list[str]
    notes: list[str]

    @property
    def agrees(self) -> bool:
        """Whether the file is what its ledger says."""
        return not self.problems


@dataclass
class _Claim:
    """A region that should be in the file, and what was found there."""

    run: int
    region: Region
    rows: int = 0
    crc32: int = 0
    overlaps: int | None = None  # the other run, if it does

    @property
    def name(self) -> str:
        return _name(self.run)


def _name(run: int) -> str:
    return iso_time(run)[:19] + "Z"


@dataclass(frozen=True)
class _Place:
    """A place in the file: the number of its line, and whether a row may begin there."""

    line: int
    is_between_rows: bool


# The ledger


def _read_ledger(out: Path) -> tuple[list[_Claim], str | None, list[str], list[str]]:
    """The regions that should be in the present file; its header; problems of the ledger; notes."""
    claims: dict[tuple[int, Region], _Claim] = {}  # by which an entry that came twice is known
    header: str | None = None
    problems, notes = [], []
    set_aside: dict[str, int] = {}  # by the run; its last line counts
    for number, entry in enumerate(iter_entries(out), 1):
        if entry is None:
            notes.append(f"line {number} of the ledger was torn by a crash and is passed over")
            continue
        try:
            run = entry["run"]
            name = _name(run)
            if isinstance(rows := entry.get("set_aside"), int) and rows > 0:
                set_aside[name] = rows
            if entry["file"] is None:
                if entry.get("written") != 0:
                    what = "says nothing of the file: it kept no journal"
                    notes.append(f"the run of {name} {what}")
                continue
            region = Region.from_json(entry["file"])
        except KeyError as error:
            problems.append(f"line {number} of the ledger has no {error}")
            continue
        except (TypeError, ValueError, OverflowError, OSError) as error:  # of _name, but one
            problems.append(f"line {number} of the ledger is no entry: {error}")
            continue
        if entry.get("ended") in GONE:
            claims.clear()
            header = None
        else:
            claims[run, region] = _Claim(run, region)
            if isinstance(entry.get("header"), str):
                header = entry["header"]
    for name, rows in set_aside.items():
        where = f"they are in {out.name}.*.failed"
        notes.append(f"{_rows(rows)} of the run of {name} could not be written; {where}")
    return list(claims.values()), header, problems, notes


def _find_overlaps(claims: Iterable[_Claim]) -> None:
    furthest: _Claim | None = None
    filled = (claim for claim in claims if claim.region.end > claim.region.start)
    for claim in sorted(filled, key=lambda each: (each.region.start, each.region.end)):
        if furthest and claim.run != furthest.run and claim.region.start < furthest.region.end:
            claim.overlaps = furthest.run
        if furthest is None or claim.region.end > furthest.region.end:
            furthest = claim


# The file


def _row_ends(data: bytes, columns: int) -> tuple[Sequence[int], list[tuple[int, str]]]:
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


class _Pass:
    """The one pass through the file, behind its header.

    :param claims: whose ``rows`` and ``crc32`` are found.
    :param start: where the first row begins.
    :param settled: what is behind this is not looked at, but for counting rows.
    :param line: the number of the first row's line.
    """

    def __init__(
        self, claims: Sequence[_Claim], columns: int, start: int, settled: int, line: int = 2
    ) -> None:
        self.offset = start
        self.line = line
        self.rows = 0
        self.strange_rows = 0  # of no region
        self.late_rows = 0  # of no region, and behind all that is settled
        self.broken_rows = 0
        self.problems: list[str] = []
        self.places = {start: _Place(line, True)}
        self._columns = columns
        self._settled = settled
        filled = [claim for claim in claims if start <= claim.region.start < claim.region.end]
        self._coming = deque(sorted(filled, key=lambda claim: claim.region.start))
        regions = [claim.region for claim in claims]
        cuts = {region.start for region in regions} | {region.end for region in regions}
        self._cuts = deque(sorted(cut for cut in cuts | {settled} if cut > start))
        self._inside: list[_Claim] = []
        self._enter(start)

    def read(self, file: BinaryIO, size: int) -> bool:
        """Read up to ``size``; whether the end of that is inside a row."""
        file.seek(self.offset)
        rest = b""
        wanted = _CHUNK
        while chunk := file.read(max(0, min(wanted, size - self.offset - len(rest)))):
            data = rest + chunk
            whole = data[: data.rfind(b"\n") + 1]
            ends, broken = _row_ends(whole, self._columns)
            used = _line_start(whole, ends[-1]) if ends else 0
            if not used and len(data) > _LONGEST:
                used = _line_start(whole, 1) if whole else len(data)
                ends = [1] if whole else []
                broken = [(0, f"no row, or one of more than {format_size(_LONGEST)}")]
            self._take(data[:used], ends, broken)
            rest = data[used:]
            wanted = _CHUNK if used else max(_CHUNK, len(rest))  # so that each is read about twice
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
                self.places[cut] = _Place(self.line + lines, is_end)
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
            if self.broken_rows <= _TOLD:
                byte = self.offset + _line_start(data, lines)
                self.problems.append(f"byte {byte:,}, line {self.line + lines:,}: {problem}")

    def _count(self, start: int, rows: int, data: memoryview) -> None:
        self.rows += rows
        for claim in self._inside:
            claim.rows += rows
            claim.crc32 = zlib.crc32(data, claim.crc32)
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


def _judge(claim: _Claim, places: dict[int, _Place], size: int) -> str:
    """What is wrong with a region; empty where nothing is."""
    region = claim.region
    start, end = places.get(region.start), places.get(region.end)
    where = f"bytes {region.start:,} to {region.end:,}"
    problem = ""
    if region.end == 0:  # of a run that had not even written the header
        problem = ""
    elif region.end > size:
        problem = f"the file has {size:,} bytes only"
    elif start is None or end is None:
        problem = "begins in the header"
    else:
        last = end.line - 1
        where += f" (line {start.line:,}{f' to {last:,}' if last > start.line else ''})"
        if not start.is_between_rows:
            problem = "begins inside a row"
        elif not end.is_between_rows:
            problem = "ends inside a row"
        elif claim.rows != region.rows:
            problem = f"{_rows(claim.rows)}, and {region.rows:,} in the ledger"
        elif claim.crc32 != region.crc32:
            problem = f"CRC-32 {claim.crc32:08x}, and {region.crc32:08x} in the ledger"
        elif claim.overlaps is not None:
            problem = f"overlaps what the run of {_name(claim.overlaps)} appended"
    return problem and f"{where}: {problem}"


# Both


def verify(out: Path) -> Report:
    """Read the output and its ledger, and say whether they agree. Changes nothing.

    :raises UsageError: one of the two is not there, or cannot be read.
    """
    try:
        if not stat.S_ISREG(out.stat().st_mode):
            raise UsageError(f"{out}: is not a regular file")
        if not ledger_path(out).exists():
            raise UsageError(f"{out}: no ledger is beside it; {ledger_path(out)} does not exist")
        with out.open("rb") as file, _no_field_size_limit():
            return _verify(out, file)
    except OSError as error:
        raise UsageError(f"{error.filename or out}: {error.strerror}") from None


def _verify(out: Path, file: BinaryIO) -> Report:
    is_running = _is_locked(out)
    # In this order: rows are in the file before they are in the ledger.
    claims, known, problems, notes = _read_ledger(out)
    if not (claims or problems or notes or is_running):
        raise UsageError(f"{ledger_path(out)}: there is no entry in it")
    _find_overlaps(claims)
    # Before the first run's end nobody says what it should be.
    lines = 1 if known is None else known.count("\n") + 1  # a name may hold a line feed
    first = b"".join(file.readline(_CHUNK) for _ in range(lines))
    header = first if known is None else f"{known}\n".encode()
    size = os.fstat(file.fileno()).st_size
    is_running = is_running or _is_locked(out)
    is_interrupted = not is_running and journal_path(out).exists()

    is_unsettled = is_running or is_interrupted
    ends = [len(first), *(claim.region.end for claim in claims)]
    settled = max(ends) if is_unsettled else size
    columns = len(next(csv.reader([header.decode(errors="replace")]), []))
    scan = _Pass(claims, columns, len(first), settled, lines + 1)
    is_torn = False
    if not first.endswith(b"\n") and header.startswith(first):  # nothing, or cut short
        is_torn = True
        if not is_unsettled:
            problems.append("byte 0, line 1: the header is not whole")
    else:
        if first != header:
            found = first[:200].rstrip(b"\r\n").decode(errors="replace")
            problems.append(f"byte 0, line 1: the header is {found!r}, not {known!r}")
        is_torn = scan.read(file, size)
        size = scan.offset  # less than it was, where somebody has just cut the file
    problems += scan.problems
    if scan.broken_rows > _TOLD:
        problems.append(f"{_rows(scan.broken_rows - _TOLD)} more with the wrong columns")
    regions = []
    for claim in claims:
        problem = _judge(claim, scan.places, size)
        length = claim.region.end - claim.region.start
        regions.append(RegionResult(claim.name, claim.region.rows, length, problem))
        if problem:
            problems.append(f"run {claim.name}, {problem}")
    if is_running:
        notes.append(f"a run is writing it; {_rows(scan.late_rows)} not in the ledger yet")
    if is_interrupted:
        behind = _rows(scan.late_rows) + (" and a torn one" if is_torn else "")
        notes.append(
            f"the last run was interrupted; the next start repairs it ({behind} behind the ledger)"
        )
    if scan.strange_rows:
        notes.append(
            f"{_rows(scan.strange_rows)} of no run: another program's, or from before the ledger"
        )
    return Report(out, scan.rows, size, regions, problems, notes)


def _is_locked(out: Path) -> bool:
    """Whether a run is writing the output now."""
    # A lock file is there only during a run and after a crash, so that this shared lock, which a
    # run that starts in the same microsecond would be refused for, is hardly ever taken.
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(beside(named(out), ".lock"), flags)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.EMLINK):  # none, or a link: no run's
            return False
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _no_field_size_limit() -> Iterator[None]:
    before = csv.field_size_limit(2**31 - 1)  # no block is larger
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _rows(count: int) -> str:
    return counted(count, "row")


def report_text(report: Report) -> str:
    """The report for people, several lines without the last one's end."""
    lines = [f"{escape(str(report.out))}: {_rows(report.rows)}, {format_size(report.size)}"]
    rows = [_rows(each.rows) for each in report.regions]
    sizes = [format_size(each.bytes) for each in report.regions]
    pad_rows, pad_sizes = (max(map(len, texts), default=0) for texts in (rows, sizes))
    hidden = 0
    for index, region in enumerate(report.regions):
        if not region.problem and index < len(report.regions) - _SHOWN:
            hidden += 1
            continue
        verdict = "does NOT agree" if region.problem else "agrees"
        cells = f"{rows[index]:>{pad_rows}}  {sizes[index]:>{pad_sizes}}"
        lines.append(f"  {region.run}  {cells}  {verdict}")
    if hidden:
        lines.insert(1, f"  {hidden:,} more before these agree")
    lines += [f"  note: {escape(note)}" for note in report.notes]
    lines += [f"does NOT agree: {escape(problem)}" for problem in report.problems]
    return "\n".join(lines if report.problems else [*lines, "agrees with its ledger"])
