"""One output that cannot be written, and others that can: each goes its own way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest.verify.report import report_text
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, wait_until
from tests.faults.disks import ext4, small_disk
from tests.faults.evidence import connections, missing, numbers
from tests.faults.run import feed, kill, only_run, running
from tests.peers.process import Peer
from tests.support.constants import with_constants

MIB = 2**20
RATE = 50_000

FEED = """
[[feed]]
name = "{name}"
url = "{url}"

[[feed.table]]
out = "{out}"
columns = ["symbol", "price:float", "volume:number"]
"""


@pytest.fixture
def servers() -> Iterator[tuple[Peer, Peer]]:
    with feed("--rate", RATE) as one, feed("--rate", RATE) as two:
        yield one, two


def _capture(folder: Path, servers: tuple[Peer, Peer], *out: Path) -> Command:
    """A run in which each feed has an output of its own."""
    config = folder / "feeds.toml"
    each = zip(servers, out, strict=True)
    config.write_text(
        "".join(
            FEED.format(name=f"feed {number}", url=server.url, out=path)
            for number, (server, path) in enumerate(each)
        )
    )
    quick = ("--reconnect-initial", "10ms", "--reconnect-max", "50ms")
    return Command("--config", config, "--min-free", 0, *quick)


def _grows(path: Path, size: int = MIB // 2) -> None:
    before = path.stat().st_size
    wait_until(lambda: path.stat().st_size > before + size, f"{path.name} does not grow")


def _is_whole(server: Peer, out: Path) -> int:
    """The output is what the feed has sent, but for the end of each connection; its rows."""
    report = verify(out)
    assert report.agrees, report_text(report)
    rows = numbers(out)
    for each in missing(rows, connections(server.events)):
        assert (each.at_start, each.inside) == (0, 0)
    return len(rows)


@pytest.mark.parametrize(
    "killed",
    [
        pytest.param(False, id="", marks=pytest.mark.long),
        pytest.param(True, id="the writer is killed meanwhile"),
    ],
)
def test_a_full_disk_holds_up_no_other_output(
    tmp_path: Path, servers: tuple[Peer, Peer], killed: bool
) -> None:
    with small_disk(tmp_path / "disk", 3 * MIB) as disk:
        good, bad = tmp_path / "good.csv", disk / "bad.csv"
        # The one that cannot be written comes first, wherever they are gone through in order.
        outs = (bad, good)
        with _capture(tmp_path, servers, *outs) as command:
            command.wait_for("connected", 2)
            failing = command.wait_for("cannot write, trying again")
            assert failing["problem"].startswith(f"{bad}: ")
            _grows(good)
            if killed:
                kill([command.child("writer")])
                command.wait_for("cannot write, trying again", 2)
                _grows(good)
            size = bad.stat().st_size
            _grows(good)
            assert bad.stat().st_size == size
            command.signal(signal.SIGTERM)
            summary = command.summary(status=1)
            error = command.events[-1]
        assert (error["error"], error["event"].startswith(f"{bad}: ")) == ("WriteFailed", True)
        assert f"{summary['in_flight']} received rows are kept" in error["event"]
        # The other one is complete, although the run has failed.
        run = only_run(good)
        assert run["received"] == run["written"] == _is_whole(servers[1], good)
        assert (run["kept"], run["lost"]) == (0, 0)
        assert not good.with_name("good.csv.journal").exists()
        assert summary["in_flight"] > 0 == summary["lost"]  # its ledger may have found no room
        disk_is_larger = ["mount", "-o", f"remount,size={64 * MIB}", str(disk)]
        assert os.spawnvp(os.P_WAIT, "mount", disk_is_larger) == 0
        with _capture(tmp_path, servers, *outs) as command:
            command.wait_for("connected", 2)
            command.stop()
        for server, out in zip(servers, outs, strict=True):
            server.stop()
            _is_whole(server, out)


def test_a_disk_that_does_not_answer_holds_up_no_other_output(
    tmp_path: Path, servers: tuple[Peer, Peer]
) -> None:
    with ext4(tmp_path / "disk") as disk:
        good, bad = tmp_path / "good.csv", disk.path / "bad.csv"
        with _capture(tmp_path, servers, bad, good) as command:
            command.wait_for("connected", 2)
            _grows(bad, MIB // 4)
            disk.freeze()
            _grows(good)
            size = bad.stat().st_size
            _grows(good)
            assert bad.stat().st_size == size
            disk.thaw()
            _grows(bad)
            summary = command.stop()
        assert summary["written"] == summary["received"]
        for server, out in zip(servers, (bad, good), strict=True):
            server.stop()
            _is_whole(server, out)


def test_a_disk_that_does_not_answer_does_not_keep_a_run_from_ending(tmp_path: Path) -> None:
    """Its writer cannot even be killed; its rows are written by the next run."""
    with ext4(tmp_path / "disk") as disk, feed("--rate", RATE) as server:
        out = disk.path / "out.csv"
        hurried = with_constants(
            progress__PATIENCE=1.0, ending__KILL_LIMIT=1.0, processes__KILL_LIMIT=1.0
        )
        with running(out, server, "--min-free", 0, program=hurried) as command:
            command.wait_for("connected")
            _grows(out, MIB // 4)
            writer = command.child("writer")
            disk.freeze()
            command.wait_for("no progress")
            for _ in range(2):
                command.signal(signal.SIGINT)
                command.wait_for("stopping")
            assert command.process.wait(30) == 130
            said = command.wait_for("a process does not end, although it was killed")
            assert Path(f"/proc/{writer}").exists()
            disk.thaw()  # until then the writer has the log open as well
            summary = command.summary(status=130)
        assert (said["process"], said["pid"]) == ("writer", writer)
        assert command.events[-1]["error"] == "Aborted"
        assert summary["in_flight"] > 0
        with running(out, server, "--min-free", 0) as command:
            command.wait_for("connected")
            left = command.wait_for("took up what an earlier run had left")
            command.stop()
        server.stop()
        assert left["rows"] > 0
        _is_whole(server, out)
