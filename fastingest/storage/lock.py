"""The lock that says which run writes an output.

One run writes a file. The lock is ``flock`` on ``<out>.lock``, whose text says who holds it
(:mod:`fastingest.storage.holders`); it holds for as long as any process of the run has it open, so
a writer that outlives its supervisor still keeps the next run out, and a machine that crashed
leaves no lock behind, whatever the file says.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from multiprocessing import reduction
from pathlib import Path
from typing import Any

from fastingest.errors import OutputLocked
from fastingest.storage.holders import add_holder, holder_of, is_alive, taker_of
from fastingest.storage.names import beside, named
from fastingest.storage.ownership import open_own, refused

__all__ = ["OutputLock"]


class OutputLock:
    """Keeps other runs from writing ``path``, until every process that holds it has let go or died.

    It may be passed to a child process as an argument, which then holds it as well.

    :param patience: seconds to wait for a run whose supervisor is dead, and so itself soon.
    :raises OutputLocked: another run has it.
    :raises OutputRefused: there is no place for the lock.
    """

    def __init__(self, path: Path, patience: float = 3.0) -> None:
        self.path = path
        self._name = beside(named(path), ".lock")
        self._descriptor = -1
        deadline = time.monotonic() + patience
        while self._descriptor < 0:
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
                descriptor = open_own(self._name, flags, alone=True)
                self._take(descriptor, is_last=time.monotonic() > deadline)
            except OSError as error:
                raise refused(path, error) from None
            if self._descriptor < 0:
                time.sleep(0.02)

    def _take(self, descriptor: int, *, is_last: bool) -> None:
        """Try to lock the file; it is closed again where that is to be tried once more."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(descriptor, self._name):
                os.truncate(descriptor, 0)
                add_holder(descriptor)
                self._descriptor = descriptor
            # or else the run before removed it between our open and our lock
        except BlockingIOError:
            taker = taker_of(descriptor)
            if taker is None or is_alive(taker) or is_last:
                raise OutputLocked(self.path, holder_of(descriptor)) from None
        finally:
            if self._descriptor < 0:
                os.close(descriptor)

    def release(self) -> None:
        """Let go, and leave no lock file behind, if it can be removed. Raises nothing."""
        with contextlib.suppress(OSError):  # as where the file system has become read-only
            if _is_still(self._descriptor, self._name):
                self._name.unlink()
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def __reduce__(self) -> tuple[Any, ...]:
        return _received_lock, (self.path, reduction.DupFd(self._descriptor))


def _received_lock(path: Path, descriptor: Any) -> OutputLock:
    """The lock, on the child's side of a spawn."""
    lock = OutputLock.__new__(OutputLock)
    lock.path, lock._name = path, beside(named(path), ".lock")
    lock._descriptor = descriptor.detach()
    add_holder(lock._descriptor)
    return lock


def _is_still(descriptor: int, name: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), name.lstat())
    except FileNotFoundError:
        return False
