"""A run that is killed, and completed by a start whose feeds are others, in another order."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

from fastingest.metrics.counters import Counters, Slot
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.ledger import read_entries
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, is_running, left_by, wait_until

FEED = """
[[feed]]
name = "{name}"
url = "demo://?rate={rate}&sequence=1&burst=1"
columns = "feed=@feed, n:int=volume"
out = "{out}"
"""
FIRST = {"alpha": 3000, "beta": 5000, "gamma": 7000}
"""Rows a second of each."""
SECOND = {"delta": 2000, "gamma": 4000, "alpha": 6000}
"""One more, one less, and the others the other way round."""
SMALL = ["--batch-size", "500", "--flush-interval", "50ms"]


def _config(path: Path, out: Path, feeds: dict[str, int]) -> Path:
    path.write_text("".join(FEED.format(name=name, rate=feeds[name], out=out) for name in feeds))
    return path


def _numbers(out: Path) -> dict[str, list[int]]:
    """The rows of each feed, in order; the last line may be half of one."""
    found: dict[str, list[int]] = {}
    for row in csv.reader(out.read_text().rpartition("\n")[0].splitlines()[1:]):
        found.setdefault(row[0], []).append(int(row[1]))
    return found


def _by_run(numbers: list[int]) -> list[int]:
    """How many rows of a feed each run has written; the rows of each are numbered from 0."""
    begins = [at for at, number in enumerate(numbers) if number == 0]
    counts = [end - at for at, end in zip(begins, [*begins[1:], len(numbers)], strict=True)]
    assert numbers == [number for count in counts for number in range(count)]
    return counts


def test_every_row_and_count_is_the_right_feeds(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    spool = SpoolDirectories.of(out).spool
    more = ["--receivers", "2", *SMALL]
    config = _config(tmp_path / "first.toml", out, FIRST)
    with Command("--config", config, *more) as command:
        wait_until(lambda: out.exists() and _numbers(out).keys() == FIRST.keys(), "no rows")
        os.kill(command.child("writer"), signal.SIGSTOP)
        (path,) = spool.glob("*.counters")
        counters = Counters.open(path)
        assert counters.names == tuple(FIRST)
        wait_until(lambda: all(c.ledger.in_flight > 3000 for c in counters.feeds), "no rows wait")
        processes = [command.pid, *command.children()]
        for pid in processes:
            os.kill(pid, signal.SIGKILL)
        command.process.wait()
        wait_until(lambda: not any(map(is_running, processes)), "somebody lives on")
    received = {name: counters.of(name)[Slot.RECEIVED] for name in FIRST}
    before = {name: len(numbers) for name, numbers in _numbers(out).items()}

    config = _config(tmp_path / "second.toml", out, SECOND)
    with Command("--config", config, *more) as command:
        taken_up = command.wait_for("took up what an earlier run had left")
        now = Counters.open(max(spool.glob("*.counters")))
        wait_until(lambda: all(each[Slot.WRITTEN] for each in now.feeds), "no rows")
        command.signal(signal.SIGTERM)
        summary = command.summary()
    rows = {name: _by_run(numbers) for name, numbers in _numbers(out).items()}
    assert rows.keys() == {*FIRST, *SECOND}

    first, second = read_entries(out)
    assert [feed["name"] for feed in first["feeds"]] == list(FIRST)
    for feed in first["feeds"]:
        name = feed["name"]
        assert feed["written"] == rows[name][0] > before[name]
        assert feed["received"] == received[name] == feed["written"] + feed["lost"]
        assert feed["kept"] == 0
    assert taken_up["rows"] >= sum(rows[name][0] for name in FIRST) - sum(before.values())
    assert [feed["name"] for feed in second["feeds"]] == list(SECOND)
    written = {feed["name"]: feed["written"] for feed in summary["feeds"]}
    for feed in second["feeds"]:
        assert feed["written"] == rows[feed["name"]][-1] == written[feed["name"]]
        assert (feed["received"], feed["lost"], feed["kept"]) == (feed["written"], 0, 0)
    assert [len(rows[name]) for name in ("alpha", "beta", "gamma", "delta")] == [2, 1, 2, 1]
    assert verify(out).agrees
    assert left_by(out) == ["first.toml", "out.csv", "out.csv.ledger.jsonl", "second.toml"]
