"""A run's result in lines, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastingest.report.summary import FeedSummary, OutputSummary, Summary
from fastingest.text import counted, escape
from fastingest.units import brief, format_size, span

__all__ = ["gaps_text", "summary_text"]

_MAX_STALE = 5  # feeds, and names of each, that are told one by one


def summary_text(summary: Summary) -> str:
    """The run's result, in lines."""
    ledger = summary.ledger
    counts = {
        "received": (ledger.received, ""),
        "written": (ledger.written, ""),
        "quarantined": (ledger.rejected, _rejects_note(summary)),
        "ignored": (ledger.ignored, ""),
        "dropped": (ledger.dropped, "the outbox was full" if ledger.dropped else ""),
        "lost": (ledger.lost, "the last line says why" if ledger.lost else ""),
        "set aside": (ledger.set_aside, "could not be written"),
        "in flight": (ledger.in_flight, "kept for the next run" if ledger.in_flight else ""),
    }
    if not ledger.set_aside:  # nearly always
        del counts["set aside"]
    refused = f", {summary.refused:,} refused" if summary.refused else ""
    width = max(len(f"{number:,}") for number, _ in counts.values())
    p50, p99, most = map(brief, summary.latency)
    in_all = f"{' in all' if summary.gaps else ''}{_never_ready(summary.feeds)}"
    if summary.restarts:
        in_all += f", {counted(summary.restarts, 'restart')}"
    latency = f"p50 {p50}, p99 {p99}, max {most}" if ledger.written else "no rows"
    lines = [
        f"{escape(summary.feed)}",
        *(
            f"  {name:13}{number:>{width},}{'  ' if note else ''}{note}"
            for name, (number, note) in counts.items()
        ),
        f"  {'rows/s':13}{summary.mean_rate:,.0f} mean, {summary.best_rate:,.0f} best second",
        f"  {'latency':13}{latency} (from receipt to file)",
        f"  {'connections':13}{summary.connections:,}, {gaps_text(summary)}{in_all}{refused}",
        *_blanked_line(summary.blanked),
        *_stale_lines(summary.feeds),
        f"  {'listener':13}{escape(summary.listener)}",
        *(f"  {'file':13}{line}" for line in _file_lines(summary.outputs)),
        f"  {'run length':13}{span(summary.seconds)}",
        *(_feed_table(summary.feeds) if len(summary.feeds) > 1 else ()),
    ]
    return "\n".join(lines)


def _file_lines(outputs: Sequence[OutputSummary]) -> Iterator[str]:
    """What is in each output; with several, how many rows went there."""
    for output in outputs:
        rows = f", {counted(output.ledger.written, 'row')}" if len(outputs) > 1 else ""
        yield f"{escape(str(output.path))}, {format_size(output.file_size)}{rows}"


def _blanked_line(count: int) -> Iterator[str]:
    """How many cells are empty for what was no number, if any."""
    if count:
        yield f"  {'blanked':13}{counted(count, 'cell')} whose value is no number"


def _stale_lines(feeds: Sequence[FeedSummary]) -> Iterator[str]:
    """What is stale of each feed of which something is, by name."""
    stale = [feed for feed in feeds if feed.stale]
    for at, feed in enumerate(stale[:_MAX_STALE]):
        names = ", ".join(map(escape, feed.stale_names[:_MAX_STALE]))
        if (left := feed.stale - len(feed.stale_names[:_MAX_STALE])) > 0:
            names += f", {left:,} more" if names else f"{left:,}"
        whose = f"{escape(feed.name)}: " if len(feeds) > 1 and feed.stale_names else ""
        yield f"  {'' if at else 'stale':13}{whose}{names}"
    if len(stale) > _MAX_STALE:
        yield f"  {'':13}and of {len(stale) - _MAX_STALE:,} more feeds"


def _feed_table(feeds: Sequence[FeedSummary]) -> Iterator[str]:
    """What came of each feed, in lines."""
    shown = ["received", "written", "rejected"]
    others = ("ignored", "dropped", "lost", "set_aside", "in_flight")
    shown += [name for name in others if any(getattr(feed.ledger, name) for feed in feeds)]
    more = ["gaps"]
    more += [name for name in ("refused", "blanked") if any(getattr(f, name) for f in feeds)]
    titles = {"rejected": "quarantined"}
    cells = [["", *(titles.get(name, name.replace("_", " ")) for name in shown), *more]]
    notes = [[], *(["never ready"] if feed.never_ready else [] for feed in feeds)]
    for feed in feeds:
        numbers = [f"{getattr(feed.ledger, name):,}" for name in shown]
        numbers += [f"{getattr(feed, name):,}" for name in more]
        cells.append([escape(feed.name), *numbers])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for (first, *rest), note in zip(cells, notes, strict=True):
        numbers = [text.rjust(width) for text, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join(["", first.ljust(widths[0]), *numbers, *note])


def _never_ready(feeds: Sequence[FeedSummary]) -> str:
    """That there are feeds that had no ready connection."""
    unready = sum(feed.never_ready for feed in feeds)
    if not unready:
        return ""
    return ", never ready" if len(feeds) == 1 else f", {counted(unready, 'feed')} never ready"


def _rejects_note(summary: Summary) -> str:
    """Where the rejects are, and how many are not."""
    files = " ".join(str(output.rejects) for output in summary.outputs if output.rejects)
    left_out = summary.rejects_not_kept
    return f"{files}, without {left_out:,} (--max-rejects)" if left_out else files


def gaps_text(summary: Summary | FeedSummary) -> str:
    """How many gaps, and how long they were in all."""
    length = f", {span(summary.gap_seconds)}" if summary.gaps else ""
    return counted(summary.gaps, "gap") + length
