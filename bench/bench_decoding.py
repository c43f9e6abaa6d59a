"""What it costs to make rows of messages, without a socket."""

from __future__ import annotations

import pytest

from bench.figures import Benchmark, Figures
from bench.frames import SHAPES, members
from bench.samples import Reading, feed_of, messages_of

MESSAGES = 1000


@pytest.mark.parametrize("shape", SHAPES)
def test_messages_become_a_batch(
    benchmark: Benchmark, figures: Figures, is_native: bool, shape: str
) -> None:
    """A round makes a batch: of 1,000 messages of one row each, or of 200 of fifty.

    In Python these are decoded together, natively they are read one after the other. Either way
    their rows are a segment in the end, as it goes to the writer.
    """
    if is_native and shape == "map":
        pytest.skip("maps are always read in Python")
    count = MESSAGES if members(shape) == 1 else MESSAGES // 5  # more bytes would be two batches
    messages = messages_of(shape, count)
    reading = Reading(feed_of(shape), is_native)

    def read() -> int:
        reading.read(messages)
        return reading.take().rows

    rows = count * members(shape)
    assert benchmark(read) == rows
    figures.note(rows)
