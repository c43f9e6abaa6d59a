from __future__ import annotations

import math
from pathlib import Path

import pytest

from fastingest.counters import Counters, Slot, State
from fastingest.summary import Rates, Summary


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


def test_a_summary_reads_the_counters() -> None:
    counters = Counters.create()
    counters[Slot.STATE] = State.CONNECTED
    counters[Slot.RECEIVED] = 11
    counters[Slot.WRITTEN] = 7
    counters[Slot.LOST] = 3
    counters[Slot.LOST_MESSAGES] = 6
    counters[Slot.RECEIVER_RESTARTS] = 2
    counters[Slot.WRITER_RESTARTS] = 3
    counters[Slot.SPILL_BYTES] = 4
    counters[Slot.SPILL_PEAK] = 5
    counters[Slot.GAP_NS] = 1_500_000_000
    counters[Slot.LATENCY_MAX] = 2_000_000
    counters.latency.add(1_000_000, 9)
    counters.latency.add(2_000_000, 1)
    summary = Summary.take("ws://x/", Path("out.csv"), 5.0, Rates(), counters)
    assert summary.state is State.CONNECTED
    assert summary.ledger.in_flight == 1
    assert summary.ledger.lost == 3
    assert summary.messages_lost == 6
    assert summary.restarts == 5
    assert (summary.spill_bytes, summary.spill_peak) == (4, 5)
    assert summary.mean_rate == 1.4
    assert summary.gap_seconds == 1.5
    assert list(summary.latency) == [pytest.approx(1e-3, rel=0.1), 2e-3, 2e-3]


def test_before_the_first_row_there_is_no_latency() -> None:
    counters = Counters.create()
    summary = Summary.take("ws://x/", Path("out.csv"), 0.0, Rates(), counters)
    assert all(map(math.isnan, summary.latency))
    assert summary.mean_rate == 0
