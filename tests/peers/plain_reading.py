"""What described columns mean, read the slow and obvious way, for comparing.

It shares nothing with the decoder but the description itself: the standard library's json says
where each value stands, and rules written out say what the file then shows. Values stay texts all
the way, so that no digit is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from json.decoder import scanstring  # type: ignore[attr-defined]  # where a member's name ends
from typing import Any, NoReturn

from fastingest.model.feed import Remember
from fastingest.model.jsonpath import Condition, Each, Embedded, Step, Steps
from fastingest.model.rows import RowPlace
from fastingest.model.schema import Column, Schema

MAX_BAD = 1000  # elements of one array that are rejected one by one

__all__ = ["Reading", "TableReading", "csv_float", "read"]


@dataclass
class TableReading:
    """What becomes of the messages in one table.

    :param rows: the cells' texts, as csv.reader gives them; metadata columns are left out.
    :param rejects: the messages, or elements of arrays of rows, that are no rows.
    :param blanked: cells that are empty because their value is no number.
    """

    rows: list[list[str]] = field(default_factory=list)
    rejects: list[bytes] = field(default_factory=list)
    blanked: int = 0


@dataclass
class Reading:
    """What becomes of the messages of a feed.

    :param ignored: messages that no table takes, empty arrays of rows, and rows left out.
    :param memory: the texts of the messages that are remembered, by their keys.
    """

    tables: list[TableReading]
    ignored: int = 0
    memory: dict[str, str] = field(default_factory=dict)


def read(
    tables: Sequence[Schema],
    messages: Sequence[bytes],
    *,
    ignore: Iterable[str] = (),
    remember: Remember | None = None,
    said_before: Iterable[bytes] = (),
) -> Reading:
    """The rows, the rejects and what is ignored.

    :param remember: what of it is remembered.
    :param said_before: messages that may be remembered, and are nothing else.
    """
    reading = Reading([TableReading() for _ in tables])
    passed_over = {text.encode() for text in ignore}
    for message in said_before:
        _remember(remember, message.decode(), reading.memory)
    for message in messages:
        if message in passed_over:
            reading.ignored += 1
            continue
        text = _json_text(message)
        if text is None:
            reading.tables[0].rejects.append(message)
            continue
        _remember(remember, text, reading.memory)
        taken = [
            _read_message(schema, text, message, table, reading)
            for schema, table in zip(tables, reading.tables, strict=True)
        ]
        reading.ignored += not any(taken)
    return reading


# Messages


def _remember(remember: Remember | None, text: str, memory: dict[str, str]) -> None:
    """Remember a message for which all conditions of a group say that a value is this or that."""
    if remember is None:
        return
    for group in remember.when:
        said = [_find(text, each.path.steps, {}) for each in group]
        if all(
            value is not None and value.strip('"') in each.values
            for each, value in zip(group, said, strict=True)
        ):
            key = _find(text, remember.key.steps, {})
            if key is not None and key[0] not in "{[":
                memory[key.strip('"')] = text


def _read_message(
    schema: Schema, text: str, message: bytes, table: TableReading, reading: Reading
) -> bool:
    """Whether the table takes the message."""
    whole = [condition for condition in schema.where if condition.path.from_root]
    memory = reading.memory
    if not all(_holds(condition, text, memory) for condition in whole):
        return False
    matches, lacking, is_broken = _matches_of_all(text, schema.rows.places)
    is_short = is_broken or not all(place.is_optional for place in lacking)
    if len(lacking) == len(schema.rows.places):
        if is_broken or (whole and is_short):
            table.rejects.append(message)
            return True
        return False
    of_row = [condition for condition in schema.where if not condition.path.from_root]
    kept: list[_Row] = []
    ignored = 0
    bad: list[tuple[float, bytes]] = []  # with how many rows have come before
    for match in sorted(matches, key=lambda each: each.order):
        if match.broken:
            bad.append((len(kept), match.broken.encode()))
            continue
        rows = _rows(match, schema, message)
        good = [row for row in rows if all(_holds(each, row.text, memory) for each in of_row)]
        kept += good
        ignored += len(rows) - len(good) if rows else 1
    columns = [column for column in schema.columns if column.path is not None]
    if kept and any(
        _of_root(column) and _cell(column, _value(column, text, {}, memory)) is None
        for column in columns
    ):
        table.rejects.append(message)
        reading.ignored += ignored
        return True
    rows_read: list[list[str]] = []
    blanked = 0
    kind = "" if _shows(schema, "@value") else _kind(schema)
    for number, row in enumerate(kept):
        values = [
            _value(column, text if _of_root(column) else row.text, row.own, memory)
            for column in columns
        ]
        cells = list(map(_cell, columns, values))
        shown = [cell for cell in cells if cell is not None]
        if len(shown) < len(cells) or (kind and not row.text.startswith(kind)):
            bad.append((number + 0.5, row.raw))
        else:
            rows_read.append(shown)
            blanked += sum(map(_is_blanked, columns, values))
    if len(bad) > MAX_BAD:
        table.rejects.append(message)
    else:
        reading.ignored += ignored
        table.rows += rows_read
        table.blanked += blanked
        table.rejects += [message] * is_short + [raw for _, raw in sorted(bad, key=_number)]
    return True


def _number(bad: tuple[float, bytes]) -> float:
    return bad[0]


@dataclass
class _Row:
    """What may be a row, what is kept of it in a reject, and what is known of where it is."""

    text: str
    raw: bytes
    own: dict[str, str]


@dataclass
class _Match:
    """What stands at a place of rows.

    :param order: the numbers of the members and elements on the way.
    :param text: None: nothing.
    :param broken: a string that should hold JSON, and does not; empty: there is none.
    """

    order: tuple[int, ...]
    text: str | None
    own: dict[str, str]
    broken: str = ""


def _matches_of_all(
    text: str, places: Sequence[RowPlace]
) -> tuple[list[_Match], list[RowPlace], bool]:
    """What stands at the places; those that are lacking; and whether one of them is broken."""
    matches: list[_Match] = []
    lacking = []
    is_broken = False
    for place in places:
        try:
            found = _matches(text, place)
        except _Broken:
            found, is_broken = None, True
        lacking += [place] if found is None else []
        matches += found or []
    return matches, lacking, is_broken


def _matches(text: str, place: RowPlace) -> list[_Match] | None:
    """What stands at a place, step by step for all that a star has led to; None: it is lacking."""
    found = [_Match((), text, {"@index": "0", "@rows": json.dumps(place.name or place.path)})]
    is_starred = False
    for step in place.steps:
        following: list[_Match] = []
        for match in found:
            try:
                led_to = _led_to(match, step)
            except _Broken:
                if not is_starred:
                    raise
                following.append(_Match(match.order, None, match.own, match.text or ""))
                continue
            if not is_starred and not led_to and (led_to is None or not isinstance(step, Each)):
                return None
            following += led_to or [_Match(match.order, None, match.own, match.broken)]
        is_starred |= isinstance(step, Each)
        found = following
    for match in found:
        if match.text == "null" and place.steps:
            match.text = None
            if not is_starred:
                return None
    return found


def _led_to(match: _Match, step: Step | Each) -> list[_Match] | None:
    """What a step leads to; None: the value is none that such a step leads on from."""
    if isinstance(step, Embedded):
        text = None if match.text is None else _embedded(match.text)
        return None if text is None else [_Match((*match.order, 0), text, match.own)]
    inside = _inside(match.text) if match.text is not None else None
    is_array = step is Each.ELEMENT or isinstance(step, int)
    if inside is None or isinstance(inside, list) != is_array:
        return None
    items: list[Any] = list(inside.items() if isinstance(inside, dict) else enumerate(inside))
    found = []
    for number, (name, value) in enumerate(items):
        own = dict(match.own)
        if step is Each.MEMBER:
            own["@key"] = json.dumps(name, ensure_ascii=False)
        elif step is Each.ELEMENT:
            own["@index"] = str(number)
        elif step not in (name, number - len(items) if is_array else name):
            continue
        found.append(_Match((*match.order, number), value, own))
    return found


def _rows(match: _Match, schema: Schema, message: bytes) -> list[_Row]:
    """What may be rows there."""
    if match.text is None:
        return []
    elements = _elements(match.text, schema)
    if elements is None:
        places = schema.rows.places
        is_only = len(places) == 1 and not any(isinstance(each, Each) for each in places[0].steps)
        raw = message if is_only else match.text.encode()
        return [_Row(match.text, raw, _own(match, match.text))]
    return [
        _Row(text, text.encode(), {**_own(match, text), "@index": str(index)})
        for index, text in enumerate(elements)
    ]


def _own(match: _Match, text: str) -> dict[str, str]:
    return {**match.own, "@value": text}


def _shows(schema: Schema, *own: str) -> bool:
    return any(column.path is not None and column.path.own in own for column in schema.columns)


def _of_root(column: Column) -> bool:
    return column.path is not None and column.path.from_root


def _kind(schema: Schema) -> str:
    """What a row begins with, ``{`` or ``[``; empty where nothing is read from it."""
    paths = [column.path for column in schema.columns if column.path is not None]
    paths += [condition.path for condition in schema.where]
    steps = [path.steps[0] for path in paths if path.steps and not path.from_root]
    if not steps:
        return ""
    return "[" if any(isinstance(step, int) for step in steps) else "{"


def _elements(value: str, schema: Schema) -> list[str] | None:
    """The rows, if ``value`` is an array of them; None: it is one row."""
    inside, kind = _inside(value), _kind(schema)
    if not isinstance(inside, list) or not (kind or _shows(schema, "@value", "@index")):
        return None
    if kind == "[" and inside and not inside[0].startswith("["):
        return None
    return inside


def _holds(condition: Condition, text: str, memory: Mapping[str, str]) -> bool:
    try:
        value = _find(text, condition.path.steps, memory)
    except _Broken:
        value = None
    if condition.test in ("exists", "absent"):
        return (value in (None, "null")) == (condition.test == "absent")
    if value is None or value[0] in "{[":
        return condition.test == "!="
    said = json.loads(value) if value.startswith('"') else value
    if condition.test == "^=":
        return any(said[: len(each)] == each for each in condition.values)
    if condition.test == "~=":
        return any(_is_like(said, each) for each in condition.values)
    return (said in condition.values) == (condition.test == "=")


def _is_like(text: str, pattern: str) -> bool:
    """Whether a text is as a pattern says, by where in it each part may end."""
    ends = {0}
    for mark in pattern:
        if mark == "*":
            ends = set(range(min(ends, default=len(text) + 1), len(text) + 1))
        else:
            ends = {end + 1 for end in ends if end < len(text) and mark in ("?", text[end])}
    return len(text) in ends


# JSON, as texts


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


# Numbers stay texts.
_decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)


def _json_text(message: bytes) -> str | None:
    """The message's text without white space around it, or None if it is not JSON."""
    try:
        text = message.decode().strip(" \t\r\n")
        value, end = _decoder.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return text if end == len(text) and not _has_half_a_pair(value) else None


def _has_half_a_pair(value: object) -> bool:
    """Whether an escape like ``\\ud800`` stands alone in a string or in a name."""
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, list):
        return any(map(_has_half_a_pair, value))
    return isinstance(value, dict) and any(
        _has_half_a_pair(name) or _has_half_a_pair(each) for name, each in value.items()
    )


class _Broken(Exception):
    """A string should hold JSON, and does not."""


def _embedded(text: str) -> str | None:
    """The JSON in a string; None: it is none, or a blank one.

    :raises _Broken: it is another text.
    """
    content = json.loads(text).strip(" \t\r\n") if text.startswith('"') else ""
    found = _json_text(content.encode())
    if content and found is None:
        raise _Broken
    return found


def _find(text: str, steps: Steps, memory: Mapping[str, str]) -> str | None:
    """The text of the value that the steps lead to, or None.

    :raises _Broken: a string on the way should hold JSON, and does not.
    """
    for step in steps:
        if step is Embedded.JSON:
            found = _embedded(text)
            if found is None:
                return None
            text = found
            continue
        is_key = step is Embedded.REMEMBERED
        inside: Any = memory if is_key else _inside(text)
        try:
            text = inside[text.strip('"') if is_key else step]
        except (TypeError, KeyError, IndexError):  # another kind of value, or it is not there
            return None
    return text


def _inside(text: str) -> dict[str, str] | list[str] | None:
    """The texts of the members or the elements; None: it is neither an object nor an array."""
    if text[0] not in "{[":
        return None
    members: dict[str, str] = {}
    elements: list[str] = []
    at = _next(text, 1)
    while text[at] not in "}]":
        name = None
        if text[0] == "{":
            name, at = scanstring(text, at + 1)
            at = _next(text, _next(text, at) + 1)  # behind the colon
        _, end = _decoder.raw_decode(text, at)
        if name is None:
            elements.append(text[at:end])
        else:
            members[name] = text[at:end]
        at = _next(text, end)
        if text[at] == ",":
            at = _next(text, at + 1)
    return members if text[0] == "{" else elements


def _next(text: str, at: int) -> int:
    """Where the white space from ``at`` on ends."""
    while text[at] in " \t\r\n":
        at += 1
    return at


# Cells

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_SECONDS = re.compile(r"(-?)(0|[1-9]\d*)(?:\.(\d+))?", re.ASCII)
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3])(:[0-5]\d:[0-5]\d)(?:\.(\d+))?"
    r"([Zz]|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?",
    re.ASCII,
)
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62135596800, 253402300799  # the first and the last second of years 1 to 9999


_BROKEN = ""  # is no JSON


def _value(column: Column, text: str, own: dict[str, str], memory: Mapping[str, str]) -> str | None:
    """What the column shows."""
    assert column.path is not None
    if column.path.own.startswith('"'):
        return column.path.own
    if not column.path.own:
        try:
            return _find(text, column.path.steps, memory)
        except _Broken:
            return _BROKEN
    value = own.get(column.path.own)
    is_inner = value is not None and value[0] in "{["
    return None if is_inner and column.type != "json" else value


def _cell(column: Column, value: str | None) -> str | None:
    """What the file shows; None: it does not fit."""
    if value == _BROKEN:
        return None
    if value == "null" and column.type == "json":
        return ""
    if value is None or value == "null":
        return None if column.required else ""
    cell = _fitting(column.type, value)
    if cell is None and not column.required and (value == '""' or _is_word(column, value)):
        return ""
    return cell


def _is_blanked(column: Column, value: str | None) -> bool:
    """Whether the value says that there is no number, where one is wanted."""
    return value is not None and _is_word(column, value)


def _is_word(column: Column, value: str) -> bool:
    if column.type not in ("int", "float", "number", "decimal") or not value.startswith('"'):
        return False
    word = json.loads(value).lower()
    if word.startswith(("+", "-")):
        word = word[1:]
    return word in ("nan", "inf", "infinity", "∞")


def _fitting(kind: str, value: str) -> str | None:
    if kind == "json":
        return value
    is_string = value.startswith('"')
    content = json.loads(value) if is_string else value
    if kind == "bool":
        return _bool(content, is_string)
    if kind == "str" or kind.startswith("timestamp[iso"):
        if not is_string:
            return None
        return str(content) if kind == "str" else _iso(kind, content)
    return _numeric(kind, content) if _NUMBER.fullmatch(content) else None


def _numeric(kind: str, content: str) -> str | None:
    if kind == "decimal":
        return content
    if kind == "float" or (kind == "number" and not _INTEGER.fullmatch(content)):
        return _float(content, is_float=kind == "float")
    if kind.startswith("timestamp[s"):
        return _seconds(kind, content)
    integer = _integer(content)
    if integer is None and kind.startswith(("timestamp[ms", "timestamp[us")):
        return _ticks(kind, content)
    if kind in ("int", "number") or integer is None:
        return None if integer is None else str(integer)
    return _timestamp(kind, integer)


def _bool(content: str, is_string: bool) -> str | None:
    if is_string:
        content = content.lower()
    words = {"true": "true", "1": "true", "false": "false", "0": "false"}
    if not is_string:
        words["-0"] = "false"
    return words.get(content)


def _integer(content: str) -> int | None:
    """A whole number, maybe with a point or an exponent: then as a double can hold it."""
    if _INTEGER.fullmatch(content):
        return int(content) if len(content) <= 4300 else None
    double = float(content)
    return int(double) if abs(double) <= 2**53 and double.is_integer() else None


def _float(content: str, *, is_float: bool) -> str | None:
    double = float(content)
    if abs(double) == float("inf"):
        return None
    if not is_float and double.is_integer() and abs(double) < 2**63:
        return str(int(double))
    return csv_float(0.0 if content == "-0" else double)


def csv_float(double: float) -> str:
    """The shortest text that reads back as ``double``, as polars writes it."""
    sign = "-" if str(double).startswith("-") else ""
    _, digit_tuple, exponent = Decimal(repr(abs(double))).normalize().as_tuple()
    assert isinstance(exponent, int)
    digits = "".join(map(str, digit_tuple))
    point = len(digits) + exponent  # where it stands, from before the first digit
    if double == 0:
        return sign + "0.0"
    if point < -4 or point > 16:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    digits = digits.ljust(point, "0")
    return f"{sign}{digits[:point]}.{digits[point:] or '0'}"


# Timestamps: a count of whole seconds since the epoch, and the digits behind them


def _timestamp(kind: str, count: int) -> str | None:
    unit = _unit(kind)
    per_second = _PER_SECOND[unit]
    if not (_FIRST <= count // per_second <= _LAST and -(2**63) <= count < 2**63):
        return None
    width = len(str(per_second)) - 1
    return _shown(kind, count // per_second, f"{count % per_second:0{width}}")


def _ticks(kind: str, content: str) -> str | None:
    """Of a number with a fraction, or one that no double can hold."""
    match = _SECONDS.fullmatch(content)
    if match is None or len(match[2]) > 20:
        return None
    per_second = _PER_SECOND[_unit(kind)]
    digits, fraction = len(str(per_second)) - 1, match[3] or ""
    if not fraction.strip("0"):
        return _timestamp(kind, int(f"{match[1]}{match[2]}"))
    seconds, behind = divmod(Fraction(content), per_second)
    width = digits + len(fraction)
    shown = str(int(behind / per_second * 10**width)).rjust(width, "0")
    return _shown(kind, int(seconds), shown) if _FIRST <= seconds <= _LAST else None


def _seconds(kind: str, content: str) -> str | None:
    match = _SECONDS.fullmatch(content)
    if match is None:
        return None
    seconds, fraction = int(match[2]) if len(match[2]) < 20 else _LAST + 1, match[3] or ""
    if match[1]:
        seconds = -seconds
        if fraction.strip("0"):  # they count backwards
            seconds -= 1
            fraction = str(10 ** len(fraction) - int(fraction)).rjust(len(fraction), "0")
    return _shown(kind, seconds, fraction) if _FIRST <= seconds <= _LAST else None


def _iso(kind: str, content: str) -> str | None:
    match = _ISO.fullmatch(content)
    if match is None:
        return None
    try:
        date.fromisoformat(match[1])
    except ValueError:
        return None
    moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3]}+00:00")
    if match[5] and match[5] not in "Zz":
        digits = match[5][1:].replace(":", "")
        hours, minutes = digits[:2], digits[2:] or "0"
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        # The first and the last hours that a calendar has stay as they are.
        with suppress(OverflowError):
            moment = moment + offset if match[5][0] == "-" else moment - offset
    return _shown(kind, (moment - _EPOCH) // timedelta(seconds=1), match[4] or "")


def _unit(kind: str) -> str:
    return kind[len("timestamp[") : -1].partition(",")[0].partition(":")[0]


def _shown(kind: str, seconds: int, fraction: str) -> str | None:
    unit, _, written = kind[len("timestamp[") : -1].partition(",")
    _, _, digits = unit.partition(":")
    if digits:
        if fraction[int(digits) :].strip("0"):
            return None
        fraction = fraction[: int(digits)].ljust(int(digits), "0")
    if not written:
        moment = _EPOCH + timedelta(seconds=seconds)
        dotted = f".{fraction}" if fraction else ""
        return f"{moment.replace(tzinfo=None).isoformat()}{dotted}Z"
    width = len(str(_PER_SECOND[written])) - 1
    return str(seconds * _PER_SECOND[written] + int(fraction[:width].ljust(width, "0") or 0))
