"""What is due when, while a run ends; the clock is turned by hand."""

from __future__ import annotations

from fastingest.supervisor.children import KILL_LIMIT
from fastingest.supervisor.ending import SAVE_LIMIT, Ending
from fastingest.supervisor.writer_watchdog import FAILING_LIMIT

NEVER = float("inf")


def test_a_run_without_end() -> None:
    ending = Ending()
    assert (ending.has_begun, ending.is_giving_up, ending.next) == (False, False, NEVER)
    assert not ending.is_time_over(1e9)
    assert not ending.must_kill(1e9)
    assert not ending.must_leave(1e9)


def test_that_the_time_is_over_is_said_once() -> None:
    ending = Ending()
    ending.at(60.0)
    assert ending.next == 60.0
    assert not ending.is_time_over(59.9)
    assert ending.is_time_over(60.0)
    assert not ending.is_time_over(60.1)
    assert ending.next == NEVER
    assert not ending.has_begun


def test_that_it_shall_end_is_news_once_and_no_reason_to_kill_anybody() -> None:
    ending = Ending()
    assert ending.begin()
    assert not ending.begin()
    assert ending.has_begun
    ending.receivers_gone(5.0)  # the writer may take its time
    assert ending.next == NEVER


def test_who_shall_save_gets_its_time_and_is_killed_then_and_left_in_the_end() -> None:
    ending = Ending()
    ending.give_up(10.0)
    assert ending.is_giving_up
    assert ending.next == 10.0 + SAVE_LIMIT
    assert not ending.must_kill(ending.next - 0.1)
    killed = 11.0 + SAVE_LIMIT
    assert ending.must_kill(killed)
    assert not ending.must_kill(killed + 1)
    assert ending.next == killed + KILL_LIMIT
    assert not ending.must_leave(killed + KILL_LIMIT - 0.1)
    assert ending.must_leave(killed + KILL_LIMIT)


def test_when_no_receiver_is_left_the_writer_gets_less() -> None:
    ending = Ending()
    ending.give_up(10.0)
    ending.receivers_gone(12.0)
    assert ending.next == 12.0 + FAILING_LIMIT
    ending.receivers_gone(13.0)
    ending.give_up(14.0)
    assert ending.next == 12.0 + FAILING_LIMIT  # and never more than it had


def test_a_second_interrupt_kills_at_once() -> None:
    ending = Ending()
    ending.begin()
    ending.abort()
    assert ending.is_giving_up
    assert ending.must_kill(0.1)
