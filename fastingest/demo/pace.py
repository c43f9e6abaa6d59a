"""When each row of the feed is due. It does no I/O and reads no clock: seconds in, rows out.

Time is cut into whole seconds. Each has ``rate`` rows, which all come in its first ``1 / burst``,
evenly: the feed runs at ``rate * burst`` for a while and is silent for the rest. Seconds count only
while somebody is connected, so no row falls due with nobody there to get it.

Floating point does not make a rate and its inverse meet, so there is one formula only, that of a
row's time. It never falls from one row to the next, and how many rows are due is found by it.
"""

from __future__ import annotations

import math
from bisect import bisect_right

__all__ = ["Pace"]


class Pace:
    """The timetable of a feed: ``rate`` rows a second, at ``burst`` times that in a burst."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst

    def due(self, seconds: float) -> int:
        """How many rows are due in all after ``seconds``; the first one is due at 0."""
        # Those of the seconds before this one are due, those of the next one are not; two more on
        # either side, for the roundings.
        whole = math.floor(seconds)
        before = max(math.floor(self._rate * whole) - 2, 0)
        after = math.ceil(self._rate * (whole + 1)) + 2
        return bisect_right(range(after), seconds, lo=before, key=self.when)

    def when(self, row: int) -> float:
        """The seconds after which row number ``row``, counted from 0, is due: ``due`` says so."""
        whole, busy = divmod(row / self._rate, 1.0)
        return whole + busy / self._burst
