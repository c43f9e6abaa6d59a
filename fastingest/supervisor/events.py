"""What the log tells of a run, its processes and its accounts."""

from __future__ import annotations

import sys

from fastingest.model.event import Event, Level

__all__ = [
    "CountersOnDisk",
    "LedgerUnwritable",
    "LeftoversStay",
    "LockStays",
    "NoPipe",
    "NoProgress",
    "PipeRelaid",
    "ProcessGone",
    "ProcessStarted",
    "ProcessUnkillable",
    "ProgressAgain",
    "SpoolOnDisk",
    "Stopping",
    "UnknownNotice",
    "level_on_disk",
]

# Processes


class ProcessStarted(Event, frozen=True):
    """A process of the run is started."""

    level = "debug"
    text = "started"
    process: str
    pid: int | None


class ProcessGone(Event, frozen=True):
    """A process has died, or could not be started.

    :param how: it has.
    :param pid: None: there was none.
    :param next: what follows; None: it is told when the process has ended.
    :param pause: the wait until another one takes its place, as people write it; None: there is no
        wait, or no other one.
    """

    level = "error"
    text = "a process {how}"
    how: str
    process: str
    pid: int | None = None
    next: str | None = None
    pause: str | None = None


class ProcessUnkillable(Event, frozen=True):
    """A process is left behind."""

    level = "error"
    text = "a process does not end, although it was killed"
    process: str
    pid: int | None


class UnknownNotice(Event, frozen=True):
    """A process has sent what is no notice."""

    level = "error"
    text = "a process says what nobody knows, and is killed"
    process: str
    pid: int | None
    problem: str


class PipeRelaid(Event, frozen=True):
    """A receiver and the writer get another pipe."""

    level = "warning"
    text = "a pipe to the writer broke and is laid anew"
    process: str


class NoPipe(Event, frozen=True):
    """The system has no pipe just now."""

    level = "warning"
    text = "no pipe can be laid"
    problem: str


class Stopping(Event, frozen=True):
    """The run is to end, as it was asked to."""

    level = "info"
    text = "stopping"
    reason: str


# Outputs


class NoProgress(Event, frozen=True):
    """Nothing of an output is written, and nobody has said why.

    :param since_ns: when that began.
    :param length: seconds since then.
    :param rows: those that wait to be written, and rejects.
    :param queue: bytes in batches that do.
    """

    level = "warning"
    text = "no progress"
    output: str
    since_ns: int
    length: float
    rows: int
    queue: int


class ProgressAgain(Event, frozen=True):
    """What had made no progress does so again; the fields are those of :class:`NoProgress`."""

    level = "info"
    text = "there is progress again"
    output: str
    since_ns: int
    length: float


# Files


def level_on_disk(platform: str) -> Level:
    """How bad it is that something is on disk and not in memory.

    Only Linux has a file system in memory that could be used; elsewhere it is as it must be.

    :param platform: as ``sys.platform``.
    """
    return "warning" if platform == "linux" else "info"


class SpoolOnDisk(Event, frozen=True):
    """The spool finds no place in memory, so that the receiver may wait for the disk.

    :param outputs: of how many that holds, where there are several; ``path`` is the first one's.
    """

    level = level_on_disk(sys.platform)
    text = "the spool is on disk and not in memory"
    path: str
    problem: str
    outputs: int | None = None


class CountersOnDisk(Event, frozen=True):
    """As :class:`SpoolOnDisk`, of the counters."""

    level = level_on_disk(sys.platform)
    text = "the counters are on disk and not in memory"
    path: str
    problem: str
    outputs: int | None = None


class LedgerUnwritable(Event, frozen=True):
    """The run's line could not be added to a ledger."""

    level = "error"
    text = "the ledger cannot be written; the next start does it"
    problem: str


class LeftoversStay(Event, frozen=True):
    """The run's own files could not all be removed."""

    level = "warning"
    text = "what is not needed any more cannot be removed"
    output: str
    problem: str


class LockStays(Event, frozen=True):
    """The file that says who writes an output could not be removed."""

    level = "warning"
    text = "the lock file cannot be removed"
    output: str
    problem: str
