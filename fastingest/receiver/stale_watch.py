"""Tells what of a feed is stale: from the batches that are handed on, and the time that goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from fastingest.metrics.counters import FeedCounters, Slot, State
from fastingest.model.batch import Batch
from fastingest.model.chunks import distinct
from fastingest.model.event import Event
from fastingest.model.feed import Feed
from fastingest.model.schema import Schema
from fastingest.runtime.control import Notice, StaleNow
from fastingest.source.base import Source
from fastingest.source.clock import elapsed
from fastingest.source.events import NoLongerStale, Stale, TooManyValues
from fastingest.source.staleness import MAX_NAME, MAX_VALUES, Change, Staleness
from fastingest.text import shortened
from fastingest.units import format_duration

__all__ = ["MAX_LOGGED", "MAX_TOLD", "StaleWatch"]

MAX_LOGGED = 20
"""Names in one line of the log; others are counted."""

MAX_TOLD = 100
"""Names that the ledger and the summary have; others are counted."""

_MAX_TICK = 1.0  # seconds


class StaleWatch:
    """Watches one feed that has a limit.

    :param feed: the feed.
    :param counters: its.
    :param flush_interval: seconds that a row may wait for its batch.
    :param report: takes events for the log.
    :param tell: takes notices for the supervisor.
    :param lines: the counters as each of the feed's connections has them; None: there is one.
    """

    def __init__(
        self,
        feed: Feed,
        counters: FeedCounters,
        *,
        flush_interval: float,
        report: Callable[[Event], None],
        tell: Callable[[Notice], None],
        lines: Sequence[FeedCounters] | None = None,
    ) -> None:
        limit = feed.stale_after or 0.0
        self._feed = feed
        self._limit = limit
        self._counters = counters
        self._lines = [counters] if lines is None else lines
        self._report = report
        self._tell = tell
        self._columns = [_place(table.schema, feed.stale_by) for table in feed.tables]
        symbols = feed.symbols if feed.stale_by else ()
        by_line = [line.symbols for line in feed.lines]
        self._staleness = Staleness(feed.name, limit + flush_interval, symbols, by_line)
        self._tick = min(_MAX_TICK, limit / 4)
        self._looked = 0.0
        self._source: Source | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._has_told_full = False

    def through(self, emit: Callable[[Batch], None]) -> Callable[[Batch], None]:
        """What takes a closed batch, looks at it, and hands it on."""

        def emit_seen(batch: Batch) -> None:
            emit(batch)
            if batch.rows:
                self._staleness.see(self._values(batch))

        return emit_seen

    def _values(self, batch: Batch) -> set[str]:
        place = self._columns[batch.table]
        if place is None:
            return set()
        return {_text(value) for chunk in batch.chunks()[place] for value in distinct(chunk)}

    def begin(self, source: Source) -> None:
        """Look from now on.

        :param source: brings the feed.
        """
        self._source = source
        self._looked = elapsed()
        self._publish()  # in the place of what a receiver before has said
        self._look_later()

    def end(self) -> None:
        """Look for the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._tell_change(self._staleness.look(0.0))

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._tick, self._look)

    def _look(self) -> None:
        before, self._looked = self._looked, elapsed()
        ready = [line[Slot.STATE] == State.CONNECTED for line in self._lines]
        # Where it was much longer, this process did not run, and what came waits to be read.
        seconds = min(self._looked - before, 2 * self._tick)
        by_line = [seconds * is_ready for is_ready in ready] if self._feed.lines else []
        change = self._staleness.look(seconds * any(ready), by_line)
        self._tell_change(change)
        if change.must_reconnect and any(ready) and self._feed.when_stale == "reconnect":
            self._staleness.gave_up(change.lines)
            self._reconnect(change.lines, {line for line, is_ready in enumerate(ready) if is_ready})
        self._look_later()

    def _reconnect(self, lines: frozenset[int] | None, ready: set[int]) -> None:
        if self._source is not None:
            names = self._listed(self._staleness.names)
            after = format_duration(self._limit)
            wanted = ready if lines is None else ready & lines
            self._source.give_up(f"stale, no row for {after}: {names}", wanted)

    def _tell_change(self, change: Change) -> None:
        if change.stale or change.back:
            self._publish()
        if change.back:
            self._report(NoLongerStale(self._listed(change.back)))
        if change.stale:
            self._report(Stale(self._listed(change.stale), self._limit))
        if self._staleness.is_full and not self._has_told_full:
            self._has_told_full = True
            self._report(TooManyValues(self._feed.stale_by, MAX_VALUES))

    def _publish(self) -> None:
        names = self._staleness.names
        self._counters[Slot.STALE] = len(names)
        self._tell(StaleNow(self._feed.name, tuple(map(self._hidden, names[:MAX_TOLD]))))

    def _listed(self, names: tuple[str, ...]) -> str:
        more = f" and {len(names) - MAX_LOGGED:,} more" if len(names) > MAX_LOGGED else ""
        return ", ".join(map(self._hidden, names[:MAX_LOGGED])) + more

    def _hidden(self, name: str) -> str:
        return shortened(name if self._source is None else self._source.redactor.hide(name))


def _place(schema: Schema, name: str) -> int | None:
    """Which of the columns that a batch has is the one of this name; None: none is."""
    names = [column.name for column in schema.columns if not column.is_metadata]
    return names.index(name) if name and name in names else None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)[:MAX_NAME]
