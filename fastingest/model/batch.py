"""A batch: rows as columns, on their way from a receiver to the writer.

The pair (stream, sequence) names a batch of an output for good: a *stream* is one life of one
receiver, named by when it began in nanoseconds since the epoch, and later than all before it;
sequence numbers count from 0 within it. Receivers that work side by side each have a *partition*,
which is part of the stream's number (:func:`partition_of`). So the pairs of a partition's batches,
as tuples, are in the order in which their rows belong into the file, and one pair for each
partition says what is written and what is not. Messages that are no rows travel in the batch of
their neighbours, so that nothing overtakes anything and one acknowledgement covers both.

A batch says of itself what its columns are, and of which feed it is, by the feed's name. So it can
be written by a later run whose feeds are others, or described otherwise. Its rows come in
*segments*, runs as they were decoded; what is in one: :mod:`fastingest.model.chunks`. The wire form
is one msgpack array, made and read here and nowhere else. It begins with a name that stands for
this form, so that what another version of the program has left in a spool is told from it. That of
the version before is read, others are refused. To read it copies nothing of the rows: the segments
are views into it, and keep it alive.

Something may be wrong in a wire form although its checksum is right. Then
:func:`read_batch` makes one of it that says no more than what stands at its beginning, and why it
cannot be written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from fastingest.model.chunks import Buffer, Chunk, cells, decode

__all__ = [
    "PARTITIONS",
    "Batch",
    "Layout",
    "Position",
    "Reject",
    "check_batch",
    "is_of_other_version",
    "partition_of",
    "read_batch",
]

PARTITIONS = 64
"""The most receivers that work side by side."""


def partition_of(stream: int) -> int:
    """Which of the receivers that work side by side a stream is of, from 0."""
    return stream % PARTITIONS


class Position(NamedTuple):
    """The name of a batch. Later ones of its partition are greater."""

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
    """What a batch's columns are, in the file's order (:class:`fastingest.model.schema.Column`)."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    feed: str
    """The feed's name."""


@dataclass
class Batch:
    """Rows and rejects of one table of one feed, in the order received.

    :param rows: how many rows there are.
    :param segments: the rows, in runs as they were decoded; see :mod:`fastingest.model.chunks`.
    :param layout: what their columns are.
    :param stamps: pairs (end, time): the rows before ``end``, from where the pair before ended,
        came at ``time``, in nanoseconds since the epoch. The last ``end`` is ``rows``.
    :param connections: pairs (start, number): the rows from ``start`` on came by this connection of
        the feed.
    :param first: the number of its first row among the feed's rows in this output, from 1.
    :param rejects: what was no row.
    :param stream: the receiver's stream id; the outbox sets it.
    :param sequence: the batch's number within the stream; the outbox sets it.
    :param table: which of the feed's tables it is of; not part of the wire form.
    :param damage: why it cannot be read, if so; not part of the wire form.
    :param read_from: the wire form that it was read from, if it was.
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
    table: int = field(default=0, compare=False)
    damage: str = field(default="", compare=False)
    read_from: Buffer | None = field(default=None, compare=False, repr=False)

    @property
    def position(self) -> Position:
        """Its name."""
        return Position(self.stream, self.sequence)

    @property
    def feed(self) -> str:
        """The name of its feed; empty where that cannot be read."""
        return self.layout.feed

    @property
    def count(self) -> int:
        """Rows and rejects."""
        return self.rows + len(self.rejects)

    def chunks(self) -> list[tuple[Chunk, ...]]:
        """For each column that is no metadata, its chunks, one of each segment; [] without rows."""
        return list(zip(*map(decode, self.segments), strict=True))

    def columns(self) -> list[list[Any]]:
        """The rows' cells: a list for each column that is no metadata; [] without rows."""
        return [[cell for chunk in column for cell in cells(chunk)] for column in self.chunks()]

    @property
    def wire(self) -> Buffer:
        """The wire form: that which it was read from, if it was."""
        return self.to_bytes() if self.read_from is None else self.read_from

    def to_bytes(self) -> bytes:
        """The wire form."""
        return _encode(
            _Wire(
                self.stream,
                self.sequence,
                self.rows,
                self.layout.feed,
                self.layout.names,
                self.layout.types,
                self.segments,
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
        try:
            wire = _decode(data)
        except UnicodeDecodeError as error:  # in the name of the form
            raise msgspec.DecodeError(str(error)) from None
        is_before = isinstance(wire, _WireBefore)
        return cls(
            wire.rows,
            wire.segments,
            wire.layout if is_before else Layout(wire.names, wire.types, wire.feed),
            wire.stamps,
            wire.connections,
            wire.first,
            wire.rejects,
            wire.stream,
            wire.sequence,
            read_from=data,
        )


_NAME, _NAME_BEFORE = "fastingest batch 3", "fastingest batch 2"


class _Wire(msgspec.Struct, array_like=True, tag=_NAME):
    """What of a batch is in its wire form. Another form needs another tag."""

    stream: int
    sequence: int
    rows: int
    feed: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    segments: list[Buffer]
    stamps: list[tuple[int, int]]
    connections: list[tuple[int, int]]
    first: int
    rejects: list[Reject]


class _WireBefore(msgspec.Struct, array_like=True, tag=_NAME_BEFORE):
    """The form before, which has the feed's index in its run beside its name."""

    stream: int
    sequence: int
    index: int
    rows: int
    segments: list[Buffer]
    layout: Layout
    stamps: list[tuple[int, int]]
    connections: list[tuple[int, int]]
    first: int
    rejects: list[Reject]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wire | _WireBefore).decode


# What cannot be read

_BEGINNING = b"\x9c\xb2" + _NAME.encode()
"""Of the wire form: an array of twelve, the first of which is the name."""

_BEGINNING_BEFORE = b"\x9b\xb2" + _NAME_BEFORE.encode()

_OTHER = re.compile(rb"[\x90-\x9f][\xa0-\xbf]fastingest batch |\x9a[\x00-\x7f\xcc-\xcf]")
"""How those of other versions begin; that of the first had no name, but the stream's number."""

_SIZES = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
"""Bytes of an integer, by the one in front of it; one of less than 128 has none in front."""


def check_batch(batch: Batch, *, is_of_run: bool) -> None:
    """See that what a batch says of itself can be true.

    :param is_of_run: whether its feed is one of the run's.
    :raises ValueError: it cannot; the message says what.
    """
    if batch.damage:
        raise ValueError(batch.damage)
    if not is_of_run:
        raise ValueError(f"it is of the feed {batch.feed!r}, which the run has not")
    ends = [0, *(end for end, _ in batch.stamps)]
    if ends != sorted(ends) or ends[-1] != batch.rows:
        raise ValueError(f"it has {batch.rows} rows, and times of {ends[-1]}")
    times = [*(time for _, time in batch.stamps), *(reject.time for reject in batch.rejects)]
    if not all(0 <= time < 2**63 for time in times):
        raise ValueError("it was received at no time")


def is_of_other_version(data: Buffer) -> bool:
    """Whether it is the wire form of a version of fastingest that is not read here."""
    start = bytes(data[:32])
    is_known = start.startswith((_BEGINNING, _BEGINNING_BEFORE))
    return not is_known and _OTHER.match(start) is not None


def read_batch(data: Buffer, position: Position, *, is_exact: bool) -> Batch:
    """The batch in a wire form, or what can be said of it.

    :param position: its name.
    :param is_exact: whether that is known; otherwise it may as well be a later one of the stream.
    """
    try:
        batch = Batch.from_bytes(data)
    except msgspec.DecodeError as error:
        return _salvaged(data, position, is_exact, str(error))
    found = batch.position
    if found != position and (is_exact or found < position or found.stream != position.stream):
        problem = f"it calls itself batch {found.sequence} of stream {found.stream}"
        return _salvaged(data, position, is_exact, problem)
    return batch


def _salvaged(data: Buffer, position: Position, is_exact: bool, damage: str) -> Batch:
    """What stands for a batch that cannot be read: it has as many rows as that says."""
    rows, feed, (stream, sequence) = 0, "", position
    said = _said_in(data)
    if said and said[0] == stream and (not is_exact or said[1] == sequence):
        sequence, rows, feed = max(sequence, said[1]), said[2], said[3]
    batch = Batch(rows, [], Layout((), (), feed), stream=stream, sequence=sequence)
    batch.damage, batch.read_from = damage, data
    return batch


def _said_in(data: Buffer) -> tuple[int, int, int, str] | None:
    """Stream, sequence, rows and feed, where they stand at the beginning; None where not."""
    if bytes(data[: len(_BEGINNING)]) != _BEGINNING:
        return None
    numbers: list[int] = []
    offset = len(_BEGINNING)
    while len(numbers) < 3:
        start = bytes(data[offset : offset + 9])
        size = _SIZES.get(start[0], 0) if start else 0
        if not start or (not size and start[0] >= 128):
            return None
        body = start[1 : 1 + size] if size else start[:1]
        numbers.append(int.from_bytes(body, "big"))
        offset += 1 + size
    head = bytes(data[offset : offset + 5])
    size, begin = _text_size(head)
    text = bytes(data[offset + begin : offset + begin + size])
    try:
        feed = text.decode() if begin and len(text) == size else ""
    except UnicodeDecodeError:
        feed = ""
    return numbers[0], numbers[1], numbers[2], feed


def _text_size(head: bytes) -> tuple[int, int]:
    """Bytes of a text, and of what stands in front of it; (0, 0): it is no text."""
    if head[:1] and 0xA0 <= head[0] <= 0xBF:
        return head[0] - 0xA0, 1
    count = {0xD9: 1, 0xDA: 2, 0xDB: 4}.get(head[0], 0) if head else 0
    return (int.from_bytes(head[1 : 1 + count], "big"), 1 + count) if count else (0, 0)
