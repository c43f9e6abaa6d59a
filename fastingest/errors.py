"""Every error that fastingest raises, and the exit status that the command gives for it.

::

    FastingestError                 status 1
    ├── UsageError                  status 2: the caller can mend it; nothing was captured
    │   ├── OptionError             a setting that cannot be used
    │   ├── OutputRefused           a file that cannot, or must not, be appended to
    │   │   ├── HeaderMismatch      it holds other columns
    │   │   └── OutputLocked        another run writes it
    │   └── FeedRefused             the feed says no, and waiting cannot change that
    └── RunFailed                   status 1: the machine or fastingest itself failed
        ├── WriteFailed             the rows could not be appended
        ├── ProcessDied             a child process ended before its time
        └── Aborted                 status 130: the second SIGINT ended the run at once

Each carries the facts as attributes and makes its one sentence in ``__str__``: what was found, and
what to do about it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastingest.summary import Summary

__all__ = [
    "Aborted",
    "FastingestError",
    "FeedRefused",
    "HeaderMismatch",
    "OptionError",
    "OutputLocked",
    "OutputRefused",
    "ProcessDied",
    "RunFailed",
    "UsageError",
    "WriteFailed",
]


class FastingestError(Exception):
    """Anything that ends a run early. ``summary`` is the run's numbers, if it had begun."""

    exit_status = 1
    summary: Summary | None = None


class UsageError(FastingestError):
    """The caller asked for something that cannot be done; nothing was captured."""

    exit_status = 2


class OptionError(UsageError):
    """A setting that cannot be used. ``option`` is its name as in :class:`~fastingest.Options`."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(option, problem)
        self.option = option
        self.problem = problem

    def __str__(self) -> str:
        return f"--{self.option.replace('_', '-')}: {self.problem}"


class OutputRefused(UsageError):
    """A file that cannot be appended to."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class HeaderMismatch(OutputRefused):
    """The file exists and its first line is not this run's header."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(
            path,
            f"its header is {found!r}, this run writes {expected!r}; "
            "name another file with --out, or move this one away",
        )
        self.found = found
        self.expected = expected


class OutputLocked(OutputRefused):
    """Another run writes the file. ``holder`` is its process id, None where it is not known."""

    def __init__(self, path: Path, holder: int | None) -> None:
        who = f"process {holder}" if holder else "another process"
        super().__init__(
            path, f"{who} is writing it; stop that run or name another file with --out"
        )
        self.holder = holder


class FeedRefused(UsageError):
    """The feed refused the connection for a reason that waiting does not mend."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(url, problem)
        self.url = url
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.url}: {self.problem}"


class RunFailed(FastingestError):
    """The run could not go on: its message says why and what became of the rows."""


class WriteFailed(RunFailed):
    """The rows could not be appended; what had been appended is whole rows."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; the file ends after the last whole batch"


class ProcessDied(RunFailed):
    """A child process ended although nobody asked it to.

    ``exit_code`` is as in ``multiprocessing.Process.exitcode``: negative for a signal's number.
    """

    def __init__(self, process: str, exit_code: int | None, detail: str = "") -> None:
        super().__init__(process, exit_code, detail)
        self.process = process
        self.exit_code = exit_code
        self.detail = detail

    def __str__(self) -> str:
        if self.exit_code is not None and self.exit_code < 0:
            how = f"was killed by signal {-self.exit_code}"
        else:
            how = f"ended with status {self.exit_code}"
        return f"the {self.process} process {how}{': ' if self.detail else ''}{self.detail}"


class Aborted(RunFailed):
    """The user would not wait for the rows under way."""

    exit_status = 130

    def __str__(self) -> str:
        lost = self.summary.ledger.in_flight if self.summary else 0
        return f"stopped at once; {lost} received rows were not written"
