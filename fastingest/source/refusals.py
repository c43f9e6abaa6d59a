"""What a venue refuses: told once, in its own words, with the symbols that it is about.

Refusals are counted one by one. In the log each has one line for its words, whatever connections
they come by. Where the same words come for further symbols, these are gathered for a moment, and
told together. Moments, and the symbols themselves, make no other words. What is granted after all
is told as well, and is news when it is refused anew.
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
    """Those of one feed.

    :param symbols: the feed's.
    :param counters: the feed's.
    :param report: takes events for the log.
    """

    def __init__(
        self, symbols: Sequence[str], counters: FeedCounters, report: Callable[[Event], None]
    ) -> None:
        self._symbols = symbols
        self._counters = counters
        self._report = report
        self._told: dict[str, set[str]] = {}  # about what, by the words
        self._gathered: dict[str, tuple[str, list[str]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._on_connection = 0  # refusals of what is not asked for again
        self._retried = 0  # things that are
        self._is_known = False  # what is refused by this connection

    def connected(self) -> None:
        """What comes from now on comes by another connection."""
        self._on_connection = self._retried = 0
        self._is_known = False

    def ready(self) -> None:
        """All is asked for, so it is known what is refused now; more may follow."""
        self._is_known = True
        self._show_now()

    def retried(self, things: int) -> None:
        """So many things are refused now that are asked for again."""
        self._retried = things
        self._show_now()

    def _show_now(self) -> None:
        now = self._on_connection + self._retried
        before = 0 if self._is_known else self._counters[Slot.REFUSED_NOW]
        self._counters[Slot.REFUSED_NOW] = max(before, now)

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
        self._on_connection += not is_retried
        self._show_now()
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
