"""Which values are moments, and as what type of column.

A number is a time only where it can be one: by its magnitude it is one in a unit, and then its name
must say so, or it must be near the time of the probe, which no number is by chance. Where the times
of a column have not all the same number of digits behind the second, it has a fixed one, which is
wide enough for all that were seen: 3, 6 or 9.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection

from fastingest.probe.tables.words import snake

__all__ = ["time_type_of_numbers", "time_type_of_texts"]

_NUMBER = re.compile(r"(0|[1-9]\d*)(?:\.(\d+))?")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.(\d{1,9}))?"
    r"([Zz]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?"
)
_NAMED = re.compile(
    r"(^|_)(time|timestamp|ts|date|datetime|at|ms|mts|tms|us|ns)(_|$)|(time|stamp|_?ts|tms)$"
)
_LETTERS = {"t", "T", "E", "ts", "ct", "z", "C"}
_NO_TIME = re.compile(
    r"(^|_)(ids?|seq|sequence|nonce|hash|checksum|version|count|u|key|num|code|limit|interval|timeout)(_|$)"
)

_DAY = 86400.0
_YEAR_2000 = 946684800.0
_YEAR_2010 = 1262304000.0
_YEAR_2100 = 4102444800.0
_UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def time_type_of_texts(texts: Collection[str]) -> str | None:
    """The type for texts of ISO 8601; None: some are none."""
    matches = [_ISO.fullmatch(text) for text in texts]
    digits = set()
    for match in matches:
        if match is None:
            return None
        try:
            datetime.date.fromisoformat(match[1])
        except ValueError:
            return None
        digits.add(len(match[3] or ""))
    return _typed("iso", digits) if digits else None


def time_type_of_numbers(texts: Collection[str], name: str | int, now: float) -> str | None:
    """The type for numbers, in the unit in which all of them can be moments; None: in none.

    :param name: of the member, or its position.
    :param now: seconds since the epoch at the time of the probe.
    """
    matches = [_NUMBER.fullmatch(text) for text in texts]
    fractions = set()
    for match in matches:
        if match is None:
            return None
        fractions.add(len(match[2] or ""))
    numbers = [float(text) for text in texts]
    for unit, digits in _UNITS.items():
        if fractions != {0} and unit == "ns":
            break
        # Ten digits may be a number of anything; thirteen and a fraction are rarely.
        seconds = [number / 10**digits for number in numbers]
        if seconds and _are_moments(seconds, name, unit != "s" or fractions != {0}, now):
            return _typed(unit, {digits + each if each else digits for each in fractions})
    return None


def _are_moments(seconds: list[float], name: str | int, is_telling: bool, now: float) -> bool:
    """Whether numbers can be moments, and their name or they themselves say so.

    :param is_telling: whether they are long enough not to be numbers of anything.
    """
    least, most = min(seconds), max(seconds)
    word = snake(str(name))
    if _NAMED.search(word) and not isinstance(name, int):
        return least >= _YEAR_2000 and most <= _YEAR_2100
    is_other = _NO_TIME.search(word) is not None
    if least >= now - _DAY and most <= now + _DAY:
        return not is_other
    if is_other or not is_telling:
        return False
    since = _YEAR_2010 if isinstance(name, int) or name in _LETTERS else now - 400 * _DAY
    return least >= since and most <= now + 2 * _DAY


def _typed(unit: str, digits: set[int]) -> str:
    """The type in a unit, for times of so many digits behind the second."""
    most = max(digits)
    if len(digits) == 1 or most > 9:
        return f"timestamp[{unit}]"
    return f"timestamp[{unit}:{next(each for each in (3, 6, 9) if most <= each)}]"
