"""No-data alerts: messages come, and no rows come of them.

Nothing is lost then, and nothing fails: what is no row is kept among the rejects, and what no table
wants is left out on purpose. All the same it is mostly a mistake: a path that leads nowhere, a
condition that never holds, or a feed that has begun to send something else. So the log says it
after :data:`PATIENCE`, or at the end of a shorter run.

There is an alert for a table that gets no row, and

- it gets rejects instead, or
- no table of its feed has ever got anything, and messages come.

A feed that has brought rows before, and now brings what is ignored, is just quiet.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from fastingest.metrics.counters import Counters, Slot
from fastingest.model.feed import Feed
from fastingest.report.events import NoRows
from fastingest.runtime.assignment import SharedOutput
from fastingest.storage.names import beside
from fastingest.storage.ownership import open_own

__all__ = [
    "AGAIN",
    "PATIENCE",
    "PATIENCE_LATER",
    "NoDataAlert",
    "last_reason",
    "latest_reject",
    "watch",
]

PATIENCE = 10.0
"""Seconds without a row at a feed's beginning, until that is said."""

PATIENCE_LATER = 60.0
"""Seconds without a row at a table that has got rows before, until that is said."""

AGAIN = 3600.0
"""Seconds until the alert for a table is said again, while it still gets no row."""

_MAX_TAIL = 64 * 1024  # bytes of the rejects in which the last one is looked for


class NoDataAlert:
    """Watches one table of a feed.

    :param feed: the feed.
    :param number: which of its tables it is.
    :param shares: the outputs of all of its tables, in their order.
    """

    def __init__(self, feed: Feed, number: int, shares: Sequence[SharedOutput]) -> None:
        self._feed = feed
        self._number = number
        self._share = shares[number]
        self._tables = [share.counters.of(feed.name) for share in shares]
        self._table = self._tables[number]
        self._counted = (0, 0, 0)  # messages, rejects and ignored, when the latest row had come
        self._rows = 0
        self.said: str | None = None
        """The latest message of a new shape that has brought no row."""
        self._since: float | None = None
        self._quiet_until = 0.0

    def look(self, now: float) -> NoRows | None:
        """What there is to say, if there is anything.

        :param now: in seconds, by the monotonic clock.
        """
        if not self._is_dry():
            self._since = None
            return None
        if self._since is None:
            self._since = now
        patience = PATIENCE_LATER if self._rows else PATIENCE
        if now - self._since < patience or now < self._quiet_until:
            return None
        self._quiet_until = now + AGAIN
        return self._event()

    def end(self) -> NoRows | None:
        """The alert where there was no row in the whole run, and nothing has been said of that."""
        return self._event() if self._is_dry() and not (self._rows or self._quiet_until) else None

    def _is_dry(self) -> bool:
        """Whether something has come since the latest row that should have been one."""
        counts = self._counts()
        if self._table.rows_received != self._rows:
            self._rows, self._counted = self._table.rows_received, counts
        if counts[1] > self._counted[1]:
            return True
        # Said once for a feed, at its first table.
        return (
            not self._number and counts[0] > 0 and not any(t[Slot.RECEIVED] for t in self._tables)
        )

    def _counts(self) -> tuple[int, int, int]:
        ignored = sum(table[Slot.IGNORED] for table in self._tables)
        return self._table[Slot.DECODED], self._table[Slot.REJECTED], ignored

    def _event(self) -> NoRows:
        messages, rejected, ignored = (
            count - before for count, before in zip(self._counts(), self._counted, strict=True)
        )
        alert = NoRows(messages=messages, rejected=rejected, ignored=ignored)
        if not rejected:
            return replace(alert, problem=self._unmet(), said=self.said)
        reason, kept_in = latest_reject(self._share, self._table)
        return replace(alert, reason=reason, kept_in=kept_in)

    def _unmet(self) -> str:
        """What no message is."""
        if len(self._tables) > 1:
            return "none is for any of the tables"
        schema = self._feed.tables[0].schema
        wanted = list(map(str, schema.where))
        if str(schema.rows):
            wanted.append(f"rows at {schema.rows}")
        return f"none has {' and '.join(wanted)}" if wanted else "all are ignored"


def watch(
    feeds: Sequence[Feed], shares: Sequence[SharedOutput]
) -> Iterator[tuple[Feed, NoDataAlert]]:
    """Watches for all tables of all feeds of a run."""
    for feed in feeds:
        own = {
            number: share for share in shares for number in share.target.tables.get(feed.name, ())
        }
        outputs = [own[number] for number in range(len(feed.tables))]
        for number in range(len(feed.tables)):
            yield feed, NoDataAlert(feed, number, outputs)


def latest_reject(share: SharedOutput, table: Counters) -> tuple[str | None, str]:
    """Why the latest reject of a table is no row, as far as that is known; and where it is kept.

    :param table: the table's counters in that output.
    """
    out = share.target.path
    # The latest reject may be another feed's.
    is_alone = len(share.target.tables) == 1 and table[Slot.REJECTS_COMMITTED]
    return (last_reason(out) if is_alone else "") or None, str(beside(out, ".rejected.jsonl"))


def last_reason(out: Path) -> str:
    """Why the latest reject of an output is no row; empty where that cannot be read."""
    with contextlib.suppress(OSError, msgspec.DecodeError, AttributeError):
        with open(open_own(beside(out, ".rejected.jsonl"), os.O_RDONLY), "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _MAX_TAIL))
            line = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        return str(msgspec.json.decode(line).get("reason", ""))
    return ""
