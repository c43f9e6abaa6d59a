"""A file system that turns read-only under a run: it ends in one line, and what is kept is kept."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.ledger import read_entries
from tests.end_to_end.command import Command, left_by, wait_until
from tests.end_to_end.test_connection import QUICK
from tests.faults.disks import ext4, small_disk
from tests.faults.run import feed, running
from tests.peers.raw import RawServer
from tests.support.command_line import run_program
from tests.support.serving import serve

RATE = 20_000
ENDLESS = "demo://?rate=20000&sequence=1&burst=1"


@pytest.mark.parametrize(
    "then",
    [
        "the writer is killed",
        pytest.param("stop", marks=pytest.mark.long),
        pytest.param("the receiver is killed", marks=pytest.mark.long),
    ],
)
def test_a_disk_that_turns_read_only(tmp_path: Path, then: str) -> None:
    with ext4(tmp_path / "disk") as disk:
        out = disk.path / "out.csv"
        with feed("--rate", RATE) as server:
            with running(out, server, "--min-free", 0) as command:
                command.wait_for("connected")
                wait_until(lambda: out.stat().st_size > 100_000)
                disk.turn_read_only()
                failing = command.wait_for("cannot write, trying again")
                victim = then.split()[1] if "killed" in then else None
                if victim:
                    os.kill(command.child(victim), signal.SIGKILL)
                    command.wait_for("a process was killed by signal 9")
                command.signal(signal.SIGTERM)
                summary = command.summary(status=1)
                events = command.events
        assert failing["problem"] == f"{out}: cannot be appended to: Read-only file system"
        assert not [each for each in events if each["event"] == "not JSON"]  # a traceback is none
        error = events[-1]
        assert error["error"] in ("WriteFailed", "ProcessDied", "RunFailed")
        assert "Read-only file system" in str([each.get("problem") for each in events])
        assert f"{summary['in_flight']} received rows are kept" in error["event"]
        assert summary["in_flight"] > 0
        assert len(out.read_bytes().splitlines()) - 1 == summary["written"]
        # A next run says why it cannot be, as any other does.
        with Command("--url", "ws://127.0.0.1:1/", "--out", out) as command:
            assert command.wait() == 2
            assert command.events[-1]["event"].startswith(f"{out}: ")
        SpoolDirectories.of(out).remove()


PROGRAM = """
import sys
from pathlib import Path
from fastingest import Options, RunFailed, ingest
out, trigger, url = sys.argv[1:]

def tick(summary):
    if summary.ledger.written:
        Path(trigger).write_text("for a test")

try:
    ingest(Options(url=url, out=out, duration=1.5, min_free=0), on_tick=tick, tick=0.3)
except RunFailed as error:
    print(type(error).__name__, error.summary.ledger.in_flight > 0)
    print(error)
"""


def test_a_program_gets_an_error_of_ours(tmp_path: Path) -> None:
    with ext4(tmp_path / "disk") as disk:
        out = disk.path / "out.csv"
        ended = run_program(PROGRAM, out, disk.trigger, ENDLESS, cwd=tmp_path)
        SpoolDirectories.of(out).remove()
    assert "Traceback" not in ended.stderr
    first, second = ended.stdout.splitlines()
    assert first == "WriteFailed True"
    assert second.startswith(f"{out}: cannot be appended to: Read-only file system; ")
    assert second.endswith(" received rows are kept, and written by the next run of this output")


def _fill(path: Path) -> None:
    """Leave no room on its disk."""
    with path.open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))


def test_a_ledger_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The rows are written; but that this run has done so is not."""
    with small_disk(tmp_path / "disk", 4 * 2**20) as disk:
        out, ledger = disk / "out.csv", disk / "out.csv.ledger.jsonl"
        with RawServer(serve(1)) as server:
            with Command("--url", server.url, "--out", out, "--min-free", 0, *QUICK) as command:
                wait_until(lambda: out.exists() and out.read_bytes().endswith(b"A,1.5,1\n"))
                _fill(disk / "ballast")
                command.signal(signal.SIGTERM)
                summary = command.summary(status=1)
        error = command.events[-1]
        assert error["error"] == "RunFailed"
        assert error["event"] == (
            f"{ledger}: cannot be written: No space left on device; the next run does that; "
            "every row received is written"
        )
        assert summary["written"] == summary["received"] == 1
        (disk / "ballast").unlink()
        with RawServer(serve(2)) as server:
            arguments = ("--min-free", 0, "--max-rows", 1, *QUICK)
            with Command("--url", server.url, "--out", out, *arguments) as command:
                command.summary()
        assert [(line["received"], line["written"]) for line in read_entries(out)] == [
            (1, 1),
            (1, 1),
        ]
        assert left_by(out) == ["out.csv", "out.csv.ledger.jsonl"]


def test_what_a_program_raises_while_it_is_told_it_gets_back(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from fastingest import Options, ingest\n"
        "def tick(summary):\n"
        "    raise OSError('mine')\n"
        "try:\n"
        f"    ingest(Options(url={ENDLESS!r}, out=sys.argv[1]), on_tick=tick, tick=0.3)\n"
        "except OSError as error:\n"
        "    print(error)\n"
    )
    out = tmp_path / "out.csv"
    ended = run_program(program, out, cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("mine\n", "")
    SpoolDirectories.of(out).remove()
