"""A run's numbers, which are looked at once a second: how fast it is, and what does not get on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from fastingest.metrics.counters import Slot
from fastingest.model.feed import Feed
from fastingest.report.no_data import watch
from fastingest.report.reject_alert import RejectAlert
from fastingest.report.summary import Rates, RunCounters, Summary
from fastingest.runtime.assignment import SharedOutput
from fastingest.supervisor.log import report
from fastingest.supervisor.progress import Standing

__all__ = ["Monitor"]

INTERVAL = 1.0
"""Seconds from one look to the next."""

SHORTEST_SAMPLE = 0.5
"""Seconds; a shorter rest of a run would not make a second's rate."""


class Monitor:
    """Reads the counters of one run. Moments are in seconds, by the monotonic clock.

    :param feeds: the run's.
    :param shares: its outputs.
    :param listener: what reads the feeds, in words.
    """

    def __init__(
        self, feeds: Sequence[Feed], shares: Sequence[SharedOutput], listener: str
    ) -> None:
        self._shares = shares
        self._listener = listener
        self._counters = RunCounters(feeds, shares)
        self._rates = Rates()
        self._alerts = list(watch(feeds, shares))
        self._reject_alerts = [
            (feed, RejectAlert(share, share.counters.of(feed.name)))
            for feed in feeds
            for share in shares
            if feed.name in share.target.tables
        ]
        self._is_one_of_many = len(feeds) > 1
        self._started = self._sampled = time.monotonic()

    def begin(self, now: float) -> None:
        """All processes are started; from here on the rates are taken."""
        self._sampled = now

    def ready(self, now: float) -> None:
        """The files are open; from here on the run lasts."""
        self._started = now

    @property
    def next(self) -> float:
        """When the numbers are to be looked at."""
        return self._sampled + INTERVAL

    def summary(self) -> Summary:
        """The run's numbers now."""
        seconds = time.monotonic() - self._started
        return Summary.take(self._counters, seconds, self._rates, self._listener)

    def count_restart(self) -> None:
        """A process has taken another's place."""
        self._counters.restarts += 1

    def sample(self, now: float) -> None:
        """Take the rate since the sample before."""
        self._rates.sample(self._counters.total(Slot.WRITTEN), now - self._sampled)
        self._sampled = now

    def finish(self, now: float) -> None:
        """Take the rate of what is left of the last second, and of a run that has had none."""
        if not self._rates.last or now - self._sampled >= SHORTEST_SAMPLE:
            self.sample(now)

    def standings(self) -> list[Standing]:
        """How each output stands."""
        return [_standing(share) for share in self._shares]

    def note_sample(self, feed: str, words: str) -> None:
        """The feed of this name has sent a message of a new shape that brings no row."""
        for watched, alert in self._alerts:
            if watched.name == feed:
                alert.said = words

    def note_stale(self, feed: str, names: tuple[str, ...]) -> None:
        """Something else of the feed of this name is stale now."""
        self._counters.stale[feed] = names

    def look_for_rows(self, now: float | None) -> None:
        """Say of which feeds messages come, and no rows, or more rejects than rows.

        :param now: None: the run is over.
        """
        for alerts in (self._alerts, self._reject_alerts):
            for feed, alert in alerts:
                event = alert.end() if now is None else alert.look(now)
                if event is not None:
                    report(event, feed=feed.name if self._is_one_of_many else None)


def _standing(share: SharedOutput) -> Standing:
    ledger = share.counters.whole_ledger
    return Standing(
        accounted=ledger.received - ledger.in_flight,
        size=_size(share.target.path),
        waiting=ledger.in_flight,
        queue=share.counters.total(Slot.OUTBOX_BYTES),
    )


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
