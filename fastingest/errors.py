"""Every error that fastingest raises, and the exit status that the command gives for it.

::

    FastingestError                 status 1
    ├── UsageError                  status 2: the caller can fix it; nothing was captured
    │   ├── OptionError             a setting that cannot be used
    │   ├── ConfigError             a mistake in a file that describes feeds
    │   ├── OutputRefused           a file that cannot, or must not, be appended to
    │   │   ├── HeaderMismatch      it holds other columns
    │   │   └── OutputLocked        another run writes it
    │   └── FeedRefused             the feed says no, and waiting cannot change that
    └── RunFailed                   status 1: the machine or fastingest itself failed
        ├── WriteFailed             the rows could not be appended
        ├── ProcessDied             a child process ended before its time, again and again
        ├── RowsLost                status 3: rows were lost or dropped, or the counts do not agree
        ├── NeverReady              status 3: a feed had no ready connection in the whole run
        ├── CaptureIncomplete       status 3: a feed has refused something of what was asked for
        ├── FeedsStale              status 3: something was stale at the end, and --strict was given
        ├── OutboxFull              status 3: --when-full exit
        └── Aborted                 status 130: the second SIGINT ended the run at once

Each carries what is known as attributes, and makes its one sentence in ``__str__``: what was found,
and what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastingest.model.counts import Counted

__all__ = [
    "Aborted",
    "CaptureIncomplete",
    "ConfigError",
    "FastingestError",
    "FeedRefused",
    "FeedsStale",
    "HeaderMismatch",
    "NeverReady",
    "OptionError",
    "OutboxFull",
    "OutputLocked",
    "OutputRefused",
    "ProcessDied",
    "RowsLost",
    "RunFailed",
    "UsageError",
    "WriteFailed",
]

_MAX_NAMED = 5  # feeds in a message that is about many


class FastingestError(Exception):
    """Anything that ends a run early. ``summary`` is the run's numbers, if it had begun."""

    exit_status = 1
    summary: Counted | None = None


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


class ConfigError(UsageError):
    """A mistake in a file that describes feeds; ``line`` counts from 1."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(path, line, problem)
        self.path = path
        self.line = line
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


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
            "name another file with --out, move this one away, or fix --columns",
        )
        self.args = (path, found, expected)  # with which it is made again in another process
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
    """The feed refused the connection for a reason that waiting does not fix."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(url, problem)
        self.url = url
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.url}: {self.problem}"


class RunFailed(FastingestError):
    """The run could not go on: its message says why and what became of the rows."""

    def __str__(self) -> str:
        said = super().__str__()
        return f"{said}; {self._kept}" if self.summary and self.summary.ledger.received else said

    @property
    def _kept(self) -> str:
        """What became of the rows that are not written."""
        ledger = self.summary.ledger if self.summary else None
        said = []
        if ledger and ledger.in_flight:
            kept = f"{ledger.in_flight} received rows are kept"
            said.append(f"{kept}, and written by the next run of this output")
        if ledger and ledger.lost + ledger.dropped:
            said.append(f"{ledger.lost + ledger.dropped} received rows are lost")
        if ledger and ledger.set_aside:
            said.append(f"{ledger.set_aside} received rows are set aside")
        return ", ".join(said) or "every row received is written"


class WriteFailed(RunFailed):
    """The rows could not be appended; what had been appended is whole rows."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self._kept}"


class ProcessDied(RunFailed):
    """A child process ended although nobody asked it to, and so often that it was given up.

    ``exit_code`` is as in ``multiprocessing.Process.exitcode``: negative for a signal's number,
    None where it could not be started. ``times`` is how often that was, without a time of health in
    between, and ``how`` says how at last.
    """

    def __init__(
        self, process: str, exit_code: int | None, times: int = 1, how: str | None = None
    ) -> None:
        super().__init__(process, exit_code, times, how)
        self.process = process
        self.exit_code = exit_code
        self.times = times
        self.how = how or how_ended(exit_code)

    def __str__(self) -> str:
        often = f"died {self.times} times in a row, and at last " if self.times > 1 else ""
        return f"the {self.process} process {often}{self.how}; {self._kept}"


def how_ended(exit_code: int | None, *, for_memory: bool = False) -> str:
    """What an exit code of ``multiprocessing`` means, in words.

    :param for_memory: whether there is evidence that the kernel was short of memory.
    """
    if for_memory:
        return "was killed by the kernel for lack of memory"
    if exit_code is not None and exit_code < 0:
        return f"was killed by signal {-exit_code}"
    return f"ended with status {exit_code}"


class RowsLost(RunFailed):
    """The run ended as asked, and not every row received is in the file."""

    exit_status = 3

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class NeverReady(RunFailed):
    """The run ended as asked, and feeds had no ready connection in the whole of it.

    ``feeds`` is what each of them is called, and why it had none.
    """

    exit_status = 3

    def __init__(self, feeds: Sequence[tuple[str, str]]) -> None:
        super().__init__(feeds)
        self.feeds = feeds

    def __str__(self) -> str:
        if len(self.feeds) == 1:
            ((name, reason),) = self.feeds
            return f"{name}: it was not ready once in this run: {reason}"
        said = "; ".join(f"{name}: {reason}" for name, reason in self.feeds[:_MAX_NAMED])
        more = f"; and {left} more" if (left := len(self.feeds) - _MAX_NAMED) > 0 else ""
        return f"{len(self.feeds)} feeds were not ready once in this run: {said}{more}"


class CaptureIncomplete(RunFailed):
    """The run ended as asked, while feeds refused something of what they were asked for.

    ``feeds`` is what each of them is called, and how many refusals there were at last.
    """

    exit_status = 3

    def __init__(self, feeds: Sequence[tuple[str, int]]) -> None:
        super().__init__(feeds)
        self.feeds = feeds

    def __str__(self) -> str:
        said = [
            f"{name} has refused {count} thing{'s' * (count > 1)}"
            for name, count in self.feeds[:_MAX_NAMED]
        ]
        if (left := len(self.feeds) - _MAX_NAMED) > 0:
            said.append(f"so have {left} more feeds")
        return f"{'; '.join(said)}: the log has the words, and what was asked for is not all here"


class FeedsStale(RunFailed):
    """The run ended as asked, with ``--strict``, and something had brought no row for too long.

    ``feeds`` is what each of them is called, how much of it is stale, and the names of that, or the
    first of them.
    """

    exit_status = 3

    def __init__(self, feeds: Sequence[tuple[str, int, Sequence[str]]]) -> None:
        super().__init__(feeds)
        self.feeds = feeds

    def __str__(self) -> str:
        said = []
        for feed, count, names in self.feeds[:_MAX_NAMED]:
            parts = [name for name in names if name != feed][:_MAX_NAMED]
            left = count - len(parts) - (feed in names)
            parts += [f"{left} more"] if left > 0 and parts else []
            said.append(f"{feed}: {', '.join(parts)}" if parts else feed)
        if (left := len(self.feeds) - _MAX_NAMED) > 0:
            said.append(f"and of {left} more feeds")
        return f"stale at the end: {'; '.join(said)}"


class OutboxFull(RunFailed):
    """There was no room for more rows, and ``when_full`` is ``exit``."""

    exit_status = 3

    def __str__(self) -> str:
        return f"the outbox was full, and --when-full is exit; {self._kept}"


class Aborted(RunFailed):
    """The user would not wait for the rows under way."""

    exit_status = 130

    def __str__(self) -> str:
        return f"stopped at once; {self._kept}"
