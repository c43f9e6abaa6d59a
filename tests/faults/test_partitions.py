"""SIGKILL for the processes of a run of several feeds, receivers and outputs.

Three feeds, of which two share a receiver, go into one file, each row with its feed's name; a
second table takes the rows of one symbol to another file. Each feed's rows are held against what
that feed sent, as if it had been captured alone.
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bench.burst import records
from fastingest.storage.ledger import read_entries
from fastingest.verify.report import report_text
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, wait_until
from tests.faults.evidence import connections, missing, numbers
from tests.faults.run import MAX_LOST, feed, kill
from tests.peers.process import Peer

pytestmark = pytest.mark.long

RATE = 30_000
KILLS = 5  # of each process
SYMBOL = records(1, numbered=True)[0][0]
ONE_IN = 50  # rows have this symbol
NAMES = ("one", "two", "three")

TABLES = """
[[feed]]
name = "{name}"
url = "{url}"

[[feed.table]]
out = "{folder}/all.csv"
columns = ["symbol", "price:float", "volume:number", "feed=@feed"]

[[feed.table]]
out = "{folder}/some.csv"
where = ["$.symbol={symbol}"]
columns = ["symbol", "price:float", "volume:number", "feed=@feed", "number=@sequence"]
"""


def _configure(folder: Path, servers: dict[str, Peer]) -> Path:
    path = folder / "feeds.toml"
    path.write_text(
        "".join(
            TABLES.format(name=name, url=server.url, folder=folder, symbol=SYMBOL)
            for name, server in servers.items()
        )
    )
    return path


def _split(path: Path) -> dict[str, pl.DataFrame]:
    """The rows of each feed, in order, as text."""
    rows = pl.read_csv(path, infer_schema=False)
    return {name: rows.filter(pl.col("feed") == name) for name in NAMES}


def _numbers(rows: pl.DataFrame, path: Path) -> pl.Series:
    """The rows' numbers, when each of them is exactly a row of the feed."""
    rows.select("symbol", "price", "volume").write_csv(path)
    return numbers(path)


class _Captured:
    """What all runs together have left, checked against what the feeds have sent."""

    def __init__(self, folder: Path, servers: dict[str, Peer]) -> None:
        self.runs: dict[str, dict[int, dict[str, Any]]] = {}
        for name in ("all.csv", "some.csv"):
            report = verify(folder / name)
            assert report.agrees, report_text(report)
            entries = [each for each in read_entries(folder / name) if "received" in each]
            for entry in entries:
                self._is_balanced(entry)
            # A run that was interrupted has the last word when it is complete.
            self.runs[name] = {entry["run"]: entry for entry in entries}
        left = {path.name for path in folder.iterdir()}
        files = {
            f"{name}{end}" for name in ("all.csv", "some.csv") for end in ("", ".ledger.jsonl")
        }
        assert left == files | {"feeds.toml"}
        whole, part = _split(folder / "all.csv"), _split(folder / "some.csv")
        for name, server in servers.items():
            self._agrees(name, whole[name], part[name], server, folder)

    @staticmethod
    def _is_balanced(entry: dict[str, Any]) -> None:
        counts = ("written", "quarantined", "ignored", "dropped", "lost", "kept")
        assert entry["received"] == sum(entry[name] for name in counts), entry
        for each in entry["feeds"]:
            assert each["received"] == sum(each[name] for name in counts), entry
        for name in ("received", *counts):
            assert entry[name] == sum(each[name] for each in entry["feeds"]), entry

    def _agrees(
        self, name: str, whole: pl.DataFrame, part: pl.DataFrame, server: Peer, folder: Path
    ) -> None:
        rows = _numbers(whole, folder / "rows")
        for each in missing(rows, connections(server.events)):
            assert (each.at_start, each.inside) == (0, 0), (name, each)
        assert len(rows) == self.count(name, "all.csv", "written")
        # Of the rows of one symbol neither more nor less, but for the ends of connections: there
        # a batch of the one table may have been safe when the receiver died, and not the other's.
        expected = rows.filter(rows % ONE_IN == 0)
        found = _numbers(part, folder / "rows")
        (folder / "rows").unlink()
        odd = set(expected) ^ set(found)
        if self.count(name, "some.csv", "lost") + self.count(name, "all.csv", "lost") == 0:
            assert not odd or self.messages_lost
        assert len(found) == self.count(name, "some.csv", "written")
        self._is_numbered(part)

    @staticmethod
    def _is_numbered(part: pl.DataFrame) -> None:
        """Within a run the numbers count up, and lack only what was lost."""
        steps = part["number"].cast(pl.Int64).diff().drop_nulls()
        assert (steps.filter(steps < 1).len()) <= part["number"].eq("1").sum()

    def count(self, feed_name: str, out: str, what: str) -> int:
        """Over all runs, what the ledger says of one feed."""
        return sum(
            each[what]
            for entry in self.runs[out].values()
            for each in entry["feeds"]
            if each["name"] == feed_name
        )

    @property
    def messages_lost(self) -> int:
        """Messages that were not decoded when a receiver died."""
        return sum(entry["messages_lost"] for entry in self.runs["all.csv"].values())

    @property
    def lost(self) -> int:
        """Rows of all runs."""
        return sum(entry["lost"] for runs in self.runs.values() for entry in runs.values())


def _command(config: Path, *arguments: object) -> Command:
    quick = ("--reconnect-initial", "10ms", "--reconnect-max", "50ms", "--receivers", 2)
    return Command("--config", config, *quick, *arguments)


@pytest.mark.parametrize(
    "victims", [("writer",), ("receiver 1",), ("receiver 1", "receiver 2", "writer")]
)
def test_children_are_killed(
    tmp_path: Path, schedule: random.Random, victims: tuple[str, ...]
) -> None:
    plan = [victim for victim in victims for _ in range(KILLS)]
    schedule.shuffle(plan)
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(feed("--rate", RATE)) for name in NAMES}
        config = _configure(tmp_path, servers)
        with _command(config, "--batch-size", schedule.choice((100, 10_000))) as command:
            command.wait_for("connected", 3)
            for victim in plan:
                time.sleep(schedule.uniform(0, 0.4))  # the moment is what is random
                dead = command.child(victim)
                kill([dead])
                wait_until(lambda: command.child(victim) != dead, "no other")  # noqa: B023
            command.signal(signal.SIGTERM)
            status = command.wait()
        for server in servers.values():
            server.stop()
        captured = _Captured(tmp_path, servers)
    assert status == (3 if captured.lost or captured.messages_lost else 0)
    for runs in captured.runs.values():
        (run,) = runs.values()
        assert run["writer_restarts"] == KILLS * ("writer" in victims)
        assert run["receiver_restarts"] == KILLS * sum("receiver" in each for each in victims)
    if victims == ("writer",):
        assert captured.lost == 0


def test_runs_are_killed(tmp_path: Path, schedule: random.Random) -> None:
    """All processes at once, again and again; what a run leaves is written by the next."""
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(feed("--rate", RATE)) for name in NAMES}
        config = _configure(tmp_path, servers)
        for _ in range(5):
            with _command(config, "--batch-size", schedule.choice((100, 10_000))) as command:
                if schedule.random() < 0.8:
                    command.wait_for("connected", 3)
                    time.sleep(schedule.uniform(0, 0.6))
                else:  # while it starts, and takes up what is left
                    time.sleep(schedule.uniform(0, 1.0))
                kill([command.pid, *command.children()])
        with _command(config) as command:
            command.wait_for("connected", 3)
            command.stop()
        for server in servers.values():
            server.stop()
        captured = _Captured(tmp_path, servers)
    for run in captured.runs["all.csv"].values():
        assert run["lost"] + run["messages_lost"] <= 3 * RATE * MAX_LOST, run
