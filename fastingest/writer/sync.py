"""Syncs the output to the disk every so often, in a thread: the writer goes on meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

__all__ = ["Syncer"]


class Syncer:
    """Calls ``sync`` at most ``interval`` seconds after each :meth:`written`.

    :param sync: puts everything on the disk; an ``OSError`` of it is handed on by :meth:`written`.
    :param interval: 0 syncs in :meth:`written` itself, None never.
    """

    def __init__(self, sync: Callable[[], None], interval: float | None) -> None:
        self._sync = sync
        self._interval = interval
        self._dirty = threading.Event()
        self._ending = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._work, name="sync", daemon=True)
        if interval:
            self._thread.start()

    def written(self) -> None:
        """There is something to sync.

        :raises OSError: a sync has failed; the system may have forgotten what it was to write.
        """
        if self._interval == 0:
            self._sync()
        elif self._interval and not self._dirty.is_set():
            self._dirty.set()
        self._raise()

    def close(self) -> None:
        """Sync what is not synced yet, and end.

        :raises OSError: it could not be done.
        """
        if self._interval:
            self._ending.set()
            self._dirty.set()
            self._thread.join()
        if self._interval is not None:
            self._sync()
        self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _work(self) -> None:
        while True:
            self._dirty.wait()
            if self._ending.wait(self._interval):
                return
            self._dirty.clear()
            try:
                self._sync()
            except OSError as error:
                self._error = OSError(error.errno, os.strerror(error.errno or 0))
