"""When which host may be asked for a connection, where several receivers share the feeds."""

from __future__ import annotations

from collections.abc import Callable

from fastingest.runtime.control import AskTurn, HostRefused, Turn
from fastingest.runtime.gate import Gate

__all__ = ["Gates"]


class Gates:
    """Those of all hosts. They are asked, and answer at once; nobody waits here.

    :param now: the clock of all processes.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._gates: dict[str, Gate] = {}
        self._feeds: dict[str, dict[str, int]] = {}  # of each host, by the receiver

    def answer(self, receiver: str, ask: AskTurn) -> Turn:
        """Whether a receiver may ask a host now, or nobody may before when.

        :param receiver: its name.
        """
        gate = self._gates.setdefault(ask.host, Gate())
        feeds = self._feeds.setdefault(ask.host, {})
        feeds[receiver] = ask.feeds
        gate.is_shared = sum(feeds.values()) > 1
        now = self._now()
        if gate.open_at > now:
            return Turn(ask.number, gate.open_at, is_now=False)
        gate.passed(now)
        return Turn(ask.number, now, is_now=True)

    def refused(self, told: HostRefused) -> None:
        """A host has said that it is asked too often."""
        gate = self._gates.setdefault(told.host, Gate())
        gate.refused(told.asked_at, self._now(), told.wait)
