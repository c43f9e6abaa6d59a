"""How far the end of a run has come, and the moments at which more has to be done.

Nothing here looks at a clock. A run that *shall end* waits for its processes to do what is left. A
run that is *giving up* does not wait for what is left to be written: the receivers save it, for
which they get :data:`SAVE_LIMIT`; when there is none any more, the writer gets
:data:`~fastingest.supervisor.writer_watchdog.FAILING_LIMIT`. Who is there after that is killed, and
who is there :data:`~fastingest.supervisor.children.KILL_LIMIT` later is left behind.
"""

from __future__ import annotations

from fastingest.supervisor.children import KILL_LIMIT
from fastingest.supervisor.writer_watchdog import FAILING_LIMIT

__all__ = ["SAVE_LIMIT", "Ending"]

SAVE_LIMIT = 25.0
"""Seconds that a receiver gets to save what is not written."""

_NEVER = float("inf")


class Ending:
    """The end of one run. Moments are in seconds, by the monotonic clock."""

    def __init__(self) -> None:
        self.has_begun = False
        """Whether the run shall end."""
        self.is_giving_up = False
        """Whether what is not written is saved, and not waited for."""
        self._end_at = self._kill_at = self._leave_at = _NEVER

    @property
    def next(self) -> float:
        """When there is something to do."""
        return min(self._end_at, self._kill_at, self._leave_at)

    def at(self, moment: float) -> None:
        """The run's time is over then."""
        self._end_at = moment

    def is_time_over(self, now: float) -> bool:
        """Whether the run's time is over; said once."""
        is_over = now >= self._end_at
        if is_over:
            self._end_at = _NEVER
        return is_over

    def begin(self) -> bool:
        """The run shall end; whether that is news."""
        is_news, self.has_begun = not self.has_begun, True
        return is_news

    def give_up(self, now: float) -> None:
        """What is not written is to be saved, and the processes are to end."""
        self.is_giving_up = True
        self._kill_at = min(self._kill_at, now + SAVE_LIMIT)

    def receivers_gone(self, now: float) -> None:
        """No receiver is left that could have something to save."""
        if self.is_giving_up:
            self._kill_at = min(self._kill_at, now + FAILING_LIMIT)

    def abort(self) -> None:
        """The processes are to be killed at once."""
        self.is_giving_up = True
        self._kill_at = 0.0

    def must_kill(self, now: float) -> bool:
        """Whether the processes are to be killed; said once."""
        must = now >= self._kill_at
        if must:
            self._kill_at, self._leave_at = _NEVER, now + KILL_LIMIT
        return must

    def must_leave(self, now: float) -> bool:
        """Whether those that are still there are to be left behind."""
        return now >= self._leave_at
