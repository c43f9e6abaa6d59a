"""What the log tells of a feed's connections."""

from __future__ import annotations

from fastingest.model.event import Event

__all__ = [
    "Connected",
    "Gap",
    "GrantedByFeed",
    "IgnoredMessage",
    "NoConnection",
    "NoLongerStale",
    "RefusedByFeed",
    "Stale",
    "TooManyValues",
]


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


class RefusedByFeed(Event, frozen=True):
    """A feed has refused something of what it was asked for.

    :param said: the venue's words.
    :param symbols: that they are about, where that is known.
    :param subscription: or else the subscription that they are about, as it was written.
    """

    level = "warning"
    text = "refused by the feed"
    said: str
    symbols: str | None = None
    subscription: str | None = None


class GrantedByFeed(Event, frozen=True):
    """A feed has granted what it had refused, when it was asked again.

    :param symbols: what that is, where it is symbols.
    :param subscription: or else the subscription, as it was written.
    """

    level = "info"
    text = "granted by the feed"
    symbols: str | None = None
    subscription: str | None = None


class IgnoredMessage(Event, frozen=True):
    """A message that brings no row, the first of its shape, and that nothing describes."""

    level = "info"
    text = "ignored message"
    said: str


class Stale(Event, frozen=True):
    """Something of a feed has brought no row for too long.

    :param names: what: the feed itself, values of the column that is followed, symbols.
    :param length: for how long, in seconds; something of it maybe longer.
    """

    level = "warning"
    text = "stale"
    names: str
    length: float


class NoLongerStale(Event, frozen=True):
    """What was stale brings rows again.

    :param names: as in :class:`Stale`.
    """

    level = "info"
    text = "no longer stale"
    names: str


class TooManyValues(Event, frozen=True):
    """A column has more values than are followed; further ones are not.

    :param values: how many are.
    """

    level = "warning"
    text = "too many different values to say which are stale"
    column: str
    values: int
