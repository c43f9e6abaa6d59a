"""What it costs that nothing is lost: the journal and the spool against none, in one run.

    python -m bench.journal --rows 10000000 --rounds 5

Each round captures the same feed twice, as :mod:`bench.end_to_end` does, at the defaults and with
``--journal off``; which of the two comes first changes from round to round, since what the machine
does beside changes too. Printed are rows a second and CPU time a row of all processes together,
their medians, and the medians of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

from bench.capture import BenchmarkError, Capture
from bench.end_to_end import COLUMNS, run_round

COMMAND = f"{shlex.quote(sys.executable)} -m fastingest"


def run(options: argparse.Namespace, journal: str) -> Capture:
    """One capture, with the journal on or off."""
    options.command = f"{COMMAND} --journal {journal}"
    with tempfile.TemporaryDirectory(prefix="fastingest-", dir=options.dir) as folder:
        return run_round(options, Path(folder))


def main() -> int:
    """Run the rounds; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.journal")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", choices=tuple(COLUMNS), default="record")
    parser.add_argument("--dir", type=Path, help="where the file goes, on a real disk")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for a capture")
    options = parser.parse_args()
    rounds: list[dict[str, Capture]] = []
    print("round  journal     rows/s  total ns/row")
    for number in range(options.rounds):
        order = ("on", "off") if number % 2 else ("off", "on")
        try:
            rounds.append({journal: run(options, journal) for journal in order})
        except BenchmarkError as error:
            print(error, file=sys.stderr)
            return 1
        for journal in ("on", "off"):
            each = rounds[-1][journal]
            print(
                f"{number + 1:5}  {journal:7}  {each.rate:9,.0f}  {_cost(each):12.0f}", flush=True
            )
    for what, figure in (("rows/s", _rate), ("CPU time a row", _cost)):
        on, off = (statistics.median(figure(each[j]) for each in rounds) for j in ("on", "off"))
        ratio = statistics.median(figure(each["on"]) / figure(each["off"]) for each in rounds)
        print(f"{what}: {on:,.0f} on, {off:,.0f} off; on/off, the rounds' median: {ratio:.3f}")
    return 0


def _rate(each: Capture) -> float:
    return each.rate


def _cost(each: Capture) -> float:
    """Nanoseconds of CPU time for a row."""
    return each.cpu / each.rows * 1e9


if __name__ == "__main__":
    sys.exit(main())
