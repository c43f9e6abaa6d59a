"""The disk cannot be synced: nothing is acknowledged as if it were there, and it is said.

What a failed sync was to put on the disk, the system may have dropped, and a second sync that
succeeds says nothing of it. So it is written again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.command import left_by, wait_until
from tests.faults.run import Capture, feed, running

SOURCE = Path(__file__).with_name("failing_sync.c")
SLOW = ("--rate", 20_000)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that lets syncs fail."""
    if sys.platform != "linux" or shutil.which("gcc") is None:
        pytest.skip("needs Linux and gcc: syncs are made to fail by a library (LD_PRELOAD)")
    path = tmp_path_factory.mktemp("failing_sync") / "failing_sync.so"
    options = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *options, "-o", str(path), str(SOURCE), "-ldl"], check=True)
    return path


class Disk:
    """The directory of an output; while it fails, nothing in it can be synced."""

    def __init__(self, path: Path, library: Path) -> None:
        path.mkdir()
        self.out = path / "out.csv"
        self._sign = path.with_name("failing")
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAILING_SYNC": str(self._sign),
            "FAILING_SYNC_PATHS": f"{path}/",
        }

    def fail(self, how: str = "") -> None:
        written = self._sign.with_suffix(".written")
        written.write_text(how)
        written.rename(self._sign)  # whole at once: an empty one would be a sign, too

    def work(self) -> None:
        self._sign.unlink()


@pytest.fixture
def disk(tmp_path: Path, library: Path) -> Disk:
    return Disk(tmp_path / "disk", library)


@pytest.mark.parametrize("fsync", ["batch", pytest.param("10ms", marks=pytest.mark.long)])
def test_while_no_sync_succeeds_nothing_more_is_acknowledged(disk: Disk, fsync: str) -> None:
    with feed(*SLOW) as server:
        disk.fail()
        options = ("--fsync", fsync, "--batch-size", 1000)
        with running(disk.out, server, *options, environment=disk.environment) as command:
            command.wait_for("cannot write, trying again")
            command.stop(1)
            error = command.events[-1]
        assert error["error"] == "WriteFailed"
        assert "cannot be synced: Input/output error" in error["event"]
        assert "are kept, and written by the next run of this output" in error["event"]
        assert "out.csv.journal" in left_by(disk.out)
        disk.work()
        with running(disk.out, server, *options, environment=disk.environment) as command:
            command.wait_for("connected")
            command.stop()
        server.stop()
    capture = Capture(server, disk.out)
    capture.is_whole()


@pytest.mark.parametrize(
    ("fsync", "how"),
    [
        pytest.param("batch", "", marks=pytest.mark.long),
        pytest.param("10ms", "", marks=pytest.mark.long),
        ("batch", "drop"),
    ],
    ids=str,
)
def test_a_disk_that_fails_for_a_while_loses_nothing(disk: Disk, fsync: str, how: str) -> None:
    """Nor where the system drops what it could not write, if it is not acknowledged yet."""
    with feed(*SLOW) as server:
        options = ("--fsync", fsync, "--batch-size", 1000)
        with running(disk.out, server, *options, environment=disk.environment) as command:
            command.wait_for("connected")
            wait_until(lambda: disk.out.stat().st_size > 50_000)
            disk.fail(how)
            command.wait_for("cannot write, trying again")
            disk.work()
            command.wait_for("writing again")
            command.stop()
        server.stop()
    capture = Capture(server, disk.out)
    capture.is_whole()


def test_what_the_system_drops_of_what_was_acknowledged_is_lost_by_name(disk: Disk) -> None:
    """By --fsync 50ms as much as comes in that time is: that is its bound."""
    with feed(*SLOW) as server:
        options = ("--fsync", "50ms", "--batch-size", 1000)
        with running(disk.out, server, *options, environment=disk.environment) as command:
            command.wait_for("connected")
            wait_until(lambda: disk.out.stat().st_size > 50_000)
            disk.fail("drop")
            command.wait_for("cannot write, trying again")
            disk.work()
            gone = "rows that could not be synced are gone: the system has dropped them"
            lost = command.wait_for(gone)["rows"]
            command.wait_for("writing again")
            summary = command.stop(3)
            error = command.events[-1]
        said = f"{lost} written rows could not be synced, and the system dropped them"
        assert (error["error"], error["event"]) == ("RowsLost", said)
        server.stop()
    capture = Capture(server, disk.out)
    assert capture.lost == lost == summary["lost"] > 0
    assert sum(missing.inside for missing in capture.missing) == lost


def test_a_ledger_that_cannot_be_synced_is_written_by_the_next_start(
    tmp_path: Path, library: Path
) -> None:
    disk = Disk(tmp_path / "disk", library)
    disk.environment["FAILING_SYNC_PATHS"] = str(disk.out.with_name("out.csv.ledger"))
    with feed(*SLOW) as server:
        with running(disk.out, server, environment=disk.environment) as command:
            command.wait_for("connected")
            disk.fail()
            command.stop(1)
            error = command.events[-1]
        assert error["error"] == "RunFailed"
        said = "out.csv.ledger.jsonl: cannot be written: Input/output error; the next run does that"
        assert said in error["event"]
        assert disk.out.with_name("out.csv.ledger.jsonl").read_bytes() == b""
        assert "out.csv.journal" in left_by(disk.out)
        disk.work()
        with running(disk.out, server, environment=disk.environment) as command:
            command.wait_for("connected")
            command.stop()
        server.stop()
    capture = Capture(server, disk.out)
    capture.is_whole()
    assert [entry["interrupted"] for entry in capture.ledger] == [True, False]
