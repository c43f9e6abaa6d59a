"""When each row of the feed is due. It does no I/O and reads no clock: seconds in, rows out.

Time is cut into whole seconds. Each has ``rate`` rows, which all come in its first ``1 / burst``,
evenly: the feed runs at ``rate * burst`` for a while and is silent for the rest. Seconds count only
while somebody is connected, so no row falls due with nobody there to get it.
"""

from __future__ import annotations

import math

__all__ = ["Pace"]


class Pace:
    """The timetable of a feed: ``rate`` rows a second, at ``burst`` times that in a burst."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst

    def due(self, seconds: float) -> int:
        """How many rows are due in all after ``seconds``; the first one is due at 0."""
        whole = math.floor(seconds)
        busy = min((seconds - whole) * self._burst, 1.0)
        due = math.floor(self._rate * (whole + busy)) + 1
        # When a second's rows are through, the one after them belongs to the next second.
        return due if busy < 1.0 else math.ceil(self._rate * (whole + 1))

    def when(self, row: int) -> float:
        """The seconds after which row number ``row``, counted from 0, is due."""
        whole, busy = divmod(row / self._rate, 1.0)
        return whole + busy / self._burst
