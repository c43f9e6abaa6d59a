"""Outputs that do not get on: what is said of them, and when a run that shall end gives them up.

Nothing here looks at a clock, at a counter or at a file; it is told what they say, once a second.

As long as the run goes on, the writer tries again and again, and the log says where there is no
progress (:mod:`fastingest.supervisor.progress`). A run that shall end cannot wait for ever. It
gives an output up that has made no progress for :data:`FAILING_LIMIT` while the writer has said why
it cannot be written, or for :data:`STALLED_LIMIT` where nobody has said so. When all are given up,
so is the writer; and also when none has made any progress for as long, although nothing waits to be
written: whatever it is that does not end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fastingest.errors import WriteFailed
from fastingest.model.event import Event
from fastingest.supervisor.progress import Progress, Standing
from fastingest.units import format_duration

__all__ = ["FAILING_LIMIT", "STALLED_LIMIT", "Verdict", "WriterWatchdog"]

FAILING_LIMIT = 3.0
"""Seconds that a run which shall end waits for an output that cannot be written."""

STALLED_LIMIT = 60.0
"""Seconds that it waits for one that is neither written nor said why."""


class Verdict(NamedTuple):
    """What is not waited for any more.

    :param output: an output, by its index; None: the writer with all of them.
    :param why: what the run fails of; None: that was said of each output.
    """

    output: int | None
    why: WriteFailed | None


class WriterWatchdog:
    """Watches all outputs of a run, by their index. Moments are by the monotonic clock.

    :param paths: the outputs.
    :param flush_interval: seconds that a row may wait for its batch.
    """

    def __init__(self, paths: Sequence[Path], flush_interval: float) -> None:
        self._paths = paths
        self._progress = [Progress(str(path), flush_interval) for path in paths]
        self._failing: dict[int, WriteFailed] = {}
        self._ending_since: float | None = None
        self.given_up: set[int] = set()
        """The outputs that have been given up."""

    def failing(self, output: int, why: WriteFailed) -> None:
        """The writer has said that it cannot be written."""
        self._failing[output] = why

    def works_again(self, output: int) -> None:
        """The writer has said that it is written again."""
        self._failing.pop(output, None)

    def writer_died(self) -> None:
        """What it has said holds no more."""
        self._failing.clear()

    def look(self, now: float, time_ns: int, standings: Sequence[Standing]) -> Iterator[Event]:
        """Take how the outputs stand; what is to be said of it.

        :param time_ns: ``now`` in nanoseconds since the epoch, by the wall clock.
        """
        for number, (progress, standing) in enumerate(zip(self._progress, standings, strict=True)):
            is_failing = number in self._failing or number in self.given_up
            said = progress.look(now, time_ns, standing, is_failing=is_failing)
            if said is not None:
                yield said

    def judge(self, now: float) -> Iterator[Verdict]:
        """What a run that shall end gives up now; to be called after each :meth:`look`.

        Once it has been the writer itself there is nothing left to ask.
        """
        if self._ending_since is None:
            self._ending_since = now
        idle = [progress.idle(now, self._ending_since) for progress in self._progress]
        for number, seconds in enumerate(idle):
            if number in self.given_up:
                continue
            if number in self._failing and seconds >= FAILING_LIMIT:
                yield self._give_up(number, self._failing[number])
            elif seconds >= STALLED_LIMIT and self._progress[number].waiting:
                yield self._give_up(number, self._stalled(number))
        if len(self.given_up) == len(self._paths):
            yield Verdict(None, None)
        elif min(idle) >= STALLED_LIMIT:
            yield Verdict(None, self._stalled(0))

    def _give_up(self, output: int, why: WriteFailed) -> Verdict:
        self.given_up.add(output)
        return Verdict(output, why)

    def _stalled(self, output: int) -> WriteFailed:
        problem = f"there was no progress for {format_duration(STALLED_LIMIT)}"
        return WriteFailed(self._paths[output], problem)
