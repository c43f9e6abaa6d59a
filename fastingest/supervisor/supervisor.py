"""The supervisor's loop: it waits for whatever comes first, and does what follows on it.

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

When that is, and when no more, says :mod:`fastingest.supervisor.restarts`. Until then it is *due*,
and counts like one that is there: there is a receiver as long as one is due. One that cannot be
started, for lack of memory or of processes, has died as well, and so has one that says what is no
message, which is killed. A run that is to end starts no receiver any more, since the writer has all
that a dead one has left; but it needs a writer, and has one at once.

Where one is not started again the receivers *save*: what is not written goes to the disk for the
next run of the same output, and the run fails. So it is with a single output, when the run shall
end and that one cannot be written; the others are completed meanwhile.

So whatever dies, and whenever, somebody is told to end, and can:

- *Before the writer is ready* nothing is received. Receivers wait for ``Go``; who is started
  meanwhile gets it with the others, from whichever writer is ready first. To be stopped then is
  enough: ``Stop`` is a ``Go`` as well.
- *A receiver that is started later* gets ``Go`` at once, and its commands wait in its connection
  until it reads them, in order. A ``Stop`` reaches all that there are; after it none is started.
- *A receiver that dies when the run is to end* is not needed: when it was the last one, the writer
  is told to end, and finds its batches in the spool. The end of its pipe is seen since nobody else
  has it open: the supervisor's copy is closed when it is handed over, or when the process is gone.
- *A writer that dies when the run is to end* is followed by another, who is told at once what was
  told before: that there is no receiver, or that an output is given up. Receivers get a pipe to it,
  and send what it has not got.
- *If both die at the same moment*, it does not matter whose end is seen first. Where it is the
  receiver's, ``End`` goes to a writer that is dead, and again to the one that follows. Where it is
  the writer's, the next one gets a pipe that has ended, and ``End`` when the other is seen.
- *Who dies before it has its pipe* is seen by its end like any other; a pipe that waits for it here
  is closed then, which its other end sees.

What is left are processes that neither end nor die. A run that shall end gives each output
``FAILING_LIMIT`` or ``STALLED_LIMIT`` without progress
(:mod:`fastingest.supervisor.writer_watchdog`), then all have ``SAVE_LIMIT`` to save what they hold;
who is left is killed, and left behind where the system does not let it die
(:mod:`fastingest.supervisor.ending`). Nothing else here waits for a process: messages are taken as
they come, and what a process is to do lies in a file.

The supervisor's own death is noticed by the children, at their control connections: the receiver
stops, and no process of the run outlives it by two seconds. The next start takes up what they left.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from fastingest.config.options import Options
from fastingest.errors import (
    FastingestError,
    FeedRefused,
    OutboxFull,
    OutputRefused,
    ProcessDied,
    RunFailed,
    WriteFailed,
    how_ended,
)
from fastingest.report.summary import Summary
from fastingest.runtime import control
from fastingest.runtime.control import Go, Stop, UnknownMessage
from fastingest.source.clock import elapsed
from fastingest.supervisor.accounts import Accounts
from fastingest.supervisor.children import Child
from fastingest.supervisor.ending import Ending
from fastingest.supervisor.events import UnknownNotice
from fastingest.supervisor.gates import Gates
from fastingest.supervisor.log import report, said, write
from fastingest.supervisor.monitor import Monitor
from fastingest.supervisor.oom import OomWatch
from fastingest.supervisor.outcome import CallersError, Outcome
from fastingest.supervisor.processes import WRITER, Processes
from fastingest.supervisor.restarts import Restarts
from fastingest.supervisor.shutdown import Shutdown
from fastingest.supervisor.signals import SIGNALS
from fastingest.supervisor.succession import Succession
from fastingest.supervisor.writer_watchdog import WriterWatchdog

__all__ = ["Supervisor"]


class Supervisor:
    """Watches the processes of one run.

    :param options: the run's settings.
    :param accounts: of its outputs.
    :param processes: starts them; none is there yet.
    :param monitor: its numbers.
    :param outcome: what it fails of.
    """

    def __init__(
        self,
        options: Options,
        accounts: Accounts,
        processes: Processes,
        monitor: Monitor,
        outcome: Outcome,
    ) -> None:
        self._options = options
        self._accounts = accounts
        self._processes = processes
        self._monitor = monitor
        self._outcome = outcome
        self._shares = accounts.shares
        self._numbers = {str(share.target.path): n for n, share in enumerate(self._shares)}
        paths = [share.target.path for share in self._shares]
        self._watchdog = WriterWatchdog(paths, options.flush_interval)
        keeps_journal = options.journal == "on"
        self._restarts = Restarts(WRITER, processes.receivers, keeps_journal=keeps_journal)
        self._ending = Ending()
        self._shutdown = Shutdown(processes, self._restarts, self._ending, outcome)
        self._succession = Succession(processes, self._restarts, self._shutdown, monitor)
        self._oom = OomWatch()
        self._gates = Gates(elapsed)
        self._interrupts = 0
        self.is_ready = False
        """Whether a writer has had the files open."""
        self.complete: set[int] = set()
        """The outputs, by their index, for which the writer has written all there was."""

    def start(self) -> bool:
        """Start all processes; whether that was possible."""
        self._oom.look(time.monotonic())
        try:
            self._processes.start_demos(self._options.feeds)
            for name in (WRITER, *self._processes.receivers):
                self._succession.start(name, is_first=True)
        except FastingestError as error:
            self._shutdown.fail(error)
        except OSError as error:
            self._shutdown.fail(RunFailed(f"a process could not be started: {said(error)}"))
        return self._outcome.failure is None

    def watch(
        self, signals: socket.socket, on_tick: Callable[[Summary], None] | None, tick: float
    ) -> None:
        """Do what is to be done, until no receiver and no writer is there or due.

        :param signals: brings those that end a run, as bytes.
        :param on_tick: called with the run's numbers every ``tick`` seconds.
        :raises CallersError: it has raised something.
        """
        now = time.monotonic()
        self._monitor.begin(now)
        next_tick = now + tick if on_tick else float("inf")
        while self._is_anybody_left:
            until = min(
                self._monitor.next,
                self._ending.next,
                self._restarts.next,
                self._processes.next_pipe,
                next_tick,
            )
            self._wait(signals, max(0.0, until - time.monotonic()))
            now = time.monotonic()
            if self._ending.is_time_over(now):
                self._shutdown.stop("duration reached")
            self._start_who_is_due(now)
            if now >= self._monitor.next:
                self._look(now)
            if on_tick and now >= next_tick:
                next_tick = now + tick
                try:
                    on_tick(self._monitor.summary())
                except Exception as error:
                    raise CallersError(error) from error
            if self._ending.must_kill(now):
                self._processes.kill()
            if self._ending.must_leave(now):
                break
        self._monitor.finish(time.monotonic())
        if self._outcome.failure is None:
            self._monitor.look_for_rows(None)

    @property
    def _is_anybody_left(self) -> bool:
        there = self._processes.children.keys() | self._restarts.due
        return bool(there & {WRITER, *self._processes.receivers})

    def _wait(self, signals: socket.socket, timeout: float) -> None:
        """Wait for the first thing that happens, and deal with all that has."""
        is_signalled, children = self._processes.wait(signals, timeout)
        if is_signalled:
            for number in signals.recv(64):
                if number in SIGNALS:
                    self._signalled(number)
        for child, has_ended in children:
            self._listen(child)
            if has_ended:
                self._processes.has_ended(child)
                self._child_ended(child)
                child.close()

    def _signalled(self, number: int) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            self._shutdown.abort()
        else:
            self._shutdown.stop(signal.Signals(number).name)

    def _start_who_is_due(self, now: float) -> None:
        given_up = self._watchdog.given_up
        self._succession.start_due(now, given_up, is_ready=self.is_ready)
        self._processes.lay_broken_pipes(now, are_needed=not self._ending.is_giving_up)

    def _look(self, now: float) -> None:
        """What is done once a second."""
        self._monitor.sample(now)
        self._oom.look(now)
        self._look_after_outputs(now)
        self._monitor.look_for_rows(now)

    def _look_after_outputs(self, now: float) -> None:
        """Say which do not get on; and do not wait for ever for them, when the run shall end."""
        for event in self._watchdog.look(now, time.time_ns(), self._monitor.standings()):
            report(event)
        if not self._ending.has_begun or self._ending.is_giving_up:
            return
        for number, why in self._watchdog.judge(now):
            if why is not None:
                self._shutdown.fail(why)
            if number is None:
                self._shutdown.give_up()
            else:
                self._shutdown.give_up_output(number)

    # What the processes say

    def _listen(self, child: Child) -> None:
        """Take all that the child has said so far."""
        try:
            for notice in child.notices():
                self._told(child, notice)
        except UnknownMessage as error:
            report(UnknownNotice(child.name, child.process.pid, str(error)))
            child.watched = False
            child.process.kill()  # its end is dealt with like any other's

    def _told(self, child: Child, notice: control.Notice) -> None:  # noqa: PLR0912 - one for each
        match notice:
            case control.Report():
                write(notice)
            case control.GapEnded():
                self._accounts.note_gap(notice)
            case control.LineState():
                self._accounts.lines.note(notice)
            case control.Sampled(feed, words):
                self._monitor.note_sample(feed, words)
            case control.StaleNow(feed, names):
                self._accounts.note_stale(feed, names)
                self._monitor.note_stale(feed, names)
            case control.AskTurn():
                child.tell(self._gates.answer(child.name, notice))
            case control.HostRefused():
                self._gates.refused(notice)
            case control.Ready():
                self._writer_ready()
            case control.PipeBroke(stream):
                self._processes.pipe_broke(stream, time.monotonic())
            case control.Failing(output, path, problem):
                self._watchdog.failing(self._number(output), WriteFailed(Path(path), problem))
            case control.WorksAgain(output):
                self._watchdog.works_again(self._number(output))
            case control.Complete(output):
                self.complete.add(self._number(output))
            case control.Finished():
                self._shutdown.stop_receivers()
            case control.Full():
                self._shutdown.fail(OutboxFull())
                self._shutdown.stop_receivers()
            case control.FeedRefusal(url, problem):
                self._shutdown.fail(FeedRefused(url, problem))
                self._shutdown.stop_receivers()
            case control.OutputRefusal(path, problem) if not self.is_ready:
                self._shutdown.fail(OutputRefused(Path(path), problem))
            case control.OutputRefusal(path, problem) | control.WriteFailure(path, problem):
                self._shutdown.fail(WriteFailed(Path(path), problem))
            case _:
                raise UnknownMessage(f"no notice of a writer or a receiver: {notice}")

    def _number(self, output: str) -> int:
        """The index of an output that the writer names."""
        number = self._numbers.get(output)
        if number is None:
            raise UnknownMessage(f"no output of this run: {output}")
        return number

    def _writer_ready(self) -> None:
        """It has the files open, so what arrives has a place to go."""
        if not self.is_ready:
            self.is_ready = True
            now = time.monotonic()
            self._monitor.ready(now)
            if self._options.run_length:
                self._ending.at(now + self._options.run_length)
        self._processes.tell_receivers(Stop() if self._ending.has_begun else Go())

    # Who ends, and who follows

    def _child_ended(self, child: Child) -> None:
        if child.name in self._processes.receivers:
            self._receiver_ended(child)
        elif child.name == WRITER:
            self._writer_ended(child)
        elif not self._ending.has_begun:  # a demo exchange
            self._shutdown.fail(ProcessDied(child.name, child.exit_code))
            self._shutdown.stop_receivers()

    def _receiver_ended(self, child: Child) -> None:
        if child.exit_code != 0:
            how = self._how_ended(child)
            self._processes.bury_receiver(child.name, how)
            if not self._ending.is_giving_up and self._succession.died(child.name, how, child):
                return
        self._shutdown.receiver_gone(child.exit_code)

    def _writer_ended(self, child: Child) -> None:
        if child.exit_code == 0:
            if self._shutdown.is_receiving:
                self._shutdown.give_up()
        elif not self._ending.is_giving_up:
            self._watchdog.writer_died()
            if not self._succession.died(WRITER, self._how_ended(child), child):
                self._shutdown.give_up()

    def _how_ended(self, child: Child) -> str:
        was_killed = child.exit_code == -signal.SIGKILL
        return how_ended(child.exit_code, for_memory=was_killed and self._oom.has_killed())
