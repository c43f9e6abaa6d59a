"""JSON values → cells of timestamp columns."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from fastingest.decode.cells import ColumnType, content_of, shown
from fastingest.decode.number_types import ParsedType, TextType, are_proven, joined

__all__ = ["IsoType", "SecondsType", "TicksType", "moments", "step_of"]

_FIRST, _LAST = -62135596800, 253402300799  # seconds of the years 1 and 9999 since the epoch
_Seconds = Annotated[float, msgspec.Meta(ge=0, lt=_LAST + 1)]
_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_TICKS = re.compile(r"(-?(?:0|[1-9][0-9]{0,99}+))(?:\.([0-9]++))?")
_DIGITS = {"ms": 3, "us": 6, "ns": 9}
_BEHIND_POINT = len("2024-01-01T00:00:00.")
_WORDS = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def moments(unit: str) -> tuple[int, int]:
    """The first and the last time of the years 1 to 9999 that 64 bits hold, since the epoch.

    :param unit: ``ms``, ``us`` or ``ns``.
    """
    per_second = _PER_SECOND[unit]
    return (
        max(_FIRST * per_second, -(2**63)),
        min((_LAST + 1) * per_second, 2**63) - 1,
    )


def step_of(unit: str, digits: int | None) -> int:
    """What a time of a unit is a multiple of, to be written with so many digits.

    :param unit: ``ms``, ``us`` or ``ns``.
    """
    return 1 if digits is None else 10 ** max(0, _DIGITS[unit] - digits)


def _too_many(digits: int) -> re.Pattern[str]:
    """What finds a fraction with more digits than so many, of which one is not a zero."""
    return re.compile(rf"\.[0-9]{{{digits}}}0*+[1-9]")


def _has_too_many(raw: bytes, unit: str, digits: int | None) -> ValueError:
    """The error of a value that would be written without its last digits."""
    type_ = f"timestamp[{unit}:{digits}]"
    return ValueError(f"{shown(raw)} has more digits behind the second than {type_} writes")


class TicksType(ParsedType):
    """Milli-, micro- or nanoseconds; all but these may have a fraction, and then stay text.

    :param unit: ``ms``, ``us`` or ``ns``.
    :param digits: that are written behind the second; None: as many as it has.
    """

    def __init__(self, unit: str, digits: int | None = None) -> None:
        super().__init__("int")
        self._type, self._digits = unit, digits
        self.is_number = False
        self.has_other_forms = unit != "ns"
        self._unit = _WORDS[unit]
        self._least, self._greatest = moments(unit)
        self._expected = f"{'a' if self.has_other_forms else 'a whole'} number of {self._unit}"
        within = msgspec.Meta(ge=self._least, le=self._greatest)
        self._decode = msgspec.json.Decoder(Annotated[int, within], strict=False).decode
        digits_more = None if digits is None else digits - _DIGITS[unit]
        self._step = step_of(unit, digits)
        self._too_many = None if digits_more is None else _too_many(max(0, digits_more))
        steps = msgspec.Meta(multiple_of=self._step)
        self.parsed = Annotated[int, within] if self._step == 1 else Annotated[int, within, steps]
        self._decode_list = msgspec.json.Decoder(list[self.parsed], strict=False).decode  # type: ignore[name-defined]
        self._decode_wide = None
        some = Annotated[float, msgspec.Meta(ge=0, lt=float(self._greatest + 1))]
        self._prove = msgspec.json.Decoder(list[some]).decode

    def settle_raw(self, values: list[Any]) -> list[Any] | None:
        """As in :class:`ColumnType`."""
        cells = super().settle_raw(values)
        if cells is not None or not self.has_other_forms:
            return cells
        # A sign and an exponent are left to read().
        text = joined(values)
        if not are_proven(text, len(values), characters=b"0123456789.", prove=self._prove):
            return None
        cells = [_tick(each) for each in text.decode().split(",")]
        return cells if self._digits is None or all(map(self._is_written, cells)) else None

    def _is_written(self, cell: int | str) -> bool:
        """Whether it is written with all its digits."""
        if isinstance(cell, int):
            return cell % self._step == 0
        return self._too_many is None or self._too_many.search(cell) is None

    def read(self, raw: bytes) -> Any:
        """As in :class:`ColumnType`."""
        cell = self._read(raw)
        if not self._is_written(cell):
            raise _has_too_many(raw, self._type, self._digits)
        return cell

    def _read(self, raw: bytes) -> int | str:
        try:
            cell: int = super().read(raw)
        except ValueError:
            text = content_of(raw) or raw.decode()
            match = _TICKS.fullmatch(text)
            if match is None or (match[2] and not self.has_other_forms):
                raise
            is_before = text.startswith("-") and (match[2] or "").strip("0") != ""
            if self._least <= int(match[1]) - is_before <= self._greatest:
                return _tick(text)
            years = "1677 to 2262" if self._unit == "nanoseconds" else "1 to 9999"
            problem = f"{shown(raw)} {self._unit} are not within the years {years}"
            raise ValueError(problem) from None
        return cell


def _tick(text: str) -> int | str:
    """The cell of a number: an integer, unless there is something behind its point."""
    whole, _, fraction = text.partition(".")
    return text if fraction.strip("0") else int(whole)


class SecondsType(TextType):
    """Seconds, maybe with a fraction.

    :param digits: that are written behind the second; None: as many as it has.
    """

    # A sign is left to read(), as is what rounds to a second too many.
    _characters = b"0123456789."
    _prove = staticmethod(msgspec.json.Decoder(list[_Seconds]).decode)
    _fits = re.compile(r"-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]++)?")
    _expected = "seconds since 1970"

    def __init__(self, digits: int | None = None) -> None:
        self._digits = digits
        self._too_many = None if digits is None else _too_many(digits)

    def _is_proven(self, text: bytes, count: int) -> bool:
        if not super()._is_proven(text, count):
            return False
        return self._too_many is None or self._too_many.search(text.decode()) is None

    def read(self, raw: bytes) -> str:
        """As in :class:`ColumnType`."""
        text = super().read(raw)
        whole, _, fraction = text.partition(".")
        seconds = int(whole) - (text.startswith("-") and fraction.strip("0") != "")
        if not _FIRST <= seconds <= _LAST:
            raise ValueError(f"{text} seconds are not within the years 1 to 9999")
        if self._too_many is not None and self._too_many.search(text):
            raise _has_too_many(raw, "s", self._digits)
        return text


_strings = ParsedType("str")


class IsoType(ColumnType):
    """ISO 8601, as RFC 3339 has it, or nearly.

    :param digits: that are written behind the second; None: as many as it has.
    """

    parsed = str
    _text = re.compile(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}"
        r"(?:\.[0-9]++)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
    )
    _texts = re.compile(rf"(?>{_text.pattern.replace('(', '(?:', 1)}\n)*+")
    _short = re.compile(r"(.{19}.*[+-][0-9]{2})([0-9]{2})?")  # an offset that lacks something
    _zeros = bytes.maketrans(b"123456789", b"000000000")

    def __init__(self, digits: int | None = None) -> None:
        self._digits = digits
        self._too_many = None if digits is None else _too_many(digits)

    def settle(self, values: list[str]) -> list[str] | None:
        """As in :class:`ColumnType`."""
        if not values:
            return []
        joined = "\n".join([*values, ""])
        if not joined.isascii():
            return None
        if self._is_alike(joined.encode(), values):
            return values
        cells = self._settle_corrected(joined, len(values))
        if cells is None:
            cells = self._settle_corrected(joined.replace("\n", "Z\n"), len(values))
        if cells is None:
            corrected = [self._corrected(value) for value in values]
            joined = "\n".join([*corrected, ""])
            cells = self._settle_corrected(joined, len(values))
        return cells

    def _settle_corrected(self, joined: str, count: int) -> list[str] | None:
        joined = self._with_capitals(joined)
        cells = joined.split("\n")[:-1]
        # No cell has a line feed of its own.
        if len(cells) != count or not self._texts.fullmatch(joined):
            return None
        if self._too_many is not None and self._too_many.search(joined):
            return None
        return cells if all(map(_is_date, {cell[:10] for cell in cells})) else None

    def _is_alike(self, joined: bytes, cells: list[str]) -> bool:
        """Whether all cells are as long, of one hour, and fit."""
        first = cells[0]
        width = len(first) + 1
        return (
            self._text.fullmatch(first) is not None
            and (self._digits is None or len(first.rstrip("Z")) <= _BEHIND_POINT + self._digits)
            and _is_date(first[:10])
            and joined.translate(self._zeros)
            == (first.encode() + b"\n").translate(self._zeros) * len(cells)
            and joined.count(first[:13].encode() + b":") == len(cells)
            # the tens of minutes and of seconds
            and not joined[14::width].strip(b"012345")
            and not joined[17::width].strip(b"012345")
            and (first.endswith("Z") or all(cell.endswith(first[-6:]) for cell in cells))
        )

    @staticmethod
    def _with_capitals(text: str) -> str:
        return text.replace(" ", "T").replace("t", "T").replace("z", "Z")

    @classmethod
    def _corrected(cls, text: str) -> str:
        """A time as RFC 3339 has it, if that is what lacks nothing but some of its offset."""
        text = cls._with_capitals(text)
        if text.endswith("Z"):
            return text
        match = cls._short.fullmatch(text)
        if match is not None:
            return f"{match[1]}:{match[2] or '00'}"
        return text if text[-3:-2] == ":" and text[-6:-5] in ("+", "-") else f"{text}Z"

    def settle_raw(self, values: list[Any]) -> list[str] | None:
        """As in :class:`ColumnType`."""
        strings = _strings.settle_raw(values)
        return None if strings is None else self.settle(strings)

    def read(self, raw: bytes) -> str:
        """As in :class:`ColumnType`."""
        text = self._corrected(content_of(raw) or "")
        match = self._text.fullmatch(text)
        if match is None:
            raise ValueError(f"Expected a time as in ISO 8601, got {shown(raw)}")
        if not _is_date(match[1]):
            raise ValueError(f"{match[1]} is no date")
        if self._too_many is not None and self._too_many.search(text):
            raise _has_too_many(raw, "iso", self._digits)
        return text


@lru_cache(maxsize=1024)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
