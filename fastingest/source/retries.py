"""When what a venue has refused is asked for again, on the same connection.

Each subscription that is refused, all of it or some of its symbols, waits by itself: for the first
wait, then twice as long each time that it is refused again, up to :data:`MOST` times the first.
When it is sent again it is *tried*, until it is refused again, or for some time is not. What of it
is not refused is granted then, and forgotten; the rest waits again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MOST", "SETTLES", "Retries"]

MOST = 12
"""How much longer than the first a wait may become."""

SETTLES = 1.0
"""Seconds within which a venue that has replied refuses the other symbols of the same message."""


@dataclass
class _Refused:
    """What of a subscription is refused; without symbols, all of it is."""

    symbols: frozenset[str]
    wait: float
    at: float  # when it is due: to be sent again, or to be granted
    is_tried: bool = False
    again: frozenset[str] = frozenset()  # of the symbols, those that are refused while it is tried


class Retries:
    """Decides for one connection. It is told what happens, and looks at no clock.

    Moments are in seconds, by one clock. Subscriptions are told by their number.

    :param first: seconds from a refusal to the first retry.
    :param symbols: those of each subscription.
    """

    def __init__(self, first: float, symbols: Sequence[Sequence[str]]) -> None:
        self._first = first
        self._symbols = [frozenset(each) for each in symbols]
        self._refused: dict[int, _Refused] = {}
        self._latest: int | None = None

    @property
    def things(self) -> int:
        """How much is refused: symbols that were named, and subscriptions of which none was."""
        return sum(max(1, len(each.symbols)) for each in self._refused.values())

    @property
    def next(self) -> float:
        """When something is due; infinite: nothing is."""
        return min((each.at for each in self._refused.values()), default=math.inf)

    @property
    def latest(self) -> int | None:
        """The last one that was sent again, as long as it is tried."""
        return self._latest if self._latest is not None and self.is_tried(self._latest) else None

    def due(self, now: float) -> int | None:
        """One that is due, the first of them; None: none is."""
        number = min(self._refused, key=lambda each: self._refused[each].at, default=None)
        return None if number is None or self._refused[number].at > now else number

    def is_tried(self, number: int) -> bool:
        """Whether it was sent again, and is neither refused nor granted yet."""
        return number in self._refused and self._refused[number].is_tried

    def refused(self, number: int, symbols: Sequence[str], now: float) -> None:
        """It is refused.

        :param symbols: those of its symbols that are; empty: it is as a whole.
        """
        named = frozenset(symbols) & self._symbols[number]
        before = self._refused.get(number)
        if before is None:
            self._refused[number] = _Refused(named, self._first, now + self._first)
        elif not before.is_tried:
            is_whole = not (before.symbols and named)
            before.symbols = frozenset() if is_whole else before.symbols | named
        else:
            before.again |= named
            if not named:
                self._wait(number, before.symbols, now)
            elif before.again >= self._tried(number):
                self._wait(number, before.again, now)

    def _tried(self, number: int) -> frozenset[str]:
        return self._refused[number].symbols or self._symbols[number]

    def _wait(self, number: int, symbols: frozenset[str], now: float) -> None:
        wait = min(2 * self._refused[number].wait, MOST * self._first)
        self._refused[number] = _Refused(symbols, wait, now + wait)

    def try_again(self, number: int) -> frozenset[str]:
        """It is sent again now: with these of its symbols; empty: as it was."""
        refused = self._refused[number]
        refused.is_tried, refused.at, refused.again = True, math.inf, frozenset()
        self._latest = number
        return refused.symbols

    def settles(self, number: int, at: float) -> None:
        """What is not refused until then is granted."""
        if self.is_tried(number):
            self._refused[number].at = at

    def unanswered(self, number: int, now: float) -> None:
        """It was tried, and the reply to it has not come."""
        if self.is_tried(number):
            self._wait(number, self._refused[number].symbols, now)

    def settle(self, number: int, now: float) -> tuple[str, ...]:
        """It is granted, but for what was refused while it was tried.

        :returns: the symbols that are granted; empty: it has none.
        """
        granted = self._tried(number) - self._refused[number].again
        if self._refused[number].again:
            self._wait(number, self._refused[number].again, now)
        else:
            del self._refused[number]
        return tuple(sorted(granted))
