"""Whether there is to be another; the clock is turned by hand."""

from __future__ import annotations

from fastingest.supervisor.restart_policy import FIRST_PAUSE, MAX_DEATHS, PATIENCE
from fastingest.supervisor.restarts import Restarts

NEVER = float("inf")


def _restarts(*, keeps_journal: bool = True) -> Restarts:
    restarts = Restarts("writer", ["receiver 1", "receiver 2"], keeps_journal=keeps_journal)
    for name in ("writer", "receiver 1", "receiver 2"):
        restarts.started(name, 100.0)
    return restarts


def test_nobody_is_due_at_first() -> None:
    restarts = _restarts()
    assert set(restarts.due) == set()
    assert restarts.next == NEVER
    assert restarts.due_at(1e9) == []
    assert not restarts.take("writer")


def test_who_dies_is_due_until_it_is_taken() -> None:
    restarts = _restarts()
    fate = restarts.died("receiver 1", 105.0)
    assert (fate.due, fate.is_failure, fate.deaths) == (105.0, False, 1)
    assert set(restarts.due) == {"receiver 1"}
    assert restarts.next == 105.0
    assert restarts.due_at(104.9) == []
    assert restarts.due_at(105.0) == ["receiver 1"]
    assert restarts.take("receiver 1")
    assert not restarts.take("receiver 1")
    assert restarts.next == NEVER


def test_each_has_pauses_of_its_own() -> None:
    restarts = _restarts()
    restarts.died("writer", 105.0)
    restarts.take("writer")
    restarts.started("writer", 105.0)
    assert restarts.died("writer", 105.0).due == 105.0 + FIRST_PAUSE
    assert restarts.died("receiver 2", 105.0).due == 105.0
    assert restarts.next == 105.0
    assert restarts.due_at(105.0) == ["receiver 2"]


def test_without_a_journal_a_death_is_the_run_s_failure() -> None:
    for name in ("writer", "receiver 1"):
        restarts = _restarts(keeps_journal=False)
        fate = restarts.died(name, 105.0)
        assert (fate.due, fate.is_failure) == (None, True)
        assert not restarts.due


def test_who_dies_again_and_again_is_the_run_s_failure() -> None:
    restarts = _restarts()
    now, deaths = 100.0, 0
    while True:
        fate = restarts.died("writer", now)
        deaths += 1
        if fate.due is None:
            break
        assert not fate.is_failure
        now = fate.due
        assert restarts.take("writer")
        restarts.started("writer", now)
    assert fate.is_failure
    assert fate.deaths == deaths > MAX_DEATHS
    assert now - 100.0 >= PATIENCE
    assert set(restarts.due) == set()


def test_a_run_that_is_to_end_needs_the_writer_at_once_and_nobody_else() -> None:
    restarts = _restarts()
    for _ in range(2):
        for name in ("writer", "receiver 1"):
            restarts.started(name, 105.0)
            restarts.died(name, 105.0)
    assert restarts.due_at(105.0) == []
    restarts.begin_to_end(105.0)
    assert set(restarts.due) == {"writer"}
    assert restarts.due_at(105.0) == ["writer"]


def test_a_receiver_that_dies_when_the_run_is_to_end_is_no_failure_and_not_needed() -> None:
    restarts = _restarts()
    restarts.begin_to_end(104.0)
    fate = restarts.died("receiver 1", 105.0)
    assert (fate.due, fate.is_failure) == (None, False)
    assert restarts.died("writer", 105.0).due == 105.0


def test_a_run_that_is_to_end_has_no_minutes() -> None:
    restarts = _restarts()
    restarts.begin_to_end(100.0)
    fates = [restarts.died("writer", 100.0) for _ in range(MAX_DEATHS)]
    assert [fate.is_failure for fate in fates] == [False] * (MAX_DEATHS - 1) + [True]


def test_who_is_given_up_is_not_due() -> None:
    restarts = _restarts()
    restarts.died("writer", 105.0)
    restarts.give_up()
    assert not restarts.take("writer")
    assert restarts.next == NEVER
