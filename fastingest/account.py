"""The account of a run: what it received, and what became of that, up to its line in the ledger.

Three things say it together: the counters, in memory that outlives every process; the journal,
which knows what is in the file and is right where the counters lag behind it; and the events.

The events are what the counters cannot hold: the feed's URL and each gap with its reason. The
supervisor notes them in a file beside the counters as they happen, so that a run that was killed
with all its processes has its line as well; the next start writes it.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from fastingest.counters import Counters, Slot
from fastingest.errors import OptionError, OutputRefused, RowsLost
from fastingest.ledger import LEDGER_TAIL, append_entry, ledger_path, read_entries
from fastingest.moment import iso_time
from fastingest.options import Options
from fastingest.places import Places
from fastingest.writer.journal import Entry, Journal, journal_path
from fastingest.writer.leftovers import Leftovers

__all__ = ["Account", "Events", "line_of", "log_run", "read_events"]

MOST_GAPS = 10_000
"""Gaps that are noted one by one; more are only counted."""


class Events:
    """The events of a run, as they happen.

    :param path: where they are noted.
    :param feed: the URL.
    """

    def __init__(self, path: Path, feed: str) -> None:
        self._path = path
        self.known: dict[str, Any] = {"feed": feed, "gaps": []}
        """What :func:`read_events` returns of them."""
        self._note({"feed": feed})

    def gap(self, start: int, seconds: float, reason: str) -> None:
        """There was no connection for so long.

        :param start: from when on, in nanoseconds since the epoch.
        """
        if len(self.known["gaps"]) < MOST_GAPS:
            gap = {"start": iso_time(start), "seconds": round(seconds, 6), "reason": reason}
            self.known["gaps"].append(gap)
            self._note({"gap": gap})

    def _note(self, event: dict[str, Any]) -> None:
        # In memory, as a rule; where there is no room the line in the ledger says a little less.
        with contextlib.suppress(OSError), self._path.open("ab") as file:
            file.write(msgspec.json.encode(event) + b"\n")


def read_events(path: Path) -> dict[str, Any]:
    """``feed`` and ``gaps`` of a run, as far as they were noted."""
    feed, gaps = None, []
    with contextlib.suppress(OSError):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                event = msgspec.json.decode(line)
                feed = event.get("feed", feed)
                gaps += [event["gap"]] if "gap" in event else []
    return {"feed": feed, "gaps": gaps}


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
    end: int | None,
    with_region: bool = True,
) -> None:
    """Append a run's line to the ledger of ``out``, unless it is there.

    :param entry: the run's state in the journal.
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
        "feed": events["feed"],
        "received": None,
        "written": entry.written,
        "quarantined": entry.quarantined,
        "ignored": entry.ignored,
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
        "file": region,
        "size": entry.size,
    }
    before = line_of(out, entry.run) if counters is None else {}
    if before.get("kept") is not None:  # it had kept rows, in memory, and that is gone
        names = ("feed", "received", "dropped", "messages_lost", "connections", "gaps")
        line |= {name: before.get(name) for name in names}
        accounted = entry.written + entry.quarantined + entry.ignored + (before["dropped"] or 0)
        line |= {"lost": max(0, before["received"] - accounted), "kept": 0}
    if counters is not None:
        ledger = counters.ledger
        line |= {
            "received": ledger.received,
            "dropped": ledger.dropped,
            "lost": ledger.lost,
            "kept": ledger.in_flight,
            "messages_lost": counters[Slot.LOST_MESSAGES],
            "connections": counters[Slot.CONNECTIONS],
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


class Account:
    """The account of the run that begins now.

    :raises OptionError: it shall keep no journal, and there is one that is needed.
    :raises OutputRefused: there is no place for it.

    ``run`` is its id, ``counters``, ``events`` and ``places`` what its processes share.
    """

    def __init__(self, options: Options) -> None:
        self._out = options.out
        self._keeps_journal = options.journal == "on"
        self._journal_path = journal_path(options.out)
        self.places = Places.of(options.out, options.spill_dir)
        if not self._keeps_journal and (self._journal_path.exists() or any(self.places.segments())):
            raise OptionError(
                "journal",
                f"an earlier run of {options.out} has left rows; start once with 'on', "
                "so that they are written",
            )
        ledger = ledger_path(options.out)
        if ledger.exists() and not os.access(ledger, os.W_OK):
            raise OutputRefused(ledger, "is needed and cannot be written: Permission denied")
        self._check_owner()
        try:
            self.places.make()
            self.run = self.new_stream()
            self.counters = Counters.create(self.places.counters(self.run))
            self.events = Events(self.places.events(self.run), options.url)
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

    def new_stream(self) -> int:
        """A number for a run or a stream: the time, and later than all that there were."""
        last = [time.time_ns() - 1, self.places.newest()]
        journal = self._read_journal()
        if journal is not None:
            last += [max(entry.run, entry.stream) for entry in journal.entries[:1]]
            noted = Places.from_notes(journal.notes)
            last.append(noted.newest() if noted else 0)
        return max(last) + 1

    # When all processes have ended

    def balance(self, complete: bool) -> None:
        """Tell what is kept for the next run from what is lost.

        :param complete: whether the writer has written all there was.
        """
        counters, entry = self.counters, self._own_entry()
        if entry is not None:  # a writer that was killed may not have counted its last batch
            counters[Slot.WRITTEN] = entry.written
            counters[Slot.QUARANTINED] = entry.quarantined
            counters[Slot.FILE_SIZE] = entry.size
        in_flight, kept = counters.ledger.in_flight, 0
        if in_flight > 0 and not complete and self._keeps_journal:
            left = Leftovers([self.places], lambda *_, **__: None)
            newest = self._newest_entry() or Entry(0)
            after = max(newest.position, newest.position._replace(stream=self.run, sequence=-1))
            kept = min(in_flight, sum(batch.count for batch in left.batches(after, 2**63)))
        counters[Slot.LOST] += max(0, in_flight - kept)

    def problem(self) -> RowsLost | None:
        """What the user must know where not every row is in the file, or kept."""
        counters = self.counters
        ledger, messages = counters.ledger, counters[Slot.LOST_MESSAGES]
        if ledger.in_flight:
            return RowsLost(f"the counts do not agree: {ledger}")
        problems = []
        unreadable = counters[Slot.UNREADABLE]
        if ledger.lost > unreadable or messages:
            undecoded = f" and {messages} messages that were not decoded yet" if messages else ""
            rows = f"{ledger.lost - unreadable} received rows{undecoded}"
            problems.append(f"{rows} were lost with a receiver that died")
        if unreadable:
            problems.append(f"{unreadable} received rows in the spill could not be read again")
        if ledger.dropped:
            problems.append(f"{ledger.dropped} rows were dropped while the outbox was full")
        return RowsLost("; ".join(problems)) if problems else None

    def close(self, ended: int) -> None:
        """Add the run's line to the ledger.

        :param ended: when it ended, in nanoseconds since the epoch.
        :raises OSError: it could not be written.
        """
        counters, entry = self.counters, self._own_entry()
        stated = entry or Entry(
            self.run,
            size=counters[Slot.FILE_SIZE],
            written=counters[Slot.WRITTEN],
            quarantined=counters[Slot.QUARANTINED],
            first_received=counters[Slot.FIRST_RECEIVED],
            last_received=counters[Slot.LAST_RECEIVED],
        )
        with_region = entry is not None and self._keeps_journal
        known = self.events.known
        log_run(self._out, stated, counters, known, end=ended, with_region=with_region)

    def clean_up(self, complete: bool) -> None:
        """Remove what only a run that is not complete needs."""
        complete = complete and not self.counters.ledger.in_flight
        if complete or not self._keeps_journal:
            self.places.remove()
            self._journal_path.unlink(missing_ok=True)
        elif not self.counters[Slot.RECEIVED]:
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
