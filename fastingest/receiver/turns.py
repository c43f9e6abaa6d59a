"""Asks the supervisor when a host may be asked for a connection."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from fastingest.runtime import control
from fastingest.source.clock import elapsed
from fastingest.source.connect_queue import HostQueues, Turn

__all__ = ["PATIENCE", "Turns"]

PATIENCE = 3.0
"""Seconds that the supervisor has to answer. It does at once, but where it is stopped, or held up
by who has called :func:`fastingest.ingest`."""


class Turns:
    """An :class:`~fastingest.source.connect_queue.Office`.

    :param tell: takes notices for the supervisor.
    """

    def __init__(self, tell: Callable[[control.Notice], None]) -> None:
        self._tell = tell
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Turn]] = {}
        self._is_unanswered = False

    def queues(self, receivers: int) -> HostQueues:
        """Those of a receiver.

        :param receivers: how many the run has; one that is alone asks nobody.
        """
        return HostQueues(receivers, elapsed, self if receivers > 1 else None)

    async def ask(self, host: str, feeds: int) -> Turn | None:
        """As in :class:`~fastingest.source.connect_queue.Office`."""
        if self._is_unanswered:
            return None
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._tell(control.AskTurn(number, host, feeds))
            return await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError:
            self._is_unanswered = True
            return None
        finally:
            del self._asked[number]

    def answered(self, turn: control.Turn) -> None:
        """The supervisor has answered; if that took too long, it may be asked again at least."""
        self._is_unanswered = False
        answer = self._asked.get(turn.number)
        if answer is not None and not answer.done():
            answer.set_result(Turn(turn.at, turn.is_now))

    def refused(self, host: str, asked_at: float, wait: float) -> None:
        """As in :class:`~fastingest.source.connect_queue.Office`."""
        self._tell(control.HostRefused(host, asked_at, wait))
