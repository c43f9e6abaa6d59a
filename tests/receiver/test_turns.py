"""Turns are asked for, and answered, or not."""

from __future__ import annotations

import asyncio

import pytest

from fastingest.receiver import turns
from fastingest.receiver.turns import Turns
from fastingest.runtime import control
from fastingest.source.connect_queue import Turn


def test_each_who_asks_gets_the_answer_to_it() -> None:
    told: list[control.Notice] = []

    async def run() -> list[Turn | None]:
        office = Turns(told.append)
        asking = [asyncio.create_task(office.ask(host, 2)) for host in ("a", "b")]
        await asyncio.sleep(0)
        office.answered(control.Turn(1, 2.5, is_now=False))
        office.answered(control.Turn(0, 1.5, is_now=True))
        office.answered(control.Turn(9, 0.0, is_now=True))  # nobody has asked that
        office.refused("a", 1.5, 30.0)
        return await asyncio.gather(*asking)

    assert asyncio.run(run()) == [Turn(1.5, is_now=True), Turn(2.5, is_now=False)]
    assert told == [
        control.AskTurn(0, "a", 2),
        control.AskTurn(1, "b", 2),
        control.HostRefused("a", 1.5, 30.0),
    ]


def test_a_supervisor_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)

    told: list[control.Notice] = []

    async def run() -> None:
        office = Turns(told.append)
        assert await office.ask("a", 1) is None
        assert await office.ask("b", 1) is None
        assert told == [control.AskTurn(0, "a", 1)]  # the second one has not even waited
        office.answered(control.Turn(0, 1.0, is_now=True))  # too late, but it is there again
        asking = asyncio.create_task(office.ask("b", 1))
        await asyncio.sleep(0)
        office.answered(control.Turn(1, 2.0, is_now=True))
        assert await asking == Turn(2.0, is_now=True)

    asyncio.run(run())
