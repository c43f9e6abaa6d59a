"""A segment as bytes: cut, damaged and written over, it yields the longest intact prefix."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.spool import segment
from fastingest.spool.segment import HEADER_SIZE, RECORD_SIZE, FileName

STREAM = 1_700_000_000_000_000_000
FIRST = 7
WIRES = [b"", b"a", b"batch two", b"\x00" * 30, b"fib1fis1" * 3, b"last"]


def segment_of(wires: list[bytes], stream: int = STREAM, first: int = FIRST) -> bytes:
    parts = [segment.header(stream, first)]
    for sequence, wire in enumerate(wires, first):
        parts += [segment.record(sequence, wire), wire]
    return b"".join(parts)


def batches(data: bytes) -> tuple[int, list[tuple[int, bytes]]]:
    """The stream, and each batch's number and bytes."""
    stream, found = segment.read(data)
    return stream, [(each.sequence, data[each.start : each.end]) for each in found]


def numbered(wires: list[bytes], first: int = FIRST) -> list[tuple[int, bytes]]:
    return list(enumerate(wires, first))


def ends(wires: list[bytes]) -> list[int]:
    """Where the header ends, and each record."""
    found = [HEADER_SIZE]
    for wire in wires:
        found.append(found[-1] + RECORD_SIZE + len(wire))
    return found


def intact(wires: list[bytes], size: int) -> tuple[int, list[tuple[int, bytes]]]:
    """What a segment must yield of which only the first ``size`` bytes are as they were written."""
    whole = sum(end <= size for end in ends(wires))
    return (STREAM, numbered(wires[: whole - 1])) if whole else (0, [])


DATA = segment_of(WIRES)


def test_the_form_is_as_documented() -> None:
    assert (HEADER_SIZE, RECORD_SIZE) == (24, 20)
    numbers = STREAM.to_bytes(8, "little") + FIRST.to_bytes(8, "little")
    assert DATA[:24] == b"fis1" + zlib.crc32(numbers).to_bytes(4, "little") + numbers
    rest = FIRST.to_bytes(8, "little") + (0).to_bytes(4, "little")
    assert DATA[24:44] == b"fib1" + zlib.crc32(rest).to_bytes(4, "little") + rest


@pytest.mark.parametrize("count", range(len(WIRES) + 1))
def test_what_is_written_is_read_back(count: int) -> None:
    data = segment_of(WIRES[:count])
    assert batches(data) == (STREAM, numbered(WIRES[:count]))
    assert segment.read_header(data) == (STREAM, FIRST)
    assert len(data) == ends(WIRES[:count])[-1]


@given(st.lists(st.binary(max_size=100), max_size=20), st.integers(0, 2**63 - 1), st.integers(0, 9))
def test_any_batches_are_read_back(wires: list[bytes], stream: int, first: int) -> None:
    data = segment_of(wires, stream, first)
    assert batches(data) == (stream, numbered(wires, first))
    assert segment.read_header(data[:HEADER_SIZE]) == (stream, first)


def test_a_segment_cut_at_every_byte() -> None:
    for size in range(len(DATA) + 1):
        assert batches(DATA[:size]) == intact(WIRES, size), size
        assert segment.read_header(DATA[:size]) == ((STREAM, FIRST) if size >= 24 else None), size


def test_a_segment_with_any_bit_flipped() -> None:
    for offset in range(len(DATA)):
        for bit in range(8):
            copy = bytearray(DATA)
            copy[offset] ^= 1 << bit
            assert batches(bytes(copy)) == intact(WIRES, offset), (offset, bit)


def test_a_segment_that_goes_on_with_zeros() -> None:
    """As a file that had been made longer, and was not written yet, when power was cut."""
    for size in range(len(DATA) + 1):
        changed = next((at for at in range(size, len(DATA)) if DATA[at]), len(DATA))
        assert batches(DATA[:size] + bytes(len(DATA) - size + 50)) == intact(WIRES, changed), size


@pytest.mark.parametrize("sequence", [FIRST + 1, FIRST - 1, -1, 2**62])
def test_numbers_count_up_by_one(sequence: int) -> None:
    data = segment.header(STREAM, FIRST) + segment.record(sequence, b"x") + b"x"
    assert batches(data) == (STREAM, [])
    after = segment_of([b"one"]) + segment.record(FIRST + 2, b"x") + b"x"
    assert batches(after) == (STREAM, [(FIRST, b"one")])
    again = segment_of([b"one"]) + segment.record(FIRST, b"one") + b"one"
    assert batches(again) == (STREAM, [(FIRST, b"one")])


# A file that is used again


@pytest.mark.parametrize("first", [FIRST + len(WIRES), 1000])
@pytest.mark.parametrize("count", range(len(WIRES)))
def test_old_records_behind_the_new_ones_are_not_read(count: int, first: int) -> None:
    """The new records are as long as the old ones, so that an old one begins where they end."""
    new = [bytes(reversed(wire)) for wire in WIRES[:count]]
    data = segment_of(new, first=first)
    assert batches(data + DATA[len(data) :]) == (STREAM, numbered(new, first))


def test_old_records_are_not_read_wherever_the_writing_stopped() -> None:
    """The header of the new use is written first, then its records; each cut off at every byte."""
    first = FIRST + len(WIRES)
    new = [b"", b"new" * 9, b"batch two", b"x"]
    data = segment_of(new, first=first)
    for size in range(len(data) + 1):
        mixed = data[:size] + DATA[size:]
        stream, found = batches(mixed)
        if mixed[:HEADER_SIZE] == DATA[:HEADER_SIZE]:
            assert (stream, found) == intact(WIRES, size if size > HEADER_SIZE else len(DATA))
        else:
            # A byte of the new records may be what was there before.
            same = next((at for at in range(size, len(data)) if mixed[at] != data[at]), len(data))
            whole = sum(end <= same for end in ends(new))
            expected = (STREAM, numbered(new[: whole - 1], first)) if whole else (0, [])
            assert (stream, found) == expected, size


def test_a_file_given_back_is_no_segment() -> None:
    """The spool overwrites so many bytes of a file that it keeps for later."""
    assert batches(bytes(RECORD_SIZE) + DATA[RECORD_SIZE:]) == (0, [])


@given(
    st.lists(st.binary(max_size=20), max_size=5),
    st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: b"fib1" + data),
)
def test_arbitrary_garbage_behind_it_yields_nothing(wires: list[bytes], garbage: bytes) -> None:
    data = segment_of(wires)
    assert batches(data + garbage) == (STREAM, numbered(wires))


@given(st.lists(st.binary(max_size=20), max_size=5), st.integers(0, 2**32 - 1), st.binary())
def test_a_length_past_the_end_ends_it(wires: list[bytes], size: int, rest: bytes) -> None:
    record = segment.record(FIRST + len(wires), rest + b"more")[:16] + size.to_bytes(4, "little")
    assert batches(segment_of(wires) + record + rest) == (STREAM, numbered(wires))


@given(st.binary(max_size=300))
def test_what_was_never_a_segment_yields_nothing(data: bytes) -> None:
    assert batches(data) == (0, [])
    assert segment.read_header(data) is None


# Names


# Other versions


def later_segment(magic: bytes = b"fis2") -> bytes:
    """As a later version makes it: another magic, which the checksum covers, and other numbers."""
    numbers = bytes(range(16))
    head = magic + zlib.crc32(magic + numbers).to_bytes(4, "little") + numbers
    return head + b"records of another form"


def test_a_segment_of_another_version_is_told_and_yields_nothing() -> None:
    for magic in (b"fis0", b"fis2", b"fis9"):
        data = later_segment(magic)
        assert segment.is_of_other_version(data)
        assert segment.is_of_other_version(data[:HEADER_SIZE])
        assert not segment.is_of_other_version(data[: HEADER_SIZE - 1])
        assert batches(data) == (0, [])
    assert not segment.is_of_other_version(DATA)


def test_a_header_that_is_damaged_is_not_taken_for_another_versions() -> None:
    for index in range(HEADER_SIZE):
        for bit in range(8):
            copy = bytearray(DATA)
            copy[index] ^= 1 << bit
            assert not segment.is_of_other_version(bytes(copy)), (index, bit)


def test_a_name_says_stream_and_number() -> None:
    assert segment.file_name(STREAM, 12) == f"{STREAM}-12.segment"
    assert segment.parse_name(Path("/x") / segment.file_name(STREAM, 12)) == FileName(STREAM, 12)


@pytest.mark.parametrize(
    "name",
    ["1-2.part", "1-2.segment.part", "1.segment", "-1-2.segment", "1-2.segmentx", "a1-2.segment"],
)
def test_other_names_are_no_segments(name: str) -> None:
    assert segment.parse_name(Path(name)) is None
    assert segment.parse_name(Path("1" * 20 + "-2.segment")) is None
