"""What a stream is, and invented values for it."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["NOW", "Expert", "Some", "Stream", "stream"]

NOW = 1_700_000_000.0


@dataclass(frozen=True)
class Expert:
    """A table as a person would describe it.

    :param columns: as in ``columns``.
    :param rows: as in ``rows``, or names and places.
    :param where: as in ``where``.
    :param more: columns that a probe may keep besides, because it cannot know that they are of no
        use: their sources.
    """

    columns: str
    rows: str | dict[str, str] | list[str] = ""
    where: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stream:
    """Messages and what is to be captured of them.

    :param heard: what a probe hears.
    :param later: what comes afterwards.
    """

    name: str
    heard: list[bytes]
    later: list[bytes]
    tables: tuple[Expert, ...]


class Some:
    """Invented values, the same ones each time."""

    def __init__(self, name: str) -> None:
        self._random = random.Random(name)
        self._ids = itertools.count(self._random.randrange(10**8, 2 * 10**8))
        self._ms = int(NOW * 1000) - 4000

    def price(self) -> float:
        """A price, with one or two digits behind the point."""
        return round(self._random.uniform(100, 110), 2)

    def bid(self) -> float:
        """A price below all asks."""
        return round(self._random.uniform(90, 99), 2)

    def size(self) -> float:
        """A size."""
        return round(self._random.uniform(0.001, 9), self._random.choice([1, 2, 4]))

    def id(self) -> int:
        """The next number."""
        return next(self._ids)

    def ms(self) -> int:
        """The next millisecond or so."""
        self._ms += self._random.randrange(1, 80)
        return self._ms

    def iso(self, digits: int = 6) -> str:
        """A moment of ISO 8601, with zeros left out at its end, as many venues do."""
        ms = self.ms()
        fraction = f"{ms % 1000:03}{self._random.randrange(10**6):06}"[:digits].rstrip("0")
        return f"2023-11-14T22:13:{ms // 1000 % 60:02}{'.' * bool(fraction)}{fraction}Z"

    def of(self, *values: Any) -> Any:
        """One of them."""
        return self._random.choice(values)

    def levels(self, price: Callable[[], float], *more: str) -> list[list[str]]:
        """One to three levels of a book, as texts."""
        count = self._random.randrange(1, 4)
        return [[str(price()), str(self.size()), *more] for _ in range(count)]

    def mixed(self, *kinds: Sequence[Any]) -> list[Any]:
        """Messages of several kinds, in turn by chance, each kind in its order."""
        order = [index for index, kind in enumerate(kinds) for _ in kind]
        self._random.shuffle(order)
        each = [iter(kind) for kind in kinds]
        return [next(each[index]) for index in order]


def stream(name: str, heard: Sequence[Any], later: Sequence[Any], *tables: Expert) -> Stream:
    """A stream of messages that are written as JSON."""
    return Stream(name, [_raw(each) for each in heard], [_raw(each) for each in later], tables)


def _raw(message: Any) -> bytes:
    if isinstance(message, str):
        return message.encode()
    return json.dumps(message, separators=(",", ":")).encode()
