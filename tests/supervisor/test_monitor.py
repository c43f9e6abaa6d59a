"""A run's numbers, from its counters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest import Options
from fastingest.metrics.counters import Slot
from fastingest.model.feed import Feed, Table
from fastingest.report.no_data import PATIENCE
from fastingest.runtime.assignment import SharedOutput, targets_of
from fastingest.storage.lock import OutputLock
from fastingest.supervisor.account import Account
from fastingest.supervisor.monitor import INTERVAL, SHORTEST_SAMPLE, Monitor
from fastingest.supervisor.progress import Standing


@pytest.fixture
def share(tmp_path: Path) -> Iterator[tuple[list[Feed], SharedOutput]]:
    """Two feeds that go to one output."""
    table = Table(tmp_path / "out.csv")
    feeds = [Feed(name, f"ws://127.0.0.1/{name}", (table,)) for name in ("a", "b")]
    (target,) = targets_of(feeds)
    account = Account(Options(url="ws://127.0.0.1/"), target, feeds)
    lock = OutputLock(target.path)
    yield feeds, SharedOutput(target, account.run, account.places, account.counters, lock)
    lock.release()
    account.places.remove()


def _monitor(share: tuple[list[Feed], SharedOutput]) -> tuple[Monitor, SharedOutput]:
    return Monitor(share[0], [share[1]], "Python"), share[1]


def test_the_rates_are_those_of_the_time_between_two_looks(
    share: tuple[list[Feed], SharedOutput],
) -> None:
    monitor, there = _monitor(share)
    monitor.begin(1000.0)
    assert monitor.next == 1000.0 + INTERVAL
    there.counters.feeds[1][Slot.WRITTEN] = 300
    monitor.sample(1002.0)
    assert monitor.next == 1002.0 + INTERVAL
    there.counters.feeds[0][Slot.WRITTEN] = 50
    monitor.sample(1003.0)
    assert monitor.summary().rates == (150.0, 50.0)
    assert monitor.summary().best_rate >= 150.0


@pytest.mark.parametrize(
    ("rest", "rates"), [(SHORTEST_SAMPLE / 2, (7.0,)), (SHORTEST_SAMPLE, (7.0, 0.0))]
)
def test_a_short_rest_of_a_run_makes_no_rate(
    share: tuple[list[Feed], SharedOutput], rest: float, rates: tuple[float, ...]
) -> None:
    monitor, there = _monitor(share)
    monitor.begin(1000.0)
    there.counters[Slot.WRITTEN] = 7
    monitor.sample(1001.0)
    monitor.finish(1001.0 + rest)
    assert monitor.summary().rates == rates


def test_a_run_shorter_than_a_second_has_its_one_rate(
    share: tuple[list[Feed], SharedOutput],
) -> None:
    monitor, there = _monitor(share)
    monitor.begin(1000.0)
    there.counters[Slot.WRITTEN] = 5
    monitor.finish(1000.25)
    assert monitor.summary().rates == (20.0,)


def test_restarts_are_counted(share: tuple[list[Feed], SharedOutput]) -> None:
    monitor, _ = _monitor(share)
    monitor.count_restart()
    monitor.count_restart()
    assert (monitor.summary().restarts, monitor.summary().listener) == (2, "Python")


def test_how_an_output_stands(share: tuple[list[Feed], SharedOutput]) -> None:
    monitor, there = _monitor(share)
    assert monitor.standings() == [Standing(0, 0, 0, 0)]  # there is no file yet
    there.target.path.write_bytes(b"symbol,price,volume\n")
    first, second = there.counters.feeds
    first[Slot.RECEIVED], first[Slot.WRITTEN], first[Slot.OUTBOX_BYTES] = 9, 4, 120
    second[Slot.RECEIVED], second[Slot.REJECTS_COMMITTED], second[Slot.OUTBOX_BYTES] = 5, 5, 3
    assert monitor.standings() == [Standing(accounted=9, size=20, waiting=5, queue=123)]


def test_a_feed_that_brings_no_rows_is_named(
    share: tuple[list[Feed], SharedOutput], caplog: pytest.LogCaptureFixture
) -> None:
    monitor, there = _monitor(share)
    feed = there.counters.feeds[1]
    feed[Slot.MESSAGES] = feed[Slot.DECODED] = feed[Slot.IGNORED] = 8
    monitor.look_for_rows(1000.0)
    monitor.look_for_rows(1000.0 + PATIENCE - 1)
    assert caplog.records == []
    monitor.look_for_rows(1000.0 + PATIENCE)
    monitor.look_for_rows(None)
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("WARNING", "no rows")
    fields = record.__dict__["facts"]
    assert (fields["feed"], fields["messages"], fields["ignored"]) == ("b", 8, 8)


def test_a_feed_that_brings_more_rejects_than_rows_is_named(
    share: tuple[list[Feed], SharedOutput], caplog: pytest.LogCaptureFixture
) -> None:
    monitor, there = _monitor(share)
    feed = there.counters.feeds[1]
    feed[Slot.MESSAGES] = feed[Slot.DECODED] = feed[Slot.RECEIVED] = 12
    feed[Slot.REJECTED] = 11
    monitor.look_for_rows(None)
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("WARNING", "most of what comes is rejected")
    fields = record.__dict__["facts"]
    assert (fields["feed"], fields["rejected"], fields["rows"]) == ("b", 11, 1)


def test_a_short_run_without_rows_is_told_at_its_end(
    share: tuple[list[Feed], SharedOutput], caplog: pytest.LogCaptureFixture
) -> None:
    monitor, there = _monitor(share)
    feed = there.counters.feeds[0]
    feed[Slot.MESSAGES] = feed[Slot.DECODED] = feed[Slot.IGNORED] = 1
    monitor.look_for_rows(None)
    assert [each.__dict__["facts"]["feed"] for each in caplog.records] == ["a"]


def test_what_a_feed_says_in_place_of_rows_is_quoted(
    share: tuple[list[Feed], SharedOutput], caplog: pytest.LogCaptureFixture
) -> None:
    monitor, there = _monitor(share)
    for feed in there.counters.feeds:
        feed[Slot.MESSAGES] = feed[Slot.DECODED] = feed[Slot.IGNORED] = 1
    monitor.note_sample("b", "no such channel")
    monitor.look_for_rows(None)
    said = [each.__dict__["facts"].get("said") for each in caplog.records]
    assert said == [None, "no such channel"]
