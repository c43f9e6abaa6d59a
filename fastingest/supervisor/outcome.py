"""How a run has ended: which of the errors that it met is the one that its caller gets."""

from __future__ import annotations

import traceback

from fastingest.errors import Aborted, FastingestError, RunFailed
from fastingest.runtime.events import InternalError
from fastingest.supervisor.log import report, said

__all__ = ["CallersError", "Outcome"]


class CallersError(Exception):
    """What the program that has called raises in ``on_tick`` is its own: it gets it back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class Outcome:
    """What a run has failed of, if it has."""

    def __init__(self) -> None:
        self._failures: list[FastingestError] = []

    @property
    def failure(self) -> FastingestError | None:
        """The first one: it was the reason for the others."""
        return self._failures[0] if self._failures else None

    def fail(self, error: FastingestError) -> None:
        """The run has failed of this, unless it had before."""
        self._failures.append(error)

    def abort(self) -> None:
        """The user would not wait: whatever happened before, that is how it has ended."""
        self._failures.insert(0, Aborted())

    def note(self, error: Exception) -> None:
        """Let an error that nobody expected at its place be the reason why the run fails.

        What is not one of ours, nor of the system, is a fault of fastingest and goes to the log;
        what is the caller's own is none at all.
        """
        if isinstance(error, FastingestError):
            self.fail(error)
        elif isinstance(error, OSError):
            self.fail(RunFailed(said(error)))
        elif not isinstance(error, CallersError):
            trace = "".join(traceback.format_exception(error))
            report(InternalError(repr(error), trace))
            self.fail(RunFailed(f"an error in fastingest itself: {error!r}"))
