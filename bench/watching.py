"""Looks at a capture while it runs: CPU time of each of its processes, and how its file grows.

:func:`bench.capture.capture` says what each process has used from its start to its end, Python's
imports and all. A :class:`Watch` is there from the first connection on (``capture(watch=...)``), so
what was used before can be taken off.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.capture import Capture
from bench.process import Sampler

__all__ = ["Watch", "peaks", "quantiles"]

INTERVAL = 0.001  # seconds between two looks at the file
HELPERS = {"resource_tracker"}  # Python's own, which does nothing for a row


class Watch:
    """What is seen of one capture.

    :param out: a file to look at, a thousand times a second; None: none.
    """

    def __init__(self, out: Path | None = None) -> None:
        self._out = out
        self._before: dict[str, float] = {}
        self._sizes: list[int] = []  # of the file, each larger than the one before
        self._times: list[int] = []  # when it was seen, in nanoseconds since the epoch

    def __call__(self, pid: int) -> None:
        """Watch a process that has just been connected to the feed, until it ends."""
        sampler = Sampler(pid)
        sampler.sample()
        for usage in sampler.usage.values():
            self._before[usage.role] = self._before.get(usage.role, 0.0) + usage.cpu
        if self._out is None:
            return
        while is_alive(pid):
            self._look(self._out)
            time.sleep(INTERVAL)
        self._look(self._out)

    def _look(self, out: Path) -> None:
        size = out.stat().st_size if out.exists() else 0
        if size > (self._sizes[-1] if self._sizes else 0):
            self._times.append(time.time_ns())
            self._sizes.append(size)

    def cpu(self, done: Capture) -> dict[str, float]:
        """CPU seconds of each process since the connection, and of the generator."""
        used: dict[str, float] = {}
        for usage in done.usage:
            used[usage.role] = used.get(usage.role, 0.0) + usage.cpu
        since = {role: cpu - self._before.get(role, 0.0) for role, cpu in used.items()}
        since = {role: max(0.0, cpu) for role, cpu in since.items() if role not in HELPERS}
        return {**since, "all": done.cpu - done.start_cpu, "generator": done.burst_cpu}

    def latencies(self) -> Iterator[float]:
        """Of each row of the file, the seconds from its receipt until it was seen there.

        :raises ValueError: the file's last column is not ``@received``.
        """
        assert self._out is not None
        end = 0
        with self._out.open("rb") as file:
            end += len(file.readline())
            for line in file:
                end += len(line)
                seen = self._times[bisect_left(self._sizes, end)]
                yield (seen - int(line.rpartition(b",")[2])) / 1e9


def peaks(done: Capture) -> dict[str, float]:
    """The peak of memory of each process in MiB, and all of them added up; {}: nothing tells."""
    found: dict[str, float] = {}
    for usage in done.usage:
        if usage.role not in HELPERS:
            found[usage.role] = max(found.get(usage.role, 0.0), usage.peak)
    return {**found, "all": done.peak} if found else {}


def quantiles(values: Sequence[float], names: Sequence[str]) -> dict[str, float]:
    """Quantiles of some values by their names, such as ``p99.9``: so many are not above it."""
    in_order = sorted(values)
    return {
        name: in_order[min(len(in_order) - 1, int(len(in_order) * float(name[1:]) / 100))]
        for name in names
    }


def is_alive(pid: int) -> bool:
    """Whether a child of ours has not been waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
