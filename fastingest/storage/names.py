"""The names of what belongs to an output, beside it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["beside", "named", "sync_directory"]


def beside(path: Path, suffix: str) -> Path:
    """``stock_data.csv`` and ``.lock`` → ``stock_data.csv.lock``."""
    return path.with_name(path.name + suffix)


def named(path: Path) -> Path:
    """The path from the root on, without links but for the last one.

    What belongs to an output goes by the name that it was given, not by what that leads to: a link
    may lead somewhere else tomorrow. Two names for one file are told by the lock on the file.
    """
    return path.parent.resolve() / path.name


def sync_directory(path: Path) -> None:
    """Put the names in a directory on the disk: a new one may be gone after a power cut otherwise.

    :raises OSError: it could not be done.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
