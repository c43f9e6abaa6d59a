"""A file of a first try that brought nothing: its header alone, which other columns may replace.

That no run has a row in it says its ledger, and that nobody else has, the file: it must be what the
ledger says the header is, and not a byte more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import NamedTuple

from fastingest.isotime import iso_time
from fastingest.storage.ledger import GONE, LEDGER_TAIL, Region, append_entry, read_entries
from fastingest.storage.ownership import open_output

__all__ = ["BareHeader", "bare_header", "is_bare", "remove_bare_header"]


class BareHeader(NamedTuple):
    """The only line of a file."""

    line: str
    """Without the line feed at its end."""
    run: int
    """The last run that has written it."""


def bare_header(path: Path) -> BareHeader | None:
    """The header of a file that has nothing else, and never had; None: it is another file.

    :raises OSError: its ledger, or the file, cannot be read.
    """
    found: BareHeader | None = None
    has_rows = False
    for entry in read_entries(path, last=LEDGER_TAIL):
        has_rows |= any(entry.get(name) for name in ("written", "set_aside", "kept"))
        if entry.get("ended") in GONE:
            has_rows = False
        elif isinstance(entry.get("header"), str) and isinstance(entry.get("run"), int):
            found = BareHeader(entry["header"], entry["run"])
    if found is None or has_rows:
        return None
    return found if is_bare(path, found.line) else None


def is_bare(path: Path, header: str) -> bool:
    """Whether a file has this header, and not a byte more; one that is not there has not.

    :raises OSError: it cannot be read.
    """
    line = f"{header}\n".encode()
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        return file.read(len(line) + 1) == line
    return False


def remove_bare_header(path: Path, header: str) -> str | None:
    """Empty a file that has nothing but another header than ``header``, and tell its ledger.

    :returns: that header; None: the file is as it was.
    :raises OSError: it could not be done.
    """
    found = bare_header(path)
    if found is None or found.line == header:
        return None
    descriptor = open_output(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # First: a ledger that knows of no region agrees with the file in either state.
        now, region = iso_time(time.time_ns()), Region(0, 0, 0, 0)
        line = {"run": found.run, "time": now, "ended": "truncated", "file": region.to_json()}
        append_entry(path, line)
        if os.fstat(descriptor).st_size != len(f"{found.line}\n".encode()):
            return None
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
    return found.line
