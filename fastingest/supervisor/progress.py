"""Whether an output gets on: from its counts, once a second.

Nothing here looks at a clock or at a counter; it is told what they say.

An output makes no progress when there is something to write, nothing comes to be written, and
nobody has said why: a disk that does not answer, a process that hangs, a pipe that leads nowhere.
That is said after :data:`PATIENCE`, and again at intervals that double, up to :data:`AGAIN`; and
when it goes on. An error that was told is not told once more. A row that is in no batch yet has its
flush interval before anything is expected of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastingest.supervisor.events import NoProgress, ProgressAgain

__all__ = ["AGAIN", "PATIENCE", "Progress", "Standing"]

PATIENCE = 5.0
"""Seconds without progress until it is said."""

AGAIN = 300.0
"""The most seconds until it is said again."""


@dataclass(frozen=True)
class Standing:
    """How an output stands at one moment.

    :param accounted: rows and rejects of which it is known what became of them.
    :param size: bytes in the file; what an earlier run has left changes only this.
    :param waiting: rows and rejects that are received and not accounted for.
    :param queue: bytes in batches that are not written.
    """

    accounted: int
    size: int
    waiting: int
    queue: int


class Progress:
    """Watches one output.

    Moments are in seconds, by the monotonic clock.

    :param output: its path, for the log.
    :param flush_interval: seconds that a row may wait for its batch.
    """

    def __init__(self, output: str, flush_interval: float) -> None:
        self._output = output
        self._flush_interval = flush_interval
        self._before: tuple[int, int] | None = None
        self._moved_at = 0.0
        self._waiting_since: float | None = None
        self._queue_since: float | None = None
        self._said_at: float | None = None
        self._interval = PATIENCE
        self.waiting = 0
        """Rows and rejects, as of the latest look."""

    def look(
        self, now: float, time_ns: int, standing: Standing, *, is_failing: bool
    ) -> NoProgress | ProgressAgain | None:
        """Take how it stands.

        :param time_ns: ``now`` in nanoseconds since the epoch, by the wall clock.
        :param is_failing: whether it is known, and has been told, why it cannot be written.
        :returns: what there is to say, if there is anything.
        """
        self.waiting = standing.waiting
        place = standing.accounted, standing.size
        since = max(self._moved_at, self._waiting_since or now)
        moved, self._before = place != self._before, place
        if moved:
            self._moved_at = now
        self._waiting_since = _since(self._waiting_since, now, standing.waiting or standing.queue)
        self._queue_since = _since(self._queue_since, now, standing.queue)
        if moved and self._said_at is not None:
            self._said_at = None
            return ProgressAgain(self._output, _back(time_ns, now - since), now - since)
        if is_failing or not self._is_late(now):
            return None
        if self._said_at is None:
            self._interval = PATIENCE
        elif now - self._said_at < self._interval:
            return None
        self._said_at, self._interval = now, min(2 * self._interval, AGAIN)
        length = now - max(self._moved_at, self._waiting_since or now)
        return NoProgress(
            self._output, _back(time_ns, length), length, standing.waiting, standing.queue
        )

    def _is_late(self, now: float) -> bool:
        if self._queue_since is not None:
            return now - max(self._moved_at, self._queue_since) >= PATIENCE
        if self._waiting_since is None:
            return False
        late = now - max(self._moved_at, self._waiting_since)
        return late >= self._flush_interval + PATIENCE

    def idle(self, now: float, since: float) -> float:
        """Seconds without progress, as far as they lie behind ``since``."""
        return now - max(self._moved_at, since)


def _back(time_ns: int, seconds: float) -> int:
    """The moment so long before another."""
    return time_ns - round(seconds * 1e9)


def _since(before: float | None, now: float, amount: int) -> float | None:
    """From when on there has been any of something."""
    return (now if before is None else before) if amount else None
