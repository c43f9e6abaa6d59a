"""The whole of fastingest, as a command, under the loads that a feed can bring.

The load generator sends over loopback, on the same cores, and the file is on the disk. A round's
time is that from the connection (from the last one, where there are several) until fastingest has
exited, with all rows in its file. The file's lines are counted in each round, and its rows compared
with what was sent where that is one connection's usual rows. CPU time is that since the connection.

Where it is not said otherwise, the listener is the one that fastingest chooses;
``FASTINGEST_NATIVE=0`` makes it the one in Python.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bench import expected
from bench.capture import capture
from bench.end_to_end import COLUMNS, count_lines
from bench.figures import Benchmark, Figures, Scale, stopwatch
from bench.growth import Load
from bench.watching import Watch, peaks, quantiles

TIMEOUT = 300.0  # seconds for a round
STEADY = 100_000  # rows a second
QUANTILES = ["p50", "p99", "p99.9"]

pytestmark = [pytest.mark.benchmark(timer=stopwatch), pytest.mark.timeout(4 * TIMEOUT)]


class Rounds:
    """Runs the rounds of a benchmark, and notes their figures.

    :param folder: where the files go.
    """

    def __init__(self, benchmark: Benchmark, figures: Figures, scale: Scale, folder: Path) -> None:
        self._benchmark = benchmark
        self._figures = figures
        self._rounds = scale.rounds()
        self._folder = folder
        self._cpu: list[dict[str, float]] = []
        self._peaks: list[dict[str, float]] = []
        self._latency: list[dict[str, float]] = []

    def run(
        self,
        rows: int,
        burst: Sequence[str],
        command: Callable[[str, Path], list[str]],
        *,
        is_exact: bool = True,
        is_timed: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Capture a feed in each round.

        :param rows: how many there are in all.
        :param burst: arguments of the generator.
        :param command: makes the command, of the feed's URL and the file.
        :param is_exact: the rows must be the generator's usual ones, in their order.
        :param is_timed: note how long it takes until a row is in the file.
        :param environment: variables for the command.
        """

        def run_round() -> None:
            with tempfile.TemporaryDirectory(dir=self._folder) as name:
                out = Path(name, "rows.csv")
                watch = Watch(out if is_timed else None)
                done = capture(
                    lambda url: command(url, out),
                    rows,
                    burst,
                    timeout=TIMEOUT,
                    stderr=Path(name, "stderr"),
                    environment=environment,
                    watch=watch,
                )
                assert count_lines(out) == rows + 1
                if is_exact:
                    expected.check(out, rows)
                if is_timed:
                    settled = list(watch.latencies())[rows // 5 :]
                    self._latency.append(quantiles(settled, QUANTILES))
            self._cpu.append(watch.cpu(done))
            self._peaks.append(peaks(done))
            stopwatch.add(done.seconds)

        self._benchmark.pedantic(run_round, rounds=self._rounds)
        self._figures.note(rows, cpu=self._cpu, peaks=self._peaks, latency=self._latency)


@pytest.fixture
def rounds(benchmark: Benchmark, figures: Figures, scale: Scale, folder: Path) -> Rounds:
    """Runs the rounds, and notes their figures."""
    return Rounds(benchmark, figures, scale, folder)


def command(url: str, out: Path, rows: int, *arguments: str) -> list[str]:
    """The command that captures one feed."""
    return [
        *(sys.executable, "-m", "fastingest", "--quiet", "--url", url, "--out", str(out)),
        *("--max-rows", str(rows), *arguments),
    ]


def test_one_long_burst(rounds: Rounds, scale: Scale, is_native: bool) -> None:
    """A round captures 10 million records, one to a message, as fast as it goes."""
    rows = scale.rows(10_000_000)
    rounds.run(
        rows,
        ["--rows", str(rows)],
        lambda url, out: command(url, out, rows),
        environment={"FASTINGEST_NATIVE": "1" if is_native else "0"},
    )


def test_bursts_with_pauses(rounds: Rounds, scale: Scale) -> None:
    """A round captures 20 bursts of 200,000 records, 100 ms after each other.

    The rate is not the figure here; it is CPU time, which a pause costs, too.
    """
    rows = scale.rows(4_000_000)
    rounds.run(
        rows,
        ["--rows", str(rows), "--burst-rows", "200000", "--pause", "100ms"],
        lambda url, out: command(url, out, rows),
    )


def test_many_tiny_messages(rounds: Rounds, scale: Scale) -> None:
    """A round captures half a million records, for each of which the server writes to its socket.

    So a read brings few of them, unless the receiver is late. The generator is slower in this, with
    a system call for each record, and as a rule it is what the rate shows.
    """
    rows = scale.rows(500_000)
    rounds.run(
        rows,
        ["--rows", str(rows), "--block", "1"],
        lambda url, out: command(url, out, rows),
        is_exact=False,
    )


def test_arrays_of_fifty(rounds: Rounds, scale: Scale) -> None:
    """A round captures 10 million records, fifty to a message."""
    rows = scale.rows(10_000_000)
    rounds.run(
        rows,
        ["--rows", str(rows), "--shape", "array50"],
        lambda url, out: command(url, out, rows),
    )


@pytest.mark.parametrize("connections", [1, 8, 64])
def test_connections_into_one_file(rounds: Rounds, scale: Scale, connections: int) -> None:
    """A round captures 5 million records over so many connections at once, into one file."""
    load = Load(connections, str(connections), connections=connections)
    rows = scale.rows(5_000_000)
    rows -= rows % connections
    rounds.run(
        rows, load.burst(rows), lambda url, out: load.command(url, out, rows), is_exact=False
    )


def test_a_steady_rate(rounds: Rounds, scale: Scale) -> None:
    """A round captures 100,000 records a second for 10 s, and looks when each is in the file.

    The time from receipt to file of a row is from the stamp that it has in the file (``@received``)
    until the file was seen to hold it, so it is up to a millisecond too long. The first fifth of
    the rows is left out, until when the writer has written its first batches.
    """
    rows = scale.rows(10 * STEADY)
    columns = f"{COLUMNS['described'][1]}, @received"
    rounds.run(
        rows,
        ["--rows", str(rows), "--rate", str(STEADY), "--block", str(STEADY // 1000)],
        lambda url, out: command(url, out, rows, "--columns", columns),
        is_exact=False,
        is_timed=True,
    )
