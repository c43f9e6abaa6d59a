"""What a venue refuses: told once, in its own words, with the symbols that it is about.

Refusals are counted one by one, for each of the feed's connections. In the log each has one line
for its words, whatever connections they come by. Where the same words come for further symbols,
these are gathered for a moment, and told together. Moments, and the symbols themselves, make no
other words. What is granted after all is told as well, and is news when it is refused anew.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from fastingest.metrics.counters import FeedCounters, Slot
from fastingest.model.event import Event
from fastingest.source.events import GrantedByFeed, RefusedByFeed

__all__ = ["GATHERED_FOR", "MAX_WORDS", "About", "Refusals"]

GATHERED_FOR = 1.0
"""Seconds in which symbols are gathered that are refused in the same words."""

MAX_WORDS = 50
"""Different words that are logged in a run; further ones are counted only."""

_MOMENT = re.compile(r"\d{2}:\d{2}:\d{2}[.\d]*|\d{9,}")


class About(NamedTuple):
    """What a refusal is about."""

    subscription: int | None
    """Its number; None: that is not known."""
    is_retried: bool = False
    """Whether that is asked for again."""


class Refusals:
    """Those of one feed, by all its connections, each of which has a number from 0 on.

    :param symbols: the feed's.
    :param counters: the feed's.
    :param report: takes events for the log.
    :param lines: how many connections the feed has.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        counters: FeedCounters,
        report: Callable[[Event], None],
        lines: int = 1,
    ) -> None:
        self._symbols = symbols
        self._counters = counters
        self._report = report
        self._told: dict[str, set[str]] = {}  # about what, by the words
        self._gathered: dict[str, tuple[str, list[str]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._here = [0] * lines  # on the present connection, of what is not asked for again
        self._retried = [0] * lines  # things that are
        self._now = [0] * lines  # both, or what is known of the connection before
        self._known: set[int] = set()  # whose present connection has been asked for all
        self._unknown = set(range(lines))  # of which it is not known yet
        self._before = counters[Slot.REFUSED_NOW]

    def connected(self, line: int = 0) -> None:
        """What comes from now on comes by another connection in the place of this one."""
        self._here[line] = self._retried[line] = 0
        self._known.discard(line)

    def ready(self, line: int = 0) -> None:
        """All is asked for there, so it is known what is refused now; more may follow."""
        self._known.add(line)
        self._unknown.discard(line)
        self._count(line)

    def retried(self, things: int, line: int = 0) -> None:
        """So many things are refused there now that are asked for again."""
        self._retried[line] = things
        self._count(line)

    def _count(self, line: int) -> None:
        here = self._here[line] + self._retried[line]
        self._now[line] = here if line in self._known else max(self._now[line], here)
        now = sum(self._now)
        self._counters[Slot.REFUSED_NOW] = max(now, self._before) if self._unknown else now

    def named_in(self, text: str) -> tuple[str, ...]:
        """The feed's symbols that stand in a text, as whole words, in any case."""
        if self._pattern is None:
            return ()
        found = {each.lower() for each in self._pattern.findall(text)}
        return tuple(symbol for symbol in self._symbols if symbol.lower() in found)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self._symbols:
            return None
        # The longest first: another one may be a part of it.
        any_of_them = "|".join(map(re.escape, sorted(self._symbols, key=len, reverse=True)))
        return re.compile(rf"(?<![^\W_])(?:{any_of_them})(?![^\W_])", re.IGNORECASE)

    def add(
        self,
        words: str,
        symbols: Sequence[str],
        subscription: str | None,
        line: int = 0,
        *,
        is_retried: bool = False,
    ) -> None:
        """Count one, and tell it.

        :param words: the venue's, for people.
        :param symbols: what it is about.
        :param subscription: or else the subscription that it is about; None: that is not known.
        :param is_retried: that is asked for again, and counted by :meth:`retried`.
        """
        self._counters.add(Slot.REFUSED)
        self._here[line] += not is_retried
        self._count(line)
        key = _MOMENT.sub("#", words)
        if self._pattern is not None:
            key = self._pattern.sub("#", key)
        about = list(symbols) or [subscription or ""]
        if key not in self._told:
            if len(self._told) < MAX_WORDS:
                self._told[key] = set(about)
                self._tell(words, symbols, subscription)
            return
        new = [each for each in about if each and each not in self._told[key]]
        self._told[key].update(new)
        if new:
            self._gathered.setdefault(key, (words, []))[1].extend(new)
            if self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(GATHERED_FOR, self.flush)

    def granted(self, symbols: Sequence[str], subscription: str) -> None:
        """Tell what is granted that was refused before.

        :param symbols: what that is.
        :param subscription: or else the subscription that is.
        """
        self.flush()
        for told in self._told.values():
            told.difference_update(symbols or (subscription,))
        named = " ".join(symbols) or None
        self._report(GrantedByFeed(named, None if named else subscription))

    def flush(self) -> None:
        """Tell what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._gathered = self._gathered, {}
        for words, about in gathered.values():
            self._tell(words, about, None)

    def _tell(self, words: str, symbols: Sequence[str], subscription: str | None) -> None:
        named = " ".join(symbols) or None
        self._report(RefusedByFeed(words, named, None if named else subscription))
