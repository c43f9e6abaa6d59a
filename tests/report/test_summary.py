from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fastingest.metrics.counters import Counters, Slot, State
from fastingest.model.feed import Feed, Table
from fastingest.report.summary import Rates, RunCounters, Summary
from fastingest.runtime.assignment import SharedOutput, targets_of
from fastingest.spool.directories import SpoolDirectories

NO_LOCK: Any = None  # nobody writes here


def test_rates_are_counts_over_time() -> None:
    rates = Rates()
    for count, seconds in ((1000, 1.0), (4000, 2.0), (4000, 1.0)):
        rates.sample(count, seconds)
    assert list(rates.last) == [1000, 1500, 0]
    assert rates.best == 1500


def test_only_the_last_minute_is_kept() -> None:
    rates = Rates()
    for second in range(100):
        rates.sample(second * second, 1.0)
    assert len(rates.last) == 60
    assert rates.best == 99**2 - 98**2


def run_of(folder: Path, *tables: Sequence[str]) -> RunCounters:
    """Counters of a run whose feeds have these tables, each."""
    feeds = [
        Feed(f"feed {number}", f"ws://x/{number}", tuple(Table(folder / name) for name in names))
        for number, names in enumerate(tables)
    ]
    return RunCounters(
        feeds,
        [
            SharedOutput(
                target,
                0,
                SpoolDirectories(folder, folder),
                Counters.create(feeds=[feed.name for feed in feeds]),
                NO_LOCK,
            )
            for target in targets_of(feeds)
        ],
    )


def test_a_summary_reads_the_counters(tmp_path: Path) -> None:
    run = run_of(tmp_path, ["out.csv"])
    (counters,) = run.of_feed("feed 0")
    counters[Slot.STATE] = State.CONNECTED
    counters[Slot.RECEIVED] = 11
    counters[Slot.WRITTEN] = 7
    counters[Slot.LOST] = 3
    counters[Slot.LOST_MESSAGES] = 6
    counters[Slot.SPILL_BYTES] = 4
    counters[Slot.SPILL_PEAK] = 5
    counters[Slot.GAP_NS] = 1_500_000_000
    counters[Slot.REFUSED] = 8
    counters[Slot.BLANKED] = 9
    counters[Slot.FILE_SIZE] = 12
    counters[Slot.LATENCY_MAX] = 2_000_000
    counters.latency.add(1_000_000, 9)
    counters.latency.add(2_000_000, 1)
    run.restarts = 5
    summary = Summary.take(run, 5.0, Rates(), "Python (not built)")
    assert (summary.feed, summary.out, summary.file_size) == ("ws://x/0", tmp_path / "out.csv", 12)
    assert summary.state is State.CONNECTED
    assert (summary.refused, summary.feeds[0].refused) == (8, 8)
    assert (summary.blanked, summary.feeds[0].blanked) == (9, 9)
    assert summary.ledger.in_flight == 1
    assert summary.ledger.lost == 3
    assert summary.messages_lost == 6
    assert summary.restarts == 5
    assert summary.listener == "Python (not built)"
    assert (summary.spill_bytes, summary.spill_peak) == (4, 5)
    assert summary.mean_rate == 1.4
    assert summary.gap_seconds == 1.5
    assert list(summary.latency) == [pytest.approx(1e-3, rel=0.1), 2e-3, 2e-3]


def test_before_the_first_row_there_is_no_latency(tmp_path: Path) -> None:
    summary = Summary.take(run_of(tmp_path, ["out.csv"], ["out.csv"]), 0.0, Rates(), "native")
    assert all(map(math.isnan, summary.latency))
    assert summary.mean_rate == 0


def test_each_feed_and_each_output_has_its_part(tmp_path: Path) -> None:
    run = run_of(tmp_path, ["a.csv", "b.csv"], ["b.csv"], ["c.csv"])
    counts = {(0, 0): 10, (0, 1): 2, (1, 1): 30, (2, 2): 400}
    for (feed, output), rows in counts.items():
        counters = run.shares[output].counters.feeds[feed]
        counters[Slot.RECEIVED], counters[Slot.WRITTEN] = rows + 1, rows
        counters[Slot.CONNECTIONS], counters[Slot.GAPS] = feed + 1, feed
        counters[Slot.GAP_NS] = feed * 500_000_000
        counters[Slot.LOST_MESSAGES] = 7 * feed
        counters[Slot.PAUSES] = 3
        counters[Slot.OUTBOX_BYTES] = 5
    run.shares[1].counters[Slot.FILE_SIZE] = 99
    summary = Summary.take(run, 1.0, Rates(), "native")
    assert [feed.name for feed in summary.feeds] == ["feed 0", "feed 1", "feed 2"]
    assert [feed.ledger.written for feed in summary.feeds] == [12, 30, 400]
    assert [feed.ledger.in_flight for feed in summary.feeds] == [2, 1, 1]
    assert [output.path.name for output in summary.outputs] == ["a.csv", "b.csv", "c.csv"]
    assert [output.ledger.written for output in summary.outputs] == [10, 32, 400]
    assert [output.file_size for output in summary.outputs] == [0, 99, 0]
    assert (summary.ledger.written, summary.file_size) == (442, 99)
    # What is of a feed counts once, however many outputs it goes to; outboxes are each one's own.
    assert (summary.connections, summary.gaps, summary.gap_seconds) == (6, 3, 1.5)
    assert (summary.messages_lost, summary.pauses) == (21, 9)
    assert summary.outbox_bytes == 20
    assert (summary.feed, summary.out) == ("3 feeds", tmp_path / "a.csv")


def test_a_feed_that_does_not_go_to_an_output_is_not_asked_there(tmp_path: Path) -> None:
    run = run_of(tmp_path, ["a.csv"], ["b.csv"])
    run.shares[0].counters.feeds[1][Slot.STATE] = State.PAUSED  # nobody writes this
    run.shares[1].counters.feeds[1][Slot.STATE] = State.CONNECTED
    assert Summary.take(run, 1.0, Rates(), "native").feeds[1].state is State.CONNECTED


@pytest.mark.parametrize("worst", range(7))
def test_the_state_of_several_feeds_is_that_which_needs_to_be_looked_at(
    worst: int, tmp_path: Path
) -> None:
    order = [
        State.WAITING,
        State.PAUSED,
        State.CONNECTING,
        State.SUBSCRIBING,
        State.STARTING,
        State.CONNECTED,
        State.CLOSED,
    ]
    assert set(order) == set(State)
    states = order[worst:]
    run = run_of(tmp_path, *[["a.csv"]] * len(states))
    for feed, state in enumerate(reversed(states)):
        run.of_feed(f"feed {feed}")[0][Slot.STATE] = state
    assert Summary.take(run, 1.0, Rates(), "native").state is order[worst]


def test_the_latency_is_that_of_all_feeds_and_outputs(tmp_path: Path) -> None:
    run = run_of(tmp_path, ["a.csv", "b.csv"], ["b.csv"])
    for output, feed, milliseconds, rows in ((0, 0, 1, 50), (1, 0, 20, 49), (1, 1, 300, 1)):
        counters = run.shares[output].counters.feeds[feed]
        counters.latency.add(milliseconds * 1_000_000, rows)
        counters[Slot.LATENCY_MAX] = milliseconds * 1_000_000
        counters[Slot.WRITTEN] = rows
    latency = Summary.take(run, 1.0, Rates(), "native").latency
    assert list(latency) == [pytest.approx(1e-3, rel=0.1), pytest.approx(0.02, rel=0.1), 0.3]


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    feed = Feed("x", "ws://x/?key=${file:/etc/key}", (Table(tmp_path / "a.csv"),))
    (target,) = targets_of([feed])
    share = SharedOutput(
        target, 0, SpoolDirectories(tmp_path, tmp_path), Counters.create(), NO_LOCK
    )
    run = RunCounters([feed], [share])
    assert Summary.take(run, 0.0, Rates(), "native").feed == "ws://x/?key=***"
