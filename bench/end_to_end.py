"""The whole way, from a socket to a file: rows a second, CPU and memory of each process.

    python -m bench.end_to_end --rows 10000000 --rounds 3

Each round starts :mod:`bench.burst` and fastingest as two commands, as a user would, waits until
fastingest has exited, and counts the lines of the file. A round whose file is not exact, or whose
exit status is not 0, fails the benchmark. All of them share the machine's cores, so the rate is
that of a machine that does nothing else but also feeds itself.

Time runs from the first connection until fastingest has exited, all rows in the file; ``wall`` is
from the start of its command, as is the CPU time. That of each process, and its peak of memory, is
read as :mod:`bench.process` says. (``burst`` is the generator; it is not in the total.)

``--shape`` is what the generator sends; the columns that fastingest is told for it are in
:data:`COLUMNS`. ``described`` is ``record`` with the columns spelled out.

``--dir`` should be on a real disk: a default temporary directory may be in memory.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

from bench.capture import BenchmarkError, Capture, capture
from bench.process import ROLES

COLUMNS = {
    "record": [],
    "array50": [],
    "map": [],
    "described": ["--columns", "symbol:str, price:float, volume:number?"],
    "binance": [
        *("--rows", "data", "--where", "$.data.e=trade", "--columns"),
        "symbol:str=s, price:decimal=p, quantity:decimal=q, trade_id:int=t, "
        "time:timestamp[ms]=T, buyer_is_maker:bool=m",
    ],
    "finnhub50": [
        *("--rows", "data", "--where", "$.type=trade", "--columns"),
        "symbol:str=s, price:float=p, volume:number=v, time:timestamp[ms]=t",
    ],
    "kraken": [
        *("--rows", "[1]", "--where", "$[2]=trade", "--columns"),
        "symbol=$[3], price:decimal=[0], volume:decimal=[1], time:timestamp[s]=[2], side=[3]",
    ],
}
"""What fastingest is told of each shape."""


def run_round(options: argparse.Namespace, folder: Path) -> Capture:
    """Capture one feed into a file under ``folder``, and check it."""
    out = folder / "rows.csv"
    shape = "record" if options.shape == "described" else options.shape
    arguments = [*COLUMNS[options.shape], "--out", str(out)]
    arguments += ["--max-rows", str(options.rows), "--quiet"]
    done = capture(
        lambda url: [*shlex.split(options.command), "--url", url, *arguments],
        options.rows,
        ["--rows", str(options.rows), "--shape", shape],
        timeout=options.timeout,
        stderr=folder / "stderr",
    )
    found = count_lines(out)
    if found != options.rows + 1:
        raise BenchmarkError(f"{out} has {found:,} lines, not {options.rows + 1:,}")
    return done


def count_lines(path: Path) -> int:
    """How many line ends a file has."""
    with path.open("rb", buffering=0) as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(2**20), b""))


def columns(rounds: list[Capture]) -> list[str]:
    """The processes' roles, in the order in which a row meets them."""
    found = {usage.role for each in rounds for usage in each.usage} - {"resource_tracker"}
    first = [role for role in (*ROLES, "supervisor") if role in found]
    return first + sorted(found.difference(first))


def figures(each: Capture, roles: list[str]) -> list[float]:
    """A round as numbers, in the order of the table's columns."""
    numbers = [each.rate, each.seconds, each.wall]
    numbers += [cpu / each.rows * 1e9 for cpu in (each.burst_cpu, each.cpu)]
    for role in roles:  # a process that was started again adds to its role's CPU time
        of_role = [usage for usage in each.usage if usage.role == role]
        numbers.append(sum(usage.cpu for usage in of_role) / each.rows * 1e9)
        numbers.append(max((usage.peak for usage in of_role), default=0.0))
    return numbers


def print_table(rounds: list[Capture]) -> None:
    """Print a line for each round, then their medians."""
    roles = columns(rounds)
    heads = ["round", "rows/s", "s", "wall s", "burst ns/row", "total ns/row"]
    for role in roles:
        heads += [f"{role} ns/row", "MiB"]
    lines = [figures(each, roles) for each in rounds]
    names = [str(number) for number in range(1, len(rounds) + 1)]
    names.append("median")
    lines.append([statistics.median(column) for column in zip(*lines, strict=True)])
    print("  ".join(heads))
    for name, line in zip(names, lines, strict=True):
        cells = [f"{line[0]:,.0f}", f"{line[1]:.2f}", f"{line[2]:.2f}"]
        cells += [f"{number:.0f}" for number in line[3:]]
        cells.insert(0, name)
        print("  ".join(cell.rjust(len(head)) for cell, head in zip(cells, heads, strict=True)))
    if not roles:
        print("Figures per process are not available: there is no /proc here.")


def main() -> int:
    """Run the rounds; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.end_to_end")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shape", choices=tuple(COLUMNS), default="record")
    parser.add_argument("--dir", type=Path, help="where the file goes, on a real disk")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for a round")
    parser.add_argument(
        "--command",
        default=f"{shlex.quote(sys.executable)} -m fastingest",
        help="what to measure; --url, --out, --max-rows and --quiet are added",
    )
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="fastingest-", dir=options.dir) as folder:
            try:
                rounds.append(run_round(options, Path(folder)))
            except BenchmarkError as error:
                print(error, file=sys.stderr)
                return 1
    print_table(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
