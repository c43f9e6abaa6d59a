"""What the processes that the supervisor starts have in common."""

from __future__ import annotations

import contextlib
import ctypes
import enum
import resource
import sys
from pathlib import Path

__all__ = ["ORPHAN_LIMIT", "allow_many_files", "keep_memory", "let_enums_be_fast", "show_name"]

ORPHAN_LIMIT = 1.5
"""Seconds that a process goes on without its supervisor, to save what it holds."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def allow_many_files() -> None:
    """Let this process have as many files open as it may: each feed and each pipe is one."""
    with contextlib.suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def keep_memory(*, has_threads: bool = False) -> None:
    """Let the C library keep memory that is freed, up to 64 MiB, where it is glibc (Linux).

    A batch takes some megabytes for a moment, at each step on its way. glibc gives such pieces back
    to the system at once, which has to clear their pages when the next batch needs them: 27 ns a
    row in the receiver, of 210.

    :param has_threads: whether several threads allocate. They share one arena then, since others
        would each keep as much; for a single thread that costs 4% of the receiver's time.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        if has_threads:
            mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TRIM_THRESHOLD, 64 * 2**20)
        mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the most that it takes


def let_enums_be_fast() -> None:
    """Take away what makes enums slow in CPython 3.11, for this process; 3.12 did so for all.

    picows looks an opcode's enum member up for every frame. In 3.11 ``EnumType`` has a
    ``__getattr__``, for members that are no attributes of their class, and none is left. Its mere
    presence sends every look-up through a slow path: 150 ns a frame instead of 50.
    """
    if sys.version_info < (3, 12):
        del enum.EnumType.__getattr__  # type: ignore[attr-defined]  # typeshed leaves it out


def show_name(role: str) -> None:
    """Let ``ps`` and ``top`` tell this process from the others, where there is a file for that.

    Linux keeps 15 characters: ``fi:receiver``. Elsewhere the process ids in the debug log must do.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"fi:{role}")
