from __future__ import annotations

import struct

import pytest

from fastingest.model.batch import Position
from fastingest.transport.pipe.frame import (
    HEADER_SIZE,
    POSITION_SIZE,
    header,
    pack,
    size_in,
    unpack,
)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 2**31, 2**32 - 1])
def test_a_header_is_the_length_little_endian(size: int) -> None:
    head = header(size)
    assert head == size.to_bytes(4, "little")
    assert len(head) == HEADER_SIZE
    assert size_in(head) == size
    assert size_in(bytearray(head)) == size


def test_what_is_too_long_is_no_frame() -> None:
    with pytest.raises(struct.error):
        header(2**32)


@pytest.mark.parametrize(
    "position",
    [Position(0, -1), Position(1_700_000_000_000_000_007, 2**40), Position(2**63 - 1, 0)],
)
def test_a_position_comes_as_it_went(position: Position) -> None:
    packed = pack(position)
    assert len(packed) == POSITION_SIZE == 16
    assert unpack(b"before" + packed + b"behind", 6) == position
