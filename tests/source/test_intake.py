"""When messages are decoded, counted and handed on: with a clock that is set, and no socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.model.batch import Batch
from fastingest.model.schema import TRADES
from fastingest.source.intake import Intake, Limit

FLUSH = 0.5
EPOCH = 1_700_000_000 * 10**9


class Clock:
    """Time that stands until it is moved, and what is to happen at it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Any] = []

    def time_ns(self) -> int:
        return EPOCH + round(self.now * 1e9)

    def call_later(self, delay: float, call: Callable[[], None]) -> Any:
        timer = SimpleNamespace(at=self.now + delay, call=call)
        timer.cancel = lambda: self._cancel(timer)
        self.timers.append(timer)
        return timer

    def _cancel(self, timer: Any) -> None:
        self.timers = [each for each in self.timers if each is not timer]

    def move(self, seconds: float) -> None:
        self.now += seconds
        for timer in [each for each in self.timers if each.at <= self.now + 1e-9]:
            self.timers.remove(timer)
            timer.call()


class Rig:
    """An intake, and what comes of it."""

    def __init__(self, clock: Clock, batch_size: int = 100, most: int | None = None) -> None:
        self.clock = clock
        self.counters = Counters.create()
        self.batches: list[Batch] = []
        self.said: list[str] = []
        self.intake = Intake(
            FeedDecoder([TRADES], batch_size),
            FeedCounters([self.counters]),
            emit=self.batches.append,
            finished=lambda: self.said.append("finished"),
            flush_interval=FLUSH,
            limit=Limit(most),
        )
        self.intake.when_stopped(lambda: self.said.append("stopped"))

    def read(self, *messages: bytes) -> None:
        for message in messages:
            self.intake.message(message)
        self.intake.end_of_read()

    @property
    def volumes(self) -> list[Any]:
        return [v for batch in self.batches if batch.rows for v in batch.columns()[2]]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Messages, those of them that are decoded, and rows and rejects."""
        counters = self.counters
        return counters[Slot.MESSAGES], counters[Slot.DECODED], counters[Slot.RECEIVED]


def rows(count: int, padding: int = 0, start: int = 0) -> list[bytes]:
    return [
        b'{"symbol": "A", "price": 1, "volume": %d}' % number + b" " * padding
        for number in range(start, start + count)
    ]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    loop = SimpleNamespace(call_later=clock.call_later)
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    monkeypatch.setattr(time, "time_ns", clock.time_ns)
    return clock


def test_a_read_of_few_messages_waits_for_company(clock: Clock) -> None:
    rig = Rig(clock)
    rig.read(*rows(31))
    assert rig.counts == (31, 0, 0)
    rig.read()  # such as one of a ping alone
    rig.read(*rows(32, start=31))
    assert rig.counts == (63, 63, 63)
    assert rig.batches == []


def test_each_read_has_one_time(clock: Clock) -> None:
    rig = Rig(clock)
    for moment in range(3):
        clock.now = moment / 10
        rig.read(*rows(2))
    rig.intake.flush()
    (batch,) = rig.batches
    assert batch.stamps == [(2, EPOCH), (4, EPOCH + 10**8), (6, EPOCH + 2 * 10**8)]


def test_a_batch_is_handed_on_when_its_oldest_row_is_too_old(clock: Clock) -> None:
    rig = Rig(clock)
    rig.read(*rows(1))
    clock.move(FLUSH - 0.1)
    rig.read(*rows(1, start=1))
    assert rig.batches == []
    clock.move(0.1)
    assert rig.volumes == [0, 1]
    clock.move(10 * FLUSH)
    assert len(rig.batches) == 1
    assert clock.timers == []


def test_after_a_full_batch_the_flush_interval_is_that_of_the_rows_left(clock: Clock) -> None:
    rig = Rig(clock, batch_size=40)
    rig.read(*rows(1))
    clock.move(FLUSH / 2)
    rig.read(*rows(49))
    assert [batch.rows for batch in rig.batches] == [40]
    assert [timer.at for timer in clock.timers] == [FLUSH / 2 + FLUSH]


@pytest.mark.parametrize(
    ("message", "most"), [(rows(1)[0], 1024), (rows(1, padding=9960)[0], 2**18 // 10_000 + 1)]
)
def test_what_waits_is_bounded_in_messages_and_in_bytes(
    clock: Clock, message: bytes, most: int
) -> None:
    rig = Rig(clock, batch_size=10_000)
    for _ in range(most - 1):
        rig.read(message)
    assert rig.counts == (most - 1, 0, 0)
    rig.read(message)
    assert rig.counts == (most, most, most)


def test_no_more_messages_wait_than_fill_the_batch(clock: Clock) -> None:
    rig = Rig(clock, batch_size=3)
    rig.read(*rows(2))
    assert rig.counts == (2, 0, 0)
    rig.read(*rows(1))
    assert [batch.rows for batch in rig.batches] == [3]


def test_what_the_source_has_used_up_is_ignored(clock: Clock) -> None:
    rig = Rig(clock)
    rig.read(*rows(1))
    rig.intake.count_ignored()
    rig.intake.flush()
    assert rig.counts == (2, 2, 1)
    assert rig.counters[Slot.IGNORED] == 1


def test_the_limit_stops_the_source_once_and_takes_not_a_row_more(clock: Clock) -> None:
    rig = Rig(clock, most=5)
    rig.read(*rows(4))
    assert rig.said == []
    rig.read(*rows(4, start=4))
    assert rig.volumes == [0, 1, 2, 3, 4]
    assert rig.said == ["stopped", "finished"]
    assert rig.intake.closed
    rig.intake.flush()
    assert rig.said == ["stopped", "finished"]


def test_a_limit_that_another_has_reached_is_reached(clock: Clock) -> None:
    rig = Rig(clock, most=5)
    rig.intake._limit.left = 0
    rig.read(*rows(40))
    assert rig.counts == (40, 40, 0)
    assert rig.volumes == []


def test_stopping_hands_on_what_came(clock: Clock) -> None:
    rig = Rig(clock)
    rig.read(*rows(3))
    rig.intake.message(rows(1, start=3)[0])  # of a read that is not over
    rig.intake.stop()
    assert rig.volumes == [0, 1, 2, 3]
    assert rig.counts == (4, 4, 4)
    assert rig.said == ["stopped"]


def test_rows_say_which_connection_they_came_by(clock: Clock) -> None:
    rig = Rig(clock)
    for _ in range(2):
        rig.intake.connected()
        rig.counters.add(Slot.CONNECTIONS)
        rig.read(*rows(2))
        rig.intake.disconnected()
    assert [batch.connections for batch in rig.batches] == [[(0, 1)], [(0, 2)]]


def test_messages_are_taken_back_from_the_first_that_is_too_large_on(clock: Clock) -> None:
    rig = Rig(clock)
    small, large = rows(1)[0], rows(1, padding=100)[0]
    for message in (small, large, small):
        rig.intake.message(message)
    assert not rig.intake.drop_larger_than(len(large))
    assert rig.intake.drop_larger_than(len(small))
    assert rig.intake.waiting == [small]


class Native:
    """A reader that takes every message, and its columns, which stay empty: all are ignored."""

    def __init__(self, rig: Rig) -> None:
        self.count = 0
        rig.intake.read_with(self, self)

    def take(self, message: bytes) -> None:
        self.count += 1

    def take_counts(self) -> tuple[int, int, int]:
        count, self.count = self.count, 0
        return count, count, 5 * count

    @property
    def rows(self) -> int:
        return 0

    @property
    def size(self) -> int:
        return 0

    def cut(self, rows: int) -> None:
        raise AssertionError("there are none")

    def extend(self, columns: Sequence[list[Any]]) -> None:
        raise AssertionError("nothing is decoded in Python")

    def chunks(self, start: int, stop: int) -> list[Any]:
        raise AssertionError("no batch is closed")

    def begin(self, start: int) -> None:
        raise AssertionError("no batch is closed")


def test_what_is_read_natively_is_counted_at_the_end_of_the_read(clock: Clock) -> None:
    rig = Rig(clock)
    native = Native(rig)
    for message in rows(3):
        rig.intake.message(message)
    assert (rig.counts, native.count) == ((0, 0, 0), 3)
    rig.intake.end_of_read()
    assert (rig.counts, native.count) == ((3, 3, 0), 0)
    assert (rig.counters[Slot.IGNORED], rig.counters[Slot.BLANKED]) == (3, 15)
    assert rig.intake.waiting == []
