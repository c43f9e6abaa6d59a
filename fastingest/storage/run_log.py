"""The line of a run in the ledger of its output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastingest.isotime import iso_time
from fastingest.metrics.counters import Counters, Slot
from fastingest.model.counts import Counts
from fastingest.storage.journal import Entry
from fastingest.storage.ledger import LEDGER_TAIL, append_entry, read_entries
from fastingest.storage.offsets import FeedCount
from fastingest.storage.run_events import MAX_GAPS

__all__ = ["line_of", "log_run"]


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
    feeds: Mapping[str, FeedCount],
    end: int | None,
    stale: Mapping[str, Sequence[str]] | None = None,
    with_region: bool = True,
) -> None:
    """Append a run's line to the ledger of ``out``, unless it is there.

    :param header: the output's first line.
    :param entry: the run's state in the journal.
    :param feeds: what it says of each feed, by the feed's name.
    :param counters: the run's; None where the machine was started anew, and nobody knows.
    :param end: when it ended, in nanoseconds since the epoch; None: it was interrupted.
    :param stale: what of each feed is stale at the end, by the feed's name; None: nobody knows.
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
        "quarantined": entry.rejected,
        "ignored": None,
        "dropped": None,
        "lost": None,
        "set_aside": entry.set_aside,
        "kept": None,
        "rejects_not_kept": entry.not_kept,
        "messages_lost": None,
        "connections": None,
        "refused": None,
        "blanked": None,
        "stale": None,
        "gaps": events["gaps"],
        "first_received": iso_time(entry.first_received) if entry.first_received else None,
        "last_received": iso_time(entry.last_received) if entry.last_received else None,
        "receiver_restarts": None,
        "writer_restarts": None,
        "header": header,
        "file": region,
        "size": entry.size,
        "feeds": [
            feed | _feed_numbers(feed["name"], feeds, counters) | _stale_names(feed["name"], stale)
            for feed in events["feeds"]
        ],
    }
    before = line_of(out, entry.run) if counters is None else {}
    if before.get("kept") is not None:  # it had kept rows, in memory, and that is gone
        names = ("feed", "received", "ignored", "dropped", "messages_lost", "connections", "gaps")
        line |= {name: before.get(name) for name in (*names, "refused", "blanked", "stale")}
        now = FeedCount(entry.written, entry.rejected, entry.set_aside)
        line |= _without_kept(before, now)
        line["feeds"] = [
            feed | _without_kept(feed, feeds.get(feed["name"], FeedCount(0, 0)))
            for feed in before.get("feeds", [])
        ]
    if counters is not None:
        line |= _ledger_numbers(counters.whole_ledger)
        line |= {
            "messages_lost": counters.total(Slot.LOST_MESSAGES),
            "connections": counters.total(Slot.CONNECTIONS),
            "refused": counters.total(Slot.REFUSED),
            "blanked": counters.total(Slot.BLANKED),
            "stale": counters.total(Slot.STALE),
            "receiver_restarts": counters[Slot.RECEIVER_RESTARTS],
            "writer_restarts": counters[Slot.WRITER_RESTARTS],
        }
        if end is None:
            line["gaps"] = [*events["gaps"], *_unnoted_gaps(events, counters)]
    # Where nothing has been appended since, the region may have begun anew behind the one that is
    # in the line.
    same = ["run", "written", "quarantined", "set_aside", "kept"]
    if entry.rows or not with_region:
        same.append("file")
    for logged in read_entries(out, last=LEDGER_TAIL):
        if "ended" not in logged and all(logged.get(name, 0) == line[name] for name in same):
            return
    append_entry(out, line)


def _unnoted_gaps(events: Mapping[str, Any], counters: Counters) -> Iterator[dict[str, Any]]:
    """Those of an interrupted run that are in the counters, and not in its events.

    One that was not over: nobody knows how long it was. And those that a receiver has ended after
    the supervisor, which notes them, was gone: nobody knows when they began.
    """
    for name in (feed["name"] for feed in events["feeds"]):
        if counters.row_of(name) is None:
            continue
        of_feed = counters.of(name)
        noted = [gap["seconds"] for gap in events["gaps"] if gap["feed"] == name]
        if len(noted) < of_feed[Slot.GAPS] and len(events["gaps"]) < MAX_GAPS:
            seconds = round(of_feed[Slot.GAP_NS] / 1e9 - sum(noted), 6)
            reason = "it ended after the supervisor was killed, which notes them"
            yield {"feed": name, "start": None, "seconds": seconds, "reason": reason}
        since = of_feed[Slot.GAP_SINCE]
        if since:
            reason = "it was not over when the run was interrupted"
            yield {"feed": name, "start": iso_time(since), "seconds": None, "reason": reason}


def _without_kept(before: dict[str, Any], now: FeedCount) -> dict[str, Any]:
    """Of a run, or a feed, that had kept rows, the numbers that are others now: those are gone."""
    accounted = sum(now) + before["ignored"] + before["dropped"]
    lost = max(0, before["received"] - accounted)
    return _count_numbers(now) | {"lost": lost, "kept": 0}


def _count_numbers(count: FeedCount) -> dict[str, int]:
    """What the journal knows of a run, or of a feed."""
    written, rejected, set_aside = count
    return {"written": written, "quarantined": rejected, "set_aside": set_aside}


def _ledger_numbers(ledger: Counts) -> dict[str, int]:
    """What the counters know of a run, or of a feed, and the journal does not."""
    return {
        "received": ledger.received,
        "ignored": ledger.ignored,
        "dropped": ledger.dropped,
        "lost": ledger.lost,
        "kept": ledger.in_flight,
    }


def _feed_numbers(
    name: str, feeds: Mapping[str, FeedCount], counters: Counters | None
) -> dict[str, Any]:
    """A feed's part of the line, in what is known of it."""
    numbers: dict[str, Any] = _count_numbers(feeds.get(name, FeedCount(0, 0)))
    if counters is not None and counters.row_of(name) is not None:
        of_feed = counters.of(name)
        numbers |= _ledger_numbers(of_feed.ledger)
        numbers["connections"] = of_feed[Slot.CONNECTIONS]
        numbers["never_ready"] = bool(of_feed[Slot.NEVER_READY])
        numbers["refused"] = of_feed[Slot.REFUSED]
        numbers["blanked"] = of_feed[Slot.BLANKED]
        numbers["stale"] = of_feed[Slot.STALE]
    return numbers


def _stale_names(name: str, stale: Mapping[str, Sequence[str]] | None) -> dict[str, Any]:
    """What of a feed is stale at the end; nothing where nobody knows."""
    return {} if stale is None else {"stale_names": list(stale.get(name, ()))}
