from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.chunks import (
    DICTIONARY,
    Chunk,
    cells,
    chunk_of,
    decode,
    distinct,
    encode,
    encode_values,
    segment_of,
)
from tests.support.chunks import CELLS, forms_of

_TYPES = st.sampled_from(sorted(CELLS))


@given(st.data(), _TYPES)
def test_the_cells_of_a_piece_are_those_that_it_was_made_of(data: Any, type_: str) -> None:
    column = data.draw(st.lists(st.none() | CELLS[type_]) | st.lists(CELLS[type_]))
    # Not by ==, for 1 is 1.0 and True, and 0.0 is -0.0.
    assert repr(cells(chunk_of(column, type_))) == repr(column)


@given(st.data(), _TYPES)
def test_the_cells_of_a_piece_do_not_depend_on_its_kind(data: Any, type_: str) -> None:
    column = data.draw(st.lists(st.none() | CELLS[type_]) | st.lists(CELLS[type_]))
    for chunk in forms_of(column, type_):
        assert cells(chunk) == column


@given(st.data(), _TYPES)
def test_the_different_cells_are_those_that_are_not_empty(data: Any, type_: str) -> None:
    column = data.draw(st.lists(st.none() | CELLS[type_]) | st.lists(CELLS[type_]))
    for chunk in forms_of(column, type_):
        assert distinct(chunk) == set(column) - {None}


@pytest.mark.parametrize("count", [3, 256, 257, 1000])
def test_a_string_of_which_there_is_no_cell_is_none_of_them(count: int) -> None:
    """As where the row that brought it was cut off again."""
    values = [f"v{number}" for number in range(count)]
    codes = [number for number in range(count) if number % 5 != 1]
    data = struct.pack(f"<{2 * len(codes)}H", *codes, *codes)
    chunk = Chunk(DICTIONARY, 2 * len(codes), data, encode_values(values))
    assert distinct(chunk) == {values[code] for code in codes}


@pytest.mark.parametrize(
    ("type_", "column", "kind"),
    [
        ("float", [1.5, -0.0], "f8"),
        ("float", [1.5, None], "cells"),
        ("int", [1, -(2**63), 2**63 - 1], "i8"),
        ("int", [1, str(2**63)], "cells"),
        ("number", [1, 2], "i8"),
        ("number", [1, 2.0], "cells"),
        ("number", [None, 1], "cells"),
        ("timestamp[ms]", [1], "i8"),
        ("timestamp[us,s]", [1], "i8"),
        ("timestamp[us:3]", [1], "i8"),
        ("timestamp[ms:3]", ["1.5"], "cells"),
        ("timestamp[ns,iso]", [1], "i8"),
        ("timestamp[s]", ["1.5"], "cells"),
        ("timestamp[iso]", ["2024-01-01T00:00:00Z"], "cells"),
        ("bool", [True], "cells"),
        ("str", ["a"], "cells"),
        ("decimal", ["1.50"], "cells"),
    ],
)
def test_numbers_become_buffers_where_all_are_alike(
    type_: str, column: list[Any], kind: str
) -> None:
    chunk = chunk_of(column, type_)
    assert (chunk.kind, chunk.count) == (kind, len(column))
    assert repr(cells(chunk)) == repr(column)


@pytest.mark.parametrize(
    ("chunk", "column"),
    [
        (Chunk("f8", 1, bytes.fromhex("000000000000f83f")), [1.5]),
        (Chunk("i8", 2, bytes.fromhex("0100000000000000feffffffffffffff")), [1, -2]),
        (Chunk("bool", 3, b"\1\0\1", b"", b"\3"), [True, False, None]),
        (Chunk("text", 3, "aéb".encode(), b"\0\0\0\0\1\0\0\0\3\0\0\0\4\0\0\0"), ["a", "é", "b"]),
        (Chunk("codes", 3, b"\1\0\0\0\1\0", encode_values(["x", "y"])), ["y", "x", "y"]),
        (Chunk("codes", 2, b"\0\0\0\0", encode_values([]), b"\0"), [None, None]),
        (Chunk("i8", 9, bytes(72), b"", b"\x81\0"), [0, *[None] * 6, 0, None]),
        (Chunk("cells", 3, encode_values([1, "x", None])), [1, "x", None]),
    ],
)  # fmt: skip
def test_what_a_piece_says(chunk: Chunk, column: list[Any]) -> None:
    assert cells(chunk) == column
    assert cells(*decode(encode([chunk]))) == column


def test_an_unknown_code_is_no_cell() -> None:
    with pytest.raises(IndexError):
        cells(Chunk("codes", 1, b"\2\0", encode_values(["x", "y"])))


def test_the_wire_form_reads_back_without_a_copy() -> None:
    columns: list[list[Any]] = [["A", "B"], [1.5, 2.5], [3, None]]
    segment = segment_of(columns, ("str", "float", "number"))
    chunks = decode(segment)
    assert [(chunk.kind, chunk.count) for chunk in chunks] == [
        ("cells", 2),
        ("f8", 2),
        ("cells", 2),
    ]
    assert [cells(chunk) for chunk in chunks] == columns
    for chunk in chunks:
        assert isinstance(chunk.data, memoryview)
        assert chunk.data.obj is segment
    assert encode(chunks) == segment
    within = memoryview(b"before" + segment)[6:]
    assert [cells(chunk) for chunk in decode(within)] == columns


def test_what_is_cut_short_is_no_segment() -> None:
    segment = segment_of([["A"], [1.0], [None]], ("str", "float", "number"))
    for end in range(len(segment)):
        with pytest.raises(msgspec.DecodeError):
            decode(segment[:end])


def test_a_kind_that_is_not_known_is_refused() -> None:
    segment = msgspec.msgpack.encode([["f4", 1, b"1234", b"", b""]])
    with pytest.raises(msgspec.DecodeError, match="f4"):
        decode(segment)
