"""stdout and stderr, which may be gone: the reader of a pipe has left, or a terminal was closed."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

from fastingest.errors import FastingestError, RunFailed
from fastingest.text import escape

__all__ = ["escape_unprintable", "fail", "note", "print_out"]


def escape_unprintable() -> None:
    """Let both print, as an escape, what their encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # None: it was closed when the program started
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def print_out(text: str, what: str) -> RunFailed | None:
    """Print ``text`` on stdout.

    A reader that has seen enough is no error, nor is a terminal that was closed.

    :param what: what it is, for the error.
    :returns: why it could not be printed; None: it was, or nobody wants it.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would try once more at its exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno not in (errno.EPIPE, errno.EIO):
            return RunFailed(f"{what} could not be printed: {error.strerror}")
    return None


def note(text: str) -> None:
    """Print ``text`` on stderr, where somebody may read it."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def fail(error: FastingestError) -> int:
    """Print ``error`` on stderr, in one line; its exit status."""
    note(f"fastingest: error: {escape(str(error))}")
    return error.exit_status
