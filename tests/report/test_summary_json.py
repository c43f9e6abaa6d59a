from __future__ import annotations

import dataclasses
import json

from fastingest import Counts
from fastingest.metrics.counters import State
from fastingest.report.summary_json import summary_json
from tests.support.summaries import EMPTY, RUNNING, change, feed, several


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
        "set_aside": 0,
        "in_flight": 111,
        "mean_rate": 14803.0,
        "best_rate": 61200.4,
        "latency_p50": 0.0021,
        "latency_p99": 0.00843,
        "latency_max": 0.0304,
        "connections": 3,
        "gaps": 2,
        "gap_seconds": 12.34,
        "never_ready": [],
        "refused": 0,
        "blanked": 0,
        "stale": 0,
        "listener": "native",
        "pauses": 0,
        "queue_peak": 3_145_728,
        "spill_peak": 0,
        "rejects_not_kept": 0,
        "messages_lost": 0,
        "restarts": 0,
        "file_size": 32_505_856,
        "rejects": "stock_data.csv.rejected.jsonl",
        "feeds": [
            {
                "name": "trades",
                "url": "wss://feed.example/trades",
                "received": 1_234_690,
                "written": 1_234_567,
                "quarantined": 12,
                "ignored": 0,
                "dropped": 0,
                "lost": 0,
                "set_aside": 0,
                "in_flight": 111,
                "connections": 3,
                "gaps": 2,
                "gap_seconds": 12.34,
                "never_ready": False,
                "refused": 0,
                "blanked": 0,
                "stale": 0,
                "stale_names": [],
            }
        ],
        "outputs": [
            {
                "out": "stock_data.csv",
                "written": 1_234_567,
                "quarantined": 12,
                "file_size": 32_505_856,
            }
        ],
    }


def test_what_is_set_aside_or_not_kept_is_a_number() -> None:
    ledger = Counts(1_234_690, written=1_234_567, rejected=12, set_aside=5)
    numbers = json.loads(summary_json(change(ledger=ledger, rejects_not_kept=7)))
    assert (numbers["set_aside"], numbers["rejects_not_kept"]) == (5, 7)
    assert numbers["feeds"][0]["set_aside"] == 5


def test_the_json_summary_of_no_rows_has_nulls() -> None:
    summary = json.loads(summary_json(EMPTY))
    assert summary["latency_p50"] is summary["latency_p99"] is summary["latency_max"] is None
    assert summary["rejects"] is None


def test_the_json_summary_of_several_feeds_and_outputs() -> None:
    summary = several(feed("a", written=7, gaps=2), feed("b", State.WAITING, 5), outputs=3)
    fields = json.loads(summary_json(summary))
    assert (fields["feed"], fields["out"], fields["written"]) == ("2 feeds", "data/0.csv", 12)
    assert (fields["connections"], fields["gaps"], fields["gap_seconds"]) == (4, 2, 3.0)
    assert fields["file_size"] == 6 * 2**20
    names = ("name", "url", "written", "gaps", "gap_seconds")
    assert [[each[name] for name in names] for each in fields["feeds"]] == [
        ["a", "wss://a/", 7, 2, 3.0],
        ["b", "wss://b/", 5, 0, 0.0],
    ]
    assert [each["out"] for each in fields["outputs"]] == [f"data/{n}.csv" for n in range(3)]
    assert [each["written"] for each in fields["outputs"]] == [1000, 1000, 12]


def test_every_key_of_the_json_summary_is_documented() -> None:
    assert summary_json.__doc__ is not None
    for key in json.loads(summary_json(RUNNING)):
        assert f"``{key}``" in summary_json.__doc__


def test_feeds_that_were_never_ready_are_named() -> None:
    unready = dataclasses.replace(feed("kraken", written=0), never_ready=True)
    fields = json.loads(summary_json(several(feed("binance"), unready)))
    assert fields["never_ready"] == ["kraken"]
    assert [each["never_ready"] for each in fields["feeds"]] == [False, True]
