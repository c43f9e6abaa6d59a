"""An output with its ledger, as runs leave it, for what verifies it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

from fastingest.storage.ledger import Region, append_entry
from fastingest.verify.report import Report

HEADER = b"symbol,price,volume\n"


ROWS = [b"AAPL,145.67,1500\n", b"MSFT,289.12,\n", b'"a ""b""\nc,d",1.5,0.25\n', b'"",1.0,7\n']


STARTS = [20 + len(b"".join(ROWS[:count])) for count in (1, 2, 3, 4)]  # of the rows 1, 2, 3, 4


SECOND = 10**9


START = 1795356180 * SECOND + 123456789


ISO = ["2026-11-22T14:03:00Z", "2026-11-22T14:03:01Z", "2026-11-22T14:03:02Z"]


class Output:
    """A file that runs append to, with its ledger. Runs are numbered from 0."""

    def __init__(self, path: Path, header: bytes = HEADER) -> None:
        self.path = path
        self.header = header[:-1].decode()
        path.write_bytes(header)

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    @data.setter
    def data(self, data: bytes) -> None:
        self.path.write_bytes(data)

    def append(self, data: bytes) -> None:
        """As another program does, or a run that has not ended yet."""
        with self.path.open("ab") as file:
            file.write(data)

    def run(self, number: int, rows: Sequence[bytes] = ROWS) -> Region:
        """A run that appends rows and ends."""
        start = len(self.data)
        self.append(b"".join(rows))
        return self.enter(number, start, len(rows))

    def enter(self, number: int, start: int, rows: int, end: int | None = None) -> Region:
        """An entry of what is there from ``start`` to ``end``."""
        data = self.data[start:end]
        region = Region(start, start + len(data), rows, zlib.crc32(data))
        self.enter_region(number, region)
        return region

    def enter_region(self, number: int, region: Region, ended: str = "") -> None:
        entry = {"run": START + number * SECOND, "file": region.to_json()}
        append_entry(self.path, entry | ({"ended": ended} if ended else {"header": self.header}))


def said(report: Report) -> tuple[bool, list[str], list[str]]:
    return report.agrees, report.problems, report.notes


def places(report: Report) -> list[str]:
    return [region.problem.partition(": ")[2] for region in report.regions]
