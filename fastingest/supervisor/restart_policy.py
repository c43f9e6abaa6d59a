"""When a process that has died is started again, and when no more.

The first time that is at once: nothing is known but that it died. Where it dies again, its starts
are set apart, :data:`FIRST_PAUSE` seconds at first and twice as many each time, up to
:data:`LAST_PAUSE`; how long it has lived counts for that. What lets a process die again and again,
a lack of memory above all, mostly passes, and starting it twice a second does not help.

It is given up when it has died :data:`MAX_DEATHS` times and has gone on dying for
:data:`PATIENCE` seconds, without :data:`HEALTHY` seconds of life in between. A run that shall end
does not wait so long: there the deaths alone count. After a life of :data:`HEALTHY` seconds all is
forgotten.
"""

from __future__ import annotations

__all__ = ["FIRST_PAUSE", "HEALTHY", "LAST_PAUSE", "MAX_DEATHS", "PATIENCE", "RestartPolicy"]

FIRST_PAUSE, LAST_PAUSE = 0.1, 5.0
"""Seconds from a start to the next one at least."""

MAX_DEATHS = 10
"""Deaths in a row that may be one too many."""

PATIENCE = 120.0
"""Seconds of them that are."""

HEALTHY = 60.0
"""Seconds of life that make the deaths before it forgotten."""


class RestartPolicy:
    """Decides for one process. It is told what happens, and looks at no clock.

    Moments are in seconds, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.deaths = 0
        """Deaths in a row."""
        self._started = 0.0
        self._first_death = 0.0

    def started(self, now: float) -> None:
        """It is started, or at least that is tried."""
        self._started = now

    def died(self, now: float, *, patient: bool = True) -> float | None:
        """It has died, or could not be started.

        :param patient: whether there are minutes for it to come right.
        :returns: when it is to be started again; None: not any more.
        """
        if self.deaths and now - self._started >= HEALTHY:
            self.deaths = 0
        if not self.deaths:
            self._first_death = now
        self.deaths += 1
        if self.deaths >= MAX_DEATHS and (not patient or now - self._first_death >= PATIENCE):
            return None
        if self.deaths == 1:
            return now
        pause = min(FIRST_PAUSE * 2.0 ** min(self.deaths - 2, 20), LAST_PAUSE)
        return max(now, self._started + pause)
