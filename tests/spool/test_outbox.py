from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastingest.spool.held import Held, Place, Segment
from fastingest.spool.outbox import SPILL_MARK, Level, Outbox
from fastingest.spool.segment import HEADER_SIZE, RECORD_SIZE

SIZE = 100 - RECORD_SIZE
"""Of a batch that takes 100 bytes of its segment."""


def make(**limits: int) -> Outbox:
    """An outbox whose segments hold two batches of ``SIZE``, and with no other limit."""
    least = {"memory_limit": 10**9, "spill_limit": 10**9, "segment_size": 200, "window": 10**9}
    return Outbox(**{"entry_cost": 0, **least, **limits})


def add(outbox: Outbox, count: int, size: int = SIZE) -> list[Held]:
    return [outbox.add(size, rows=1) for _ in range(count)]


def send_all(outbox: Outbox) -> list[int]:
    """Send as much as goes; the sequence numbers."""
    sent = []
    while (held := outbox.next_to_send()) is not None:
        outbox.sent(held)
        sent.append(held.sequence)
    return sent


def place_of(segment: Segment) -> Place:
    """For the type checker, which does not expect it to change."""
    return segment.place


def numbers(segments: Iterable[Segment]) -> list[int]:
    return [segment.number for segment in segments]


# Sending


def test_batches_are_numbered_from_zero_and_have_a_place_each() -> None:
    outbox = make()
    assert outbox.next_sequence == 0
    held = [outbox.add(size, rows) for size, rows in ((10, 1), (300, 2), (5, 3))]
    assert [each.sequence for each in held] == [0, 1, 2]
    assert [each.rows for each in held] == [1, 2, 3]
    assert [each.size for each in held] == [10, 300, 5]
    first = HEADER_SIZE + RECORD_SIZE
    assert [each.offset for each in held] == [first, first + 10 + RECORD_SIZE, first]
    assert held[0].segment is held[1].segment  # sealed by the second
    assert [(each.segment.number, each.segment.first) for each in held] == [(0, 0), (0, 0), (1, 2)]
    assert (held[0].segment.last, held[2].segment.last) == (1, 2)
    assert (held[0].segment.sealed, held[2].segment.sealed) == (True, False)
    assert outbox.next_sequence == len(outbox) == 3


def test_nothing_is_sent_before_a_writer_is_there() -> None:
    outbox = make()
    add(outbox, 2)
    assert outbox.next_to_send() is None
    assert outbox.link(-1) == []
    assert send_all(outbox) == [0, 1]
    add(outbox, 1)
    assert send_all(outbox) == [2]


def test_no_more_is_on_the_way_than_the_window_allows() -> None:
    outbox = make(window=2 * SIZE)
    add(outbox, 5)
    outbox.link(-1)
    assert send_all(outbox) == [0, 1]
    outbox.acknowledge(0)
    assert send_all(outbox) == [2]
    outbox.acknowledge(2)
    assert send_all(outbox) == [3, 4]


def test_one_batch_may_be_on_the_way_always() -> None:
    outbox = make(window=1)
    add(outbox, 2)
    outbox.link(-1)
    assert send_all(outbox) == [0]
    outbox.acknowledge(0)
    assert send_all(outbox) == [1]


def test_another_writer_gets_what_the_one_before_has_not_committed() -> None:
    outbox = make(window=3 * SIZE)
    add(outbox, 6)
    outbox.link(-1)
    assert send_all(outbox) == [0, 1, 2]
    outbox.acknowledge(0)
    assert send_all(outbox) == [3]
    outbox.unlink()
    assert outbox.next_to_send() is None
    add(outbox, 1)
    assert outbox.next_to_send() is None
    assert len(outbox) == 6
    assert numbers(outbox.link(1)) == [0]  # it had committed batch 1, and died before it said so
    assert len(outbox) == 5
    assert send_all(outbox) == [2, 3, 4]


def test_a_link_begins_anew_also_where_nobody_said_that_the_last_one_is_over() -> None:
    outbox = make(window=2 * SIZE)
    add(outbox, 3)
    for _ in range(2):
        outbox.link(-1)
        assert send_all(outbox) == [0, 1]


def test_another_writer_that_has_everything_gets_nothing() -> None:
    outbox = make()
    add(outbox, 3)
    outbox.link(-1)
    send_all(outbox)
    outbox.unlink()
    assert numbers(outbox.link(2)) == [0, 1]
    assert (len(outbox), outbox.bytes, outbox.memory) == (0, 0, 0)
    assert outbox.next_to_send() is None


def test_a_writer_with_an_older_state_gets_what_is_still_held() -> None:
    """Without a journal it does not know where its predecessor was."""
    outbox = make()
    add(outbox, 3)
    outbox.link(-1)
    send_all(outbox)
    outbox.acknowledge(1)
    outbox.unlink()
    assert outbox.link(-1) == []
    assert send_all(outbox) == [2]


# Letting go


def test_a_batch_that_is_held_says_whose_it_is() -> None:
    outbox = make()
    held = [outbox.add(SIZE, rows, feed) for rows, feed in ((5, "b"), (3, "a"), (1, "b"))]
    assert [(each.rows, each.feed) for each in held] == [(5, "b"), (3, "a"), (1, "b")]
    outbox.link(-1)
    assert outbox.next_to_send() is held[0]
    outbox.unlink()
    segment = held[0].segment
    gone = outbox.abandon(segment)
    assert [(each.rows, each.feed) for each in gone] == [
        (each.rows, each.feed) for each in held if each.segment is segment
    ]


def test_a_batch_is_held_until_it_is_acknowledged() -> None:
    outbox = make()
    outbox.link(-1)
    for size in (1, 2, 3):
        outbox.add(size, 1)
    send_all(outbox)
    assert (len(outbox), outbox.bytes) == (3, 6)
    outbox.acknowledge(0)
    assert (len(outbox), outbox.bytes) == (2, 5)
    outbox.acknowledge(2)  # stands for 1 as well
    assert (len(outbox), outbox.bytes) == (0, 0)
    assert outbox.peak == 6


@pytest.mark.parametrize("sequence", [2, 3, 5])
def test_an_acknowledgement_of_what_was_not_sent_is_an_error(sequence: int) -> None:
    outbox = make(window=2 * SIZE)
    add(outbox, 4)
    outbox.link(-1)
    assert send_all(outbox) == [0, 1]
    with pytest.raises(ValueError, match=f"batch {sequence} was acknowledged and had not been"):
        outbox.acknowledge(sequence)
    assert len(outbox) == 4


def test_an_acknowledgement_that_comes_again_changes_nothing() -> None:
    outbox = make()
    add(outbox, 3)
    outbox.link(-1)
    assert send_all(outbox) == [0, 1, 2]
    outbox.acknowledge(1)
    assert [outbox.acknowledge(sequence) for sequence in (-1, 0, 1)] == [[], [], []]
    assert len(outbox) == 1


@pytest.mark.parametrize("sequence", [0, 1])
def test_an_acknowledgement_while_nothing_is_on_the_way_is_an_error(sequence: int) -> None:
    outbox = make()
    add(outbox, 2)
    for change in (lambda: outbox.link(-1), outbox.unlink):
        change()
        with pytest.raises(ValueError, match=f"batch {sequence} was acknowledged"):
            outbox.acknowledge(sequence)
    assert len(outbox) == 2


def test_a_segment_is_given_back_with_its_last_batch() -> None:
    outbox = make()
    held = add(outbox, 5)
    outbox.link(-1)
    send_all(outbox)
    assert outbox.acknowledge(0) == []
    assert outbox.memory == 3 * HEADER_SIZE + 500  # the first batch's bytes as well
    assert numbers(outbox.acknowledge(2)) == [0]
    assert outbox.memory == 2 * HEADER_SIZE + 300
    assert numbers(outbox.acknowledge(4)) == [1, 2]  # the open one, too
    assert outbox.memory == 0
    assert {each.segment.place for each in held} == {Place.GONE}
    (later,) = add(outbox, 1)
    assert (later.segment.number, later.segment.first, later.sequence) == (3, 5, 5)


# Spilling


def fill(count: int, memory_limit: int, **limits: int) -> tuple[Outbox, list[Segment]]:
    """An outbox with ``count`` sealed segments, and those."""
    outbox = make(memory_limit=memory_limit, **limits)
    held = add(outbox, 2 * count)
    return outbox, [each.segment for each in held[::2]]


SEALED = HEADER_SIZE + 200  # bytes of a sealed segment
FOUR = 4 * SEALED * 4 // 3 + 1  # a limit whose spill mark is at four segments


def test_segments_are_moved_from_the_mark_on() -> None:
    assert int(SPILL_MARK * FOUR) == 4 * SEALED
    outbox, _ = fill(4, memory_limit=FOUR)
    assert outbox.next_to_move() is None
    (held,) = add(outbox, 1)
    segment = outbox.next_to_move()
    assert segment is not None
    assert segment.number == 3  # the newest but the one that is still being filled
    assert not held.segment.sealed


def test_the_newest_are_moved_first_and_one_at_a_time() -> None:
    outbox, segments = fill(7, memory_limit=FOUR)
    for expected in (6, 5, 4):
        segment = outbox.next_to_move()
        assert segment is segments[expected]
        outbox.moving(segment)
        assert outbox.is_moving
        assert place_of(segment) is Place.MOVING
        assert outbox.next_to_move() is None
        assert outbox.next_to_move(everything=True) is None
        outbox.moved(segment, succeeded=True)
        assert place_of(segment) is Place.DISK
        assert not outbox.is_moving
    assert outbox.next_to_move() is None
    assert (outbox.memory, outbox.disk) == (4 * SEALED, 3 * SEALED)


def test_a_segment_on_its_way_counts_on_both_sides() -> None:
    outbox, segments = fill(5, memory_limit=FOUR)
    levels = [outbox.level]
    outbox.moving(segments[4])
    assert (outbox.memory, outbox.disk) == (5 * SEALED, SEALED)
    levels.append(outbox.level)
    outbox.moved(segments[4], succeeded=False)
    assert (outbox.memory, outbox.disk) == (5 * SEALED, 0)
    levels.append(outbox.level)
    assert levels == [Level.MEMORY, Level.SPILL, Level.MEMORY]
    assert outbox.next_to_move() is segments[4]
    assert outbox.disk_peak == SEALED


def test_what_is_about_to_be_sent_is_not_moved() -> None:
    outbox, segments = fill(5, memory_limit=1, window=7 * SIZE)
    outbox.link(-1)
    assert send_all(outbox) == list(range(7))  # to the middle of the fourth segment
    moved = []
    while (segment := outbox.next_to_move()) is not None:
        outbox.moving(segment)
        outbox.moved(segment, succeeded=True)
        moved.append(segment.number)
    assert moved == [4]
    outbox.unlink()
    assert outbox.next_to_move() is segments[3]


@pytest.mark.parametrize(("limit", "moved"), [(0, 0), (SEALED - 1, 0), (SEALED, 1), (500, 2)])
def test_no_more_is_on_disk_than_the_limit_allows(limit: int, moved: int) -> None:
    outbox, _ = fill(5, memory_limit=1, spill_limit=limit)
    count = 0
    while (segment := outbox.next_to_move()) is not None:
        outbox.moving(segment)
        outbox.moved(segment, succeeded=True)
        count += 1
    assert count == moved
    assert outbox.disk == outbox.disk_peak == moved * SEALED
    assert outbox.level is Level.FULL


def test_a_segment_may_be_given_back_while_it_is_moved() -> None:
    outbox, segments = fill(3, memory_limit=1)
    outbox.moving(segments[2])
    outbox.link(-1)
    send_all(outbox)
    assert numbers(outbox.acknowledge(5)) == [0, 1, 2]
    assert (outbox.memory, outbox.disk, outbox.is_moving) == (0, 0, False)
    add(outbox, 2)
    later = outbox.next_to_move()
    assert later is not None
    outbox.moving(later)
    outbox.moved(segments[2], succeeded=True)  # late, and of no interest
    assert (outbox.memory, outbox.disk, outbox.is_moving) == (SEALED, SEALED, True)
    assert segments[2].place is Place.GONE


def test_everything_is_moved_from_the_oldest_on() -> None:
    outbox = make()
    add(outbox, 5)
    outbox.link(-1)
    outbox.sent(outbox.add(SIZE, 1))
    moved = []
    while (segment := outbox.next_to_move(everything=True)) is not None:
        outbox.moving(segment)
        outbox.moved(segment, succeeded=True)
        moved.append(segment.number)
    assert moved == [0, 1, 2]
    assert outbox.memory == 0
    (later,) = add(outbox, 1)
    assert later.segment.number == 3  # what is on disk takes no more


def test_a_segment_that_was_not_full_takes_no_more_once_it_is_moved() -> None:
    outbox = make()
    (held,) = add(outbox, 1)
    outbox.moving(held.segment)
    (later,) = add(outbox, 1)
    assert later.segment is not held.segment
    assert outbox.disk == HEADER_SIZE + 100


# What cannot be read


def spilled(count: int) -> tuple[Outbox, list[Segment]]:
    """An outbox with segments that are all on disk, and those."""
    outbox, segments = fill(count, memory_limit=1)
    for segment in segments:
        outbox.moving(segment)
        outbox.moved(segment, succeeded=True)
    return outbox, segments


def test_what_cannot_be_read_does_not_hold_up_what_follows() -> None:
    outbox, segments = spilled(3)
    outbox.link(-1)
    gone = outbox.abandon(segments[0])
    assert [held.sequence for held in gone] == [0, 1]
    assert segments[0].place is Place.GONE
    assert (len(outbox), outbox.bytes, outbox.disk) == (4, 4 * SIZE, 2 * SEALED)
    assert send_all(outbox) == [2, 3, 4, 5]
    assert numbers(outbox.acknowledge(5)) == [1, 2]


def test_what_was_sent_of_an_abandoned_segment_is_still_held() -> None:
    outbox, segments = spilled(2)
    outbox.link(-1)
    held = outbox.next_to_send()
    assert held is not None
    outbox.sent(held)
    assert [each.sequence for each in outbox.abandon(segments[0])] == [1]
    assert segments[0].place is Place.DISK
    outbox.unlink()  # the writer had not committed it
    outbox.link(-1)
    assert send_all(outbox) == [0, 2, 3]
    assert numbers(outbox.acknowledge(0)) == [0]
    assert numbers(outbox.acknowledge(3)) == [1]
    assert (outbox.bytes, outbox.disk) == (0, 0)


# Levels and peaks


def test_full_begins_at_the_limit_and_ends_at_the_mark() -> None:
    outbox = make(memory_limit=FOUR, spill_limit=0)
    outbox.link(-1)
    levels = []
    for _ in range(12):
        add(outbox, 1)
        levels.append(outbox.level)
    # The fifth segment and 100 bytes of the sixth reach 5.33 segments: the 11th batch.
    assert levels == [Level.MEMORY] * 10 + [Level.FULL] * 2
    send_all(outbox)
    levels.clear()
    for sequence in range(4):
        outbox.acknowledge(sequence)
        levels.append(outbox.level)
    assert levels == [Level.FULL] * 3 + [Level.MEMORY]  # four segments are left


def test_moving_to_disk_makes_room() -> None:
    outbox, _ = fill(6, memory_limit=FOUR)
    levels = [outbox.level]
    while (segment := outbox.next_to_move()) is not None:
        outbox.moving(segment)
        levels.append(outbox.level)
        outbox.moved(segment, succeeded=True)
        levels.append(outbox.level)
    assert levels == [Level.FULL] * 4 + [Level.SPILL]
    outbox.link(11)
    assert outbox.level is Level.MEMORY


def test_tiny_batches_fill_it_by_their_number() -> None:
    """Wherever they are kept, since something of each of them is in memory."""
    outbox = make(memory_limit=2000, spill_limit=10**9, segment_size=300, entry_cost=100)
    levels = []
    for _ in range(20):
        add(outbox, 1, size=1)
        while (segment := outbox.next_to_move(everything=True)) is not None:
            outbox.moving(segment)
            outbox.moved(segment, succeeded=True)
        levels.append(outbox.level)
    assert outbox.memory == 0
    assert levels == [Level.SPILL] * 19 + [Level.FULL]
    outbox.link(4)
    assert outbox.level is Level.SPILL  # 15 of them are left


def test_a_squeezed_outbox_moves_what_it_has() -> None:
    outbox, segments = fill(2, memory_limit=10**9)
    add(outbox, 1)
    assert outbox.next_to_move() is None
    outbox.squeeze(True)
    (last,) = {held.segment for held in outbox._held} - set(segments)  # the open one
    assert outbox.next_to_move() is last
    outbox.squeeze(False)
    assert outbox.next_to_move() is None


def test_who_adds_to_a_full_outbox_is_served() -> None:
    outbox, _ = fill(1, memory_limit=1, spill_limit=0)
    assert outbox.level is Level.FULL
    assert [held.sequence for held in add(outbox, 2)] == [2, 3]
    outbox.link(-1)
    assert send_all(outbox) == [0, 1, 2, 3]


def test_the_peaks_are_the_most_that_there_ever_was() -> None:
    outbox, segments = fill(3, memory_limit=1)
    outbox.moving(segments[2])
    outbox.moved(segments[2], succeeded=True)
    outbox.link(5)
    assert (outbox.bytes, outbox.memory, outbox.disk) == (0, 0, 0)
    assert outbox.peak == 6 * SIZE
    assert outbox.memory_peak == 3 * SEALED
    assert outbox.disk_peak == SEALED


# Anything in any order


class Traffic(RuleBasedStateMachine):
    """A receiver, a disk and a writer that dies, against a naive book of all that there is.

    The writer's side: ``committed`` is the last batch in its file, ``pipe`` what it has not taken.
    """

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(
            memory_limit=2000, spill_limit=1500, segment_size=300, window=400, entry_cost=0
        )
        self.sizes: list[int] = []
        self.segments: dict[Segment, list[int]] = {}  # sequence numbers, while it is held
        self.moving: list[Segment] = []  # that the disk is at; the outbox may have forgotten it
        self.linked = False
        self.pipe: list[Held] = []
        self.committed = self.acknowledged = -1
        self.full = False
        self.peaks = [0, 0, 0]

    def freed(self, segments: list[Segment]) -> None:
        for segment in segments:
            assert segment.place is Place.GONE
            assert self.segments.pop(segment)[-1] <= self.acknowledged

    @rule(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5))
    def add(self, sizes: list[int]) -> None:
        for size in sizes:
            held = self.outbox.add(size, rows=1)
            assert held.sequence == len(self.sizes)
            before = self.segments.setdefault(held.segment, [])
            assert held.segment.place is Place.MEMORY
            assert before == list(range(held.segment.first, held.sequence))
            file = sum(RECORD_SIZE + self.sizes[sequence] for sequence in before)
            assert held.offset == HEADER_SIZE + file + RECORD_SIZE
            assert file == 0 or HEADER_SIZE + file < 300  # else it was sealed
            before.append(held.sequence)
            self.sizes.append(size)
            self.count()

    @rule(most=st.integers(1, 5))
    def send(self, most: int) -> None:
        for _ in range(most):
            held = self.outbox.next_to_send()
            if held is None:
                return
            last = self.pipe[-1].sequence if self.pipe else self.committed
            assert self.linked
            assert held.sequence == last + 1
            assert held.segment in self.segments
            on_the_way = sum(self.sizes[self.acknowledged + 1 : held.sequence])
            assert on_the_way == 0 or on_the_way + held.size <= 400
            self.outbox.sent(held)
            self.pipe.append(held)
            self.count()

    @precondition(lambda self: self.pipe)
    @rule(most=st.integers(1, 5))
    def commit(self, most: int) -> None:
        """The writer takes some; that it says so is another step."""
        for _ in range(min(most, len(self.pipe))):
            self.committed += 1
            assert self.pipe.pop(0).sequence == self.committed

    @precondition(lambda self: self.linked and self.committed > self.acknowledged)
    @rule(data=st.data())
    def acknowledge(self, data: Any) -> None:
        sequence = data.draw(st.integers(self.acknowledged + 1, self.committed))
        self.acknowledged = sequence
        self.freed(self.outbox.acknowledge(sequence))
        self.count()

    @precondition(lambda self: self.linked)
    @rule()
    def writer_dies(self) -> None:
        self.linked = False
        self.pipe.clear()
        self.outbox.unlink()

    @precondition(lambda self: not self.linked)
    @rule()
    def writer_starts(self) -> None:
        self.linked = True
        self.acknowledged = self.committed
        self.freed(self.outbox.link(self.committed))
        self.count()

    @precondition(lambda self: not self.outbox.is_moving)
    @rule(everything=st.booleans())
    def move(self, everything: bool) -> None:
        segment = self.outbox.next_to_move(everything=everything)
        in_memory = [each for each in self.segments if each.place is Place.MEMORY]
        if segment is None:
            assert not (everything and in_memory)
            return
        assert segment in in_memory
        if everything:
            assert segment is in_memory[0]
        else:
            assert self.outbox.memory > SPILL_MARK * 2000
            assert self.outbox.disk + segment.size <= 1500
            assert segment.sealed
            assert not any(held.segment is segment for held in self.pipe)
        self.outbox.moving(segment)
        self.moving.append(segment)
        self.count()

    @precondition(lambda self: self.moving)
    @rule(succeeded=st.booleans())
    def moved(self, succeeded: bool) -> None:
        segment = self.moving.pop(0)
        gone = segment not in self.segments
        self.outbox.moved(segment, succeeded)
        expected = Place.DISK if succeeded else Place.MEMORY
        assert segment.place is (Place.GONE if gone else expected)
        self.count()

    def count(self) -> None:
        """Book what is held, from nothing but the list of sizes and where each segment is."""
        found = [0, 0, 0]
        for segment, sequences in self.segments.items():
            sizes = [self.sizes[sequence] for sequence in sequences]
            file = HEADER_SIZE + sum(RECORD_SIZE + size for size in sizes)
            found[0] += sum(self.sizes[s] for s in sequences if s > self.acknowledged)
            found[1] += file if segment.place in (Place.MEMORY, Place.MOVING) else 0
            found[2] += file if segment.place in (Place.DISK, Place.MOVING) else 0
        self.peaks = list(map(max, self.peaks, found))
        if found[1] >= 2000:
            self.full = True
        elif found[1] <= SPILL_MARK * 2000:
            self.full = False
        outbox = self.outbox
        assert [outbox.bytes, outbox.memory, outbox.disk] == found
        assert [outbox.peak, outbox.memory_peak, outbox.disk_peak] == self.peaks

    @invariant()
    def books_agree(self) -> None:
        outbox = self.outbox
        assert len(outbox) == len(self.sizes) - 1 - self.acknowledged
        assert outbox.next_sequence == len(self.sizes)
        level = Level.SPILL if outbox.disk else Level.MEMORY
        assert outbox.level is (Level.FULL if self.full else level)

    def teardown(self) -> None:
        """In the end every batch is committed, once and in order, and nothing is held."""
        while self.moving:
            self.moved(succeeded=True)
        if not self.linked:
            self.writer_starts()
        while self.committed < len(self.sizes) - 1:
            self.send(5)
            self.commit(5)
            self.acknowledged = self.committed
            self.freed(self.outbox.acknowledge(self.committed))
        if self.acknowledged < self.committed:
            self.acknowledged = self.committed
            self.freed(self.outbox.acknowledge(self.committed))
        self.count()
        assert len(self.outbox) == 0
        assert self.segments == {}
        assert (self.outbox.bytes, self.outbox.memory, self.outbox.disk) == (0, 0, 0)


Traffic.TestCase.settings = settings(max_examples=100, stateful_step_count=50)
TestTraffic = Traffic.TestCase


# What finds no room in memory


def exposed_outbox(spill_limit: int = 10_000) -> tuple[Outbox, Held]:
    """An outbox with a batch that is in the heap alone, and one before it that is not."""
    outbox = Outbox(memory_limit=100_000, spill_limit=spill_limit, segment_size=4000, window=10**6)
    outbox.add(100, 1)
    outbox.squeeze(True)
    held = outbox.add(100, 1)
    outbox.expose(held)
    return outbox, held


def test_what_is_exposed_is_moved_next_though_the_writer_is_at_it() -> None:
    outbox, held = exposed_outbox()
    outbox.link(-1)
    for _ in range(2):
        sending = outbox.next_to_send()
        assert sending is not None
        outbox.sent(sending)
    assert (outbox.is_exposed, outbox.level) == (True, Level.MEMORY)
    assert outbox.next_to_move() is held.segment
    outbox.moving(held.segment)
    assert outbox.is_exposed
    outbox.moved(held.segment, succeeded=True)
    assert (outbox.is_exposed, outbox.level) == (False, Level.SPILL)


def test_what_is_exposed_is_safe_with_the_writer() -> None:
    outbox, held = exposed_outbox()
    outbox.link(-1)
    while (sending := outbox.next_to_send()) is not None:
        outbox.sent(sending)
    outbox.acknowledge(0)
    assert outbox.is_exposed
    outbox.acknowledge(held.sequence)
    assert not outbox.is_exposed


def test_it_is_full_when_the_disk_takes_nothing_either() -> None:
    outbox, held = exposed_outbox()
    levels = []
    for refused in (True, False):
        outbox.refuse(refused)
        levels.append(outbox.level)
    assert levels == [Level.FULL, Level.MEMORY]
    outbox.moving(held.segment)
    outbox.moved(held.segment, succeeded=False)
    assert outbox.is_exposed


@pytest.mark.parametrize("limit", [0, 100, 160, 10_000])
def test_it_is_full_when_there_is_no_room_under_the_limit(limit: int) -> None:
    outbox, held = exposed_outbox(limit)
    fits = held.segment.size <= limit
    assert outbox.next_to_move() is (held.segment if fits else None)
    assert outbox.level is (Level.MEMORY if fits else Level.FULL)


def test_at_the_end_what_is_exposed_is_saved_first() -> None:
    outbox, held = exposed_outbox()
    assert outbox.next_to_move(everything=True) is held.segment
    assert [each.sequence for each in outbox.in_exposed()] == [held.sequence]
