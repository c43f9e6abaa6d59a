"""Summaries of runs: one with one feed, and what is made of it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from fastingest import Counts, Summary
from fastingest.metrics.counters import State
from fastingest.report.summary import FeedSummary, OutputSummary

__all__ = ["EMPTY", "LEDGER", "NONE", "RUNNING", "change", "feed", "several"]

LEDGER = Counts(1_234_690, written=1_234_567, rejected=12, ignored=0, dropped=0, lost=0)


NONE = Counts(0, 0, 0, 0, 0, 0)


FEED = FeedSummary(
    name="trades",
    url="wss://feed.example/trades",
    state=State.CONNECTED,
    ledger=LEDGER,
    connections=3,
    gaps=2,
    gap_seconds=12.34,
    row_age=0.1,
)


RUNNING = Summary(
    feeds=(FEED,),
    outputs=(OutputSummary(Path("stock_data.csv"), LEDGER, 31 * 2**20),),
    listener="native",
    seconds=83.4,
    ledger=LEDGER,
    best_rate=61_200.4,
    rates=(0.0, 25_000.0, 49_876.2, 50_000.0),
    pauses=0,
    outbox_bytes=9 * 2**10,
    outbox_peak=3 * 2**20,
    spill_bytes=0,
    spill_peak=0,
    restarts=0,
    messages_lost=0,
    rejects_not_kept=0,
    latency=(0.0021, 0.00843, 0.0304),
)


def change(**values: Any) -> Summary:
    """The run with other values; those of a feed, or ``out``, are its one feed's or output's."""
    (feed,), (output,) = RUNNING.feeds, RUNNING.outputs
    names = {field.name for field in dataclasses.fields(FeedSummary)} - {"ledger"}
    of_feed = {name: values.pop(name) for name in names & values.keys()}
    ledger = values.get("ledger", LEDGER)
    feed = dataclasses.replace(feed, ledger=ledger, **of_feed)
    output = dataclasses.replace(output, ledger=ledger, path=values.pop("out", output.path))
    return dataclasses.replace(RUNNING, feeds=(feed,), outputs=(output,), **values)


EMPTY = change(
    ledger=NONE,
    rates=(),
    best_rate=0.0,
    gaps=0,
    gap_seconds=0.0,
    latency=(math.nan, math.nan, math.nan),
)


def several(*feeds: FeedSummary, outputs: int = 1) -> Summary:
    """A run of these feeds, and of so many outputs, the last of which has the rejects."""
    ledger = sum((feed.ledger for feed in feeds), NONE)
    clean = Counts(1000, 1000, 0, 0, 0, 0)
    paths = [Path(f"data/{number}.csv") for number in range(outputs)]
    return dataclasses.replace(
        RUNNING,
        feeds=feeds,
        outputs=tuple(
            OutputSummary(path, ledger if path == paths[-1] else clean, 2**20 * (number + 1))
            for number, path in enumerate(paths)
        ),
        ledger=ledger,
    )


def feed(
    name: str,
    state: State = State.CONNECTED,
    written: int = 1000,
    gaps: int = 0,
    **more: Any,
) -> FeedSummary:
    ledger = Counts(written, written, 0, 0, 0, 0)
    more = {"row_age": 0.1, **more}
    return FeedSummary(name, f"wss://{name}/", state, ledger, gaps + 1, gaps, 1.5 * gaps, **more)
