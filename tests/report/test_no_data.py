"""What is said of a feed whose messages become no rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import Reject
from fastingest.model.feed import Feed, Table
from fastingest.model.jsonpath import parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import Schema, parse_columns
from fastingest.report.no_data import AGAIN, PATIENCE, PATIENCE_LATER, last_reason, watch
from fastingest.runtime.assignment import SharedOutput, targets_of
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.rejects import RejectsFile
from tests.end_to_end.command import Command

NO_LOCK: Any = None  # nobody writes here


class Run:
    """A run of feeds with these tables, and what becomes of their messages."""

    def __init__(self, folder: Path, *feeds: Sequence[Table]) -> None:
        self.folder = folder
        self.feeds = [
            Feed(f"feed {number}", f"ws://{number}", tuple(tables))
            for number, tables in enumerate(feeds)
        ]
        self.shares = [
            SharedOutput(
                target,
                0,
                SpoolDirectories(folder, folder),
                Counters.create(feeds=[feed.name for feed in self.feeds]),
                NO_LOCK,
            )
            for target in targets_of(self.feeds)
        ]
        self.alerts = list(watch(self.feeds, self.shares))

    def take(
        self, rows: int = 0, rejected: int = 0, ignored: int = 0, table: int = 0, feed: int = 0
    ) -> None:
        """Count messages of a feed as a receiver does."""
        name = f"feed {feed}"
        own = [share for share in self.shares if name in share.target.tables]
        for share in own:
            counters = share.counters.of(name)
            counters.add(Slot.DECODED, rows + rejected + ignored)
            if table in share.target.tables[name]:
                counters.add(Slot.RECEIVED, rows + rejected)
                counters.add(Slot.REJECTED, rejected)
            if 0 in share.target.tables[name]:
                counters.add(Slot.IGNORED, ignored)

    def said(self, now: float | None) -> list[tuple[str, dict[str, Any]]]:
        """What there is to say at this moment; None: at the end."""
        found = [
            (f.name, alert.end() if now is None else alert.look(now)) for f, alert in self.alerts
        ]
        return [(name, event.fields) for name, event in found if event is not None]


def table(folder: Path, name: str = "out.csv", rows: str = "", *where: str) -> Table:
    conditions = tuple(map(parse_condition, where))
    return Table(folder / name, Schema(parse_columns("a"), parse_rows(rows), conditions))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, [table(tmp_path)])


def test_a_silent_feed_raises_no_alert(run: Run) -> None:
    assert [run.said(now) for now in (0, PATIENCE, 1e6, None)] == [[]] * 4


def test_messages_without_a_row_are_said_once_an_hour(run: Run) -> None:
    run.take(ignored=3)
    assert run.said(100) == []
    assert run.said(100 + PATIENCE - 1) == []
    run.take(ignored=2)
    ((_, fields),) = run.said(100 + PATIENCE)
    assert (fields["messages"], fields["rejected"], fields["ignored"]) == (5, 0, 5)
    assert run.said(100 + PATIENCE + AGAIN - 1) == []
    assert len(run.said(100 + PATIENCE + AGAIN)) == 1


def test_a_row_ends_it(run: Run) -> None:
    run.take(ignored=3, rejected=1)
    assert run.said(0) == []
    run.take(rows=1)
    assert [run.said(now) for now in (PATIENCE, PATIENCE_LATER, 1e6, None)] == [[]] * 4


def test_a_feed_that_has_brought_rows_may_be_quiet_for_ever(run: Run) -> None:
    run.take(rows=1)
    assert run.said(0) == []
    run.take(ignored=1000)
    assert [run.said(now) for now in (1, 1e4, None)] == [[]] * 3


def test_rejects_instead_of_rows_are_said_later_on_as_well(run: Run) -> None:
    run.take(rows=10, rejected=5)
    assert run.said(0) == []
    run.take(rejected=7, ignored=1)
    assert run.said(1) == []
    assert run.said(PATIENCE_LATER) == []
    ((_, fields),) = run.said(1 + PATIENCE_LATER)
    assert (fields["messages"], fields["rejected"], fields["ignored"]) == (8, 7, 1)


def test_rows_among_rejects_raise_no_alert(run: Run) -> None:
    for now in range(0, 1000, 10):
        run.take(rows=1, rejected=100)
        assert run.said(now) == []


def test_a_short_run_says_it_at_its_end(run: Run) -> None:
    run.take(ignored=1)
    assert run.said(0) == []
    assert len(run.said(None)) == 1


def test_what_was_said_is_not_said_again_at_the_end(run: Run) -> None:
    run.take(ignored=1)
    assert run.said(0) == []
    assert len(run.said(PATIENCE)) == 1
    assert run.said(None) == []


def test_it_is_said_of_the_feed_that_is_in_it(tmp_path: Path) -> None:
    run = Run(tmp_path, [table(tmp_path)], [table(tmp_path)])
    run.take(rows=1)
    run.take(ignored=1, feed=1)
    assert [name for name, _ in run.said(None)] == ["feed 1"]


def test_a_table_without_rows_beside_one_with_rows_raises_no_alert(tmp_path: Path) -> None:
    run = Run(tmp_path, [table(tmp_path), table(tmp_path, "b.csv")])
    run.take(rows=5, table=1)
    assert run.said(None) == []


def test_a_table_with_rejects_beside_one_with_rows_raises_one(tmp_path: Path) -> None:
    run = Run(tmp_path, [table(tmp_path), table(tmp_path, "b.csv")])
    run.take(rows=5)
    run.take(rejected=3, table=1)
    ((_, fields),) = run.said(None)
    assert (fields["rejected"], fields["kept_in"]) == (3, f"{tmp_path}/b.csv.rejected.jsonl")


def test_a_feed_without_any_row_is_said_once_and_not_for_each_table(tmp_path: Path) -> None:
    run = Run(tmp_path, [table(tmp_path), table(tmp_path, "b.csv")])
    run.take(ignored=3)
    ((_, fields),) = run.said(None)
    assert fields["problem"] == "none is for any of the tables"


@pytest.mark.parametrize(
    ("rows", "where", "problem"),
    [
        ("", (), "all are ignored"),
        ("", ("T=t",), "none has T=t"),
        ("data", (), "none has rows at data"),
        ("[1]", ("$.e=a,b", "T=t"), "none has $.e=a,b and T=t and rows at [1]"),
    ],
)
def test_it_says_what_no_message_is(
    rows: str, where: Sequence[str], problem: str, tmp_path: Path
) -> None:
    run = Run(tmp_path, [table(tmp_path, "out.csv", rows, *where)])
    run.take(ignored=1)
    ((_, fields),) = run.said(None)
    assert fields["problem"] == problem
    assert fields["hint"] == "fastingest probe shows what the feed sends"


def keep_rejects(out: Path, *reasons: str, raw: bytes = b"{}") -> None:
    file = RejectsFile(out)
    file.add([Reject(0, reason, raw) for reason in reasons])
    file.close()


def test_it_says_why_the_latest_reject_is_none(run: Run, tmp_path: Path) -> None:
    keep_rejects(tmp_path / "out.csv", "a is missing", "b is missing")
    run.take(rejected=2)
    assert "reason" not in run.said(None)[0][1]  # those may be of another run
    run.shares[0].counters.feeds[0][Slot.REJECTS_COMMITTED] = 2
    ((_, fields),) = run.said(None)
    assert fields["reason"] == "b is missing"


def test_a_reject_of_another_feed_explains_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, [table(tmp_path)], [table(tmp_path)])
    keep_rejects(tmp_path / "out.csv", "a is missing")
    run.take(rejected=1)
    run.shares[0].counters.feeds[0][Slot.REJECTS_COMMITTED] = 1
    ((_, fields),) = run.said(None)
    assert "reason" not in fields


def test_the_last_reason_of_none_or_of_a_long_one(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert last_reason(out) == ""
    keep_rejects(out, "short")
    keep_rejects(out, "long", raw=b"x" * 100_000)
    assert last_reason(out) == ""
    keep_rejects(out, "short again")
    assert last_reason(out) == "short again"
    (tmp_path / "out.csv.rejected.jsonl").write_text("[1]\n")
    assert last_reason(out) == ""


def test_a_run_whose_path_is_mistyped_says_so(tmp_path: Path) -> None:
    options = ("--url", "demo://?rate=1000", "--out", tmp_path / "o.csv", "--duration", "1s")
    with Command(*options, "--columns", "symbol=sym, price:float") as command:
        assert command.summary()["written"] == 0
        (said,) = [entry for entry in command.events if entry["event"] == "no rows"]
    rejects = (tmp_path / "o.csv.rejected.jsonl").read_text().splitlines()
    assert (said["level"], said["rejected"], said["ignored"]) == ("warning", len(rejects), 0)
    assert said["reason"] == json.loads(rejects[-1])["reason"] == "symbol: sym is missing"


def test_a_run_with_rows_says_nothing_of_the_kind(tmp_path: Path) -> None:
    options = ("--url", "demo://?rate=1000", "--out", tmp_path / "o.csv", "--max-rows", "100")
    with Command(*options) as command:
        assert command.summary()["written"] == 100
        assert not [entry for entry in command.events if entry["event"] == "no rows"]


def test_a_table_is_found_in_whatever_order_the_outputs_are(tmp_path: Path) -> None:
    one, two = table(tmp_path, "1.csv"), table(tmp_path, "2.csv")
    run = Run(tmp_path, [one], [two, one])
    run.take(rejected=1, table=1, feed=1)
    ((name, fields),) = run.said(None)
    assert (name, fields["kept_in"]) == ("feed 1", f"{tmp_path}/1.csv.rejected.jsonl")
