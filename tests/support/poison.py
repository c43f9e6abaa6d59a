"""Batches in which something is wrong although their checksum is right; as long as they were."""

from __future__ import annotations

import struct

from fastingest.model.batch import Batch
from fastingest.model.chunks import Chunk, encode
from fastingest.spool import segment

__all__ = ["POISONS", "poison", "poison_in"]

POISONS = ("undecodable", "raising", "killing")
"""What is no batch; whose columns are none; of which the writer dies, by a segmentation fault."""

_NEVER_USED = b"\xc1"  # in msgpack


def poison(wire: bytes, how: str) -> bytes:
    """A wire form of trades as one that cannot be written; its name and its rows stay."""
    batch = Batch.from_bytes(wire)
    if how == "undecodable":
        feed = batch.feed.encode()
        end = wire.index(feed) + len(feed)  # of what says whose it is, and how many rows
        return wire[:end] + _NEVER_USED * (len(wire) - end)
    if how == "raising":
        for each in map(bytes, batch.segments):
            wire = wire.replace(each, _NEVER_USED * len(each))
        return wire
    for filler in range(len(wire)):
        made = _killing(batch, filler).to_bytes()
        if len(made) >= len(wire):
            break
    assert len(made) == len(wire)
    return made


def _killing(batch: Batch, filler: int) -> Batch:
    """Its rows with a column of text whose first cell ends far away.

    :param filler: bytes that the text has besides.
    """
    rows = batch.rows
    ends = struct.pack(f"<{rows + 1}i", 0, 2**30, *[1] * (rows - 1))
    text = Chunk("text", rows, bytes(1 + filler), ends)
    small = Chunk("cells", rows, b"\xdd" + struct.pack(">I", rows) + b"\x01" * rows)
    return Batch(
        rows,
        [encode([text, small, small])],
        batch.layout,
        batch.stamps,
        batch.connections,
        batch.first,
        batch.rejects,
        batch.stream,
        batch.sequence,
    )


def poison_in(data: bytes, number: int, how: str) -> tuple[int, bytes]:
    """What to write over a segment's batch: the offset, and the bytes.

    :param number: which of its batches.
    """
    found = list(segment.read(data)[1])[number]
    wire = poison(data[found.start : found.end], how)
    return found.start - segment.RECORD_SIZE, segment.record(found.sequence, wire) + wire
