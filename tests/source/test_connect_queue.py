"""When a host may be asked for another connection: gates with moments of our own, then a queue."""

from __future__ import annotations

import asyncio

from fastingest.source.connect_queue import (
    CALM,
    FIRST_HOLD,
    FIRST_PACE,
    MAX_HOLD,
    MAX_PACE,
    ConnectQueue,
    Gate,
    HostQueues,
)
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


def test_a_queue_lets_them_through_in_order_and_holds_those_who_wait_already() -> None:
    now = 100.0
    passed: list[tuple[int, float]] = []

    async def ask(queue: ConnectQueue, number: int) -> None:
        passed.append((number, await queue.turn()))

    async def run() -> None:
        nonlocal now
        queue = ConnectQueue(shared(), lambda: now)
        await ask(queue, 0)
        assert queue.wait == 0
        queue.refused(passed[0][1], 0.0)
        assert queue.wait == FIRST_HOLD
        now += FIRST_HOLD - 0.001
        tasks = [asyncio.create_task(ask(queue, number)) for number in (1, 2)]
        await asyncio.sleep(0)
        queue.refused(now, 0.0)  # of somebody who was asking meanwhile
        await asyncio.sleep(0.01)  # longer than the first wait would have lasted
        assert len(passed) == 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        now += 1000
        await ask(queue, 3)
        await ask(queue, 4)

    asyncio.run(run())
    assert [number for number, _ in passed] == [0, 3, 4]


def test_feeds_of_one_host_share_a_queue() -> None:
    queues = HostQueues(1, lambda: 0.0)
    one = queues.of("wss://me:pw@Host:1/a")
    one.refused(0.0, 0.0)
    assert one.wait == 0
    assert queues.of("wss://host:1/b?c=${KEY}") is one
    assert queues.of("wss://host:2/a") is not one
    one.refused(0.0, 0.0)
    assert one.wait == 2 * FIRST_HOLD
