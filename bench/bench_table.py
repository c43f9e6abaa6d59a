"""What it costs the writer to bring a batch into the file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from bench.end_to_end import count_lines
from bench.figures import Benchmark, Figures, Scale
from bench.samples import batch_of
from fastingest.format.csv import to_csv, to_frame
from fastingest.model.batch import Batch
from fastingest.model.event import Event
from fastingest.model.schema import header_of
from fastingest.storage.journal import Journal, journal_path
from fastingest.writer.output import Output

ROWS = 10_000
COMMITS = 500  # rounds, of 0.2 to 0.6 MiB each

shapes = pytest.mark.parametrize("shape", ["record", "binance", "finnhub50", "kraken"])


@pytest.fixture
def batch(shape: str, is_native: bool) -> Batch:
    """A batch of 10,000 rows of that shape, as that listener makes it."""
    return batch_of(shape, ROWS, is_native)


@shapes
def test_a_batch_becomes_a_frame(benchmark: Benchmark, figures: Figures, batch: Batch) -> None:
    """A round makes a frame of a batch of 10,000 rows."""
    assert benchmark(to_frame, batch).columns.height == ROWS
    figures.note(ROWS)


@shapes
def test_a_frame_becomes_text(benchmark: Benchmark, figures: Figures, batch: Batch) -> None:
    """A round makes the CSV text of a frame of 10,000 rows."""
    frame = to_frame(batch)
    assert bytes(benchmark(to_csv, frame)).count(b"\n") == ROWS
    figures.note(ROWS)


@contextmanager
def output(path: Path, batch: Batch) -> Iterator[Output]:
    """An output with a journal, for batches like this one."""
    journal = Journal(journal_path(path))
    journal.note({"spool": str(path.parent), "spill": str(path.parent)})

    def report(event: Event) -> None:
        raise AssertionError(event)

    with closing(
        Output(path, header_of(batch.layout.names), journal, min_free=0, report=report)
    ) as made:
        made.begin(time.time_ns())
        yield made


def test_text_is_committed(
    benchmark: Benchmark,
    figures: Figures,
    scale: Scale,
    folder: Path,
) -> None:
    """A round appends the text of 10,000 rows to a file, and makes an entry in its journal.

    Nothing is synced: the writer has a thread for that, which need not keep up.
    """
    batch, path = batch_of("record", ROWS, is_native=False), folder / "rows.csv"
    text = to_csv(to_frame(batch))
    with output(path, batch) as made:

        def commit() -> None:
            batch.sequence += 1
            made.commit(batch, text)

        benchmark.pedantic(commit, rounds=scale.rounds(COMMITS))
    assert count_lines(path) == scale.rounds(COMMITS) * ROWS + 1
    figures.note(ROWS)


@shapes
def test_bytes_end_up_in_the_file(
    benchmark: Benchmark,
    figures: Figures,
    scale: Scale,
    folder: Path,
    batch: Batch,
) -> None:
    """A round is all that the writer does with a batch of 10,000 rows, from its wire form on."""
    path = folder / "rows.csv"
    wire = batch.to_bytes()
    numbers = count()
    with output(path, batch) as made:

        def write() -> None:
            batch = Batch.from_bytes(wire)
            batch.sequence = next(numbers)
            made.commit(batch, to_csv(to_frame(batch)))

        benchmark.pedantic(write, rounds=scale.rounds(COMMITS))
    assert count_lines(path) == scale.rounds(COMMITS) * ROWS + 1
    figures.note(ROWS)
