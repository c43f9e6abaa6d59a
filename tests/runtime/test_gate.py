"""When a host may be asked for another connection: with moments of our own."""

from __future__ import annotations

from fastingest.runtime.gate import CALM, FIRST_HOLD, FIRST_PACE, MAX_HOLD, MAX_PACE, Gate
from tests.peers.venue import Meter, Rate


def shared(sharers: int = 1) -> Gate:
    """That of a host with several feeds."""
    gate = Gate(sharers)
    gate.is_shared = True
    return gate


def test_nobody_waits_for_a_host_that_has_not_complained() -> None:
    gate = shared()
    for now in (0.0, 0.0, 1.0):
        gate.passed(now)
        assert gate.open_at <= now


def test_after_a_refusal_all_wait_and_then_go_one_by_one() -> None:
    gate = shared()
    gate.passed(10.0)
    gate.refused(10.0, 10.1, 0.0)
    assert gate.open_at == 10.1 + FIRST_HOLD
    gate.passed(20.0)
    assert gate.open_at == 20.0 + FIRST_PACE


def test_a_host_may_say_for_how_long() -> None:
    gate = shared()
    gate.refused(0.0, 0.0, 30.0)
    assert gate.open_at == 30.0
    gate = shared()
    gate.refused(0.0, 0.0, 1.0)
    assert gate.open_at == 1.0
    gate.passed(1.0)  # and then not all at once
    assert gate.open_at == 1.0 + FIRST_PACE


def test_a_single_feed_is_held_for_as_long_as_the_host_says_and_no_longer() -> None:
    gate = Gate()
    gate.refused(0.0, 0.0, 0.0)
    assert gate.open_at == 0.0
    gate.refused(1.0, 1.0, 30.0)
    assert gate.open_at == 31.0


def test_refusals_of_what_was_asked_before_are_no_news() -> None:
    gate = shared()
    for answered_at in (1.0, 1.1, 1.2):
        gate.refused(0.5, answered_at, 0.0)
    assert gate.open_at == 1.2 + FIRST_HOLD
    gate.passed(7.0)
    assert gate.open_at == 7.0 + FIRST_PACE


def test_times_grow_with_each_refusal_up_to_a_limit_and_are_forgotten() -> None:
    gate, now = shared(), 0.0
    holds, paces = [], []
    for _ in range(6):
        gate.refused(now, now, 0.0)
        holds.append(gate.open_at - now)
        now = gate.open_at
        gate.passed(now)
        paces.append(gate.open_at - now)
    assert holds == [5.0, 10.0, 20.0, 40.0, MAX_HOLD, MAX_HOLD]
    assert paces == [0.5, 1.0, 2.0, 4.0, 8.0, MAX_PACE]
    gate.passed(now + CALM)
    assert gate.open_at == now + CALM
    gate.refused(now + CALM, now + CALM, 0.0)
    assert gate.open_at == now + CALM + FIRST_HOLD


def test_receivers_that_share_a_host_leave_room_for_each_other() -> None:
    gate = shared(3)
    gate.refused(0.0, 0.0, 0.0)
    gate.passed(10.0)
    assert gate.open_at == 10.0 + 3 * FIRST_PACE


def test_twenty_get_in_though_each_try_prolongs_a_ban() -> None:
    """What a venue allows, told by its meter, with moments of our own: five in two seconds."""
    meter, gate, now, waiting = Meter(Rate(5, 2.0, ban=10.0)), shared(), 0.0, 20
    tries = 0
    while waiting:
        now = max(now, gate.open_at)
        tries += 1
        gate.passed(now)
        if meter.exceeded(now):
            gate.refused(now, now, 0.0)
        else:
            waiting -= 1
    assert now < 60
    assert tries < 25
