"""A file that is only appended to, and whose length is known: bytes land in it once.

Theory of operation. ``size`` is how long the file is with all that is committed. What is found
behind it was left by a writer that died before it could commit, or by somebody else. Which of the
two is told by the bytes that come next, for they will be the same again, in the same order: where
the file goes on with all of them, they are there already; where it ends within them, the piece is
cut off and they are written anew; otherwise it is not ours. The question is open (``unsure``) when
the file was opened, after a write that failed, and as long as the answer leaves more behind them.

While it is open the file can be moved away, deleted, emptied, or appended to by others;
:meth:`AppendFile.changed` says so. Every write goes to the end of the file as it is at that moment
(``O_APPEND``). Where they have begun a line at that very moment, ours stands in its middle; then
the rest of theirs is waited for, and put before ours (:meth:`AppendFile._move_behind_line`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from fastingest.errors import WriteFailed
from fastingest.storage import torn_tail
from fastingest.storage.ownership import open_own

__all__ = ["AppendFile", "Change"]

Change = Literal["moved", "deleted", "truncated", "appended"]
"""What others have done to an open file."""


class AppendFile:
    """The file, open for appending; it is made where there is none.

    :param path: where it is.
    :param open_file: opens it: whose it may be, and whether it may be a link.
    :raises BlockingIOError: another process has it open as one of these.
    :raises NotOurs: it is somebody else's.
    :raises OSError: it cannot be opened.
    """

    def __init__(self, path: Path, open_file: Callable[[Path, int, int], int] = open_own) -> None:
        self.path = path
        self.descriptor = open_file(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            # The lock file stands for a name; this one is for hard links, which have several.
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.descriptor)
            raise
        self.size = self.length
        """Bytes of it that are settled; what is behind them is not."""
        self.unsure = True

    @property
    def length(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self.descriptor).st_size

    @property
    def inode(self) -> int:
        """What tells it from another file under its name."""
        return os.fstat(self.descriptor).st_ino

    def read(self, start: int, end: int) -> bytes:
        """The bytes from ``start`` to ``end``, or to the end of the file."""
        pieces = []
        while start < end and (piece := os.pread(self.descriptor, end - start, start)):
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)

    def changed(self) -> Change | None:
        """What others have done to it since the last append."""
        opened = os.fstat(self.descriptor)
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return "moved" if opened.st_nlink else "deleted"
        if (named.st_ino, named.st_dev) != (opened.st_ino, opened.st_dev):
            return "moved" if opened.st_nlink else "deleted"
        if opened.st_size == self.size:
            return None
        return "truncated" if opened.st_size < self.size else "appended"

    @property
    def has_tail(self) -> bool:
        """Whether there is something behind ``size``, and nobody knows yet whose it is."""
        return self.unsure and self.length > self.size

    def explained_by(self, data: bytes | memoryview) -> int:
        """How many bytes behind ``size`` are there because ``data`` was being appended."""
        tail = self.read(self.size, self.size + len(data))
        return len(tail) if tail == data[: len(tail)] else 0

    def has(self, data: bytes | memoryview) -> bool:
        """Whether ``data``, which comes next, is in the file already; a piece of it is cut off.

        :raises OSError: it cannot be read, or cut.
        """
        if not self.unsure or not data:
            return False
        tail = self.read(self.size, self.size + len(data))
        if tail == data:
            self.size += len(data)
            self.unsure = self.length > self.size  # the next one may be there as well
            return True
        if tail and tail == data[: len(tail)] and self.length == self.size + len(tail):
            self.cut(self.size)
        self.unsure = False
        return False

    def append(self, data: bytes | memoryview) -> int:
        """Append ``data``; the offset where it is.

        :raises WriteFailed: it could not be done; what was written of it is cut off again.
        """
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self.descriptor, left) :]
        except OSError as error:
            self.unsure = True
            if self.length == self.size + len(data) - len(left):  # nobody else's is behind it
                with contextlib.suppress(OSError):  # or else when it is tried again
                    self.cut(self.size)
            raise WriteFailed(self.path, f"cannot be appended to: {error.strerror}") from error
        start, length = self.size, self.length
        if length < start + len(data):  # others have cut it off at the same moment
            if self.read(length - len(data), length) == data:
                os.ftruncate(self.descriptor, length - len(data))
            raise WriteFailed(self.path, "was truncated")
        if length > start + len(data):  # others have appended at the same moment
            start += max(self.read(start, length).find(data), 0)
            if start and self.read(start - 1, start) != b"\n":
                start = self._move_behind_line(start, data)
        self.size = start + len(data)
        return start

    def _move_behind_line(self, start: int, data: bytes | memoryview) -> int:
        """Another program had begun a line right before ``data``: let it end first.

        :param start: where ``data`` is.
        :returns: where it is then.
        :raises WriteFailed: the line is not gone on with; ``data`` is cut off again.
        """
        rest, since = b"", time.monotonic()
        until = since + torn_tail.LIMIT
        while time.monotonic() < until:
            now = self.read(start + len(data), self.length)
            end = now.find(b"\n") + 1
            if end:
                try:
                    self.rewrite(start, now[:end] + data)  # as long as before: others may append
                except OSError:  # a line of theirs that is broken is better than rows of ours twice
                    return start
                return start + end
            if now != rest:
                rest, since = now, time.monotonic()
            elif time.monotonic() - since >= torn_tail.PATIENCE:
                break
            time.sleep(torn_tail.LOOK_EVERY)
        else:  # it goes on and on, and never ends: nothing of theirs may be cut off
            return start
        with contextlib.suppress(OSError):
            self.rewrite(start, rest)
            self.cut(start + len(rest))
        raise WriteFailed(self.path, torn_tail.IN_A_LINE)

    def rewrite(self, offset: int, data: bytes | memoryview) -> None:
        """Write over what is there already, from ``offset`` on.

        :raises OSError: it could not be done.
        """
        flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags & ~os.O_APPEND)  # Linux minds no offset
        try:
            left = memoryview(data)
            while left:
                done = os.pwrite(self.descriptor, left, offset)
                left, offset = left[done:], offset + done
        finally:
            fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags)

    def cut(self, size: int) -> None:
        """Cut the file off behind ``size`` bytes."""
        os.ftruncate(self.descriptor, size)

    def sync(self) -> None:
        """Have the system put it on the disk."""
        os.fsync(self.descriptor)

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)
