"""The whole way, from a socket to a file: rows a second, CPU and memory of each process.

    python -m bench.end_to_end --rows 10000000 --rounds 3

Each round starts :mod:`bench.burst` and fastingest as two commands, as a user would, waits until
fastingest has exited, and counts the lines of the file. A round whose file is not exact, or whose
exit status is not 0, fails the benchmark. All of them share the machine's cores, so the rate is
that of a machine that does nothing else but also feeds itself.

Time runs from the first connection until fastingest has exited, all rows in the file; ``wall`` is
from the start of its command. CPU time of all processes together is what the kernel says at their
end; that of each one, and its peak of memory (VmHWM), is read from ``/proc`` every 20 ms, so it may
lack the last of these, and is in steps of 10 ms. (``burst`` is the generator; it is not in the
total.) Where there is no ``/proc`` (macOS), figures per process are not available.

``--shape`` is what the generator sends; the columns that fastingest is told for it are in
:data:`COLUMNS`. ``described`` is ``record`` with the columns spelled out.

``--dir`` should be on a real disk: a default temporary directory may be in memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
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
INTERVAL = 0.02  # seconds between two samples
ROLES = {"receiver": "picows", "writer": "polars"}  # and a library that only this one loads


@dataclass
class Usage:
    """What a process has used so far."""

    role: str
    cpu: float  # seconds
    peak: float  # MiB


class Sampler(threading.Thread):
    """Follows a process and its children, until told to stop, in :attr:`usage` by process id.

    The process itself is the supervisor. A child's role stands in its name or its command line, or
    it shows in the libraries that it has loaded.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(name="sampler", daemon=True)
        self.pid = pid
        self.usage: dict[int, Usage] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        """Take a sample every :data:`INTERVAL` until stopped."""
        while not self._stopping.wait(INTERVAL):
            for pid in [self.pid, *children(self.pid)]:
                # It may have just ended; what was read before stays.
                with contextlib.suppress(OSError, ValueError, IndexError):
                    self.sample(pid)

    def sample(self, pid: int) -> None:
        """Read what one process has used."""
        folder = PROC / str(pid)
        # The name, in parentheses, may contain anything; times are fields 14 and 15 (man 5 proc).
        name, _, fields = (folder / "stat").read_text().rpartition(")")
        user, system = fields.split()[11:13]
        status = (folder / "status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        command = (folder / "cmdline").read_text()
        cpu = (int(user) + int(system)) / TICK
        self.usage[pid] = Usage(self.role(pid, f"{name} {command}"), cpu, peak)

    def role(self, pid: int, title: str) -> str:
        """What to call a process; empty if nothing tells."""
        if pid == self.pid:
            return "supervisor"
        for role in (*ROLES, "resource_tracker"):
            if role in title:
                return role
        if pid in self.usage and self.usage[pid].role:
            return self.usage[pid].role
        maps = (PROC / str(pid) / "maps").read_text().splitlines()
        files = {line.rpartition("/")[2] for line in maps}
        return next((role for role in ROLES if any(ROLES[role] in file for file in files)), "")

    def stop(self) -> None:
        """Stop, and call the processes without a role ``other``."""
        self._stopping.set()
        self.join()
        for usage in self.usage.values():
            usage.role = usage.role or "other"


def children(pid: int) -> list[int]:
    """The process's children; none where the kernel does not tell."""
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


@dataclass
class Round:
    """One run's figures."""

    rows: int
    seconds: float
    wall: float
    cpu: float
    burst_cpu: float
    usage: list[Usage]

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


class BenchmarkError(RuntimeError):
    """A round went wrong; its figures mean nothing."""


def run_round(options: argparse.Namespace, folder: Path) -> Round:
    """Capture one feed into a file under ``folder``, and check it."""
    out = folder / "rows.csv"
    burst_command = [sys.executable, "-m", "bench.burst", "--rows", str(options.rows)]
    burst_command += ["--shape", "record" if options.shape == "described" else options.shape]
    with subprocess.Popen(burst_command, cwd=ROOT, stdout=subprocess.PIPE) as burst:
        try:
            assert burst.stdout is not None
            port = json.loads(burst.stdout.readline())["listening"]
            command = [*shlex.split(options.command), "--url", f"ws://127.0.0.1:{port}/"]
            command += COLUMNS[options.shape]
            command += ["--out", str(out), "--max-rows", str(options.rows), "--quiet"]
            started, cpu_started = time.time(), children_cpu()
            usage = run_capture(command, options.timeout, folder / "stderr")
            ended, cpu_ended = time.time(), children_cpu()
            events = read_to_end(burst)
        finally:
            burst.kill()
    if len(events) != 2 or not events[1]["complete"]:
        raise BenchmarkError(f"fastingest has not taken all rows; the generator said {events}")
    connected, burst_cpu = events[0]["connected"], events[1]["cpu_seconds"]
    found = count_lines(out)
    if found != options.rows + 1:
        raise BenchmarkError(f"{out} has {found:,} lines, not {options.rows + 1:,}")
    cpu = cpu_ended - cpu_started
    return Round(options.rows, ended - connected, ended - started, cpu, burst_cpu, usage)


def read_to_end(burst: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """What the generator still says, until it exits by itself or is made to."""
    try:
        said, _ = burst.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        burst.kill()
        said, _ = burst.communicate()
    return [json.loads(line) for line in said.splitlines()]


def run_capture(command: list[str], timeout: float, stderr: Path) -> list[Usage]:
    """Run fastingest to its end; return the usage of each of its processes.

    :raises BenchmarkError: it failed, or did not end in time; with the last of its stderr.
    """
    with (
        stderr.open("wb") as file,
        subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file) as process,
    ):
        sampler = Sampler(process.pid)
        sampler.start()
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
            process.terminate()  # it ends its children
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        finally:
            sampler.stop()
    if status != 0:
        how = f"exited with {status}" if status is not None else f"took more than {timeout:g} s"
        raise BenchmarkError(f"{shlex.join(command)} {how}:\n{stderr.read_text()[-4000:]}")
    return list(sampler.usage.values())


def children_cpu() -> float:
    """CPU seconds of all ended children, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def count_lines(path: Path) -> int:
    """How many line ends a file has."""
    with path.open("rb", buffering=0) as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(2**20), b""))


def columns(rounds: list[Round]) -> list[str]:
    """The processes' roles, in the order in which a row meets them."""
    found = {usage.role for each in rounds for usage in each.usage} - {"resource_tracker"}
    first = [role for role in (*ROLES, "supervisor") if role in found]
    return first + sorted(found.difference(first))


def figures(each: Round, roles: list[str]) -> list[float]:
    """A round as numbers, in the order of the table's columns."""
    numbers = [each.rate, each.seconds, each.wall]
    numbers += [cpu / each.rows * 1e9 for cpu in (each.burst_cpu, each.cpu)]
    for role in roles:  # a process that was started again adds to its role's CPU time
        of_role = [usage for usage in each.usage if usage.role == role]
        numbers.append(sum(usage.cpu for usage in of_role) / each.rows * 1e9)
        numbers.append(max((usage.peak for usage in of_role), default=0.0))
    return numbers


def print_table(rounds: list[Round]) -> None:
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
