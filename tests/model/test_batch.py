from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.batch import (
    PARTITIONS,
    Batch,
    Layout,
    Position,
    Reject,
    check_batch,
    is_of_other_version,
    partition_of,
    read_batch,
)
from fastingest.model.chunks import Buffer, segment_of

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
    batch = Batch(len(rows), segments, _TRADES, stamps, connections, 8, rejects, stream, sequence)
    back = Batch.from_bytes(batch.to_bytes())
    assert back.columns() == batch.columns() == columns
    assert back.layout == _TRADES
    assert list(map(tuple, back.stamps)) == batch.stamps
    assert list(map(tuple, back.connections)) == batch.connections
    assert back.rejects == rejects
    assert (back.stream, back.sequence, back.feed, back.first) == (stream, sequence, "feed", 8)
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


def before(stream: int, sequence: int, index: int = 3) -> bytes:
    """As the version before made it, with the feed's index, and its name in the layout."""
    segment = segment_of([["A"], [1.0], [None]], _TRADES.types)
    rejects = [(7, "no", b"x")]
    fields = (stream, sequence, index, 1, [segment], _TRADES, [(1, 7)], [(0, 1)], 8, rejects)
    return msgspec.msgpack.encode(("fastingest batch 2", *fields))


def test_the_wire_form_of_the_version_before_is_read_by_the_feeds_name() -> None:
    wire = before(64, 5)
    batch = read_batch(wire, Position(64, 5), is_exact=True)
    assert (batch.damage, batch.position, batch.feed) == ("", (64, 5), "feed")
    assert (batch.layout, batch.columns()) == (_TRADES, [["A"], [1.0], [None]])
    assert (batch.first, batch.rejects) == (8, [Reject(7, "no", b"x")])
    assert batch.wire is wire
    assert Batch.from_bytes(batch.to_bytes()) == batch
    cut = read_batch(wire[:-1], Position(64, 5), is_exact=True)
    assert (bool(cut.damage), cut.position, cut.feed, cut.count) == (True, (64, 5), "", 0)


def test_rows_are_read_without_a_copy() -> None:
    segment = segment_of([["A"], [1.0], [None]], _TRADES.types)
    wire = Batch(1, [segment], _TRADES, [(1, 7)]).to_bytes()
    (column, *_) = Batch.from_bytes(wire).chunks()
    assert isinstance(column[0].data, memoryview)
    assert column[0].data.obj is wire


def test_no_rows_are_no_columns() -> None:
    batch = Batch.from_bytes(Batch(0, [], _TRADES, rejects=[Reject(7, "no", b"x")]).to_bytes())
    assert (batch.columns(), batch.chunks(), batch.count) == ([], [], 1)


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


def test_streams_of_different_receivers_are_of_different_partitions() -> None:
    assert [partition_of(stream) for stream in range(PARTITIONS)] == list(range(PARTITIONS))
    assert partition_of(5 * PARTITIONS + 3) == 3


# What is damaged


def some(stream: int, sequence: int, rows: int = 1, feed: str = "feed") -> bytes:
    segment = segment_of([["A"] * rows, [1.0] * rows, [None] * rows], _TRADES.types)
    return Batch(
        rows,
        [segment],
        _TRADES._replace(feed=feed),
        [(rows, 7)],
        [(0, 1)],
        stream=stream,
        sequence=sequence,
    ).to_bytes()


@pytest.mark.parametrize("feed", ["f", "fé", "x" * 31, "x" * 32, "x" * 300, "x" * 70_000])
@pytest.mark.parametrize("rows", [0, 1, 127, 128, 255, 256, 70_000])
@pytest.mark.parametrize(("stream", "sequence"), [(0, 0), (1, 300), (2**62, 2**31), (2**62, 2**33)])
def test_what_cannot_be_read_is_as_many_rows_as_it_says(
    rows: int, stream: int, sequence: int, feed: str
) -> None:
    position = Position(stream, sequence)
    wire = some(stream, sequence, rows, feed)
    for is_exact in (True, False):
        whole = read_batch(wire, position, is_exact=is_exact)
        assert (whole.damage, whole.rows, bytes(whole.wire)) == ("", rows, wire)
        for size in (len(wire) - 1, len(feed.encode()) + 60):
            cut = read_batch(wire[:size], position, is_exact=is_exact)
            assert cut.damage
            assert (cut.position, cut.feed, cut.count) == (position, feed, rows)
            assert bytes(cut.wire) == wire[:size]
            assert (cut.columns(), cut.rejects) == ([], [])


def test_what_says_nothing_of_its_rows_has_none() -> None:
    wire = some(64, 5)
    for data in (b"", wire[:20], wire[:22], b"\xc1" * 50, wire[:20] + b"\xff" * 50):
        batch = read_batch(data, Position(64, 5), is_exact=True)
        assert (batch.position, batch.feed, batch.count) == ((64, 5), "", 0)
        assert batch.damage


def test_who_has_another_name_than_its_own_is_damaged() -> None:
    for stream, sequence in ((128, 5), (64, 6), (64, 4)):
        batch = read_batch(some(stream, sequence), Position(64, 5), is_exact=True)
        assert batch.damage == f"it calls itself batch {sequence} of stream {stream}"
        assert (batch.position, batch.rows) == ((64, 5), 0)


def test_of_a_stream_a_later_batch_may_come_where_some_were_given_up() -> None:
    for is_cut in (False, True):
        wire = some(64, 9)
        batch = read_batch(wire[: len(wire) - is_cut], Position(64, 5), is_exact=False)
        assert (batch.position, bool(batch.damage)) == ((64, 9), is_cut)
    for stream, sequence in ((128, 9), (64, 4)):
        batch = read_batch(some(stream, sequence), Position(64, 5), is_exact=False)
        assert (batch.position, bool(batch.damage)) == ((64, 5), True)


@given(st.binary(max_size=80))
def test_anything_is_a_batch_or_damaged(data: bytes) -> None:
    for wire in (data, some(64, 5)[:21] + data):
        batch = read_batch(wire, Position(64, 5), is_exact=False)
        assert batch.damage
        assert batch.stream == 64
        assert batch.sequence >= 5
        assert batch.count >= 0


def test_another_version_is_told_from_damage() -> None:
    wire = some(64, 5)
    assert not is_of_other_version(wire)
    assert not is_of_other_version(wire[:20] + b"\xc1" * 30)
    assert not is_of_other_version(b"\xc1" * 30)
    assert is_of_other_version(wire.replace(b"batch 3", b"batch 4"))
    assert not is_of_other_version(before(64, 5))
    first: Any = (64, 0, 0, 1, [], _TRADES, [(1, 7)], [(0, 1)], 1, [])
    assert is_of_other_version(msgspec.msgpack.encode(first))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"damage": "it is damaged"}, "it is damaged"),
        ({"rows": 2}, "it has 2 rows, and times of 1"),
        ({"rows": -1}, "it has -1 rows"),
        ({"stamps": []}, "it has 1 rows, and times of 0"),
        ({"stamps": [(2, 7), (1, 7)]}, "it has 1 rows"),
        ({"stamps": [(1, -7)]}, "it was received at no time"),
        ({"rejects": [Reject(2**63, "x", b"")]}, "it was received at no time"),
    ],
)
def test_what_cannot_be_true_of_a_batch_is_seen(change: dict[str, Any], problem: str) -> None:
    batch = Batch.from_bytes(some(64, 5))
    check_batch(batch, is_of_run=True)
    with pytest.raises(ValueError, match=problem):
        check_batch(replace(batch, **change), is_of_run=True)


def test_a_batch_must_be_of_a_feed_of_the_run() -> None:
    with pytest.raises(ValueError, match="it is of the feed 'feed', which the run has not"):
        check_batch(Batch.from_bytes(some(64, 5)), is_of_run=False)
