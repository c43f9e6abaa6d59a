"""What moves segments from memory to disk: one at a time, and again where that has failed.

The outbox says which is next, the spool moves it. Here is when that is tried: as soon as there is
one, and after an error every :data:`RETRY_SPILL`, until the disk takes something again. Meanwhile
the outbox knows that it takes nothing.

At the end of a run everything goes to disk, in a given time (:meth:`Mover.save`). What cannot be
moved stays in memory, where the next start finds it; only what a process alone has is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from fastingest.model.event import Event
from fastingest.spool.events import SpillUnwritable, SpillWritable
from fastingest.spool.held import Segment
from fastingest.spool.outbox import Outbox

__all__ = ["Mover", "Moves"]

RETRY_SPILL = 1.0
"""Seconds until the spill is tried again after an error."""

RETRY_SAVE, SAVE_PATIENCE = 0.1, 5.0
"""Seconds until rows that find room nowhere are tried to be saved again when the run ends, and how
long that goes on: after it they are lost."""


class Moves(Protocol):
    """What a mover needs of a :class:`fastingest.spool.spool.Spool`."""

    def move(
        self,
        segment: Segment,
        done: Callable[[Segment, OSError | None], None],
        *,
        reserve: int = 0,
    ) -> None:
        """Move a segment to disk, then call ``done``."""


class Mover:
    """Moves one outbox's segments.

    :param outbox: says which.
    :param spool: moves them.
    :param shares_disk: whether the output is on the disk that the segments go to.
    :param report: takes events for the log.
    :param changed: called when there may be more room.
    :param call_later: calls something after so many seconds.
    :param now: seconds, by any clock that is not set.
    """

    def __init__(
        self,
        outbox: Outbox,
        spool: Moves,
        *,
        shares_disk: bool,
        report: Callable[[Event], None],
        changed: Callable[[], None],
        call_later: Callable[[float, Callable[[], None]], Any],
        now: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._spool = spool
        self._shares_disk = shares_disk
        self._report = report
        self._changed = changed
        self._call_later = call_later
        self._now = now
        self._has_failed = False
        self._saved: asyncio.Event | None = None  # whether it is saving, and whether that is over
        self._save_until = 0.0
        self.problem = ""
        """Why something could not be saved."""

    def move_next(self) -> None:
        """Move a segment, if one is to be moved; the outbox has changed."""
        if not self._has_failed and (segment := self._outbox.next_to_move()) is not None:
            self._move(segment)

    async def save(self) -> None:
        """Move all that is held to disk, and nothing else from now on; return when that is over."""
        self._saved = asyncio.Event()
        self._save_until = self._now() + SAVE_PATIENCE
        self._save_next(self._saved)
        await self._saved.wait()

    def _move(self, segment: Segment) -> None:
        self._outbox.moving(segment)
        reserve = self._reserve() if self._saved is None else 0
        self._spool.move(segment, self._moved, reserve=reserve)

    def _moved(self, segment: Segment, error: OSError | None) -> None:
        self._outbox.moved(segment, succeeded=error is None)
        if error is not None:
            if not self._has_failed:
                self._report(SpillUnwritable(error.strerror or str(error)))
            self._has_failed = True
            self._outbox.refuse(True)
            self._call_later(RETRY_SPILL, self._retry)
        elif self._has_failed:
            self._takes_again()
            self._report(SpillWritable())
        if self._saved is None:
            self._changed()
        else:
            self._save_on(self._saved, error)

    def _takes_again(self) -> None:
        self._has_failed = False
        self._outbox.refuse(False)

    def _retry(self) -> None:
        if self._saved is not None:
            return
        segment = self._outbox.next_to_move()
        if segment is not None:
            self._move(segment)
        else:
            self._takes_again()
            self._changed()

    def _reserve(self) -> int:
        """What the output needs on the same disk until the spill gives anything back.

        What is in memory is older, and written first. As CSV a row takes up to twice the bytes.
        """
        return self._shares_disk * (2 * self._outbox.memory_limit + self._outbox.disk)

    def _save_on(self, saved: asyncio.Event, error: OSError | None) -> None:
        if error is None:
            self._save_next(saved)
            return
        self.problem = error.strerror or str(error)
        if self._outbox.is_exposed and self._now() < self._save_until:
            self._call_later(RETRY_SAVE, lambda: self._save_next(saved))
        else:
            saved.set()

    def _save_next(self, saved: asyncio.Event) -> None:
        segment = self._outbox.next_to_move(everything=True)
        if segment is not None:
            self._move(segment)
        elif not self._outbox.is_moving:
            saved.set()
