from __future__ import annotations

import pytest

from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import Position
from fastingest.writer.attempts import MAX_TRIES, Attempts

ONE, OTHER = Position(64_000, 7), Position(64_000, 8)


def test_a_batch_is_tried_so_often_and_no_more_whichever_writers_do_it() -> None:
    counters = Counters.create()
    for tries in range(MAX_TRIES):
        writer = Attempts(counters)  # the one before has died of it
        assert writer.of(ONE) == tries
        assert writer.begin(ONE)
    assert not Attempts(counters).begin(ONE)
    assert not Attempts(counters).begin(ONE)


def test_others_have_tries_of_their_own() -> None:
    counters = Counters.create()
    attempts = Attempts(counters)
    for _ in range(MAX_TRIES):
        attempts.begin(ONE)
    assert attempts.of(OTHER) == 0
    assert attempts.begin(OTHER)
    assert attempts.of(OTHER) == 1


def test_a_try_that_has_come_to_its_end_does_not_count() -> None:
    counters = Counters.create()
    attempts = Attempts(counters)
    for _ in range(10):
        assert attempts.begin(ONE)
        attempts.end()
    assert attempts.of(ONE) == 0


@pytest.mark.parametrize("stores", range(4))
def test_who_dies_while_it_is_noted_has_noted_nothing_of_another_batch(stores: int) -> None:
    """Each is one store, in this order."""
    counters = Counters.create()
    attempts = Attempts(counters)
    for _ in range(MAX_TRIES):
        attempts.begin(ONE)
    slots = [Slot.TRIES, Slot.TRIED_STREAM, Slot.TRIED_SEQUENCE, Slot.TRIES]
    for slot, value in list(zip(slots, [0, *OTHER, 1], strict=True))[:stores]:
        counters[slot] = value
    assert attempts.of(OTHER) == 0
    assert attempts.of(ONE) == (0 if stores else MAX_TRIES)
