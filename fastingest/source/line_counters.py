"""A feed's counters, where several connections of it write them.

Most slots are sums, to which each adds. What is of a connection itself is kept here for each of
them, and the slot has what follows for the feed (:data:`_TOGETHER`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from fastingest.metrics.counters import FeedCounters, Slot, State

__all__ = ["LineCounters", "counters_by_line"]

_TOGETHER: dict[Slot, Callable[[Sequence[int]], int]] = {
    Slot.STATE: lambda values: State.worst([State(value) for value in values]),
    Slot.NEVER_READY: sum,
    Slot.GAP_SINCE: lambda values: min(filter(None, values), default=0),
}


class LineCounters(FeedCounters):
    """The feed's counters as one of its connections has them.

    :param feed: the feed's.
    :param own: the slots that are kept for each connection, with the values of all of them.
    :param line: which connection it is, from 0.
    :param changed: told when it is no longer ready, or ready again: from when on it has not been,
        in nanoseconds since the epoch, or 0; and whether it never was.
    """

    def __init__(
        self,
        feed: FeedCounters,
        own: dict[Slot, list[int]],
        line: int,
        changed: Callable[[int, bool], None],
    ) -> None:
        super().__init__(feed.tables)
        self._own = own
        self._line = line
        self._changed = changed

    def __getitem__(self, slot: Slot) -> int:
        return self._own[slot][self._line] if slot in self._own else super().__getitem__(slot)

    def __setitem__(self, slot: Slot, value: int) -> None:
        if slot not in self._own:
            super().__setitem__(slot, value)
            return
        values = self._own[slot]
        before, values[self._line] = values[self._line], value
        super().__setitem__(slot, _TOGETHER[slot](values))
        if slot is not Slot.STATE and value != before:
            self._changed(self[Slot.GAP_SINCE], bool(self[Slot.NEVER_READY]))

    def add(self, slot: Slot, count: int = 1) -> None:
        """Add to a slot of the feed. A pause is one, however many connections it is of."""
        others = (each for at, each in enumerate(self._own[Slot.STATE]) if at != self._line)
        if slot is not Slot.PAUSES or State.PAUSED not in others:
            super().add(slot, count)


def counters_by_line(
    feed: FeedCounters,
    never_ready: Sequence[bool],
    changed: Callable[[int, int, bool], None],
) -> list[LineCounters]:
    """The counters of each of a feed's connections.

    :param feed: the feed's.
    :param never_ready: of each connection, whether one process before has tried to make it, and
        none has had it ready.
    :param changed: as for :class:`LineCounters`, with the number of the connection before, from 0.
    """
    own = {slot: [0] * len(never_ready) for slot in _TOGETHER}
    own[Slot.NEVER_READY] = list(map(int, never_ready))
    return [
        LineCounters(feed, own, line, partial(changed, line)) for line in range(len(never_ready))
    ]
