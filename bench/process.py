"""What the processes of a run use: CPU time and peak of memory of each, from ``/proc``.

CPU time of all processes together is best read at their end, from the kernel
(:func:`children_cpu`); that of each one, and its peak of memory (VmHWM), is read every 20 ms while
it runs, so it may lack the last of these, and is in steps of 10 ms. Memory that processes share
counts in each of them. Where there is no ``/proc`` (macOS), figures per process are not available.
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROLES", "Sampler", "Usage", "busy", "children_cpu", "resident"]

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
INTERVAL = 0.02  # seconds between two samples
ROLES = {"receiver": "picows", "writer": "polars"}  # and a library that only this one loads


@dataclass
class Usage:
    """What a process has used so far."""

    role: str
    cpu: float  # seconds
    peak: float  # MiB


class Sampler(threading.Thread):
    """Follows a process and all that it starts, until told to stop: :attr:`usage`, by process id.

    The process itself is fastingest's supervisor, if it is fastingest. A child's role stands in its
    name or its command line, or it shows in the libraries that it has loaded.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(name="sampler", daemon=True)
        self.pid = pid
        self.usage: dict[int, Usage] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        """Take a sample every :data:`INTERVAL` until stopped."""
        while not self._stopping.wait(INTERVAL):
            self.sample()

    def sample(self) -> None:
        """Read what each process has used."""
        for pid in family(self.pid):
            # It may have just ended; what was read before stays.
            with contextlib.suppress(OSError, ValueError, IndexError):
                self.usage[pid] = self.read(pid)

    def read(self, pid: int) -> Usage:
        """What one process has used."""
        folder = PROC / str(pid)
        # The name, in parentheses, may contain anything; times are fields 14 and 15 (man 5 proc).
        name, _, fields = (folder / "stat").read_text().rpartition(")")
        user, system = fields.split()[11:13]
        status = (folder / "status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        command = (folder / "cmdline").read_text()
        cpu = (int(user) + int(system)) / TICK
        return Usage(self.role(pid, f"{name} {command}"), cpu, peak)

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

    @property
    def cpu(self) -> float:
        """CPU seconds of all the processes, up to the last sample."""
        return sum(usage.cpu for usage in [*self.usage.values()])

    def stop(self) -> None:
        """Stop, and call the processes without a role ``other``."""
        self._stopping.set()
        self.join()
        for usage in self.usage.values():
            usage.role = usage.role or "other"


def family(pid: int) -> Iterator[int]:
    """The process, and all that it has started, and these in turn."""
    yield pid
    for child in children(pid):
        yield from family(child)


def children(pid: int) -> list[int]:
    """The process's children; none where the kernel does not tell."""
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def busy(pid: int) -> float:
    """CPU seconds that the process, and all that it has started, have used; to the microsecond.

    What threads that have ended have used is not in it.
    """
    return sum(
        int(text.split()[0]) / 1e9 for each in family(pid) for text in texts(each, "schedstat")
    )


def resident(pid: int) -> float:
    """MiB of memory that the process, and all that it has started, have now."""
    page = os.sysconf("SC_PAGE_SIZE") / 2**20
    sizes = [next(iter(texts(each, "statm")), "0 0").split()[1] for each in family(pid)]
    return sum(map(int, sizes)) * page


def texts(pid: int, name: str) -> list[str]:
    """What that file of ``/proc`` says of each of a process's threads, but of those that end."""
    found = []
    with contextlib.suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                found.append((thread / name).read_text())
    return found


def children_cpu() -> float:
    """CPU seconds of all ended children, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
