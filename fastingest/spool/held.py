"""What an outbox holds: batches, and the segments that they are kept in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from fastingest.spool.segment import HEADER_SIZE

__all__ = ["Held", "Place", "Segment"]


class Place(Enum):
    """Where a segment is."""

    MEMORY = auto()
    MOVING = auto()  # in memory, and on its way to the disk
    DISK = auto()
    GONE = auto()  # given back


@dataclass(eq=False)
class Segment:
    """Batches that are kept, moved and given back together.

    :param number: counts up within the stream.
    :param first: the sequence number of its first batch.
    """

    number: int
    first: int
    size: int = HEADER_SIZE
    """Bytes, as a file."""
    last: int = -1
    """The sequence number of its last batch so far."""
    sealed: bool = False
    place: Place = Place.MEMORY


class Held(NamedTuple):
    """A batch that is held: ``size`` bytes from ``offset`` on in its segment are its wire form."""

    sequence: int
    segment: Segment
    offset: int
    size: int
    rows: int
    """Rows and rejects in it."""
    feed: str = ""
    """The name of the feed whose they are."""
