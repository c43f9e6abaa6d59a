"""When a host may be asked for another connection, over all feeds of a receiver.

Venues limit how often one may connect, and some prolong a ban with each try in it. So connects to
one host go through one queue. Nobody waits in it until the host has said once that it is too
often. Then

- nobody asks for as long as it says (``Retry-After``). Where it does not say, and the host has
  several feeds, that is :data:`FIRST_HOLD` seconds, twice as long each time that it says so again,
  up to :data:`MAX_HOLD`; a single feed waits as it does after any failure;
- after that one asks, and the others follow one by one, :data:`FIRST_PACE` seconds apart, which
  grows likewise.

What was asked before the host said so, and is refused after it, is no news. When it has said
nothing of the kind for :data:`CALM` seconds, all is forgotten.

Receivers that share the feeds of a run have a queue each; the times between their connects are
longer by their number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from fastingest.access.secrets import shown

__all__ = ["CALM", "FIRST_HOLD", "FIRST_PACE", "MAX_HOLD", "ConnectQueue", "Gate", "HostQueues"]

FIRST_HOLD, MAX_HOLD = 5.0, 60.0
"""Seconds without a connect after a refusal."""

FIRST_PACE, MAX_PACE = 0.5, 10.0
"""Seconds between two connects after that."""

CALM = 120.0
"""Seconds after which a refusal is forgotten."""


class Gate:
    """Decides for one host. It is told what happens, and looks at no clock.

    Moments are in seconds, by one clock.

    :param sharers: how many receivers ask the same host.
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

    def refused(self, asked_at: float, now: float, wait: float) -> None:
        """The host has said that it is asked too often.

        :param asked_at: when it was asked.
        :param wait: seconds that it wants to be left alone; 0.0: it did not say.
        """
        if self._refused_at is None or asked_at >= self._refused_at:
            self._hold = min(max(FIRST_HOLD, 2 * self._hold), MAX_HOLD)
            self._pace = min(max(FIRST_PACE, 2 * self._pace), MAX_PACE)
            self._refused_at = now
        hold = self._hold if self.is_shared else 0.0
        self.open_at = max(self.open_at, now + (wait or hold))


class ConnectQueue:
    """Where those who want to connect to one host wait for their turn, in the order they came.

    :param gate: decides.
    :param now: the gate's clock.
    """

    def __init__(self, gate: Gate, now: Callable[[], float]) -> None:
        self._gate = gate
        self._now = now
        self._turn = asyncio.Lock()

    def share(self) -> None:
        """Take note that another feed asks the same host."""
        self._gate.is_shared = True

    @property
    def wait(self) -> float:
        """Seconds until somebody may ask; 0.0: at once."""
        return max(0.0, self._gate.open_at - self._now())

    async def turn(self) -> float:
        """Wait until the caller may ask; when that is."""
        async with self._turn:
            while (left := self._gate.open_at - self._now()) > 0:
                await asyncio.sleep(left)  # meanwhile it may be said that it takes longer
            now = self._now()
            self._gate.passed(now)
            return now

    def refused(self, asked_at: float, wait: float) -> None:
        """Take note that the host has said that it is asked too often.

        :param asked_at: what :meth:`turn` has said.
        :param wait: as in :meth:`Gate.refused`.
        """
        self._gate.refused(asked_at, self._now(), wait)


class HostQueues:
    """The queues of a receiver.

    :param sharers: how many receivers the run has.
    """

    def __init__(self, sharers: int, now: Callable[[], float]) -> None:
        self._sharers = sharers
        self._now = now
        self._queues: dict[str, ConnectQueue] = {}

    def of(self, url: str) -> ConnectQueue:
        """That of the URL's host.

        :param url: a feed's, as it is written.
        """
        host = urlsplit(shown(url)).netloc.rpartition("@")[2].lower()
        if host in self._queues:
            self._queues[host].share()
        else:
            self._queues[host] = ConnectQueue(Gate(self._sharers), self._now)
        return self._queues[host]
