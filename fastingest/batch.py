"""A batch: rows as columns, on their way from a receiver to the writer.

The pair (stream, sequence) names a batch for good: a *stream* is one life of one receiver, a random
63-bit number; sequence numbers count from 0 within it. Messages that are no rows travel in the
batch of their neighbours, so that nothing overtakes anything and one acknowledgement covers both.

The wire form is one msgpack array, made and read here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

__all__ = ["Batch", "Reject"]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Reject(NamedTuple):
    """A message, or an element of an array of records, that is no row."""

    time: int
    """When it was received, in nanoseconds since the epoch."""
    reason: str
    """Why it is no row."""
    raw: bytes
    """Its bytes as they were received."""


@dataclass
class Batch:
    """Rows and rejects of one feed, in the order received.

    :param columns: one list for each column of the schema, all of one length.
    :param stamps: pairs (end, time): the rows before ``end``, and not before the pair before it,
    were
        received at ``time``, in nanoseconds since the epoch. The last ``end`` is the number of
        rows.
    :param rejects: what was no row.
    :param stream: the receiver's stream id; the outbox sets it.
    :param sequence: the batch's number within the stream; the outbox sets it.
    :param feed: the feed's index.
    """

    columns: Sequence[list[Any]]
    stamps: list[tuple[int, int]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    stream: int = 0
    sequence: int = 0
    feed: int = 0

    def __len__(self) -> int:
        return len(self.columns[0])

    def to_bytes(self) -> bytes:
        """The wire form."""
        return _encode(
            (self.stream, self.sequence, self.feed, self.columns, self.stamps, self.rejects)
        )

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Batch:
        """The batch that :meth:`to_bytes` made ``data`` of.

        :raises msgspec.DecodeError: it is no wire form of a batch.
        """
        stream, sequence, feed, columns, stamps, rejects = _decode(data)
        return cls(columns, stamps, [Reject(*r) for r in rejects], stream, sequence, feed)
