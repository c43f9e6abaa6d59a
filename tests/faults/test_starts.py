"""A start that finds what another run has left, and not all as it was."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from fastingest.metrics.counters import Counters, Slot
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.ledger import read_entries
from tests.end_to_end.command import is_stopped, wait_until
from tests.faults.evidence import connections, missing, numbers
from tests.faults.run import FLUSH_INTERVAL, MAX_LOST, RATE, Capture, feed, kill, running

MIB = 2**20


def stop_between_commits(writer: int, out: Path) -> None:
    """SIGSTOP, when all that is in the file is counted as well."""
    places = SpoolDirectories.of(out)
    counters = Counters.open(places.counters(max(places.runs())))

    def is_stopped_there() -> bool:
        os.kill(writer, signal.SIGSTOP)
        wait_until(lambda: is_stopped(writer))
        if counters[Slot.FILE_SIZE] == out.stat().st_size:
            return True
        os.kill(writer, signal.SIGCONT)
        return False

    wait_until(is_stopped_there)


@pytest.mark.parametrize(
    "spill_dir", ["other", pytest.param(None, id="none", marks=pytest.mark.long)]
)
def test_the_spill_is_found_where_the_run_before_had_it(
    tmp_path: Path, spill_dir: str | None
) -> None:
    out, before, after = tmp_path / "out.csv", tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    with feed() as server:
        with running(out, server, "--memory-limit", "2MiB", "--spill-dir", before) as command:
            command.wait_for("connected")
            os.kill(command.child("writer"), signal.SIGSTOP)
            wait_until(lambda: len(list(before.glob("*/*.segment"))) > 10, "nothing on disk")
            kill([command.pid, *command.children()])
        more = [] if spill_dir is None else ["--spill-dir", after]
        with running(out, server, *more) as command:
            command.wait_for("connected")
            command.stop()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert capture.lost <= RATE * MAX_LOST
    assert not list(before.iterdir())
    assert not list(after.iterdir())


def test_somebody_removes_the_spool(tmp_path: Path) -> None:
    """The run goes on, and so do those who take a dead process's place."""
    out = tmp_path / "out.csv"
    with feed() as server:
        with running(out, server) as command:
            command.wait_for("connected")
            shutil.rmtree(SpoolDirectories.of(out).spool)
            for role in ("writer", "receiver", "writer"):
                size = out.stat().st_size
                wait_until(lambda size=size: out.stat().st_size > size + MIB)  # type: ignore[misc]
                kill([command.child(role)])
            command.wait_for("connected", count=2)
            command.signal(signal.SIGTERM)
            status = command.wait()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert status == (3 if capture.lost else 0)
    (run,) = capture.final
    assert (run["writer_restarts"], run["receiver_restarts"], len(run["gaps"])) == (2, 1, 1)


def test_a_link_that_leads_elsewhere_in_the_middle_of_a_run(tmp_path: Path) -> None:
    """What the run is known by is the name that it was given."""
    out, first, second = (tmp_path / name for name in ("out.csv", "day1.csv", "day2.csv"))
    out.symlink_to(first)
    with feed("--rate", 50_000) as server:
        with running(out, server) as command:
            command.wait_for("connected")
            wait_until(lambda: first.exists() and first.stat().st_size > MIB)
            (tmp_path / "new").symlink_to(second)
            (tmp_path / "new").rename(out)
            wait_until(lambda: second.exists() and second.stat().st_size > MIB)
            os.kill(command.child("writer"), signal.SIGSTOP)
            time.sleep(2 * FLUSH_INTERVAL)  # so that there is something in the spool
            kill([command.pid, *command.children()])
        with running(out, server) as command:
            command.wait_for("connected")
            left = command.wait_for("took up what an earlier run had left")
            command.stop()
        server.stop()
        rows = numbers([first, second])
    for connection in missing(rows, connections(server.events)):
        assert (connection.at_start, connection.inside) == (0, 0)
    assert left["rows"] > 0
    (interrupted, _) = [entry for entry in read_entries(out) if "received" in entry]
    assert interrupted["lost"] <= 50_000 * MAX_LOST
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("day1.csv", "day2.csv", "out.csv", "out.csv.ledger.jsonl")
    ]


@pytest.mark.parametrize(
    "gone", [pytest.param("the journal", marks=pytest.mark.long), "everything"]
)
def test_what_is_written_is_known_without_the_journal(tmp_path: Path, gone: str) -> None:
    """The counters know it, too; they are where the spool is."""
    out, archive = tmp_path / "out.csv", tmp_path / "archive"
    archive.mkdir()
    with feed() as server:
        with running(out, server, "--batch-size", 1000) as command:
            command.wait_for("connected")
            wait_until(lambda: out.exists() and out.stat().st_size > MIB)
            stop_between_commits(command.child("writer"), out)
            time.sleep(2 * FLUSH_INTERVAL)
            kill([command.pid, *command.children()])
        for path in tmp_path.glob("out.csv*"):
            if gone == "everything" or path.name.endswith(".journal"):
                path.rename(archive / path.name)
        with running(out, server) as command:
            command.wait_for("connected")
            command.stop()
        server.stop()
        files = [archive / "out.csv", out] if gone == "everything" else [out]
        for connection in missing(numbers(files), connections(server.events)):
            assert (connection.at_start, connection.inside) == (0, 0)
