"""JSON values → cells of the types ``str``, ``json``, and of those that are numbers or bools."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from fastingest.decode.cells import ColumnType, shown
from fastingest.decode.reasons import Unfit

__all__ = [
    "DecimalType",
    "Double",
    "Int64",
    "JsonType",
    "ParsedType",
    "TextType",
    "are_proven",
    "joined",
    "json_number",
]

_LARGEST = 1.7976931348623157e308  # the largest finite double: the bounds shut out inf and nan
Double = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

json_number = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
"""A number as JSON writes it."""

_MAX_DIGITS = 4300  # of an integer, which is what Python reads

_PARSED: dict[str, Any] = {
    "str": str,
    "int": Int64,
    "float": Double,
    "number": Int64 | Double,
    "bool": bool,
}
_WIDE: dict[str, Any] = {"int": int, "number": int | Double}
_EXPECTED = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "number": "a number",
    "bool": "true or false",
}


class ParsedType(ColumnType):
    """What msgspec checks while it parses.

    :param type_: one of ``str``, ``int``, ``float``, ``number``, ``bool``.
    """

    checked = False

    def __init__(self, type_: str) -> None:
        self.is_text, self.is_number = type_ == "str", type_ not in ("str", "bool")
        self._expected = _EXPECTED[type_]
        self.parsed = _PARSED[type_]
        self._decode = msgspec.json.Decoder(self.parsed, strict=False).decode
        self._decode_list = msgspec.json.Decoder(list[self.parsed], strict=False).decode  # type: ignore[name-defined]
        wide = _WIDE.get(type_)
        self._decode_wide = wide and msgspec.json.Decoder(wide, strict=False).decode

    def settle(self, values: list[Any]) -> list[Any]:
        """As in :class:`ColumnType`."""
        return values

    def settle_raw(self, values: list[Any]) -> list[Any] | None:
        """As in :class:`ColumnType`."""
        try:
            # Each is one JSON value, so that the array has as many.
            cells: list[Any] = self._decode_list(b"[" + b",".join(values) + b"]")
        except Unfit:
            return None
        return cells

    def read(self, raw: bytes) -> Any:
        """As in :class:`ColumnType`."""
        try:
            return self._decode(raw)
        except Unfit:
            if self._decode_wide is not None:
                try:
                    return str(self._decode_wide(raw))  # an integer past 64 bits
                except Unfit:
                    pass
        expected = self._expected
        if self.is_number and json_number.fullmatch(raw.decode().strip('"')):
            if len(raw) > _MAX_DIGITS:
                expected += f" of at most {_MAX_DIGITS:,} digits"
            elif expected == "a number":
                expected += " that a double holds"
        raise ValueError(f"Expected {expected}, got {shown(raw)}")


class JsonType(ColumnType):
    """Any value, as it came."""

    parsed = msgspec.Raw
    is_text = True
    takes_null = True

    def settle(self, values: list[Any]) -> list[str]:
        """As in :class:`ColumnType`."""
        return [str(value, "utf-8") for value in values]

    settle_raw = settle

    def read(self, raw: bytes) -> str:
        """As in :class:`ColumnType`."""
        return raw.decode()


def joined(values: list[Any]) -> bytes:
    """The JSON texts of numbers, with commas between and without quotes.

    Where quotes stand in a JSON value that is otherwise made of the characters of numbers, they are
    around it.
    """
    return b",".join(values).replace(b'"', b"")


def are_proven(
    text: bytes, count: int, *, characters: bytes, prove: Callable[[bytes], Any]
) -> bool:
    """Whether a text is so many numbers with commas between.

    :param characters: those that may stand in them.
    :param prove: decodes them as an array.
    """
    if not text or len(text.translate(None, characters)) != count - 1:
        return False
    try:
        prove(b"[" + text + b"]")
    except Unfit:
        return False
    return True


class TextType(ColumnType):
    """A number that stays text."""

    parsed = None
    _characters: bytes
    _prove: Callable[[bytes], Any]
    _fits: re.Pattern[str]
    _expected: str

    def settle(self, values: list[Any]) -> list[str] | None:
        """As in :class:`ColumnType`."""
        if not values or type(values[0]) is not str:
            return self.settle_raw(values)
        return values if self._is_proven(",".join(values).encode(), len(values)) else None

    def settle_raw(self, values: list[Any]) -> list[str] | None:
        """As in :class:`ColumnType`."""
        if not values:
            return []
        text = joined(values)
        return text.decode().split(",") if self._is_proven(text, len(values)) else None

    def _is_proven(self, text: bytes, count: int) -> bool:
        return are_proven(text, count, characters=self._characters, prove=self._prove)

    def read(self, raw: bytes) -> str:
        """As in :class:`ColumnType`."""
        text: str = msgspec.json.decode(raw) if raw.startswith(b'"') else raw.decode()
        if not self._fits.fullmatch(text):
            raise ValueError(f"Expected {self._expected}, got {shown(raw)}")
        return text


class DecimalType(TextType):
    """A number of any size, as it is written."""

    is_number = True
    _characters = b"0123456789.+-eE"
    _prove = staticmethod(msgspec.json.Decoder(msgspec.Raw).decode)
    _fits = json_number
    _expected = "a number"
