"""When a host may be asked for another connection.

Venues limit how often one may connect, and some prolong a ban with each try in it. Nobody waits
until the host has said once that it is too often. Then

- nobody asks for as long as it says (``Retry-After``). Where it does not say, and the host has
  several feeds, that is :data:`FIRST_HOLD` seconds, twice as long each time that it says so again,
  up to :data:`MAX_HOLD`; a single feed waits as it does after any failure;
- after that one asks, and the others follow one by one, :data:`FIRST_PACE` seconds apart, which
  grows likewise.

What was asked before the host said so, and is refused after it, is no news. When it has said
nothing of the kind for :data:`CALM` seconds, all is forgotten.
"""

from __future__ import annotations

__all__ = ["CALM", "FIRST_HOLD", "FIRST_PACE", "MAX_HOLD", "MAX_PACE", "Gate"]

FIRST_HOLD, MAX_HOLD = 5.0, 60.0
"""Seconds without a connect after a refusal."""

FIRST_PACE, MAX_PACE = 0.5, 10.0
"""Seconds between two connects after that."""

CALM = 120.0
"""Seconds after which a refusal is forgotten."""


class Gate:
    """Decides for one host. It is told what happens, and looks at no clock.

    Moments are in seconds, by one clock.

    :param sharers: how many such gates the same host has.
    """

    def __init__(self, sharers: int = 1) -> None:
        self._sharers = sharers
        self.is_shared = sharers > 1
        """Whether several feeds ask it."""
        self._hold = self._pace = 0.0
        self._refused_at: float | None = None
        self.open_at = 0.0
        """From when on somebody may ask."""

    def passed(self, now: float) -> None:
        """Somebody asks."""
        if self._refused_at is not None and now - self._refused_at >= CALM:
            self._hold = self._pace = 0.0
            self._refused_at = None
        self.open_at = now + self._pace * self._sharers

    def refused(self, asked_at: float, now: float, wait: float) -> float:
        """The host has said that it is asked too often.

        :param asked_at: when it was asked.
        :param wait: seconds that it wants to be left alone; 0.0: it did not say.
        :returns: seconds for which nobody may ask now.
        """
        if self._refused_at is None or asked_at >= self._refused_at:
            self._hold = min(max(FIRST_HOLD, 2 * self._hold), MAX_HOLD)
            self._pace = min(max(FIRST_PACE, 2 * self._pace), MAX_PACE)
            self._refused_at = now
        hold = wait or (self._hold if self.is_shared else 0.0)
        self.open_at = max(self.open_at, now + hold)
        return hold
