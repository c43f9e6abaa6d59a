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

When that is, and when no more, says :mod:`fastingest.supervisor.restart_policy`. Until then it is
*due*, and counts like one that is there: there is a receiver as long as one is due. One that cannot
be started, for lack of memory or of processes, has died as well. A run that is to end starts no
receiver any more, since the writer has all that a dead one has left; but it needs a writer, and has
one at once.

Where one is not started again the receivers *save*: what is not written goes to the disk for the
next run of the same output, and the run fails. So it is with a single output, when the run shall
end and that one cannot be written; the others are completed meanwhile.

So whatever dies, and whenever, somebody is told to end, and can:

- *Before the writer is ready* nothing is received. Receivers wait for ``go``; who is started
  meanwhile gets it with the others, from whichever writer is ready first. To be stopped then is
  enough: ``stop`` is a ``go`` as well.
- *A receiver that is started later* gets ``go`` at once, and its commands wait in its connection
  until it reads them, in order. A ``stop`` reaches all that there are; after it none is started.
- *A receiver that dies when the run is to end* is not needed: when it was the last one, the writer
  is told to end, and finds its batches in the spool. The end of its pipe is seen since nobody else
  has it open: the supervisor's copy is closed when it is handed over, or when the process is gone.
- *A writer that dies when the run is to end* is followed by another, who is told at once what was
  told before: that there is no receiver, or that an output is given up. Receivers get a pipe to it,
  and send what it has not got.
- *If both die at the same moment*, it does not matter whose end is seen first. Where it is the
  receiver's, ``end`` goes to a writer that is dead, and again to the one that follows. Where it is
  the writer's, the next one gets a pipe that has ended, and ``end`` when the other is seen.
- *Who dies before it has its pipe* is seen by its end like any other; a pipe that waits for it here
  is closed then, which its other end sees.

What is left are processes that neither end nor die. A run that shall end gives each output
:data:`FAILING_LIMIT` or :data:`STALLED_LIMIT` without progress, then all have :data:`SAVE_LIMIT` to
save what they hold; who is left is killed, and left behind where the system does not let it die
(:data:`~fastingest.supervisor.children.KILL_LIMIT`). Nothing else here waits for a process:
messages are taken as they come, and what a process is to do lies in a file.

The supervisor's own death is noticed by the children, at their control connections: the receiver
stops, and no process of the run outlives it by two seconds. The next start takes up what they left.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec

from fastingest.config.options import Options
from fastingest.demo.settings import parse
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
from fastingest.metrics.counters import Slot
from fastingest.native.availability import Native, find_native
from fastingest.report.no_data import watch
from fastingest.report.summary import Rates, RunCounters, Summary
from fastingest.runtime.assignment import Share, Target, targets_of
from fastingest.storage.csv_file import check_output
from fastingest.storage.ledger import ledger_path
from fastingest.storage.lock import OutputLock
from fastingest.supervisor.account import Account, problem_of, report_fallbacks
from fastingest.supervisor.children import KILL_LIMIT, Child, spawn
from fastingest.supervisor.oom import OomWatch
from fastingest.supervisor.progress import Progress, Standing
from fastingest.supervisor.receivers import Roster
from fastingest.supervisor.restart_policy import RestartPolicy
from fastingest.supervisor.signals import SIGNALS, signals_to_socket
from fastingest.transport.pipe.wiring import wait
from fastingest.units import format_duration

__all__ = ["ingest"]

FAILING_LIMIT = 3.0
"""Seconds that a run which shall end waits for an output that cannot be written."""

STALLED_LIMIT = 60.0
"""Seconds that it waits for one that is neither written nor said why."""

SAVE_LIMIT = 25.0
"""Seconds that a receiver gets to save what is not written."""

DEMO_LIMIT = 30.0
"""Seconds that a demo exchange has to start."""

RELAY_PIPES = 0.5
"""Seconds until pipes that broke are laid anew, where that is not since one of their ends is gone:
by then this is known."""

RETRY_PIPES = 0.02
"""Seconds until pipes are handed over again to a process that has not taken those before."""

_DEMO, _WRITER = "demo exchange", "writer"
_OnTick: TypeAlias = Callable[[Summary], None]

_log = logging.getLogger("fastingest")


def _report(level: str, event: str, facts: dict[str, Any]) -> None:
    _log.log(logging.getLevelNamesMapping()[level.upper()], event, extra={"facts": facts})


def ingest(
    options: Options,
    *,
    on_tick: _OnTick | None = None,
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
        file. Any error of the system is one of these, and so is a fault of fastingest itself, which
        is then its cause.
    """
    try:
        return _ingest(options, on_tick, tick)
    except _CallersError as error:
        raise error.error from None
    except OSError as error:  # before anything was captured
        raise RunFailed(f"the run could not begin: {_said(error)}") from error


def _ingest(options: Options, on_tick: _OnTick | None, tick: float) -> Summary:
    native = find_native()
    with contextlib.ExitStack() as locks:
        locked = []
        targets = targets_of(options.feeds)
        for target in targets:
            check_output(target.path, target.header)
        for target in targets:
            lock = OutputLock(target.path)
            locks.callback(_release, lock)
            locked.append((target, lock))
        supervisor = _Supervisor(options, locked, native)
        try:
            return supervisor.run(on_tick, tick)
        finally:
            if supervisor.has_left_behind:  # a process that holds the locks as well
                locks.pop_all()


def _release(lock: OutputLock) -> None:
    """Let go of the lock. That this fails must not hide how the run has ended."""
    try:
        lock.release()
    except OSError as error:
        facts = {"output": str(lock.path), "problem": _said(error)}
        _report("warning", "the lock file cannot be removed", facts)


class _CallersError(Exception):
    """What the program that has called raises in ``on_tick`` is its own: it gets it back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


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
        except (OSError, FastingestError):
            for account in self._accounts:
                self._clean_up(account, complete=False)
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
        self._policies = {name: RestartPolicy() for name in (_WRITER, *self._receivers)}
        self._due: dict[str, float] = {}  # who is to take another's place, and when
        self._gaps: dict[str, dict[int, tuple[int, str]]] = {}  # what a dead receiver has left
        self._oom = OomWatch()
        self._broken: dict[str, float] = {}  # whose pipes are to be laid anew, and when
        self._failures: list[FastingestError] = []
        self._stopping = False
        self._interrupts = 0
        self._ready = False  # whether a writer has had the files open
        # Of the outputs, by their numbers:
        self._numbers = {str(share.target.path): n for n, share in enumerate(self._shares)}
        self._complete: set[int] = set()  # the writer has written all there was
        self._failing: dict[int, WriteFailed] = {}  # why it cannot write
        self._given_up: set[int] = set()  # what is not written is saved
        self._progress = [Progress(options.flush_interval) for _ in self._shares]
        self._stopping_since: float | None = None
        self._giving_up = False  # all of them
        self._kill_at = float("inf")
        self._leave_at = float("inf")
        self.has_left_behind = False
        """Whether a process goes on, although it was killed."""
        self._started = time.monotonic()
        self._end_at = float("inf")

    def run(self, on_tick: _OnTick | None, tick: float) -> Summary:
        """Start, watch, and clean up.

        Whatever goes wrong, all processes are ended, the accounts are closed as far as that can be
        done, and the error has the summary.
        """
        if self._native.is_broken:
            _report("warning", "native listener not used", {"reason": self._native.reason})
        report_fallbacks(self._accounts, _report)
        unexpected: Exception | None = None
        with signals_to_socket() as signals:  # which must not end what comes after the watch
            try:
                if self._start():
                    self._watch(signals, on_tick, tick)
            except Exception as error:
                unexpected = error
                self._note(error)
            finally:
                self._end_processes()
            ended = time.time_ns()
            # Who is left behind may still write, and what keeps it there would keep us as well.
            if not self.has_left_behind:
                for number, account in enumerate(self._accounts):
                    self._balance(account, complete=number in self._complete)
                self._close_accounts(ended)
        summary = self._summary()
        if isinstance(unexpected, _CallersError):
            raise unexpected
        failure = self._error()
        if failure is not None:
            failure.summary = summary
            raise failure from unexpected
        return summary

    def _note(self, error: Exception) -> None:
        """Let an error that nobody expected at its place be the reason why the run fails."""
        if isinstance(error, FastingestError):
            self._failures.append(error)
        elif isinstance(error, OSError):
            self._failures.append(RunFailed(_said(error)))
        elif not isinstance(error, _CallersError):
            trace = "".join(traceback.format_exception(error))
            _report("error", "internal error", {"what": repr(error), "traceback": trace})
            self._failures.append(RunFailed(f"an error in fastingest itself: {error!r}"))

    def _end_processes(self) -> None:
        for child in self._children.values():
            child.process.kill()
        until = time.monotonic() + KILL_LIMIT
        for child in self._children.values():
            pid = child.process.pid
            if not child.close(max(0.0, until - time.monotonic())):
                self.has_left_behind = True
                facts = {"process": child.name, "pid": pid}
                _report("error", "a process does not end, although it was killed", facts)
                stuck = f"the {child.name} process ({pid}) does not end, although it was killed"
                self._failures.append(RunFailed(f"{stuck}: the system does not answer it"))

    def _summary(self) -> Summary:
        seconds = time.monotonic() - self._started
        return Summary.take(self._counters, seconds, self._rates, self._native.listener)

    # Starting

    def _start(self) -> bool:
        """Start all processes; whether that was possible."""
        self._oom.look(time.monotonic())
        try:
            for index, feed in enumerate(self._feeds):
                if urlsplit(feed.url).scheme == "demo":
                    url = self._start_demo(feed.url, len(self._children))
                    self._feeds[index] = replace(feed, url=url)
            self._start_writer()
            for name in self._receivers:
                self._start_receiver(name)
                self._connect(name)
        except FastingestError as error:
            self._fail(error)
        except OSError as error:
            self._fail(RunFailed(f"a process could not be started: {_said(error)}"))
        return not self._failures

    def _start_demo(self, url: str, before: int) -> str:
        try:
            settings = parse(url)
        except ValueError as error:
            raise OptionError("url", str(error)) from None
        name = f"{_DEMO} {before + 1}" if before else _DEMO
        child = self._spawn(name, "fastingest.demo.exchange:main", settings)
        if not child.control.poll(DEMO_LIMIT):
            limit = format_duration(DEMO_LIMIT)
            raise RunFailed(f"the demo exchange did not start within {limit}")
        try:
            return f"ws://127.0.0.1:{child.control.recv()}/"
        except EOFError:
            child.process.join(KILL_LIMIT)
            raise ProcessDied(child.name, child.process.exitcode) from None

    def _start_writer(self) -> None:
        main = "fastingest.writer.process:main"
        first = not self._ready
        self._spawn(_WRITER, main, self._options, self._shares, is_first=first, with_pipes=True)

    def _start_receiver(self, name: str) -> None:
        """Start one, with a stream of its own."""
        plan = self._roster.begin(name, self._gaps.get(name, {}))
        self._spawn(name, "fastingest.receiver.process:main", self._options, plan, with_pipes=True)

    def _spawn(self, name: str, target: str, *args: Any, **kwargs: Any) -> Child:
        if name in self._policies:
            self._policies[name].started(time.monotonic())
        child = spawn(self._context, name, target, *args, **kwargs)
        self._children[name] = child
        _report("debug", "started", {"process": name, "pid": child.process.pid})
        return child

    def _connect(self, name: str) -> None:
        """Lay pipes from the receiver to the writer."""
        writer, receiver = self._children[_WRITER], self._children[name]
        self._broken.pop(name, None)
        for number, before in self._roster.before[name].items():
            to_writer, from_receiver = self._context.Pipe()
            # An end that is still open here would hide that the child that has it is gone.
            writer.hand_over(from_receiver, number, self._roster.streams[name], before)
            receiver.hand_over(to_writer, number)

    def _connect_again(self, name: str) -> None:
        """Lay pipes anew that have broken, though both of their ends are there."""
        del self._broken[name]
        if {name, _WRITER} <= self._children.keys() and not self._giving_up:
            _report("warning", "a pipe to the writer broke and is laid anew", {"process": name})
            try:
                self._connect(name)
            except OSError as error:  # of descriptors there may be none just now
                _report("warning", "no pipe can be laid", {"problem": _said(error)})
                self._broken[name] = time.monotonic() + RELAY_PIPES

    # Watching

    def _watch(
        self, signals: socket.socket, on_tick: Callable[[Summary], None] | None, tick: float
    ) -> None:
        now = sampled = time.monotonic()
        next_tick = now + tick
        while (self._children.keys() | self._due.keys()) & {_WRITER, *self._receivers}:
            until = min(sampled + 1.0, self._kill_at, self._leave_at, self._end_at)
            until = min(until, *self._due.values(), *self._broken.values(), float("inf"))
            if on_tick:
                until = min(until, next_tick)
            self._wait(signals, max(0.0, until - time.monotonic()))
            now = time.monotonic()
            if now >= self._end_at:
                self._end_at = float("inf")
                self._stop("duration reached")
            self._do_what_is_due(now)
            if now >= sampled + 1.0:
                self._rates.sample(self._counters.total(Slot.WRITTEN), now - sampled)
                sampled = now
                self._oom.look(now)
                self._look_after_outputs(now)
                self._look_for_droughts(now)
            if on_tick and now >= next_tick:
                next_tick = now + tick
                try:
                    on_tick(self._summary())
                except Exception as error:
                    raise _CallersError(error) from error
            if now >= self._kill_at:
                self._kill_at = float("inf")
                self._leave_at = now + KILL_LIMIT
                for child in self._children.values():
                    child.process.kill()
            if now >= self._leave_at:
                break
        # A shorter rest than half a second would not make a second's rate.
        if not self._rates.last or now - sampled >= 0.5:
            self._rates.sample(self._counters.total(Slot.WRITTEN), time.monotonic() - sampled)
        if not self._failures:
            self._look_for_droughts(None)

    def _do_what_is_due(self, now: float) -> None:
        for name in [name for name, at in self._due.items() if at <= now]:
            self._start_again(name)
        for name in [name for name, at in self._broken.items() if at <= now]:
            self._connect_again(name)

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
        for message in child.messages():
            kind, *values = msgspec.msgpack.decode(message)
            self._told(kind, values)

    def _told(self, kind: str, values: list[Any]) -> None:  # noqa: PLR0912 - one for each message
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
            case "pipe broke", [stream]:
                streams = self._roster.streams
                for name in [name for name, each in streams.items() if each == stream]:
                    self._broken.setdefault(name, time.monotonic() + RELAY_PIPES)
            case "failing", [out, path, problem]:
                self._failing[self._numbers[out]] = WriteFailed(Path(path), problem)
            case "works again", [out]:
                self._failing.pop(self._numbers[out], None)
            case "complete", [out]:
                self._complete.add(self._numbers[out])
            case "finished", []:
                self._begin_to_end()
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
        self._failures.append(error)
        self._begin_to_end()

    def _tell(self, name: str, command: bytes) -> None:
        if name in self._children:
            self._children[name].tell(command)

    def _tell_receivers(self, command: bytes) -> None:
        for name in self._receivers:
            self._tell(name, command)

    @property
    def _is_receiving(self) -> bool:
        """Whether there is a receiver left, or one to come."""
        return bool((self._children.keys() | self._due.keys()) & self._receivers)

    # Stopping

    def _begin_to_end(self) -> None:
        """Start no receiver any more; the writer is needed now."""
        if self._stopping:
            return
        self._stopping = True
        was_receiving = self._is_receiving
        for name in self._due.keys() & self._receivers:
            del self._due[name]
        if _WRITER in self._due:
            self._due[_WRITER] = time.monotonic()
        if was_receiving and not self._is_receiving:
            self._tell(_WRITER, b"end")

    def _stop(self, reason: str) -> None:
        if not self._stopping:
            _report("info", "stopping", {"reason": reason})
            self._begin_to_end()
            self._tell_receivers(b"stop")

    def _signalled(self, number: int) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            self._failures.insert(0, Aborted())
            self._giving_up = True
            self._due.clear()
            self._kill_at = 0.0
        else:
            self._stop(signal.Signals(number).name)

    def _look_after_outputs(self, now: float) -> None:
        """Do not wait for ever for an output that cannot be written, when the run shall end."""
        self._look_at_progress(now)
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

    def _look_at_progress(self, now: float) -> None:
        for number, (share, progress) in enumerate(zip(self._shares, self._progress, strict=True)):
            ledger, out = share.counters.whole_ledger, share.target.path
            standing = Standing(
                accounted=ledger.received - ledger.in_flight,
                size=_size(out),
                waiting=ledger.in_flight,
                queue=share.counters.total(Slot.OUTBOX_BYTES),
            )
            is_failing = number in self._failing or number in self._given_up
            said = progress.look(now, standing, is_failing=is_failing)
            if said is not None:
                level, event, facts = said
                since = time.time_ns() - round(facts["length"] * 1e9)
                _report(level, event, {"output": str(out), "since_ns": since, **facts})

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
        self._begin_to_end()
        self._giving_up = True
        self._due.clear()
        self._kill_at = min(self._kill_at, time.monotonic() + SAVE_LIMIT)
        self._tell_receivers(b"save")
        self._tell(_WRITER, b"give up")
        if not self._is_receiving:
            self._kill_at = min(self._kill_at, time.monotonic() + FAILING_LIMIT)

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
        name = child.name
        if child.exit_code != 0:
            how = self._how_ended(child)
            self._gaps[name] = self._roster.bury(name, f"the {name} process {how}")
            if not self._giving_up and self._may_restart(name, how, child):
                return
        self._receiver_gone(child.exit_code)

    def _receiver_gone(self, exit_code: int | None) -> None:
        """A receiver has ended, and no other one takes its place."""
        if not self._is_receiving:
            self._begin_to_end()
            self._tell(_WRITER, b"end")
        elif exit_code != 0:
            self._tell_receivers(b"stop")
        if self._giving_up and not self._is_receiving:
            self._kill_at = min(self._kill_at, time.monotonic() + FAILING_LIMIT)

    def _writer_ended(self, child: Child) -> None:
        if child.exit_code == 0:
            if self._is_receiving:
                self._give_up()
        elif not self._giving_up:
            self._failing.clear()
            if not self._may_restart(_WRITER, self._how_ended(child), child):
                self._give_up()

    def _how_ended(self, child: Child) -> str:
        was_killed = child.exit_code == -signal.SIGKILL
        return how_ended(child.exit_code, for_memory=was_killed and self._oom.has_killed())

    def _may_restart(self, name: str, how: str, child: Child | None) -> bool:
        """Whether another process is to take the place of one that has died.

        :param how: it has.
        :param child: None where it could not even be started.
        """
        policy, now = self._policies[name], time.monotonic()
        due = policy.died(now, patient=not self._stopping)
        may = due is not None and (not self._stopping or name == _WRITER)
        may = may and self._options.journal == "on"  # without, nobody knows where to go on
        facts: dict[str, Any] = {"process": name}
        if child is not None:
            facts["pid"] = child.process.pid
        facts["next"] = "another one takes its place" if may else "it is not started again"
        if may and due is not None:
            self._due[name] = due
            if due > now:
                facts["pause"] = format_duration(due - now)
        _report("error", f"a process {how}", facts)
        if due is None or not (may or self._stopping):
            exit_code = None if child is None else child.exit_code
            self._fail(ProcessDied(name, exit_code, policy.deaths, how))
        return may

    def _start_again(self, name: str) -> None:
        """Start another process where one has died, and connect it."""
        if self._due.pop(name, None) is None:  # meanwhile it is not wanted any more
            return
        try:
            if name == _WRITER:
                self._start_writer()
            else:
                self._start_receiver(name)
            for receiver in self._receivers if name == _WRITER else [name]:
                if {receiver, _WRITER} <= self._children.keys():
                    self._connect(receiver)
        except (OSError, OutputRefused) as error:
            self._not_started(name, error)
            return
        self._counters.restarts += 1
        if name == _WRITER:
            for share in self._shares:
                share.counters.add(Slot.WRITER_RESTARTS)
            for number in self._given_up:
                self._tell(_WRITER, b"give up %d" % number)
            if not self._is_receiving:
                self._tell(_WRITER, b"end")
        else:
            self._roster.count_restart(name)
            if self._ready:
                self._tell(name, b"go")

    def _not_started(self, name: str, error: OSError | OutputRefused) -> None:
        """It has died before it was there, or it lacks a pipe, and has to."""
        how = f"could not be started: {_said(error)}"
        child = self._children.get(name)
        if child is not None:
            _report("error", f"a process {how}", {"process": name, "pid": child.process.pid})
            child.process.kill()  # its end is dealt with like any other's
        elif not self._may_restart(name, how, None):
            if name == _WRITER:
                self._give_up()
            else:
                self._receiver_gone(None)

    # The end

    def _error(self) -> FastingestError | None:
        """Why the run failed, if it did. What came first was the reason for the others."""
        return self._failures[0] if self._failures else problem_of(self._accounts)

    def _balance(self, account: Account, *, complete: bool) -> None:
        try:
            account.balance(complete)
        except (OSError, FastingestError) as error:
            problem = f"{account.out}: what is kept of it cannot be told: {_said(error)}"
            self._failures.append(RunFailed(problem))

    def _close_accounts(self, ended: int) -> None:
        captured = self._counters.ledger.received or not isinstance(self._error(), UsageError)
        for number, account in enumerate(self._accounts):
            if self._ready and captured:
                try:
                    account.close(ended)
                except (OSError, FastingestError) as error:
                    why = (isinstance(error, OSError) and error.strerror) or str(error)
                    problem = f"{ledger_path(account.out)}: cannot be written: {why}"
                    facts = {"problem": problem}
                    _report("error", "the ledger cannot be written; the next start does it", facts)
                    self._failures.append(RunFailed(f"{problem}; the next run does that"))
                    continue
            self._clean_up(account, complete=number in self._complete)

    @staticmethod
    def _clean_up(account: Account, *, complete: bool) -> None:
        try:
            account.clean_up(complete)
        except (OSError, FastingestError) as error:  # the next start does it
            facts = {"output": str(account.out), "problem": _said(error)}
            _report("warning", "what is not needed any more cannot be removed", facts)


def _said(error: Exception) -> str:
    """An error in words, on one line; of the system's, which file it is about."""
    if not isinstance(error, OSError):
        return str(error)
    said = error.strerror or str(error)
    return said if error.filename is None else f"{os.fsdecode(error.filename)}: {said}"


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
