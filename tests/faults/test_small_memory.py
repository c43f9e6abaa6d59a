"""A /dev/shm that is full: of rows that a run has kept, as in a container, or of others' files.

The runs of a test see a small one of their own, in a mount namespace.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.journal import journal_path, read_journal
from fastingest.storage.ledger import read_entries
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, wait_until
from tests.faults.evidence import check_order, numbers
from tests.faults.run import feed, kill, running
from tests.support.limits import small_disk

KIB = 2**10
ON_DISK = "the counters are on disk and not in memory"


@dataclass(frozen=True)
class Memory:
    """A /dev/shm of its own.

    :param within: runs a command that sees it.
    :param path: where it is seen from here.
    """

    within: tuple[str, ...]
    path: Path

    @property
    def free(self) -> int:
        """Bytes."""
        space = os.statvfs(self.path)
        return space.f_bavail * space.f_frsize

    def fill(self, name: str) -> Path:
        """Leave no room in it at all; the file that takes it."""
        with contextlib.suppress(OSError), (self.path / name).open("wb", buffering=0) as file:
            while file.write(bytes(4 * KIB)):
                pass
        return self.path / name

    def of(self, out: Path) -> Path:
        """The spool of an output."""
        return self.path / SpoolDirectories.of(out).spool.name


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk, which the runs see as well, if it is there before their memory is."""
    with small_disk(tmp_path / "disk", "4m") as disk:
        yield disk


@pytest.fixture
def memory(request: pytest.FixtureRequest) -> Iterator[Memory]:
    """Of the size that the test wants."""
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        pytest.skip("needs unshare and nsenter (util-linux), for a /dev/shm of its own")
    mount = f"mount -t tmpfs -o size={request.param} tmpfs /dev/shm && echo && exec cat"
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", mount],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != b"\n":
            pytest.skip("needs a machine where one may mount, for a /dev/shm of its own")
        enter = ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--wd=.")
        yield Memory(enter, Path(f"/proc/{holder.pid}/root/dev/shm"))
        holder.stdin.close()


def is_clean(out: Path, memory: Memory) -> None:
    """Nothing is left but the output and its ledger, which agree."""
    assert sorted(path.name for path in out.parent.glob("out.csv*")) == [
        "out.csv",
        "out.csv.ledger.jsonl",
    ]
    assert not memory.of(out).exists()
    assert verify(out).agrees
    assert verify(out).notes == []


@pytest.mark.parametrize(
    "memory", ["1m", pytest.param("4m", marks=pytest.mark.long)], indirect=True
)
def test_a_run_starts_where_kept_rows_fill_the_memory_and_writes_them_first(
    tmp_path: Path, memory: Memory
) -> None:
    out = tmp_path / "out.csv"
    with feed("--rate", 100_000) as server:
        with running(out, server, "--spill-limit", "0", within=memory.within) as command:
            command.wait_for("connected")
            wait_until(lambda: out.stat().st_size > 100 * KIB)
            os.kill(command.child("writer"), signal.SIGSTOP)
            wait_until(lambda: memory.free == 0, "there is room")
            kill([command.pid, *command.children()])
        journal = read_journal(journal_path(out))
        assert journal is not None
        with running(out, server, within=memory.within) as command:
            said = command.wait_for(ON_DISK)
            left = command.wait_for("took up what an earlier run had left")
            command.wait_for("connected")
            size = out.stat().st_size
            wait_until(lambda: out.stat().st_size > size + 100 * KIB)
            summary = command.stop()
        server.stop()
    assert said["level"] == "warning"
    assert said["problem"].endswith(": No space left on device")
    assert Path(said["path"]).parent == tmp_path / "out.csv.spool"
    rows = numbers(out)
    check_order(rows)
    interrupted, last = read_entries(out)
    assert left["rows"] > 0
    assert interrupted["written"] == journal.entries[0].written + left["rows"]
    assert interrupted["received"] == interrupted["written"] + interrupted["lost"]
    assert last["written"] == summary["written"] == len(rows) - interrupted["written"]
    is_clean(out, memory)


@pytest.mark.parametrize("memory", ["1m"], indirect=True)
def test_rows_that_a_full_disk_has_kept_are_written_though_the_memory_is_full_by_then(
    disk: Path, memory: Memory
) -> None:
    """Where neither has room no run can start, and both are named; what was kept is still there."""
    out, ballast = disk / "out.csv", disk / "ballast"
    with feed("--rate", 2_000) as server:
        with running(out, server, "--min-free", "0", within=memory.within) as command:
            command.wait_for("connected")
            wait_until(lambda: out.stat().st_size > 10 * KIB)
            with contextlib.suppress(OSError):
                ballast.write_bytes(bytes(4096 * KIB))
            command.wait_for("cannot write, trying again")
            command.signal(signal.SIGTERM)
            kept = command.summary(status=1)["in_flight"]
        assert kept > 0
        assert list(memory.of(out).glob("*.segment"))
        others = memory.fill("others")
        with running(out, server, "--min-free", "0", within=memory.within) as command:
            assert command.wait() == 2
            (error,) = [each for each in command.events if "error" in each]
        assert error["error"] == "OutputRefused"
        assert error["event"].endswith(
            "is needed and cannot be written: No space left on device; "
            f"nor can {disk}/out.csv.spool: No space left on device"
        )
        ballast.unlink()
        with running(out, server, "--min-free", "0", within=memory.within) as command:
            command.wait_for(ON_DISK)
            left = command.wait_for("took up what an earlier run had left")
            command.wait_for("connected")
            assert left["rows"] == kept
            command.stop()
        others.unlink()
        server.stop()
        check_order(numbers(out))
        assert sum(line["kept"] for line in read_entries(out)[1:]) == 0
        is_clean(out, memory)


@pytest.mark.parametrize("memory", ["1m"], indirect=True)
def test_gaps_are_in_the_ledger_though_the_memory_is_full(tmp_path: Path, memory: Memory) -> None:
    """The next start tells of them: all processes are killed."""
    out = tmp_path / "out.csv"
    memory.fill("others")
    with feed("--rate", 2_000, "--rows", 6_000, "--cuts", 2) as server:
        with running(out, server, within=memory.within) as command:
            command.wait_for("gap", count=2)
            kill([command.pid, *command.children()])
        with Command(
            *("--url", "demo://?rows=1", "--out", out, "--max-rows", "1"), within=memory.within
        ) as command:
            command.summary()
        server.stop()
    interrupted, _ = read_entries(out)
    assert len(interrupted["gaps"]) == 2
    assert interrupted["received"] is not None
    is_clean(out, memory)
