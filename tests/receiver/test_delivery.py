"""Batches on their way to a writer that the test plays; the spool is a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fastingest import Options
from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import PARTITIONS, Batch, Layout, Position, Reject
from fastingest.model.chunks import Buffer
from fastingest.model.event import Event
from fastingest.model.schema import TRADES
from fastingest.receiver.delivery import Delivery
from fastingest.receiver.events import RowsUnsaved, WriterBehind
from fastingest.runtime.assignment import SharedOutput
from fastingest.spool.directories import SpoolDirectories

STREAM = 10**16 * PARTITIONS
LAYOUT = Layout(TRADES.names, TRADES.types, "feed")
MIB = 2**20


class Uplink:
    """What a sender sends by."""

    def __init__(self) -> None:
        self.sent: list[Position] = []
        self.batches: list[Batch] = []
        self.ended = ""

    def send(self, position: Position, payload: Buffer) -> None:
        self.sent.append(position)
        self.batches.append(Batch.from_bytes(payload))

    def abort(self) -> None:
        self.ended += "aborted"

    async def close(self) -> None:
        self.ended += "closed"


class Rig:
    """A sender, and what it says."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.counters = Counters.create(feeds=["a", "b"])
        self.events: list[Event] = []
        self.broken = 0
        self.full: list[tuple[bool, bool]] = []
        self.places = SpoolDirectories(directory / "memory", directory / "disk")
        self.places.spool.mkdir(mode=0o700, exist_ok=True)
        target = SimpleNamespace(path=directory / "out.csv")
        share = SimpleNamespace(places=self.places, counters=self.counters, target=target)
        self.sender = Delivery(
            Options(url=("ws://127.0.0.1/",), **options),
            STREAM,
            cast(SharedOutput, share),
            feed="a",
            report=self.events.append,
            broken=self._break,
            full=lambda *state: self.full.append(state),
        )
        self.save = asyncio.Event()

    def _break(self) -> None:
        self.broken += 1

    def emit(self, *sizes: int, feed: str = "a") -> None:
        """Batches of a row and a reject, which is so large."""
        for size in sizes:
            reject = Reject(1, "", bytes(size))
            layout = LAYOUT._replace(feed=feed)
            self.sender.emit(Batch(1, [], layout, [(1, 1)], rejects=[reject]))

    def join(self) -> Uplink:
        uplink = Uplink()
        self.sender.join(uplink)
        return uplink


def at(sequence: int) -> Position:
    return Position(STREAM, sequence)


Body = Callable[[Rig], Awaitable[None]]


def run(directory: Path, body: Body, **options: Any) -> Rig:
    async def start() -> Rig:
        rig = Rig(directory, **options)
        await asyncio.wait_for(body(rig), 30)
        return rig

    return asyncio.run(start())


def test_batches_are_named_and_sent_once_a_writer_says_where_it_is(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        rig.emit(1, 1)
        uplink = rig.join()
        rig.emit(1)
        assert uplink.sent == []
        rig.sender.linked(None)
        assert uplink.sent == [at(0), at(1), at(2)]
        rig.emit(1, feed="b")
        assert uplink.sent[3:] == [at(3)]
        assert [(each.position, each.feed) for each in uplink.batches] == [
            (at(0), "a"),
            (at(1), "a"),
            (at(2), "a"),
            (at(3), "b"),
        ]
        assert rig.sender.unacknowledged == 4

    run(tmp_path, body)


def test_what_is_stored_is_let_go(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        uplink = rig.join()
        rig.sender.linked(None)
        rig.emit(1, 1, 1)
        rig.sender.stored(at(1))
        assert rig.sender.unacknowledged == 1
        rig.sender.stored(at(2))
        assert rig.sender.unacknowledged == rig.counters[Slot.OUTBOX_BYTES] == 0
        assert rig.counters[Slot.OUTBOX_PEAK] > 0
        assert uplink.sent == [at(0), at(1), at(2)]

    run(tmp_path, body)


def test_the_next_writer_gets_what_the_one_before_has_not_stored(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        rig.join()
        rig.sender.linked(None)
        rig.emit(1, 1, 1, 1)
        rig.sender.stored(at(0))
        rig.sender.lost()
        assert rig.broken == 1
        rig.emit(1)
        second = rig.join()
        assert second.sent == []
        rig.sender.linked(at(1))  # it found one more in the file
        assert second.sent == [at(2), at(3), at(4)]

    run(tmp_path, body)


def test_another_uplink_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        first = rig.join()
        rig.sender.linked(None)
        rig.emit(1)
        second = rig.join()
        assert first.ended == "aborted"
        rig.emit(1)
        assert (first.sent, second.sent) == ([at(0)], [])
        rig.sender.linked(None)
        assert second.sent == [at(0), at(1)]
        assert rig.broken == 0

    run(tmp_path, body)


def test_no_more_is_on_its_way_than_the_window(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        uplink = rig.join()
        rig.sender.linked(None)
        rig.emit(*[MIB] * 6)
        assert uplink.sent == [at(0), at(1), at(2)]  # of 4 MiB
        rig.sender.stored(at(0))
        assert uplink.sent[3:] == [at(3)]

    run(tmp_path, body)


def test_a_writer_that_stores_what_was_not_sent_is_in_the_wrong(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        rig.join()
        rig.sender.linked(None)
        rig.emit(1)
        with pytest.raises(ValueError, match="batch 1 was acknowledged and had not been sent"):
            rig.sender.stored(at(1))

    run(tmp_path, body)


def test_what_goes_to_disk_comes_back_in_order(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        rig.emit(*[MIB] * 12)
        while not rig.counters[Slot.SPILL_BYTES]:
            await asyncio.sleep(0.001)
        uplink = rig.join()
        rig.sender.linked(None)
        while rig.sender.unacknowledged:
            if uplink.sent:
                rig.sender.stored(uplink.sent[-1])
            await asyncio.sleep(0.001)
        assert uplink.sent == [at(sequence) for sequence in range(12)]
        assert [len(each.rejects[0].raw) for each in uplink.batches] == [MIB] * 12
        assert WriterBehind in map(type, rig.events)
        assert rig.counters[Slot.SPILL_BYTES] == 0

    run(tmp_path, body, memory_limit=8 * MIB)


def test_a_full_outbox_drops_by_name(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        rig.emit(*[MIB] * 12)
        assert rig.full[-1] == (True, False)
        dropped = rig.counters[Slot.DROPPED]
        rig.emit(1, feed="b")
        assert rig.counters[Slot.DROPPED] == dropped
        assert rig.counters.feeds[1][Slot.DROPPED] == 2  # a row and a reject
        held = rig.sender.unacknowledged
        assert 2 * held + dropped == 2 * 12

    run(tmp_path, body, memory_limit=8 * MIB, spill_limit=0, when_full="drop")


def test_it_ends_when_everything_is_stored(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        uplink = rig.join()
        rig.sender.linked(None)
        rig.emit(1)
        ended = asyncio.create_task(rig.sender.finish(rig.save))
        await asyncio.sleep(0)
        assert not ended.done()
        rig.sender.stored(at(0))
        await ended
        assert uplink.ended == "closed"
        late = rig.join()
        assert late.ended == "aborted"

    run(tmp_path, body)


def test_what_cannot_be_delivered_is_saved_on_disk(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        uplink = rig.join()
        rig.emit(1, 1)
        rig.save.set()
        await rig.sender.finish(rig.save)
        assert uplink.ended == "aborted"
        assert [path.name for path in rig.places.spill.iterdir()] == [f"{STREAM}-0.segment"]
        assert rig.counters[Slot.UNSAVED] == 0

    run(tmp_path, body)


def test_what_finds_room_nowhere_is_counted(tmp_path: Path) -> None:
    """There is no spool to write to, and where the spill would be, there is a file."""

    async def body(rig: Rig) -> None:
        rig.places.spool.rmdir()
        rig.places.spill.write_text("in the way")
        rig.emit(1, feed="b")
        assert rig.full[-1][1]  # only this process has it
        rig.save.set()
        await rig.sender.finish(rig.save)
        assert rig.counters.feeds[1][Slot.UNSAVED] == 2
        (unsaved,) = [each for each in rig.events if isinstance(each, RowsUnsaved)]
        assert unsaved.rows == 2
        assert unsaved.problem.startswith(f"{rig.places.spill}: ")

    run(tmp_path, body)
