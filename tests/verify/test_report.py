"""What was found, in words."""

from __future__ import annotations

import zlib
from pathlib import Path

from fastingest.storage.ledger import Region
from fastingest.verify.report import report_text
from fastingest.verify.verify import verify
from tests.support.verified import HEADER, ISO, ROWS, Output


def test_the_report_in_words(two_runs: Output) -> None:
    two_runs.run(2, [b"A,1,2\n"] * 1000)
    lines = report_text(verify(two_runs.path)).splitlines()
    assert lines == [
        f"{two_runs.path}: 1,007 rows, 6KiB",
        f"  {ISO[0]}      4 rows     62B  agrees",
        f"  {ISO[1]}      3 rows     53B  agrees",
        f"  {ISO[2]}  1,000 rows  5.9KiB  agrees",
        "agrees with its ledger",
    ]


def test_the_report_of_a_file_that_does_not_agree(two_runs: Output) -> None:
    two_runs.data = two_runs.data.replace(b"AAPL", b"APPL", 1)
    two_runs.append(b"A,1,2\n")
    lines = report_text(verify(two_runs.path)).splitlines()
    assert lines[1:5] == [
        f"  {ISO[0]}  4 rows  62B  does NOT agree",
        f"  {ISO[1]}  3 rows  53B  agrees",
        "  note: 1 row of no run: another program's, or from before the ledger",
        f"does NOT agree: run {ISO[0]}, bytes 20 to 82 (line 2 to 6): "
        f"CRC-32 {zlib.crc32(two_runs.data[20:82]):08x}, "
        f"and {zlib.crc32(b''.join(ROWS)):08x} in the ledger",
    ]
    assert len(lines) == 5


def test_the_report_of_many_runs_is_short(out: Output) -> None:
    for number in range(100):
        out.run(number, ROWS[:1])
    out.enter_region(0, Region(20, 37, 2, 0))
    lines = report_text(verify(out.path)).splitlines()
    assert lines[1] == "  81 more before these agree"
    assert len(lines) == 1 + 1 + 20 + 1
    out.data = HEADER + b"X" + out.data[len(HEADER) + 1 :]
    assert f"  {ISO[0]}   1 row  17B  does NOT agree" in report_text(verify(out.path))


def test_names_are_on_one_line(tmp_path: Path) -> None:
    out = Output(tmp_path / "a\nb.csv")
    out.run(0)
    assert len(report_text(verify(out.path)).splitlines()) == 3
