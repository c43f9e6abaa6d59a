from __future__ import annotations

import dataclasses

from fastingest import Counts
from fastingest.report.summary_text import summary_text
from tests.support.summaries import EMPTY, RUNNING, change, feed, several


def test_the_summary_in_text() -> None:
    ledger = Counts(1_234_690, written=1_234_567, rejected=12, ignored=9, dropped=2, lost=3)
    assert summary_text(change(ledger=ledger, restarts=1)).splitlines() == [
        "wss://feed.example/trades",
        "  received     1,234,690",
        "  written      1,234,567",
        "  quarantined         12  stock_data.csv.rejected.jsonl",
        "  ignored              9",
        "  dropped              2  the outbox was full",
        "  lost                 3  the last line says why",
        "  in flight           97  kept for the next run",
        "  rows/s       14,803 mean, 61,200 best second",
        "  latency      p50 2.1ms, p99 8.43ms, max 30.4ms (from receipt to file)",
        "  connections  3, 2 gaps, 12.3s in all, 1 restart",
        "  listener     native",
        "  file         stock_data.csv, 31MiB",
        "  run length   1m 23s",
    ]


def test_what_is_set_aside_or_not_kept_is_told_where_there_is_any() -> None:
    ledger = Counts(1_234_690, written=1_234_567, rejected=12, set_aside=5)
    lines = summary_text(change(ledger=ledger, rejects_not_kept=7)).splitlines()
    assert (
        "  quarantined         12  stock_data.csv.rejected.jsonl, without 7 (--max-rejects)"
        in lines
    )
    assert lines[6:9] == [
        "  lost                 0",
        "  set aside            5  could not be written",
        "  in flight          106  kept for the next run",
    ]
    assert "set aside" not in summary_text(RUNNING)


def test_the_summary_of_no_rows_claims_nothing() -> None:
    text = summary_text(EMPTY)
    assert "nan" not in text
    assert "  latency      no rows" in text
    assert "  rows/s       0 mean, 0 best second" in text
    assert "rejected.jsonl" not in text
    assert "  dropped      0\n  lost         0\n  in flight    0\n" in text
    assert "  connections  3, 0 gaps\n" in text


def test_the_summary_of_several_feeds_has_a_table() -> None:
    lost = Counts(1_000_009, written=1_000_000, rejected=5, ignored=1, dropped=0, lost=2)
    feeds = (feed("binance", written=50, gaps=1), dataclasses.replace(feed("kraken"), ledger=lost))
    lines = summary_text(several(*feeds, outputs=2)).splitlines()
    assert lines[0] == "2 feeds"
    assert lines[3] == "  quarantined          5  data/1.csv.rejected.jsonl"
    assert lines[11:] == [
        "  listener     native",
        "  file         data/0.csv, 1MiB, 1,000 rows",
        "  file         data/1.csv, 2MiB, 1,000,050 rows",
        "  run length   1m 23s",
        "            received    written  quarantined  ignored  lost  in flight  gaps",
        "  binance         50         50            0        0     0          0     1",
        "  kraken   1,000,009  1,000,000            5        1     2          1     0",
    ]


def test_a_feed_that_was_never_ready_is_told() -> None:
    lines = summary_text(change(connections=4, gaps=1, never_ready=True)).splitlines()
    assert "  connections  4, 1 gap, 12.3s in all, never ready" in lines
    unready = dataclasses.replace(feed("kraken", written=0, gaps=1), never_ready=True)
    lines = summary_text(several(feed("binance"), unready)).splitlines()
    assert "  connections  3, 1 gap, 1.5s in all, 1 feed never ready" in lines
    assert [line.endswith("1  never ready") for line in lines[-2:]] == [False, True]
    assert "never" not in lines[-2]


def test_what_feeds_have_refused_is_told_where_there_is_any() -> None:
    feeds = (feed("a"), dataclasses.replace(feed("b"), refused=1234))
    lines = summary_text(several(*feeds)).splitlines()
    assert any(line.endswith("0 gaps, 1,234 refused") for line in lines)
    assert [line.split()[-1] for line in lines[-3:]] == ["refused", "0", "1,234"]
    assert "refused" not in summary_text(RUNNING)


def test_cells_that_are_empty_for_what_is_no_number_are_told_where_there_are_any() -> None:
    feeds = (feed("a"), dataclasses.replace(feed("b"), blanked=1234))
    lines = summary_text(several(*feeds)).splitlines()
    assert "  blanked      1,234 cells whose value is no number" in lines
    assert [line.split()[-1] for line in lines[-3:]] == ["blanked", "0", "1,234"]
    assert "blanked" not in summary_text(RUNNING)
