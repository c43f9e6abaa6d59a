"""Tells the supervisor what becomes of a feed."""

from __future__ import annotations

from collections.abc import Callable

from fastingest.runtime.control import GapEnded, Notice, Sampled
from fastingest.source.base import SourceObserver

__all__ = ["Teller"]


class Teller(SourceObserver):
    """Tells of a feed's gaps, and of what it says in place of rows.

    :param feed: its name.
    :param tell: takes notices.
    :param connection: the number of one of its connections, from 1, where it has several.
    """

    def __init__(
        self, feed: str, tell: Callable[[Notice], None], connection: int | None = None
    ) -> None:
        self._feed, self._tell = feed, tell
        self._connection = connection

    def sampled(self, words: str) -> None:
        """As in :class:`SourceObserver`."""
        self._tell(Sampled(self._feed, words))

    def gap_ended(self, start_ns: int, seconds: float, reason: str) -> None:
        """As in :class:`SourceObserver`."""
        self._tell(GapEnded(self._feed, start_ns, seconds, reason, self._connection))
