"""What it costs to bring rows into the form in which they go to the writer, and out of it."""

from __future__ import annotations

import pytest

from bench.figures import Benchmark, Figures
from bench.samples import Reading, batch_of, feed_of, messages_of
from fastingest.model.batch import Batch
from fastingest.model.chunks import cells, decode, encode, segment_of

ROWS = 10_000
TOGETHER = 1000

pytestmark = pytest.mark.parametrize("shape", ["record", "binance"])


@pytest.fixture
def batch(shape: str, is_native: bool) -> Batch:
    """A batch of 10,000 rows of that shape, as that listener makes it."""
    return batch_of(shape, ROWS, is_native)


def test_lists_of_cells_become_segments(benchmark: Benchmark, figures: Figures, shape: str) -> None:
    """A round makes 10 segments of 1,000 rows each, of Python lists, as it is in Python."""
    batch = batch_of(shape, TOGETHER, is_native=False)
    columns, types = batch.columns(), batch.layout.types

    def segments() -> list[bytes]:
        return [segment_of(columns, types) for _ in range(ROWS // TOGETHER)]

    assert benchmark(segments) == [*batch.segments] * (ROWS // TOGETHER)
    figures.note(ROWS)


@pytest.mark.usefixtures("native")
def test_native_columns_become_a_segment(
    benchmark: Benchmark, figures: Figures, shape: str
) -> None:
    """A round makes one segment of 10,000 rows that were read natively."""
    reading = Reading(feed_of(shape), is_native=True)
    reading.read(messages_of(shape, ROWS))
    rows = reading.parser
    assert rows is not None

    segment = benchmark(lambda: encode(rows.columns.chunks(0, ROWS)))
    assert [len(cells(chunk)) for chunk in decode(segment)] == [ROWS] * rows.columns.width
    figures.note(ROWS)


def test_a_batch_becomes_bytes(benchmark: Benchmark, figures: Figures, batch: Batch) -> None:
    """A round makes the wire form of a batch of 10,000 rows, whose segments are there."""
    assert Batch.from_bytes(benchmark(batch.to_bytes)) == batch
    figures.note(ROWS)


def test_bytes_become_a_batch(benchmark: Benchmark, figures: Figures, batch: Batch) -> None:
    """A round reads the wire form of a batch of 10,000 rows, down to its columns' chunks."""
    wire = batch.to_bytes()
    assert benchmark(lambda: Batch.from_bytes(wire).chunks()) == batch.chunks()
    figures.note(ROWS)
