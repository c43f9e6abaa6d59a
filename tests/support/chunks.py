"""The same cells in every form that a chunk can have, and cells of every type."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from hypothesis import strategies as st

from fastingest.model.chunks import DICTIONARY, OBJECT, UTF8, Chunk, ChunkKind, encode_values

__all__ = ["CELLS", "forms_of"]

_INT64 = st.integers(-(2**63), 2**63 - 1)
_WIDE = st.integers(2**63, 2**70).map(str)  # its digits
_FLOAT = st.floats(allow_nan=False, allow_infinity=False)
_WHOLE = st.integers(-(2**63), 2**63 - 1).map(float)
_NUMBER = _INT64 | st.integers(-9, 9) | _FLOAT | _WHOLE
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_DAY = st.integers(-62135596800 + 86400, 253402300799 - 86400)

CELLS: dict[str, st.SearchStrategy[Any]] = {
    "str": _TEXT | st.text('a,"\r\n'),
    "int": _INT64 | _WIDE,
    "float": _FLOAT,
    "number": _NUMBER | _WIDE,
    "bool": st.booleans(),
    "decimal": st.from_regex(r"-?(0|[1-9]\d{0,9})(\.\d{1,9})?(E-?\d)?", fullmatch=True),
    "timestamp[s]": st.builds("{}{}".format, _DAY, st.sampled_from(["", ".5", ".001", ".100"])),
    "timestamp[ms]": _DAY.map(lambda seconds: seconds * 1000 + 7),
    "timestamp[ns]": _INT64,
    "timestamp[ms,ns]": _DAY.map(lambda seconds: seconds * 1000 - 7),
    "timestamp[iso]": st.datetimes().map(lambda time: time.isoformat() + "Z")
    | st.sampled_from(["2024-03-01T01:30:00.123456789+05:30", "2024-12-31T23:00:00-01:00"]),
}
"""For types of columns what their cells may be."""


def forms_of(cells: Sequence[Any], type_: str) -> list[Chunk]:
    """Chunks with these cells, of each kind that can have them; the first is of ``cells``.

    Where no cell is empty there is one that says so, and one that does not.
    """
    size = len(cells)
    forms = [Chunk(OBJECT, size, encode_values(list(cells)))]
    validities = [_bits(cells)] if None in cells else [b"", _bits(cells)]
    for kind, data, extra in _buffers(cells, type_):
        forms += [Chunk(kind, size, data, extra, validity) for validity in validities]
    return forms


def _buffers(cells: Sequence[Any], type_: str) -> Iterator[tuple[ChunkKind, bytes, bytes]]:
    there = [cell for cell in cells if cell is not None]
    kinds = {type(cell) for cell in there}
    if kinds <= {bool} and type_ == "bool":
        yield "bool", _packed("B", cells, 1), b""
    is_integer = type_ in ("int", "number") or type_.startswith(("timestamp[m", "timestamp[n"))
    if kinds <= {int} and is_integer:
        yield "i8", _packed("q", cells, -7), b""
    if kinds <= {float} and type_ == "float":
        yield "f8", _packed("d", cells, -0.5), b""
    if type_ == "number" and all(_is_double(cell) for cell in there):
        yield "f8", _packed("d", cells, -0.5), b""
    if kinds <= {str} and type_ in ("str", "decimal", "timestamp[s]", "timestamp[iso]"):
        texts = [
            b"?" * (index % 3) if cell is None else cell.encode()
            for index, cell in enumerate(cells)
        ]
        yield UTF8, b"".join(texts), _packed("i", [*accumulate(map(len, texts), initial=0)], 0)
        values = list(dict.fromkeys(there))
        codes = [None if cell is None else values.index(cell) for cell in cells]
        yield DICTIONARY, _packed("H", codes, 0), encode_values(values)


def _is_double(cell: Any) -> bool:
    return type(cell) is float or (type(cell) is int and abs(cell) < 2**53)


def _packed(letter: str, cells: Sequence[Any], instead: Any) -> bytes:
    numbers = [instead if cell is None else cell for cell in cells]
    return struct.pack(f"<{len(cells)}{letter}", *numbers)


def _bits(cells: Sequence[Any]) -> bytes:
    """Which of the cells are there."""
    bits = sum(1 << index for index, cell in enumerate(cells) if cell is not None)
    return bits.to_bytes((len(cells) + 7) // 8, "little")
