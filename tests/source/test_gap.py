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
            clock=lambda: self.now,
            time_ns=lambda: EPOCH + round((self.now + self.set_by) * 1e9),
        )

    @property
    def counts(self) -> tuple[int, int, int]:
        """Since when there is one, how many are over, and the nanoseconds of these."""
        counters = self.counters
        return counters[Slot.GAP_SINCE], counters[Slot.GAPS], counters[Slot.GAP_NS]

    @property
    def has_gaps(self) -> bool:
        """Whether anything was said or counted of one that is over."""
        said = (bool(self.events), bool(self.ended), bool(self.counters[Slot.GAPS]))
        assert len(set(said)) == 1
        return said[0]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def at(seconds: float) -> int:
    return EPOCH + round(seconds * 1e9)


def test_a_gap_lasts_from_the_loss_to_the_next_ready_connection(rig: Rig) -> None:
    rig.gaps.fail("it broke")
    assert rig.counts == (at(100), 0, 0)
    assert rig.events == []
    rig.now += 2.5
    rig.gaps.ready()
    assert rig.counts == (0, 1, 2_500_000_000)
    assert rig.events == [Gap(at(100), 2.5, "it broke")]
    assert rig.ended == [(at(100), 2.5, "it broke")]


def test_the_silence_before_a_loss_is_part_of_the_gap(rig: Rig) -> None:
    rig.gaps.fail("no message for 10s", silence=10.0)
    assert rig.counts == (at(90), 0, 0)
    rig.now += 1
    rig.gaps.ready()
    assert rig.events == [Gap(at(90), 11.0, "no message for 10s")]
    assert rig.counts == (0, 1, 11 * 10**9)


def test_a_gap_does_not_begin_before_the_one_before_it_has_ended(rig: Rig) -> None:
    """The last bytes may be the answer to the opening request: then nothing has come since."""
    rig.gaps.fail("it broke")
    rig.now += 2
    rig.gaps.ready()
    rig.now += 3
    rig.gaps.fail("it broke again", silence=3.5)
    assert rig.counts[0] == at(102)
    rig.now += 1
    rig.gaps.ready()
    assert [length for _, length, _ in rig.ended] == [2.0, 4.0]


def test_what_fails_in_a_gap_is_part_of_it(rig: Rig) -> None:
    """A connection that is lost before it was ready had no bytes that could end the gap."""
    rig.gaps.fail("it broke")
    for silence in (0.0, 3.0):
        rig.now += 5
        rig.gaps.fail("no reply", silence)
    rig.now += 1
    rig.gaps.ready()
    assert rig.ended == [(at(100), 11.0, "it broke")]


def test_the_first_connect_is_no_gap(rig: Rig) -> None:
    rig.gaps.start()
    assert rig.counts == (at(100), 0, 0)  # another process would have to go on with it
    assert rig.counters[Slot.NEVER_READY] == 1
    rig.now += 30
    rig.gaps.ready()
    assert rig.counts == (0, 0, 0)
    assert not rig.has_gaps
    assert rig.counters[Slot.NEVER_READY] == 0


def test_a_first_connect_that_fails_is_one_from_the_beginning_on(rig: Rig) -> None:
    rig.gaps.start()
    rig.now += 2
    rig.gaps.fail("the server answered 503")
    rig.now += 2
    rig.gaps.fail("Connection refused")
    rig.now += 4
    rig.gaps.ready()
    assert rig.ended == [(at(100), 8.0, "the server answered 503")]
    assert rig.counters[Slot.NEVER_READY] == 0
    assert rig.counts == (0, 1, 8 * 10**9)


def test_a_run_that_ends_before_anything_was_ready_was_a_gap(rig: Rig) -> None:
    rig.gaps.start()
    rig.now += 2
    rig.gaps.stop("no reply had come")
    assert rig.ended == [(at(100), 2.0, "no reply had come")]
    assert (rig.counts, rig.counters[Slot.NEVER_READY]) == ((0, 1, 2 * 10**9), 1)


def test_what_has_failed_is_the_reason_and_not_the_end_of_the_run(rig: Rig) -> None:
    rig.gaps.start()
    rig.gaps.fail("Connection refused")
    rig.gaps.stop("no reply had come")
    assert rig.ended == [(at(100), 0.0, "Connection refused")]


def test_who_has_all_the_rows_before_anything_was_ready_has_missed_nothing(rig: Rig) -> None:
    rig.gaps.start()
    rig.gaps.stop("")
    assert (rig.counts, rig.counters[Slot.NEVER_READY]) == ((0, 0, 0), 0)
    assert not rig.has_gaps


def test_a_gap_of_the_process_before_goes_on(rig: Rig) -> None:
    rig.gaps.resume(Outage(at(97), "the receiver was killed"))
    assert rig.counts == (at(97), 0, 0)
    assert rig.counters[Slot.NEVER_READY] == 0  # it may have been ready before
    rig.now += 1
    rig.gaps.ready()
    assert rig.events == [Gap(at(97), 4.0, "the receiver was killed")]


def test_a_gap_that_begins_in_the_future_is_no_shorter_than_nothing(rig: Rig) -> None:
    """The wall clock was set back between the two processes."""
    rig.gaps.resume(Outage(at(200), "the receiver was killed"))
    rig.gaps.ready()
    assert rig.counts == (0, 1, 0)


def test_the_wall_clock_does_not_make_a_gap_longer(rig: Rig) -> None:
    rig.gaps.fail("it broke")
    rig.now, rig.set_by = rig.now + 1, 3600.0
    rig.gaps.ready()
    assert rig.counts == (0, 1, 10**9)


def test_without_a_gap_nothing_ends(rig: Rig) -> None:
    rig.gaps.ready()
    rig.gaps.stop("it was not needed")
    assert not rig.has_gaps
    rig.gaps.fail("it broke")
    rig.gaps.ready()
    rig.gaps.stop("it was not needed")
    assert rig.counts[1] == len(rig.events) == len(rig.ended) == 1


def test_who_acts_on_a_gap_is_told_before_the_log_says_it() -> None:
    order: list[str] = []
    gaps = GapRecorder(
        FeedCounters([Counters.create()]),
        lambda event: order.append("log"),
        ended=lambda *_: order.append("told"),
    )
    gaps.fail("it broke")
    gaps.ready()
    assert order == ["told", "log"]
