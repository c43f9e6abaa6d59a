"""What it costs to make rows of messages that have many, deep in them: CPU time, no socket."""

from __future__ import annotations

import time

import pytest

from bench.figures import Benchmark, Figures
from bench.nested import NESTED, nested
from bench.samples import Reading

ROWS = 5000

# The machine's other work is not counted.
pytestmark = pytest.mark.benchmark(timer=time.process_time)


@pytest.mark.parametrize("shape", NESTED)
def test_nested_messages_become_a_batch(
    benchmark: Benchmark, figures: Figures, is_native: bool, shape: str
) -> None:
    """A round makes a batch of 5,000 rows, as in :mod:`bench.bench_decoding`.

    Natively not one of the messages is left to Python: the benchmark fails if one is.
    """
    feed, messages, each = nested(shape, ROWS)
    reading = Reading(feed, is_native)

    def read() -> int:
        reading.read(messages)
        return reading.take().rows

    rows = len(messages) * each
    assert benchmark(read) == rows
    figures.note(rows)
