from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.batch import LANES, Batch, Layout, Reject, lane_of
from fastingest.columns import Buffer, segment_of

_finite = st.floats(allow_nan=False, allow_infinity=False)
_int64 = st.integers(-(2**63), 2**63 - 1)
_cell = st.tuples(
    st.text(st.characters(exclude_categories=["Cs"])), _finite, st.none() | _int64 | _finite
)
_stamp = st.integers(0, 2**63 - 1)
_TRADES = Layout(("symbol", "price", "volume"), ("str", "float", "number"), "feed")


@given(
    st.lists(_cell),
    st.lists(st.builds(Reject, _stamp, st.text(st.characters(codec="utf-8")), st.binary())),
    _stamp,
    _stamp,
)
def test_the_wire_form_reads_back(
    rows: list[tuple[str, float, int | float | None]],
    rejects: list[Reject],
    stream: int,
    sequence: int,
) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    cut = len(rows) // 2
    segments: list[Buffer] = [
        segment_of([column[part] for column in columns], _TRADES.types)
        for part in (slice(cut), slice(cut, None))
        if columns
    ]
    stamps = [(len(rows), 7)] if rows else []
    connections = [(0, 1), (cut, 2)] if cut > 0 else []
    batch = Batch(
        len(rows), segments, _TRADES, stamps, connections, 8, rejects, stream, sequence, feed=2
    )
    back = Batch.from_bytes(batch.to_bytes())
    assert back.columns() == batch.columns() == columns
    assert back.layout == _TRADES
    assert list(map(tuple, back.stamps)) == batch.stamps
    assert list(map(tuple, back.connections)) == batch.connections
    assert back.rejects == rejects
    assert (back.stream, back.sequence, back.feed, back.first) == (stream, sequence, 2, 8)
    assert back.rows == len(rows)


def test_what_is_cut_short_is_no_batch() -> None:
    wire = Batch(
        1, [segment_of([["A"], [1.0], [None]], _TRADES.types)], _TRADES, [(1, 7)]
    ).to_bytes()
    for end in range(len(wire)):
        with pytest.raises(msgspec.DecodeError):
            Batch.from_bytes(wire[:end])


def test_the_wire_form_of_another_version_is_no_batch() -> None:
    """Version 0.1 had an array of ten, which began with the stream."""
    segment = msgspec.msgpack.encode([["A"], [1.0], [None]])
    wire = msgspec.msgpack.encode((64, 0, 0, 1, [segment], _TRADES, [(1, 7)], [(0, 1)], 1, []))
    with pytest.raises(msgspec.DecodeError):
        Batch.from_bytes(wire)


def test_rows_are_read_without_a_copy() -> None:
    segment = segment_of([["A"], [1.0], [None]], _TRADES.types)
    wire = Batch(1, [segment], _TRADES, [(1, 7)]).to_bytes()
    (column, *_) = Batch.from_bytes(wire).pieces()
    assert isinstance(column[0].data, memoryview)
    assert column[0].data.obj is wire


def test_no_rows_are_no_columns() -> None:
    batch = Batch.from_bytes(Batch(0, [], _TRADES, rejects=[Reject(7, "no", b"x")]).to_bytes())
    assert (batch.columns(), batch.pieces(), batch.count) == ([], [], 1)


def test_later_batches_have_later_names() -> None:
    names = [
        Batch(0, [], _TRADES, stream=stream, sequence=sequence).position
        for stream, sequence in ((1, 0), (1, 2), (1, 10), (2, 0))
    ]
    assert names == sorted(names) == [(1, 0), (1, 2), (1, 10), (2, 0)]
    assert (names[2].stream, names[2].sequence) == (1, 10)


def test_rejects_count_as_well() -> None:
    segment = segment_of([["A"], [1.0], [None]], _TRADES.types)
    batch = Batch(1, [segment], _TRADES, [(1, 7)], rejects=[Reject(7, "no", b"x")] * 2)
    assert batch.count == 3


def test_streams_of_different_receivers_are_of_different_lanes() -> None:
    assert [lane_of(stream) for stream in range(LANES)] == list(range(LANES))
    assert lane_of(5 * LANES + 3) == 3
