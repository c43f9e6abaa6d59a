"""Which feeds are read by the native listener.

It is for one table of a feed whose paths are a tree (:mod:`fastingest.native.parse_plan`). Nothing
of it is imported before it is asked for: it may not be there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastingest.decode.batch_builder import ColumnBuffers
from fastingest.model.feed import Feed
from fastingest.model.schema import Schema
from fastingest.native.parse_plan import plan_of
from fastingest.source.documents import Documents
from fastingest.source.intake import Intake
from fastingest.source.listener import FrameReader, Listener, MakeReader

if TYPE_CHECKING:
    from fastingest.native._parser import RowParser

__all__ = ["layout_problem", "parser_of", "reader_of", "reader_with"]


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
    parser = parser_of(feed)
    return None if parser is None else reader_with(parser, Documents.of(feed))


def reader_with(parser: RowParser, documents: Documents | None = None) -> MakeReader:
    """What reads messages natively with ``parser``.

    :param documents: what finds them in those that come; None: they are.
    """
    from fastingest.native._listener import NativeDocumentListener, NativeListener

    def make(
        listener: Listener, intake: Intake, max_message_size: int
    ) -> tuple[FrameReader, ColumnBuffers]:
        reader: FrameReader
        if documents is None:
            reader = NativeListener(listener, intake, parser, max_message_size)
        else:
            reader = NativeDocumentListener(listener, intake, parser, max_message_size, documents)
        return reader, parser.columns

    return make


def parser_of(feed: Feed) -> RowParser | None:
    """What makes rows of a feed's messages natively; None: only Python can.

    That is also where a message that shall be ignored would be a row, or several that are left out:
    what is read natively is not compared with these.
    """
    from fastingest.native._parser import RowParser

    if len(feed.tables) != 1:
        return None
    (table,) = feed.tables
    plan = plan_of(table.schema)
    if plan is None:
        return None
    plainer = plan_of(_without_remembered(table.schema)) if feed.ignore else plan
    if plainer is None:
        return None
    trial = RowParser(plainer)
    for text in feed.ignore:
        ignored = trial.ignored
        trial.parse(text.encode())
        if trial.columns.rows or trial.ignored - ignored > 1:
            return None
    return RowParser(plan)


def _without_remembered(schema: Schema) -> Schema:
    """A table that takes any message that this one may take, whatever is remembered then."""
    columns = tuple(
        replace(
            each, type="json", path=each.path._replace(steps=each.path.split[0]), required=False
        )
        if each.path is not None and each.path.split[1]
        else each
        for each in schema.columns
    )
    where = tuple(each for each in schema.where if not each.path.split[1])
    return replace(schema, columns=columns, where=where)
