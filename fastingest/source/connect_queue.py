"""Where feeds wait for their turn to connect: one queue for each host.

When it is somebody's turn is decided by a :class:`~fastingest.runtime.gate.Gate`. A receiver that
is alone has those of all its hosts itself. Where several share the feeds of a run, one place
decides for all of them (:class:`Office`), and is asked at each connect. It says at once when the
host may be asked; who may not yet waits, and asks again. So nobody waits there, and who dies
meanwhile is in nobody's way. A receiver that gets no answer decides by a gate of its own, at which
the times between two connects are longer by the number of the receivers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from fastingest.access.secrets import shown
from fastingest.runtime.gate import Gate

__all__ = ["ConnectQueue", "HostQueues", "Office", "SharedQueue", "Turn"]


class Turn(NamedTuple):
    """When a host may be asked."""

    at: float
    """The moment."""
    is_now: bool
    """Whether it is that of who has asked; otherwise nobody may ask before it."""


class Office(Protocol):
    """Decides for all receivers when a host may be asked."""

    async def ask(self, host: str, feeds: int) -> Turn | None:
        """Ask for a turn; None: nobody answers.

        :param feeds: how many of this receiver the host has.
        """

    def refused(self, host: str, asked_at: float, wait: float) -> None:
        """Tell that the host is asked too often, as in :meth:`ConnectQueue.refused`."""


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
            return await self._pass()

    async def _pass(self) -> float:
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


class SharedQueue(ConnectQueue):
    """That of a host which other receivers may ask as well.

    :param gate: decides where nobody answers.
    :param now: the clock of all receivers.
    :param host: its name.
    :param office: decides otherwise.
    """

    def __init__(self, gate: Gate, now: Callable[[], float], host: str, office: Office) -> None:
        super().__init__(gate, now)
        self._host = host
        self._office = office
        self._feeds = 1
        self._open_at = 0.0  # nobody may ask before, as far as this receiver knows

    def share(self) -> None:
        """As in :class:`ConnectQueue`."""
        super().share()
        self._feeds += 1

    @property
    def wait(self) -> float:
        """As in :class:`ConnectQueue`."""
        return max(0.0, self._open_at - self._now())

    async def _pass(self) -> float:
        while True:
            while (left := self.wait) > 0:
                await asyncio.sleep(left)
            turn = await self._office.ask(self._host, self._feeds)
            if turn is None:
                return await super()._pass()
            if not turn.is_now:
                self._open_at = max(self._open_at, turn.at)
            elif not self.wait:  # otherwise one of ours was refused meanwhile
                self._gate.passed(turn.at)
                return turn.at

    def refused(self, asked_at: float, wait: float) -> None:
        """As in :class:`ConnectQueue`."""
        now = self._now()
        hold = self._gate.refused(asked_at, now, wait)  # the office may say more
        self._open_at = max(self._open_at, now + hold)
        self._office.refused(self._host, asked_at, wait)


class HostQueues:
    """The queues of a receiver.

    :param sharers: how many receivers the run has.
    :param office: decides for them; None: this is the only one.
    """

    def __init__(self, sharers: int, now: Callable[[], float], office: Office | None) -> None:
        self._sharers = sharers
        self._now = now
        self._office = office
        self._queues: dict[str, ConnectQueue] = {}

    def of(self, url: str) -> ConnectQueue:
        """That of the URL's host.

        :param url: a feed's, as it is written.
        """
        host = urlsplit(shown(url)).netloc.rpartition("@")[2].lower()
        if host in self._queues:
            self._queues[host].share()
            return self._queues[host]
        gate = Gate(self._sharers)
        self._queues[host] = (
            ConnectQueue(gate, self._now)
            if self._office is None
            else SharedQueue(gate, self._now, host, self._office)
        )
        return self._queues[host]
