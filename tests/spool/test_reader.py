"""What receivers have left, in real directories."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fastingest import OutputRefused
from fastingest.model.batch import PARTITIONS, Batch, Layout, Position, Reject, partition_of
from fastingest.model.chunks import segment_of
from fastingest.model.event import Event
from fastingest.spool import segment
from fastingest.spool.directories import SpoolDirectories
from fastingest.spool.reader import SpoolReader
from tests.support.events import Told, told

FIRST, SECOND, THIRD = 100 * PARTITIONS, 200 * PARTITIONS, 300 * PARTITIONS
"""Streams of one partition."""
LAYOUT = Layout(("symbol", "price", "volume"), ("str", "float", "number"), "feed")
START = Position(0, -1)
ALL = 2**63

Reports = list[Told]


@pytest.fixture
def reports() -> Reports:
    return []


@pytest.fixture
def report(reports: Reports) -> Callable[[Event], None]:
    return lambda event: reports.append(told(event))


@pytest.fixture
def places(tmp_path: Path) -> SpoolDirectories:
    places = SpoolDirectories(tmp_path / "spool", tmp_path / "spill")
    places.spool.mkdir()
    places.spill.mkdir()
    return places


def batch(stream: int, sequence: int) -> Batch:
    columns = segment_of([[f"{stream}.{sequence}"], [1.5], [None]], LAYOUT.types)
    reject = Reject(sequence, "x", b"{")
    return Batch(
        1,
        [columns],
        LAYOUT,
        [(1, stream)],
        [(0, 1)],
        rejects=[reject],
        stream=stream,
        sequence=sequence,
    )


def put(directory: Path, stream: int, number: int, sequences: range) -> Path:
    """A segment with the batches of these numbers."""
    parts = [segment.header(stream, sequences.start)]
    for sequence in sequences:
        wire = batch(stream, sequence).to_bytes()
        parts += [segment.record(sequence, wire), wire]
    path = directory / segment.file_name(stream, number)
    path.write_bytes(b"".join(parts))
    return path


def positions(left: SpoolReader, after: Position = START, before: int = ALL) -> list[Position]:
    found = list(left.batches({partition_of(after.stream): after}, before))
    for each in found:
        assert each.to_bytes() == batch(each.stream, each.sequence).to_bytes()
    return [each.position for each in found]


def of_one_batch(wire: bytes) -> bytes:
    return segment.header(FIRST, 0) + segment.record(0, wire) + wire


OTHER_VERSIONS = {
    "older batches": of_one_batch(  # as 0.1 had them
        msgspec.msgpack.encode((FIRST, 0, 0, 1, [], LAYOUT, [], [], 1, []))
    ),
    "newer batches": of_one_batch(
        batch(FIRST, 0).to_bytes().replace(b"fastingest batch 3", b"fastingest batch 4")
    ),
    "a newer segment": b"fis2" + zlib.crc32(b"fis2" + bytes(16)).to_bytes(4, "little") + bytes(50),
}


@pytest.mark.parametrize("data", OTHER_VERSIONS.values(), ids=OTHER_VERSIONS)
def test_rows_of_another_version_are_refused(
    data: bytes, places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    path = places.spool / segment.file_name(FIRST, 0)
    path.write_bytes(data)
    left = SpoolReader([places], report)
    with pytest.raises(OutputRefused, match="another version"):
        positions(left)
    with pytest.raises(OutputRefused, match="another version"):
        list(left.first_of_each_stream(ALL))
    assert path.exists()
    assert reports == []


@pytest.mark.parametrize("how", ["undecodable", "another name"])
def test_a_batch_that_is_damaged_inside_comes_as_that_and_the_others_after_it(
    how: str, places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    wires = [batch(FIRST, sequence).to_bytes() for sequence in range(3)]
    wires[1] = wires[2] if how == "another name" else wires[1][:40] + b"\xc1" * 20
    parts = [segment.header(FIRST, 0)]
    for sequence, wire in enumerate(wires):
        parts += [segment.record(sequence, wire), wire]
    (places.spool / segment.file_name(FIRST, 0)).write_bytes(b"".join(parts))
    found = list(SpoolReader([places], report).batches({}, ALL))
    assert [each.position for each in found] == numbers(FIRST, 0, 1, 2)
    assert [bool(each.damage) for each in found] == [False, True, False]
    assert [bytes(each.wire) for each in found] == wires
    assert found[1].rows == (1 if how == "undecodable" else 0)
    assert reports == []


def numbers(stream: int, *sequences: int) -> list[Position]:
    return [Position(stream, sequence) for sequence in sequences]


def test_where_there_is_nothing_there_is_no_batch(
    tmp_path: Path, report: Callable[[Event], None], reports: Reports
) -> None:
    left = SpoolReader([SpoolDirectories(tmp_path / "a", tmp_path / "b")], report)
    assert positions(left) == []
    left.remove(ALL)
    assert (reports, list(tmp_path.iterdir())) == ([], [])


def test_batches_come_in_the_order_of_their_names(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    put(places.spool, SECOND, 0, range(3))
    put(places.spool, FIRST, 11, range(6, 8))  # 11 sorts before 9 as text
    put(places.spill, FIRST, 9, range(4, 6))
    put(places.spool, THIRD, 0, range(0))
    put(places.spill, FIRST, 2, range(4))
    left = SpoolReader([places], report)
    expected = numbers(FIRST, *range(8)) + numbers(SECOND, 0, 1, 2)
    assert positions(left) == expected
    assert positions(left) == expected  # reading takes nothing away
    assert reports == []


def test_only_batches_after_one_and_before_a_stream(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    put(places.spill, FIRST, 0, range(3))
    put(places.spool, FIRST, 1, range(3, 5))
    put(places.spool, SECOND, 0, range(2))
    everything = numbers(FIRST, *range(5)) + numbers(SECOND, 0, 1)
    left = SpoolReader([places], report)
    for count, after in enumerate([START, *everything]):
        assert positions(left, after) == everything[count:]
        assert positions(left, after, SECOND) == everything[count:5]
        assert positions(left, after, FIRST) == []
    assert positions(left, Position(FIRST, 100)) == everything[5:]
    assert positions(left, Position(SECOND, 1), ALL) == []
    assert reports == []


def test_a_segment_that_was_being_moved_counts_once(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    whole = put(places.spool, FIRST, 0, range(4))
    put(places.spill, FIRST, 0, range(4))
    put(places.spill, FIRST, 1, range(4, 6))
    (places.spill / f"{FIRST}-1.part").write_bytes(whole.read_bytes()[:50])
    left = SpoolReader([places], report)
    assert positions(left) == numbers(FIRST, *range(6))
    assert positions(left, Position(FIRST, 2)) == numbers(FIRST, 3, 4, 5)
    assert reports == []


@pytest.mark.parametrize("damaged", ["spool", "spill"])
def test_the_whole_one_of_two_copies_is_used_wherever_the_other_is_damaged(
    damaged: str, places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    put(places.spool, FIRST, 0, range(3))
    put(places.spill, FIRST, 0, range(3))
    put(places.spool, FIRST, 1, range(3, 4))
    path = getattr(places, damaged) / segment.file_name(FIRST, 0)
    data = path.read_bytes()
    left = SpoolReader([places], report)
    for offset in range(len(data)):
        copy = bytearray(data)
        copy[offset] ^= 4
        path.write_bytes(copy)
        assert positions(left) == numbers(FIRST, 0, 1, 2, 3), offset
        path.write_bytes(data[:offset])
        assert positions(left) == numbers(FIRST, 0, 1, 2, 3), offset
    assert reports == []


def test_a_damaged_segment_gives_what_is_before_the_damage_and_the_hole_is_told(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    path = put(places.spool, FIRST, 0, range(5))
    put(places.spool, FIRST, 1, range(5, 7))
    data = bytearray(path.read_bytes())
    data[segment.HEADER_SIZE + 2 * (len(data) - segment.HEADER_SIZE) // 5 + 30] ^= 1
    path.write_bytes(data)
    assert positions(SpoolReader([places], report)) == numbers(FIRST, 0, 1, 5, 6)
    assert reports == [("error", "batches are missing in the spool", {"batches": 3})]


def test_a_segment_whose_header_is_damaged_is_a_hole(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    put(places.spool, FIRST, 0, range(2))
    put(places.spool, FIRST, 1, range(2, 5)).write_bytes(bytes(500))
    put(places.spool, FIRST, 2, range(5, 6))
    (places.spool / segment.file_name(FIRST, 3)).touch()
    assert positions(SpoolReader([places], report)) == numbers(FIRST, 0, 1, 5)
    assert reports == [("error", "batches are missing in the spool", {"batches": 3})]


def test_a_hole_behind_what_is_written_is_told(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    put(places.spill, FIRST, 3, range(7, 9))
    left = SpoolReader([places], report)
    assert positions(left, Position(FIRST, 6)) == numbers(FIRST, 7, 8)
    assert reports == []
    assert positions(left, Position(FIRST, 4)) == numbers(FIRST, 7, 8)
    assert reports == [("error", "batches are missing in the spool", {"batches": 2})]


def test_a_file_that_was_used_again_gives_the_new_batches_only(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    old = put(places.spool, FIRST, 0, range(4)).read_bytes()
    new = put(places.spool, FIRST, 0, range(4, 6)).read_bytes()
    (places.spool / segment.file_name(FIRST, 0)).write_bytes(new + old[len(new) :])
    assert positions(SpoolReader([places], report)) == numbers(FIRST, 4, 5)
    assert reports == []


def test_several_places_are_one(
    places: SpoolDirectories, tmp_path: Path, report: Callable[[Event], None], reports: Reports
) -> None:
    earlier = SpoolDirectories(
        tmp_path / "spool", tmp_path / "other"
    )  # the same spool, another spill
    earlier.spill.mkdir()
    put(places.spool, FIRST, 1, range(2, 4))
    put(earlier.spill, FIRST, 0, range(2))
    put(places.spill, FIRST, 2, range(4, 5))
    left = SpoolReader([places, earlier], report)
    assert positions(left) == numbers(FIRST, *range(5))
    left.remove(ALL)
    assert positions(left) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["spool"]
    assert reports == []


def test_a_spill_that_several_places_have_is_read_once(
    places: SpoolDirectories, tmp_path: Path, report: Callable[[Event], None], reports: Reports
) -> None:
    earlier = SpoolDirectories(tmp_path / "before", places.spill)
    put(places.spill, FIRST, 0, range(2))
    left = SpoolReader([places, earlier], report)
    found = left.batches({}, ALL, consume=True)
    assert [each.position for each in found] == numbers(FIRST, 0, 1)
    assert reports == []
    assert list(places.spill.iterdir()) == []


def test_other_files_are_passed_over(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    put(places.spool, FIRST, 0, range(1))
    (places.spool / "x.segment").write_bytes(segment.header(FIRST, 1))
    (places.spool / f"{FIRST}.counters").write_bytes(bytes(8))
    (places.spill / "x.part").touch()
    (places.spill / "1-1.txt").touch()
    left = SpoolReader([places], report)
    assert positions(left) == numbers(FIRST, 0)
    left.remove(ALL)
    assert sorted(each.name for each in places.spool.iterdir()) == [
        f"{FIRST}.counters",
        "x.segment",
    ]
    assert sorted(each.name for each in places.spill.iterdir()) == ["1-1.txt", "x.part"]
    assert reports == []


def test_a_segment_that_cannot_be_read_is_passed_over(
    places: SpoolDirectories, report: Callable[[Event], None]
) -> None:
    put(places.spool, FIRST, 0, range(1))
    (places.spool / segment.file_name(FIRST, 1)).mkdir()
    (places.spool / segment.file_name(FIRST, 2)).symlink_to("nowhere")
    put(places.spool, FIRST, 3, range(1, 2))
    assert positions(SpoolReader([places], report)) == numbers(FIRST, 0, 1)


def test_a_segment_that_vanishes_is_told(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    put(places.spool, FIRST, 0, range(2))
    gone = put(places.spool, FIRST, 1, range(2, 3))
    batches = SpoolReader([places], report).batches({0: START}, ALL)
    assert next(batches).position == Position(FIRST, 0)
    gone.unlink()
    assert [each.position for each in batches] == numbers(FIRST, 1)
    problem = {"problem": f"{gone}: No such file or directory"}
    assert reports == [("error", "rows in the spill cannot be read", problem)]


# Several partitions


def of_partition(stream: int, partition: int) -> int:
    return stream + partition


def test_each_partition_has_its_own_order_and_its_own_position(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    streams = [
        of_partition(FIRST, 0),
        of_partition(FIRST, 1),
        of_partition(SECOND, 1),
        of_partition(SECOND, 63),
    ]
    for stream in streams:
        put(places.spool, stream, 1, range(2, 4))
        put(places.spill, stream, 0, range(2))
    left = SpoolReader([places], report)
    assert [each.position for each in left.batches({}, ALL)] == [
        Position(stream, sequence) for stream in streams for sequence in range(4)
    ]
    after = {0: Position(streams[0], 3), 1: Position(streams[1], 2), 63: Position(streams[3], 0)}
    found = [each.position for each in left.batches(after, ALL)]
    assert found == [
        *numbers(streams[1], 3),
        *numbers(streams[2], *range(4)),
        *numbers(streams[3], 1, 2, 3),
    ]
    for partition in (0, 1, 2, 63):
        of_it = [each for each in found if partition_of(each.stream) == partition]
        assert [each.position for each in left.batches(after, ALL, partition=partition)] == of_it
    assert reports == []


def test_a_hole_in_one_partition_is_told_once_and_of_that_partition(
    places: SpoolDirectories, report: Callable[[Event], None], reports: Reports
) -> None:
    put(places.spool, of_partition(FIRST, 1), 0, range(2))
    put(places.spool, of_partition(FIRST, 2), 0, range(5, 6))
    put(places.spool, of_partition(FIRST, 1), 1, range(4, 5))
    after = {2: Position(of_partition(FIRST, 2), 4)}
    found = list(SpoolReader([places], report).batches(after, ALL))
    assert [each.sequence for each in found] == [0, 1, 4, 5]
    assert reports == [("error", "batches are missing in the spool", {"batches": 2})]


def test_what_comes_next_of_each_partition(
    places: SpoolDirectories, report: Callable[[Event], None]
) -> None:
    put(places.spool, of_partition(FIRST, 0), 0, range(3))
    put(places.spool, of_partition(FIRST, 5), 0, range(3))
    put(places.spill, of_partition(SECOND, 5), 0, range(3))
    put(places.spool, of_partition(THIRD, 7), 0, range(3))
    left = SpoolReader([places], report)
    after = {0: Position(of_partition(FIRST, 0), 2), 5: Position(of_partition(FIRST, 5), 1)}
    assert [each.position for each in left.next_of_each_partition(after, ALL)] == [
        Position(of_partition(FIRST, 5), 2),
        Position(of_partition(THIRD, 7), 0),
    ]
    assert [each.position for each in left.next_of_each_partition({}, THIRD)] == [
        Position(of_partition(FIRST, 0), 0),
        Position(of_partition(FIRST, 5), 0),
    ]
    assert [each.position for each in left.first_of_each_stream(THIRD)] == [
        Position(of_partition(FIRST, 0), 0),
        Position(of_partition(FIRST, 5), 0),
        Position(of_partition(SECOND, 5), 0),
    ]


def test_what_is_removed_of_a_partition_leaves_the_others(
    places: SpoolDirectories, report: Callable[[Event], None]
) -> None:
    for partition in (0, 1):
        put(places.spool, of_partition(FIRST, partition), 0, range(1))
        put(places.spill, of_partition(FIRST, partition), 1, range(1, 2))
        put(places.spool, of_partition(SECOND, partition), 0, range(1))
        (places.spill / f"{of_partition(FIRST, partition)}-2.part").touch()
    left = SpoolReader([places], report)
    left.remove(of_partition(SECOND, 1), 1)
    assert [each.position.stream for each in left.batches({}, ALL)] == [
        of_partition(FIRST, 0),
        of_partition(FIRST, 0),
        of_partition(SECOND, 0),
        of_partition(SECOND, 1),
    ]
    assert [each.name for each in places.spill.glob("*.part")] == [f"{FIRST}-2.part"]


def test_segments_go_as_they_are_dealt_with(
    places: SpoolDirectories, report: Callable[[Event], None]
) -> None:
    paths = [put(places.spool, of_partition(FIRST, partition), 0, range(2)) for partition in (0, 1)]
    batches = SpoolReader([places], report).batches({}, ALL, consume=True)
    for number in range(4):
        assert next(batches).sequence == number % 2
        assert [path.exists() for path in paths] == [number < 2, True]
    assert list(batches) == []
    assert not paths[1].exists()


# Removing


def test_older_streams_are_removed_with_what_was_not_moved_yet(
    places: SpoolDirectories, report: Callable[[Event], None]
) -> None:
    put(places.spool, FIRST, 0, range(2))
    put(places.spill, FIRST, 1, range(2, 4))
    put(places.spool, SECOND, 0, range(2))
    put(places.spill, SECOND, 1, range(2, 4))
    (places.spill / f"{FIRST}-2.part").touch()
    (places.spill / f"{SECOND}-2.part").touch()
    left = SpoolReader([places], report)
    left.remove(FIRST)
    assert len(list(places.spool.iterdir()) + list(places.spill.iterdir())) == 6
    left.remove(SECOND)
    assert [each.name for each in places.spool.iterdir()] == [f"{SECOND}-0.segment"]
    assert sorted(each.name for each in places.spill.iterdir()) == [
        f"{SECOND}-1.segment",
        f"{SECOND}-2.part",
    ]
    assert positions(left) == numbers(SECOND, 0, 1, 2, 3)
    left.remove(SECOND + 1)
    assert places.spool.exists()
    assert not places.spill.exists()
    left.remove(ALL)
