"""JSON values → the cells of a column. What they are: :mod:`fastingest.model.schema`.

A type is a :class:`fastingest.decode.cells.ColumnType`, which reads a value in three ways with one
outcome:

- while the message is parsed, as a member of msgspec type ``parsed``; what msgspec
  cannot check then is checked for a whole column at once by ``settle``;
- of the texts of many values, by ``settle_raw``, where a value is used in two ways;
- of the text of one value, by ``read``: the definition, which also says what is
  wrong.

The first two may give up (None) where the third does not. What the values mean:

- A number may stand in a string, as JSON writes it: ``"1.5"``, but not ``"+1"``, ``"01"``, ``".5"``
  or ``" 1"``. What a double cannot hold is none for ``float`` and ``number``.
- An empty string in an optional column is an empty cell, unless strings are what it holds. So is a
  word for what is no number, where a number is wanted: ``"NaN"``, ``"inf"``, ``"Infinity"`` or
  ``"∞"``, in letters of any size, with a sign or without. These are counted. A column that is
  required takes neither.
- An ``int``, and a timestamp that is one, may be written with a point or an exponent (``1.0``,
  ``1e3``) where the double of it is whole and at most 2**53. It has at most 4300 digits.
- A ``bool`` may be 1 or 0, and a string: ``"1"``, ``"0"``, ``"true"``, ``"FALSE"``.
- ``json`` is any value, and null is an empty cell also where the column is required.
- A ``decimal`` is any number that JSON can write, with an exponent or without; ``timestamp[s]`` one
  without. So is ``timestamp[ms]`` or ``[us]`` that has a fraction.
- ``timestamp[iso]`` is RFC 3339; a space for the T and small letters are put right. A time without
  an offset is in UTC; an offset may lack its colon, or its minutes. There is no second 60.
- A timestamp that is written with so many digits behind the second (``timestamp[iso:6]``) has no
  others, unless they are zeros.

**Proofs for a column.** Cells that are joined by commas, and of which nothing but commas is left
when the characters of numbers are deleted, exactly one fewer than there are cells, hold no comma
themselves. If the joined text is then an array for JSON, each cell is a JSON value made of nothing
but these characters: a number. This takes 30 ns a cell, a regular expression 110. Timestamps of one
width become one and the same text when each digit is made a 0, which is a comparison of memory.
"""

from __future__ import annotations

from functools import cache

from fastingest.decode.cells import ColumnType
from fastingest.decode.number_types import DecimalType, JsonType, ParsedType
from fastingest.decode.time_types import IsoType, SecondsType, TicksType
from fastingest.model.schema import base_type, digits_of

__all__ = ["column_type"]


@cache
def column_type(type_: str) -> ColumnType:
    """How the values of a column's type are read.

    :param type_: see :class:`fastingest.model.schema.Column`; as what unit a timestamp is written
        does not matter.
    """
    if type_ == "decimal":
        return DecimalType()
    if type_ == "json":
        return JsonType()
    if not type_.startswith("timestamp["):
        return ParsedType(type_)
    unit, digits = base_type(type_)[len("timestamp[") : -1], digits_of(type_)
    if unit == "s":
        return SecondsType(digits)
    return IsoType(digits) if unit == "iso" else TicksType(unit, digits)
