"""One capture: the load generator on one side, a command that writes its rows on the other.

Both are started as commands, as a user would. Time runs from the connection (from the last one,
where there are several, for then the generator begins to send) until the command has exited, all
rows in its file; what it takes to start (Python's imports) is not in it. CPU time is that of all of
the command's processes, to their end, and the part of it that was used before the connection is
kept apart, for the same reason. (It is read as the connection is made, in steps of 10 ms a
process.)
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import Sampler, Usage, children_cpu

__all__ = ["ROOT", "BenchmarkError", "Capture", "capture", "one_line"]

ROOT = Path(__file__).parents[1]
LEAVING = 10.0  # seconds that each has to end, once the other has ended


class BenchmarkError(RuntimeError):
    """A capture went wrong; its figures mean nothing."""


def one_line(error: Exception) -> str:
    """What went wrong, without what a failed command has said before its last line."""
    lines = str(error).splitlines()
    return " ".join(lines[:1] + lines[1:][-1:])


@dataclass
class Capture:
    """A capture's figures."""

    rows: int
    seconds: float  # from the connection to the end
    wall: float  # seconds from the command's start to its end
    cpu: float  # seconds, of all of its processes
    start_cpu: float  # seconds: what of these was used before the connection
    burst_cpu: float  # seconds, of the generator
    burst_seconds: float  # how long it took to send
    usage: list[Usage]  # of each process

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds

    @property
    def cost(self) -> float:
        """Nanoseconds of CPU time a row, from the connection on."""
        return (self.cpu - self.start_cpu) / self.rows * 1e9

    @property
    def peak(self) -> float:
        """Peaks of memory of all processes, added up, in MiB; nan where there is no ``/proc``."""
        return sum(usage.peak for usage in self.usage) or float("nan")


class Generator:
    """A context manager that runs :mod:`bench.burst`, and notes what it says.

    :param on_connected: called in another thread when a connection is made.
    """

    def __init__(self, arguments: Sequence[str], on_connected: Callable[[], None]) -> None:
        command = [sys.executable, "-m", "bench.burst", *arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self._on_connected = on_connected
        assert self._process.stdout is not None
        self._stdout = self._process.stdout
        self._reader = threading.Thread(target=self._read, name="generator", daemon=True)
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> str:
        """The URL of the feed."""
        line = self._stdout.readline()
        if not line:
            raise BenchmarkError("the load generator (python -m bench.burst) did not start")
        self._reader.start()
        return f"ws://127.0.0.1:{json.loads(line)['listening']}/"

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._reader.ident is not None:
            self._reader.join()
        self._stdout.close()

    def _read(self) -> None:
        for line in self._stdout:
            event = json.loads(line)
            if "connected" in event:
                self._on_connected()
            self.events.append(event)

    def wait(self) -> None:
        """Wait until it has said all, or for as long as :data:`LEAVING`."""
        self._reader.join(LEAVING)

    def named(self, name: str) -> list[Any]:
        """The values of all events' members of that name."""
        return [event[name] for event in self.events if name in event]


def capture(
    command: Callable[[str], Sequence[str]],
    rows: int,
    burst: Sequence[str],
    *,
    timeout: float,
    stderr: Path,
    environment: Mapping[str, str] | None = None,
    watch: Callable[[int], None] | None = None,
) -> Capture:
    """Let a command capture one feed, and measure it; what it has written is not looked at.

    :param command: makes the command, of the feed's URL. It must end by itself, with status 0.
    :param rows: how many rows it captures in all.
    :param burst: arguments of the generator, which must serve each connection to its end.
    :param timeout: seconds that the command may take.
    :param stderr: a file for what it says.
    :param environment: variables, beside those that there are.
    :param watch: called, in a thread of its own, when the first connection is made, with the
        command's process id. It must return soon after that process has ended.
    :raises BenchmarkError: it failed, or did not end in time, or the feed was not read to its end.
    """
    samplers: list[Sampler] = []
    start_cpu = 0.0
    watchers: list[threading.Thread] = []

    def connected() -> None:
        nonlocal start_cpu
        for sampler in samplers:
            sampler.sample()
            start_cpu = sampler.cpu
            if watch is not None and not watchers:
                watcher = threading.Thread(target=watch, args=(sampler.pid,), name="watch")
                watcher.start()
                watchers.append(watcher)

    generator = Generator(burst, connected)
    with generator as url:
        arguments = command(url)
        started, cpu_started = time.time(), children_cpu()
        status, usage = _run(arguments, environment, timeout, stderr, samplers)
        ended, cpu_ended = time.time(), children_cpu()
        for watcher in watchers:
            watcher.join()
        if status != 0:
            how = f"exited with {status}" if status is not None else f"took more than {timeout:g} s"
            raise BenchmarkError(f"{shlex.join(arguments)} {how}:\n{_end_of(stderr)}")
        generator.wait()
    complete = generator.named("complete")
    if not complete or not all(complete):
        raise BenchmarkError(
            f"{shlex.join(arguments)} has not taken all rows; the generator said {generator.events}"
        )
    return Capture(
        rows=rows,
        seconds=ended - max(generator.named("connected")),
        wall=ended - started,
        cpu=cpu_ended - cpu_started,
        start_cpu=start_cpu,
        burst_cpu=sum(generator.named("cpu_seconds")),
        burst_seconds=max(generator.named("seconds")),
        usage=usage,
    )


def _run(
    command: Sequence[str],
    environment: Mapping[str, str] | None,
    timeout: float,
    stderr: Path,
    samplers: list[Sampler],
) -> tuple[int | None, list[Usage]]:
    """Run a command to its end; its status, None if it had to be ended, and what it used."""
    with (
        stderr.open("wb") as file,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        ) as process,
    ):
        sampler = Sampler(process.pid)
        samplers.append(sampler)
        sampler.start()
        try:
            status: int | None = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
            process.terminate()  # it ends its children
            try:
                process.wait(LEAVING)
            except subprocess.TimeoutExpired:
                process.kill()
        finally:
            sampler.stop()
    return status, list(sampler.usage.values())


def _end_of(stderr: Path) -> str:
    """The last of what a command has said."""
    return stderr.read_text(errors="replace")[-4000:].strip()
