"""What the feed's slots say of several connections."""

from __future__ import annotations

from fastingest.metrics.counters import Counters, FeedCounters, Slot, State
from fastingest.source.line_counters import LineCounters, counters_by_line

Told = list[tuple[int, int, bool]]


def made(*never_ready: bool) -> tuple[FeedCounters, list[LineCounters], Told]:
    told: Told = []
    feed = FeedCounters([Counters.create(), Counters.create()])
    lines = counters_by_line(feed, never_ready, lambda *each: told.append(each))
    return feed, lines, told


def test_the_state_is_that_of_the_one_that_is_worst_off() -> None:
    feed, lines, told = made(False, False, False)
    seen = []
    for line, state in (
        (0, State.CONNECTED),
        (1, State.CONNECTED),
        (2, State.CONNECTED),
        (1, State.WAITING),
        (0, State.PAUSED),
        (1, State.CLOSED),
    ):
        lines[line][Slot.STATE] = state
        seen.append(State(feed[Slot.STATE]))
        assert {table[Slot.STATE] for table in feed.tables} == {state.__class__(seen[-1])}
    assert seen == [
        State.STARTING,
        State.STARTING,
        State.CONNECTED,
        State.WAITING,
        State.WAITING,
        State.PAUSED,
    ]
    assert [line[Slot.STATE] for line in lines] == [State.PAUSED, State.CLOSED, State.CONNECTED]
    assert told == []


def test_those_that_were_never_ready_are_counted_and_the_longest_gap_shows() -> None:
    feed, lines, told = made(False, True)
    lines[0][Slot.NEVER_READY] = 1
    lines[0][Slot.GAP_SINCE], lines[1][Slot.GAP_SINCE] = 20, 10
    assert (feed[Slot.NEVER_READY], feed[Slot.GAP_SINCE]) == (2, 10)
    lines[1][Slot.GAP_SINCE] = lines[1][Slot.NEVER_READY] = 0
    assert (feed[Slot.NEVER_READY], feed[Slot.GAP_SINCE]) == (1, 20)
    lines[0][Slot.GAP_SINCE] = 0
    assert feed[Slot.GAP_SINCE] == 0
    assert told == [
        (0, 0, True),
        (0, 20, True),
        (1, 10, True),
        (1, 0, True),
        (1, 0, False),
        (0, 0, True),
    ]


def test_other_slots_are_those_of_the_feed() -> None:
    feed, lines, _ = made(False, False)
    for line in lines:
        line.add(Slot.CONNECTIONS)
    lines[0][Slot.STALE] = 5
    assert (feed[Slot.CONNECTIONS], lines[1][Slot.CONNECTIONS], lines[1][Slot.STALE]) == (2, 2, 5)


def test_a_pause_of_all_is_one() -> None:
    feed, lines, _ = made(False, False)
    for _ in range(2):
        for line in lines:
            line.add(Slot.PAUSES)
            line[Slot.STATE] = State.PAUSED
        for line in lines:
            line[Slot.STATE] = State.CONNECTED
    assert feed[Slot.PAUSES] == 2
