"""A run's numbers for people and for programs: pure, from a :class:`~fastingest.Summary`.

:class:`View` is what a terminal shows while the run goes on, :func:`progress_facts` what the log
says elsewhere; :func:`summary_text` and :func:`summary_json` are the end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastingest.config.options import Options
from fastingest.metrics.counters import State
from fastingest.model.counts import Ledger
from fastingest.report.summary import FeedSummary, OutputSummary, Summary
from fastingest.storage.names import beside
from fastingest.text import counted, escape
from fastingest.units import format_size

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

__all__ = [
    "View",
    "brief",
    "progress_facts",
    "progress_share",
    "span",
    "sparkline",
    "summary_json",
    "summary_text",
]

_BARS, _ASCII_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"
_MOST_FEEDS, _MOST_OUTPUTS = 8, 4  # that the terminal shows one by one
_WIDEST = 80  # a minute of sparkline and its label; a bar gets no better by being longer
_TALL = 1000  # lines of a terminal that has room for everything
_LABEL = 8

_STATES = {
    State.STARTING: ("starting", "yellow"),
    State.CONNECTING: ("connecting", "yellow"),
    State.CONNECTED: ("connected", "green"),
    State.WAITING: ("waiting to reconnect", "red"),
    State.PAUSED: ("paused, the writer is behind", "yellow"),
    State.CLOSED: ("closed", "dim"),
}


# Numbers


def sparkline(rates: Sequence[float], width: int, ascii_only: bool = False) -> str:
    """The latest ``width`` rates as bars: the highest is full, the lowest bar means none."""
    rates = rates[-width:] if width > 0 else ()
    bars = _ASCII_BARS if ascii_only else _BARS
    most = max(rates, default=0.0)
    if most <= 0:
        return bars[0] * len(rates)
    return "".join(bars[math.ceil(max(0.0, rate) / most * (len(bars) - 1))] for rate in rates)


def brief(seconds: float) -> str:
    """A short duration with three digits: ``340us``, ``2.13ms``, ``1.2s``; ``-`` for nan."""
    if math.isnan(seconds):
        return "-"
    if seconds >= 60:
        return span(seconds)
    for length, unit in ((1.0, "s"), (1e-3, "ms")):
        if float(f"{seconds:.3g}") >= length:
            return f"{seconds / length:.3g}{unit}"
    return f"{seconds * 1e6:.0f}us"


def span(seconds: float) -> str:
    """A long duration: ``12.3s``, ``1m 05s``, ``2h 03m 04s``, ``3d 04h 05m``."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h {minutes:02}m"
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"


def progress_share(summary: Summary, options: Options) -> float | None:
    """How much of the run is over, from 0 to 1, by the end that is nearer; None without an end."""
    shares = []
    if options.max_rows is not None:
        shares.append(summary.ledger.written / options.max_rows)
    if options.duration is not None:
        shares.append(summary.seconds / options.duration)
    return min(1.0, max(shares)) if shares else None


def progress_facts(summary: Summary) -> dict[str, Any]:
    """The facts of the log's ``progress`` record; the rate is the last ten seconds' mean."""
    recent = summary.rates[-10:]
    facts: dict[str, Any] = {
        "rows": summary.ledger.written,
        "rate": sum(recent) / len(recent) if recent else 0.0,
        "rejected": summary.ledger.quarantined,
        "queue": summary.outbox_bytes,
        "p99": summary.latency[1],
        "file": summary.file_size,
        "state": summary.state.name.lower(),
    }
    for name in ("ignored", "dropped", "lost", "set_aside"):
        if count := getattr(summary.ledger, name):
            facts[name] = count
    return facts


def _gaps(summary: Summary | FeedSummary) -> str:
    length = f", {span(summary.gap_seconds)}" if summary.gaps else ""
    return counted(summary.gaps, "gap") + length


# The terminal


class View:
    """A rich renderable; a line is cut, not wrapped.

    It has 7 lines, one more where the run has an end, and some more for several feeds or outputs,
    as far as the terminal has room for them.
    """

    def __init__(self, summary: Summary, options: Options) -> None:
        self._summary = summary
        self._options = options

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.cells import cell_len, set_cell_size
        from rich.segment import Segment

        # The two columns left over keep a ^C that the terminal echoes on the last line.
        width = min(options.max_width - 2, _WIDEST)
        # Segments and not Text, which takes four times as long: this is most of what a view costs.
        for parts in self.lines(width, options.ascii_only, console.height):
            room = width
            for text, style in parts:
                length = cell_len(text)
                if length <= room:
                    yield Segment(text, console.get_style(style))
                elif room:
                    cut = "~" if options.ascii_only else "…"
                    yield Segment(set_cell_size(text, room - 1) + cut, console.get_style(style))
                room -= min(length, room)
            yield Segment.line()

    def lines(
        self, width: int, ascii_only: bool = False, height: int = _TALL
    ) -> Iterator[list[tuple[str, str]]]:
        """What it shows: each line as pieces of text with their styles.

        :param height: lines that the terminal has.
        """
        now = self._summary
        state, colour = _STATES[now.state]
        # Whole seconds, so that an idle feed's view changes, and is drawn, once a second.
        elapsed = span(now.seconds) if now.seconds >= 60 else f"{now.seconds:.0f}s"
        yield [
            ("* " if ascii_only else "● ", colour),
            (f"{state}  ", f"bold {colour}"),
            (f"run {elapsed}  ", ""),
            (escape(now.feed), "dim"),
        ]
        rows = [_label("rows"), (f"{now.ledger.written:,}", "bold"), (" written", "")]
        rows.append((f"  {now.ledger.quarantined:,} rejected", _alarm(now.ledger.quarantined)))
        if now.ledger.ignored:
            rows.append((f"  {now.ledger.ignored:,} ignored", ""))
        for name in ("dropped", "lost", "set_aside"):
            if count := getattr(now.ledger, name):
                rows.append((f"  {count:,} {name.replace('_', ' ')}", "bold red"))
        yield rows
        rate = f"{now.rates[-1] if now.rates else 0:,.0f}/s"
        bars = sparkline(now.rates, width - _LABEL - len(rate) - 1, ascii_only)
        yield [_label("rate"), (rate, "bold"), (f" {bars}" if bars else "", "cyan")]
        queue = [(f"{format_size(now.outbox_bytes)}  peak {format_size(now.outbox_peak)}", "")]
        if now.spill_bytes:
            queue.append((f"  {format_size(now.spill_bytes)} on disk", "yellow"))
        if now.pauses:
            queue.append((f"  {counted(now.pauses, 'pause')}", "yellow"))
        yield [_label("queue"), *queue]
        p50, p99, _ = map(brief, now.latency)
        yield [_label("latency"), (f"p50 {p50}  p99 {p99}", "")]
        share = progress_share(now, self._options)
        room = height - 6 - (share is not None)  # the lines so far, that of all feeds, and the bar
        for_feeds = _lines_for(len(now.feeds), _MOST_FEEDS) if len(now.feeds) > 1 else 0
        for_outputs = _lines_for(len(now.outputs), _MOST_OUTPUTS)
        for_outputs = max(1, min(for_outputs, room - for_feeds))
        yield from self._outputs(for_outputs)
        yield from self._feeds(room - for_outputs, ascii_only)
        if share is not None:
            yield self._bar(share, width, ascii_only)

    def _outputs(self, room: int) -> Iterator[list[tuple[str, str]]]:
        outputs = self._summary.outputs
        shown = _fitting(len(outputs), _MOST_OUTPUTS, room)
        if not shown:
            size = format_size(self._summary.file_size)
            yield [_label("files"), (f"{size}  {len(outputs)} files", "")]
            return
        for output in outputs[:shown]:
            rows = f"  {counted(output.ledger.written, 'row')}" if len(outputs) > 1 else ""
            text = f"{format_size(output.file_size)}{rows}  {escape(str(output.path))}"
            yield [_label("file"), (text, "")]
        if len(outputs) > shown:
            yield [_label(""), (f"and {len(outputs) - shown} more files", "dim")]

    def _feeds(self, room: int, ascii_only: bool) -> Iterator[list[tuple[str, str]]]:
        now = self._summary
        restarts = [(f"  {counted(now.restarts, 'restart')}", "yellow")] if now.restarts else []
        if len(now.feeds) == 1:
            links = f"{counted(now.connections, 'connection')}  "
            yield [_label("feed"), (links, ""), (_gaps(now), _alarm(now.gaps)), *restarts]
            return
        up = sum(feed.state is State.CONNECTED for feed in now.feeds)
        links = f"{up} of {len(now.feeds)} connected  "
        yield [_label("feeds"), (links, ""), (_gaps(now), _alarm(now.gaps)), *restarts]
        # Those that are in trouble first, so that they are seen however many there are.
        shown = sorted(now.feeds, key=lambda feed: feed.state is State.CONNECTED)
        shown = shown[: _fitting(len(shown), _MOST_FEEDS, room)]
        if not shown:
            return
        name = max(len(escape(feed.name)) for feed in shown)
        rows = max(len(f"{feed.ledger.written:,}") for feed in shown)
        for feed in shown:
            state, colour = _STATES[feed.state]
            yield [
                (" " * (_LABEL - 2) + ("* " if ascii_only else "● "), colour),
                (f"{escape(feed.name):{name}}  {feed.ledger.written:>{rows},}", ""),
                ("" if feed.state is State.CONNECTED else f"  {state}", colour),
                (f"  {_gaps(feed)}" if feed.gaps else "", "yellow"),
            ]
        if len(now.feeds) > len(shown):
            troubled = len(now.feeds) - up > len(shown)
            more = f"and {len(now.feeds) - len(shown):,} more{'' if troubled else ', connected'}"
            yield [_label(""), (more, "dim")]

    def _bar(self, share: float, width: int, ascii_only: bool) -> list[tuple[str, str]]:
        left = f", {span(self._summary.seconds * (1 / share - 1))} left" if share else ""
        text = f" {math.floor(share * 100)}%{left}"
        room = max(0, width - len(text))
        full = int(share * room)
        done, rest = ("#", "-") if ascii_only else ("━", "─")
        return [(done * full, "green"), (rest * (room - full), "dim"), (text, "")]


def _lines_for(count: int, most: int) -> int:
    """Lines for so many things: one for each, and one for those beyond ``most``."""
    return count if count <= most else most + 1


def _fitting(count: int, most: int, room: int) -> int:
    """How many of them are shown one by one in so many lines."""
    return min(count, most) if _lines_for(count, most) <= room else max(0, room - 1)


def _label(text: str) -> tuple[str, str]:
    return (text.ljust(_LABEL), "dim")


def _alarm(count: int) -> str:
    return "yellow" if count else ""


# The end


def summary_text(summary: Summary) -> str:
    """The run's result, in lines."""
    ledger = summary.ledger
    counts = {
        "received": (ledger.received, ""),
        "written": (ledger.written, ""),
        "quarantined": (ledger.quarantined, _rejects_note(summary)),
        "ignored": (ledger.ignored, ""),
        "dropped": (ledger.dropped, "the outbox was full" if ledger.dropped else ""),
        "lost": (ledger.lost, "the last line says why" if ledger.lost else ""),
        "set aside": (ledger.set_aside, "could not be written"),
        "in flight": (ledger.in_flight, "kept for the next run" if ledger.in_flight else ""),
    }
    if not ledger.set_aside:  # nearly always
        del counts["set aside"]
    width = max(len(f"{number:,}") for number, _ in counts.values())
    p50, p99, most = map(brief, summary.latency)
    in_all = " in all" if summary.gaps else ""
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
        f"  {'connections':13}{summary.connections:,}, {_gaps(summary)}{in_all}",
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


def _feed_table(feeds: Sequence[FeedSummary]) -> Iterator[str]:
    """What came of each feed, in lines."""
    shown = ["received", "written", "quarantined"]
    others = ("ignored", "dropped", "lost", "set_aside", "in_flight")
    shown += [name for name in others if any(getattr(feed.ledger, name) for feed in feeds)]
    cells = [["", *(name.replace("_", " ") for name in shown), "gaps"]]
    for feed in feeds:
        numbers = [f"{getattr(feed.ledger, name):,}" for name in shown]
        cells.append([escape(feed.name), *numbers, f"{feed.gaps:,}"])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *rest in cells:
        numbers = [text.rjust(width) for text, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join(["", first.ljust(widths[0]), *numbers])


def summary_json(summary: Summary) -> str:
    """The run's result as one JSON object on one line.

    - ``feed``, ``out``: the URL and the path, as given; where there are several feeds, how many,
      and the first of several paths. ``seconds``: the run's length.
    - ``received``, ``written``, ``quarantined``, ``ignored``, ``dropped``, ``lost``, ``set_aside``,
      ``in_flight``: the ledger; at the end, what is in flight is kept for the next run.
    - ``rejects_not_kept``: of those quarantined, how many are counted only.
    - ``messages_lost``: messages that a process had not decoded when it died; ``restarts``: times
      that another one took its place.
    - ``mean_rate``, ``best_rate``: rows written a second, over the run and in its best second.
    - ``latency_p50``, ``latency_p99``, ``latency_max``: seconds from receipt to file; null without
      rows.
    - ``connections``, ``gaps``, ``gap_seconds``: connections opened; times without one, and their
      length.
    - ``listener``: what read the feeds, ``native``, or ``Python`` and why it was that.
    - ``pauses``, ``queue_peak``, ``spill_peak``: times the feed was left unread; the most bytes
      that waited for the writer; of them, on disk.
    - ``file_size``: bytes, of all files; ``rejects``: the quarantine file, null where nothing went
      there (of the first output).
    - ``feeds``: for each its ``name``, ``url``, the counts of the ledger, ``connections``, ``gaps``
      and ``gap_seconds``; ``outputs``: for each its ``out``, ``written``, ``quarantined``,
      ``file_size``.
    """
    ledger = summary.ledger
    latency = [None if math.isnan(seconds) else round(seconds, 6) for seconds in summary.latency]
    return json.dumps(
        {
            "feed": summary.feed,
            "out": str(summary.out),
            "seconds": round(summary.seconds, 3),
            **_ledger_facts(ledger),
            "mean_rate": round(summary.mean_rate, 1),
            "best_rate": round(summary.best_rate, 1),
            **dict(zip(("latency_p50", "latency_p99", "latency_max"), latency, strict=True)),
            "connections": summary.connections,
            "gaps": summary.gaps,
            "gap_seconds": round(summary.gap_seconds, 3),
            "listener": summary.listener,
            "pauses": summary.pauses,
            "queue_peak": summary.outbox_peak,
            "spill_peak": summary.spill_peak,
            "rejects_not_kept": summary.rejects_not_kept,
            "messages_lost": summary.messages_lost,
            "restarts": summary.restarts,
            "file_size": summary.file_size,
            "rejects": _rejects(summary.outputs[0]) or None,
            "feeds": [
                {
                    "name": feed.name,
                    "url": feed.url,
                    **_ledger_facts(feed.ledger),
                    "connections": feed.connections,
                    "gaps": feed.gaps,
                    "gap_seconds": round(feed.gap_seconds, 3),
                }
                for feed in summary.feeds
            ],
            "outputs": [
                {
                    "out": str(output.path),
                    "written": output.ledger.written,
                    "quarantined": output.ledger.quarantined,
                    "file_size": output.file_size,
                }
                for output in summary.outputs
            ],
        }
    )


def _ledger_facts(ledger: Ledger) -> dict[str, int]:
    return {**asdict(ledger), "in_flight": ledger.in_flight}


def _rejects_note(summary: Summary) -> str:
    """Where the rejects are, and how many are not."""
    files = " ".join(filter(None, map(_rejects, summary.outputs)))
    left_out = summary.rejects_not_kept
    return f"{files}, without {left_out:,} (--max-rejects)" if left_out else files


def _rejects(output: OutputSummary) -> str:
    """The name of the file that has the rejects; empty where there were none."""
    return str(beside(output.path, ".rejected.jsonl")) if output.ledger.quarantined else ""
