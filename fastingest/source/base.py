"""What keeps a feed coming, whatever it is made of; the WebSocket one is in ``connection``.

A source feeds an :class:`fastingest.source.intake.Intake`, which it is made with. It never waits
for who takes the rows: :meth:`Source.pause` is how it is told that they find no room.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from fastingest.access.secrets import Redactor
from fastingest.source.gap import Outage

__all__ = ["Source", "SourceObserver"]


class SourceObserver:
    """Told what becomes of a source; does nothing. Who acts on something overrides it."""

    def connected(self) -> None:
        """It is connected, for the first time or again."""

    def failed(self, reason: str) -> None:
        """There is no connection, and another one is tried; ``reason`` holds no secret."""

    def sampled(self, words: str) -> None:
        """A message of a new shape brings no row, and nothing describes it.

        :param words: the message, for people; it holds no secret.
        """

    def gap_ended(self, start_ns: int, seconds: float, reason: str) -> None:
        """A gap is over: there is a ready connection, or the source was stopped.

        :param start_ns: from when on it was, in nanoseconds since the epoch.
        :param seconds: its length.
        :param reason: why it was; it holds no secret.
        """


class Source(Protocol):
    """Keeps one feed coming."""

    redactor: Redactor
    """Hides the secrets in use, in what others say."""

    async def run(self, since: Outage | None = None) -> None:
        """Keep it coming until :meth:`stop`.

        :param since: why there has been nothing of it until now, and from when on. None: it has
            not been tried yet.
        :raises FeedRefused: the feed cannot be had, and waiting will not change that.
        """

    def stop(self) -> None:
        """Take nothing more, and hand on everything received; :meth:`run` then ends."""

    def pause(self) -> None:
        """Read nothing until :meth:`resume`.

        Only what is connected is paused, so it has to be called again for a new connection.
        """

    def resume(self) -> None:
        """Read again."""

    def give_up(self, reason: str, lines: Collection[int] | None = None) -> None:
        """Connect anew, for this reason; nothing where there is no connection.

        :param reason: one line for people, without secrets.
        :param lines: which of the feed's connections, from 0; None: all.
        """
