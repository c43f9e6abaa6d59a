"""Batches and entries of the journal, as tests of several rooms want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastingest.model.batch import Batch, Layout, Reject
from fastingest.model.chunks import segment_of
from fastingest.model.schema import TRADES
from fastingest.storage.journal import Entry

__all__ = ["LAYOUT", "make_batch", "make_entry"]

LAYOUT = Layout(TRADES.names, TRADES.types, "feed")


def make_batch(
    rows: int | Sequence[Sequence[Any]],
    *,
    rejects: Sequence[Reject] = (),
    received: int = 1,
    stream: int = 0,
    sequence: int = 0,
    feed: str = "feed",
) -> Batch:
    """A batch of trades, of one connection.

    :param rows: its rows, of three cells each; or how many there are, in a batch without columns
        for those who do not read them.
    :param received: when all of them came, in nanoseconds since the epoch.
    """
    count = rows if isinstance(rows, int) else len(rows)
    cells = [] if isinstance(rows, int) else [list(column) for column in zip(*rows, strict=True)]
    return Batch(
        count,
        [segment_of(cells, TRADES.types)] if cells else [],
        LAYOUT._replace(feed=feed),
        [(count, received)] if count else [],
        [(0, 1)] if cells else [],
        rejects=list(rejects),
        stream=stream,
        sequence=sequence,
    )


def make_entry(
    run: int,
    *,
    written: int = 0,
    rejected: int = 0,
    received: tuple[int, int] = (0, 0),
    feed: str = "feed",
    **fields: int,
) -> Entry:
    """An entry of a run in which all comes from one feed.

    :param received: when the first and the last of its rows came.
    :param fields: others of the entry.
    """
    first, last = received
    return Entry(
        run=run,
        written=written,
        rejected=rejected,
        first_received=first,
        last_received=last,
        feed=feed,
        feed_written=written,
        feed_rejected=rejected,
        **fields,
    )
