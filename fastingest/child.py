"""What the processes that the supervisor starts have in common."""

from __future__ import annotations

import contextlib
from pathlib import Path

__all__ = ["ORPHAN_LIMIT", "show_name"]

ORPHAN_LIMIT = 1.5
"""Seconds that a process goes on without its supervisor, to save what it holds."""


def show_name(role: str) -> None:
    """Let ``ps`` and ``top`` tell this process from the others, where there is a file for that.

    Linux keeps 15 characters: ``fi:receiver``. Elsewhere the process ids in the debug log must do.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"fi:{role}")
