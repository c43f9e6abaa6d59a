"""A run from its beginning to its end: the library's way in.

A run takes its outputs' locks and opens their accounts, has its processes watched
(:mod:`fastingest.supervisor.supervisor`), and closes the accounts when all of them have ended. It
is an object, and nothing of it is kept elsewhere: a process may have several at once, of other
outputs.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from fastingest.config.options import Options
from fastingest.errors import RunFailed
from fastingest.native.availability import Native, find_native
from fastingest.report.summary import Summary
from fastingest.runtime.assignment import OutputSpec, targets_of
from fastingest.runtime.events import NativeUnused
from fastingest.storage.csv_file import check_output
from fastingest.storage.lock import OutputLock
from fastingest.supervisor.accounts import Accounts
from fastingest.supervisor.events import LockStays, ProcessUnkillable
from fastingest.supervisor.log import report, said
from fastingest.supervisor.monitor import Monitor
from fastingest.supervisor.outcome import CallersError, Outcome
from fastingest.supervisor.processes import Processes
from fastingest.supervisor.receivers import ReceiverPool
from fastingest.supervisor.signals import signals_to_socket
from fastingest.supervisor.supervisor import Supervisor

__all__ = ["Run", "ingest"]

OnTick: TypeAlias = Callable[[Summary], None]


def ingest(
    options: Options,
    *,
    on_tick: OnTick | None = None,
    tick: float = 1.0,
) -> Summary:
    """Capture a feed into a file until the run ends; the library's way in.

    It ends by ``max_rows`` or ``duration``, by SIGINT, SIGTERM or SIGHUP (which are handled while
    it runs, if it is called in the main thread), or by an error. Log records go to the logger
    ``fastingest``; their ``facts`` attribute is a dict.

    :param options: what to capture, where to, and how.
    :param on_tick: called with the run's numbers every ``tick`` seconds.
    :returns: the run's numbers at its end.
    :raises UsageError: nothing was captured, for a reason that the caller can fix.
    :raises RunFailed: the run broke, or rows were lost; the error's ``summary`` says what is in the
        file. Any error of the system is one of these, and so is a fault of fastingest itself, which
        is then its cause.
    """
    try:
        return _ingest(options, on_tick, tick)
    except CallersError as error:
        raise error.error from None
    except OSError as error:  # before anything was captured
        raise RunFailed(f"the run could not begin: {said(error)}") from error


def _ingest(options: Options, on_tick: OnTick | None, tick: float) -> Summary:
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
        run = Run(options, locked, native)
        try:
            return run.run(on_tick, tick)
        finally:
            if run.has_left_behind:  # a process that holds the locks as well
                locks.pop_all()


def _release(lock: OutputLock) -> None:
    """Let go of the lock. That this fails must not hide how the run has ended."""
    try:
        lock.release()
    except OSError as error:
        report(LockStays(str(lock.path), said(error)))


class Run:
    """One run.

    :param options: what to capture, and how.
    :param locked: its outputs, each with its lock.
    :param native: whether the native listener is used.
    :raises UsageError: an output's account cannot be opened.
    :raises OSError: likewise.
    """

    def __init__(
        self, options: Options, locked: Sequence[tuple[OutputSpec, OutputLock]], native: Native
    ) -> None:
        self._native = native
        feeds = options.feeds
        self._accounts = Accounts(options, locked, feeds)
        shares = self._accounts.shares
        pool = ReceiverPool(
            feeds,
            shares,
            self._accounts.each,
            options.receivers,
            native=native.is_used,
            lines=self._accounts.lines,
        )
        self._processes = Processes(options, shares, pool)
        self._monitor = Monitor(feeds, shares, native.listener)
        self._outcome = Outcome()
        self._supervisor = Supervisor(
            options, self._accounts, self._processes, self._monitor, self._outcome
        )
        self.has_left_behind = False
        """Whether a process goes on, although it was killed."""

    def run(self, on_tick: OnTick | None, tick: float) -> Summary:
        """Start, watch, and clean up.

        Whatever goes wrong, all processes are ended, the accounts are closed as far as that can be
        done, and the error has the summary.

        :raises FastingestError: as :func:`ingest`.
        :raises CallersError: ``on_tick`` has raised something.
        """
        if self._native.is_broken:
            report(NativeUnused(self._native.reason))
        self._accounts.report_fallbacks()
        unexpected: Exception | None = None
        with signals_to_socket() as signals:  # which must not end what comes after the watch
            try:
                if self._supervisor.start():
                    self._supervisor.watch(signals, on_tick, tick)
            except Exception as error:
                unexpected = error
                self._outcome.note(error)
            finally:
                self._end_processes()
            ended = time.time_ns()
            # Who is left behind may still write, and what keeps it there would keep us as well.
            if not self.has_left_behind:
                self._close_accounts(ended)
        summary = self._monitor.summary()
        if isinstance(unexpected, CallersError):
            raise unexpected
        failure = self._outcome.failure or self._accounts.problem
        if failure is not None:
            failure.summary = summary
            raise failure from unexpected
        return summary

    def _end_processes(self) -> None:
        for name, pid in self._processes.end():
            self.has_left_behind = True
            report(ProcessUnkillable(name, pid))
            stuck = f"the {name} process ({pid}) does not end, although it was killed"
            self._outcome.fail(RunFailed(f"{stuck}: the system does not answer it"))

    def _close_accounts(self, ended: int) -> None:
        supervisor = self._supervisor
        self._accounts.close(
            ended, supervisor.complete, self._outcome, has_begun=supervisor.is_ready
        )
