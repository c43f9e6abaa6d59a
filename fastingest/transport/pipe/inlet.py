"""A receiver's pipe, at the writer's end: who stands still holds up nobody else.

A receiver may be stopped, or without the processor for a while, in the middle of a message, or with
its end of the pipe full of acknowledgements that it has not read. The writer has others to serve,
so it waits for neither: a message is taken when all of it has come, and an acknowledgement sent
when there is room. It stands for those before it, so of several only the newest is sent.
"""

from __future__ import annotations

import errno
import os
import select

from fastingest.model.batch import Position, partition_of
from fastingest.transport.pipe.frame import HEADER_SIZE, pack, size_in
from fastingest.transport.pipe.wiring import PipeEnd

__all__ = ["Inlet"]

_PATIENCE = 20
"""Milliseconds that the rest of a message is waited for: as a rule it is on its way."""


class Inlet:
    """A pipe that brings batches and takes positions.

    It is a :class:`fastingest.transport.base.Downlink`.

    :param pipe: the pipe; what is on it: :mod:`fastingest.transport.pipe.frame`.
    :param stream: the receiver's stream.
    :param before: of each of its feeds: the feed's row in the output's counters, the rows and
        rejects that the run had received of it before, and how many of them were dropped, or
        unreadable in the spill.
    """

    def __init__(
        self, pipe: PipeEnd, stream: int, before: list[tuple[int, int, int]] | None = None
    ) -> None:
        self.pipe = pipe
        self.stream = stream
        self.before = before or []
        self._header = bytearray()  # of the message under way, as far as it has come
        self._message: memoryview | None = None  # when all of its header has come
        self._filled = 0  # bytes of it that have come
        self._owed: bytes | None = None
        self._comes, self._goes = select.poll(), select.poll()
        self._comes.register(pipe.fileno(), select.POLLIN)
        self._goes.register(pipe.fileno(), select.POLLOUT)

    @property
    def partition(self) -> int:
        """The receiver's."""
        return partition_of(self.stream)

    def receive(self) -> memoryview | None:
        """The next message; None: not all of it has come yet.

        :raises EOFError: there is none any more.
        :raises OSError: it cannot be read.
        """
        header = self._header
        while self._message is None:
            missing = bytearray(HEADER_SIZE - len(header))
            count = self._read(missing)
            if count is None:
                return None
            header += missing[:count]
            if len(header) == HEADER_SIZE:
                self._message = memoryview(bytearray(size_in(header)))
                self._filled = 0
        while self._filled < len(self._message):
            count = self._read(self._message[self._filled :])
            if count is None:
                return None
            self._filled += count
        message, self._message = self._message.toreadonly(), None
        header.clear()
        return message

    def _read(self, room: bytearray | memoryview) -> int | None:
        """Read into ``room``; how many bytes. None: there are none yet."""
        if not self._comes.poll(_PATIENCE):
            return None
        count = os.readv(self.pipe.fileno(), [room])
        if not count:
            raise EOFError
        return count

    def acknowledge(self, position: Position) -> None:
        """Tell the receiver up to where everything is committed, as soon as there is room."""
        self._owed = pack(position)
        self.flush()

    def flush(self) -> bool:
        """Send what is owed, if there is room; whether nothing is owed any more."""
        if self._owed is not None and self._goes.poll(0):
            try:
                os.write(self.pipe.fileno(), self._owed)
            except OSError as error:
                if error.errno in (errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN):
                    return False
                # Where the receiver is gone, what it had sent is still to be read.
            self._owed = None
        return self._owed is None

    def close(self) -> None:
        """Close the pipe."""
        self.pipe.close()
