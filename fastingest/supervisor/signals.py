"""The signals that end a run: for the supervisor alone, and as bytes on a socket.

A terminal's Ctrl-C, or systemd's SIGTERM, reaches the whole group of processes; so they are blocked
in the children, and it is for the supervisor to say what happens next.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator

__all__ = ["SIGNALS", "signals_blocked", "signals_to_socket"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """A process that is started here never sees these signals: the mask outlives ``exec``."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def signals_to_socket() -> Iterator[socket.socket]:
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
        for number in SIGNALS:
            # nohup makes a program ignore SIGHUP, and means it
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda *_: None)
        try:
            yield ours
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(descriptor)
