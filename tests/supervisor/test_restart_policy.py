"""When who has died is started again; the clock is turned by hand."""

from __future__ import annotations

from itertools import pairwise

from fastingest.supervisor.restart_policy import (
    FIRST_PAUSE,
    HEALTHY,
    LAST_PAUSE,
    MAX_DEATHS,
    PATIENCE,
    RestartPolicy,
)


class _Life:
    """A process that dies again and again, as the policy lets it."""

    def __init__(self) -> None:
        self.policy = RestartPolicy()
        self.now = 1000.0
        self.policy.started(self.now)

    def dies(self, after: float, *, patient: bool = True) -> float | None:
        """After so many seconds of life; the pause until the next one, which is then started."""
        self.now += after
        due = self.policy.died(self.now, patient=patient)
        if due is None:
            return None
        pause = due - self.now
        self.now = due
        self.policy.started(self.now)
        return pause


def test_the_first_time_another_is_started_at_once() -> None:
    assert _Life().dies(after=0.0) == 0.0
    assert _Life().dies(after=3600.0) == 0.0


def test_starts_are_set_apart_more_and_more() -> None:
    life = _Life()
    starts = []
    for _ in range(12):
        assert life.dies(after=0.0) is not None
        starts.append(round(life.now - 1000.0, 6))
    pauses = [round(b - a, 6) for a, b in pairwise(starts)]
    assert pauses[:6] == [FIRST_PAUSE, 0.2, 0.4, 0.8, 1.6, 3.2]
    assert set(pauses[6:]) == {LAST_PAUSE}


def test_how_long_it_has_lived_counts_for_the_pause() -> None:
    life = _Life()
    for _ in range(9):
        life.dies(after=0.0)
    pause = life.dies(after=LAST_PAUSE - 1.5)
    assert pause is not None
    assert round(pause, 6) == 1.5
    assert life.dies(after=LAST_PAUSE + 1) == 0.0


def test_it_is_given_up_after_minutes_and_not_after_some_deaths() -> None:
    life = _Life()
    began, deaths = life.now, 0
    while life.dies(after=0.0) is not None:
        deaths += 1
        assert deaths < 1000
    assert PATIENCE <= life.now - began <= PATIENCE + LAST_PAUSE
    assert life.policy.deaths == deaths + 1 > MAX_DEATHS


def test_few_deaths_in_many_minutes_are_not_too_many() -> None:
    life = _Life()
    for _ in range(MAX_DEATHS - 1):
        assert life.dies(after=HEALTHY - 1) == 0.0
    assert life.now - 1000.0 > 2 * PATIENCE
    assert life.dies(after=HEALTHY - 1) is None


def test_health_makes_all_forgotten() -> None:
    life = _Life()
    for _ in range(100):
        for _ in range(MAX_DEATHS - 1):
            assert life.dies(after=1.0) is not None
        assert life.dies(after=HEALTHY) == 0.0
        assert life.policy.deaths == 1


def test_a_run_that_shall_end_counts_the_deaths_alone() -> None:
    life = _Life()
    for _ in range(MAX_DEATHS - 1):
        assert life.dies(after=0.0, patient=False) is not None
    assert life.dies(after=0.0, patient=False) is None
    assert life.now - 1000.0 < 30


def test_what_cannot_be_started_has_died() -> None:
    """The time from one try to the next is no life."""
    policy = RestartPolicy()
    now = due = 0.0
    tries = 0
    while True:
        now = due
        policy.started(now)
        found = policy.died(now)
        if found is None:
            break
        due, tries = found, tries + 1
    assert tries >= MAX_DEATHS
    assert PATIENCE <= now <= PATIENCE + LAST_PAUSE
