"""Columns on their way from a receiver to the writer: runs of cells as buffers.

A :class:`Chunk` is a run of one column's cells, a *segment* one chunk for each column that is no
metadata, for the same rows. A chunk says itself what form its cells have, so that whoever makes it
takes the form that is cheapest there:

========== ====================================== ==============================================
kind       data                                   extra
========== ====================================== ==============================================
``f8``     doubles, 8 bytes a cell
``i8``     integers with a sign, 8 bytes a cell
``bool``   one byte a cell, 0 or 1
``text``   UTF-8 of all cells, one by the other   where each begins and the last ends: count + 1
                                                  integers with a sign, 4 bytes each
``codes``  unsigned, 2 bytes a cell: which of     msgpack list of the different strings
           the strings it is
``cells``  msgpack list of the cells; None: empty
========== ====================================== ==============================================

The code calls the last three :data:`UTF8`, :data:`DICTIONARY` and :data:`OBJECT`, as Arrow does.
All numbers are little-endian. Empty cells of the first five kinds are those whose bit in
``validity`` is 0 (Arrow's form: the first cell is the least significant bit of the first byte);
what stands for them in ``data`` means nothing, but offsets must not go back, and a code is one of
the strings', or 0. No bits at all: each cell is there. What the cells of which type of column are:
:mod:`fastingest.model.schema`. In a ``number`` column ``f8`` may stand for integers as well, as far
as they are less than 2**53 in size, for then they are the same doubles.

Buffers instead of lists of objects cost the receiver a little (9.5 ns a double, 9 an integer,
against 3 and 4 for msgpack), and save the writer more: to decode a list and make a column of it
takes 30 to 60 ns a cell, of a buffer 1.5. Of strings no buffer can be made without a loop in
Python, and joined by line feeds they would cost 7 ns more to make (22 instead of 70 to read), which
is not worth it where the receiver is what bounds the rate: so :func:`chunk_of` leaves them be.

Chunks are read without a copy: their buffers are views into the segment, and keep it alive.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    Buffer = bytes | memoryview
else:
    Buffer = memoryview  # what msgspec decodes without a copy; it encodes either

__all__ = [
    "DICTIONARY",
    "OBJECT",
    "UTF8",
    "Buffer",
    "Chunk",
    "ChunkKind",
    "cells",
    "chunk_of",
    "decode",
    "decode_values",
    "distinct",
    "encode",
    "encode_values",
    "segment_of",
]

ChunkKind = Literal["f8", "i8", "bool", "text", "codes", "cells"]
UTF8: Final = "text"
DICTIONARY: Final = "codes"
OBJECT: Final = "cells"


class Chunk(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A run of one column's cells; see above."""

    kind: ChunkKind
    count: int
    """How many cells."""
    data: Buffer
    extra: Buffer = b""
    validity: Buffer = b""


_encode = msgspec.msgpack.Encoder().encode
_decode_chunks = msgspec.msgpack.Decoder(list[Chunk]).decode
_decode_values = msgspec.msgpack.Decoder(list[Any]).decode


def encode(chunks: Iterable[Chunk]) -> bytes:
    """The chunks of a segment, one for each column that is no metadata, in its wire form."""
    return _encode(list(chunks))


def decode(segment: Buffer) -> list[Chunk]:
    """The chunks that :func:`encode` made ``segment`` of.

    :raises msgspec.DecodeError: it is no wire form of a segment.
    """
    return _decode_chunks(segment)


def encode_values(values: list[Any]) -> bytes:
    """A msgpack list, as it stands in chunks of the kinds ``codes`` and ``cells``."""
    return _encode(values)


def decode_values(values: Buffer) -> list[Any]:
    """What :func:`encode_values` made ``values`` of."""
    return _decode_values(values)


def segment_of(columns: Sequence[list[Any]], types: Sequence[str]) -> bytes:
    """The segment of a run of rows.

    Made at once, while the rows' objects are in the cache: encoding ten thousand rows together
    costs 15% more of what decoding and encoding cost, because they must be fetched from memory
    again.

    :param columns: the cells, one list for each column that is no metadata.
    :param types: these columns' types; see :class:`fastingest.model.schema.Column`.
    """
    return _encode([*map(chunk_of, columns, types)])


def chunk_of(column: list[Any], type_: str) -> Chunk:
    """A column's cells as the chunk that is made of Python objects with least work.

    :param type_: the column's type.
    """
    size = len(column)
    packed = _packed(type_)
    if packed is not None:
        kind, letter = packed
        try:
            return Chunk(kind, size, struct.pack(f"<{size}{letter}", *column))
        except struct.error:  # there are empty cells, or doubles or texts among the integers
            pass
    return Chunk(OBJECT, size, _encode(column))


@cache
def _packed(type_: str) -> tuple[ChunkKind, str] | None:
    """Of a type whose cells are numbers as a rule: its chunks' kind, and :mod:`struct`'s letter."""
    if type_ == "float":
        return "f8", "d"
    if re.fullmatch(r"int|number|timestamp\[[mun]s([:,].*)?\]", type_):
        return "i8", "q"
    return None


def cells(chunk: Chunk) -> list[Any]:
    """The cells as Python objects, None for an empty one."""
    found = _objects(chunk)
    if not len(chunk.validity):
        return found
    bits = (byte >> bit & 1 for byte in chunk.validity for bit in range(8))
    return [cell if is_there else None for cell, is_there in zip(found, bits, strict=False)]


def distinct(chunk: Chunk) -> set[Any]:
    """The different cells; empty ones are none."""
    if chunk.kind != DICTIONARY or len(chunk.validity):
        return set(cells(chunk)) - {None}
    # A value may be of a row that was cut off again, so the codes are looked at.
    data, values = bytes(chunk.data), decode_values(chunk.extra)
    if len(values) <= 256:
        # Deleting the codes that are there from all that could be leaves the others: 1 ns a cell.
        unused = bytes(range(len(values))).translate(None, data[::2])
        return set(values) - {values[code] for code in unused} if data else set()
    codes, found = memoryview(data).cast("H"), set[int]()
    for start in range(0, len(codes), _STRETCH):
        found.update(codes[start : start + _STRETCH])
        if len(found) == len(values):  # mostly long before the end: a code takes 20 ns
            break
    return {values[code] for code in found}


def _objects(chunk: Chunk) -> list[Any]:
    """The cells, with anything in the place of empty ones."""
    if chunk.kind == OBJECT:
        return decode_values(chunk.data)
    if chunk.kind == UTF8:
        ends = struct.unpack(f"<{chunk.count + 1}i", chunk.extra)
        return [str(chunk.data[start:end], "utf-8") for start, end in pairwise(ends)]
    numbers = struct.unpack(f"<{chunk.count}{_LETTERS[chunk.kind]}", chunk.data)
    if chunk.kind != DICTIONARY:
        return list(numbers)
    values = decode_values(chunk.extra) or [None]
    return [values[code] for code in numbers]


_STRETCH = 4096  # codes that are looked at together

_LETTERS = {"f8": "d", "i8": "q", "bool": "?", DICTIONARY: "H"}
