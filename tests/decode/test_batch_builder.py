from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.decode.batch_builder import MAX_REJECT_BYTES, MAX_ROW_BYTES, BatchBuilder
from fastingest.model.batch import Batch, Layout
from fastingest.model.schema import ESCAPED, Schema, parse_columns
from tests.support.native import native_module


def _builder(batch_size: int = 10) -> BatchBuilder:
    columns = parse_columns("n:int, @received, text")
    return BatchBuilder(Schema(columns), batch_size, name="feed", table=2)


def _columns(start: int, end: int) -> list[list[object]]:
    return [list(range(start, end)), [f"t{n}" for n in range(start, end)]]


def _times(batch: Batch) -> list[int]:
    """When each row was received."""
    times: list[int] = []
    for end, time in batch.stamps:
        assert len(times) < end <= batch.rows
        times += [time] * (end - len(times))
    return times


def _connections(batch: Batch) -> list[int]:
    """Which connection each row came by."""
    ends = [start for start, _ in batch.connections[1:]] + [batch.rows]
    numbers: list[int] = []
    for (start, number), end in zip(batch.connections, ends, strict=True):
        assert start == len(numbers) < end
        numbers += [number] * (end - start)
    return numbers


def test_a_batch_says_what_it_is_of() -> None:
    builder = _builder()
    assert builder.fill(_columns(0, 2), [(2, 7)]) == []
    batch = builder.take()
    assert batch.layout == Layout(("n", "received", "text"), ("int", "@received", "str"), "feed")
    assert (batch.feed, batch.table, batch.rows, batch.first) == ("feed", 2, 2, 1)
    assert batch.columns() == _columns(0, 2)
    assert builder.is_empty


def test_a_batch_says_that_its_formulas_are_escaped() -> None:
    builder = _builder(batch_size=2)
    builder.escape_formulas()
    (closed,) = builder.fill(_columns(0, 3), [(3, 7)])
    for batch in (closed, builder.take()):
        assert batch.layout.types == ("int", "@received", ESCAPED)
    assert closed.columns() == _columns(0, 2)


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=8))
def test_rows_go_through_in_order_whatever_closes_a_batch(
    batch_size: int, runs: list[tuple[int, bool]]
) -> None:
    builder = _builder(batch_size)
    builder.first = 100
    batches: list[Batch] = []
    times: list[int] = []
    connections: list[int] = []
    count = connection = 0
    for length, reconnects in runs:
        connection += reconnects
        builder.connected(connection)
        half = length // 2
        stamps = [(half, 10 * count), (length, 10 * count + 1)]
        batches += builder.fill(_columns(count, count + length), stamps)
        times += [10 * count] * half + [10 * count + 1] * (length - half)
        connections += [connection] * length
        count += length
        assert builder.room == batch_size - (count % batch_size)
        assert builder.is_empty == (count % batch_size == 0)
    assert {batch.rows for batch in batches} <= {batch_size}
    if not builder.is_empty:
        batches.append(builder.take())
    assert [n for batch in batches for n in batch.columns()[0]] == list(range(count))
    assert [time for batch in batches for time in _times(batch)] == times
    assert [number for batch in batches for number in _connections(batch)] == connections
    assert [batch.first for batch in batches] == [100 + n for n in range(0, count, batch_size)]
    assert builder.rows == count


def test_the_oldest_is_a_row_or_a_reject() -> None:
    builder = _builder()
    assert builder.oldest == 0
    builder.fill(_columns(0, 2), [(1, 50), (2, 60)])
    assert builder.oldest == 50
    builder.reject(b"x", 40, "no row")
    assert builder.fill([[], []], []) == []
    assert builder.oldest == 40
    builder.take()
    assert builder.oldest == 0


@pytest.mark.parametrize("is_native", [False, True])
def test_many_bytes_of_rows_close_a_batch(is_native: bool) -> None:
    """Once they are over the bound, and not before; rows of eight times the bytes are fewer."""
    filled = []
    for size in (1000, 8000):
        builder = _builder(batch_size=1_000_000)
        if is_native:
            builder.gather_in(native_module("_builders").ColumnBuilders(["i8", "text"]))
        closed: list[Batch] = []
        while not closed:
            texts = [f"{builder.rows + n}".rjust(size) for n in range(10)]
            numbers = list(range(builder.rows, builder.rows + 10))
            closed = builder.fill([numbers, texts], [(10, 1)])
        (batch,) = closed
        assert MAX_ROW_BYTES <= len(batch.to_bytes()) < MAX_ROW_BYTES + 11 * (size + 20)
        assert batch.columns()[0] == list(range(batch.rows))
        assert builder.is_empty
        filled.append(batch.rows)
        assert builder.fill([[1], ["small"]], [(1, 1)]) == []
    assert filled == [1040, 140]


def test_many_bytes_of_rejects_close_a_batch() -> None:
    builder = _builder()
    large = b"x" * (MAX_REJECT_BYTES // 2)
    builder.reject(large, 1, "no row")
    assert builder.fill([[], []], []) == []
    builder.reject(large, 2, "no row")
    (batch,) = builder.fill(_columns(0, 1), [(1, 3)])
    assert [(reject.time, reject.raw) for reject in batch.rejects] == [(1, large), (2, large)]
    assert (batch.rows, builder.rejects, builder.is_empty) == (1, 2, True)
    builder.reject(b"small", 4, "no row")
    assert builder.fill([[], []], []) == []
