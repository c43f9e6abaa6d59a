"""What a receiver says to the supervisor: of its feeds, of their hosts, and of itself."""

from __future__ import annotations

from fastingest.runtime.message import Message

__all__ = [
    "AskTurn",
    "FeedRefusal",
    "Finished",
    "Full",
    "GapEnded",
    "HostRefused",
    "LineState",
    "PipeBroke",
    "Sampled",
    "StaleNow",
]


class Finished(Message, frozen=True):
    """It has received all the rows that are wanted."""


class Full(Message, frozen=True):
    """There is no room for more rows, and the run shall end then."""


class FeedRefusal(Message, frozen=True):
    """A feed cannot be had, and waiting will not change that.

    :param url: the feed's, without secrets.
    """

    url: str
    problem: str


class GapEnded(Message, frozen=True):
    """A feed had no ready connection for a time, and has one, or is not wanted any more.

    :param feed: its name.
    :param start: from when on, in nanoseconds since the epoch.
    :param seconds: how long.
    :param reason: why; it holds no secret.
    :param connection: the number of the feed's connection that was not, from 1; None: it has one.
    """

    feed: str
    start: int
    seconds: float
    reason: str
    connection: int | None = None


class LineState(Message, frozen=True):
    """One of several connections of a feed is ready, or is not any more.

    :param feed: the feed's name.
    :param connection: its number, from 1.
    :param since: from when on it has not been ready, in nanoseconds since the epoch; 0: it is.
    :param never_ready: whether it was not ready once.
    """

    feed: str
    connection: int
    since: int
    never_ready: bool


class Sampled(Message, frozen=True):
    """A feed has sent a message of a new shape that brings no row, and that nothing describes.

    :param feed: its name.
    :param words: the message, for people; it holds no secret.
    """

    feed: str
    words: str


class StaleNow(Message, frozen=True):
    """What of a feed has brought no row for too long is something else than before.

    :param feed: its name.
    :param names: what is stale now, or the first of it: the feed itself, values of a column,
        symbols. They hold no secret.
    """

    feed: str
    names: tuple[str, ...]


class PipeBroke(Message, frozen=True):
    """A pipe of the receiver that has this stream cannot be used."""

    stream: int


class AskTurn(Message, frozen=True):
    """It wants to connect to a host that other receivers may want to connect to as well.

    :param number: stands in the answer, :class:`~fastingest.runtime.control.Turn`.
    :param host: its name, without secrets.
    :param feeds: how many of its feeds the host has.
    """

    number: int
    host: str
    feeds: int


class HostRefused(Message, frozen=True):
    """A host has said that it is asked too often.

    :param asked_at: when it was asked: the moment of the :class:`~fastingest.runtime.control.Turn`.
    :param wait: seconds that it wants to be left alone; 0.0: it did not say.
    """

    host: str
    asked_at: float
    wait: float
