"""Reject alerts: rows come, and most of what comes is rejected.

Every reject is kept, and counted; but a run in which they are more than the rows is mostly one
whose description does not fit: a column that half of the messages lack, or a feed that sends
something else as well. The log says so once an hour, or at the end of a shorter run. Of a table
that gets no row at all :mod:`fastingest.report.no_data` tells.
"""

from __future__ import annotations

from fastingest.metrics.counters import Counters, Slot
from fastingest.report.events import MostlyRejected
from fastingest.report.no_data import AGAIN, latest_reject
from fastingest.runtime.assignment import SharedOutput

__all__ = ["FEWEST", "WINDOW", "RejectAlert"]

WINDOW = 10.0
"""Seconds of a feed that are judged together, or more until :data:`FEWEST` of either have come."""

FEWEST = 10
"""Rejects of which it can be told that they are no exceptions."""


class RejectAlert:
    """Watches one table of a feed.

    :param share: its output.
    :param table: its counters there.
    """

    def __init__(self, share: SharedOutput, table: Counters) -> None:
        self._share = share
        self._table = table
        self._since: float | None = None
        self._before = (0, 0)  # rows and rejects, when the window began
        self._quiet_until: float | None = None

    def look(self, now: float) -> MostlyRejected | None:
        """What there is to say, if there is anything.

        :param now: in seconds, by the monotonic clock.
        """
        if self._since is None:
            self._since = now
        rows, rejected = self._come()
        if now - self._since < WINDOW or max(rows, rejected) < FEWEST:
            return None
        self._since, self._before = now, self._counts()
        if not _is_much(rows, rejected) or now < (self._quiet_until or now):
            return None
        self._quiet_until = now + AGAIN
        return self._event(rows, rejected)

    def end(self) -> MostlyRejected | None:
        """The alert where it is so of the whole run, and nothing has been said of it."""
        rows, rejected = self._counts()
        is_told = self._quiet_until is not None
        return None if is_told or not _is_much(rows, rejected) else self._event(rows, rejected)

    def _counts(self) -> tuple[int, int]:
        return self._table.rows_received, self._table[Slot.REJECTED]

    def _come(self) -> tuple[int, int]:
        rows, rejected = self._counts()
        return rows - self._before[0], rejected - self._before[1]

    def _event(self, rows: int, rejected: int) -> MostlyRejected:
        reason, kept_in = latest_reject(self._share, self._table)
        return MostlyRejected(rejected=rejected, rows=rows, reason=reason, kept_in=kept_in)


def _is_much(rows: int, rejected: int) -> bool:
    return rejected >= FEWEST and rejected > rows > 0
