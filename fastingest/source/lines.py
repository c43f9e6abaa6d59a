"""Keeps a feed coming by several connections, each of which asks for a part of its symbols.

Each connection (:mod:`fastingest.source.connection`) lives for itself: it has a backoff, a
watchdog, gaps and refusals of its own. What they bring goes into one intake, and from there on it
is one feed. The feed cannot be had when none of them can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from fastingest.access.secrets import joint
from fastingest.source.connection import Connection
from fastingest.source.gap import Outage

__all__ = ["Lines"]


class Lines:
    """The connections of one feed; a :class:`fastingest.source.base.Source`.

    :param connections: in the order of the feed's lines.
    :param since: from when on each has had no ready connection, in nanoseconds since the epoch, by
        its place in that order, where another process has had it before; one that is not there was
        lost with that process.
    """

    def __init__(self, connections: Sequence[Connection], since: Mapping[int, int]) -> None:
        self._connections = tuple(connections)
        self._since = since
        self.redactor = joint([each.redactor for each in connections])
        """Hides the secrets in use, in what others say."""

    async def run(self, since: Outage | None = None) -> None:
        """Stay connected until :meth:`stop`.

        :param since: why there has been no ready connection, and from when on for those of which
            nothing else is known. None: none has been tried yet.
        :raises FeedRefused: the feed cannot be had, and waiting will not change that.
        """
        runs = [
            asyncio.create_task(connection.run(self._outage(line, since)))
            for line, connection in enumerate(self._connections)
        ]
        try:
            await asyncio.gather(*runs)
        except Exception:
            self.stop()
            await asyncio.gather(*runs, return_exceptions=True)
            raise

    def _outage(self, line: int, since: Outage | None) -> Outage | None:
        if since is None:
            return None
        return since._replace(start_ns=self._since.get(line) or since.start_ns)

    def stop(self) -> None:
        """Take nothing more, hand on everything received, and close with code 1000."""
        for connection in self._connections:
            connection.stop()

    def pause(self) -> None:
        """Do not read the sockets until :meth:`resume`."""
        for connection in self._connections:
            connection.pause()

    def resume(self) -> None:
        """Read again."""
        for connection in self._connections:
            connection.resume()

    def give_up(self, reason: str, lines: Collection[int] | None = None) -> None:
        """Connect anew; nothing where there is no connection."""
        for connection in self._connections:
            connection.give_up(reason, lines)
