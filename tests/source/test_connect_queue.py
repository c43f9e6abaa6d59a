"""Where feeds wait for their turn to connect to a host: with a clock of our own."""

from __future__ import annotations

import asyncio

from fastingest.runtime.control import AskTurn, HostRefused
from fastingest.runtime.gate import FIRST_HOLD, FIRST_PACE, Gate
from fastingest.source.connect_queue import ConnectQueue, HostQueues, Office, SharedQueue, Turn
from fastingest.supervisor.gates import Gates


def shared() -> Gate:
    """That of a host with several feeds."""
    gate = Gate()
    gate.is_shared = True
    return gate


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
    queues = HostQueues(1, lambda: 0.0, None)
    one = queues.of("wss://me:pw@Host:1/a")
    one.refused(0.0, 0.0)
    assert one.wait == 0
    assert queues.of("wss://host:1/b?c=${KEY}") is one
    assert queues.of("wss://host:2/a") is not one
    one.refused(0.0, 0.0)
    assert one.wait == 2 * FIRST_HOLD


class Central(Office):
    """That of the supervisor, without the way there and back.

    :param gates: the supervisor's; None: nobody answers.
    """

    def __init__(self, receiver: str, gates: Gates | None) -> None:
        self._receiver = receiver
        self._gates = gates
        self.asked: list[str] = []

    async def ask(self, host: str, feeds: int) -> Turn | None:
        self.asked.append(host)
        if self._gates is None:
            return None
        answer = self._gates.answer(self._receiver, AskTurn(0, host, feeds))
        return Turn(answer.at, answer.is_now)

    def refused(self, host: str, asked_at: float, wait: float) -> None:
        if self._gates is not None:
            self._gates.refused(HostRefused(host, asked_at, wait))


def test_what_one_receiver_is_refused_holds_the_others() -> None:
    now, passed = 100.0, []

    async def ask(queue: ConnectQueue, name: str) -> None:
        passed.append((name, await queue.turn()))

    async def run() -> None:
        nonlocal now
        gates = Gates(lambda: now)
        offices = [Central(name, gates) for name in ("one", "two")]
        one, two = (HostQueues(2, lambda: now, each).of("wss://me:${PW}@h/") for each in offices)
        await ask(one, "one")
        await ask(two, "two")
        one.refused(100.0, 30.0)
        assert one.wait == 30.0
        assert two.wait == 0.0  # it will hear of it when it asks
        waiting = asyncio.create_task(ask(two, "two"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (len(passed), two.wait) == (2, 30.0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        now = 130.0
        await ask(one, "one")
        assert offices[0].asked == ["h", "h"]
        waiting = asyncio.create_task(ask(two, "two"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (len(passed), two.wait) == (3, FIRST_PACE)
        now += FIRST_PACE
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await ask(two, "two")

    asyncio.run(run())
    assert passed == [("one", 100.0), ("two", 100.0), ("one", 130.0), ("two", 130.5)]


def test_a_turn_is_not_taken_where_one_of_ours_was_refused_before_the_answer_came() -> None:
    """It would be a connect that the host has just said it will not have."""

    class Slow(Central):
        async def ask(self, host: str, feeds: int) -> Turn | None:
            answer = await super().ask(host, feeds)
            queue.refused(99.0, 30.0)
            return answer

    async def run() -> None:
        waiting = asyncio.create_task(queue.turn())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        waiting.cancel()

    gates = Gates(lambda: 100.0)
    queue = SharedQueue(Gate(2), lambda: 100.0, "h", Slow("one", gates))
    asyncio.run(run())
    assert queue.wait == 30.0


def test_who_gets_no_answer_decides_alone_and_leaves_room_for_the_others() -> None:
    now = 100.0

    async def run() -> None:
        nonlocal now
        queue = SharedQueue(Gate(3), lambda: now, "h", Central("one", None))
        queue.share()
        assert await queue.turn() == 100.0
        queue.refused(100.0, 0.0)
        assert queue.wait == FIRST_HOLD
        now += FIRST_HOLD
        assert await queue.turn() == 100.0 + FIRST_HOLD
        waiting = asyncio.create_task(queue.turn())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        waiting.cancel()
        now += 3 * FIRST_PACE
        assert await queue.turn() == 100.0 + FIRST_HOLD + 3 * FIRST_PACE

    asyncio.run(run())


def test_a_receiver_that_is_alone_asks_nobody() -> None:
    office = Central("one", None)
    assert isinstance(HostQueues(2, lambda: 0.0, office).of("ws://h/"), SharedQueue)
    assert not isinstance(HostQueues(1, lambda: 0.0, None).of("ws://h/"), SharedQueue)
