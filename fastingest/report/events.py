"""What the log tells of what becomes of the feeds' messages."""

from __future__ import annotations

from fastingest.model.event import Event

__all__ = ["MostlyRejected", "NoRows"]


class NoRows(Event, frozen=True, kw_only=True):
    """Messages come, and no rows come of them; the counts are of the time since the latest row.

    :param problem: what no message is, where none was rejected.
    :param said: the latest message of a new shape that was ignored, for people.
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
    said: str | None = None
    reason: str | None = None
    kept_in: str | None = None
    hint: str = "fastingest probe shows what the feed sends"


class MostlyRejected(Event, frozen=True, kw_only=True):
    """Rows come, and more rejects; the counts are of the last seconds, or of the whole run.

    :param reason: why the latest reject is no row, where that is known.
    :param kept_in: the file of the rejects.
    :param hint: what to do.
    """

    level = "warning"
    text = "most of what comes is rejected"
    rejected: int
    rows: int
    reason: str | None = None
    kept_in: str
    hint: str = "fastingest probe shows what the feed sends; --where leaves out what is not wanted"
