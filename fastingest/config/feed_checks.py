"""What is refused of feeds once all that describes them is put together."""

from __future__ import annotations

from collections.abc import Sequence

from fastingest.config.spec import FeedSpec
from fastingest.errors import OptionError
from fastingest.model.feed import Feed, remembered_in
from fastingest.model.schema import Schema

__all__ = ["check_remembered", "check_stale", "columns_of"]


def columns_of(schema: Schema) -> list[str]:
    """The names of the columns that come from the feed."""
    return [column.name for column in schema.columns if not column.is_metadata]


def check_remembered(
    specs: Sequence[FeedSpec], feeds: Sequence[Feed], given: Sequence[str]
) -> None:
    """Refuse paths into messages that nothing has remembered.

    :param given: those of the options ``columns`` and ``where`` that take the place of a file's.
    :raises OptionError, ConfigError: there are such paths.
    """
    for spec, feed in zip(specs, feeds, strict=True):
        if feed.remember is None and remembered_in(table.schema for table in feed.tables):
            problem = (
                "|remembered goes into a message that the feed remembers, and none is; its file "
                'may say remember = {when = ["$.event=subscribed"], key = "$.chanId"}'
            )
            raise OptionError(given[0], problem) if given else spec.error("columns", problem)


def check_stale(feeds: Sequence[Feed], stale_by: str | None, when_stale: str | None) -> None:
    """Refuse what options say of the stale where nothing can be.

    :raises OptionError: they do.
    """
    said = [name for name, value in (("stale_by", stale_by), ("when_stale", when_stale)) if value]
    if said and all(feed.stale_after is None for feed in feeds):
        raise OptionError(said[0], "goes with --stale-after, which says when something is stale")
    columns = [
        column for feed in feeds for table in feed.tables for column in columns_of(table.schema)
    ]
    if stale_by and stale_by not in columns:
        there = ", ".join(dict.fromkeys(columns))
        problem = f"no table has a column {stale_by!r} from the feed; there are {there}"
        raise OptionError("stale_by", problem)
