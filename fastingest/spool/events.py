"""What the log tells of the spool and the spill."""

from __future__ import annotations

from fastingest.model.event import Event

__all__ = [
    "BatchesMissing",
    "SpillUnreadable",
    "SpillUnwritable",
    "SpillWritable",
    "SpoolUnwritable",
    "SpoolWritable",
]


class SpoolUnwritable(Event, frozen=True):
    """The spool in memory takes no batch any more."""

    level = "warning"
    text = "the spool cannot be written; batches go to disk"
    path: str
    problem: str


class SpoolWritable(Event, frozen=True):
    """The spool in memory takes batches again."""

    level = "info"
    text = "the spool can be written again"
    path: str


class SpillUnwritable(Event, frozen=True):
    """A segment could not be moved to disk; that is tried again, and not said each time."""

    level = "error"
    text = "the spill cannot be written"
    problem: str


class SpillWritable(Event, frozen=True):
    """A segment was moved to disk, after some that could not be."""

    level = "info"
    text = "the spill can be written again"


class SpillUnreadable(Event, frozen=True, kw_only=True):
    """A file of the spill, or of the spool, cannot be read.

    :param rows: those that are lost with it; None: that is not known.
    """

    level = "error"
    text = "rows in the spill cannot be read"
    rows: int | None = None
    problem: str


class BatchesMissing(Event, frozen=True):
    """Between two batches of a receiver that is gone there were others."""

    level = "error"
    text = "batches are missing in the spool"
    batches: int
