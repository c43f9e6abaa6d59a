"""Others change the output while it is written: no row is lost, none cut in two."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fastingest.storage.ledger import read_entries
from fastingest.verify.report import report_text
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, rejects_of, wait_until
from tests.faults.evidence import connections, missing, numbers
from tests.faults.run import Capture, feed, kill, running

pytestmark = pytest.mark.long

SLOW = ("--rate", 20_000)


def _grows(path: Path, by: int = 50_000) -> None:
    """Until there are more rows in the file, or in the one that follows on it."""
    size = path.stat().st_size if path.exists() else 0
    wait_until(lambda: path.exists() and path.stat().st_size > size + by, "no more rows")


@pytest.mark.parametrize("create", [False, True], ids=["", "create"])
def test_logrotate_moves_the_file(tmp_path: Path, create: bool) -> None:
    out, moved = tmp_path / "out.csv", tmp_path / "out.csv.1"
    with feed(*SLOW) as server:
        with running(out, server, "--batch-size", 100) as command:
            command.wait_for("connected")
            _grows(out)
            out.rename(moved)
            if create:
                out.touch()
            command.wait_for("the output was moved, going on in a new one")
            _grows(out)
            summary = command.stop()
        server.stop()
        capture = Capture(server, moved, out)
    capture.is_whole()
    assert summary["written"] == summary["received"] == len(capture.rows)
    first, second = read_entries(out)
    assert (first["ended"], first["file"]["to"]) == ("moved", moved.stat().st_size)
    assert first["file"]["rows"] + second["file"]["rows"] == len(capture.rows)


def test_logrotate_copies_and_truncates(tmp_path: Path) -> None:
    out, copy = tmp_path / "out.csv", tmp_path / "out.csv.1"
    with feed(*SLOW) as server:
        with running(out, server, "--batch-size", 100) as command:
            command.wait_for("connected")
            _grows(out)
            # What is appended between the two is what copytruncate is known to lose.
            writer = command.child("writer")
            os.kill(writer, signal.SIGSTOP)
            shutil.copy(out, copy)
            os.truncate(out, 0)
            os.kill(writer, signal.SIGCONT)
            command.wait_for("the output was truncated, going on in it")
            _grows(out)
            summary = command.stop()
        server.stop()
        rows = numbers([copy, out])
        (connection,) = missing(rows, connections(server.events))
    assert (connection.at_start, connection.inside) == (0, 0)
    assert summary["written"] == summary["received"] == len(rows)
    report = verify(out)
    assert report.agrees, report_text(report)


def test_the_file_is_deleted(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with feed(*SLOW) as server:
        with running(out, server) as command:
            command.wait_for("connected")
            _grows(out)
            kept = tmp_path / "kept"
            os.link(out, kept)  # to see what was in it
            out.unlink()
            command.wait_for("the output was moved, going on in a new one")
            _grows(out)
            command.stop()
        server.stop()
        capture = Capture(server, kept, out)
    capture.is_whole()


OTHER = """
import fcntl, os, sys, time
path, first, last, often, rest = sys.argv[1], *map(float, sys.argv[2:])
file = os.open(path, os.O_WRONLY | os.O_APPEND)
turn = os.open(path + ".turn", os.O_WRONLY | os.O_CREAT)  # several do not break each other's lines
for n in range(int(first), int(last)):
    line = b"OTHER,%d.5,%d\\n" % (n, n)
    half = len(line) // 2 if n % often == 0 else 0  # a line in two pieces, now and then
    fcntl.flock(turn, fcntl.LOCK_EX)
    if half:
        os.write(file, line[:half])
        time.sleep(rest)
    os.write(file, line[half:])
    fcntl.flock(turn, fcntl.LOCK_UN)
    time.sleep(0.002)
"""


@contextmanager
def others(out: Path, *jobs: tuple[int, int, int, float]) -> Iterator[None]:
    """Other programs that append; at the end they have ended.

    :param jobs: of each: its lines from the first to before the last, how many of them come in one
        piece to one that comes in two, and the seconds between these.
    """
    command = [sys.executable, "-c", OTHER, str(out)]
    programs = [subprocess.Popen([*command, *map(str, job)]) for job in jobs]
    try:
        yield
        for program in programs:
            assert program.wait(90) == 0
    finally:
        for program in programs:
            program.kill()
            program.wait()


def _appended_to(out: Path, lines: int, *jobs: tuple[int, int, int, float], killed: bool) -> None:
    """Capture while others append: their lines are whole, and so are ours."""
    with feed(*SLOW) as server:
        with running(out, server, "--batch-size", 200) as command:
            command.wait_for("connected")
            _grows(out)
            with others(out, *jobs):
                if killed:
                    wait_until(lambda: b"OTHER" in out.read_bytes())
                    kill([command.child("writer")])
            _grows(out)
            summary = command.stop()
        server.stop()
    text = out.read_bytes().splitlines(keepends=True)
    theirs = [line for line in text if line.startswith(b"OTHER")]
    expected = [b"OTHER,%d.5,%d\n" % (n, n) for n in range(lines)]
    assert sorted(theirs) == sorted(expected)
    for first, last, *_ in jobs:  # each in its order
        own = set(expected[first:last])
        assert [line for line in theirs if line in own] == expected[first:last]
    ours = out.with_name("ours.csv")
    ours.write_bytes(b"".join(line for line in text if not line.startswith(b"OTHER")))
    rows = numbers(ours)
    (connection,) = missing(rows, connections(server.events))
    assert (connection.at_start, connection.inside) == (0, 0)
    assert summary["written"] == summary["received"] == len(rows)
    report = verify(out)
    assert report.agrees, report_text(report)
    assert report.notes == [f"{lines} rows of no run: another program's, or from before the ledger"]
    entries = read_entries(out)
    assert {entry["ended"] for entry in entries[:-1]} == {"appended"}
    assert sum(entry["file"]["rows"] for entry in entries) == len(rows)


@pytest.mark.parametrize("killed", [False, True])
def test_another_program_appends(tmp_path: Path, killed: bool) -> None:
    _appended_to(tmp_path / "out.csv", 300, (0, 300, 10, 0.02), killed=killed)


@pytest.mark.parametrize("killed", [False, True])
def test_another_program_takes_its_time_for_a_line(tmp_path: Path, killed: bool) -> None:
    _appended_to(tmp_path / "out.csv", 40, (0, 40, 4, 0.3), killed=killed)


@pytest.mark.parametrize("killed", [False, True])
def test_three_other_programs_append(tmp_path: Path, killed: bool) -> None:
    jobs = [(100 * n, 100 * (n + 1), 10, 0.02) for n in range(3)]
    _appended_to(tmp_path / "out.csv", 300, *jobs, killed=killed)


def _cut_power(command: Command, out: Path, cut: int) -> None:
    """All processes gone, everything in memory too, and the last bytes not on the disk."""
    kill([command.pid, *command.children()])
    for path in Path("/dev/shm").glob("fastingest-*"):
        notes = (out.parent / "out.csv.journal").read_bytes()
        if str(path).encode() in notes:
            shutil.rmtree(path)
    os.truncate(out, max(0, out.stat().st_size - cut))


@pytest.mark.parametrize("cut", [0, 7, 10_000, 200_000])
def test_the_power_goes(tmp_path: Path, cut: int) -> None:
    out = tmp_path / "out.csv"
    with feed(*SLOW) as server:
        with running(out, server, "--batch-size", 1000) as command:
            command.wait_for("connected")
            _grows(out, 400_000)
            _cut_power(command, out, cut)
        size = out.stat().st_size
        with running(out, server, "--batch-size", 1000) as command:
            command.wait_for("connected")
            _grows(out)
            command.stop()
        server.stop()
    rows = numbers(out)
    for connection in missing(rows, connections(server.events)):
        assert (connection.at_start, connection.inside) == (0, 0)
    report = verify(out)
    assert report.agrees, report_text(report)
    shorter = [entry for entry in command.events if entry["event"].startswith("the file is short")]
    assert len(shorter) == (cut > 0)
    interrupted, _ = read_entries(out)
    assert interrupted["interrupted"] is True
    assert interrupted["received"] is None  # nobody knows any more
    assert size - 26 * 1000 < interrupted["file"]["to"] <= size  # of its last batch, no account


@pytest.mark.parametrize("zeroes", [1, 5_000, 200_000])
def test_the_power_goes_and_leaves_zeroes(tmp_path: Path, zeroes: int) -> None:
    """The file is as long as the journal says, but what was to be written last is not there."""
    out = tmp_path / "out.csv"
    with feed(*SLOW) as server:
        with running(out, server, "--batch-size", 1000) as command:
            command.wait_for("connected")
            _grows(out, 400_000)
            _cut_power(command, out, 0)
        whole = out.read_bytes()
        with out.open("r+b") as file:
            file.seek(len(whole) - zeroes)
            file.write(bytes(zeroes))
        with running(out, server, "--batch-size", 1000) as command:
            damage = command.wait_for("cut off what is not as it was written")
            command.wait_for("connected")
            _grows(out)
            command.stop()
        server.stop()
    rows = numbers(out)
    for connection in missing(rows, connections(server.events)):
        assert (connection.at_start, connection.inside) == (0, 0)
    assert zeroes <= damage["bytes"] < zeroes + 2 * 26 * 1000
    kept = out.read_bytes()[: len(whole) - damage["bytes"]]
    assert kept == whole[: len(kept)]
    moved = "".join(entry["text"] for entry in rejects_of(out)).encode()
    assert moved == whole[len(kept) : -zeroes] + bytes(zeroes)
    report = verify(out)
    assert report.agrees, report_text(report)
