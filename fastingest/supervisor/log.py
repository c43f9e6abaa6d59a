"""The log of a run: records of the logger ``fastingest``, each with a dict of its fields."""

from __future__ import annotations

import logging
import os
from typing import Any

__all__ = ["report", "said"]

_log = logging.getLogger("fastingest")


def report(level: str, event: str, fields: dict[str, Any]) -> None:
    """Log an event.

    :param level: ``debug``, ``info``, ``warning`` or ``error``.
    :param fields: more of it, by name; the record's attribute ``facts``.
    """
    _log.log(logging.getLevelNamesMapping()[level.upper()], event, extra={"facts": fields})


def said(error: Exception) -> str:
    """An error in words, on one line; of the system's, which file it is about."""
    if not isinstance(error, OSError):
        return str(error)
    words = error.strerror or str(error)
    return words if error.filename is None else f"{os.fsdecode(error.filename)}: {words}"
