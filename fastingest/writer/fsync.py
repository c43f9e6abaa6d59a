"""Syncs the output to the disk every so often, in a thread: the writer goes on meanwhile.

A sync that has failed proves nothing when it is repeated. So from then on the thread has what was
written *secured*, that is written again and synced, until that works; meanwhile nothing more is
committed, since :meth:`Syncer.check` says so to whoever wants to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Syncer"]

FIRST_RETRY, LAST_RETRY = 0.05, 2.0
"""Seconds until securing is tried again; the wait doubles from the one to the other."""


class Syncer:
    """Calls ``sync`` at most ``interval`` seconds after each :meth:`written`.

    :param sync: puts everything on the disk; whatever it raises means that it may not be there.
    :param secure: does so after ``sync`` has raised something; may raise as well.
    :param interval: 0: each batch is synced as it is committed, by the output itself; None: never.
    :param failed: told what ``sync`` has raised, in the thread.
    """

    def __init__(
        self,
        sync: Callable[[], None],
        secure: Callable[[], None],
        interval: float | None,
        failed: Callable[[Exception], None],
    ) -> None:
        self._sync = sync
        self._secure = secure
        self._interval = interval
        self._failed = failed
        self._dirty = threading.Event()
        self._ending = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="sync", daemon=True)
        if interval:
            self._thread.start()

    def written(self) -> None:
        """There is something to sync."""
        if self._interval and not self._dirty.is_set():
            self._dirty.set()

    def check(self) -> None:
        """See that what was written before is not known to be missing on the disk.

        :raises Exception: what was raised when it was last tried.
        """
        failure = self._failure
        if failure is not None:
            raise failure

    def finish(self) -> None:
        """Sync what is not synced yet. After an error it is to be called again.

        :raises Exception: it could not be done.
        """
        if self._interval is None:
            return
        self.close()
        if self._failure is not None:
            self._secure()
            self._failure = None
            return
        try:
            self._sync()
        except Exception as error:
            self._failure = error
            raise

    def close(self) -> None:
        """End the thread."""
        if self._thread.is_alive():
            self._ending.set()
            self._dirty.set()
            self._thread.join()

    def _work(self) -> None:
        while True:
            self._dirty.wait()
            if self._ending.wait(self._interval):
                return
            self._dirty.clear()
            try:
                self._sync()
            except Exception as error:  # whatever it is, the writer has to know
                self._failure = error
                self._failed(error)
                self._go_on_securing()

    def _go_on_securing(self) -> None:
        delay = FIRST_RETRY
        while self._failure is not None and not self._ending.wait(delay):
            try:
                self._secure()
                self._failure = None
            except Exception as error:
                self._failure = error
                delay = min(2 * delay, LAST_RETRY)
