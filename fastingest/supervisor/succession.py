"""Starts the writer and the receivers, and others where these have died.

Whether and when there is to be another, :mod:`fastingest.supervisor.restarts` decides. What the
dead one was told, its successor is told as well.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from fastingest.errors import OutputRefused, ProcessDied
from fastingest.runtime.control import End, GiveUp, Go
from fastingest.supervisor.children import Child
from fastingest.supervisor.events import ProcessGone
from fastingest.supervisor.log import report, said
from fastingest.supervisor.monitor import Monitor
from fastingest.supervisor.processes import WRITER, Processes
from fastingest.supervisor.restarts import Restarts
from fastingest.supervisor.shutdown import Shutdown
from fastingest.units import format_duration

__all__ = ["Succession"]


class Succession:
    """Who follows on whom in one run.

    :param processes: who is there.
    :param restarts: who is due.
    :param shutdown: has to know of those that nobody follows.
    :param monitor: counts those that follow.
    """

    def __init__(
        self, processes: Processes, restarts: Restarts, shutdown: Shutdown, monitor: Monitor
    ) -> None:
        self._processes = processes
        self._restarts = restarts
        self._shutdown = shutdown
        self._monitor = monitor

    def start(self, name: str, *, is_first: bool) -> None:
        """Start the writer or a receiver; see :meth:`.Processes.start`."""
        self._restarts.started(name, time.monotonic())
        self._processes.start(name, is_first=is_first)

    def died(self, name: str, how: str, child: Child | None) -> bool:
        """One has died.

        :param how: it has.
        :param child: None where it could not even be started.
        :returns: whether another process is to take its place.
        """
        now = time.monotonic()
        fate = self._restarts.died(name, now)
        is_due = fate.due is not None
        pause = format_duration(fate.due - now) if fate.due is not None and fate.due > now else None
        what = "another one takes its place" if is_due else "it is not started again"
        pid = None if child is None else child.process.pid
        report(ProcessGone(how, name, pid, next=what, pause=pause))
        if fate.is_failure:
            exit_code = None if child is None else child.exit_code
            self._shutdown.fail(ProcessDied(name, exit_code, fate.deaths, how))
        return is_due

    def start_due(self, now: float, given_up: Collection[int], *, is_ready: bool) -> None:
        """Start those that are to be started now.

        :param given_up: the outputs that are, by their index.
        :param is_ready: whether a writer has had the files open.
        """
        for name in self._restarts.due_at(now):
            if not self._restarts.take(name):  # meanwhile it is not wanted any more
                continue
            try:
                self.start(name, is_first=not is_ready)
            except (OSError, OutputRefused) as error:
                self._not_started(name, error)
                continue
            self._monitor.count_restart()
            self._processes.count_restart(name)
            if name == WRITER:
                for number in given_up:
                    self._processes.tell(WRITER, GiveUp(number))
                if not self._shutdown.is_receiving:
                    self._processes.tell(WRITER, End())
            elif is_ready:
                self._processes.tell(name, Go())

    def _not_started(self, name: str, error: OSError | OutputRefused) -> None:
        """It has died before it was there, or it lacks a pipe, and has to."""
        how = f"could not be started: {said(error)}"
        child = self._processes.children.get(name)
        if child is not None:
            report(ProcessGone(how, name, child.process.pid))
            child.process.kill()  # its end is dealt with like any other's
        elif not self.died(name, how, None):
            if name == WRITER:
                self._shutdown.give_up()
            else:
                self._shutdown.receiver_gone(None)
