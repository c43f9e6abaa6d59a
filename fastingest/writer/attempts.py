"""How often a batch has been tried that cannot be written, whatever becomes of who tries it.

A batch may be such that to make text of it fails each time, or that the writer dies of it. Before
each try it is noted in the run's counters, which outlive the writer, and afterwards that it has
come to an end. So it is known whether there have been :data:`MAX_TRIES`, by this writer or by
those before it. The disk has no part in this: appending is not what is tried here.
"""

from __future__ import annotations

from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import Position

__all__ = ["MAX_TRIES", "TRY_PAUSE", "Attempts"]

MAX_TRIES = 3
"""Tries after which a batch is given up: a writer may be killed while it happens to be at one."""

TRY_PAUSE = 0.5
"""Seconds before the second try: memory may be short. It doubles with each."""


class Attempts:
    """Notes them.

    :param counters: those of the writer's own run, whichever run's batches it writes: of an earlier
        one there may be none any more.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def begin(self, position: Position) -> bool:
        """Note a try of a batch; False: there have been enough."""
        counters, tries = self._counters, self.of(position)
        if tries >= MAX_TRIES:
            return False
        counters[Slot.TRIES] = 0  # whoever dies between these has noted nothing of another batch
        counters[Slot.TRIED_STREAM], counters[Slot.TRIED_SEQUENCE] = position
        counters[Slot.TRIES] = tries + 1
        return True

    def of(self, position: Position) -> int:
        """How many tries of a batch have come to no end."""
        counters = self._counters
        tried = (counters[Slot.TRIED_STREAM], counters[Slot.TRIED_SEQUENCE])
        return counters[Slot.TRIES] if tried == position else 0

    def end(self) -> None:
        """It has come to its end."""
        self._counters[Slot.TRIES] = 0
