"""Messages as the load generator sends them, and batches that a receiver makes of them.

No sockets: what is in a frame is handed to a decoder, or to the native reader, as a listener would.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.end_to_end import COLUMNS
from bench.frames import frames, members, records
from fastingest import Options
from fastingest.decode.factory import decoder_of
from fastingest.model.batch import Batch
from fastingest.model.feed import Feed

if TYPE_CHECKING:
    from fastingest.native._parser import RowParser

__all__ = ["Reading", "batch_of", "feed_of", "messages_of"]

BLOCK = 10_000  # rows after which they are the same again, as in bench.burst
TOGETHER = 1000  # messages that are decoded together in Python, as in a burst


def feed_of(shape: str, url: str = "ws://127.0.0.1/") -> Feed:
    """The feed of that shape, described as in :data:`bench.end_to_end.COLUMNS`."""
    arguments = COLUMNS[shape]
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    settings = dict(pairs)
    return Options(
        url=url,
        rows=settings.get("--rows"),
        where=tuple(value for name, value in pairs if name == "--where"),
        columns=settings.get("--columns"),
    ).feeds[0]


def messages_of(shape: str, count: int) -> list[bytes]:
    """So many messages of one of the :data:`bench.frames.SHAPES`."""
    made = records(min(count * members(shape), BLOCK), numbered=False)
    payloads = list(map(payload, frames(made, shape, columns=3, padding=0)))
    return [payloads[index % len(payloads)] for index in range(count)]


def payload(frame: bytes) -> bytes:
    """What is in a frame (RFC 6455, section 5.2)."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


class Reading:
    """Makes a batch of messages, by the native reader or in Python.

    The batch is closed by nothing but :meth:`take`: it must have no more bytes than one holds.
    """

    def __init__(self, feed: Feed, is_native: bool) -> None:
        self._decoder = decoder_of(feed, 10**9)
        self.parser: RowParser | None = None
        """What reads natively; None: nothing does."""
        if is_native:
            from fastingest.native.factory import parser_of  # which need not be there

            self.parser = parser_of(feed)
            assert self.parser is not None, "the native reader does not take this shape"
            self._decoder.tables[0].gather_in(self.parser.columns)

    def read(self, messages: list[bytes]) -> None:
        """Read messages that came together."""
        now = time.time_ns()
        if self.parser is None:
            closed = self._decoder.decode(messages, [(len(messages), now)])
        else:
            assert all(map(self.parser.parse, messages)), "the native reader is not certain"
            closed = self._decoder.tables[0].settle(now, None)
        assert not closed, "these are more bytes than a batch holds"

    def take(self) -> Batch:
        """Close the batch; it is the first of stream 1."""
        batch = self._decoder.tables[0].take()
        batch.stream = 1
        return batch


def batch_of(shape: str, rows: int, is_native: bool) -> Batch:
    """A batch of so many rows, in as many pieces as a burst makes of them."""
    reading = Reading(feed_of(shape), is_native)
    for part in parts(messages_of(shape, rows // members(shape)), TOGETHER):
        reading.read(part)
    batch = reading.take()
    assert (batch.rows, batch.rejects) == (rows, []), f"these are {batch.rows} rows, not {rows}"
    return batch


def parts(messages: Sequence[bytes], size: int) -> list[list[bytes]]:
    """The messages in lists of that size; the last one may be shorter."""
    return [list(messages[at : at + size]) for at in range(0, len(messages), size)]
