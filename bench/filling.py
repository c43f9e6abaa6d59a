"""One long capture, and what each part of its file has cost, in case a large file is slower.

While fastingest writes, its file's size, its CPU time and its memory are looked at ten times a
second. A part of the file begins and ends in between two looks, in proportion. A file's part holds
as many rows as its bytes say, for the rows of one block are those of every other.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.capture import BenchmarkError, capture
from bench.end_to_end import count_lines
from bench.expected import BLOCK, spelled
from bench.frames import blocks, records
from bench.process import busy, resident
from bench.trend import Point, Trend

__all__ = ["fill"]

PARTS = 16
INTERVAL = 0.1  # seconds
SLOWEST = 100_000  # rows a second, for the time limit


@dataclass(frozen=True)
class Look:
    """What was seen at one time."""

    size: float  # bytes of the file
    seconds: float
    cpu: float  # seconds
    memory: float  # MiB


def fill(folder: Path, size: int) -> Trend:
    """Capture rows into a file of about that size, and say what each part of it has cost.

    :raises BenchmarkError: the capture failed, its lines are not as many as they should be, or the
        system does not tell what a process uses.
    """
    out = folder / "rows.csv"
    row_size = len(spelled(records(BLOCK, numbered=False))) / BLOCK
    rows = int(size / row_size)
    looks: list[Look] = []

    def watch(pid: int) -> None:
        started = time.monotonic()
        while (cpu := busy(pid)) > 0:  # until it has ended
            written = out.stat().st_size if out.exists() else 0
            looks.append(Look(written, time.monotonic() - started, cpu, resident(pid)))
            time.sleep(INTERVAL)

    capture(
        lambda url: [
            *(sys.executable, "-m", "fastingest", "--quiet", "--url", url, "--out", str(out)),
            *("--max-rows", str(rows)),
        ],
        rows,
        ["--rows", str(rows)],
        timeout=60 + rows / SLOWEST,
        stderr=folder / "stderr",
        watch=watch,
    )
    found = count_lines(out)
    out.unlink()
    if found != rows + 1:
        raise BenchmarkError(f"files: {found:,} lines, not {rows + 1:,}")
    return Trend("files", "file so far, GiB", points(looks, row_size))


def points(looks: list[Look], row_size: float) -> list[Point]:
    """What each part of the file has cost, up to the last look at it.

    :param row_size: bytes of a row in the file.
    :raises BenchmarkError: nothing was seen.
    """
    # What a process has used goes with it, so CPU time falls when the first one ends.
    falls = (index for index in range(1, len(looks)) if looks[index].cpu < looks[index - 1].cpu)
    looks = looks[: next(falls, len(looks))]
    if not looks or looks[-1].size <= looks[0].size:
        raise BenchmarkError("files: the file was not seen to grow; a larger --file-size may help")
    pieces, _ = next(blocks(BLOCK, BLOCK, "record", numbered=False))
    message_size = len(pieces) / BLOCK - 2
    part = looks[-1].size / PARTS
    made = []
    for number in range(1, PARTS + 1):
        begin, end = at(looks, part * (number - 1)), at(looks, part * number)
        rows = part / row_size
        label = f"{end.size / 2**30:.2g}"
        made.append(
            Point(
                end.size / 2**30,
                label,
                message_size,
                rates=[rows / (end.seconds - begin.seconds)],
                costs=[(end.cpu - begin.cpu) / rows * 1e9],
                peaks=[end.memory],
            )
        )
    return made


def at(looks: list[Look], size: float) -> Look:
    """What would have been seen when the file had that size: in between two looks."""
    after = next((index for index, look in enumerate(looks) if look.size >= size), len(looks) - 1)
    one, two = looks[max(after - 1, 0)], looks[after]
    share = (size - one.size) / (two.size - one.size) if two.size > one.size else 1.0
    return Look(
        size,
        one.seconds + share * (two.seconds - one.seconds),
        one.cpu + share * (two.cpu - one.cpu),
        max(one.memory, two.memory),
    )
