"""What the ledger and the files beside an output claim of it.

The ledger says which regions of the file which run has appended, and what the header is. That a run
is writing the file now says its lock; that the last one was interrupted, a journal without a run.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fastingest.isotime import iso_time
from fastingest.storage.journal import journal_path
from fastingest.storage.ledger import GONE, Region, iter_entries
from fastingest.storage.names import beside, named
from fastingest.text import counted

__all__ = [
    "Claim",
    "Claims",
    "find_overlaps",
    "is_interrupted",
    "is_running",
    "read_claims",
    "run_name",
]


@dataclass
class Claim:
    """A region that should be in the file, and what was found there."""

    run: int
    region: Region
    rows: int = 0
    """Those that were found."""
    crc32: int = 0
    """Of the bytes that were found."""
    overlaps: int | None = None
    """Another run that has a region in the same bytes; None: none has."""

    @property
    def name(self) -> str:
        """The run's, for people."""
        return run_name(self.run)


def run_name(run: int) -> str:
    """When a run began, to the second."""
    return iso_time(run)[:19] + "Z"


@dataclass(frozen=True)
class Claims:
    """What the ledger of an output says.

    :param regions: those that should be in the present file, in the ledger's order.
    :param header: the file's first lines; None where no run has said so yet.
    :param problems: what is wrong with the ledger itself, a sentence each.
    :param notes: what is worth knowing and not wrong.
    """

    regions: list[Claim]
    header: str | None
    problems: list[str]
    notes: list[str]


def read_claims(out: Path) -> Claims:
    """What the ledger of ``out`` says.

    :raises OSError: it cannot be read, or there is none.
    """
    claims: dict[tuple[int, Region], Claim] = {}  # by which an entry that came twice is known
    header: str | None = None
    problems, notes = [], []
    set_aside: dict[str, int] = {}  # by the run; its last line counts
    for number, entry in enumerate(iter_entries(out), 1):
        if entry is None:
            notes.append(f"line {number} of the ledger was torn by a crash and is passed over")
            continue
        try:
            run = entry["run"]
            name = run_name(run)
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
        except (TypeError, ValueError, OverflowError, OSError) as error:  # of run_name, but one
            problems.append(f"line {number} of the ledger is no entry: {error}")
            continue
        if entry.get("ended") in GONE:
            claims.clear()
            header = None
        else:
            claims[run, region] = Claim(run, region)
            if isinstance(entry.get("header"), str):
                header = entry["header"]
    for name, rows in set_aside.items():
        where = f"they are in {out.name}.*.failed"
        notes.append(f"{counted(rows, 'row')} of the run of {name} could not be written; {where}")
    return Claims(list(claims.values()), header, problems, notes)


def find_overlaps(claims: Iterable[Claim]) -> None:
    """Set :attr:`Claim.overlaps` of those that another run has a part of; no two runs' may."""
    furthest: Claim | None = None
    filled = (claim for claim in claims if claim.region.end > claim.region.start)
    for claim in sorted(filled, key=lambda each: (each.region.start, each.region.end)):
        if furthest and claim.run != furthest.run and claim.region.start < furthest.region.end:
            claim.overlaps = furthest.run
        if furthest is None or claim.region.end > furthest.region.end:
            furthest = claim


def is_running(out: Path) -> bool:
    """Whether a run is writing the output now.

    :raises OSError: nobody knows.
    """
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


def is_interrupted(out: Path) -> bool:
    """Whether a run has left its journal, which the next start reads. No run must be writing."""
    return journal_path(out).exists()
