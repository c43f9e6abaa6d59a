"""What an earlier run has left to tell whose rows are whose: its counters, and its feeds' names.

The feeds of the run that takes it up may be others, in another order. So nothing is told by a
feed's place among them, but where a file of an older version says no more than that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from fastingest.metrics.counters import Counters
from fastingest.metrics.counters_file import OtherCounters
from fastingest.model.event import Event
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.run_events import read_events
from fastingest.storage.run_log import line_of
from fastingest.writer.events import CountersUnreadable

__all__ = ["counters_of", "feeds_of", "has_other_counters", "never_began"]


def feeds_of(places: SpoolDirectories, out: Path, run: int) -> tuple[str, ...]:
    """The names of a run's feeds, in the order that they had there; empty where one is not known.

    :param places: where it has left what it has.
    :param out: the output.
    """
    names: tuple[str, ...] = ()
    with contextlib.suppress(OSError):
        names = Counters.names_in(places.counters(run))
    if names and all(names):
        return names
    noted = read_events(places.events(run))["feeds"] or line_of(out, run).get("feeds") or []
    known = {feed["index"]: feed["name"] for feed in noted if {"index", "name"} <= feed.keys()}
    count = max(len(names), *(index + 1 for index in known), 0)
    return tuple(known.get(index, "") for index in range(count))


def counters_of(
    places: SpoolDirectories, out: Path, run: int, report: Callable[[Event], None]
) -> Counters | None:
    """What a run has counted; None where nobody knows: the machine was started anew.

    Nor does anybody where a version of fastingest has counted it whose form is not known.

    :param report: takes events for the log.
    """
    try:
        return Counters.open(places.counters(run), feeds_of(places, out, run))
    except OtherCounters as error:
        report(CountersUnreadable(str(error)))
    except OSError:
        pass
    return None


def has_other_counters(places: SpoolDirectories, run: int) -> bool:
    """Whether a version of fastingest has counted it whose form is not known."""
    try:
        Counters.names_in(places.counters(run))
    except OSError as error:
        return isinstance(error, OtherCounters)
    return False


def never_began(places: SpoolDirectories, run: int) -> bool:
    """Whether its supervisor died while it made the counters, which come before all else."""
    try:
        Counters.names_in(places.counters(run))
    except OSError as error:
        # It is not the system that says so: they are there, and not whole.
        return type(error) is OSError and error.errno is None
    return False
