"""What the runs of a trial have left, held against what the feeds sent and what was done.

What must hold is said in :mod:`tests.faults.trial`; whatever does not is a :class:`Fault`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec

from fastingest.errors import UsageError
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.ledger import read_entries
from fastingest.storage.names import beside
from fastingest.verify.report import report_text
from fastingest.verify.verify import verify
from tests.faults.fault import Fault
from tests.faults.shim import LEDGER_TORN, Call
from tests.faults.small_feed import Served, SmallFeed, numbered

__all__ = ["BATCH_SIZE", "Files", "History", "Remains"]

BATCH_SIZE = 10
"""Rows in a batch at most."""
MAY_BE_LOST = 0.5
"""Seconds of rows that a receiver may take with it: some flush intervals, on a busy machine."""

_DEADLY = ("kill", "after", "group", "tear")


class Files:
    """Where things are.

    :param folder: of the output; nothing else is in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out.csv"
        self.moved = folder / "moved.csv"
        """Where somebody moves it to."""
        self.rejects = beside(self.out, ".rejected.jsonl")
        self.spool = SpoolDirectories.of(self.out).spool

    @property
    def messages(self) -> int:
        """How many messages there are in the files."""
        count = 0
        for path in (self.moved, self.out, self.rejects):
            with contextlib.suppress(FileNotFoundError):
                count += path.read_bytes().count(b"\n") - (path != self.rejects)
        return count


@dataclass
class History:
    """What was done to the runs, as far as it allows of anything."""

    receiver_died: bool = False
    writer_died: bool = False
    could_not_cut: bool = False
    wrote_halves: bool = False

    def note(self, calls: Sequence[Call]) -> None:
        """Something was done to these."""
        for call in calls:
            is_deadly = call.action in _DEADLY
            is_groups = call.action == "group"
            self.receiver_died |= is_groups or (is_deadly and call.role == "receiver")
            self.writer_died |= is_groups or (is_deadly and call.role == "writer")
            is_failed = not is_deadly and call.action not in ("-", "short")
            self.could_not_cut |= is_failed and call.name.startswith("ftruncate")
            self.wrote_halves |= call.action in ("tear", "short")


class Remains:
    """What is left when all runs are over."""

    def __init__(self, files: Files, feeds: Sequence[SmallFeed], history: History) -> None:
        self._files = files
        self._feeds = feeds
        self._history = history

    def check(self) -> None:
        """See that all is as it must be.

        :raises Fault: something is not.
        """
        found = self._rows()
        for feed, rows in zip(self._feeds, found, strict=True):
            _check_order(feed, rows)
        rejects = self._rejected()
        lost = 0
        for feed, rows in zip(self._feeds, found, strict=True):
            present = {*rows, *(number for symbol, number in rejects if symbol == feed.symbol[:20])}
            for served in feed.connections:
                lost += self._check_connection(feed, served, present)
        self._check_ledger(sum(map(len, found)), len(rejects), lost)
        self._check_files(bool(rejects))

    def _rows(self) -> list[list[int]]:
        """The rows of each feed, in order."""
        moved = (
            self._rows_in(self._files.moved)
            if self._files.moved.exists()
            else [[] for _ in self._feeds]
        )
        found = self._rows_in(self._files.out)
        if self._in_both_is_right:
            for before, after in zip(moved, found, strict=True):
                while after and after[0] in before[-BATCH_SIZE:]:
                    del after[0]
        return [before + after for before, after in zip(moved, found, strict=True)]

    @property
    def _in_both_is_right(self) -> bool:
        """Whether a batch may be in the file that was moved, or half of it, and in the new one.

        That of a writer that was killed, or could not cut it off, as the README says.
        """
        history = self._history
        return (history.writer_died or history.could_not_cut) and self._files.moved.exists()

    def _rows_in(self, path: Path) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in self._feeds]
        indices = {feed.symbol: index for index, feed in enumerate(self._feeds)}
        header, *lines = path.read_text().split("\n")
        is_torn = lines[-1:] != [""] and not (path == self._files.moved and self._in_both_is_right)
        if header != "symbol,price,volume" or is_torn:
            raise Fault(f"{path} has the header {header!r}, and ends with {lines[-1:]}")
        for line in lines[:-1]:
            symbol, _, number = line.split(",") if line.count(",") == 2 else ("", "", "")
            index = indices.get(symbol)
            if index is None or not number.isdigit():
                raise Fault(f"{path}: {line[:200]!r} is no row")
            if line != self._feeds[index].line_of(int(number)):
                raise Fault(f"{path}: {line[:200]!r} is no row of the feed")
            found[index].append(int(number))
        return found

    def _rejected(self) -> set[tuple[str, int]]:
        """The feed and the number of each reject."""
        found: set[tuple[str, int]] = set()
        with contextlib.suppress(FileNotFoundError):
            for line in self._files.rejects.read_bytes().splitlines():
                try:
                    text = msgspec.json.decode(line)["text"]
                    reject = msgspec.json.decode(text)["no row"], numbered(text)
                except (ValueError, KeyError, TypeError):
                    raise Fault(f"among the rejects: {line[:300]!r}") from None
                if reject in found and not self._in_both_is_right:
                    raise Fault(f"among the rejects twice: {line[:300]!r}")
                found.add(reject)
        return found

    def _check_connection(self, feed: SmallFeed, served: Served, present: set[int]) -> int:
        """How many are missing of those that the client has read."""
        numbers = range(served.first, served.end)
        there = [number in present for number in numbers]
        count = sum(there)
        if not all(there[:count]):
            hole = numbers[there.index(False)]
            raise Fault(f"{feed.symbol[:20]}: {hole} is missing in the middle of {numbers}")
        read = served.read - served.first
        if count >= read:
            return 0
        what = f"{feed.symbol[:20]}: {count} of {read} read messages from {served.first} on"
        if not self._history.receiver_died:
            raise Fault(f"{what} are there, and no receiver was killed")
        old = [end for end, at in served.sent_at.items() if at < served.broken_at - MAY_BE_LOST]
        if old and served.first + count < min(max(old), served.read):
            raise Fault(f"{what} are there; the others were too old to be lost")
        return read - count

    def _check_ledger(self, rows: int, rejects: int, lost: int) -> None:
        try:
            report = verify(self._files.out)
        except UsageError as error:
            raise Fault(f"verify: {error}") from None
        is_torn = self._history.wrote_halves
        notes = [note for note in report.notes if not (is_torn and LEDGER_TORN in note)]
        if not report.agrees or notes:
            raise Fault(report_text(report))
        entries = [entry for entry in read_entries(self._files.out) if "received" in entry]
        accounted = ("written", "quarantined", "ignored", "dropped", "lost", "kept")
        for entry in entries:
            if None in [entry[name] for name in ("received", *accounted)]:
                raise Fault(f"the ledger does not know the counts: {entry}")
            rest = entry.get("set_aside", 0)
            if entry["received"] != rest + sum(entry[name] for name in accounted) or rest:
                raise Fault(f"the counts do not agree: {entry}")
        runs = {entry["run"]: entry for entry in entries}.values()
        total = {name: sum(run[name] for run in runs) for name in (*accounted, "messages_lost")}
        if (total["written"], total["quarantined"]) != (rows, rejects):
            raise Fault(f"the files have {rows} rows and {rejects} rejects, the ledger {total}")
        if total["kept"] or total["ignored"] or total["dropped"]:
            raise Fault(f"the ledger says {total}")
        said = total["lost"] + total["messages_lost"]
        if said < lost or (said and not self._history.receiver_died):
            raise Fault(f"at least {lost} messages were lost, the ledger says {total}")

    def _check_files(self, has_rejects: bool) -> None:
        left = {path.name for path in self._files.folder.iterdir()} - {self._files.moved.name}
        expected = {self._files.out.name, f"{self._files.out.name}.ledger.jsonl"}
        if has_rejects:
            expected.add(self._files.rejects.name)
        if left != expected or self._files.spool.exists():
            raise Fault(f"there are {sorted(left)} left, the spool: {self._files.spool.exists()}")


def _check_order(feed: SmallFeed, rows: Sequence[int]) -> None:
    for at, (before, after) in enumerate(pairwise(rows)):
        if after <= before:
            what = "there twice" if after in rows[: at + 1] else "out of order"
            raise Fault(f"{feed.symbol[:20]}: row {after}, after {before}, is {what}")
