"""Cells of timestamp columns → what the file shows: ISO 8601 text in UTC, or integers.

Integers are written with as many digits behind the second as their unit has (3 for ``ms``), and
with those of a fraction behind them; what came in seconds, or as text, keeps the digits that it
came with. Where a number of digits is asked for, it gets zeros, or loses some. Where integers are
asked for, digits below their unit are cut off (towards the past).

To write a moment takes polars 135 ns. In a large batch many are of the same second, so there each
second is written once, and the thousands behind it are looked up: 43 ns for milliseconds, 78 for
nanoseconds, and some 0.3 ms a batch.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import polars as pl

from fastingest.model.schema import base_type, digits_of

__all__ = ["iso_of", "timestamps"]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DIGITS = {"ms": 3, "us": 6, "ns": 9}

_LARGE = 10_000
"""From so many cells on it pays to write each second once, if there are few of them."""

_THOUSANDS = pl.Series([f"{number:03}" for number in range(1000)])
_LAST_THOUSANDS = _THOUSANDS + "Z"


def timestamps(kind: str, cells: pl.Series) -> pl.Series:
    """A column of text or of integers.

    :param kind: the column's type, such as ``timestamp[ms]``, ``timestamp[ms:6]`` or
        ``timestamp[ms,ns]``.
    :param cells: integers or text, see :mod:`fastingest.model.schema`.
    """
    digits = digits_of(kind)
    if digits is not None:
        return _with_digits(timestamps(base_type(kind), cells), digits)
    unit, _, written = kind[len("timestamp[") : -1].partition(",")
    if unit in _DIGITS and cells.dtype == pl.String:  # some have a fraction
        texts = [None if text is None else _to_seconds(text, _DIGITS[unit]) for text in cells]
        cells, unit = pl.Series(cells.name, texts, dtype=pl.String), "s"
    if unit in _DIGITS:
        return _scaled(cells, unit, written) if written else iso_of(cells, unit)
    if not written:
        return _iso_of_seconds(cells) if unit == "s" else _in_utc(cells)
    scale, count = _scale_text if unit == "s" else _scale_iso, _PER_SECOND[written]
    texts = cells.to_list()
    return _integers(cells.name, [None if text is None else scale(text, count) for text in texts])


def _with_digits(texts: pl.Series, digits: int) -> pl.Series:
    """ISO 8601 in UTC, with so many digits behind the second."""
    width = len("2024-01-01T00:00:00Z") + (digits + 1 if digits else 0)
    if (texts.str.len_bytes() == width).all():  # nulls are passed over
        return texts
    seconds = texts.str.slice(0, 19)
    if not digits:
        return seconds + "Z"
    fractions = texts.str.slice(19).str.strip_chars(".Z").str.slice(0, digits)
    return seconds + "." + fractions.str.pad_end(digits, "0") + "Z"


def _to_seconds(text: str, digits: int) -> str:
    """A number in a unit as seconds: of ms ``1700000000123.25`` is ``1700000000.12325``.

    :param digits: that the unit has behind the second.
    """
    whole, _, fraction = text.partition(".")
    sign = "-" if whole.startswith("-") else ""
    whole = whole.removeprefix("-").rjust(digits + 1, "0")
    return f"{sign}{whole[:-digits]}.{whole[-digits:]}{fraction}"


def _integers(name: str, cells: list[int | None]) -> pl.Series:
    try:
        return pl.Series(name, cells, dtype=pl.Int64)
    except (TypeError, OverflowError):  # nanoseconds before 1677 or after 2262
        digits = [None if cell is None else str(cell) for cell in cells]
        return pl.Series(name, digits, dtype=pl.String)


def iso_of(numbers: pl.Series, unit: str) -> pl.Series:
    """Integers in ms, us or ns as ISO 8601 text."""
    if len(numbers) >= _LARGE:
        seconds = numbers // _PER_SECOND[unit]
        first, last = seconds.min(), seconds.max()
        if isinstance(first, int) and isinstance(last, int) and last - first < len(numbers) // 16:
            return _by_second(numbers, unit, seconds, first, last)
    moments = numbers.cast(pl.Datetime(unit))  # type: ignore[arg-type]  # one of the three
    return moments.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.{_DIGITS[unit]}fZ")


def _by_second(
    numbers: pl.Series, unit: str, seconds: pl.Series, first: int, last: int
) -> pl.Series:
    """As :func:`iso_of`, where all are from the second ``first`` to ``last``."""
    each = (pl.int_range(first, last + 1, eager=True) * 1000).cast(pl.Datetime("ms"))
    parts = [each.dt.strftime("%Y-%m-%dT%H:%M:%S.")[seconds - first]]
    size = _PER_SECOND[unit]
    rest = numbers - seconds * size
    while (size := size // 1000) > 1:
        thousands = rest // size
        parts.append(_THOUSANDS[thousands])
        rest = rest - thousands * size
    parts.append(_LAST_THOUSANDS[rest])
    return pl.select(pl.concat_str(parts)).to_series().rename(numbers.name)


def _scaled(numbers: pl.Series, unit: str, written: str) -> pl.Series:
    have, want = _PER_SECOND[unit], _PER_SECOND[written]
    if want <= have:
        return numbers // (have // want)
    factor = want // have
    if (numbers.abs() < 2**63 // factor).all():  # nulls are passed over
        return numbers * factor
    return _integers(numbers.name, [None if n is None else n * factor for n in numbers])


def _iso_of_seconds(texts: pl.Series) -> pl.Series:
    """``1534614057.321597`` → ``2018-08-18T17:40:57.321597Z``."""
    backwards = texts.str.starts_with("-") & texts.str.contains(".", literal=True)
    if backwards.any():  # nulls are passed over
        cells = [
            _forwards(text) if back else text for text, back in zip(texts, backwards, strict=True)
        ]
        texts = pl.Series(texts.name, cells, dtype=pl.String)
    parts = texts.str.splitn(".", 2).struct.unnest()
    seconds, fraction = parts.to_series(0), parts.to_series(1)
    moments = (seconds.cast(pl.Int64) * 1000).cast(pl.Datetime("ms"))
    frame = pl.DataFrame({"whole": moments.dt.strftime("%Y-%m-%dT%H:%M:%S"), "fraction": fraction})
    dotted = (
        pl.when(pl.col("fraction").is_null()).then(pl.lit("")).otherwise("." + pl.col("fraction"))
    )
    return frame.select(pl.col("whole") + dotted + "Z").to_series().alias(texts.name)


_NINES = str.maketrans("0123456789", "9876543210")


def _forwards(text: str) -> str:
    """``-1.25`` as the second before it and a fraction that counts from there: ``-2.75``."""
    whole, _, fraction = text.partition(".")
    digits = fraction.rstrip("0")
    if not digits:
        return text
    rest = digits[:-1].translate(_NINES) + str(10 - int(digits[-1]))
    return f"{int(whole) - 1}.{rest.ljust(len(fraction), '0')}"


def _in_utc(texts: pl.Series) -> pl.Series:
    if texts.str.ends_with("Z").all():  # nulls are passed over
        return texts
    cells = [text if text is None or text.endswith("Z") else _to_utc(text) for text in texts]
    return pl.Series(texts.name, cells, dtype=pl.String)


def _parts(text: str) -> tuple[datetime, str]:
    """The moment in UTC without its fraction, and the fraction's digits."""
    match = re.fullmatch(r"(.{19})(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        raise ValueError(f"{text!r} is no timestamp of a batch")
    moment = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    try:
        return moment.astimezone(UTC), match[2] or ""
    except OverflowError:  # the first or the last hours that a calendar has
        return moment.replace(tzinfo=UTC), match[2] or ""


def _to_utc(text: str) -> str:
    moment, fraction = _parts(text)
    return f"{moment.replace(tzinfo=None).isoformat()}{'.' if fraction else ''}{fraction}Z"


def _scale_iso(text: str, count: int) -> int:
    moment, fraction = _parts(text)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    digits = len(str(count)) - 1
    return seconds * count + int(fraction[:digits].ljust(digits, "0") or 0)


def _scale_text(text: str, count: int) -> int:
    """Seconds as a decimal text → integers of which a second has ``count``, rounded down."""
    whole, _, fraction = text.partition(".")
    digits = len(str(count)) - 1
    exact = int(fraction[:digits].ljust(digits, "0") or 0)
    if not whole.startswith("-"):
        return int(whole) * count + exact
    rest = any(digit != "0" for digit in fraction[digits:])
    return int(whole) * count - exact - rest
