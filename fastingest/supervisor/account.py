"""The account of a run of an output: what it received, and what became of it.

Three things say it together, up to the run's line in the ledger: the counters, in memory that
outlives every process; the journal, which knows what is in the file and is right where the counters
lag behind it; and the events.

The events are what the counters cannot hold: the feeds' names and URLs, and each gap with its
reason. The supervisor notes them in a file beside the counters as they happen, so that a run that
was killed with all its processes has its line as well; the next start writes it.

Memory may have no room for the files of both, where it is full of rows that an earlier run has
kept: then they are on disk, and the run that would make room can start. It is said in the log.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from fastingest.access.secrets import shown
from fastingest.config.options import Options
from fastingest.errors import OptionError, OutputRefused, RowsLost
from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import PARTITIONS, Position
from fastingest.model.counts import Counts
from fastingest.model.event import Event
from fastingest.model.feed import Feed
from fastingest.runtime.assignment import OutputSpec
from fastingest.spool.directories import SpoolDirectories
from fastingest.spool.reader import SpoolReader
from fastingest.storage.bare_header import is_bare
from fastingest.storage.journal import Entry, Recorded, journal_path, read_journal
from fastingest.storage.ledger import ledger_path
from fastingest.storage.names import beside
from fastingest.storage.offsets import CommittedOffsets, counts_in
from fastingest.storage.ownership import NotOurs, check_own_file, check_writable, remove_own
from fastingest.storage.run_events import Events
from fastingest.storage.run_log import (
    log_run,
)
from fastingest.supervisor.events import CountersOnDisk, SpoolOnDisk

__all__ = ["Account", "new_stream", "problem_of", "report_fallbacks"]


def new_stream(after: int, partition: int) -> int:
    """A number later than ``after`` for a stream of the partition; of 0 it may name a run."""
    return (after // PARTITIONS + 1) * PARTITIONS + partition


def problem_of(accounts: Sequence[Account]) -> RowsLost | None:
    """What the user must know where not every row of a run is in its files, or kept."""
    counters = [account.counters for account in accounts]
    ledger = sum((each.whole_ledger for each in counters), Counts())
    # Each output has its feeds' messages; a feed that goes to several has them in all.
    feeds = zip(*(each.feeds for each in counters), strict=True)
    messages = sum(max(each[Slot.LOST_MESSAGES] for each in feed) for feed in feeds)
    if any(feed.ledger.in_flight for each in counters for feed in each.feeds):
        return RowsLost(f"the counts do not agree: {ledger}")
    problems = []
    unreadable = sum(each.total(Slot.UNREADABLE) for each in counters)
    unsynced = sum(each.total(Slot.UNSYNCED) for each in counters)
    died = ledger.lost - unreadable - unsynced
    # Of what a receiver could save nowhere, the writer may have had some already.
    unsaved = min(died, sum(each.total(Slot.UNSAVED) for each in counters))
    died -= unsaved
    if died or messages:
        undecoded = f" and {messages} messages that were not decoded yet" if messages else ""
        rows = f"{died} received rows{undecoded}"
        problems.append(f"{rows} were lost with a receiver that died")
    if unreadable:
        problems.append(f"{unreadable} received rows in the spill could not be read again")
    if unsaved:
        rows = f"{unsaved} received rows"
        problems.append(f"{rows} are lost: there was room for them neither in memory nor on disk")
    if unsynced:
        rows = f"{unsynced} written rows"
        problems.append(f"{rows} could not be synced, and the system dropped them")
    if ledger.dropped:
        problems.append(f"{ledger.dropped} rows were dropped while the outbox was full")
    if ledger.set_aside:
        rows = f"{ledger.set_aside} received rows"
        problems.append(f"{rows} could not be written, and are set aside (*.failed)")
    return RowsLost("; ".join(problems)) if problems else None


class Account:
    """The account of the run of an output that begins now.

    :param options: the run's settings.
    :param target: the output.
    :param feeds: all feeds of the run.
    :raises OptionError: it shall keep no journal, and there is one that is needed.
    :raises OutputRefused: there is no place for it.

    ``run`` is its id, ``counters``, ``events`` and ``places`` what its processes share, ``out`` the
    output.
    """

    def __init__(self, options: Options, target: OutputSpec, feeds: Sequence[Feed]) -> None:
        self.out = self._out = out = target.path
        self._header = target.header
        self._was_there = os.path.lexists(out)
        self._keeps_journal = options.journal == "on"
        self._journal_path = journal_path(out)
        self.places = SpoolDirectories.of(out, options.spill_dir)
        self.fallbacks: list[SpoolOnDisk | CountersOnDisk] = []
        """What is on disk and not in memory."""
        try:
            self._check_owner()
        except NotOurs as error:
            raise OutputRefused(error.path, error.problem) from None
        except OSError as error:
            problem = f"is needed and cannot be read: {error.strerror}"
            raise OutputRefused(Path(error.filename or self._journal_path), problem) from None
        if not self._keeps_journal and (self._journal_path.exists() or any(self.places.segments())):
            raise OptionError(
                "journal",
                f"an earlier run of {out} has left rows; start once with 'on', "
                "so that they are written",
            )
        ledger = ledger_path(out)
        if ledger.exists():
            try:
                check_writable(ledger)
            except OSError as error:
                problem = f"is needed and cannot be written: {error.strerror}"
                raise OutputRefused(ledger, problem) from None
        self._names = [feed.name for feed in feeds]
        self.stale: dict[str, tuple[str, ...]] = {}
        """What is stale of each feed, by its name, as far as it was told."""
        described = {
            index: (feed.name, shown(feed.url))
            for index, feed in enumerate(feeds)
            if feed.name in target.tables
        }
        try:
            self.places = self.places.made()
            self.run = new_stream(max(self.newest(), time.time_ns()), 0)
            self.counters = self._make_counters()
        except OSError as error:
            where = Path(error.filename) if error.filename else self.places.spool
            problem = f"is needed and cannot be written: {error.strerror}"
            raise OutputRefused(where, problem) from None
        spare = partial(self.places.spare_events, self.run)
        self.events = Events(self.places.events(self.run), described, spare)
        if self.places.problem:
            self.fallbacks.insert(0, SpoolOnDisk(str(self.places.spool), self.places.problem))

    def _check_owner(self) -> None:
        """See that nobody else has made what is there, nor left rows, which would be out of order.

        :raises NotOurs: somebody has.
        :raises OSError: it cannot be looked at, or read.
        """
        for suffix in (".ledger.jsonl", ".rejected.jsonl"):
            check_own_file(beside(self._out, suffix))
        self.places.check()
        journal = read_journal(self._journal_path)
        if journal is not None:
            self._noted_places(journal)

    def _noted_places(self, journal: Recorded) -> SpoolDirectories | None:
        """Where the run before had its spool and its spill, if these were others.

        :raises NotOurs: they are not ours.
        """
        if journal.notes == self.places.to_notes():
            return None
        return SpoolDirectories.from_notes(journal.notes, self._out)

    def _make_counters(self) -> Counters:
        feeds = self._names
        try:
            return Counters.create(self.places.counters(self.run), feeds)
        except OSError as error:
            try:
                spare = self.places.spare_counters(self.run)
                counters = Counters.create(spare, feeds) if spare is not None else None
            except OSError as second:
                problem = f"{error.strerror}; nor can {self.places.spare}: {second.strerror}"
                raise OSError(second.errno, problem, str(self.places.spool)) from None
            if spare is None or counters is None:
                raise
            problem = f"{self.places.spool}: {error.strerror}"
            self.fallbacks.append(CountersOnDisk(str(spare), problem))
            return counters

    def newest(self) -> int:
        """The newest run or stream that there was; 0: there was none."""
        last = [self.places.newest()]
        journal = self._read_journal()
        if journal is not None:
            last += [max(entry.run, entry.stream) for entry in journal.entries]
            with contextlib.suppress(OSError):  # of a moment ago; nobody reads there then
                noted = self._noted_places(journal)
                last.append(noted.newest() if noted else 0)
        return max(last)

    # When all processes have ended

    def balance(self, complete: bool) -> None:
        """Tell what is kept for the next run from what is lost.

        :param complete: whether the writer has written all there was.
        """
        journal = self._read_journal()
        entries = journal.entries if journal is not None else []
        offsets = CommittedOffsets(entries)
        if entries and entries[0].run == self.run:
            self.counters[Slot.FILE_SIZE] = entries[0].size
            self.counters[Slot.NOT_KEPT] = entries[0].not_kept
            for feed, count in offsets.feeds.items():
                # a writer that was killed may not have counted its last batch
                counters = self.counters.of(feed)
                counters[Slot.WRITTEN], counters[Slot.REJECTS_COMMITTED], _ = count
                counters[Slot.SET_ASIDE] = count.set_aside
        kept: Counter[str] = Counter()
        if not complete and self._keeps_journal and self.counters.whole_ledger.in_flight > 0:
            left = SpoolReader([self.places], lambda event: None)
            beginning = Position(self.run, -1)
            after = {
                partition: max(offsets.position(partition), beginning)
                for partition in range(PARTITIONS)
            }
            for batch in left.batches(after, 2**63):
                kept[batch.feed] += batch.count  # whatever it says, if it is damaged
        for feed, counters in zip(self._names, self.counters.feeds, strict=True):
            counters[Slot.LOST] += max(0, counters.ledger.in_flight - kept[feed])

    def close(self, ended: int) -> None:
        """Add the run's line to the ledger.

        :param ended: when it ended, in nanoseconds since the epoch.
        :raises OSError: it could not be written.
        """
        counters, entry = self.counters, self._own_entry()
        stated = entry or Entry(
            self.run,
            size=counters[Slot.FILE_SIZE],
            written=counters.total(Slot.WRITTEN),
            rejected=counters.total(Slot.REJECTS_COMMITTED),
            first_received=counters[Slot.FIRST_RECEIVED],
            last_received=counters[Slot.LAST_RECEIVED],
            set_aside=counters.total(Slot.SET_ASIDE),
            not_kept=counters[Slot.NOT_KEPT],
        )
        with_region = entry is not None and self._keeps_journal
        feeds = counts_in(counters)
        log_run(
            self._out,
            stated,
            counters,
            self.events.known,
            header=self._header,
            feeds=feeds,
            stale=self.stale,
            end=ended,
            with_region=with_region,
        )

    def remove_bare_output(self) -> None:
        """Delete the output, if this run has made it and nothing but its header is in it.

        Where a journal stays, so does the file that it speaks of.
        """
        if self._was_there or self._journal_path.exists():
            return
        with contextlib.suppress(OSError):
            check_own_file(self._out)
            if is_bare(self._out, self._header):
                self._out.unlink()

    def clean_up(self, complete: bool) -> None:
        """Remove what only a run that is not complete needs."""
        complete = complete and not self.counters.whole_ledger.in_flight
        if complete or not self._keeps_journal:
            self.places.remove()
            remove_own(self._journal_path)
        elif not self.counters.total(Slot.RECEIVED):
            self.places.forget(self.run)
            journal = self._read_journal()
            if journal is not None and not journal.entries:
                remove_own(self._journal_path)

    def _own_entry(self) -> Entry | None:
        entry = self._newest_entry()
        return entry if entry is not None and entry.run == self.run else None

    def _newest_entry(self) -> Entry | None:
        journal = self._read_journal()
        return journal.entries[0] if journal is not None and journal.entries else None

    def _read_journal(self) -> Recorded | None:
        """What the journal says now; None where there is none, or it cannot be read any more."""
        with contextlib.suppress(OSError):
            return read_journal(self._journal_path, self._names)
        return None


def report_fallbacks(accounts: Sequence[Account], report: Callable[[Event], None]) -> None:
    """Say once what is on disk that should be in memory: there the receiver may wait for the disk.

    :param report: takes events for the log.
    """
    said: dict[tuple[type[Event], str], list[SpoolOnDisk | CountersOnDisk]] = {}
    for account in accounts:
        for event in account.fallbacks:
            said.setdefault((type(event), event.problem), []).append(event)
    for first, *others in said.values():
        report(replace(first, outputs=1 + len(others)) if others else first)
