"""Who takes the place of a process that has died, and when: over all processes of a run.

Nothing here looks at a clock or starts anything. How often, and after which pauses, is each
process's own matter (:mod:`fastingest.supervisor.restart_policy`); here it is decided whether there
is to be another at all. Until it is started, it is *due*.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from fastingest.supervisor.restart_policy import RestartPolicy

__all__ = ["Fate", "Restarts"]


@dataclass(frozen=True)
class Fate:
    """What follows on a death.

    :param due: when another one is to be started; None: none is.
    :param is_failure: whether the run has failed of it.
    :param deaths: how often the process has died in a row.
    """

    due: float | None
    is_failure: bool
    deaths: int


class Restarts:
    """Decides for all processes that have a successor. Moments are by the monotonic clock.

    :param writer: the name of the one that a run needs to its end.
    :param receivers: the names of those that it does not.
    :param keeps_journal: whether a successor could know where to go on.
    """

    def __init__(self, writer: str, receivers: Iterable[str], *, keeps_journal: bool) -> None:
        self._writer = writer
        self._policies = {name: RestartPolicy() for name in (writer, *receivers)}
        self._keeps_journal = keeps_journal
        self._due: dict[str, float] = {}
        self._is_ending = False

    @property
    def due(self) -> Set[str]:
        """Who is to take another's place."""
        return self._due.keys()

    @property
    def next(self) -> float:
        """When the first of them is to be started."""
        return min(self._due.values(), default=float("inf"))

    def due_at(self, now: float) -> list[str]:
        """Who is to be started now."""
        return [name for name, at in self._due.items() if at <= now]

    def started(self, name: str, now: float) -> None:
        """It is started, or at least that is tried."""
        self._policies[name].started(now)

    def died(self, name: str, now: float) -> Fate:
        """It has died, or could not be started."""
        policy = self._policies[name]
        due = policy.died(now, patient=not self._is_ending)
        has_gone_on_dying = due is None
        if not self._keeps_journal or (self._is_ending and name != self._writer):
            due = None
        if due is not None:
            self._due[name] = due
        # A receiver that dies when the run is to end has handed on all that it ever can.
        is_failure = has_gone_on_dying or (due is None and not self._is_ending)
        return Fate(due, is_failure, policy.deaths)

    def take(self, name: str) -> bool:
        """It is to be started now; whether it still is to be."""
        return self._due.pop(name, None) is not None

    def begin_to_end(self, now: float) -> None:
        """The run is to end: nobody but the writer is needed any more, and that one at once."""
        self._is_ending = True
        self._due = {name: now for name in self._due if name == self._writer}

    def give_up(self) -> None:
        """Nobody is to be started any more of those that are due."""
        self._due.clear()
