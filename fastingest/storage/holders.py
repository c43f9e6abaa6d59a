"""Who holds a lock file: each process that has it open, of which some may be dead.

``flock`` belongs to the open file, not to a process: the supervisor takes it, its children get it,
and it holds until the last of them is gone. The system remembers the first alone. So each writes
its process id into the file when it gets it, a line each, and who is refused looks which of them is
still there. A number may be another process's by now: where the system shows which files a process
has open (Linux), it must have this one; and there one is found that could not write its line.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["add_holder", "holder_of", "is_alive", "taker_of"]

_PROCESSES = Path("/proc")


def add_holder(descriptor: int) -> None:
    """Write our process id into the lock file, which is open for appending."""
    with contextlib.suppress(OSError):  # it is locked all the same
        os.write(descriptor, b"%d\n" % os.getpid())


def _written_in(descriptor: int) -> list[int]:
    """The process ids in the file, the first holder's first; none where it says something else."""
    text = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    lines = text.split()
    return [int(line) for line in lines] if all(map(bytes.isdigit, lines)) else []


def taker_of(descriptor: int) -> int | None:
    """The process that took the lock, and gave it to the others; None: it is not known."""
    return next(iter(_written_in(descriptor)), None)


def holder_of(descriptor: int) -> int | None:
    """A process that holds the lock file now; None: it is not known.

    :param descriptor: the file, open here as well.
    """
    written = [pid for pid in _written_in(descriptor) if is_alive(pid)]
    for pid in written:
        if pid != os.getpid() and _has_open(pid, descriptor):
            return pid
    if os.getpid() in written:  # another one of this process
        return os.getpid()
    for path in _PROCESSES.glob("[1-9]*"):
        if path.name != str(os.getpid()) and _has_open(int(path.name), descriptor):
            return int(path.name)
    return next((pid for pid in written if _has_open(pid, descriptor) is None), None)


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # somebody else's
    return True


def _has_open(pid: int, descriptor: int) -> bool | None:
    """Whether a process has the file open; None: one may not look, or nobody can."""
    try:
        names = os.listdir(_PROCESSES / str(pid) / "fd")
    except OSError:
        return None
    wanted = os.fstat(descriptor)
    for name in names:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(_PROCESSES / str(pid) / "fd" / name), wanted):
                return True
    return False
