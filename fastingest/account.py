"""What the ledger says of a run: its line, made of the counters, the journal and the events.

The events are what the counters cannot hold: the feed's URL and each gap with its reason. The
supervisor notes them in a file beside the counters as they happen, so that a run that was killed
with all its processes has its line as well; the next start writes it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec

from fastingest.counters import Counters, Slot
from fastingest.ledger import append_entry, read_entries
from fastingest.moment import iso_time
from fastingest.writer.journal import Entry

__all__ = ["Events", "log_run", "read_events"]

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
    same = ("run", "written", "quarantined", "kept", "file")
    for logged in read_entries(out, last=64 * 1024):
        if "ended" not in logged and all(logged.get(name, 0) == line[name] for name in same):
            return
    append_entry(out, line)
