"""The supervisor: starts the processes, forwards signals, and says how the run ended.

Theory of operation. The supervisor waits, in one place, for whatever comes first: a message from a
child, the end of a child, a signal, the next second. This is how a run ends as it should:

1. The receiver is told to stop, or it has received ``max_rows``, or the feed refused it. It hands
   on all it received, waits until the writer has acknowledged it, closes the pipe and ends.
2. The writer finds the pipe closed, and ends.

Any other end of a child is a failure. The others notice it by themselves, since the pipes break,
save what they have, and end; who has not done so after :data:`COLLAPSE` is killed. A child notices
the supervisor's own death in the same way, by its control connection. So no process of a run
outlives another by two seconds, whichever of them is killed.

Signals are blocked in the children: a terminal's Ctrl-C, or systemd's SIGTERM, reaches the whole
group, and it is for the supervisor alone to say what happens next.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fastingest.counters import Counters, Slot
from fastingest.errors import (
    Aborted,
    FastingestError,
    FeedRefused,
    OptionError,
    OutputRefused,
    ProcessDied,
    RunFailed,
    WriteFailed,
)
from fastingest.options import Options
from fastingest.schema import TRADES
from fastingest.summary import Rates, Summary
from fastingest.writer.csv_file import OutputLock, check_output

__all__ = ["ingest"]

COLLAPSE = 1.2
"""Seconds that the other children get to save what they have when one has died."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
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
    :raises RunFailed: the run broke; the error's ``summary`` says what is in the file.
    """
    check_output(options.out, TRADES.header)
    lock = OutputLock(options.out)
    try:
        return _Supervisor(options, lock).run(on_tick, tick)
    finally:
        lock.release()


@dataclass
class _Child:
    """A process, and the connection that it is talked to by."""

    name: str
    process: SpawnProcess
    control: Connection
    watched: bool = True  # whether anything may still come on the control connection
    killed: bool = False  # by the supervisor, so that its end says nothing
    exit_code: int | None = None

    def tell(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # its end is noticed elsewhere
            self.control.send_bytes(message)

    def kill(self) -> None:
        self.killed = True
        self.process.kill()


class _Supervisor:
    def __init__(self, options: Options, lock: OutputLock) -> None:
        self._options = options
        self._lock = lock
        self._context = multiprocessing.get_context("spawn")
        self._counters = Counters.create(self._context)
        self._rates = Rates()
        self._children: list[_Child] = []
        self._ended: list[_Child] = []
        self._failures: list[FastingestError] = []  # as the children told them
        self._stopping = False
        self._interrupts = 0
        self._collapse_at = float("inf")
        self._started = time.monotonic()
        self._end_at = float("inf")

    def run(self, on_tick: Callable[[Summary], None] | None, tick: float) -> Summary:
        """Start, watch, and clean up."""
        with _signals_to_socket() as signals:
            try:
                self._start()
                self._watch(signals, on_tick, tick)
            finally:
                for child in self._children:
                    child.kill()
                for child in self._children + self._ended:
                    child.process.join()
                    child.process.close()
                    child.control.close()
        summary = self._summary()
        error = self._error(summary)
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

    def _start(self) -> None:
        from fastingest.receiver import process as receiver
        from fastingest.writer import process as writer

        url = self._options.url
        if urlsplit(url).scheme == "demo":
            url = self._start_demo(url)
        block = self._counters.block
        to_writer, from_receiver = self._context.Pipe()
        out = self._options.out
        self._spawn("writer", writer.main, out, from_receiver, block=block, lock=self._lock)
        self._spawn("receiver", receiver.main, self._options, url, to_writer, block=block)
        # An end of the pipe that is still open here would hide that the child that has it is gone.
        to_writer.close()
        from_receiver.close()

    def _start_demo(self, url: str) -> str:
        from fastingest import demo

        try:
            settings = demo.parse(url)
        except ValueError as error:
            raise OptionError("url", str(error)) from None
        child = self._spawn("demo exchange", demo.main, settings)
        if not child.control.poll(30):
            raise RunFailed("the demo exchange did not start within 30 seconds")
        try:
            return f"ws://127.0.0.1:{child.control.recv()}/"
        except EOFError:
            child.process.join()
            raise ProcessDied(child.name, child.process.exitcode) from None

    def _spawn(self, name: str, target: Callable[..., None], *args: Any, **kwargs: Any) -> _Child:
        """Start ``target(*args, control, **kwargs)`` in a process of its own."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=target, args=(*args, theirs), kwargs=kwargs, name=name, daemon=True
        )
        # The resource tracker's start unblocks signals, so it must have happened before.
        resource_tracker.ensure_running()
        with _signals_blocked(), _no_main_module():
            process.start()
        theirs.close()
        child = _Child(name, process, ours)
        self._children.append(child)
        _report("debug", "started", {"process": name, "pid": process.pid})
        return child

    # Watching

    def _watch(
        self, signals: socket.socket, on_tick: Callable[[Summary], None] | None, tick: float
    ) -> None:
        now = sampled = time.monotonic()
        next_tick = now + tick
        while any(child.name != "demo exchange" for child in self._children):
            until = min(sampled + 1.0, self._collapse_at, self._end_at)
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
            if on_tick and now >= next_tick:
                next_tick = now + tick
                on_tick(self._summary())
            if now >= self._collapse_at:
                for child in self._children:
                    child.kill()
        # A shorter rest than half a second would not make a second's rate.
        if not self._rates.last or now - sampled >= 0.5:
            self._rates.sample(self._counters[Slot.WRITTEN], time.monotonic() - sampled)

    def _wait(self, signals: socket.socket, timeout: float) -> None:
        """Wait for the first thing that happens, and deal with all that has."""
        sources: list[Any] = [signals, *(child.process.sentinel for child in self._children)]
        sources += [child.control for child in self._children if child.watched]
        ready = wait(sources, timeout)
        if signals in ready:
            for number in signals.recv(64):
                if number in _SIGNALS:
                    self._signalled(number)
        for child in tuple(self._children):
            ended = child.process.sentinel in ready
            if child.control in ready or ended:
                self._listen(child)
            if ended:
                child.process.join()
                child.exit_code = child.process.exitcode
                self._children.remove(child)
                self._ended.append(child)
                self._child_ended(child)

    def _listen(self, child: _Child) -> None:
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
                _report(level, event, facts)
            case "ready", []:  # the writer has the file open, so what arrives has a place to go
                self._started = time.monotonic()
                self._end_at = self._started + (self._options.duration or float("inf"))
                self._tell_receiver(b"stop" if self._stopping else b"go")
            case "finished", []:
                self._stopping = True
            case "refused", [url, problem]:
                self._fail(FeedRefused(url, problem))
            case "output refused", [path, problem]:
                self._fail(OutputRefused(Path(path), problem))
            case "write failed", [path, problem]:
                self._fail(WriteFailed(Path(path), problem))

    def _fail(self, error: FastingestError) -> None:
        self._stopping = True
        self._failures.append(error)

    def _tell_receiver(self, command: bytes) -> None:
        for child in self._children:
            if child.name == "receiver":
                child.tell(command)

    def _stop(self, reason: str) -> None:
        if not self._stopping:
            self._stopping = True
            _report("info", "stopping", {"reason": reason})
            self._tell_receiver(b"stop")

    def _signalled(self, number: int) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            self._failures.insert(0, Aborted())
            for child in self._children:
                child.kill()
            self._collapse_at = 0.0
        else:
            self._stop(signal.Signals(number).name)

    def _child_ended(self, child: _Child) -> None:
        if child.exit_code == 0 and self._stopping:
            return
        self._stopping = True
        self._collapse_at = min(self._collapse_at, time.monotonic() + COLLAPSE)

    # The end

    def _error(self, summary: Summary) -> FastingestError | None:
        """Why the run failed, if it did.

        A child's own word comes first, then a signal that killed one, then the first to end badly:
        the others' ends may be consequences of it.
        """
        if self._failures:
            return self._failures[0]
        lost = summary.ledger.in_flight
        undecoded = self._counters[Slot.MESSAGES] - self._counters[Slot.DECODED]
        rows = f"{lost} received rows were not written" if lost else "every row decoded is written"
        if undecoded:
            rows += f", {undecoded} messages were not decoded yet"
        bad = [child for child in self._ended if child.exit_code != 0 and not child.killed]
        bad.sort(key=lambda child: (child.exit_code or 0) >= 0)
        if bad:
            return ProcessDied(bad[0].name, bad[0].exit_code, rows)
        if self._collapse_at < float("inf"):
            return ProcessDied(self._ended[0].name, 0, rows)
        if lost:
            return RunFailed(f"the counts do not agree: {rows}")
        return None


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """A process that is started here never sees these signals: the mask outlives ``exec``."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep ``multiprocessing`` from importing the caller's main module again in a child.

    Nothing of it is needed there. A program can so call :func:`ingest` without an ``if __name__ ==
    "__main__"`` around it, and what it imports does not cost the children time and memory.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _signals_to_socket() -> Iterator[socket.socket]:
    """Signals arrive as bytes, each its number, on the socket; nowhere but in the main thread.

    So do those that the calling program handles; they are not ours to act on.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        if threading.current_thread() is not threading.main_thread():
            yield ours
            return
        theirs.setblocking(False)
        descriptor = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        before = {}
        for number in _SIGNALS:
            # nohup makes a program ignore SIGHUP, and means it
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda *_: None)
        try:
            yield ours
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(descriptor)
