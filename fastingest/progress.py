"""Whether an output gets on: from its counts, once a second.

Nothing here looks at a clock or at a counter; it is told what they say.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Progress", "Standing"]


@dataclass(frozen=True)
class Standing:
    """How an output stands at one moment.

    :param accounted: rows and rejects of which it is known what became of them.
    :param size: bytes in the file; what an earlier run has left changes only this.
    :param waiting: rows and rejects that are received and not accounted for.
    """

    accounted: int
    size: int
    waiting: int


class Progress:
    """Watches one output."""

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None
        self._moved_at = 0.0
        self.waiting = 0
        """As of the latest look."""

    def look(self, now: float, standing: Standing) -> None:
        """Take how it stands.

        :param now: in seconds, by the monotonic clock.
        """
        self.waiting = standing.waiting
        place = standing.accounted, standing.size
        if place != self._before:
            self._before, self._moved_at = place, now

    def idle(self, now: float, since: float) -> float:
        """Seconds without progress, as far as they lie behind ``since``."""
        return now - max(self._moved_at, since)
