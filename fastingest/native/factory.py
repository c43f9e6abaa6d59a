"""Which feeds are read by the native listener.

It is for one table of a feed whose paths are a tree (:mod:`fastingest.native.parse_plan`). Nothing
of it is imported before it is asked for: it may not be there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastingest.decode.batch_builder import ColumnBuffers
from fastingest.model.feed import Feed
from fastingest.native.parse_plan import nodes_of
from fastingest.source.intake import Intake
from fastingest.source.listener import FrameReader, Listener, MakeReader

if TYPE_CHECKING:
    from fastingest.native._parser import Rows

__all__ = ["layout_problem", "reader_of", "reader_with", "rows_of"]


def layout_problem() -> str | None:
    """Why picows' objects are not those that the native listener was compiled for; None: they are.

    Their version is the right one, but somebody may have built picows with changes of his own.
    """
    try:
        from fastingest.native._listener import check

        check()
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        return str(error)
    return None


def reader_of(feed: Feed) -> MakeReader | None:
    """What reads a feed's messages natively; None: only Python can."""
    rows = rows_of(feed)
    return None if rows is None else reader_with(rows)


def reader_with(rows: Rows) -> MakeReader:
    """What reads messages natively with ``rows``."""
    from fastingest.native._listener import NativeListener

    def make(
        listener: Listener, intake: Intake, max_message_size: int
    ) -> tuple[FrameReader, ColumnBuffers]:
        reader = NativeListener(listener, intake, rows, max_message_size)
        return reader, rows.columns

    return make


def rows_of(feed: Feed) -> Rows | None:
    """What makes rows of a feed's messages natively; None: only Python can.

    That is also where a message that shall be ignored would be a row, or several that are left out:
    what is read natively is not compared with these.
    """
    from fastingest.native._parser import Rows

    if len(feed.tables) != 1:
        return None
    (table,) = feed.tables
    nodes = nodes_of(table.schema)
    if nodes is None:
        return None
    trial = Rows(nodes)
    for text in feed.ignore:
        ignored = trial.ignored
        trial.parse(text.encode())
        if trial.columns.rows or trial.ignored - ignored > 1:
            return None
    return Rows(nodes)
