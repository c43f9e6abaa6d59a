"""What of a feed has brought no row for too long: the feed itself, values of a column, symbols.

Theory of operation. There is one clock for a feed. It goes on while the feed has a ready connection
that is read, and stands still otherwise: such a time is a gap, or a pause. Each thing that is
followed has the moment of its last row; what has none yet began with the clock. So a symbol that
was asked for, and has never brought a row, is stale as well. When a value comes in which its name
stands, the value is followed in its place.

Where the feed has several connections, each has such a clock, by which its symbols are followed,
and the values that are theirs. That of the feed goes on while any of them is ready.

A row is seen when its batch is closed, which is a flush interval after it came, at most. So that
much is added to the time that is waited: whoever is called stale is.

Nothing here looks at a clock of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["MAX_NAME", "MAX_VALUES", "Change", "Staleness", "is_meant"]

MAX_VALUES = 10_000
"""Values that are followed; further ones are not."""

MAX_NAME = 100
"""Characters of a value that are looked at."""


class Change(NamedTuple):
    """What is otherwise than at the look before."""

    stale: tuple[str, ...]
    """What is stale now, and was not."""
    back: tuple[str, ...]
    """What was stale, and is not any more."""
    must_reconnect: bool
    """Whether another connection may help."""
    lines: frozenset[int] | None = None
    """In the place of which of several, from 0; None: of all, or it is not known of which."""


class Staleness:
    """Follows one feed.

    :param name: the feed's.
    :param limit: seconds without a row after which something is stale.
    :param symbols: what was asked for, where a column is followed in which they stand; one with a
        ``*`` stands for many, and is left out.
    :param lines: of them, those of each connection, where there are several.
    """

    def __init__(
        self,
        name: str,
        limit: float,
        symbols: Sequence[str] = (),
        lines: Sequence[Sequence[str]] = (),
    ) -> None:
        self._name = name
        self._limit = limit
        self._clock = 0.0
        self._clocks = [0.0] * len(lines)
        self._lines = {symbol: line for line, own in enumerate(lines) for symbol in own}
        """The connections of symbols, and of values as far as they are known."""
        self._last = 0.0  # moment of the last row of all
        self._seen: dict[str, float] = {}  # moments of the last rows, by value
        self._unseen = {symbol: 0.0 for symbol in symbols if "*" not in symbol}
        self._tried = 0.0  # when the connection was last given up for the feed itself
        self._stale: dict[tuple[bool, str], None] = {}  # in order; whether it is the feed itself
        self.is_full = False
        """Whether there were more than :data:`MAX_VALUES` values."""

    @property
    def names(self) -> tuple[str, ...]:
        """What is stale, as of the latest look."""
        return tuple(name for _, name in self._stale)

    def see(self, values: Iterable[str] = ()) -> None:
        """Rows have come.

        :param values: those that they have in the column that is followed.
        """
        self._last = self._clock
        for value in values:
            if value not in self._seen:
                if len(self._seen) >= MAX_VALUES:
                    self.is_full = True
                    continue
                self._meet(value)
            self._seen[value] = self._clock_of(value)

    def _clock_of(self, name: str) -> float:
        line = self._lines.get(name)
        return self._clock if line is None else self._clocks[line]

    def _meet(self, value: str) -> None:
        """A value is there for the first time: whose symbol that is brings rows."""
        exact = [symbol for symbol in self._unseen if symbol.lower() == value.lower()]
        meant = exact or [symbol for symbol in self._unseen if is_meant(symbol, value)]
        for symbol in meant:
            del self._unseen[symbol]
            if symbol in self._lines:
                self._lines[value] = self._lines[symbol]

    def look(self, seconds: float, by_line: Sequence[float] = ()) -> Change:
        """What is stale now.

        :param seconds: by which the clock goes on: the time since the latest look, if there was a
            ready connection.
        :param by_line: the same for each of several.
        """
        self._clock += seconds
        if by_line:
            self._clocks = [at + more for at, more in zip(self._clocks, by_line, strict=True)]
        since = self._clock - self._limit
        stale = {(True, self._name): None} if self._last <= since else {}
        for moments in (self._unseen, self._seen):
            stale |= {
                (False, name): None
                for name, at in moments.items()
                if at <= self._clock_of(name) - self._limit
            }
        before, self._stale = self._stale, stale
        became = [key for key in stale if key not in before]
        is_still_silent = self._last <= since and self._tried <= since
        return Change(
            tuple(key[1] for key in became),
            tuple(key[1] for key in before if key not in stale),
            bool(became) or is_still_silent,
            None if is_still_silent else self._lines_of(became),
        )

    def _lines_of(self, became: Sequence[tuple[bool, str]]) -> frozenset[int] | None:
        lines = {None if is_feed else self._lines.get(name) for is_feed, name in became}
        known = frozenset(line for line in lines if line is not None)
        return known if known and None not in lines else None

    def gave_up(self, lines: frozenset[int] | None = None) -> None:
        """The connection was given up for it: the next one gets as much time for what is not stale.

        What is stale is tried once. The feed itself is tried again and again.

        :param lines: which of several connections; None: all.
        """
        if lines is None:
            self._tried = self._clock
            if (True, self._name) not in self._stale:
                self._last = self._clock
        for moments in (self._unseen, self._seen):
            for name in moments:
                is_over = lines is None or self._lines.get(name) in lines
                if is_over and (False, name) not in self._stale:
                    moments[name] = self._clock_of(name)


def is_meant(symbol: str, value: str) -> bool:
    """Whether a value of a column is of a symbol, as venues write both.

    One stands in the other, as whole words and in any case (``btcusd`` in ``live_trades_btcusd``),
    or they differ in the marks between their letters and digits only (``BTC/USD``, ``btcusd``).
    """
    one, other = symbol.lower(), value.lower()
    if _squeezed(one) == _squeezed(other):
        return True
    return _stands_in(one, other) or _stands_in(other, one)


def _squeezed(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


def _stands_in(part: str, whole: str) -> bool:
    if not part or part not in whole:
        return False
    return re.search(rf"(?<![^\W_]){re.escape(part)}(?![^\W_])", whole) is not None
