"""What the log tells of what becomes of the feeds' messages."""

from __future__ import annotations

from fastingest.model.event import Event

__all__ = ["NoRows"]


class NoRows(Event, frozen=True, kw_only=True):
    """Messages come, and no rows come of them; the counts are of the time since the latest row.

    :param problem: what no message is, where none was rejected.
    :param reason: why the latest reject is no row, where that is known.
    :param kept_in: the file of the rejects, where there are any.
    :param hint: what to do.
    """

    level = "warning"
    text = "no rows"
    messages: int
    rejected: int
    ignored: int
    problem: str | None = None
    reason: str | None = None
    kept_in: str | None = None
    hint: str = "fastingest probe shows what the feed sends"
