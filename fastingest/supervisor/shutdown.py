"""Brings a run to its end: what is told to whom, and who is not started any more.

There are three ways, and one may follow on the other. The run *shall end*: the receivers hand on
what they have, and the writer writes it. An output is *given up*: what is not written of it is
saved, and the others go on to their end. The writer is *given up*: all is saved.
"""

from __future__ import annotations

import time

from fastingest.errors import FastingestError
from fastingest.runtime.control import End, GiveUp, Save, Stop
from fastingest.supervisor.ending import Ending
from fastingest.supervisor.events import Stopping
from fastingest.supervisor.log import report
from fastingest.supervisor.outcome import Outcome
from fastingest.supervisor.processes import WRITER, Processes
from fastingest.supervisor.restarts import Restarts

__all__ = ["Shutdown"]


class Shutdown:
    """The end of one run.

    :param processes: who is there.
    :param restarts: who is due.
    :param ending: how far the end has come.
    :param outcome: of the run.
    """

    def __init__(
        self, processes: Processes, restarts: Restarts, ending: Ending, outcome: Outcome
    ) -> None:
        self._processes = processes
        self._restarts = restarts
        self._ending = ending
        self._outcome = outcome

    @property
    def is_receiving(self) -> bool:
        """Whether there is a receiver left, or one to come."""
        processes = self._processes
        return bool((processes.children.keys() | self._restarts.due) & processes.receivers)

    def begin(self) -> None:
        """Start no receiver any more; the writer is needed now."""
        was_receiving = self.is_receiving
        if self._ending.begin():
            self._restarts.begin_to_end(time.monotonic())
            if was_receiving and not self.is_receiving:
                self._processes.tell(WRITER, End())

    def fail(self, error: FastingestError) -> None:
        """The run has failed, and shall end. The receivers are not told that yet."""
        self._outcome.fail(error)
        self.begin()

    def stop_receivers(self) -> None:
        """Have the receivers hand on what they have, and end."""
        self.begin()
        self._processes.tell_receivers(Stop())

    def stop(self, reason: str) -> None:
        """End as asked."""
        if not self._ending.has_begun:
            report(Stopping(reason))
            self.stop_receivers()

    def abort(self) -> None:
        """End at once: the user would not wait."""
        self._outcome.abort()
        self._ending.abort()
        self._restarts.give_up()

    def give_up_output(self, number: int) -> None:
        """End without this output: what is not written is kept for the next run."""
        self.begin()
        self._processes.tell_receivers(Save(number))
        self._processes.tell(WRITER, GiveUp(number))

    def give_up(self) -> None:
        """End without the writer: what is not written is kept for the next run."""
        self.begin()
        now = time.monotonic()
        self._ending.give_up(now)
        self._restarts.give_up()
        self._processes.tell_receivers(Save())
        self._processes.tell(WRITER, GiveUp())
        if not self.is_receiving:
            self._ending.receivers_gone(now)

    def receiver_gone(self, exit_code: int | None) -> None:
        """A receiver has ended, and no other one takes its place.

        :param exit_code: None where it could not be started.
        """
        if not self.is_receiving:
            self.begin()
            self._processes.tell(WRITER, End())
            self._ending.receivers_gone(time.monotonic())
        elif exit_code != 0:
            self._processes.tell_receivers(Stop())
