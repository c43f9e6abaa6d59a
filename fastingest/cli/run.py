"""A run in words: its log and its live view on stderr, its summary on stdout.

Where stderr is a terminal, the view stands below the log. Elsewhere the log has a ``progress``
record from time to time. An error is one line, and the exit status that it names.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from fastingest.cli.events import RunEnded, RunProgress, UnknownVariable
from fastingest.cli.log import configure
from fastingest.cli.output import fail, print_out
from fastingest.cli.terminal import StreamLog, Terminal
from fastingest.config.options import Options
from fastingest.errors import FastingestError, UsageError
from fastingest.report.summary import Summary
from fastingest.report.summary_json import summary_json
from fastingest.report.summary_text import summary_text
from fastingest.supervisor.log import report
from fastingest.supervisor.run import ingest

__all__ = ["PROGRESS_INTERVAL", "VIEW_INTERVAL", "progress_of", "run"]

PROGRESS_INTERVAL = 10.0
"""Seconds between two lines of progress in the log, where there is no view."""

VIEW_INTERVAL = 0.5
"""Seconds between two states of the view."""

_OnTick: TypeAlias = Callable[[Summary], None]


def run(
    options: Options,
    *,
    progress_interval: float = PROGRESS_INTERVAL,
    view_interval: float = VIEW_INTERVAL,
    unknown: Mapping[str, str] | None = None,
) -> int:
    """Capture, and say on stderr and stdout how it goes and ends; the exit status.

    :param unknown: environment variables that are no settings, each with the one that may be meant.
    """
    error: FastingestError | None = None
    summary: Summary | None
    try:
        with _shown(options) as (on_tick, is_view):
            tick = view_interval if is_view else progress_interval
            for name, meant in (unknown or {}).items():
                report(UnknownVariable(name, meant or None))
            summary = ingest(options, on_tick=on_tick, tick=tick)
    except FastingestError as caught:
        error = caught
        summary = caught.summary if isinstance(caught.summary, Summary) else None
    # What was refused has mostly captured nothing; a summary would only hide the reason.
    refused = isinstance(error, UsageError) and not (summary and summary.ledger.received)
    if summary and not options.quiet and not refused:
        show = summary_json if options.log_format == "json" else summary_text
        unprinted = print_out(show(summary), "the summary")
        error = error or unprinted
    if error is None:
        return 0
    if options.log_format == "json":  # whoever reads the log as JSON meets nothing else in it
        report(RunEnded(str(error), type(error).__name__))
        return error.exit_status
    return fail(error)


@contextlib.contextmanager
def _shown(options: Options) -> Iterator[tuple[_OnTick | None, bool]]:
    """Where the log goes, what to do at every tick, and whether that is the view."""
    level = options.log_level
    if options.quiet:
        level = level if level in ("warning", "error") else "warning"
    elif options.log_format == "text" and sys.stderr is not None and sys.stderr.isatty():
        terminal = Terminal(options)
        if not terminal.is_dumb:
            configure(level, options.log_format, terminal)
            try:
                yield terminal.draw, True
            finally:
                terminal.stop()
                configure(level, options.log_format, StreamLog())
            return
    log = StreamLog()
    configure(level, options.log_format, log)
    try:
        yield None if options.quiet else lambda summary: report(progress_of(summary)), False
    finally:
        log.stop()


def progress_of(summary: Summary) -> RunProgress:
    """What the log tells of a run's numbers from time to time."""
    ledger, recent = summary.ledger, summary.rates[-10:]
    return RunProgress(
        rows=ledger.written,
        rate=sum(recent) / len(recent) if recent else 0.0,
        rejected=ledger.rejected,
        queue=summary.outbox_bytes,
        p99=summary.latency[1],
        file=summary.file_size,
        state=summary.state.name.lower(),
        ignored=ledger.ignored or None,
        dropped=ledger.dropped or None,
        lost=ledger.lost or None,
        set_aside=ledger.set_aside or None,
        refused=summary.refused or None,
        stale=summary.stale or None,
    )
