"""A batch: rows as columns, on their way from a receiver to the writer.

The pair (stream, sequence) names a batch of an output for good: a *stream* is one life of one
receiver, named by when it began in nanoseconds since the epoch, and later than all before it;
sequence numbers count from 0 within it. Receivers that work side by side each have a *lane*, which
is part of the stream's number (:func:`lane_of`). So the pairs of a lane's batches, as tuples, are
in the order in which their rows belong into the file, and one pair for each lane says what is
written and what is not. Messages that are no rows travel in the batch of their neighbours, so that
nothing overtakes anything and one acknowledgement covers both.

A batch says of itself what its columns are, so that it can be written by a later run whose feeds
are described otherwise. Its rows come in *segments*, runs as they were decoded; what is in one:
:mod:`fastingest.columns`. The wire form is one msgpack array, made and read here and nowhere else.
It begins with a name that stands for this form, so that what another version of the program has
left in a spool is told from it, and refused. To read it copies nothing of the rows: the segments
are views into it, and keep it alive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from fastingest.columns import Buffer, Piece, cells, decode

__all__ = ["LANES", "Batch", "Layout", "Position", "Reject", "lane_of"]

LANES = 64
"""The most receivers that work side by side."""


def lane_of(stream: int) -> int:
    """Which of the receivers that work side by side a stream is of, from 0."""
    return stream % LANES


class Position(NamedTuple):
    """The name of a batch. Later ones of its lane are greater."""

    stream: int
    sequence: int


class Reject(NamedTuple):
    """A message, or an element of an array of records, that is no row."""

    time: int
    """When it was received, in nanoseconds since the epoch."""
    reason: str
    """Why it is no row."""
    raw: bytes
    """Its bytes as they were received."""


class Layout(NamedTuple):
    """What a batch's columns are, in the file's order; see :class:`fastingest.schema.Column`."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    feed: str
    """The feed's name."""


@dataclass
class Batch:
    """Rows and rejects of one table of one feed, in the order received.

    :param rows: how many rows there are.
    :param segments: the rows, in runs as they were decoded; see :mod:`fastingest.columns`.
    :param layout: what their columns are.
    :param stamps: pairs (end, time): the rows before ``end``, from where the pair before ended,
        came at ``time``, in nanoseconds since the epoch. The last ``end`` is ``rows``.
    :param connections: pairs (start, number): the rows from ``start`` on came by this connection of
        the feed.
    :param first: the number of its first row among the feed's rows in this output, from 1.
    :param rejects: what was no row.
    :param stream: the receiver's stream id; the outbox sets it.
    :param sequence: the batch's number within the stream; the outbox sets it.
    :param feed: the feed's index.
    :param table: which of the feed's tables it is of; not part of the wire form.
    """

    rows: int
    segments: list[Buffer]
    layout: Layout
    stamps: list[tuple[int, int]] = field(default_factory=list)
    connections: list[tuple[int, int]] = field(default_factory=list)
    first: int = 1
    rejects: list[Reject] = field(default_factory=list)
    stream: int = 0
    sequence: int = 0
    feed: int = 0
    table: int = field(default=0, compare=False)

    @property
    def position(self) -> Position:
        """Its name."""
        return Position(self.stream, self.sequence)

    @property
    def count(self) -> int:
        """Rows and rejects."""
        return self.rows + len(self.rejects)

    def pieces(self) -> list[tuple[Piece, ...]]:
        """For each column that is not our own, its pieces, one of each segment; [] without rows."""
        return list(zip(*map(decode, self.segments), strict=True))

    def columns(self) -> list[list[Any]]:
        """The rows' cells: a list for each column that is not our own; [] without rows."""
        return [[cell for piece in column for cell in cells(piece)] for column in self.pieces()]

    def to_bytes(self) -> bytes:
        """The wire form."""
        return _encode(
            _Wire(
                self.stream,
                self.sequence,
                self.feed,
                self.rows,
                self.segments,
                self.layout,
                self.stamps,
                self.connections,
                self.first,
                self.rejects,
            )
        )

    @classmethod
    def from_bytes(cls, data: Buffer) -> Batch:
        """The batch that :meth:`to_bytes` made ``data`` of.

        :raises msgspec.DecodeError: it is no wire form of a batch, or that of another version.
        """
        wire = _decode(data)
        return cls(
            wire.rows,
            wire.segments,
            wire.layout,
            wire.stamps,
            wire.connections,
            wire.first,
            wire.rejects,
            wire.stream,
            wire.sequence,
            wire.feed,
        )


class _Wire(msgspec.Struct, array_like=True, tag="fastingest batch 2"):
    """What of a batch is in its wire form. Another form needs another tag."""

    stream: int
    sequence: int
    feed: int
    rows: int
    segments: list[Buffer]
    layout: Layout
    stamps: list[tuple[int, int]]
    connections: list[tuple[int, int]]
    first: int
    rejects: list[Reject]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wire).decode
