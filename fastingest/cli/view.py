"""The live view: what a terminal shows while a run goes on. Pure, from a summary of the moment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fastingest.config.options import Options
from fastingest.metrics.counters import State
from fastingest.report.summary import FeedSummary, Summary
from fastingest.report.summary_text import gaps_text
from fastingest.text import counted, escape
from fastingest.units import brief, format_size, span

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

__all__ = ["View", "progress_share", "sparkline"]

_BARS, _ASCII_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"
_MAX_FEEDS, _MAX_OUTPUTS = 8, 4  # that the terminal shows one by one
_MAX_WIDTH = 80  # a minute of sparkline and its label; a bar gets no better by being longer
_TALL = 1000  # lines of a terminal that has room for everything
_LABEL = 8

_WELL = 2  # the rank of a feed that need not be looked at

_SILENT = 10.0  # seconds without a row after which a feed is not shown as if all were well

_STATES = {
    State.STARTING: ("starting", "yellow"),
    State.CONNECTING: ("connecting", "yellow"),
    State.SUBSCRIBING: ("connected, not subscribed yet", "yellow"),
    State.CONNECTED: ("connected", "green"),
    State.WAITING: ("waiting to reconnect", "red"),
    State.PAUSED: ("paused, the writer is behind", "yellow"),
    State.CLOSED: ("closed", "dim"),
}


def sparkline(rates: Sequence[float], width: int, ascii_only: bool = False) -> str:
    """The latest ``width`` rates as bars: the highest is full, the lowest bar means none."""
    rates = rates[-width:] if width > 0 else ()
    bars = _ASCII_BARS if ascii_only else _BARS
    most = max(rates, default=0.0)
    if most <= 0:
        return bars[0] * len(rates)
    return "".join(bars[math.ceil(max(0.0, rate) / most * (len(bars) - 1))] for rate in rates)


def progress_share(summary: Summary, options: Options) -> float | None:
    """How much of the run is over, from 0 to 1, by the end that is nearer; None without an end."""
    shares = []
    if options.max_rows is not None:
        shares.append(summary.ledger.written / options.max_rows)
    if options.run_length is not None:
        shares.append(summary.seconds / options.run_length)
    return min(1.0, max(shares)) if shares else None


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
        width = min(options.max_width - 2, _MAX_WIDTH)
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
        state, colour = self._state()
        yield [
            ("* " if ascii_only else "● ", colour),
            (f"{state}  ", f"bold {colour}"),
            (f"run {_age(now.seconds)}  ", ""),
            (escape(now.feed), "dim"),
        ]
        rows = [_label("rows"), (f"{now.ledger.written:,}", "bold"), (" written", "")]
        rows.append((f"  {now.ledger.rejected:,} rejected", _alarm(now.ledger.rejected)))
        if now.ledger.ignored:
            rows.append((f"  {now.ledger.ignored:,} ignored", ""))
        if now.refused:
            rows.append((f"  {now.refused:,} refused", "bold red"))
        if now.stale:
            rows.append((f"  {now.stale:,} stale", "bold red"))
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
        for_feeds = _lines_for(len(now.feeds), _MAX_FEEDS) if len(now.feeds) > 1 else 0
        for_outputs = _lines_for(len(now.outputs), _MAX_OUTPUTS)
        for_outputs = max(1, min(for_outputs, room - for_feeds))
        yield from self._outputs(for_outputs)
        yield from self._feeds(room - for_outputs, ascii_only)
        if share is not None:
            yield self._bar(share, width, ascii_only)

    def _outputs(self, room: int) -> Iterator[list[tuple[str, str]]]:
        outputs = self._summary.outputs
        shown = _fitting(len(outputs), _MAX_OUTPUTS, room)
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
            yield [_label("feed"), (links, ""), (gaps_text(now), _alarm(now.gaps)), *restarts]
            return
        up = sum(feed.state is State.CONNECTED for feed in now.feeds)
        links = f"{up} of {len(now.feeds)} connected  "
        yield [_label("feeds"), (links, ""), (gaps_text(now), _alarm(now.gaps)), *restarts]
        # Those that are in trouble first, so that they are seen however many there are.
        every = sorted(now.feeds, key=self._rank)
        shown = every[: _fitting(len(every), _MAX_FEEDS, room)]
        if not shown:
            return
        name = max(len(escape(feed.name)) for feed in shown)
        rows = max(len(f"{feed.ledger.written:,}") for feed in shown)
        for feed in shown:
            state, colour = self._feed_state(feed)
            yield [
                (" " * (_LABEL - 2) + ("* " if ascii_only else "● "), colour),
                (f"{escape(feed.name):{name}}  {feed.ledger.written:>{rows},}", ""),
                (f"  {state}" if self._is_silent(feed) else "", colour),
                (f"  {gaps_text(feed)}" if feed.gaps else "", "yellow"),
                (f"  {feed.refused:,} refused" if feed.refused else "", "red"),
                (f"  {feed.stale:,} stale" if feed.stale else "", "red"),
            ]
        if rest := every[len(shown) :]:
            well = all(self._rank(feed) == _WELL for feed in rest)
            yield [_label(""), (f"and {len(rest):,} more{', connected' if well else ''}", "dim")]

    def _state(self) -> tuple[str, str]:
        """What the run's connections are doing, and its colour."""
        now = self._summary
        if len(now.feeds) == 1:
            return self._feed_state(now.feeds[0])
        said, colour = _STATES[now.state]
        if now.state is not State.CONNECTED:
            return said, colour
        if silent := sum(map(self._is_silent, now.feeds)):
            said, colour = f"{said}, {silent:,} of {len(now.feeds):,} silent", "yellow"
        return said, "red" if now.stale else colour

    def _feed_state(self, feed: FeedSummary) -> tuple[str, str]:
        """The same of one feed. Green is one that is connected and brings rows."""
        said, colour = _STATES[feed.state]
        if feed.state is not State.CONNECTED:
            return said, colour
        if self._is_silent(feed):
            since = "yet" if feed.row_age is None else f"for {_age(feed.row_age)}"
            said, colour = f"{said}, no row {since}", "yellow"
        return said, "red" if feed.stale else colour

    def _is_silent(self, feed: FeedSummary) -> bool:
        """Whether it brings no rows; it may be because it is not connected."""
        if feed.state is not State.CONNECTED or feed.row_age is None:
            return True
        return feed.row_age >= _SILENT + self._options.flush_interval  # which closes the batches

    def _rank(self, feed: FeedSummary) -> int:
        """How much a feed needs to be looked at; the least, the most."""
        if feed.state is not State.CONNECTED:
            return 0
        return 1 if self._is_silent(feed) or feed.stale else _WELL

    def _bar(self, share: float, width: int, ascii_only: bool) -> list[tuple[str, str]]:
        left = f", {span(self._summary.seconds * (1 / share - 1))} left" if share else ""
        text = f" {math.floor(share * 100)}%{left}"
        room = max(0, width - len(text))
        full = int(share * room)
        done, rest = ("#", "-") if ascii_only else ("━", "─")
        return [(done * full, "green"), (rest * (room - full), "dim"), (text, "")]


def _age(seconds: float) -> str:
    """In whole seconds, so that a view changes once a second."""
    return span(seconds) if seconds >= 60 else f"{seconds:.0f}s"


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
