"""How log records look to people and to machines. Only the command line configures logging.

A record's message is an event; what belongs to it stands in ``record.facts``, a dict. Durations
among them are seconds, sizes bytes and moments nanoseconds since the epoch.

text::

    2026-11-22T14:03:00.123Z WARNING gap start=2026-11-22T14:02:58.900Z length=1.2s reason="no pong"

json, one object a line, the numbers as they are (seconds, bytes, null for none yet)::

    {"time":"2026-11-22T14:03:00.123Z","level":"warning","event":"gap",
     "start":"2026-11-22T14:02:58.900Z","length":1.2,"reason":"no pong"}
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable
from typing import Any

from fastingest.isotime import iso_time
from fastingest.text import escape
from fastingest.units import format_duration, format_size

__all__ = ["JsonFormatter", "TextFormatter", "configure", "iso_utc"]


def iso_utc(seconds: float) -> str:
    """Seconds since the epoch as ``2026-11-22T14:03:00.123Z``."""
    return iso_time(int(seconds * 1000) * 10**6, digits=3)


def _duration(seconds: float) -> str:
    return "-" if math.isnan(seconds) else format_duration(seconds)


# Fields that people read better with a unit.
_SHOWN: dict[str, Callable[[Any], str]] = {
    "length": _duration,
    "p99": _duration,
    "rate": lambda rate: f"{rate:.0f}/s",
    "queue": format_size,
    "room": format_size,
    "file": format_size,
}
_BARE = re.compile(r'[^\s"=\\]+')


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in getattr(record, "facts", {}).items():
        if name.endswith("_ns"):
            fields[name.removesuffix("_ns")] = iso_utc(value / 1e9)
        else:
            fields[name] = value
    if record.exc_info:
        fields["traceback"] = logging.Formatter().formatException(record.exc_info)
    return fields


class TextFormatter(logging.Formatter):
    """One line a record, whatever the values hold."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields = "".join(f" {name}={self._value(name, v)}" for name, v in _fields(record).items())
        event = escape(record.getMessage())
        return f"{iso_utc(record.created)} {record.levelname:7} {event}{fields}"

    @staticmethod
    def _value(name: str, value: Any) -> str:
        if isinstance(value, (int, float)) and name in _SHOWN:
            return _SHOWN[name](value)
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        if _BARE.fullmatch(text):
            return escape(text)
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escape(text)}"'


class JsonFormatter(logging.Formatter):
    """One JSON object a record: ``time``, ``level``, ``event``, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        entry = {
            "time": iso_utc(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields = {name: self._value(value) for name, value in _fields(record).items()}
        return json.dumps(fields | entry if fields.keys() & entry.keys() else entry | fields)

    @staticmethod
    def _value(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None  # JSON has no nan
        return value if isinstance(value, (bool, int, float, type(None))) else str(value)


def configure(level: str, form: str, handler: logging.Handler) -> None:
    """Send the records of fastingest to ``handler``, and nowhere else.

    :param level: the least level: debug, info, warning or error.
    :param form: text or json.
    """
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logger = logging.getLogger("fastingest")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
