"""A proposal tried on the messages that it was made from, by the decoder that captures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastingest.model.feed import Feed, Subscription, Table
from fastingest.model.schema import TRADES
from fastingest.probe.proposal import Proposal
from fastingest.trial.trial import try_messages

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
    side = proposal.side
    feed = Feed(
        name="",
        url="",
        tables=tables,
        subscriptions=tuple(Subscription("", reply) for reply in side.replies),
        ignore=proposal.ignore,
        refused=(*side.refused, *side.guessed),
        answers=side.answers,
    )
    trial = try_messages(feed, enumerate(messages, 1), show=1)
    reason = trial.rejects[0].reason if trial.rejects else ""
    return DryRun(trial.rows, trial.ignored, trial.rejected, reason)
