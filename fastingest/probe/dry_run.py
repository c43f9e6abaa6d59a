"""A proposal tried on the messages that it was made from, by the decoder that captures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastingest.decode.factory import decoder_of
from fastingest.model.feed import Feed, Table
from fastingest.model.schema import TRADES
from fastingest.probe.proposal import Proposal

__all__ = ["DryRun", "dry_run"]


@dataclass(frozen=True)
class DryRun:
    """What became of the messages that a proposal was tried on.

    :param rejected: messages, or elements of arrays of rows.
    :param reason: of the first reject; empty: there is none.
    """

    rows: int
    ignored: int
    rejected: int
    reason: str


def dry_run(proposal: Proposal, messages: Sequence[bytes]) -> DryRun | None:
    """Decode ``messages`` as the proposal says; None: it proposes nothing."""
    if not (proposal.tables or proposal.is_default):
        return None
    schemas = [table.schema for table in proposal.tables] or [TRADES]
    tables = tuple(Table(Path(), schema) for schema in schemas)
    feed = Feed(name="", url="", tables=tables, ignore=proposal.ignore)
    decoder = decoder_of(feed, batch_size=1_000_000)
    aside = proposal.side.taken(messages)
    left = [
        message
        for index, message in enumerate(messages)
        if index not in aside or decoder.fate_of(message) == "row"
    ]
    batches = decoder.decode(left, [(len(left), 0)]) + decoder.take()
    rejects = [reject for batch in batches for reject in batch.rejects]
    ignored = decoder.ignored + len(messages) - len(left)
    return DryRun(decoder.rows, ignored, len(rejects), rejects[0].reason if rejects else "")
