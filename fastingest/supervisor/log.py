"""The log of a run: records of the logger ``fastingest``, each with a dict of its fields."""

from __future__ import annotations

import logging
import os

from fastingest.model.event import Event
from fastingest.runtime.control import Report

__all__ = ["report", "said", "write"]

_log = logging.getLogger("fastingest")


def report(event: Event, feed: str | None = None) -> None:
    """Log an event of this process.

    :param feed: as in :meth:`.Report.of`.
    """
    write(Report.of(event, feed))


def write(told: Report) -> None:
    """Log an event, whichever process has told it; its fields are the record's ``facts``."""
    number = logging.getLevelNamesMapping()[told.level.upper()]
    _log.log(number, told.event, extra={"facts": told.fields})


def said(error: Exception) -> str:
    """An error in words, on one line; of the system's, which file it is about."""
    if not isinstance(error, OSError):
        return str(error)
    words = error.strerror or str(error)
    return words if error.filename is None else f"{os.fsdecode(error.filename)}: {words}"
