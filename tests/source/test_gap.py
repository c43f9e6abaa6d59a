"""Gaps by clocks that are set: when they begin, how long they are, and what is said of them."""

from __future__ import annotations

import pytest

from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.model.event import Event
from fastingest.source.events import Gap
from fastingest.source.gap import GapRecorder, Outage

EPOCH = 1_700_000_000 * 10**9


class Rig:
    """A recorder whose time is ``now``, in seconds; the wall clock may be set aside from that."""

    def __init__(self) -> None:
        self.now = 100.0
        self.set_by = 0.0
        self.counters = Counters.create()
        self.events: list[Event] = []
        self.ended: list[tuple[int, float, str]] = []
        self.gaps = GapRecorder(
            FeedCounters([self.counters]),
            self.events.append,
            ended=lambda *gap: self.ended.append(gap),
            monotonic=lambda: self.now,
            time_ns=lambda: EPOCH + round((self.now + self.set_by) * 1e9),
        )

    @property
    def counts(self) -> tuple[int, int, int]:
        """Since when there is one, how many are over, and the nanoseconds of these."""
        counters = self.counters
        return counters[Slot.GAP_SINCE], counters[Slot.GAPS], counters[Slot.GAP_NS]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def at(seconds: float) -> int:
    return EPOCH + round(seconds * 1e9)


def test_a_gap_lasts_from_the_loss_to_the_next_connection(rig: Rig) -> None:
    rig.gaps.begin("it broke")
    assert rig.counts == (at(100), 0, 0)
    assert rig.events == []
    rig.now += 2.5
    rig.gaps.end()
    assert rig.counts == (0, 1, 2_500_000_000)
    assert rig.events == [Gap(at(100), 2.5, "it broke")]
    assert rig.ended == [(at(100), 2.5, "it broke")]


def test_the_silence_before_a_loss_is_part_of_the_gap(rig: Rig) -> None:
    rig.gaps.begin("no message for 10s", silence=10.0)
    assert rig.counts == (at(90), 0, 0)
    rig.now += 1
    rig.gaps.end()
    assert rig.events == [Gap(at(90), 11.0, "no message for 10s")]
    assert rig.counts == (0, 1, 11 * 10**9)


def test_a_gap_of_the_process_before_goes_on(rig: Rig) -> None:
    rig.gaps.resume(Outage(at(97), "the receiver was killed"))
    assert rig.counts == (at(97), 0, 0)
    rig.now += 1
    rig.gaps.end()
    assert rig.events == [Gap(at(97), 4.0, "the receiver was killed")]


def test_a_gap_that_begins_in_the_future_is_no_shorter_than_nothing(rig: Rig) -> None:
    """The wall clock was set back between the two processes."""
    rig.gaps.resume(Outage(at(200), "the receiver was killed"))
    rig.gaps.end()
    assert rig.counts == (0, 1, 0)


def test_the_wall_clock_does_not_make_a_gap_longer(rig: Rig) -> None:
    rig.gaps.begin("it broke")
    rig.now, rig.set_by = rig.now + 1, 3600.0
    rig.gaps.end()
    assert rig.counts == (0, 1, 10**9)


def test_without_a_gap_nothing_ends(rig: Rig) -> None:
    rig.gaps.end()
    rig.gaps.begin("it broke")
    rig.gaps.end()
    rig.gaps.end()
    assert rig.counts[1] == len(rig.events) == len(rig.ended) == 1


def test_who_acts_on_a_gap_is_told_before_the_log_says_it() -> None:
    order: list[str] = []
    gaps = GapRecorder(
        FeedCounters([Counters.create()]),
        lambda event: order.append("log"),
        ended=lambda *_: order.append("told"),
    )
    gaps.begin("it broke")
    gaps.end()
    assert order == ["told", "log"]
