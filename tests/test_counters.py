from __future__ import annotations

import math
import multiprocessing
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastingest.counters import Counters, LatencyHistogram, Ledger, Slot

_context = multiprocessing.get_context("spawn")


def _count(block: Any) -> None:
    Counters(block).add(Slot.RECEIVED, 2**40)


def test_what_a_child_counted_outlives_it() -> None:
    counters = Counters.create(_context)
    child = _context.Process(target=_count, args=(counters.block,))
    child.start()
    child.join()
    assert counters[Slot.RECEIVED] == 2**40


def test_feeds_do_not_share_a_slot() -> None:
    block = Counters.create(_context, feeds=2).block
    first, second = Counters(block, 0), Counters(block, 1)
    for slot in Slot:
        first[slot] = 1
        second[slot] = 2
    first.latency.add(5, 7)
    assert {first[slot] for slot in Slot if slot != Slot.LATENCY} == {1}
    assert {second[slot] for slot in Slot} == {2}


def test_the_ledger_tells_what_is_in_flight() -> None:
    counters = Counters.create(_context)
    counters[Slot.RECEIVED] = 100
    counters[Slot.WRITTEN] = 60
    counters[Slot.QUARANTINED] = 5
    counters[Slot.IGNORED] = 4
    counters[Slot.DROPPED] = 3
    assert counters.ledger == Ledger(received=100, written=60, quarantined=5, ignored=4, dropped=3)
    assert counters.ledger.in_flight == 28


@given(st.lists(st.integers(1, 2**41), min_size=1), st.sampled_from([0.01, 0.5, 0.99, 1.0]))
def test_a_quantile_is_at_most_nine_percent_too_high(values: list[int], share: float) -> None:
    histogram = LatencyHistogram(memoryview(bytearray(8 * LatencyHistogram.BUCKETS)).cast("Q"))
    for value in values:
        histogram.add(value, 1)
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    (found,) = histogram.quantiles([share])
    assert exact / 1e9 * 0.999 <= found <= max(exact / 1e9 * 1.0906, 1.03e-6)


def test_without_values_there_is_no_quantile() -> None:
    histogram = LatencyHistogram(memoryview(bytearray(8 * LatencyHistogram.BUCKETS)).cast("Q"))
    assert math.isnan(histogram.quantiles([0.5])[0])


def test_a_clock_that_went_back_is_counted_as_no_time() -> None:
    histogram = LatencyHistogram(memoryview(bytearray(8 * LatencyHistogram.BUCKETS)).cast("Q"))
    histogram.add(-5, 3)
    histogram.add(2**62, 1)
    assert histogram.quantiles([0.5])[0] < 2e-6
