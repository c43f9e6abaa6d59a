"""Batches and time in; the counter, the log and the supervisor's notices out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import cast

import pytest

from fastingest.access.secrets import Redactor
from fastingest.metrics.counters import Counters, FeedCounters, Slot, State
from fastingest.model.batch import Batch, Reject
from fastingest.model.event import Event
from fastingest.model.feed import Feed, Line, Table
from fastingest.receiver import stale_watch
from fastingest.receiver.stale_watch import StaleWatch
from fastingest.runtime.control import Notice, StaleNow
from fastingest.source import staleness
from fastingest.source.base import Source
from fastingest.source.events import NoLongerStale, Stale, TooManyValues
from tests.support.builders import make_batch
from tests.support.patience import LIMIT

AFTER = 0.05


class FakeSource:
    """Takes note of why it is given up."""

    def __init__(self) -> None:
        self.redactor = Redactor()
        self.reasons: list[str] = []
        self.lines: list[set[int]] = []

    def give_up(self, reason: str, lines: Collection[int]) -> None:
        self.reasons.append(reason)
        self.lines.append(set(lines))


class Watched:
    """A feed that is connected, what it hands on, and what is told of it."""

    def __init__(self, by_line: Sequence[FeedCounters] | None = None, **of_feed: object) -> None:
        table = Table(Path("o.csv"))
        feed = Feed("venue", "ws://x", (table,), stale_after=AFTER, **of_feed)  # type: ignore[arg-type]
        self.counters = FeedCounters([Counters.create()])
        self.counters[Slot.STATE] = State.CONNECTED
        self.source = FakeSource()
        self.events: list[Event] = []
        self.notices: list[Notice] = []
        self.batches: list[Batch] = []
        self.watch = StaleWatch(
            feed,
            self.counters,
            flush_interval=0.0,
            report=self.events.append,
            tell=self.notices.append,
            lines=by_line,
        )
        self.emit = self.watch.through(self.batches.append)

    def begin(self) -> None:
        self.watch.begin(cast(Source, self.source))

    def rows(self, *symbols: str) -> None:
        self.emit(make_batch([(symbol, 1.5, 1) for symbol in symbols]))

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT):
            while not holds():
                await asyncio.sleep(AFTER / 10)


def told(*names: str) -> StaleNow:
    return StaleNow("venue", names)


def test_what_is_stale_is_counted_and_told_by_name_and_when_it_comes_back() -> None:
    async def scenario() -> None:
        watched = Watched(stale_by="symbol", symbols=("A", "B"))
        watched.counters[Slot.STALE] = 9  # of the receiver before
        watched.begin()
        assert (watched.counters[Slot.STALE], watched.notices) == (0, [told()])
        await watched.until(lambda: watched.counters[Slot.STALE] == 3)
        assert watched.events == [Stale("venue, A, B", AFTER)]
        watched.rows("B", "A", "B")
        watched.watch.end()
        assert watched.events[1:] == [NoLongerStale("venue, A, B")]
        assert watched.notices == [told(), told("venue", "A", "B"), told()]
        assert watched.counters[Slot.STALE] == 0
        assert [batch.rows for batch in watched.batches] == [3]
        assert watched.source.reasons == []

    asyncio.run(scenario())


def test_rejects_are_no_rows() -> None:
    async def scenario() -> None:
        watched = Watched()
        watched.begin()
        await watched.until(lambda: watched.counters[Slot.STALE])
        watched.emit(make_batch(0, rejects=[Reject(1, "why", b"{}")]))
        watched.watch.end()
        assert watched.events == [Stale("venue", AFTER)]
        assert len(watched.batches) == 1

    asyncio.run(scenario())


def test_only_a_connection_that_is_read_can_be_stale() -> None:
    async def scenario(state: State) -> None:
        watched = Watched()
        watched.counters[Slot.STATE] = state
        watched.begin()
        await asyncio.sleep(3 * AFTER)  # in which nothing may happen
        watched.watch.end()
        assert watched.events == []

    for state in set(State) - {State.CONNECTED}:
        asyncio.run(scenario(state))


def test_it_asks_for_another_connection_where_that_is_wanted() -> None:
    async def scenario() -> None:
        watched = Watched(when_stale="reconnect")
        watched.begin()
        await watched.until(lambda: len(watched.source.reasons) > 1)
        watched.watch.end()
        assert set(watched.source.reasons) == {"stale, no row for 50ms: venue"}
        assert watched.events == [Stale("venue", AFTER)]

    asyncio.run(scenario())


def test_secrets_are_hidden_and_many_names_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stale_watch, "MAX_LOGGED", 2)
    monkeypatch.setattr(stale_watch, "MAX_TOLD", 3)

    async def scenario() -> None:
        watched = Watched(stale_by="symbol")
        watched.source.redactor.use(["secret"])
        watched.rows("a secret\n", "B", "C", "D")
        watched.begin()
        await watched.until(lambda: watched.counters[Slot.STALE])
        watched.watch.end()
        assert watched.counters[Slot.STALE] == 5
        assert set(watched.notices[-1].names) <= {"venue", r"a ***\n", "B", "C", "D"}  # type: ignore[union-attr]
        assert len(watched.notices[-1].names) == 3  # type: ignore[union-attr]
        (event,) = watched.events
        assert isinstance(event, Stale)
        assert event.names.startswith("venue, ")
        assert event.names.endswith(" and 3 more")
        assert "secret" not in event.names

    asyncio.run(scenario())


def test_that_values_are_not_followed_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staleness, "MAX_VALUES", 1)
    monkeypatch.setattr(stale_watch, "MAX_VALUES", 1)

    async def scenario() -> None:
        watched = Watched(stale_by="symbol")
        watched.begin()
        watched.rows("A", "B")
        await watched.until(lambda: watched.counters[Slot.STALE])
        watched.watch.end()
        said = [event for event in watched.events if isinstance(event, TooManyValues)]
        assert said == [TooManyValues("symbol", 1)]

    asyncio.run(scenario())


def test_of_several_connections_that_is_made_anew_which_asks_for_the_symbol() -> None:
    async def scenario() -> None:
        states = [FeedCounters([Counters.create()]) for _ in range(3)]
        states[0][Slot.STATE] = states[1][Slot.STATE] = State.CONNECTED
        states[2][Slot.STATE] = State.WAITING
        watched = Watched(
            states,
            when_stale="reconnect",
            stale_by="symbol",
            symbols=("A", "B", "C"),
            lines=tuple(Line("ws://x", (), (symbol,)) for symbol in "ABC"),
        )
        watched.begin()
        async with asyncio.timeout(LIMIT):
            while not watched.source.lines:
                watched.rows("A")
                await asyncio.sleep(AFTER / 10)
        await watched.until(lambda: len(watched.source.lines) > 1)
        watched.watch.end()
        assert watched.source.lines[:2] == [{1}, {0, 1}]
        stale = [event.names for event in watched.events if isinstance(event, Stale)]
        assert stale[0] == "B"
        assert "C" not in "".join(stale)

    asyncio.run(scenario())
