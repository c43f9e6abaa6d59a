"""A piece of a row at the end of the output, and when it may be taken for one that nobody ends.

Theory of operation. A file that does not end with a line feed was torn by a crash, or another
program is in the middle of a line: its lines may come in several pieces. The two look the same at
any one moment, so only time tells them apart. What may be cut off is a tail, its place and its
bytes, that this writer has itself seen unchanged for :data:`PATIENCE`; whoever cuts looks once more
at that very moment. Between that look and the cut a microsecond is left that no file system takes
away: there is no call that cuts a file off only if it is still as long as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from fastingest.errors import WriteFailed

__all__ = ["PATIENCE", "Tail", "settled_tail"]

PATIENCE = 1.0
"""Seconds that another program gets to go on with the line that it has begun."""

LIMIT = 5.0
"""Seconds that its lines may go on ending in the middle, until the caller is told to come again."""

LOOK_EVERY = 0.01

IN_A_LINE = "another program is in the middle of a line"


class Tail(NamedTuple):
    """What stands behind the last whole row."""

    start: int
    piece: bytes


class TornFile(Protocol):
    """What can be asked of the file."""

    @property
    def path(self) -> Path:
        """Where it is."""

    def torn(self, start: int = 0) -> Tail:
        """The piece of a row at its end; empty where there is none."""


def settled_tail(
    file: TornFile,
    start: int = 0,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Tail:
    """The piece at the file's end that nobody goes on with; empty where a whole row is there.

    :param start: where a row begins, to look only at what is behind it.
    :param now: the monotonic clock, in seconds.
    :param sleep: waits so many seconds.
    :raises WriteFailed: another program is in the middle of a line, and has been all the time.
    """
    begin = since = now()
    seen: Tail | None = None
    while True:
        tail = file.torn(start)
        if not tail.piece:
            return tail
        if tail != seen:
            seen, since, start = tail, now(), tail.start
        elif now() - since >= PATIENCE:
            return tail
        if now() - begin >= LIMIT:
            raise WriteFailed(file.path, IN_A_LINE)
        sleep(LOOK_EVERY)
