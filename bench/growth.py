"""How fastingest's cost grows: with the rate, the messages' size, columns, connections, the file.

    python -m bench.growth            # scripts/bench growth makes the environment for it first

Each of the :data:`TRENDS` has some points; at each one fastingest captures a feed, as in
:mod:`bench.end_to_end`, as many rows as take about ``--seconds``, in several rounds that go back
and forth over the points. What is shown are medians.

``rates``
    A steady feed of so many rows a second. CPU time is that of the time in between, a second after
    the connection and until before the end, since starting and ending cost more than such a feed.
``sizes``
    A record with one member more, which nobody asks for, so that the message has that size.
``columns``
    ``symbol``, ``price`` and ``volume``, again and again under other names.
``connections``
    So many feeds into one file, by one receiver.
``files``
    One long capture; each part of the file is a point (:mod:`bench.filling`).

In ``--output`` there are then ``growth.json``, ``.md``, ``.svg`` and ``.png``. The files are made
in there as well, so it should be on a real disk. Their lines are counted. ``FASTINGEST_NATIVE`` and
all else that the environment says of fastingest holds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.capture import BenchmarkError, Capture, capture, one_line
from bench.end_to_end import count_lines
from bench.filling import fill
from bench.frames import blocks, column_names
from bench.machine import machine
from bench.process import busy
from bench.trend import Point, Trend, Trends
from bench.trials import rows_that_take
from fastingest import __version__
from fastingest.native.availability import find_native
from fastingest.units import parse_size

__all__ = ["main"]

RATES = [1_000, 10_000, 100_000, 1_000_000]
MESSAGE_SIZES = [128, 512, 2048, 8192, 65536]
COLUMNS = [3, 6, 12, 25, 50]
CONNECTIONS = [1, 4, 16, 64, 256]
TYPES = {"symbol": "str", "price": "float", "volume": "number?"}
BLOCK_SIZE = 2**19  # bytes in a sendall, at most
SETTLING = 1.0  # seconds from the connection to a steady state
TIMEOUT = 120.0  # seconds that a capture may take longer than it should


@dataclass(frozen=True)
class Load:
    """What is sent, and what fastingest is told of it.

    :param at: the point's place, and its label.
    :param connections: at once; they share the rows.
    :param rate: rows a second; 0: as fast as it goes.
    :param padding: bytes of the member that nobody asks for.
    """

    at: float
    label: str
    connections: int = 1
    rate: int = 0
    columns: int = 3
    padding: int = 0
    arguments: Sequence[str] = field(default=())

    @property
    def message_size(self) -> float:
        """Bytes of a message, on average."""
        pieces = blocks(50, 50, "record", False, columns=self.columns, padding=self.padding)
        return sum(len(piece) for piece, _ in pieces) / 50 - 2  # without the head of a frame

    def burst(self, rows: int) -> list[str]:
        """The generator's arguments for so many rows in all."""
        block = min(10_000, max(1, int(BLOCK_SIZE / self.message_size / self.connections)))
        if self.rate:
            block = min(block, max(1, self.rate // 100))  # every 10 ms at least
        return [
            *("--rows", str(rows // self.connections), "--block", str(block)),
            *("--rate", str(self.rate), "--columns", str(self.columns)),
            *("--padding", str(self.padding), "--together", str(self.connections)),
            *("--connections-served", str(self.connections)),
        ]

    def command(self, url: str, out: Path, rows: int) -> list[str]:
        """The command that captures them."""
        urls = [f"{url}{number}" for number in range(self.connections)]
        return [
            *(sys.executable, "-m", "fastingest", "--quiet", "--out", str(out)),
            *(part for each in urls for part in ("--url", each)),
            *("--max-rows", str(rows), *self.arguments),
        ]


def rates() -> list[Load]:
    """Steady ones, and then as fast as it goes."""
    steady = [Load(rate, f"{rate:,}", rate=rate) for rate in RATES]
    return [*steady, Load(0, "as fast as it goes")]


def sizes() -> list[Load]:
    """Messages of growing size, the usual ones first."""
    usual = Load(0, "").message_size
    more = Load(0, "", padding=1).message_size - usual - 1  # what stands around the padding
    padded = [Load(size, f"{size:,}", padding=int(size - usual - more)) for size in MESSAGE_SIZES]
    return [Load(usual, f"{usual:.0f}"), *padded]


def columns() -> list[Load]:
    """More and more columns, described."""
    loads = []
    for count in COLUMNS:
        names = column_names(count)
        described = ", ".join(f"{name}:{TYPES[name.rstrip('0123456789')]}" for name in names)
        described = described.replace("number?", "number")
        loads.append(Load(count, str(count), columns=count, arguments=["--columns", described]))
    return loads


def connections() -> list[Load]:
    """More and more of them."""
    return [Load(count, str(count), connections=count) for count in CONNECTIONS]


TRENDS: dict[str, tuple[str, Callable[[], list[Load]]]] = {
    "rates": ("steady rate, rows/s", rates),
    "sizes": ("message size, bytes", sizes),
    "columns": ("columns", columns),
    "connections": ("connections", connections),
}


class Growth:
    """Runs captures, in a folder of its own.

    :param seconds: what a capture should take.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds

    def run(self, load: Load, rows: int, watch: Callable[[int], None] | None = None) -> Capture:
        """One capture, whose lines are counted.

        :raises BenchmarkError: it failed, or there are not that many lines.
        """
        rows -= rows % load.connections
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="capture-") as folder:
            out = Path(folder, "rows.csv")
            done = capture(
                lambda url: load.command(url, out, rows),
                rows,
                load.burst(rows),
                timeout=self.seconds + TIMEOUT,
                stderr=Path(folder, "stderr"),
                watch=watch,
            )
            found = count_lines(out)
        if found != rows + 1:
            raise BenchmarkError(f"{load.label}: {found:,} lines, not {rows + 1:,}")
        return done

    def run_steady(self, load: Load, point: Point) -> None:
        """One capture at a rate, measured in between its start and its end."""
        window: list[float] = []

        def watch(pid: int) -> None:
            for wait in (SETTLING, self.seconds):
                time.sleep(wait)
                window.append(busy(pid))

        # It goes on for a moment after the window; the rate is how fast the generator could send.
        rows = int(load.rate * (SETTLING + self.seconds + 0.3))
        done = self.run(load, rows, watch)
        point.rates.append(rows / max(done.burst_seconds, rows / load.rate))
        point.costs.append((window[1] - window[0]) / (self.seconds * point.rates[-1]) * 1e9)
        point.peaks.append(done.peak)

    def trend(self, name: str, rounds: int, *, quick: bool) -> Trend:
        """All points of a trend; only the first and the last where it must be quick."""
        title, make = TRENDS[name]
        loads = make()
        if quick:
            loads = [loads[0], loads[-1]]
        trend = Trend(name, title)
        trend.points = [Point(load.at, load.label, load.message_size) for load in loads]
        rows = [
            0 if load.rate else rows_that_take(self.seconds, partial(self.run, load))
            for load in loads
        ]
        order = list(zip(loads, trend.points, rows, strict=True))
        for number in range(rounds):
            for load, point, count in order[:: -1 if number % 2 else 1]:
                if load.rate:
                    self.run_steady(load, point)
                else:
                    point.add(self.run(load, count))
                print(
                    f"{name} {load.label}: {point.rates[-1]:,.0f} rows/s, "
                    f"{point.costs[-1]:,.0f} ns/row, {point.peaks[-1]:,.0f} MiB",
                    flush=True,
                )
        return trend


def size(text: str) -> int:
    """Bytes in a text such as ``4GiB``."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_arguments() -> argparse.Namespace:
    """The command line, checked."""
    names = [*TRENDS, "files"]
    parser = argparse.ArgumentParser(prog="python -m bench.growth")
    parser.add_argument("--only", default=",".join(names), help="trends, with commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for a capture, about")
    parser.add_argument("--file-size", type=size, default="4GiB", help="at the end of `files`")
    parser.add_argument("--quick", action="store_true", help="only to see that it works")
    parser.add_argument("--output", type=Path, default=Path("bench/results"), metavar="DIR")
    options = parser.parse_args()
    options.only = [name.strip() for name in options.only.split(",")]
    if unknown := set(options.only) - set(names):
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}, only {', '.join(names)}")
    if options.rounds < 1 or options.seconds <= 0 or options.file_size <= 0:
        parser.error("--rounds, --seconds and --file-size must be more than nothing")
    if options.quick:
        options.rounds, options.seconds, options.file_size = 1, 0.3, 16 * 2**20
    return options


def main() -> int:
    """Run it; return the exit status."""
    options = parse_arguments()
    trends = Trends(machine(), f"{__version__}, {find_native().listener} listener")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=options.output, prefix="running-") as folder:
            growth = Growth(Path(folder), options.seconds)
            for name in options.only:
                if name == "files":
                    room = shutil.disk_usage(folder).free
                    if room < 2 * options.file_size:
                        raise BenchmarkError(
                            f"{options.output} has no room for --file-size; free some, or say less"
                        )
                    trends.trends.append(fill(Path(folder), options.file_size))
                else:
                    trends.trends.append(growth.trend(name, options.rounds, quick=options.quick))
    except (BenchmarkError, OSError) as error:
        print(f"bench: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(trends.markdown())
    write(trends, options.output)
    return 0


def write(trends: Trends, folder: Path) -> None:
    """Write the figures, the tables and the chart."""
    from bench.multiples import draw_multiples  # only a run needs matplotlib

    (folder / "growth.json").write_text(json.dumps(trends.as_dict(), indent=1) + "\n")
    (folder / "growth.md").write_text(trends.markdown())
    draw_multiples(trends, folder / "growth")


if __name__ == "__main__":
    sys.exit(main())
