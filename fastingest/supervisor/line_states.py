"""How each connection stands of the feeds that have several, as their receivers tell.

The counters have one place for a feed. What they cannot hold is here, so that the receiver that
follows on one that died can go on with the gap of each connection, and those are known by their
number that were not ready once in the run.
"""

from __future__ import annotations

from msgspec.structs import replace

from fastingest.model.feed import Feed
from fastingest.runtime.control import LineState

__all__ = ["LineStates"]


class LineStates:
    """Those of all feeds of a run."""

    def __init__(self) -> None:
        self._states: dict[str, dict[int, LineState]] = {}

    def note(self, state: LineState) -> None:
        """Take what a receiver has told."""
        self._states.setdefault(state.feed, {})[state.connection] = state

    def of(self, feed: Feed) -> dict[int, LineState]:
        """The states of a feed's connections, by their numbers, as far as they are known."""
        return dict(self._states.get(feed.name, {}))

    def bury(self, feed: Feed, since: int, now: int) -> None:
        """The receiver of a feed has died: no connection of it is ready.

        :param since: from when on one has not been of which nothing is known, in nanoseconds since
            the epoch.
        :param now: from when on those are not that were.
        """
        states = self.of(feed)
        for number in range(1, len(feed.lines) + 1):
            state = states.get(number) or LineState(feed.name, number, since, never_ready=True)
            self.note(replace(state, since=state.since or now))

    def never_ready(self, feed: str) -> list[int]:
        """The numbers of those connections of a feed that were not ready once."""
        states = self._states.get(feed, {})
        return sorted(number for number, state in states.items() if state.never_ready)
