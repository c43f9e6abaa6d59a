"""JSON values → the cells of a column. What they are: :mod:`fastingest.model.schema`.

A type is a :class:`ColumnType`, which reads a value in three ways with one outcome:

- while the message is parsed, as a member of msgspec type :attr:`ColumnType.parsed`; what msgspec
  cannot check then is checked for a whole column at once by :meth:`ColumnType.settle`;
- of the texts of many values, by :meth:`ColumnType.settle_raw`, where a value is used in two ways;
- of the text of one value, by :meth:`ColumnType.read`: the definition, which also says what is
  wrong.

The first two may give up (None) where the third does not. What the values mean:

- A number may stand in a string, as JSON writes it: ``"1.5"``, but not ``"+1"``, ``"01"``, ``".5"``
  or ``" 1"``. ``"nan"`` and ``"inf"`` are no numbers, and neither is what a double cannot hold.
- An ``int``, and a timestamp that is one, may be written with a point or an exponent (``1.0``,
  ``1e3``) where the double of it is whole and at most 2**53. It has at most 4300 digits.
- A ``bool`` may be 1 or 0, and a string: ``"1"``, ``"0"``, ``"true"``, ``"FALSE"``.
- A ``decimal`` is any number that JSON can write, with an exponent or without; ``timestamp[s]`` one
  without.
- ``timestamp[iso]`` is RFC 3339 with an offset; a space for the T and small letters are put right.
  There is no second 60.

**Proofs for a column.** Cells that are joined by commas, and of which nothing but commas is left
when the characters of numbers are deleted, exactly one fewer than there are cells, hold no comma
themselves. If the joined text is then an array for JSON, each cell is a JSON value made of nothing
but these characters: a number. This takes 30 ns a cell, a regular expression 110. Timestamps of one
width become one and the same text when each digit is made a 0, which is a comparison of memory.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from typing import Annotated, Any

import msgspec

from fastingest.decode.reasons import Unfit, reason_of
from fastingest.model.schema import base_type

__all__ = ["ColumnType", "Double", "Int64", "cells_of", "column_type", "moments"]

_LARGEST = 1.7976931348623157e308  # the largest finite double: the bounds shut out inf and nan
Double = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_FIRST, _LAST = -62135596800, 253402300799  # seconds of the years 1 and 9999 since the epoch
_Seconds = Annotated[float, msgspec.Meta(ge=0, lt=_LAST + 1)]


def moments(per_second: int) -> tuple[int, int]:
    """The first and the last time of the years 1 to 9999 that 64 bits hold, since the epoch.

    :param per_second: how many units a second has.
    """
    return (
        max(_FIRST * per_second, -(2**63)),
        min((_LAST + 1) * per_second, 2**63) - 1,
    )


def _moments(per_second: int) -> Any:
    least, greatest = moments(per_second)
    return Annotated[int, msgspec.Meta(ge=least, le=greatest)]


_PARSED: dict[str, Any] = {
    "str": str,
    "int": Int64,
    "float": Double,
    "number": Int64 | Double,
    "bool": bool,
    "timestamp[ms]": _moments(10**3),
    "timestamp[us]": _moments(10**6),
    "timestamp[ns]": _moments(10**9),
}
_WIDE: dict[str, Any] = {"int": int, "number": int | Double}


class ColumnType(ABC):
    """How the values of one type are read."""

    parsed: Any
    """The msgspec type of a member; None: a text, that is ``str`` or ``msgspec.Raw``."""

    checked = True
    """Whether parsed cells must be settled before they are cells."""

    @abstractmethod
    def settle(self, values: list[Any]) -> list[Any] | None:
        """Cells of what was parsed (str or Raw where :attr:`parsed` is None), if all fit."""

    @abstractmethod
    def settle_raw(self, values: list[Any]) -> list[Any] | None:
        """Cells of the JSON texts (Raw or bytes) of values that are not null, if all fit."""

    @abstractmethod
    def read(self, raw: bytes) -> Any:
        """The cell of one value, which is not null.

        :raises ValueError: it does not fit.
        """


@cache
def column_type(type_: str) -> ColumnType:
    """How the values of a column's type are read.

    :param type_: see :class:`fastingest.model.schema.Column`; how it is written does not matter.
    """
    type_ = base_type(type_)  # as what it is written is the writer's
    if type_ == "decimal":
        return _Decimal()
    if type_ == "timestamp[s]":
        return _SecondsText()
    if type_ == "timestamp[iso]":
        return _Iso()
    return _Parsed(type_)


def cells_of(
    settle: Callable[[list[Any]], list[Any] | None], values: list[Any], *, required: bool
) -> list[Any] | None:
    """What ``settle`` makes of the values; None if they do not fit.

    :param settle: of a :class:`ColumnType`.
    :param values: str or Raw; None, an empty Raw and one of null are empty cells.
    :param required: whether there may be no empty cells.
    """
    some = [value for value in values if value is not None]
    if some and isinstance(some[0], msgspec.Raw):
        joined = b",%b," % b",".join(some)
        if b",," in joined or b"null" in joined:  # there may be empty ones
            texts = [b"" if value is None else bytes(value) for value in values]
            values = [None if text in (b"", b"null") else text for text in texts]
            some = [value for value in values if value is not None]
    if len(some) == len(values):
        return settle(values)
    settled = None if required else settle(some)
    if settled is None:
        return None
    cells = iter(settled)
    return [None if value is None else next(cells) for value in values]


class _Parsed(ColumnType):
    """What msgspec checks while it parses."""

    checked = False

    def __init__(self, type_: str) -> None:
        self.parsed = _PARSED[type_]
        self._decode = msgspec.json.Decoder(self.parsed, strict=False).decode
        self._decode_list = msgspec.json.Decoder(list[self.parsed], strict=False).decode  # type: ignore[name-defined]
        wide = _WIDE.get(type_)
        self._decode_wide = wide and msgspec.json.Decoder(wide, strict=False).decode

    def settle(self, values: list[Any]) -> list[Any]:
        return values

    def settle_raw(self, values: list[Any]) -> list[Any] | None:
        try:
            # Each is one JSON value, so that the array has as many.
            cells: list[Any] = self._decode_list(b"[" + b",".join(values) + b"]")
        except Unfit:
            return None
        return cells

    def read(self, raw: bytes) -> Any:
        try:
            return self._decode(raw)
        except Unfit as error:
            if self._decode_wide is not None:
                try:
                    return str(self._decode_wide(raw))  # an integer past 64 bits
                except Unfit:
                    pass
            raise ValueError(reason_of(error)) from None


class _Text(ColumnType):
    """A number that stays text."""

    parsed = None
    _characters: bytes
    _prove: Callable[[bytes], Any]
    _fits: re.Pattern[str]

    def settle(self, values: list[Any]) -> list[str] | None:
        if not values or type(values[0]) is not str:
            return self.settle_raw(values)
        return values if self._is_proven(",".join(values).encode(), len(values)) else None

    def settle_raw(self, values: list[Any]) -> list[str] | None:
        if not values:
            return []
        # Where quotes stand in a JSON value that is otherwise made of the characters of numbers,
        # they are around it.
        joined = b",".join(values).replace(b'"', b"")
        return joined.decode().split(",") if self._is_proven(joined, len(values)) else None

    def _is_proven(self, joined: bytes, count: int) -> bool:
        if not joined or len(joined.translate(None, self._characters)) != count - 1:
            return False
        try:
            self._prove(b"[" + joined + b"]")
        except Unfit:
            return False
        return True

    def read(self, raw: bytes) -> str:
        text: str = msgspec.json.decode(raw) if raw.startswith(b'"') else raw.decode()
        if not self._fits.fullmatch(text):
            raise ValueError(f"{self._expected}, got {_shown(raw)}")
        return text

    _expected: str


class _Decimal(_Text):
    _characters = b"0123456789.+-eE"
    _prove = staticmethod(msgspec.json.Decoder(msgspec.Raw).decode)
    _fits = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
    _expected = "Expected a number"


class _SecondsText(_Text):
    # A sign is left to read(), as is what rounds to a second too many.
    _characters = b"0123456789."
    _prove = staticmethod(msgspec.json.Decoder(list[_Seconds]).decode)
    _fits = re.compile(r"-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]++)?")
    _expected = "Expected seconds since 1970"

    def read(self, raw: bytes) -> str:
        text = super().read(raw)
        whole, _, fraction = text.partition(".")
        seconds = int(whole) - (text.startswith("-") and fraction.strip("0") != "")
        if not _FIRST <= seconds <= _LAST:
            raise ValueError(f"{text} seconds are not within the years 1 to 9999")
        return text


class _Iso(ColumnType):
    parsed = str
    _text = re.compile(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}"
        r"(?:\.[0-9]++)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
    )
    _texts = re.compile(rf"(?>{_text.pattern.replace('(', '(?:', 1)}\n)*+")
    _zeros = bytes.maketrans(b"123456789", b"000000000")

    def settle(self, values: list[str]) -> list[str] | None:
        if not values:
            return []
        joined = "\n".join([*values, ""])
        if not joined.isascii():
            return None
        if self._is_alike(joined.encode(), values):
            return values
        joined = self._corrected(joined)
        cells = joined.split("\n")[:-1]
        # No cell has a line feed of its own.
        if len(cells) != len(values) or not self._texts.fullmatch(joined):
            return None
        return cells if all(map(_is_date, {cell[:10] for cell in cells})) else None

    @classmethod
    def _is_alike(cls, joined: bytes, cells: list[str]) -> bool:
        """Whether all cells are as long, of one hour, and fit."""
        first = cells[0]
        width = len(first) + 1
        return (
            cls._text.fullmatch(first) is not None
            and _is_date(first[:10])
            and joined.translate(cls._zeros)
            == (first.encode() + b"\n").translate(cls._zeros) * len(cells)
            and joined.count(first[:13].encode() + b":") == len(cells)
            # the tens of minutes and of seconds
            and not joined[14::width].strip(b"012345")
            and not joined[17::width].strip(b"012345")
            and (first.endswith("Z") or all(cell.endswith(first[-6:]) for cell in cells))
        )

    @staticmethod
    def _corrected(text: str) -> str:
        return text.replace(" ", "T").replace("t", "T").replace("z", "Z")

    def settle_raw(self, values: list[Any]) -> list[str] | None:
        strings = column_type("str").settle_raw(values)
        return None if strings is None else self.settle(strings)

    def read(self, raw: bytes) -> str:
        text = self._corrected(msgspec.json.decode(raw)) if raw.startswith(b'"') else ""
        match = self._text.fullmatch(text)
        if match is None:
            raise ValueError(f"Expected a time as in RFC 3339, got {_shown(raw)}")
        if not _is_date(match[1]):
            raise ValueError(f"{match[1]} is no date")
        return text


@lru_cache(maxsize=1024)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _shown(raw: bytes) -> str:
    """A value, for an error's text."""
    text = raw[:43].decode(errors="ignore")
    return " ".join((text if len(raw) <= 40 else f"{text[:40]}…").split())
