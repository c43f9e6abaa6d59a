"""The account of a run of an output: what it received, and what became of it.

Three things say it together, up to the run's line in the ledger: the counters, in memory that
outlives every process; the journal, which knows what is in the file and is right where the counters
lag behind it; and the events.

The events are what the counters cannot hold: the feeds' names and URLs, and each gap with its
reason. The supervisor notes them in a file beside the counters as they happen, so that a run that
was killed with all its processes has its line as well; the next start writes it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fastingest.batch import LANES, Position
from fastingest.counters import Counters, Ledger, Slot
from fastingest.errors import OptionError, OutputRefused, RowsLost
from fastingest.feed import Feed
from fastingest.ledger import LEDGER_TAIL, append_entry, ledger_path, read_entries
from fastingest.moment import iso_time
from fastingest.options import Options
from fastingest.places import Places
from fastingest.plan import Target
from fastingest.secrets import shown
from fastingest.writer.journal import Entry, Journal, journal_path
from fastingest.writer.leftovers import Leftovers
from fastingest.writer.tally import FeedCount, Tally, counts_in

__all__ = [
    "Account",
    "Events",
    "line_of",
    "log_run",
    "new_stream",
    "problem_of",
    "read_events",
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
    if ledger.lost > unreadable or messages:
        undecoded = f" and {messages} messages that were not decoded yet" if messages else ""
        rows = f"{ledger.lost - unreadable} received rows{undecoded}"
        problems.append(f"{rows} were lost with a receiver that died")
    if unreadable:
        problems.append(f"{unreadable} received rows in the spill could not be read again")
    if ledger.dropped:
        problems.append(f"{ledger.dropped} rows were dropped while the outbox was full")
    return RowsLost("; ".join(problems)) if problems else None


class Events:
    """The events of a run, as they happen.

    :param path: where they are noted.
    :param feeds: name and URL of each of the output's feeds, by their index.
    """

    def __init__(self, path: Path, feeds: dict[int, tuple[str, str]]) -> None:
        self._path = path
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
        # In memory, as a rule; where there is no room the line in the ledger says a little less.
        with contextlib.suppress(OSError), self._path.open("ab") as file:
            file.write(msgspec.json.encode(event) + b"\n")


def read_events(path: Path) -> dict[str, Any]:
    """``feeds`` and ``gaps`` of a run, as far as they were noted."""
    feeds: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        for line in path.read_bytes().splitlines():
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
        "kept": None,
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
        line |= _without_kept(before, FeedCount(entry.written, entry.quarantined))
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
    same = ["run", "written", "quarantined", "kept"]
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
    return {"written": now.written, "quarantined": now.quarantined, "lost": lost, "kept": 0}


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
    written, quarantined = feeds.get(index, (0, 0))
    numbers: dict[str, Any] = {"written": written, "quarantined": quarantined}
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
        if not self._keeps_journal and (self._journal_path.exists() or any(self.places.segments())):
            raise OptionError(
                "journal",
                f"an earlier run of {out} has left rows; start once with 'on', "
                "so that they are written",
            )
        ledger = ledger_path(out)
        if ledger.exists() and not os.access(ledger, os.W_OK):
            raise OutputRefused(ledger, "is needed and cannot be written: Permission denied")
        self._check_owner()
        names = {index: (feeds[index].name, shown(feeds[index].url)) for index in target.tables}
        try:
            self.places.make()
            self.run = new_stream(max(self.newest(), time.time_ns()), 0)
            self.counters = Counters.create(self.places.counters(self.run), len(feeds))
            self.events = Events(self.places.events(self.run), names)
        except OSError as error:
            where = Path(error.filename) if error.filename else self.places.spool
            problem = f"is needed and cannot be written: {error.strerror}"
            raise OutputRefused(where, problem) from None

    def _check_owner(self) -> None:
        """Another user's spool cannot be read; what is in it would be out of order later."""
        journal = self._read_journal()
        if journal is None:
            return
        spool = Path(journal.notes.get("spool", self.places.spool))
        with contextlib.suppress(OSError):
            owner = spool.lstat().st_uid
            if owner != os.geteuid():
                raise OutputRefused(
                    self._out,
                    f"user {owner} has begun a run of it that is not complete, and left rows in "
                    f"{spool}; start it once as that user",
                )

    def newest(self) -> int:
        """The newest run or stream that there was; 0: there was none."""
        last = [self.places.newest()]
        journal = self._read_journal()
        if journal is not None:
            last += [max(entry.run, entry.stream) for entry in journal.entries]
            noted = Places.from_notes(journal.notes)
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
            for feed, count in tally.feeds.items():
                # a writer that was killed may not have counted its last batch
                feeds[feed][Slot.WRITTEN], feeds[feed][Slot.QUARANTINED] = count
        kept = [0] * len(feeds)
        if not complete and self._keeps_journal and self.counters.whole_ledger.in_flight > 0:
            left = Leftovers([self.places], lambda *_, **__: None)
            beginning = Position(self.run, -1)
            after = {lane: max(tally.position(lane), beginning) for lane in range(LANES)}
            for batch in left.batches(after, 2**63):
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
            self._journal_path.unlink(missing_ok=True)
        elif not self.counters.total(Slot.RECEIVED):
            self.places.forget(self.run)
            if not self._newest_entry():
                self._journal_path.unlink(missing_ok=True)

    def _own_entry(self) -> Entry | None:
        entry = self._newest_entry()
        return entry if entry is not None and entry.run == self.run else None

    def _newest_entry(self) -> Entry | None:
        journal = self._read_journal()
        return journal.entries[0] if journal is not None and journal.entries else None

    def _read_journal(self) -> Journal | None:
        """What the journal says now; closed, since the writer is who writes it."""
        if not self._journal_path.exists():
            return None
        journal = Journal(self._journal_path)
        journal.close()
        return journal
