"""The supervisor: starts the processes, starts them again, and says how the run ended.

Theory of operation. The supervisor waits, in one place, for whatever comes first: a message from a
child, the end of a child, a signal, the next second. This is how a run ends as it should:

1. The receivers are told to stop, or one has received ``max_rows``, or a feed refused one. They
   hand on all they received, wait until the writer has acknowledged it, and end.
2. The writer is told that there will be no other receiver. It writes what is left, and ends.

A receiver or a writer that ends otherwise has died, and another one takes its place. The others
know nothing of it but that they get another pipe:

- A new receiver begins a new stream; the writer first writes what the one before has left in the
  spool. What the dead one had received and not put there yet is lost, and counted.
- A new writer finds in the journal where the dead one was; the receiver sends what follows.

Who dies :data:`MOST_DEATHS` times within a minute is not started again. Then the receivers *save*:
what is not written goes to the disk for the next run of the same output, and the run fails. So it
is with a single output, when the run shall end and that one cannot be written; the others are
completed meanwhile.

The supervisor's own death is noticed by the children, at their control connections: the receiver
stops, and no process of the run outlives it by two seconds. The next start takes up what they left.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fastingest.account import Account, problem_of
from fastingest.children import Child, spawn
from fastingest.counters import Slot
from fastingest.drought import watch
from fastingest.errors import (
    Aborted,
    FastingestError,
    FeedRefused,
    OptionError,
    OutboxFull,
    OutputRefused,
    ProcessDied,
    RunFailed,
    UsageError,
    WriteFailed,
    how_ended,
)
from fastingest.native import Native, find_native
from fastingest.options import Options, format_duration
from fastingest.plan import Share, Target, targets_of
from fastingest.progress import Progress, Standing
from fastingest.roster import Roster
from fastingest.signals import SIGNALS, signals_to_socket
from fastingest.summary import Rates, RunCounters, Summary
from fastingest.writer.csv_file import OutputLock, check_output

__all__ = ["ingest"]

MOST_DEATHS = 10
"""Deaths of one process within a minute that are one too many."""

FAILING_LIMIT = 3.0
"""Seconds that a run which shall end waits for an output that cannot be written."""

STALLED_LIMIT = 60.0
"""Seconds that it waits for one that is neither written nor said why."""

SAVE_LIMIT = 25.0
"""Seconds that a receiver gets to save what is not written."""

RETRY_PIPES = 0.02
"""Seconds until pipes are handed over again to a process that has not taken those before."""

_DEMO, _WRITER = "demo exchange", "writer"
_log = logging.getLogger("fastingest")


def _report(level: str, event: str, facts: dict[str, Any]) -> None:
    _log.log(logging.getLevelNamesMapping()[level.upper()], event, extra={"facts": facts})


def ingest(
    options: Options,
    *,
    on_tick: Callable[[Summary], None] | None = None,
    tick: float = 1.0,
) -> Summary:
    """Capture a feed into a file until the run ends; the library's way in.

    It ends by ``max_rows`` or ``duration``, by SIGINT, SIGTERM or SIGHUP (which are handled while
    it runs, if it is called in the main thread), or by an error. Log records go to the logger
    ``fastingest``; their ``facts`` attribute is a dict.

    :param options: what to capture, where to, and how.
    :param on_tick: called with the run's numbers every ``tick`` seconds.
    :returns: the run's numbers at its end.
    :raises UsageError: nothing was captured, for a reason that the caller can mend.
    :raises RunFailed: the run broke, or rows were lost; the error's ``summary`` says what is in the
        file.
    """
    native = find_native()
    with contextlib.ExitStack() as locks:
        locked = []
        targets = targets_of(options.feeds)
        for target in targets:
            check_output(target.path, target.header)
        for target in targets:
            lock = OutputLock(target.path)
            locks.callback(lock.release)
            locked.append((target, lock))
        return _Supervisor(options, locked, native).run(on_tick, tick)


class _Supervisor:
    def __init__(
        self, options: Options, locked: Sequence[tuple[Target, OutputLock]], native: Native
    ) -> None:
        self._options = options
        self._native = native
        self._context = multiprocessing.get_context("spawn")
        self._feeds = list(options.feeds)
        self._accounts: list[Account] = []
        self._shares: list[Share] = []
        try:
            for target, lock in locked:
                account = Account(options, target, self._feeds)
                self._accounts.append(account)
                share = Share(target, account.run, account.places, account.counters, lock)
                self._shares.append(share)
        except FastingestError:
            for account in self._accounts:
                account.clean_up(complete=False)
            raise
        self._counters = RunCounters(self._feeds, self._shares)
        self._roster = Roster(
            self._feeds,
            self._shares,
            self._accounts,
            options.receivers,
            native=native.is_used,
        )
        self._receivers = self._roster.lanes.keys()
        self._rates = Rates()
        self._droughts = list(watch(self._feeds, self._shares))
        self._children: dict[str, Child] = {}
        self._deaths: dict[str, deque[float]] = {}
        self._failures: list[FastingestError] = []
        self._stopping = False
        self._interrupts = 0
        self._ready = False  # whether a writer has had the files open
        # Of the outputs, by their numbers:
        self._numbers = {str(share.target.path): n for n, share in enumerate(self._shares)}
        self._complete: set[int] = set()  # the writer has written all there was
        self._failing: dict[int, WriteFailed] = {}  # why it cannot write
        self._given_up: set[int] = set()  # what is not written is saved
        self._progress = [Progress() for _ in self._shares]
        self._stopping_since: float | None = None
        self._giving_up = False  # all of them
        self._kill_at = float("inf")
        self._started = time.monotonic()
        self._end_at = float("inf")

    def run(self, on_tick: Callable[[Summary], None] | None, tick: float) -> Summary:
        """Start, watch, and clean up."""
        if self._native.is_broken:
            _report("warning", "native listener not used", {"reason": self._native.reason})
        with signals_to_socket() as signals:
            try:
                if self._start():
                    self._watch(signals, on_tick, tick)
            finally:
                for child in self._children.values():
                    child.process.kill()
                for child in self._children.values():
                    child.close()
            ended = time.time_ns()
            for number, account in enumerate(self._accounts):
                account.balance(number in self._complete)
            error = self._error()
            self._close_accounts(error, ended)
        summary = self._summary()
        if error is not None:
            error.summary = summary
            raise error
        return summary

    def _summary(self) -> Summary:
        seconds = time.monotonic() - self._started
        return Summary.take(self._counters, seconds, self._rates, self._native.listener)

    # Starting

    def _start(self) -> bool:
        """Start all processes; whether that was possible."""
        try:
            for index, feed in enumerate(self._feeds):
                if urlsplit(feed.url).scheme == "demo":
                    url = self._start_demo(feed.url, len(self._children))
                    self._feeds[index] = replace(feed, url=url)
            self._start_writer()
            for name in self._receivers:
                self._start_receiver(name, {})
                self._connect(name)
        except FastingestError as error:
            self._fail(error)
        except OSError as error:
            self._fail(_not_started(error))
        return not self._failures

    def _start_demo(self, url: str, before: int) -> str:
        from fastingest import demo

        try:
            settings = demo.parse(url)
        except ValueError as error:
            raise OptionError("url", str(error)) from None
        name = f"{_DEMO} {before + 1}" if before else _DEMO
        child = self._spawn(name, demo.main, settings)
        if not child.control.poll(30):
            raise RunFailed("the demo exchange did not start within 30 seconds")
        try:
            return f"ws://127.0.0.1:{child.control.recv()}/"
        except EOFError:
            child.process.join()
            raise ProcessDied(child.name, child.process.exitcode) from None

    def _start_writer(self) -> None:
        from fastingest.writer import process as writer

        first = not self._ready
        shares = self._shares
        self._spawn(_WRITER, writer.main, self._options, shares, is_first=first, with_pipes=True)

    def _start_receiver(self, name: str, gaps: dict[int, tuple[int, str]]) -> None:
        """Start one, with a stream of its own."""
        from fastingest.receiver import process as receiver

        plan = self._roster.begin(name, gaps)
        self._spawn(name, receiver.main, self._options, plan, with_pipes=True)

    def _spawn(self, name: str, target: Callable[..., None], *args: Any, **kwargs: Any) -> Child:
        child = spawn(self._context, name, target, *args, **kwargs)
        self._children[name] = child
        _report("debug", "started", {"process": name, "pid": child.process.pid})
        return child

    def _connect(self, name: str) -> None:
        """Lay pipes from the receiver to the writer."""
        writer, receiver = self._children[_WRITER], self._children[name]
        for number, before in self._roster.before[name].items():
            to_writer, from_receiver = self._context.Pipe()
            # An end that is still open here would hide that the child that has it is gone.
            writer.hand_over(from_receiver, number, self._roster.streams[name], before)
            receiver.hand_over(to_writer, number)

    # Watching

    def _watch(
        self, signals: socket.socket, on_tick: Callable[[Summary], None] | None, tick: float
    ) -> None:
        now = sampled = time.monotonic()
        next_tick = now + tick
        while self._children.keys() & {_WRITER, *self._receivers}:
            until = min(sampled + 1.0, self._kill_at, self._end_at)
            if on_tick:
                until = min(until, next_tick)
            self._wait(signals, max(0.0, until - time.monotonic()))
            now = time.monotonic()
            if now >= self._end_at:
                self._end_at = float("inf")
                self._stop("duration reached")
            if now >= sampled + 1.0:
                self._rates.sample(self._counters.total(Slot.WRITTEN), now - sampled)
                sampled = now
                self._look_after_outputs(now)
                self._look_for_droughts(now)
            if on_tick and now >= next_tick:
                next_tick = now + tick
                on_tick(self._summary())
            if now >= self._kill_at:
                self._kill_at = float("inf")
                for child in self._children.values():
                    child.process.kill()
        # A shorter rest than half a second would not make a second's rate.
        if not self._rates.last or now - sampled >= 0.5:
            self._rates.sample(self._counters.total(Slot.WRITTEN), time.monotonic() - sampled)
        if not self._failures:
            self._look_for_droughts(None)

    def _look_for_droughts(self, now: float | None) -> None:
        """Say of which feeds messages come, and no rows; None: the run is over."""
        for feed, drought in self._droughts:
            facts = drought.end() if now is None else drought.look(now)
            if facts:
                name = {"feed": feed.name} if len(self._feeds) > 1 else {}
                _report("warning", "no rows", name | facts)

    def _wait(self, signals: socket.socket, timeout: float) -> None:
        """Wait for the first thing that happens, and deal with all that has."""
        children = tuple(self._children.values())
        if [child for child in children if not child.hand_over_more()]:
            timeout = min(timeout, RETRY_PIPES)
        sources: list[Any] = [signals, *(child.process.sentinel for child in children)]
        sources += [child.control for child in children if child.watched]
        ready = wait(sources, timeout)
        if signals in ready:
            for number in signals.recv(64):
                if number in SIGNALS:
                    self._signalled(number)
        for child in children:
            ended = child.process.sentinel in ready
            if child.control in ready or ended:
                self._listen(child)
            if ended:
                child.process.join()
                child.exit_code = child.process.exitcode
                del self._children[child.name]
                self._child_ended(child)
                child.close()

    def _listen(self, child: Child) -> None:
        """Take all messages that the child has sent so far."""
        try:
            while child.watched and child.control.poll():
                kind, *values = msgspec.msgpack.decode(child.control.recv_bytes())
                self._told(kind, values)
        except (EOFError, OSError):
            child.watched = False

    def _told(self, kind: str, values: list[Any]) -> None:
        match kind, values:
            case "log", [level, event, facts]:
                if event == "gap":
                    self._note_gap(facts)
                _report(level, event, facts)
            case "ready", []:  # the writer has the file open, so what arrives has a place to go
                if not self._ready:
                    self._ready = True
                    self._started = time.monotonic()
                    self._end_at = self._started + (self._options.duration or float("inf"))
                self._tell_receivers(b"stop" if self._stopping else b"go")
            case "failing", [out, path, problem]:
                self._failing[self._numbers[out]] = WriteFailed(Path(path), problem)
            case "works again", [out]:
                self._failing.pop(self._numbers[out], None)
            case "complete", [out]:
                self._complete.add(self._numbers[out])
            case "finished", []:
                self._stopping = True
                self._tell_receivers(b"stop")
            case "full", []:
                self._fail(OutboxFull())
                self._tell_receivers(b"stop")
            case "refused", [url, problem]:
                self._fail(FeedRefused(url, problem))
                self._tell_receivers(b"stop")
            case "output refused", [path, problem] if not self._ready:
                self._fail(OutputRefused(Path(path), problem))
            case "output refused" | "write failed", [path, problem]:
                self._fail(WriteFailed(Path(path), problem))

    def _note_gap(self, facts: dict[str, Any]) -> None:
        name = facts.get("feed", self._feeds[0].name)
        index = next(index for index, feed in enumerate(self._feeds) if feed.name == name)
        for share, account in zip(self._shares, self._accounts, strict=True):
            if index in share.target.tables:
                events = account.events
                events.gap(name, facts["start_ns"], facts["length"], facts["reason"])

    def _fail(self, error: FastingestError) -> None:
        self._stopping = True
        self._failures.append(error)

    def _tell(self, name: str, command: bytes) -> None:
        if name in self._children:
            self._children[name].tell(command)

    def _tell_receivers(self, command: bytes) -> None:
        for name in self._receivers:
            self._tell(name, command)

    @property
    def _is_receiving(self) -> bool:
        """Whether there is a receiver left."""
        return bool(self._children.keys() & self._receivers)

    # Stopping

    def _stop(self, reason: str) -> None:
        if not self._stopping:
            self._stopping = True
            _report("info", "stopping", {"reason": reason})
            self._tell_receivers(b"stop")

    def _signalled(self, number: int) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            self._failures.insert(0, Aborted())
            self._giving_up = True
            self._kill_at = 0.0
        else:
            self._stop(signal.Signals(number).name)

    def _look_after_outputs(self, now: float) -> None:
        """Do not wait for ever for an output that cannot be written, when the run shall end."""
        for share, progress in zip(self._shares, self._progress, strict=True):
            ledger = share.counters.whole_ledger
            accounted, size = ledger.received - ledger.in_flight, _size(share.target.path)
            progress.look(now, Standing(accounted, size, waiting=ledger.in_flight))
        if not self._stopping or self._giving_up:
            return
        if self._stopping_since is None:
            self._stopping_since = now
        idle = [progress.idle(now, self._stopping_since) for progress in self._progress]
        for number, seconds in enumerate(idle):
            if number in self._given_up:
                continue
            if number in self._failing and seconds >= FAILING_LIMIT:
                self._give_up_output(number, self._failing[number])
            elif seconds >= STALLED_LIMIT and self._progress[number].waiting:
                self._give_up_output(number, self._stalled(number))
        if len(self._given_up) == len(self._shares):
            self._give_up()
        elif min(idle) >= STALLED_LIMIT:  # whatever it is that does not end
            self._fail(self._stalled(0))
            self._give_up()

    def _stalled(self, number: int) -> WriteFailed:
        problem = f"there was no progress for {format_duration(STALLED_LIMIT)}"
        return WriteFailed(self._shares[number].target.path, problem)

    def _give_up_output(self, number: int, why: WriteFailed) -> None:
        """End without this output: what is not written is kept for the next run."""
        self._given_up.add(number)
        self._fail(why)
        self._tell_receivers(b"save %d" % number)
        self._tell(_WRITER, b"give up %d" % number)

    def _give_up(self) -> None:
        """End without the writer: what is not written is kept for the next run."""
        self._giving_up = self._stopping = True
        self._kill_at = time.monotonic() + SAVE_LIMIT
        self._tell_receivers(b"save")
        self._tell(_WRITER, b"give up")
        if not self._is_receiving:
            self._kill_at = time.monotonic() + FAILING_LIMIT

    # Ends

    def _child_ended(self, child: Child) -> None:
        if child.name in self._receivers:
            self._receiver_ended(child)
        elif child.name == _WRITER:
            self._writer_ended(child)
        elif not self._stopping:  # a demo exchange
            self._fail(ProcessDied(child.name, child.exit_code))
            self._tell_receivers(b"stop")

    def _receiver_ended(self, child: Child) -> None:
        if child.exit_code != 0:
            how = f"the {child.name} process {how_ended(child.exit_code)}"
            gaps = self._roster.bury(child.name, how)
        if not (child.exit_code == 0 or self._giving_up) and self._may_restart(child):
            self._counters.restarts += 1
            self._roster.count_restart(child.name)
            if self._replace(lambda: self._start_receiver(child.name, gaps), [child.name]):
                if self._ready:
                    self._tell(child.name, b"go")
                return
        if not self._is_receiving:
            self._stopping = True
            self._tell(_WRITER, b"end")
        elif child.exit_code != 0:
            self._tell_receivers(b"stop")
        if self._giving_up and not self._is_receiving:
            self._kill_at = min(self._kill_at, time.monotonic() + FAILING_LIMIT)

    def _writer_ended(self, child: Child) -> None:
        if child.exit_code == 0:
            if self._is_receiving:
                self._give_up()
        elif self._giving_up:
            pass
        elif self._may_restart(child, also_at_the_end=True):
            self._counters.restarts += 1
            for share in self._shares:
                share.counters.add(Slot.WRITER_RESTARTS)
            self._failing.clear()
            if not self._replace(self._start_writer, self._receivers):
                self._give_up()
            else:
                for number in self._given_up:
                    self._tell(_WRITER, b"give up %d" % number)
                if not self._is_receiving:
                    self._tell(_WRITER, b"end")
        else:
            self._give_up()

    def _replace(self, start: Callable[[], None], receivers: Iterable[str]) -> bool:
        """Start another process, and connect the receivers to it; whether that was possible."""
        try:
            start()
            for name in receivers:
                if {name, _WRITER} <= self._children.keys():
                    self._connect(name)
        except OSError as error:
            self._fail(_not_started(error))
            return False
        return True

    def _may_restart(self, child: Child, *, also_at_the_end: bool = False) -> bool:
        """Whether another one shall take the place of a child that has died."""
        now = time.monotonic()
        deaths = self._deaths.setdefault(child.name, deque())
        deaths.append(now)
        while deaths[0] < now - 60:
            deaths.popleft()
        often = len(deaths) >= MOST_DEATHS
        may = not often and (not self._stopping or also_at_the_end)
        may = may and self._options.journal == "on"  # without, nobody knows where to go on
        next_step = "another one takes its place" if may else "it is not started again"
        facts = {"process": child.name, "pid": child.process.pid, "next": next_step}
        _report("error", f"a process {how_ended(child.exit_code)}", facts)
        if (not may and not self._stopping) or often:
            self._fail(ProcessDied(child.name, child.exit_code, len(deaths)))
        return may

    # The end

    def _error(self) -> FastingestError | None:
        """Why the run failed, if it did. What came first was the reason for the others."""
        return self._failures[0] if self._failures else problem_of(self._accounts)

    def _close_accounts(self, error: FastingestError | None, ended: int) -> None:
        captured = self._counters.ledger.received or not isinstance(error, UsageError)
        for number, account in enumerate(self._accounts):
            if self._ready and captured:
                try:
                    account.close(ended)
                except OSError as problem:
                    facts = {"problem": problem.strerror or str(problem)}
                    _report("error", "the ledger cannot be written; the next start does it", facts)
                    continue
            account.clean_up(number in self._complete)


def _not_started(error: OSError) -> RunFailed:
    return RunFailed(f"a process could not be started: {error.strerror or error}")


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
