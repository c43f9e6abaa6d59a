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
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from fastingest.access.secrets import shown
from fastingest.config.options import Options
from fastingest.errors import OptionError, OutputRefused, RowsLost
from fastingest.isotime import iso_time
from fastingest.metrics.counters import Counters, Ledger, Slot
from fastingest.model.batch import LANES, Position
from fastingest.model.feed import Feed
from fastingest.runtime.assignment import Target
from fastingest.spool.directories import Places, beside
from fastingest.spool.reader import Leftovers
from fastingest.storage.journal import Entry, Recorded, journal_path, read_journal
from fastingest.storage.ledger import LEDGER_TAIL, append_entry, ledger_path, read_entries
from fastingest.storage.offsets import FeedCount, Tally, counts_in
from fastingest.storage.ownership import NotOurs, check_own_file, open_own, remove_own

__all__ = [
    "Account",
    "Events",
    "line_of",
    "log_run",
    "new_stream",
    "problem_of",
    "read_events",
    "report_fallbacks",
]

MOST_GAPS = 10_000
"""Gaps that are noted one by one; more are only counted."""


def new_stream(after: int, lane: int) -> int:
    """A number later than ``after`` for a stream of the lane; lane 0's may also name a run."""
    return (after // LANES + 1) * LANES + lane


def problem_of(accounts: Sequence[Account]) -> RowsLost | None:
    """What the user must know where not every row of a run is in its files, or kept."""
    counters = [account.counters for account in accounts]
    ledger = sum((each.whole_ledger for each in counters), Ledger())
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


class Events:
    """The events of a run, as they happen.

    :param path: where they are noted.
    :param feeds: name and URL of each of the output's feeds, by their index.
    :param spare: says where else they can be, when there is no room; None: nowhere.
    """

    def __init__(
        self,
        path: Path,
        feeds: dict[int, tuple[str, str]],
        spare: Callable[[], Path | None] = lambda: None,
    ) -> None:
        self._path = path
        self._spare = spare
        described = [
            {"index": index, "name": name, "url": url} for index, (name, url) in feeds.items()
        ]
        self.known: dict[str, Any] = {"feeds": described, "gaps": []}
        """What :func:`read_events` returns of them."""
        self._note({"feeds": described})

    def gap(self, feed: str, start: int, seconds: float, reason: str) -> None:
        """A feed had no connection for so long.

        :param feed: its name.
        :param start: from when on, in nanoseconds since the epoch.
        """
        if len(self.known["gaps"]) < MOST_GAPS:
            length = round(seconds, 6)
            gap = {"feed": feed, "start": iso_time(start), "seconds": length, "reason": reason}
            self.known["gaps"].append(gap)
            self._note({"gap": gap})

    def _note(self, event: dict[str, Any]) -> None:
        try:
            _append(self._path, [event])
        except OSError:
            # Nowhere at all: then the line in the ledger says a little less.
            with contextlib.suppress(OSError):
                self._move()

    def _move(self) -> None:
        """Note all of them elsewhere, since what is there takes the place of these."""
        spare = self._spare()
        if spare is None or spare == self._path:
            return
        gaps = [{"gap": gap} for gap in self.known["gaps"]]
        try:
            _append(spare, [{"feeds": self.known["feeds"]}, *gaps])
        except OSError:
            remove_own(spare)
            raise
        self._path = spare


def _append(path: Path, events: Sequence[dict[str, Any]]) -> None:
    lines = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
    with open(open_own(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
        file.write(lines)


def read_events(path: Path) -> dict[str, Any]:
    """``feeds`` and ``gaps`` of a run, as far as they were noted."""
    feeds: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        with open(open_own(path, os.O_RDONLY), "rb") as file:
            lines = file.read().splitlines()
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError):
                event = msgspec.json.decode(line)
                feeds = event.get("feeds", feeds)
                gaps += [event["gap"]] if "gap" in event else []
    return {"feeds": feeds, "gaps": gaps}


def line_of(out: Path, run: int) -> dict[str, Any]:
    """The last line that the ledger of ``out`` has of a run; empty where there is none."""
    lines = [line for line in read_entries(out, last=LEDGER_TAIL) if line.get("run") == run]
    return next((line for line in reversed(lines) if "received" in line), {})


def log_run(
    out: Path,
    entry: Entry,
    counters: Counters | None,
    events: dict[str, Any],
    *,
    header: str,
    feeds: Mapping[int, FeedCount],
    end: int | None,
    with_region: bool = True,
) -> None:
    """Append a run's line to the ledger of ``out``, unless it is there.

    :param header: the output's first line.
    :param entry: the run's state in the journal.
    :param feeds: what it says of each feed.
    :param counters: the run's; None where the machine was started anew, and nobody knows.
    :param end: when it ended, in nanoseconds since the epoch; None: it was interrupted.
    :param with_region: whether the journal knows what the run appended.
    :raises OSError: it could not be written.
    """
    region = entry.region.to_json() if with_region else None
    line: dict[str, Any] = {
        "run": entry.run,
        "start": iso_time(entry.run),
        "end": None if end is None else iso_time(end),
        "interrupted": end is None,
        "feed": " ".join(feed["url"] for feed in events["feeds"]) or None,
        "received": None,
        "written": entry.written,
        "quarantined": entry.quarantined,
        "ignored": None,
        "dropped": None,
        "lost": None,
        "set_aside": entry.set_aside,
        "kept": None,
        "rejects_not_kept": entry.not_kept,
        "messages_lost": None,
        "connections": None,
        "gaps": events["gaps"],
        "first_received": iso_time(entry.first_received) if entry.first_received else None,
        "last_received": iso_time(entry.last_received) if entry.last_received else None,
        "receiver_restarts": None,
        "writer_restarts": None,
        "header": header,
        "file": region,
        "size": entry.size,
        "feeds": [feed | _feed_numbers(feed["index"], feeds, counters) for feed in events["feeds"]],
    }
    before = line_of(out, entry.run) if counters is None else {}
    if before.get("kept") is not None:  # it had kept rows, in memory, and that is gone
        names = ("feed", "received", "ignored", "dropped", "messages_lost", "connections", "gaps")
        line |= {name: before.get(name) for name in names}
        now = FeedCount(entry.written, entry.quarantined, entry.set_aside)
        line |= _without_kept(before, now)
        line["feeds"] = [
            feed | _without_kept(feed, feeds.get(feed["index"], FeedCount(0, 0)))
            for feed in before.get("feeds", [])
        ]
    if counters is not None:
        line |= _ledger_numbers(counters.whole_ledger)
        line |= {
            "messages_lost": counters.total(Slot.LOST_MESSAGES),
            "connections": counters.total(Slot.CONNECTIONS),
            "receiver_restarts": counters[Slot.RECEIVER_RESTARTS],
            "writer_restarts": counters[Slot.WRITER_RESTARTS],
        }
    # Where nothing has been appended since, the region may have begun anew behind the one that is
    # in the line.
    same = ["run", "written", "quarantined", "set_aside", "kept"]
    if entry.rows or not with_region:
        same.append("file")
    for logged in read_entries(out, last=LEDGER_TAIL):
        if "ended" not in logged and all(logged.get(name, 0) == line[name] for name in same):
            return
    append_entry(out, line)


def _without_kept(before: dict[str, Any], now: FeedCount) -> dict[str, Any]:
    """Of a run, or a feed, that had kept rows, the numbers that are others now: those are gone."""
    accounted = sum(now) + before["ignored"] + before["dropped"]
    lost = max(0, before["received"] - accounted)
    return now._asdict() | {"lost": lost, "kept": 0}


def _ledger_numbers(ledger: Ledger) -> dict[str, int]:
    """What the counters know of a run, or of a feed, and the journal does not."""
    return {
        "received": ledger.received,
        "ignored": ledger.ignored,
        "dropped": ledger.dropped,
        "lost": ledger.lost,
        "kept": ledger.in_flight,
    }


def _feed_numbers(
    index: int, feeds: Mapping[int, FeedCount], counters: Counters | None
) -> dict[str, Any]:
    """A feed's part of the line, in what is known of it."""
    numbers: dict[str, Any] = feeds.get(index, FeedCount(0, 0))._asdict()
    if counters is not None and index < len(counters.feeds):
        numbers |= _ledger_numbers(counters.feeds[index].ledger)
        numbers["connections"] = counters.feeds[index][Slot.CONNECTIONS]
    return numbers


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

    def __init__(self, options: Options, target: Target, feeds: Sequence[Feed]) -> None:
        self.out = self._out = out = target.path
        self._header = target.header
        self._keeps_journal = options.journal == "on"
        self._journal_path = journal_path(out)
        self.places = Places.of(out, options.spill_dir)
        self.fallbacks: list[tuple[str, Path, str]] = []
        """What is on disk and not in memory: what to say of it, where it is, and why."""
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
        if ledger.exists() and not os.access(ledger, os.W_OK):
            raise OutputRefused(ledger, "is needed and cannot be written: Permission denied")
        names = {index: (feeds[index].name, shown(feeds[index].url)) for index in target.tables}
        try:
            self.places = self.places.made()
            self.run = new_stream(max(self.newest(), time.time_ns()), 0)
            self.counters = self._make_counters(len(feeds))
        except OSError as error:
            where = Path(error.filename) if error.filename else self.places.spool
            problem = f"is needed and cannot be written: {error.strerror}"
            raise OutputRefused(where, problem) from None
        spare = partial(self.places.spare_events, self.run)
        self.events = Events(self.places.events(self.run), names, spare)
        if self.places.problem:
            what = "the spool is on disk and not in memory"
            self.fallbacks.insert(0, (what, self.places.spool, self.places.problem))

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

    def _noted_places(self, journal: Recorded) -> Places | None:
        """Where the run before had its spool and its spill, if these were others.

        :raises NotOurs: they are not ours.
        """
        if journal.notes == self.places.to_notes():
            return None
        return Places.from_notes(journal.notes, self._out)

    def _make_counters(self, feeds: int) -> Counters:
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
            what = "the counters are on disk and not in memory"
            self.fallbacks.append((what, spare, f"{self.places.spool}: {error.strerror}"))
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
        feeds = self.counters.feeds
        journal = self._read_journal()
        entries = journal.entries if journal is not None else []
        tally = Tally(entries)
        if entries and entries[0].run == self.run:
            self.counters[Slot.FILE_SIZE] = entries[0].size
            self.counters[Slot.NOT_KEPT] = entries[0].not_kept
            for feed, count in tally.feeds.items():
                # a writer that was killed may not have counted its last batch
                counters = feeds[feed]
                counters[Slot.WRITTEN], counters[Slot.QUARANTINED], _ = count
                counters[Slot.SET_ASIDE] = count.set_aside
        kept = [0] * len(feeds)
        if not complete and self._keeps_journal and self.counters.whole_ledger.in_flight > 0:
            left = Leftovers([self.places], lambda *_, **__: None)
            beginning = Position(self.run, -1)
            after = {lane: max(tally.position(lane), beginning) for lane in range(LANES)}
            for batch in left.batches(after, 2**63):
                if 0 <= batch.feed < len(kept):  # whatever it says, if it is damaged
                    kept[batch.feed] += batch.count
        for counters, left_of_it in zip(feeds, kept, strict=True):
            counters[Slot.LOST] += max(0, counters.ledger.in_flight - left_of_it)

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
            quarantined=counters.total(Slot.QUARANTINED),
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
            end=ended,
            with_region=with_region,
        )

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
            return read_journal(self._journal_path)
        return None


def report_fallbacks(accounts: Sequence[Account], report: Callable[..., None]) -> None:
    """Say once what is on disk that should be in memory: there the receiver may wait for the disk.

    Only Linux has a file system in memory that could be used; elsewhere it is as it must be.

    :param report: takes the level, the event and its facts.
    """
    level = "warning" if sys.platform == "linux" else "info"
    said: dict[tuple[str, str], list[Path]] = {}
    for account in accounts:
        for what, path, problem in account.fallbacks:
            said.setdefault((what, problem), []).append(path)
    for (what, problem), paths in said.items():
        more = {"outputs": len(paths)} if len(paths) > 1 else {}
        report(level, what, {"path": str(paths[0]), "problem": problem, **more})
