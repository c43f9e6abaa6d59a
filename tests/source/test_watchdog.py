"""When a connection is dead without saying so, by clocks that are told how the time goes."""

from __future__ import annotations

from typing import Literal

import pytest

from fastingest.source.watchdog import Come, Dead, Watchdog

Action = Literal["ping"] | Dead | None


class Rig:
    """A watchdog that is told once a second what has come."""

    def __init__(self, ping: float | None = None, idle: float | None = None) -> None:
        self.come = Come(7, 7, 7)
        self.watchdog = Watchdog(ping, idle, self.come)

    def pass_second(
        self,
        *,
        read: bool = False,
        message: bool = False,
        row: bool = False,
        is_paused: bool = False,
        seconds: float = 1.0,
    ) -> Action:
        reads, messages, rows = self.come
        self.come = Come(reads + (read or message or row), messages + (message or row), rows + row)
        return self.watchdog.look(seconds, self.come, is_paused=is_paused)

    def pass_seconds(self, count: int, **come: bool) -> list[Action]:
        return [self.pass_second(**come) for _ in range(count)]


@pytest.mark.parametrize(
    ("ping", "idle", "tick"),
    [(20, 300, 1.0), (None, 2, 0.5), (0.4, None, 0.1), (8, 0.2, 0.05), (None, None, None)],
)
def test_it_looks_often_enough(ping: float | None, idle: float | None, tick: float | None) -> None:
    assert Watchdog(ping, idle, Come(0, 0, 0)).tick == tick


def test_a_ping_is_sent_when_nothing_comes_and_once() -> None:
    rig = Rig(ping=3)
    assert rig.pass_seconds(6) == [None, None, "ping", None, None, Dead(_PING, 6.0)]


_PING = "no answer to a ping for 3s"


def test_anything_at_all_answers_a_ping() -> None:
    rig = Rig(ping=3)
    for _ in range(3):
        assert rig.pass_seconds(3)[-1] == "ping"
        assert rig.pass_seconds(2) == [None, None]
        assert rig.pass_second(read=True) is None


def test_who_sends_is_not_pinged() -> None:
    rig = Rig(ping=3)
    for _ in range(5):
        assert rig.pass_seconds(2) == [None, None]
        assert rig.pass_second(read=True) is None


@pytest.mark.parametrize(
    ("come", "instead"),
    [
        ({}, ""),
        ({"read": True}, "; only control frames came"),
        ({"message": True}, "; only messages that are ignored came"),
    ],
)
def test_without_a_row_it_is_dead_whatever_else_comes(come: dict[str, bool], instead: str) -> None:
    rig = Rig(ping=30, idle=5)
    assert rig.pass_second(row=True) is None
    assert rig.pass_seconds(4, **come) == [None] * 4
    assert rig.pass_second(**come) == Dead(f"no row for 5s{instead}", 5.0)


def test_what_came_before_the_last_row_is_not_said_to_have_come_instead() -> None:
    rig = Rig(idle=2)
    assert rig.pass_second(message=True) is None
    assert rig.pass_second(row=True) is None
    assert rig.pass_seconds(2)[-1] == Dead("no row for 2s", 2.0)


def test_a_row_starts_both_clocks_over() -> None:
    rig = Rig(ping=9, idle=5)
    for _ in range(3):
        assert rig.pass_seconds(4) == [None] * 4
        assert rig.pass_second(row=True) is None


def test_without_a_row_comes_before_without_an_answer() -> None:
    rig = Rig(ping=2, idle=4)
    assert rig.pass_seconds(4) == [None, "ping", None, Dead("no row for 4s", 4.0)]


def test_the_clocks_stand_still_while_nothing_is_read() -> None:
    rig = Rig(ping=3, idle=4)
    assert rig.pass_seconds(3) == [None, None, "ping"]
    assert rig.pass_seconds(50, is_paused=True) == [None] * 50
    # And start over after it: neither the ping nor the silence before it counts.
    found = rig.pass_seconds(4)
    assert found == [None, None, "ping", Dead("no row for 4s", 4.0)]


def test_no_limit_no_end() -> None:
    assert Rig(idle=None, ping=10**6).pass_seconds(1000) == [None] * 1000
    assert "ping" not in Rig(idle=10**6).pass_seconds(1000)


def test_for_a_time_in_which_it_did_not_run_it_pings_at_once_and_calls_nothing_dead() -> None:
    rig = Rig(ping=3, idle=8)
    assert rig.pass_second() is None
    assert rig.pass_second(seconds=3600.0) == "ping"
    assert rig.pass_seconds(2) == [None, None]
    assert rig.pass_second() == Dead(_PING, 3604.0)


def test_what_came_meanwhile_is_read_before_the_connection_is_judged() -> None:
    rig = Rig(ping=None, idle=4)
    assert rig.pass_second(seconds=3600.0) is None
    assert rig.pass_second(row=True) is None
    assert rig.pass_seconds(4)[-1] == Dead("no row for 4s", 4.0)


def test_a_silence_that_goes_on_after_it_did_not_run_is_told_in_full() -> None:
    rig = Rig(idle=4)
    assert rig.pass_second(seconds=3600.0) is None
    assert rig.pass_seconds(2)[-1] == Dead("no row for 4s", 3602.0)
