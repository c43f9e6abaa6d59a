"""A time without a connection: from when, to when, and why.

It starts when the connection was lost or, where that was found out by waiting, when the feed went
silent. It ends with the next connection, or with the run, and is then counted and logged. One that
is not over yet shows in the counters, so that it outlives this process: the next receiver goes on
with it (:meth:`GapRecorder.resume`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from fastingest.metrics.counters import FeedCounters, Slot
from fastingest.model.event import Event
from fastingest.source.events import Gap

__all__ = ["GapRecorder", "Outage"]


class Outage(NamedTuple):
    """A gap that has begun."""

    start_ns: int
    """When, in nanoseconds since the epoch."""
    reason: str
    """One line for people, without secrets."""


class GapRecorder:
    """Records one feed's gaps, one after the other.

    :param counters: the feed's.
    :param report: takes events for the log.
    :param ended: told of each gap that is over: from when on it was, in nanoseconds since the
        epoch, its length in seconds, and why it was.
    :param monotonic: seconds, by which lengths are measured.
    :param time_ns: nanoseconds since the epoch.
    """

    def __init__(
        self,
        counters: FeedCounters,
        report: Callable[[Event], None],
        *,
        ended: Callable[[int, float, str], None] = lambda *_: None,
        monotonic: Callable[[], float] = time.monotonic,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._counters = counters
        self._report = report
        self._ended = ended
        self._monotonic = monotonic
        self._time_ns = time_ns
        self._outage: Outage | None = None
        self._start = 0.0  # of it, by the monotonic clock

    def begin(self, reason: str, silence: float = 0.0) -> None:
        """The connection is lost.

        :param silence: seconds that the feed has been silent already.
        """
        self._begin(Outage(self._time_ns() - round(silence * 1e9), reason), silence)

    def resume(self, outage: Outage) -> None:
        """There has been no connection when this process began."""
        self._begin(outage, max(0.0, (self._time_ns() - outage.start_ns) / 1e9))

    def _begin(self, outage: Outage, age: float) -> None:
        self._outage, self._start = outage, self._monotonic() - age
        self._counters[Slot.GAP_SINCE] = outage.start_ns

    def end(self) -> None:
        """There is a connection, or the run is over; nothing where there is no gap."""
        if self._outage is None:
            return
        (start_ns, reason), self._outage = self._outage, None
        self._counters[Slot.GAP_SINCE] = 0
        length = self._monotonic() - self._start
        self._counters.add(Slot.GAPS)
        self._counters.add(Slot.GAP_NS, round(length * 1e9))
        self._ended(start_ns, length, reason)  # first: what the log says of a gap is in the ledger
        self._report(Gap(start_ns, length, reason))
