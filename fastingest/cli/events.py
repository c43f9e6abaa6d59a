"""What the log tells in the name of the command line."""

from __future__ import annotations

from fastingest.model.event import Event

__all__ = ["RunEnded", "RunProgress", "UnknownVariable"]


class RunProgress(Event, frozen=True):
    """How the run gets on, where no view shows it.

    :param rate: rows a second, the mean of the last ten seconds.
    :param queue: bytes in batches that are not written.
    :param p99: of the latency, in seconds; nan: there is none yet.
    :param file: bytes of all outputs.
    :param state: of the feed that has got the least far.
    :param ignored: None, as with those below: there were none.
    """

    level = "info"
    text = "progress"
    rows: int
    rate: float
    rejected: int
    queue: int
    p99: float
    file: int
    state: str
    ignored: int | None = None
    dropped: int | None = None
    lost: int | None = None
    set_aside: int | None = None
    refused: int | None = None
    stale: int | None = None


class UnknownVariable(Event, frozen=True):
    """A variable of the environment seems to be a setting, and is none.

    :param did_you_mean: one that is; None: none is like it.
    """

    level = "warning"
    text = "a variable is no setting"
    variable: str
    did_you_mean: str | None = None


class RunEnded(Event, frozen=True):
    """The run, or what was asked for in its place, has ended with an error.

    :param problem: the error in words.
    :param error: its class.
    """

    level = "error"
    text = "{problem}"
    problem: str
    error: str
