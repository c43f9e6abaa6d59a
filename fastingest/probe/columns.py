"""The profile of a field → the type and the name of the column that holds it.

A type must take all that was seen, and should take what comes later. So:

- A number in a string is a ``decimal``, which keeps all its digits, unless it is called ``symbol``
  or ``id`` or the like.
- A number is a time only where it can be one. Besides, its name must say so, or it must be near the
  time of the probe, which no number is by chance.
- A quantity that was whole each time is a ``number``, for tomorrow it has a fraction.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable

from fastingest.model.jsonpath import JsonPath
from fastingest.probe.field_profile import FieldProfile, Steps

__all__ = ["is_quantity", "name_of", "type_of", "unique"]

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
_MAX_LENGTH = 1000  # characters of a text that still goes into a cell

# Words of a name, once it is split at _ and at capitals.
_TIME_WORDS = {"time", "timestamp", "ts", "date", "datetime", "at", "ms", "mts"}
_NAME_WORDS = {"id", "ids", "symbol", "sym", "ticker", "code", "instrument", "key", "hash", "name"}
_COUNTER_WORDS = {
    "seq",
    "sequence",
    "nonce",
    "version",
    "code",
    "status",
    "count",
    "num",
    "checksum",
    "flags",
    "limit",
    "interval",
    "timeout",
}
_MAYBE_TIME = {"t", "T", "E", "ts", "ct", "z"}

_DAY = 86400.0
_YEAR_2000 = 946684800.0
_YEAR_2010 = 1262304000.0
_YEAR_2100 = 4102444800.0
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

# What single letters mean at most venues, by the kind of value.
_LETTERS = {
    ("s", "text"): "symbol",
    ("S", "text"): "symbol",
    ("p", "number"): "price",
    ("q", "number"): "quantity",
    ("v", "number"): "volume",
    ("s", "number"): "size",
    ("t", "time"): "time",
    ("T", "time"): "time",
    ("E", "time"): "event_time",
    ("e", "text"): "event",
}
_PAIR = re.compile(r"[A-Z0-9]{2,}[/:_-][A-Z0-9]{2,}")
_SIDES = {"buy", "sell", "b", "s", "bid", "ask", "a", "buyer", "seller"}


def type_of(seen: FieldProfile, name: str | int, now: float) -> str | None:
    """The type of a column for what was seen; None where no type takes all of it.

    :param name: the member's own, or its position in an array.
    :param now: seconds since the epoch at the time of the probe.
    """
    if not seen.is_scalar:
        return None
    if seen.bools:
        return None if seen.strings or seen.ints or seen.floats else "bool"
    numbers = [repr(each) for each in (*seen.ints, *seen.floats)]
    if not numbers:
        return _type_of_texts(seen.strings, name, now)
    if seen.strings:
        return "decimal" if _are_numbers([*seen.strings, *numbers]) else None
    return _time_unit(numbers, name, now) or _type_of_numbers(seen, name)


def _type_of_numbers(seen: FieldProfile, name: str | int) -> str:
    if not seen.ints:
        return "float"
    return "number" if seen.floats or is_quantity("number", name) else "int"


def _type_of_texts(texts: set[str], name: str | int, now: float) -> str | None:
    if any(len(text) > _MAX_LENGTH for text in texts):
        return None
    if _are_numbers(texts):
        unit = _time_unit(texts, name, now)
        return unit or ("str" if _words(name) & _NAME_WORDS or name in ("s", "S") else "decimal")
    return "timestamp[iso]" if all(map(_is_iso, texts)) else "str"


def _are_numbers(texts: Iterable[str]) -> bool:
    return all(_NUMBER.fullmatch(text) for text in texts)


def _is_iso(text: str) -> bool:
    match = _ISO.fullmatch(text)
    if match is None:
        return False
    try:
        datetime.date.fromisoformat(match[1])
    except ValueError:
        return False
    return True


def _time_unit(texts: Collection[str], name: str | int, now: float) -> str | None:
    """``timestamp[…]`` in the unit in which all of the numbers can be moments."""
    if not _are_numbers(texts):
        return None
    numbers = [float(text) for text in texts]
    whole = not any("." in text for text in texts)
    named = bool(_words(name) & _TIME_WORDS)
    for unit, scale in _UNITS.items():
        if not whole and unit != "s":
            break
        seconds = [number / scale for number in numbers]
        least, most = min(seconds), max(seconds)
        # Ten digits may be a number of anything; thirteen and a fraction are rarely.
        telling = unit != "s" or not whole
        if (
            (named and least >= _YEAR_2000 and most <= _YEAR_2100)
            or (
                telling
                and (isinstance(name, int) or name in _MAYBE_TIME)
                and least >= _YEAR_2010
                and most <= now + 2 * _DAY
            )
            or (least >= now - _DAY and most <= now + _DAY)
        ):
            return f"timestamp[{unit}]"
    return None


def _words(name: str | int) -> set[str]:
    return set(_snake(str(name)).split("_"))


def _snake(name: str) -> str:
    """``lastTradeID`` as ``last_trade_id``; only letters, digits and _ are left."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"_+", "_", re.sub(r"\W+", "_", name)).strip("_").lower()


def is_quantity(kind: str | None, name: str | int) -> bool:
    """Whether a column measures something: a number that is no moment, identity or counter."""
    numeric = kind in ("int", "float", "number", "decimal")
    return numeric and not _words(name) & (_NAME_WORDS | _COUNTER_WORDS | {"e"})


def name_of(steps: Steps, kind: str, seen: FieldProfile, *, in_root: bool) -> str:
    """A name for the column of what stands at ``steps``.

    :param kind: its type.
    :param in_root: whether the steps begin at the message's root beside the row; then the last of
        them says enough.
    """
    own = steps[-1]
    known = _known_name(own, kind, seen.texts)
    if known is not None and (in_root or len(steps) == 1):
        return known
    names = [step for step in steps if isinstance(step, str)]
    if in_root:
        names = names[-1:]
    where = "message" if in_root else "column"
    return _snake("_".join(map(_snake, names))) or (f"{where}_{own}" if not names else where)


def _known_name(own: str | int, kind: str, texts: set[str]) -> str | None:
    is_short = isinstance(own, int) or len(own) == 1
    if is_short and texts and {text.lower() for text in texts} <= _SIDES:
        return "side"
    if isinstance(own, int):
        if kind.startswith("timestamp"):
            return "time"
        return "symbol" if texts and all(map(_PAIR.fullmatch, texts)) else None
    if kind.startswith("timestamp"):
        return _LETTERS.get((own, "time"))
    return _LETTERS.get((own, "text" if kind == "str" else "number"))


def unique(name: str, taken: set[str], path: JsonPath) -> str:
    """``name``, or one like it that is not ``taken`` yet; it is taken then."""
    tries = [name]
    parents = [_snake(step) for step in path.steps[:-1] if isinstance(step, str)]
    if parents and path.from_root:
        tries.append("_".join((*filter(None, parents), name)))
    tries += [f"{name}_{number}" for number in range(2, len(taken) + 3)]
    free = next(each for each in tries if each not in taken)
    taken.add(free)
    return free
