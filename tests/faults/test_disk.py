"""The disk fills up, and has room again a second later: nothing is lost, and nothing torn."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest.storage.names import beside
from tests.end_to_end.command import Command, wait_until
from tests.faults.run import Capture, feed, kill, running
from tests.peers.raw import TEXT, RawConnection, RawServer, frame
from tests.support.serving import answer_close

MIB = 2**20
ROWS = 400_000  # two seconds of them, 9 MiB
FULL_FOR = 1.0  # twice as long as the writer waits before it tries again


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with 24 MiB; not everybody may mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(path)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("needs the right to mount a file system")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("min_free", [pytest.param(0, marks=pytest.mark.long), 4 * MIB])
def test_a_full_disk(small_disk: Path, min_free: int) -> None:
    out = small_disk / "out.csv"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(18 * MIB - min_free))
    least_free = 24 * MIB
    with feed("--rows", ROWS) as server:
        with running(out, server, "--min-free", f"{min_free}B") as command:
            failing = command.wait_for("cannot write, trying again")
            full_until = time.monotonic() + FULL_FOR
            while time.monotonic() < full_until:
                space = os.statvfs(small_disk)
                least_free = min(least_free, space.f_bavail * space.f_frsize)
                assert command.process.poll() is None
                time.sleep(0.02)
            assert out.read_bytes().endswith(b"\n")
            ballast.unlink()
            command.wait_for("writing again")
            assert server.wait(60) == 0
            summary = command.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert [each.at_end for each in capture.missing] == [0]
    assert summary["written"] == summary["received"] == ROWS == len(capture.rows)
    if min_free:
        assert re.fullmatch(
            rf"{out}: only (4\.\d|4)MiB are free on its disk; "
            r"appending stops at 4MiB \(--min-free\)",
            failing["problem"],
        )
        assert least_free > min_free - MIB // 2  # what is not rows: the ledger, the directory
    else:
        assert failing["problem"].endswith("cannot be appended to: No space left on device")


def test_rejects_leave_free_what_shall_stay_free(small_disk: Path) -> None:
    """A feed of garbage would fill a disk to the last byte within seconds."""
    out, min_free, count = small_disk / "out.csv", 8 * MIB, 100_000
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(12 * MIB))
    least_free = 24 * MIB

    def garbage(connection: RawConnection) -> None:
        connection.handshake()
        for start in range(0, count, 1000):
            numbers = range(start, start + 1000)
            connection.send_raw(b"".join(frame(TEXT, b"garbage %d of a feed" % n) for n in numbers))
        answer_close(connection)

    with RawServer(garbage) as server:
        arguments = ["--url", server.url, "--out", out, "--min-free", f"{min_free}B"]
        with Command(*arguments) as command:
            failing = command.wait_for("cannot write, trying again")
            full_until = time.monotonic() + FULL_FOR
            while time.monotonic() < full_until:
                space = os.statvfs(small_disk)
                least_free = min(least_free, space.f_bavail * space.f_frsize)
                assert command.process.poll() is None
                time.sleep(0.02)
            ballast.unlink()
            command.wait_for("writing again")
            wait_until(lambda: len(_lines(out)) == count, "some are missing")
            summary = command.stop()
    rejected = f"{out}.rejected.jsonl"
    assert failing["problem"].startswith(f"{rejected}: only ")
    assert failing["problem"].endswith("appending stops at 8MiB (--min-free)")
    assert least_free > min_free - MIB // 2
    assert (summary["quarantined"], summary["rejects_not_kept"]) == (count, 0)
    assert [json.loads(line)["text"] for line in _lines(out)] == [
        f"garbage {number} of a feed" for number in range(count)
    ]


def _lines(out: Path) -> list[bytes]:
    path = beside(out, ".rejected.jsonl")
    return path.read_bytes().splitlines() if path.exists() else []


@pytest.mark.parametrize("killed", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_file_size_limit(tmp_path: Path, killed: bool) -> None:
    """For the writer alone; killed or not while it cannot write."""
    out = tmp_path / "out.csv"
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with feed("--rows", ROWS) as server:
        with running(out, server, "--batch-size", 10_000) as command:
            command.wait_for("connected")
            wait_until(lambda: out.stat().st_size > MIB)
            limit = out.stat().st_size + MIB + 7  # not where a row ends
            writer = command.child("writer")
            resource.prlimit(writer, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            failing = command.wait_for("cannot write, trying again")
            full_until = time.monotonic() + FULL_FOR
            wait_until(lambda: time.monotonic() > full_until or command.process.poll())
            assert out.read_bytes().endswith(b"\n")
            assert limit - out.stat().st_size < MIB
            if killed:
                kill([writer])
            else:
                resource.prlimit(writer, resource.RLIMIT_FSIZE, unlimited)
                command.wait_for("writing again")
            assert server.wait(60) == 0
            summary = command.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert failing["problem"] == f"{out}: cannot be appended to: File too large"
    assert summary["written"] == summary["received"] == ROWS == len(capture.rows)
    assert summary["restarts"] == killed


def test_a_run_that_ends_on_a_full_disk_is_completed_by_the_next(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with feed("--rate", 50_000) as server:
        with running(out, server) as command:
            command.wait_for("connected")
            wait_until(lambda: out.stat().st_size > MIB)
            limit = (out.stat().st_size + 7, resource.RLIM_INFINITY)
            resource.prlimit(command.child("writer"), resource.RLIMIT_FSIZE, limit)
            command.wait_for("cannot write, trying again")
            command.signal(signal.SIGTERM)
            first = command.summary(status=1)
            error = command.events[-1]
        kept = first["in_flight"]
        assert error["error"] == "WriteFailed"
        assert error["event"].endswith(
            f"{kept} received rows are kept, and written by the next run of this output"
        )
        assert list(tmp_path.glob("out.csv.spill/*.segment"))  # on disk: the machine may go down
        with running(out, server) as command:
            command.wait_for("connected")
            again = command.wait_for("took up what an earlier run had left")
            second = command.stop()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert again["rows"] == kept > 0
    assert capture.lost == 0
    assert first["received"] + second["received"] == len(capture.rows)
    with contextlib.suppress(FileNotFoundError):
        assert not list(tmp_path.glob("out.csv.spill/*"))
