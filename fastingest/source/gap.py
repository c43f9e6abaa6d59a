"""A time without a ready connection: from when, to when, and why.

It starts when the last bytes came, and at the run's beginning when the feed was to be connected. It
ends when the feed is *ready*, which is more than connected: subscribed, and granted where the
venue's replies tell. What fails in between is part of the same gap, whose reason is the first
failure.

The first connect takes its time. It is no gap, unless something fails, or the run ends before.

A gap that is not over yet shows in the counters, so that it outlives this process: the next
receiver goes on with it (:meth:`GapRecorder.resume`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from fastingest.metrics.counters import FeedCounters, Slot
from fastingest.model.event import Event
from fastingest.source.clock import elapsed
from fastingest.source.events import Gap

__all__ = ["GapRecorder", "Outage"]


class Outage(NamedTuple):
    """A gap that has begun."""

    start_ns: int
    """When, in nanoseconds since the epoch."""
    reason: str
    """One line for people, without secrets. Empty: nothing has failed, and it may be no gap."""


class GapRecorder:
    """Records the gaps of a feed, or of one of several connections, one after the other.

    :param counters: the feed's, as the connection has them.
    :param report: takes events for the log.
    :param ended: told of each gap that is over: from when on it was, in nanoseconds since the
        epoch, its length in seconds, and why it was.
    :param clock: seconds, by which lengths are measured.
    :param time_ns: nanoseconds since the epoch.
    """

    def __init__(
        self,
        counters: FeedCounters,
        report: Callable[[Event], None],
        *,
        ended: Callable[[int, float, str], None] = lambda *_: None,
        clock: Callable[[], float] = elapsed,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._counters = counters
        self._report = report
        self._ended = ended
        self._clock = clock
        self._time_ns = time_ns
        self._outage: Outage | None = None
        self._start = 0.0  # of it, by that clock
        self._ready_at = float("-inf")

    def start(self) -> None:
        """The feed is wanted from now on, and not connected yet."""
        self._counters[Slot.NEVER_READY] = 1
        self._begin(Outage(self._time_ns(), ""), 0.0)

    def resume(self, outage: Outage) -> None:
        """There has been no ready connection when this process began."""
        self._begin(outage, max(0.0, (self._time_ns() - outage.start_ns) / 1e9))

    def fail(self, reason: str, silence: float = 0.0) -> None:
        """The connection is lost, or could not be made; a gap begins where there is none yet.

        :param silence: seconds since the last bytes came.
        """
        if self._outage is None:
            silence = min(silence, self._clock() - self._ready_at)  # where one gap ended, it did
            self._begin(Outage(self._time_ns() - round(silence * 1e9), reason), silence)
        elif not self._outage.reason:
            self._outage = self._outage._replace(reason=reason)

    def ready(self) -> None:
        """There is a ready connection."""
        self.stop("")
        self._ready_at = self._clock()
        self._counters[Slot.NEVER_READY] = 0

    def stop(self, reason: str) -> None:
        """The run is over.

        :param reason: why there is no ready connection, where nothing has failed. Empty: it was
            not needed any more.
        """
        if self._outage is not None and not self._outage.reason:
            self._outage = self._outage._replace(reason=reason) if reason else None
            self._counters[Slot.GAP_SINCE] = 0
            if not reason:
                self._counters[Slot.NEVER_READY] = 0
        self._end()

    def _begin(self, outage: Outage, age: float) -> None:
        self._outage, self._start = outage, self._clock() - age
        self._counters[Slot.GAP_SINCE] = outage.start_ns

    def _end(self) -> None:
        if self._outage is None:
            return
        (start_ns, reason), self._outage = self._outage, None
        self._counters[Slot.GAP_SINCE] = 0
        length = self._clock() - self._start
        self._counters.add(Slot.GAPS)
        self._counters.add(Slot.GAP_NS, round(length * 1e9))
        self._ended(start_ns, length, reason)  # first: what the log says of a gap is in the ledger
        self._report(Gap(start_ns, length, reason))
