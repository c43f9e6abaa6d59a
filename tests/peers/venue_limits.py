"""What a venue allows: so many in a time, and which subscriptions."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Desk", "Meter", "Rate"]


@dataclass(frozen=True)
class Rate:
    """A limit: so many in any ``seconds``.

    :param ban: seconds for which nothing is let through once it was exceeded; each try in that time
        begins them anew.
    """

    count: int
    seconds: float
    ban: float = 0.0


class Meter:
    """Holds one who asks to a rate. What is not let through does not count."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._passed: deque[float] = deque()
        self._banned_until = float("-inf")

    def exceeded(self, now: float) -> bool:
        """Take one at this moment, in seconds; whether it is too much."""
        while self._passed and now - self._passed[0] >= self._rate.seconds:
            self._passed.popleft()
        if now < self._banned_until or len(self._passed) >= self._rate.count:
            self._banned_until = now + self._rate.ban
            return True
        self._passed.append(now)
        return False


@dataclass(frozen=True)
class Desk:
    """Where subscriptions are granted and refused, symbol by symbol.

    In texts ``{symbol}`` stands for the symbol. A text of the client in which ``symbols`` finds
    nothing gets no answer.

    :param symbols: finds the symbols in a text; with a group, it is that.
    :param granted: what is said to one that is granted; None: nothing.
    :param refused: what is said to those that are never granted.
    :param most: how many a connection may have.
    :param too_many: what is said to one above that.
    """

    symbols: re.Pattern[str]
    granted: str | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    most: int | None = None
    too_many: str = '{"error": "limit", "symbol": "{symbol}"}'

    def answers(self, text: str, has: list[str]) -> Iterable[str]:
        """What is said to a text.

        :param has: what the connection was granted; it gets what it is granted now.
        """
        for symbol in self.symbols.findall(text):
            said = self.refused.get(symbol)
            if said is None and self.most is not None and len(has) >= self.most:
                said = self.too_many
            if said is None:
                said = self.granted
                has.append(symbol)
            if said is not None:
                yield said.replace("{symbol}", symbol)
