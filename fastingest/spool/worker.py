"""A thread that does what may block, one job after the other, for an event loop that may not."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import queue
import threading
from collections.abc import Callable

__all__ = ["Worker"]


class Worker:
    """One thread, which is started with the first job; the process does not wait for its end.

    :param name: the thread's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, job: Callable[[], None], done: Callable[[OSError | None], None]) -> None:
        """Have the thread do ``job``, and then the loop ``done`` with the error, if there was one.

        An error that is no ``OSError`` comes as one (``EIO``), or no other job would ever be done.
        """

        def both() -> None:
            error = None
            try:
                job()
            except OSError as failed:
                error = failed
            except Exception as failed:
                error = OSError(errno.EIO, repr(failed))
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it
                self._loop.call_soon_threadsafe(done, error)

        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put(both)

    def _work(self) -> None:
        while True:
            self._jobs.get()()
