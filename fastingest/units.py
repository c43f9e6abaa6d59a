"""Durations and sizes as people write and read them: numbers with a unit."""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["brief", "format_duration", "format_size", "parse_duration", "parse_size", "span"]

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*([a-zA-Z]*)")


def _parse_quantity(text: str, units: dict[str, Any], what: str, example: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or (match[2] and match[2].lower() not in units):
        raise ValueError(f"{text!r} is no {what}; write for example {example}")
    if not match[2] and float(match[1]) != 0:
        raise ValueError(f"{text!r} has no unit; write for example {example}")
    return float(match[1]) * float(units[match[2].lower()] if match[2] else 1)


def parse_duration(text: str) -> float:
    """Seconds in a text such as ``250ms``, ``1.5s``, ``10m``, ``2h`` or ``1d``.

    :raises ValueError: the text is no number with a unit of time; only zero may go without one.
    """
    return _parse_quantity(text, _SECONDS, "duration", "250ms, 10s or 5m")


def parse_size(text: str) -> int:
    """Bytes in a text such as ``64KiB``, ``16MiB`` (powers of two) or ``10MB`` (powers of ten).

    :raises ValueError: the text is no number with a unit of size; only zero may go without one.
    """
    return round(_parse_quantity(text, _BYTES, "size", "64KiB or 16MiB"))


def format_duration(seconds: float) -> str:
    """``seconds`` as :func:`parse_duration` reads it, in the largest unit that keeps it short."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{seconds * 1e3:.3f}".rstrip("0").rstrip(".") + "ms"


def brief(seconds: float) -> str:
    """A short duration with three digits: ``340us``, ``2.13ms``, ``1.2s``; ``-`` for nan."""
    if math.isnan(seconds):
        return "-"
    if seconds >= 60:
        return span(seconds)
    for length, unit in ((1.0, "s"), (1e-3, "ms")):
        if float(f"{seconds:.3g}") >= length:
            return f"{seconds / length:.3g}{unit}"
    return f"{seconds * 1e6:.0f}us"


def span(seconds: float) -> str:
    """A long duration: ``12.3s``, ``1m 05s``, ``2h 03m 04s``, ``3d 04h 05m``."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h {minutes:02}m"
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"


def format_size(size: float) -> str:
    """``size`` bytes in binary units, with one decimal above a KiB unless it is whole."""
    for unit, length in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= length:
            return f"{size / length:.1f}".removesuffix(".0") + unit
    return f"{size:.0f}B"
