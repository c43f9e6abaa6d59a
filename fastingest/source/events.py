"""What the log tells of a feed's connections."""

from __future__ import annotations

from fastingest.model.event import Event

__all__ = ["Connected", "Gap", "NoConnection"]


class Connected(Event, frozen=True):
    """There is a connection."""

    level = "info"
    text = "connected"
    url: str


class NoConnection(Event, frozen=True):
    """There is no connection, and another one is tried.

    :param retry_in: the wait until then, as people write it.
    """

    level = "warning"
    text = "no connection"
    reason: str
    retry_in: str


class Gap(Event, frozen=True):
    """There was no connection for a time, and there is one again, or none is wanted any more.

    :param length: seconds.
    """

    level = "warning"
    text = "gap"
    start_ns: int
    length: float
    reason: str
