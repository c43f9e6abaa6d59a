"""How much an outbox may hold, and in what portions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["Limits", "limits_of", "room_in"]

_KIB, _MIB = 2**10, 2**20

_NO_BOUND = 2**63


class Limits(NamedTuple):
    """Bytes, all of them."""

    memory: int
    """From which on the outbox is full."""
    spill: int
    """At most on disk."""
    first_memory: int
    """``memory`` until what receivers before have left is written."""
    first_spill: int
    """``spill`` until then."""
    segment_size: int
    """From which on a segment is sealed."""
    window: int
    """That may be on their way to the writer."""


def limits_of(
    memory_limit: int, spill_limit: int, *, parts: int, room: int, older: tuple[int, int]
) -> Limits:
    """The limits of one outbox.

    :param memory_limit: what the user allows all outboxes of the run together.
    :param spill_limit: likewise, on disk.
    :param parts: how many these are.
    :param room: what there is in memory, for all of them.
    :param older: what receivers before have left of this output, in memory and on disk.
    """
    memory = min(max(memory_limit // parts, _MIB), max(room // parts, 4 * _MIB))
    spill = spill_limit // parts
    return Limits(
        memory,
        spill,
        # What is older is written before anything of this one, and until then it is part of what
        # may wait; but a feed must be read meanwhile, so a quarter is there always.
        max(memory - older[0], memory // 4),
        max(spill - older[1], spill // 4),
        max(min(max(memory // 16, 256 * _KIB), 4 * _MIB), memory // 256),
        min(memory // 4, 4 * _MIB),
    )


def room_in(spool: Path) -> int:
    """Bytes that the spool may take: in a container /dev/shm is small, and not ours alone."""
    try:
        space = os.statvfs(spool)
    except OSError:  # it is gone; then batches stay in this process's own memory
        return _NO_BOUND
    return space.f_bavail * space.f_frsize * 3 // 4
