"""Whether it was the kernel that killed a process, for lack of memory (Linux).

It does so with SIGKILL, and a process that is gone cannot say why. But the kernel counts whom it
kills so, in the control group's ``memory.events`` (version 2) or ``memory.oom_control`` (version
1), and for the whole machine in ``/proc/vmstat``. The first of these that can be read is looked at:
the group's tells of our own processes, the machine's only that there is no memory.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path

__all__ = ["RECENT", "OomWatch"]

RECENT = 2.0
"""Seconds in which a count that goes up is taken for the reason of a death."""


class OomWatch:
    """Looks at the count from time to time, so that it is known from when it went up.

    :param root: of the file system in which ``/proc`` is.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.source = next(
            (path for path in _sources(root) if _count_in(path) is not None), root / "proc/vmstat"
        )
        """The file that is looked at."""
        self._counts: deque[tuple[float, int]] = deque()

    def look(self, now: float) -> None:
        """Note the count; to be called about once a second.

        :param now: in seconds, by the monotonic clock.
        """
        count = _count_in(self.source)
        if count is not None:
            self._counts.append((now, count))
        while len(self._counts) > 1 and self._counts[1][0] <= now - RECENT:
            self._counts.popleft()

    def has_killed(self) -> bool:
        """Whether somebody has been killed recently."""
        count = _count_in(self.source)
        return count is not None and bool(self._counts) and count > self._counts[0][1]


def _count_in(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return None


def _sources(root: Path) -> Iterator[Path]:
    """Where the count may be, the most telling place first."""
    with contextlib.suppress(OSError):
        groups = [
            line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()
        ]
        mounts = [line.split() for line in (root / "proc/self/mountinfo").read_text().splitlines()]
        for kind, controller, name in (
            ("cgroup2", "", "memory.events"),
            ("cgroup", "memory", "memory.oom_control"),
        ):
            paths = [group[2] for group in groups if controller in group[1].split(",")]
            for fields in mounts:
                split = fields.index("-")
                if fields[split + 1] != kind or controller not in [*fields[-1].split(","), ""]:
                    continue
                above, at = fields[3].rstrip("/"), root / fields[4].lstrip("/")
                for path in paths:
                    # Below what is mounted there; in a container that may be our group itself.
                    yield at / path.removeprefix(above).lstrip("/") / name
                    yield at / name
    yield root / "proc/vmstat"
