"""What is told to whom when a run ends."""

from __future__ import annotations

import pytest

from fastingest.errors import Aborted, OutboxFull, RunFailed
from fastingest.runtime.control import End, GiveUp, Save, Stop
from fastingest.supervisor.ending import Ending
from fastingest.supervisor.outcome import Outcome
from fastingest.supervisor.processes import WRITER
from fastingest.supervisor.restarts import Restarts
from fastingest.supervisor.shutdown import Shutdown
from tests.supervisor.fakes import RECEIVERS, add, no_processes


class _Run:
    """Everybody is there but those that are said to be absent."""

    def __init__(self, *absent: str) -> None:
        self.processes = no_processes()
        self.writer, *self.receivers = add(self.processes)
        for name in absent:
            del self.processes.children[name]
        self.restarts = Restarts(WRITER, RECEIVERS, keeps_journal=True)
        self.ending, self.outcome = Ending(), Outcome()
        self.shutdown = Shutdown(self.processes, self.restarts, self.ending, self.outcome)

    @property
    def told(self) -> tuple[list[object], ...]:
        return tuple([*each.told] for each in (self.writer, *self.receivers))


def test_who_shall_end_is_told_once_and_the_writer_nothing_while_rows_may_come() -> None:
    run = _Run()
    run.shutdown.stop("SIGTERM")
    run.shutdown.stop("SIGTERM")
    assert run.told == ([], [Stop()], [Stop()])
    assert run.ending.has_begun
    assert run.outcome.failure is None


def test_the_log_says_why_it_stops(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "fastingest")
    run = _Run()
    run.shutdown.stop("SIGTERM")
    run.shutdown.stop("duration reached")
    said = [(each.message, each.__dict__["facts"]) for each in caplog.records]
    assert said == [("stopping", {"reason": "SIGTERM"})]


def test_the_last_receiver_to_go_lets_the_writer_end() -> None:
    run = _Run()
    run.shutdown.stop("SIGTERM")
    del run.processes.children["receiver 1"]
    run.shutdown.receiver_gone(0)
    assert run.writer.told == []
    del run.processes.children["receiver 2"]
    run.shutdown.receiver_gone(0)
    assert run.writer.told == [End()]


def test_a_receiver_that_nobody_follows_takes_the_others_with_it() -> None:
    run = _Run("receiver 1")
    run.shutdown.receiver_gone(-9)
    assert run.told == ([], [], [Stop()])
    run = _Run("receiver 1")
    run.shutdown.receiver_gone(0)  # it has received all its rows
    assert run.told == ([], [], [])


def test_when_only_receivers_that_are_due_were_left_the_writer_ends() -> None:
    run = _Run(*RECEIVERS)
    run.restarts.died("receiver 1", 0.0)
    is_receiving = [run.shutdown.is_receiving]
    run.shutdown.begin()
    assert [*is_receiving, run.shutdown.is_receiving] == [True, False]
    assert run.writer.told == [End()]
    run.shutdown.begin()
    assert run.writer.told == [End()]


def test_a_failure_begins_the_end_and_the_first_one_is_the_reason() -> None:
    run = _Run()
    first = OutboxFull()
    run.shutdown.fail(first)
    run.shutdown.fail(RunFailed("another"))
    assert run.outcome.failure is first
    assert run.ending.has_begun
    assert run.told == ([], [], [])
    run.shutdown.stop_receivers()
    assert run.told == ([], [Stop()], [Stop()])


def test_an_output_that_is_given_up_is_saved_by_all() -> None:
    run = _Run()
    run.shutdown.give_up_output(1)
    assert run.told == ([GiveUp(1)], [Save(1)], [Save(1)])
    assert run.ending.has_begun
    assert not run.ending.is_giving_up


def test_a_writer_that_is_given_up_is_waited_for_no_more() -> None:
    run = _Run()
    run.restarts.died(WRITER, 0.0)
    run.shutdown.give_up()
    assert run.told == ([GiveUp()], [Save()], [Save()])
    assert run.ending.is_giving_up
    assert set(run.restarts.due) == set()


def test_without_receivers_there_is_nothing_to_wait_for_when_giving_up() -> None:
    patient, hurried = _Run(), _Run(*RECEIVERS)
    patient.shutdown.give_up()
    hurried.shutdown.give_up()
    assert hurried.ending.next < patient.ending.next - 10
    for name in RECEIVERS:
        del patient.processes.children[name]
        patient.shutdown.receiver_gone(0)
    assert abs(hurried.ending.next - patient.ending.next) < 2


def test_a_second_interrupt_is_the_reason_whatever_came_before() -> None:
    run = _Run()
    run.shutdown.fail(OutboxFull())
    run.restarts.died(WRITER, 0.0)
    run.shutdown.abort()
    assert isinstance(run.outcome.failure, Aborted)
    assert run.ending.must_kill(0.0)
    assert set(run.restarts.due) == set()
