"""The profile of a field → the type and the name of the column that holds it.

A type must take all that was seen, and should take what comes later. So:

- A number in a string is a ``decimal``, which keeps all its digits, unless it is called ``symbol``
  or ``id`` or the like.
- A number is a time only where it can be one (:mod:`fastingest.probe.tables.times`).
- A quantity that was whole each time is a ``number``, for tomorrow it has a fraction.
- A short array that is none of rows is its JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from fastingest.model.jsonpath import JsonPath
from fastingest.probe.tables.field_profile import FieldProfile, Steps
from fastingest.probe.tables.times import time_type_of_numbers, time_type_of_texts
from fastingest.probe.tables.words import are_pairs, side_of, snake, words

__all__ = ["has_blanks", "is_quantity", "name_of", "names_of_positions", "type_of", "unique"]

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_NO_NUMBER = re.compile(r"|[+-]?(nan|inf|infinity|∞)", re.IGNORECASE)
_MAX_LENGTH = 1000  # characters of a text that still goes into a cell
_MAX_JSON = 200  # characters of an array that does

# Words of a name.
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
_SIDES = {"buy", "sell", "b", "s", "bid", "ask", "a", "buyer", "seller"}
_ACTIONS = {"new", "change", "delete", "insert", "update", "remove"}
_BIG = 10**5  # from where on whole numbers that are never the same number something


def type_of(seen: FieldProfile, name: str | int, now: float) -> str | None:
    """The type of a column for what was seen; None where no type takes all of it.

    :param name: the member's own, or its position in an array.
    :param now: seconds since the epoch at the time of the probe.
    """
    if not seen.is_scalar:
        return "json" if _is_short_array(seen) else None
    if seen.bools:
        return None if seen.strings or seen.ints or seen.floats else "bool"
    numbers = [*map(str, seen.ints), *map(repr, seen.floats)]
    if not numbers:
        return _type_of_texts(seen.strings, name, now)
    if seen.strings:
        texts = [text for text in seen.strings if not _NO_NUMBER.fullmatch(text)]
        return "decimal" if _are_numbers([*texts, *numbers]) else None
    return time_type_of_numbers(numbers, name, now) or _type_of_numbers(seen, name)


def has_blanks(seen: FieldProfile) -> bool:
    """Whether some of the texts say that there is no number."""
    return any(_NO_NUMBER.fullmatch(text) for text in seen.strings)


def _is_short_array(seen: FieldProfile) -> bool:
    """Whether it is an array, or null, and not a long one: what goes into a cell as it is."""
    if not seen.arrays or not set(seen.kinds) <= {"mixed", "records", "lists", "empty", "null"}:
        return False
    return all(len(msgspec.json.encode(each)) <= _MAX_JSON for each in seen.arrays)


def _type_of_numbers(seen: FieldProfile, name: str | int) -> str:
    if not seen.ints:
        return "float"
    return "number" if seen.floats or is_quantity("number", name) else "int"


def _type_of_texts(texts: set[str], name: str | int, now: float) -> str | None:
    if any(len(text) > _MAX_LENGTH for text in texts):
        return None
    said = {text for text in texts if not _NO_NUMBER.fullmatch(text)}
    if said and _are_numbers(said):
        if words(name) & _NAME_WORDS or name in ("s", "S"):
            return "str"
        return time_type_of_numbers(said, name, now) or "decimal"
    return (time_type_of_texts(texts - {""}) if texts != {""} else None) or "str"


def _are_numbers(texts: Iterable[str]) -> bool:
    return all(_NUMBER.fullmatch(text) for text in texts)


def is_quantity(kind: str | None, name: str | int) -> bool:
    """Whether a column measures something: a number that is no moment, identity or counter."""
    numeric = kind in ("int", "float", "number", "decimal")
    return numeric and not words(name) & (_NAME_WORDS | _COUNTER_WORDS | {"e"})


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
    if names and isinstance(own, int) and not in_root:
        return _name_in_array(steps, kind)
    if in_root:
        names = names[-1:]
    where = "message" if in_root else "column"
    at = str(own).replace("-", "last_")
    parts = [str(step) if isinstance(step, int) else snake(step) for step in steps]
    if names and not in_root:
        return snake("_".join(parts)) or where
    return snake("_".join(map(snake, names))) or (f"{where}_{at}" if not names else where)


def _name_in_array(steps: Steps, kind: str) -> str:
    """The name of a position of an array that is a member: a price and a size, mostly."""
    *_, name, own = steps
    number = kind in ("decimal", "float", "number", "int")
    if isinstance(name, str) and isinstance(own, int) and number and side_of(name) and own < 2:
        return f"{side_of(name)}_{('price', 'size')[own]}"
    return snake("_".join(map(str, steps)))


def _known_name(own: str | int, kind: str, texts: set[str]) -> str | None:
    is_short = isinstance(own, int) or len(own) == 1
    if is_short and texts and {text.lower() for text in texts} <= _SIDES:
        return "side"
    if isinstance(own, int):
        if texts and {text.lower() for text in texts} <= _ACTIONS:
            return "action"
        if kind.startswith("timestamp"):
            return "time"
        return "symbol" if are_pairs(texts) else None
    if kind.startswith("timestamp"):
        return _LETTERS.get((own, "time"))
    return _LETTERS.get((own, "text" if kind == "str" else "number"))


def names_of_positions(
    columns: dict[int, tuple[str, FieldProfile]], *, is_level: bool = False
) -> dict[int, str]:
    """Names for the numbers of an array that is a row: what is its price, what its size.

    A size is what is below zero at times; otherwise a price comes first. What is whole, great and
    never the same numbers something.

    :param columns: their types, and what was seen, by their positions.
    :param is_level: whether the rows are levels of a book, which have no numbers of their own.
    """
    names: dict[int, str] = {}
    numbers = []
    for index, (kind, seen) in sorted(columns.items()):
        if kind not in ("int", "float", "number", "decimal"):
            continue
        if not is_level and _numbers_something(seen) and "id" not in names.values():
            names[index] = "id"
        elif len(set(map(str, seen.values))) > 1 or len(seen.values) < 3:
            numbers.append((index, seen))
    if len(numbers) < 2:
        return names
    (first, one), (second, other) = numbers[:2]
    if _is_signed(one) and not _is_signed(other):
        first, second = second, first
    return {**names, first: "price", second: "size"}


def _numbers_something(seen: FieldProfile) -> bool:
    try:
        numbers = [int(value) for value in seen.values]
    except (TypeError, ValueError):
        return False
    is_whole = not seen.floats and not any("." in text for text in seen.strings)
    return is_whole and min(numbers) > _BIG and len(set(numbers)) > len(numbers) / 2


def _is_signed(seen: FieldProfile) -> bool:
    return any(str(value).startswith("-") for value in seen.values)


def unique(name: str, taken: set[str], path: JsonPath) -> str:
    """``name``, or one like it that is not ``taken`` yet; it is taken then."""
    tries = [name]
    parents = [snake(step) for step in path.steps[:-1] if isinstance(step, str)]
    if parents and path.from_root:
        tries.append("_".join((*filter(None, parents), name)))
    tries += [f"{name}_{number}" for number in range(2, len(taken) + 3)]
    free = next(each for each in tries if each not in taken)
    taken.add(free)
    return free
