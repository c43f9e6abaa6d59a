from __future__ import annotations

import pytest

from fastingest.batch import Batch, encode_columns
from fastingest.receiver.outbox import Outbox


def _batch(size: int = 1) -> Batch:
    return Batch(size, [encode_columns([["A"] * size])], [(size, 7)])


def test_batches_are_numbered_from_zero_and_carry_the_stream() -> None:
    outbox = Outbox(stream=77, limit=1000)
    for number in range(3):
        sent = Batch.from_bytes(outbox.add(_batch()))
        assert (sent.stream, sent.sequence) == (77, number)


def test_a_batch_is_held_until_it_is_acknowledged() -> None:
    outbox = Outbox(1, 1000)
    sizes = [len(outbox.add(_batch(size))) for size in (1, 2, 3)]
    assert (len(outbox), outbox.bytes) == (3, sum(sizes))
    outbox.acknowledge(0)
    assert (len(outbox), outbox.bytes) == (2, sum(sizes[1:]))
    outbox.acknowledge(2)  # stands for 1 as well
    assert (len(outbox), outbox.bytes) == (0, 0)
    assert outbox.peak == sum(sizes)


@pytest.mark.parametrize("sequence", [-1, 0, 2, 5])
def test_an_acknowledgement_that_makes_no_sense_is_an_error(sequence: int) -> None:
    outbox = Outbox(1, 1000)
    outbox.add(_batch())
    outbox.add(_batch())
    outbox.acknowledge(0)
    with pytest.raises(ValueError, match=f"batch {sequence} was acknowledged"):
        outbox.acknowledge(sequence)
    assert len(outbox) == 1


def test_full_begins_at_the_limit_and_ends_at_half_of_it() -> None:
    size = len(Outbox(1, 1).add(_batch()))
    outbox = Outbox(1, limit=4 * size)
    full = []
    for _ in range(5):
        outbox.add(_batch())
        full.append(outbox.is_full)
    assert full == [False, False, False, True, True]
    for number in range(4):
        outbox.acknowledge(number)
        full.append(outbox.is_full)
    assert full[5:] == [True, True, False, False]
