from __future__ import annotations

import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from fastingest import Ledger, Options, Summary
from fastingest.counters import State
from fastingest.view import (
    View,
    brief,
    progress_facts,
    progress_share,
    span,
    sparkline,
    summary_json,
    summary_text,
)

RUNNING = Summary(
    feed="wss://feed.example/trades",
    out=Path("stock_data.csv"),
    seconds=83.4,
    state=State.CONNECTED,
    ledger=Ledger(1_234_690, written=1_234_567, quarantined=12, ignored=0, dropped=0, lost=0),
    best_rate=61_200.4,
    rates=(0.0, 25_000.0, 49_876.2, 50_000.0),
    connections=3,
    gaps=2,
    gap_seconds=12.34,
    pauses=0,
    outbox_bytes=9 * 2**10,
    outbox_peak=3 * 2**20,
    spill_bytes=0,
    spill_peak=0,
    restarts=0,
    messages_lost=0,
    file_size=31 * 2**20,
    latency=(0.0021, 0.00843, 0.0304),
)
EMPTY = dataclasses.replace(
    RUNNING,
    ledger=Ledger(0, 0, 0, 0, 0, 0),
    rates=(),
    best_rate=0.0,
    gaps=0,
    gap_seconds=0.0,
    latency=(math.nan, math.nan, math.nan),
)
ENDLESS = Options(url="wss://feed.example/trades")


def change(**values: Any) -> Summary:
    return dataclasses.replace(RUNNING, **values)


def render(
    summary: Summary, width: int, options: Options = ENDLESS, encoding: str = "utf-8"
) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    console.print(View(summary, options), end="")
    file.seek(0)
    lines = file.read().splitlines()
    assert max(map(cell_len, lines)) <= width - 2
    return lines


def test_the_view_at_80_columns() -> None:
    assert render(RUNNING, 80, dataclasses.replace(ENDLESS, duration=100.0)) == [
        "● connected  run 1m 23s  wss://feed.example/trades",
        "rows    1,234,567 written  12 rejected",
        "rate    50,000/s ▁▅██",
        "queue   9KiB  peak 3MiB",
        "latency p50 2.1ms  p99 8.43ms",
        "file    31MiB  stock_data.csv",
        "feed    3 connections  2 gaps, 12.3s",
        "━" * 51 + "─" * 11 + " 83%, 16.6s left",
    ]


def test_the_view_at_40_columns() -> None:
    summary = change(
        feed="wss://feed.example/trades/and/a/long/path",
        out=Path("/var/lib/captures/stock_data.csv"),
        rates=tuple(float(i) for i in range(60)),
    )
    assert render(summary, 40) == [
        "● connected  run 1m 23s  wss://feed.e…",
        "rows    1,234,567 written  12 rejected",
        "rate    59/s ▆▆▆▆▆▆▆▆▇▇▇▇▇▇▇▇█████████",
        "queue   9KiB  peak 3MiB",
        "latency p50 2.1ms  p99 8.43ms",
        "file    31MiB  /var/lib/captures/stoc…",
        "feed    3 connections  2 gaps, 12.3s",
    ]


def test_the_view_before_the_first_row() -> None:
    lines = render(EMPTY, 80)
    assert lines[1:] == [
        "rows    0 written  0 rejected",
        "rate    0/s",
        "queue   9KiB  peak 3MiB",
        "latency p50 -  p99 -",
        "file    31MiB  stock_data.csv",
        "feed    3 connections  0 gaps",
    ]


def test_the_view_without_unicode() -> None:
    options = dataclasses.replace(ENDLESS, max_rows=2_469_134)
    lines = render(change(out=Path("x" * 90)), 40, options, "ascii")
    assert lines[0].startswith("* connected")
    assert lines[2] == "rate    50,000/s _=##"
    assert lines[5].endswith("x~")
    assert lines[7].startswith("#")
    assert lines[7].endswith("- 50%, 1m 23s left")


def test_the_view_names_what_went_wrong() -> None:
    summary = change(
        state=State.PAUSED,
        pauses=1,
        spill_bytes=5 * 2**20,
        restarts=2,
        ledger=Ledger(20, written=10, quarantined=0, ignored=0, dropped=7, lost=2),
    )
    lines = render(summary, 80)
    assert lines[0].startswith("● paused, the writer is behind  ")
    assert lines[1] == "rows    10 written  0 rejected  7 dropped  2 lost"
    assert lines[3] == "queue   9KiB  peak 3MiB  5MiB on disk  1 pause"
    assert lines[6] == "feed    3 connections  2 gaps, 12.3s  2 restarts"


@pytest.mark.parametrize("state", State)
def test_every_state_has_words(state: State) -> None:
    assert render(change(state=state), 80)[0].startswith(
        "● " + {"PAUSED": "paused"}.get(state.name, state.name.lower())
    )


def test_names_cannot_control_the_terminal() -> None:
    lines = render(change(feed="demo://\x1b[2J", out=Path("a\nb.csv")), 80)
    assert lines[0].endswith(r"demo://\x1b[2J")
    assert lines[5].endswith(r"a\nb.csv")


@pytest.mark.parametrize(
    ("rates", "width", "bars"),
    [
        ((), 60, ""),
        ((0.0, 0.0), 60, "▁▁"),
        ((0.0, 0.001, 7.0), 60, "▁▂█"),
        ((1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), 60, "▂▃▄▅▆▇█"),
        ((9.0, 1.0, 2.0), 2, "▅█"),
        ((1.0,), 0, ""),
        ((1.0,), -3, ""),
    ],
)
def test_sparkline(rates: tuple[float, ...], width: int, bars: str) -> None:
    assert sparkline(rates, width) == bars


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (math.nan, "-"),
        (0.0, "0us"),
        (0.000340, "340us"),
        (0.0009999, "1ms"),
        (0.00213, "2.13ms"),
        (0.9999, "1s"),
        (1.234, "1.23s"),
        (59.4, "59.4s"),
        (61.0, "1m 01s"),
    ],
)
def test_brief(seconds: float, shown: str) -> None:
    assert brief(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (3599.4, "59m 59s"),
        (7384.0, "2h 03m 04s"),
        (86400 * 3 + 3600 * 4 + 299.9, "3d 04h 05m"),
    ],
)
def test_span(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("max_rows", "duration", "share"),
    [
        (None, None, None),
        (2_469_134, None, 0.5),
        (None, 834.0, 0.1),
        (2_469_134, 834.0, 0.5),
        (12_345_670, 166.8, 0.5),
        (1, None, 1.0),
    ],
)
def test_progress_is_by_the_nearer_end(
    max_rows: int | None, duration: float | None, share: float | None
) -> None:
    options = dataclasses.replace(ENDLESS, max_rows=max_rows, duration=duration)
    assert progress_share(RUNNING, options) == (share and pytest.approx(share))


def test_the_bar_before_anything_has_happened() -> None:
    lines = render(change(seconds=0.0), 40, dataclasses.replace(ENDLESS, duration=10.0))
    assert lines[7] == "─" * 35 + " 0%"


def test_progress_facts() -> None:
    assert progress_facts(RUNNING) == {
        "rows": 1_234_567,
        "rate": pytest.approx(31_219.05),
        "rejected": 12,
        "queue": 9216,
        "p99": 0.00843,
        "file": 32_505_856,
        "state": "connected",
    }
    assert progress_facts(EMPTY)["rate"] == 0.0
    assert progress_facts(EMPTY).keys() == progress_facts(RUNNING).keys()
    lossy = change(ledger=Ledger(6, written=1, quarantined=0, ignored=0, dropped=2, lost=3))
    assert (progress_facts(lossy)["dropped"], progress_facts(lossy)["lost"]) == (2, 3)


def test_the_summary_in_text() -> None:
    ledger = Ledger(1_234_690, written=1_234_567, quarantined=12, ignored=9, dropped=2, lost=3)
    assert summary_text(change(ledger=ledger, restarts=1)).splitlines() == [
        "wss://feed.example/trades",
        "  received     1,234,690",
        "  written      1,234,567",
        "  quarantined         12  stock_data.csv.rejected.jsonl",
        "  ignored              9",
        "  dropped              2  the outbox was full",
        "  lost                 3  a process died",
        "  in flight           97  kept for the next run",
        "  rows/s       14,803 mean, 61,200 best second",
        "  latency      p50 2.1ms, p99 8.43ms, max 30.4ms (from receipt to file)",
        "  connections  3, 2 gaps, 12.3s in all, 1 restart",
        "  file         stock_data.csv, 31MiB",
        "  run length   1m 23s",
    ]


def test_the_summary_of_no_rows_claims_nothing() -> None:
    text = summary_text(EMPTY)
    assert "nan" not in text
    assert "  latency      no rows" in text
    assert "  rows/s       0 mean, 0 best second" in text
    assert "rejected.jsonl" not in text
    assert "  dropped      0\n  lost         0\n  in flight    0\n" in text
    assert "  connections  3, 0 gaps\n" in text


def test_the_summary_as_json() -> None:
    text = summary_json(RUNNING)
    assert "\n" not in text
    assert json.loads(text) == {
        "feed": "wss://feed.example/trades",
        "out": "stock_data.csv",
        "seconds": 83.4,
        "received": 1_234_690,
        "written": 1_234_567,
        "quarantined": 12,
        "ignored": 0,
        "dropped": 0,
        "lost": 0,
        "in_flight": 111,
        "mean_rate": 14803.0,
        "best_rate": 61200.4,
        "latency_p50": 0.0021,
        "latency_p99": 0.00843,
        "latency_max": 0.0304,
        "connections": 3,
        "gaps": 2,
        "gap_seconds": 12.34,
        "pauses": 0,
        "queue_peak": 3_145_728,
        "spill_peak": 0,
        "messages_lost": 0,
        "restarts": 0,
        "file_size": 32_505_856,
        "rejects": "stock_data.csv.rejected.jsonl",
    }


def test_the_json_summary_of_no_rows_has_nulls() -> None:
    summary = json.loads(summary_json(EMPTY))
    assert summary["latency_p50"] is summary["latency_p99"] is summary["latency_max"] is None
    assert summary["rejects"] is None


def test_every_key_of_the_json_summary_is_documented() -> None:
    assert summary_json.__doc__ is not None
    for key in json.loads(summary_json(RUNNING)):
        assert f"``{key}``" in summary_json.__doc__
