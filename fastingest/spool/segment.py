"""A segment: a file that holds some of a stream's batches, in the spool or in the spill.

The receiver writes them, the writer reads what a receiver has left. The form is made and read here
and nowhere else::

    header   magic, checksum, stream, sequence of the first batch
    records  magic, checksum, sequence, length, and so many bytes: a batch in its wire form

All numbers are little-endian; a checksum is zlib's CRC-32 of all behind it in the header or record.
Sequence numbers count up by one from record to record. A segment ends where that, or a checksum,
does not hold: a file is used again by writing over it from its start, so what follows the last
record may be an old one, or half of it.

A later version of this form has another number in its header's magic, and a checksum that covers
the magic as well. So its segments are told from damaged ones, which are given up, and are refused.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fastingest.checksum import crc32

__all__ = [
    "HEADER_SIZE",
    "RECORD_SIZE",
    "FileName",
    "Found",
    "file_name",
    "header",
    "is_of_other_version",
    "parse_name",
    "read",
    "read_header",
    "record",
]

_HEADER = struct.Struct("<4sIqq")
_RECORD = struct.Struct("<4sIqI")
_MAGIC = {_HEADER: b"fis1", _RECORD: b"fib1"}
_CHECKED = 8  # bytes before what the checksum covers

HEADER_SIZE = _HEADER.size
RECORD_SIZE = _RECORD.size
"""Bytes in front of a batch."""


class FileName(NamedTuple):
    """What a segment's file name says."""

    stream: int
    number: int
    """Of the segment within the stream."""


class Found(NamedTuple):
    """A batch in a segment: ``data[start:end]`` is its wire form."""

    sequence: int
    start: int
    end: int


def file_name(stream: int, number: int) -> str:
    """Under which a segment is kept, in the spool as in the spill."""
    return f"{stream}-{number}.segment"


def parse_name(path: Path) -> FileName | None:
    """What the name says; None: it is no segment's."""
    match = re.fullmatch(r"(\d{1,19})-(\d{1,19})\.segment", path.name)
    return FileName(int(match[1]), int(match[2])) if match else None


def header(stream: int, first: int) -> bytes:
    """The header of a segment whose first batch has the sequence number ``first``."""
    checksum = crc32(_HEADER.pack(_MAGIC[_HEADER], 0, stream, first)[_CHECKED:])
    return _HEADER.pack(_MAGIC[_HEADER], checksum, stream, first)


def record(sequence: int, wire: bytes) -> bytes:
    """What stands in front of a batch's wire form."""
    size = len(wire)
    start = crc32(_RECORD.pack(_MAGIC[_RECORD], 0, sequence, size)[_CHECKED:])
    return _RECORD.pack(_MAGIC[_RECORD], crc32(wire, start), sequence, size)


def read_header(data: bytes) -> tuple[int, int] | None:
    """The stream, and the sequence number of the first batch; None: it is damaged."""
    if len(data) < _HEADER.size:
        return None
    _, _, stream, first = _HEADER.unpack_from(data)
    return (stream, first) if data[: _HEADER.size] == header(stream, first) else None


def is_of_other_version(data: bytes) -> bool:
    """Whether these are the first :data:`HEADER_SIZE` bytes of another version's segment, or more.

    What is behind the magic and the checksum may be anything there, of the same length.
    """
    magic = data[:4]
    if magic == _MAGIC[_HEADER] or not re.fullmatch(rb"fis\d", magic):
        return False
    checksum = crc32(magic + data[_CHECKED:HEADER_SIZE])
    return len(data) >= HEADER_SIZE and data[4:_CHECKED] == checksum.to_bytes(4, "little")


def read(data: bytes) -> tuple[int, Iterator[Found]]:
    """The stream of a segment, and its batches as far as they are intact.

    :returns: (0, nothing) where the header is damaged.
    """
    head = read_header(data)
    return (head[0], _records(data, head[1])) if head else (0, iter(()))


def _records(data: bytes, sequence: int) -> Iterator[Found]:
    view = memoryview(data)
    offset = _HEADER.size
    while offset + _RECORD.size <= len(data):
        start = offset + _RECORD.size
        _, _, found, size = _RECORD.unpack_from(data, offset)
        if found != sequence or start + size > len(data):
            return
        if data[offset:start] != record(sequence, view[start : start + size]):  # type: ignore[arg-type]  # any buffer
            return
        yield Found(sequence, start, start + size)
        sequence += 1
        offset = start + size
