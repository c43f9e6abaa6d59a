"""What is on a pipe between a receiver and the writer: frames with batches, and positions back.

Both ends are ours, and of one version, since a run starts them both. All numbers are little-endian:

- up: the batch's length in 4 bytes, then its wire form;
- down: positions of 16 bytes each, the stream and the sequence number in 8.
"""

from __future__ import annotations

import struct

from fastingest.model.batch import Position

__all__ = ["HEADER_SIZE", "POSITION_SIZE", "header", "pack", "size_in", "unpack"]

_LENGTH = struct.Struct("<I")
_POSITION = struct.Struct("<qq")

HEADER_SIZE = _LENGTH.size
POSITION_SIZE = _POSITION.size


def header(size: int) -> bytes:
    """What stands in front of a batch of so many bytes, fewer than 4 GiB."""
    return _LENGTH.pack(size)


def size_in(head: bytes | bytearray) -> int:
    """The bytes of the batch behind ``head``."""
    size: int
    (size,) = _LENGTH.unpack(head)
    return size


def pack(position: Position) -> bytes:
    """A position as it is sent."""
    return _POSITION.pack(*position)


def unpack(data: bytes | bytearray, start: int) -> Position:
    """The position that begins at ``start``."""
    return Position(*_POSITION.unpack_from(data, start))
