"""What is said of a feed that brings rows, and more rejects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import Reject
from fastingest.model.feed import Feed, Table
from fastingest.report.no_data import AGAIN
from fastingest.report.reject_alert import FEWEST, WINDOW, RejectAlert
from fastingest.runtime.assignment import SharedOutput, targets_of
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.rejects import RejectsFile

NO_LOCK: Any = None  # nobody writes here


class Run:
    """A run of one feed with one table."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out.csv"
        (target,) = targets_of([Feed("feed", "ws://x", (Table(self.out),))])
        places = SpoolDirectories(folder, folder)
        share = SharedOutput(target, 0, places, Counters.create(feeds=["feed"]), NO_LOCK)
        self.counters = share.counters.of("feed")
        self.alert = RejectAlert(share, self.counters)

    def take(self, rows: int = 0, rejected: int = 0) -> None:
        """Count as a receiver does."""
        self.counters.add(Slot.RECEIVED, rows + rejected)
        self.counters.add(Slot.REJECTED, rejected)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_more_rejects_than_rows_are_said_with_the_latest_reason(run: Run) -> None:
    assert run.alert.look(100) is None
    run.take(rows=FEWEST - 1, rejected=FEWEST)
    assert run.alert.look(100 + WINDOW - 1) is None
    run.counters.add(Slot.REJECTS_COMMITTED, FEWEST)
    RejectsFile(run.out).add([Reject(1, "no row", b"x")])
    event = run.alert.look(100 + WINDOW)
    assert event is not None
    assert (event.rejected, event.rows, event.reason) == (FEWEST, FEWEST - 1, "no row")
    assert event.kept_in == f"{run.out}.rejected.jsonl"


@pytest.mark.parametrize(("rows", "rejected"), [(FEWEST, FEWEST), (1, FEWEST - 1), (0, 1000)])
def test_few_rejects_or_no_row_at_all_are_none_of_its_business(
    run: Run, rows: int, rejected: int
) -> None:
    assert run.alert.look(0) is None
    run.take(rows, rejected)
    assert run.alert.look(WINDOW) is None
    assert run.alert.end() is None


def test_it_is_said_once_an_hour(run: Run) -> None:
    said = []
    for now in range(0, int(2.5 * AGAIN), int(WINDOW)):
        run.take(rows=1, rejected=100)
        if run.alert.look(now):
            said.append(now)
    assert said == [WINDOW, WINDOW + AGAIN, WINDOW + 2 * AGAIN]
    assert run.alert.end() is None


def test_a_feed_that_goes_wrong_later_is_judged_by_its_last_seconds(run: Run) -> None:
    run.take(rows=10**6)
    assert [run.alert.look(now) for now in (0, WINDOW)] == [None, None]
    run.take(rows=1, rejected=50)
    event = run.alert.look(2 * WINDOW)
    assert event is not None
    assert (event.rejected, event.rows) == (50, 1)


def test_a_slow_feed_gets_more_time(run: Run) -> None:
    said = []
    for now in range(100):
        run.take(rejected=1, rows=now % 2)
        said.append(bool(run.alert.look(now * WINDOW)))
    assert said.index(True) == FEWEST - 1


def test_a_short_run_says_it_at_its_end(run: Run) -> None:
    run.take(rows=1, rejected=FEWEST)
    assert run.alert.look(0) is None
    assert run.alert.end() is not None
