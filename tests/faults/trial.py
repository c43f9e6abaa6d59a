"""A point of the campaign: runs of one output, a fault at a system call, and what must hold then.

A run captures a small feed, and something is done to it at a call, as its *plan* says (see
``shim.c``); the next start may have a plan as well, and so on. Then comes a start to which nothing
is done, and when that has ended:

- each start has ended within :data:`LIMIT` seconds of being asked to, with a status that stands for
  something, and without a traceback; the last one with 0; no process is left;
- each feed's rows are in the file in order, none twice, each connection's without a hole from its
  first one on; each message that is no row is in the rejects once, and nothing else is;
- whatever the client had read is there, unless a receiver was killed; then the rows of the time
  just before may be missing (:data:`tests.faults.remains.MAY_BE_LOST`), and nothing else;
- ``fastingest verify`` agrees, each line of the ledger satisfies the equation, and what they say
  was written is what is in the files;
- nothing but the files is left, beside the output or in memory.

Whatever is otherwise is a :class:`Fault`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.fault import Fault
from tests.faults.remains import BATCH_SIZE, Files, History, Remains
from tests.faults.shim import Call, Shim
from tests.faults.small_feed import SmallFeed
from tests.faults.starters import Started, Starter

__all__ = ["VARIANTS", "Outcome", "Trial", "Variant"]

LIMIT = 30.0
"""Seconds for whatever must come to an end."""
SHORT_LIMIT = 10.0
"""Seconds for what need not come to an end."""
FLUSH_INTERVAL = 0.05


@dataclass(frozen=True)
class Variant:
    """A kind of run.

    :param arguments: of the command.
    :param feeds: how many there are, each with a receiver of its own.
    :param messages: of each feed, for each start.
    :param rejects: whether some of them are no rows.
    :param padding: characters in a row more than it has anyway.
    :param rotated: before which message somebody moves the output away.
    :param plan: what the shim does in each run, besides the faults.
    """

    name: str
    arguments: tuple[str, ...] = ()
    feeds: int = 1
    messages: int = 60
    rejects: bool = False
    padding: int = 0
    rotated: int | None = None
    plan: str = ""


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("plain"),
        Variant("rejects", rejects=True),
        Variant("synced", ("--fsync", "batch"), rejects=True),
        Variant("partitions", ("--receivers", "2"), feeds=2, messages=40),
        Variant("rotated", rejects=True, rotated=30),
        Variant(
            "spilled",
            ("--memory-limit", "1MiB"),
            messages=100,
            padding=25_000,
            plan="writer:slow@1+1000000",
        ),
    )
}


@dataclass(frozen=True)
class Outcome:
    """What came of a start."""

    status: int
    calls: list[Call]
    """What was done to it, and with ``trace`` each call."""


class Trial:
    """Starts of one output, one after another, and what they leave.

    :param folder: an empty directory, in memory as a rule, since a sync costs nothing there.
    """

    def __init__(self, folder: Path, variant: Variant, starter: Starter) -> None:
        self._variant = variant
        self._starter = starter
        (folder / "output").mkdir()
        self._files = Files(folder / "output")
        self._logs = folder
        self._shim = Shim(folder, [self._files.folder, self._files.spool])
        self._runs: list[Started] = []
        self._history = History()
        self._feeds: list[SmallFeed] = []
        self._done: list[list[Call]] = []  # to each start

    def run(self, plans: Sequence[str]) -> list[Outcome]:
        """Make a start for each of the plans, and one without; then look at what is left.

        :raises Fault: it is not what it should be.
        """
        outcomes = []
        try:
            with self._feeding():
                for plan in plans:
                    outcomes.append(self._start(plan))
                self._start("", is_last=True)
                self._wait_for_end_of_all()
            Remains(self._files, self._feeds, self._history).check()
        except Fault as fault:
            raise Fault(f"{fault}\n{self._story()}") from None
        finally:
            self._kill_all()
        return outcomes

    def trace(self) -> list[Call]:
        """All calls of a run to which nothing is done, and nothing was done before.

        :raises Fault: as of :meth:`run`.
        """
        try:
            with self._feeding():
                outcome = self._start("", is_last=True, trace=True)
            Remains(self._files, self._feeds, self._history).check()
        finally:
            self._kill_all()
        return outcome.calls

    @contextlib.contextmanager
    def _feeding(self) -> Iterator[None]:
        variant = self._variant
        hooks = {} if variant.rotated is None else {variant.rotated: self._rotate}
        with contextlib.ExitStack() as stack:
            for index in range(variant.feeds):
                feed = SmallFeed(
                    f"feed{index}",
                    padding=variant.padding,
                    rejects=variant.rejects,
                    hooks=hooks if index == 0 else {},
                )
                self._feeds.append(stack.enter_context(feed))
            yield

    def _rotate(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.out.rename(self._files.moved)

    # A start

    def _start(self, plan: str, *, is_last: bool = False, trace: bool = False) -> Outcome:
        for feed in self._feeds:
            feed.allow(self._variant.messages)
        whole = ",".join(filter(None, (plan, self._variant.plan)))
        stderr = self._stderr(len(self._runs) + 1)
        run = self._starter.start(self._shim, self._arguments(), whole, stderr, trace=trace)
        self._runs.append(run)
        try:
            status = self._watch(run, plan, is_last=is_last)
        finally:
            calls = [call for call in self._shim.log() if trace or call.action not in ("-", "slow")]
            self._done.append([] if trace else calls)
        self._history.note(calls)
        self._check_end(status, stderr, is_last)
        return Outcome(status, calls)

    def _watch(self, run: Started, plan: str, *, is_last: bool) -> int:
        """See that it does what it shall, have it end, and wait for that; its status."""
        # As long as more and more fails, a run need do no more than say so, and end when asked to.
        is_tested = is_last or _disturbs_once(plan)
        status = self._wait_until_read(run, is_patient=is_tested)
        if status is None and is_tested and not is_last:
            status = self._wait_until_written(run)
        if status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(run.pid, signal.SIGTERM)
            status = run.wait(LIMIT)
        if status is None:
            raise Fault(f"it did not end within {LIMIT:.0f} s")
        return status

    def _arguments(self) -> list[str]:
        urls = [text for feed in self._feeds for text in ("--url", feed.url)]
        quick = ("--reconnect-initial", "10ms", "--reconnect-max", "50ms")
        small = ("--batch-size", str(BATCH_SIZE), "--flush-interval", f"{1000 * FLUSH_INTERVAL}ms")
        log = ("--log-format", "json", "--log-level", "debug")
        return [
            *urls,
            "--out",
            str(self._files.out),
            *quick,
            *small,
            *log,
            *self._variant.arguments,
        ]

    def _wait_until_read(self, run: Started, *, is_patient: bool) -> int | None:
        """Wait until the feeds are read; the run's status where it ends before that.

        :param is_patient: whether it must come to that; otherwise it is not waited for so long.
        :raises Fault: it does not come to that, and the run does not end either.
        """
        deadline = time.monotonic() + (LIMIT if is_patient else SHORT_LIMIT)
        while not all(feed.is_drained.is_set() for feed in self._feeds):
            status = run.wait(0.01)
            if status is not None:
                return status
            if time.monotonic() > deadline:
                if not is_patient:
                    return None
                raise Fault(f"the feed was not read for {LIMIT:.0f} s, and the run goes on")
        return None

    def _wait_until_written(self, run: Started) -> int | None:
        """Wait until all that was read is written; as :meth:`_wait_until_read`.

        Not where a receiver has died, since nobody knows yet what of it there is.

        :raises Fault: it does not come to that, and the run does not end either.
        """
        deadline = time.monotonic() + LIMIT
        while (written := self._files.messages) < (read := self._read_messages()):
            status = run.wait(0.01)
            if status is not None:
                return status
            self._history.note(self._shim.log())
            if self._history.receiver_died:
                return None
            if time.monotonic() > deadline:
                raise Fault(f"of {read} messages read, {written} were written in {LIMIT:.0f} s")
        return None

    def _read_messages(self) -> int:
        """How many messages clients have said that they had read."""
        return sum(feed.connections[-1].read for feed in self._feeds)

    def _stderr(self, number: int) -> Path:
        """What the start of this number, from 1, has said."""
        return self._logs / f"stderr.{number}"

    def _check_end(self, status: int, stderr: Path, is_last: bool) -> None:
        if is_last and status != 0:
            raise Fault(f"the start without a fault ended with {status}")
        if status not in (0, 1, 2, 3, -signal.SIGKILL):
            raise Fault(f"it ended with {status}")
        if b"Traceback" in stderr.read_bytes():
            raise Fault("it ended with a traceback")

    def _wait_for_end_of_all(self) -> None:
        deadline = time.monotonic() + 5
        while left := [run.pid for run in self._runs if _is_there(run.pid)]:
            if time.monotonic() > deadline:
                raise Fault(f"there are processes left of {left}")
            time.sleep(0.01)

    def _kill_all(self) -> None:
        for run in self._runs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait(LIMIT)
        shutil.rmtree(self._files.spool, ignore_errors=True)

    def _story(self) -> str:
        """What was done, and what the runs have said."""
        lines = []
        for number in range(1, len(self._runs) + 1):
            lines.append(f"  start {number}")
            lines += [f"    {call}" for calls in self._done[number - 1 : number] for call in calls]
            with contextlib.suppress(OSError):
                said = self._stderr(number).read_text(errors="replace").splitlines()
                lines += [f"    {line}" for line in said[-12:]]
        return "\n".join(lines)


def _disturbs_once(plan: str) -> bool:
    return bool(plan) and "," not in plan and "+" not in plan


def _is_there(group: int) -> bool:
    """Whether there is a process of the group that is no zombie."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, found, *_ = path.read_text().rpartition(")")[2].split()
            if int(found) == group and state != "Z":
                return True
    return False
