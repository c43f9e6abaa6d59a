"""Whether an output and its ledger agree.

What should be in the file says :mod:`fastingest.verify.claims`, what is there
:mod:`fastingest.verify.scan`; the two are compared here, region by region.
"""

from __future__ import annotations

import csv
import os
import stat
from pathlib import Path
from typing import BinaryIO

from fastingest.errors import UsageError
from fastingest.storage.ledger import ledger_path
from fastingest.text import counted
from fastingest.verify.claims import (
    Claim,
    find_overlaps,
    is_interrupted,
    is_running,
    read_claims,
    run_name,
)
from fastingest.verify.report import RegionResult, Report
from fastingest.verify.scan import CHUNK, MAX_TOLD, Place, Scan, no_field_size_limit

__all__ = ["verify"]


def verify(out: Path) -> Report:
    """Read the output and its ledger, and say whether they agree. Changes nothing.

    :raises UsageError: one of the two is not there, or cannot be read.
    """
    try:
        if not stat.S_ISREG(out.stat().st_mode):
            raise UsageError(f"{out}: is not a regular file")
        if not ledger_path(out).exists():
            raise UsageError(f"{out}: {_why_no_ledger(out)}")
        with out.open("rb") as file, no_field_size_limit():
            return _verify(out, file)
    except OSError as error:
        raise UsageError(f"{error.filename or out}: {error.strerror}") from None


def _why_no_ledger(out: Path) -> str:
    if is_running(out):
        return "its first run is writing it now; there is a ledger when that has ended"
    if is_interrupted(out):
        return "its first run was interrupted; the next start makes its ledger"
    return f"no ledger is beside it; {ledger_path(out)} does not exist"


def _verify(out: Path, file: BinaryIO) -> Report:
    was_running = is_running(out)
    # In this order: rows are in the file before they are in the ledger.
    claims = read_claims(out)
    known, problems, notes = claims.header, [*claims.problems], [*claims.notes]
    if not (claims.regions or problems or notes or was_running):
        raise UsageError(f"{ledger_path(out)}: there is no entry in it")
    find_overlaps(claims.regions)
    # Before the first run's end nobody says what it should be.
    lines = 1 if known is None else known.count("\n") + 1  # a name may hold a line feed
    first = b"".join(file.readline(CHUNK) for _ in range(lines))
    header = first if known is None else f"{known}\n".encode()
    size = os.fstat(file.fileno()).st_size
    has_run = was_running or is_running(out)
    has_journal = not has_run and is_interrupted(out)

    is_unsettled = has_run or has_journal
    ends = [len(first), *(claim.region.end for claim in claims.regions)]
    settled = max(ends) if is_unsettled else size
    columns = len(next(csv.reader([header.decode(errors="replace")]), []))
    scan = Scan(claims.regions, columns, len(first), settled, lines + 1)
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
    if scan.broken_rows > MAX_TOLD:
        problems.append(
            f"{counted(scan.broken_rows - MAX_TOLD, 'row')} more with the wrong columns"
        )
    regions = []
    for claim in claims.regions:
        problem = _judge(claim, scan.places, size)
        length = claim.region.end - claim.region.start
        regions.append(RegionResult(claim.name, claim.region.rows, length, problem))
        if problem:
            problems.append(f"run {claim.name}, {problem}")
    if has_run:
        notes.append(f"a run is writing it; {counted(scan.late_rows, 'row')} not in the ledger yet")
    if has_journal:
        behind = counted(scan.late_rows, "row") + (" and a torn one" if is_torn else "")
        notes.append(
            f"the last run was interrupted; the next start repairs it ({behind} behind the ledger)"
        )
    if scan.strange_rows:
        strange = counted(scan.strange_rows, "row")
        notes.append(f"{strange} of no run: another program's, or from before the ledger")
    return Report(out, scan.rows, size, regions, problems, notes)


def _judge(claim: Claim, places: dict[int, Place], size: int) -> str:
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
            problem = f"{counted(claim.rows, 'row')}, and {region.rows:,} in the ledger"
        elif claim.crc32 != region.crc32:
            problem = f"CRC-32 {claim.crc32:08x}, and {region.crc32:08x} in the ledger"
        elif claim.overlaps is not None:
            problem = f"overlaps what the run of {run_name(claim.overlaps)} appended"
    return problem and f"{where}: {problem}"
