"""Columns on their way from a receiver to the writer: runs of cells as buffers.

A :class:`Piece` is a run of one column's cells, a *segment* one piece for each column that is not
our own, for the same rows. A piece says itself what form its cells have, so that whoever makes it
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
is not worth it where the receiver is what bounds the rate: so :func:`piece_of` leaves them be.

Pieces are read without a copy: their buffers are views into the segment, and keep it alive.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    Buffer = bytes | memoryview
else:
    Buffer = memoryview  # what msgspec decodes without a copy; it encodes either

__all__ = [
    "Buffer",
    "Kind",
    "Piece",
    "cells",
    "decode",
    "decode_values",
    "encode",
    "encode_values",
    "piece_of",
    "segment_of",
]

Kind = Literal["f8", "i8", "bool", "text", "codes", "cells"]


class Piece(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A run of one column's cells; see above."""

    kind: Kind
    count: int
    """How many cells."""
    data: Buffer
    extra: Buffer = b""
    validity: Buffer = b""


_encode = msgspec.msgpack.Encoder().encode
_decode_pieces = msgspec.msgpack.Decoder(list[Piece]).decode
_decode_values = msgspec.msgpack.Decoder(list[Any]).decode


def encode(pieces: Iterable[Piece]) -> bytes:
    """The pieces of a segment, one for each column that is not our own, in its wire form."""
    return _encode(list(pieces))


def decode(segment: Buffer) -> list[Piece]:
    """The pieces that :func:`encode` made ``segment`` of.

    :raises msgspec.DecodeError: it is no wire form of a segment.
    """
    return _decode_pieces(segment)


def encode_values(values: list[Any]) -> bytes:
    """A msgpack list, as it stands in pieces of the kinds ``codes`` and ``cells``."""
    return _encode(values)


def decode_values(values: Buffer) -> list[Any]:
    """What :func:`encode_values` made ``values`` of."""
    return _decode_values(values)


def segment_of(columns: Sequence[list[Any]], types: Sequence[str]) -> bytes:
    """The segment of a run of rows.

    Made at once, while the rows' objects are in the cache: encoding ten thousand rows together
    costs 15% more of what decoding and encoding cost, because they must be fetched from memory
    again.

    :param columns: the cells, one list for each column that is not our own.
    :param types: these columns' types; see :class:`fastingest.model.schema.Column`.
    """
    return _encode([*map(piece_of, columns, types)])


def piece_of(column: list[Any], type_: str) -> Piece:
    """A column's cells as the piece that is made of Python objects with least work.

    :param type_: the column's type.
    """
    size = len(column)
    packed = _packed(type_)
    if packed is not None:
        kind, letter = packed
        try:
            return Piece(kind, size, struct.pack(f"<{size}{letter}", *column))
        except struct.error:  # there are empty cells, or doubles or texts among the integers
            pass
    return Piece("cells", size, _encode(column))


@cache
def _packed(type_: str) -> tuple[Kind, str] | None:
    """Of a type whose cells are numbers as a rule: its pieces' kind, and :mod:`struct`'s letter."""
    if type_ == "float":
        return "f8", "d"
    if re.fullmatch(r"int|number|timestamp\[[mun]s(,.*)?\]", type_):
        return "i8", "q"
    return None


def cells(piece: Piece) -> list[Any]:
    """The cells as Python objects, None for an empty one."""
    found = _objects(piece)
    if not len(piece.validity):
        return found
    bits = (byte >> bit & 1 for byte in piece.validity for bit in range(8))
    return [cell if is_there else None for cell, is_there in zip(found, bits, strict=False)]


def _objects(piece: Piece) -> list[Any]:
    """The cells, with anything in the place of empty ones."""
    if piece.kind == "cells":
        return decode_values(piece.data)
    if piece.kind == "text":
        ends = struct.unpack(f"<{piece.count + 1}i", piece.extra)
        return [str(piece.data[start:end], "utf-8") for start, end in pairwise(ends)]
    numbers = struct.unpack(f"<{piece.count}{_LETTERS[piece.kind]}", piece.data)
    if piece.kind != "codes":
        return list(numbers)
    values = decode_values(piece.extra) or [None]
    return [values[code] for code in numbers]


_LETTERS = {"f8": "d", "i8": "q", "bool": "?", "codes": "H"}
