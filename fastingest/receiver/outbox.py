"""What the writer has not acknowledged yet: a plain state machine with no I/O.

Theory of operation. A batch that is added gets the stream's next sequence number and its wire form,
and stays here until the writer says that it is committed. Acknowledgements come in order and stand
for everything before them as well. The outbox is *full* from ``limit`` bytes up, and has *room*
again at half of it; between the two marks nothing changes, so that a writer who is just too slow
does not make the receiver stop and start with every batch. Who adds to a full outbox is served all
the same (what has been received must go somewhere): the bound holds because the sockets are not
read while it is full, and what a read brings is bounded.

Nothing here knows that the transport is a pipe.
"""

from __future__ import annotations

from collections import deque

from fastingest.batch import Batch

__all__ = ["Outbox"]


class Outbox:
    """The unacknowledged batches of one stream.

    :param stream: the stream's id.
    :param limit: the bytes from which on it is full.
    """

    def __init__(self, stream: int, limit: int) -> None:
        self.stream = stream
        self.limit = limit
        self.bytes = 0
        """Bytes of wire form held."""
        self.peak = 0
        """The most that it ever held."""
        self.is_full = False
        self._next = 0
        self._held: deque[tuple[int, int]] = deque()  # (sequence, bytes)

    def __len__(self) -> int:
        return len(self._held)

    def add(self, batch: Batch) -> bytes:
        """Number the batch, hold it, and return its wire form for sending."""
        batch.stream, batch.sequence = self.stream, self._next
        wire = batch.to_bytes()
        self._next += 1
        self._held.append((batch.sequence, len(wire)))
        self.bytes += len(wire)
        self.peak = max(self.peak, self.bytes)
        self.is_full = self.is_full or self.bytes >= self.limit
        return wire

    def acknowledge(self, sequence: int) -> None:
        """Let go of the batch ``sequence`` and of all before it.

        :raises ValueError: no such batch is held, so the two sides do not agree.
        """
        if not self._held or not self._held[0][0] <= sequence < self._next:
            raise ValueError(f"batch {sequence} was acknowledged and is not in the outbox")
        while self._held and self._held[0][0] <= sequence:
            self.bytes -= self._held.popleft()[1]
        if self.bytes <= self.limit // 2:
            self.is_full = False
