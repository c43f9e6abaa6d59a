"""There is hardly any room in memory, as in a container, and then none on disk either.

Each run is in a mount namespace of its own, with a /dev/shm of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from fastingest.storage.ledger import read_entries
from tests.end_to_end.command import wait_until
from tests.faults.run import FLUSH_INTERVAL, Capture, feed, kill, running
from tests.faults.test_disk import MIB, small_disk

__all__ = ["small_disk"]

RATE = 20_000
ROWS = 3 * RATE
BATCH = 1000
READ = 3000  # rows that one read of the socket can bring: 64 KiB, and what the loop has read ahead


def small_memory(size: str) -> list[str]:
    """Runs a command with a /dev/shm of this size."""
    mount = f"mount -t tmpfs -o size={size} tmpfs /dev/shm"
    within = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    try:
        done = subprocess.run([*within, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare(1), of util-linux")
    if done.returncode:
        pytest.skip(f"needs to mount a file system: {done.stderr.decode().strip()}")
    return within


@pytest.mark.parametrize("size", [pytest.param("16k", marks=pytest.mark.long), "1m"])
def test_what_finds_room_nowhere_is_not_received(small_disk: Path, size: str) -> None:
    """The bound is a batch, and what had been read by then; and the reason is the right one."""
    out, ballast = small_disk / "out.csv", small_disk / "ballast"
    ballast.write_bytes(bytes(23 * MIB))
    options = ("--min-free", "0", "--batch-size", BATCH)
    with feed("--rate", RATE) as server:
        with running(out, server, *options, within=small_memory(size)) as command:
            command.wait_for("cannot write, trying again")
            full = command.wait_for("the outbox is full, the feed is not read until there is room")
            assert full["queue"] < 2 * MIB
            command.stop(1)
            error = command.events[-1]
            (unsaved,) = [e for e in command.events if e["event"].startswith("received rows find")]
        assert error["error"] == "WriteFailed"
        assert 0 < unsaved["rows"] <= 2 * BATCH + READ
        assert unsaved["problem"].endswith("No space left on device")
        server.stop()
    said = "rows are lost: there was room for them neither in memory nor on disk"
    (line,) = read_entries(out)
    assert line["received"] == line["written"] + line["lost"] + line["kept"]
    assert line["lost"] == unsaved["rows"]
    assert said in error["event"] or f"{line['lost']} received rows are lost" in error["event"]


@pytest.mark.parametrize("when_full", ["block", pytest.param("drop", marks=pytest.mark.long)])
def test_without_room_anywhere_rows_go_straight_to_the_writer(
    tmp_path: Path, when_full: str
) -> None:
    options = ("--spill-limit", "0", "--batch-size", BATCH, "--when-full", when_full)
    with feed("--rate", RATE, "--rows", ROWS) as server:
        with running(tmp_path / "out.csv", server, *options, within=small_memory("16k")) as command:
            command.wait_for("the spool cannot be written; batches go to disk")
            wait_until(lambda: server.events[-1].get("reason") == "end", timeout=60)
            summary = command.stop(0, 3)
            status = command.wait()
    assert summary["written"] + summary["dropped"] == summary["received"] == ROWS
    assert status == (3 if summary["dropped"] else 0)
    if when_full == "block":
        assert summary["dropped"] == 0


@pytest.mark.long
def test_a_receiver_that_dies_has_hardly_more_than_is_on_its_way_to_a_batch(
    tmp_path: Path,
) -> None:
    """Also where the writer has stopped, so that nothing which was sent to it is safe."""
    out, rate, batch = tmp_path / "out.csv", 4000, 200
    options = ("--spill-limit", "0", "--batch-size", batch)
    with feed("--rate", rate) as server:
        with running(out, server, *options, within=small_memory("8k")) as command:
            command.wait_for("the spool cannot be written; batches go to disk")
            writer = command.child("writer")
            for count in range(2, 5):
                size = out.stat().st_size
                wait_until(lambda: out.stat().st_size > size + 50_000)  # noqa: B023 - at once
                os.kill(writer, signal.SIGSTOP)
                wait_until(lambda: _unread(server.port) > 64 * 1024)
                kill([command.child("receiver")])
                os.kill(writer, signal.SIGCONT)
                command.wait_for("connected", count)
            command.stop(0, 3)
        server.stop()
    capture = Capture(server, out)
    most = 2 * rate * FLUSH_INTERVAL + 2 * batch + 400  # which one read brings, when they are late
    assert capture.lost <= 3 * most
    for missing in capture.missing:
        assert (missing.at_start, missing.inside) == (0, 0)


def _unread(port: int) -> int:
    """Bytes that the feed's client has not read from its socket (proc(5), /proc/net/tcp)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, _, queues, *_ = line.split()
        if int(remote.rpartition(":")[2], 16) == port:
            return int(queues.rpartition(":")[2], 16)
    return 0
