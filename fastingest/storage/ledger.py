"""The ledger ``<out>.ledger.jsonl``: which bytes of the output which run appended.

An entry is a line, a JSON object. There are two kinds, and both hold ``run``, which is the run's
start in nanoseconds since the epoch, and ``file``, a :class:`Region`:

- that of a run has its numbers. It comes at the end of the run, and once more from the next start
  where the run left rows to it, with the region of these.
- that of a region which ended before its run did has ``ended``. One of :data:`GONE` says that
  neither this region nor any of the lines before it is in the file of this name any more, which
  begins afresh; ``appended``, that another program appended behind the region, which still is.

A line is written by one call, and put on the disk before anyone goes on. One that a crash has torn
stays alone on its line: the next entry begins a new one, and readers pass over the piece.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from fastingest.storage.names import beside, sync_directory
from fastingest.storage.ownership import open_own

__all__ = [
    "GONE",
    "LEDGER_TAIL",
    "Region",
    "append_entry",
    "iter_entries",
    "ledger_path",
    "read_entries",
]

LEDGER_TAIL = 16 * 1024 * 1024
"""Bytes at its end in which the last runs are looked for; a line with all its gaps takes a few."""

GONE = frozenset({"moved", "deleted", "truncated"})
"""What ``ended`` says of a region that is no longer in the file, with all before it."""


@dataclass(frozen=True)
class Region:
    """The bytes [start, end) of the output: whole rows, without the header.

    :param crc32: of these bytes, as :func:`zlib.crc32` has it.
    """

    start: int
    end: int
    rows: int
    crc32: int

    def to_json(self) -> dict[str, Any]:
        """The region as it stands in an entry."""
        crc32 = f"{self.crc32:08x}"
        return {"from": self.start, "to": self.end, "rows": self.rows, "crc32": crc32}

    @classmethod
    def from_json(cls, value: Any) -> Region:
        """The region that an entry's ``file`` describes.

        :raises ValueError: it describes none.
        """
        match value:
            case {"from": int(start), "to": int(end), "rows": int(rows), "crc32": str(crc32)} if (
                bool not in map(type, (start, end, rows))  # which is an int
                and 0 <= start <= end
                and 0 <= rows <= end - start
                and re.fullmatch("[0-9a-f]{8}", crc32)
            ):
                return cls(start, end, rows, int(crc32, 16))
        raise ValueError(f"{value!r} is no region of a file")


def ledger_path(out: Path) -> Path:
    """Where the ledger of the output ``out`` is."""
    return beside(out, ".ledger.jsonl")


def append_entry(out: Path, entry: dict[str, Any]) -> None:
    """Append one line to the ledger of ``out``. It is on the disk when this returns.

    :raises NotOurs: somebody else has made it.
    :raises OSError: it could not be done; where not even what was written can be cut off again, a
        piece of the line may be there.
    """
    path = ledger_path(out)
    line = msgspec.json.encode(entry) + b"\n"
    descriptor = open_own(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        try:
            _write_durably(descriptor, line)
            if not size:  # its name has to be on the disk as well
                sync_directory(path.parent)
        except OSError:
            # It may not be on the disk, and no later sync would say so.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _write_durably(descriptor: int, line: bytes) -> None:
    while line:  # a second time only where the disk is full, to be told so
        line = line[os.write(descriptor, line) :]
    os.fsync(descriptor)


def read_entries(out: Path, last: int | None = None) -> list[dict[str, Any]]:
    """The entries of the ledger of ``out`` in order, without torn lines; none if there is no file.

    :param last: only those that begin in so many bytes at the file's end. None means all.
    :raises NotOurs: somebody else has made it.
    :raises OSError: it cannot be read.
    """
    try:
        descriptor = open_own(ledger_path(out), os.O_RDONLY)
    except FileNotFoundError:
        return []
    with open(descriptor, "rb") as file:
        return [entry for entry in _entries_in(file, last) if entry is not None]


def iter_entries(out: Path, last: int | None = None) -> Iterator[dict[str, Any] | None]:
    """Each line of the ledger of ``out``, whoever has made it: its entry, or None where it is torn.

    :param last: only those that begin in so many bytes at the file's end. None means all.
    :raises OSError: it cannot be read, or there is none.
    """
    with open(ledger_path(out), "rb", opener=_without_waiting) as file:
        yield from _entries_in(file, last)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe would wait for a writer


def _entries_in(file: BinaryIO, last: int | None) -> Iterator[dict[str, Any] | None]:
    if last is not None and (skipped := os.fstat(file.fileno()).st_size - last) > 0:
        file.seek(skipped - 1)
        file.readline()  # of a line that begins at `skipped`, only the end of the one before
    for line in file:
        yield _parse(line)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
    except (ValueError, RecursionError):  # DecodeError, UnicodeDecodeError; a thousand brackets
        return None
    return entry
