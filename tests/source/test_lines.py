"""Several connections of one feed: what reaches which of them, and when it cannot be had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, cast

import pytest

from fastingest.access.secrets import Redactor
from fastingest.errors import FeedRefused
from fastingest.source.connection import Connection, Prospects
from fastingest.source.gap import Outage
from fastingest.source.lines import Lines


class FakeConnection:
    """Notes what it is told, and runs until it is stopped."""

    def __init__(self, refusal: FeedRefused | None = None) -> None:
        self.redactor = Redactor()
        self.told: list[Any] = []
        self._refusal = refusal
        self._stopping = asyncio.Event()

    async def run(self, since: Outage | None) -> None:
        self.told.append(since)
        if self._refusal is not None:
            raise self._refusal
        await self._stopping.wait()
        self.told.append("ended")

    def stop(self) -> None:
        self._stopping.set()

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def give_up(self, reason: str, lines: Collection[int] | None = None) -> None:
        self.told.append((reason, lines))


def run(scenario: Callable[[list[FakeConnection], Lines], Any], **since: dict[int, int]) -> None:
    async def go() -> None:
        fakes = [FakeConnection() for _ in range(3)]
        lines = Lines([cast(Connection, each) for each in fakes], since.get("since", {}))
        await scenario(fakes, lines)

    asyncio.run(go())


def test_all_of_them_are_run_paused_given_up_and_stopped() -> None:
    async def scenario(fakes: list[FakeConnection], lines: Lines) -> None:
        task = asyncio.create_task(lines.run())
        while not all(each.told for each in fakes):
            await asyncio.sleep(0)
        lines.pause()
        lines.resume()
        lines.give_up("why", {1})
        lines.stop()
        await task
        told = [None, "pause", "resume", ("why", {1}), "ended"]
        assert [each.told for each in fakes] == [told] * 3

    run(scenario)


def test_each_goes_on_with_its_own_outage() -> None:
    async def scenario(fakes: list[FakeConnection], lines: Lines) -> None:
        lines.stop()
        await lines.run(Outage(50, "it died"))
        begun = [each.told[0] for each in fakes]
        assert begun == [Outage(10, "it died"), Outage(50, "it died"), Outage(30, "it died")]

    run(scenario, since={0: 10, 2: 30})


def test_where_one_says_that_it_cannot_be_had_the_others_are_ended_first() -> None:
    async def scenario(fakes: list[FakeConnection], _: Lines) -> None:
        refused = FakeConnection(FeedRefused("ws://h", "no"))
        every = [*fakes, refused]
        lines = Lines([cast(Connection, each) for each in every], {})
        with pytest.raises(FeedRefused, match="no"):
            await lines.run()
        assert [each.told for each in fakes] == [[None, "ended"]] * 3

    run(scenario)


def test_the_secrets_of_all_are_hidden() -> None:
    async def scenario(fakes: list[FakeConnection], lines: Lines) -> None:
        fakes[0].redactor.use(["first"])
        fakes[2].redactor.use(["third"])
        assert lines.redactor.hide("first second third") == "*** second ***"

    run(scenario)


def test_a_feed_cannot_be_had_when_the_last_of_its_connections_cannot() -> None:
    prospects = Prospects(3)
    assert [prospects.end(line) for line in (0, 0, 2)] == [False] * 3
    prospects.begin(0)
    assert not prospects.end(1)
    assert prospects.end(0)
    assert Prospects().end(0)
