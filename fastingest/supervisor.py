"""The supervisor: starts the processes, starts them again, and says how the run ended.

Theory of operation. The supervisor waits, in one place, for whatever comes first: a message from a
child, the end of a child, a signal, the next second. This is how a run ends as it should:

1. The receiver is told to stop, or it has received ``max_rows``, or the feed refused it. It hands
   on all it received, waits until the writer has acknowledged it, and ends.
2. The writer is told that there will be no other receiver. It writes what is left, and ends.

A receiver or a writer that ends otherwise has died, and another one takes its place. The two know
nothing of it but that they get another pipe:

- A new receiver begins a new stream; the writer first writes what the one before has left in the
  spool. What the dead one had received and not put there yet is lost, and counted.
- A new writer finds in the journal where the dead one was; the receiver sends what follows.

Who dies :data:`MOST_DEATHS` times within a minute is not started again. Then, or when the run shall
end and the writer cannot write, the receiver *saves*: what is not written goes to the disk for the
next run of the same output, and the run fails.

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
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fastingest.account import Account
from fastingest.child import send_pipe
from fastingest.children import Child, spawn
from fastingest.counters import Slot
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
from fastingest.options import Options, format_duration
from fastingest.schema import TRADES
from fastingest.signals import SIGNALS, signals_to_socket
from fastingest.summary import Rates, Summary
from fastingest.writer.csv_file import OutputLock, check_output

__all__ = ["ingest"]

MOST_DEATHS = 10
"""Deaths of one process within a minute that are one too many."""

FAILING_LIMIT = 3.0
"""Seconds that a run which shall end waits for a writer that cannot write."""

STALLED_LIMIT = 60.0
"""Seconds that it waits for one that neither writes nor says why."""

SAVE_LIMIT = 25.0
"""Seconds that a receiver gets to save what is not written."""

_DEMO, _RECEIVER, _WRITER = "demo exchange", "receiver", "writer"
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
    check_output(options.out, TRADES.header)
    lock = OutputLock(options.out)
    try:
        return _Supervisor(options, lock).run(on_tick, tick)
    finally:
        lock.release()


class _Supervisor:
    def __init__(self, options: Options, lock: OutputLock) -> None:
        self._options = options
        self._lock = lock
        self._context = multiprocessing.get_context("spawn")
        self._account = Account(options)
        self._counters = self._account.counters
        self._rates = Rates()
        self._children: dict[str, Child] = {}
        self._deaths: dict[str, deque[float]] = {}
        self._failures: list[FastingestError] = []
        self._stopping = False
        self._interrupts = 0
        self._ready = False  # whether a writer has had the file open
        self._complete = False  # whether the writer has written all there was
        self._failing: tuple[Path, str] | None = None  # where and why the writer cannot write
        self._giving_up = False
        self._kill_at = float("inf")
        self._progress = (0, 0)  # what is accounted for, and the file's size
        self._progress_at = 0.0  # since when
        self._started = time.monotonic()
        self._end_at = float("inf")

    def run(self, on_tick: Callable[[Summary], None] | None, tick: float) -> Summary:
        """Start, watch, and clean up."""
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
            self._account.balance(self._complete)
            error = self._error()
            self._close_account(error, ended)
        summary = self._summary()
        if error is not None:
            error.summary = summary
            raise error
        return summary

    def _summary(self) -> Summary:
        return Summary.take(
            self._options.url,
            self._options.out,
            time.monotonic() - self._started,
            self._rates,
            self._counters,
        )

    # Starting

    def _start(self) -> bool:
        """Start all processes; whether that was possible."""
        self._url = self._options.url
        try:
            if urlsplit(self._url).scheme == "demo":
                self._url = self._start_demo(self._url)
            self._start_writer()
            self._start_receiver(None)
            self._connect()
        except FastingestError as error:
            self._fail(error)
        except OSError as error:
            self._fail(_not_started(error))
        return not self._failures

    def _start_demo(self, url: str) -> str:
        from fastingest import demo

        try:
            settings = demo.parse(url)
        except ValueError as error:
            raise OptionError("url", str(error)) from None
        child = self._spawn(_DEMO, demo.main, settings)
        if not child.control.poll(30):
            raise RunFailed("the demo exchange did not start within 30 seconds")
        try:
            return f"ws://127.0.0.1:{child.control.recv()}/"
        except EOFError:
            child.process.join()
            raise ProcessDied(child.name, child.process.exitcode) from None

    def _start_writer(self) -> None:
        from fastingest.writer import process as writer

        self._spawn(
            _WRITER,
            writer.main,
            self._options,
            self._account.run,
            with_pipes=True,
            places=self._account.places,
            counters=self._counters,
            lock=self._lock,
        )

    def _start_receiver(self, gap: tuple[int, str] | None) -> None:
        """Start one, with a stream of its own."""
        from fastingest.receiver import process as receiver

        with contextlib.suppress(OSError):  # who has removed it may have had a reason
            self._account.places.make()
        self._stream = self._account.new_stream()
        # What was received before it: the writer accounts for that before it takes anything else.
        gone = self._counters[Slot.DROPPED] + self._counters[Slot.UNREADABLE]
        self._before = self._counters[Slot.RECEIVED], gone
        self._spawn(
            _RECEIVER,
            receiver.main,
            self._options,
            self._url,
            self._stream,
            gap,
            with_pipes=True,
            places=self._account.places,
            counters=self._counters,
            lock=self._lock,
        )

    def _spawn(self, name: str, target: Callable[..., None], *args: Any, **kwargs: Any) -> Child:
        child = spawn(self._context, name, target, *args, **kwargs)
        self._children[name] = child
        _report("debug", "started", {"process": name, "pid": child.process.pid})
        return child

    def _connect(self) -> None:
        """Lay a pipe from the receiver to the writer."""
        writer, receiver = self._children[_WRITER], self._children[_RECEIVER]
        to_writer, from_receiver = self._context.Pipe()
        # An end that is still open here would hide that the child that has it is gone.
        send_pipe(writer.pipes, from_receiver, self._stream, *self._before)
        send_pipe(receiver.pipes, to_writer)

    # Watching

    def _watch(
        self, signals: socket.socket, on_tick: Callable[[Summary], None] | None, tick: float
    ) -> None:
        now = sampled = time.monotonic()
        next_tick = now + tick
        while self._children.keys() - {_DEMO}:
            until = min(sampled + 1.0, self._kill_at, self._end_at)
            if on_tick:
                until = min(until, next_tick)
            self._wait(signals, max(0.0, until - time.monotonic()))
            now = time.monotonic()
            if now >= self._end_at:
                self._end_at = float("inf")
                self._stop("duration reached")
            if now >= sampled + 1.0:
                self._rates.sample(self._counters[Slot.WRITTEN], now - sampled)
                sampled = now
                self._look_after_writer(now)
            if on_tick and now >= next_tick:
                next_tick = now + tick
                on_tick(self._summary())
            if now >= self._kill_at:
                self._kill_at = float("inf")
                for child in self._children.values():
                    child.process.kill()
        # A shorter rest than half a second would not make a second's rate.
        if not self._rates.last or now - sampled >= 0.5:
            self._rates.sample(self._counters[Slot.WRITTEN], time.monotonic() - sampled)

    def _wait(self, signals: socket.socket, timeout: float) -> None:
        """Wait for the first thing that happens, and deal with all that has."""
        children = tuple(self._children.values())
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
                    self._account.events.gap(facts["start_ns"], facts["length"], facts["reason"])
                _report(level, event, facts)
            case "ready", []:  # the writer has the file open, so what arrives has a place to go
                if not self._ready:
                    self._ready = True
                    self._started = time.monotonic()
                    self._end_at = self._started + (self._options.duration or float("inf"))
                self._tell(_RECEIVER, b"stop" if self._stopping else b"go")
            case "failing", [path, problem]:
                self._failing = Path(path), problem
            case "works again", []:
                self._failing = None
            case "finished", []:
                self._stopping = True
            case "full", []:
                self._fail(OutboxFull())
            case "refused", [url, problem]:
                self._fail(FeedRefused(url, problem))
            case "output refused", [path, problem] if not self._ready:
                self._fail(OutputRefused(Path(path), problem))
            case "output refused" | "write failed", [path, problem]:
                self._fail(WriteFailed(Path(path), problem))

    def _fail(self, error: FastingestError) -> None:
        self._stopping = True
        self._failures.append(error)

    def _tell(self, name: str, command: bytes) -> None:
        if name in self._children:
            self._children[name].tell(command)

    # Stopping

    def _stop(self, reason: str) -> None:
        if not self._stopping:
            self._stopping = True
            _report("info", "stopping", {"reason": reason})
            self._tell(_RECEIVER, b"stop")

    def _signalled(self, number: int) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            self._failures.insert(0, Aborted())
            self._giving_up = True
            self._kill_at = 0.0
        else:
            self._stop(signal.Signals(number).name)

    def _look_after_writer(self, now: float) -> None:
        """Do not wait for ever for a writer that cannot write, when the run shall end."""
        ledger = self._counters.ledger
        progress = ledger.received - ledger.in_flight, _size(self._options.out)
        if progress != self._progress or not self._stopping:
            self._progress, self._progress_at = progress, now
        if not self._stopping or self._giving_up:
            return
        since = now - self._progress_at
        if self._failing is not None and since >= FAILING_LIMIT:
            self._fail(WriteFailed(*self._failing))
            self._give_up()
        elif since >= STALLED_LIMIT:
            problem = f"there was no progress for {format_duration(STALLED_LIMIT)}"
            self._fail(WriteFailed(self._options.out, problem))
            self._give_up()

    def _give_up(self) -> None:
        """End without the writer: what is not written is kept for the next run."""
        self._giving_up = self._stopping = True
        self._kill_at = time.monotonic() + SAVE_LIMIT
        self._tell(_RECEIVER, b"save")
        self._tell(_WRITER, b"give up")
        if _RECEIVER not in self._children:
            self._kill_at = time.monotonic() + FAILING_LIMIT

    # Ends

    def _child_ended(self, child: Child) -> None:
        if child.name == _DEMO:
            if not self._stopping:
                self._fail(ProcessDied(child.name, child.exit_code))
                self._tell(_RECEIVER, b"stop")
        elif child.name == _RECEIVER:
            self._receiver_ended(child)
        else:
            self._writer_ended(child)

    def _receiver_ended(self, child: Child) -> None:
        if child.exit_code != 0:
            self._counters.bury_receiver()
        if not (child.exit_code == 0 or self._giving_up) and self._may_restart(child):
            self._counters.add(Slot.RECEIVER_RESTARTS)
            how = f"the receiver process {how_ended(child.exit_code)}"
            since = self._counters[Slot.GAP_SINCE] or time.time_ns()
            gap = (since, how) if self._counters[Slot.CONNECTIONS] else None
            if self._replace(lambda: self._start_receiver(gap)):
                if self._ready:
                    self._tell(_RECEIVER, b"go")
                return
        self._stopping = True
        self._tell(_WRITER, b"end")
        if self._giving_up:
            self._kill_at = min(self._kill_at, time.monotonic() + FAILING_LIMIT)

    def _writer_ended(self, child: Child) -> None:
        if child.exit_code == 0:
            self._complete = not self._giving_up and not self._failures_of_writer()
            if _RECEIVER in self._children:
                self._give_up()
        elif self._giving_up:
            pass
        elif self._may_restart(child, also_at_the_end=True):
            self._counters.add(Slot.WRITER_RESTARTS)
            self._failing = None
            if not self._replace(self._start_writer):
                self._give_up()
            elif _RECEIVER not in self._children:
                self._tell(_WRITER, b"end")
        else:
            self._give_up()

    def _replace(self, start: Callable[[], None]) -> bool:
        """Start another process, and connect it; whether that was possible."""
        try:
            start()
            if {_RECEIVER, _WRITER} <= self._children.keys():
                self._connect()
        except OSError as error:
            self._fail(_not_started(error))
            return False
        return True

    def _failures_of_writer(self) -> bool:
        return any(isinstance(error, (WriteFailed, OutputRefused)) for error in self._failures)

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
        return self._failures[0] if self._failures else self._account.problem()

    def _close_account(self, error: FastingestError | None, ended: int) -> None:
        captured = self._counters[Slot.RECEIVED] or not isinstance(error, UsageError)
        if self._ready and captured:
            try:
                self._account.close(ended)
            except OSError as problem:
                facts = {"problem": problem.strerror or str(problem)}
                _report("error", "the ledger cannot be written; the next start does it", facts)
                return
        self._account.clean_up(self._complete)


def _not_started(error: OSError) -> RunFailed:
    return RunFailed(f"a process could not be started: {error.strerror or error}")


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
