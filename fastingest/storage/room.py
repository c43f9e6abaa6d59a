"""Whether the disk has room: what ``--min-free`` says holds for every file that grows."""

from __future__ import annotations

import os
from pathlib import Path

from fastingest.errors import WriteFailed
from fastingest.units import format_size

__all__ = ["check_room"]


def check_room(path: Path, descriptor: int, size: int, min_free: int) -> None:
    """See that ``size`` more bytes leave enough.

    :param path: of the file that is to grow.
    :param descriptor: it, or its directory.
    :param min_free: bytes that must stay free on its disk; 0: none.
    :raises WriteFailed: they do not.
    :raises OSError: nobody knows.
    """
    if not min_free:
        return
    space = os.fstatvfs(descriptor)
    free = space.f_bavail * space.f_frsize
    if free - size < min_free:
        raise WriteFailed(
            path,
            f"only {format_size(free)} are free on its disk; "
            f"appending stops at {format_size(min_free)} (--min-free)",
        )
