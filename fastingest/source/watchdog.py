"""Whether a connection is dead without saying so (half-open): two clocks, and no time of their own.

Nothing at all for ``ping_interval``: a ping is sent, and if nothing at all comes for as long again,
the connection is dead. No message that brings a row or a reject for ``idle_timeout``: dead as well,
even though pings are answered, and messages come that are ignored: heartbeats, and answers to ours.
Both clocks stand still while the socket is not being read.

Whoever watches says every :attr:`Watchdog.tick` seconds what has come, and does as it is told.
Where that was much longer ago, the process did not run: the machine was suspended, say. Nothing is
called dead for such a time, since what came meanwhile may not be read yet. It is a reason to ping
at once.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from fastingest.units import format_duration

__all__ = ["Come", "Dead", "Watchdog"]

_MAX_TICK = 1.0  # seconds


class Come(NamedTuple):
    """What has come so far."""

    reads: int
    """Reads that have brought anything."""
    messages: int
    rows: int
    """Rows and rejects."""


class Dead(NamedTuple):
    """The connection is to be given up."""

    reason: str
    silence: float
    """Seconds since the feed went silent."""


class Watchdog:
    """Watches one connection.

    :param ping_interval: in seconds. None sends no pings.
    :param idle_timeout: in seconds. None waits for rows for ever.
    :param come: what has come so far.
    """

    def __init__(self, ping_interval: float | None, idle_timeout: float | None, come: Come) -> None:
        self._ping_interval = ping_interval
        self._idle_timeout = idle_timeout
        limits = [limit for limit in (ping_interval, idle_timeout) if limit is not None]
        self.tick = min(_MAX_TICK, min(limits) / 4) if limits else None
        """Seconds between two looks; None: there is nothing to look for."""
        self._come = come
        self._come_at_row = come
        self._quiet = 0.0  # seconds without anything at all
        self._silence = 0.0  # seconds without a row or a reject
        # Without those in which the process did not run:
        self._silent = 0.0  # likewise
        self._pinged: float | None = None  # seconds since a ping that nothing has followed

    def look(self, elapsed: float, come: Come, *, is_paused: bool) -> Literal["ping"] | Dead | None:
        """What is to be done now; None: nothing.

        :param elapsed: seconds since the last look, by a clock that goes on while the machine is
            suspended.
        :param come: what has come until now.
        :param is_paused: whether the socket is not being read.
        """
        awake = min(elapsed, 2 * self.tick) if self.tick is not None else elapsed
        if is_paused or come.reads != self._come.reads:
            self._quiet, self._pinged = 0.0, None
        else:
            self._quiet += elapsed
            self._pinged = None if self._pinged is None else self._pinged + awake
        is_silent = not is_paused and come.rows == self._come.rows
        if not is_silent:
            self._come_at_row = come
        self._silent = self._silent + awake if is_silent else 0.0
        self._silence = self._silence + elapsed if is_silent else 0.0
        self._come = come
        idle, ping = self._idle_timeout, self._ping_interval
        if idle is not None and self._silent >= idle:
            return Dead(f"no row for {format_duration(idle)}{self._instead()}", self._silence)
        if ping is None or self._quiet < ping:
            return None
        if self._pinged is None:
            self._pinged = 0.0
            return "ping"
        if self._pinged >= ping:
            return Dead(f"no answer to a ping for {format_duration(ping)}", self._quiet)
        return None

    def _instead(self) -> str:
        """What has come since the last row, in words."""
        if self._come.messages != self._come_at_row.messages:
            return "; only messages that are ignored came"
        return "; only control frames came" if self._come.reads != self._come_at_row.reads else ""
