"""When segments are moved: with a disk that takes them or does not, and a clock that is set."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import pytest

from fastingest.model.event import Event
from fastingest.spool.events import SpillUnwritable, SpillWritable
from fastingest.spool.held import Held, Place, Segment
from fastingest.spool.mover import RETRY_SAVE, RETRY_SPILL, SAVE_PATIENCE, Mover
from fastingest.spool.outbox import Level, Outbox

SIZE = 1000  # a segment's, about
LIMIT = 10 * SIZE
FULL_DISK = OSError(errno.ENOSPC, "No space left on device")


class Rig:
    """An outbox and its mover; a move is over when the test says so."""

    def __init__(self, *, shares_disk: bool = False) -> None:
        self.now = 0.0
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.moves: list[tuple[Segment, Callable[[Segment, OSError | None], None]]] = []
        self.reserved: list[int] = []
        self.events: list[Event] = []
        self.changes = 0
        self.outbox = Outbox(
            memory_limit=LIMIT, spill_limit=2**30, segment_size=SIZE, window=2**30, entry_cost=0
        )
        self.mover = Mover(
            self.outbox,
            self,
            shares_disk=shares_disk,
            report=self.events.append,
            changed=self.changed,
            call_later=lambda delay, call: self.later.append((self.now + delay, call)),
            now=lambda: self.now,
        )

    def move(
        self,
        segment: Segment,
        done: Callable[[Segment, OSError | None], None],
        *,
        reserve: int = 0,
    ) -> None:
        assert segment.place is Place.MOVING
        self.moves.append((segment, done))
        self.reserved.append(reserve)

    def changed(self) -> None:
        self.changes += 1
        self.mover.move_next()

    def fill(self, segments: int) -> list[Held]:
        held = [self.outbox.add(SIZE, rows=1) for _ in range(segments)]
        self.mover.move_next()
        return held

    def end_move(self, error: OSError | None = None) -> Segment:
        segment, done = self.moves.pop(0)
        done(segment, error)
        return segment

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        due = [call for at, call in self.later if at <= self.now]
        self.later = [each for each in self.later if each[0] > self.now]
        for call in due:
            call()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_nothing_is_moved_while_there_is_room(rig: Rig) -> None:
    rig.fill(7)
    assert rig.moves == []


def test_segments_are_moved_one_at_a_time_until_there_is_room(rig: Rig) -> None:
    rig.fill(9)
    moved = []
    while rig.moves:
        assert len(rig.moves) == 1
        moved.append(rig.end_move().number)
    assert moved == [8, 7]  # the newest first
    assert rig.outbox.memory <= 0.75 * LIMIT
    assert rig.changes == 2
    assert rig.events == []


def test_what_the_output_needs_stays_free_on_its_disk(rig: Rig) -> None:
    rig.fill(9)
    shared = Rig(shares_disk=True)
    shared.fill(9)
    assert rig.reserved == [0]
    # With the segment that is on its way there.
    assert shared.reserved == [2 * LIMIT + shared.outbox.disk]
    assert shared.outbox.disk > SIZE


def test_after_an_error_it_is_tried_again_and_said_once(rig: Rig) -> None:
    rig.fill(12)
    assert rig.outbox.level is Level.FULL
    for _ in range(3):
        rig.end_move(FULL_DISK)
        assert rig.moves == []
        rig.mover.move_next()
        assert rig.moves == []  # not at once
        rig.pass_time(RETRY_SPILL - 0.1)
        assert rig.moves == []
        rig.pass_time(0.1)
        assert len(rig.moves) == 1
    assert rig.events == [SpillUnwritable("No space left on device")]
    rig.end_move()
    assert rig.events[1:] == [SpillWritable()]
    assert len(rig.moves) == 1  # and on it goes


def test_an_error_is_forgotten_when_nothing_has_to_be_moved_any_more(rig: Rig) -> None:
    held = rig.fill(9)
    rig.outbox.link(-1)
    rig.end_move(FULL_DISK)
    for each in held:
        rig.outbox.sent(each)
    rig.outbox.acknowledge(held[-1].sequence)
    rig.pass_time(RETRY_SPILL)
    rig.fill(9)
    assert len(rig.moves) == 1


# Saving


def saving(rig: Rig, *ends: Callable[[], Any]) -> None:
    """Save, and let this happen meanwhile."""

    async def run() -> None:
        saved = asyncio.create_task(rig.mover.save())
        for end in ends:
            await asyncio.sleep(0)
            assert not saved.done()
            end()
        await asyncio.wait_for(saved, 5)

    asyncio.run(run())


def test_everything_is_saved_the_oldest_first(rig: Rig) -> None:
    held = rig.fill(3)
    saved: list[int] = []
    saving(rig, *[lambda: saved.append(rig.end_move().number)] * 3)
    assert saved == [0, 1, 2]
    assert {each.segment.place for each in held} == {Place.DISK}
    assert (rig.mover.problem, rig.changes, rig.reserved) == ("", 0, [0] * 3)


def test_with_nothing_to_save_it_is_over(rig: Rig) -> None:
    saving(rig)
    assert rig.moves == []


def test_a_move_under_way_is_waited_for(rig: Rig) -> None:
    held = rig.fill(9)
    saving(rig, *[rig.end_move] * 9)
    assert {each.segment.place for each in held} == {Place.DISK}


def test_what_is_in_memory_is_not_tried_again(rig: Rig) -> None:
    rig.fill(3)
    saving(rig, lambda: rig.end_move(FULL_DISK))
    assert rig.mover.problem == "No space left on device"
    rig.pass_time(10 * RETRY_SPILL)
    assert rig.moves == []


def test_what_a_process_alone_has_is_tried_again_for_a_while(rig: Rig) -> None:
    (held,) = rig.fill(1)
    rig.outbox.expose(held)

    def fail() -> None:
        rig.end_move(FULL_DISK)
        rig.pass_time(RETRY_SAVE)

    saving(rig, *[fail] * 3, rig.end_move)
    assert held.segment.place is Place.DISK
    assert not rig.outbox.is_exposed


def test_and_given_up_after_it(rig: Rig) -> None:
    (held,) = rig.fill(1)
    rig.outbox.expose(held)

    def fail_late() -> None:
        rig.now += SAVE_PATIENCE
        rig.end_move(FULL_DISK)

    saving(rig, fail_late)
    assert rig.outbox.in_exposed() == [held]
    assert rig.mover.problem == "No space left on device"
