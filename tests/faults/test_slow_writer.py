"""The writer does not write: the outbox grows, goes to disk, and then does as --when-full says."""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

from fastingest.spool.directories import SpoolDirectories
from tests.end_to_end.command import Command, wait_until
from tests.faults.run import RATE, Capture, feed, kill, running

pytestmark = pytest.mark.long

MIB = 2**20
LIMIT = 8 * MIB
STOPPED_FOR = 10.0


def _memory(command: Command, out: Path) -> int:
    """Bytes of the receiver and of the spool, which is in memory as well."""
    status = Path(f"/proc/{command.child('receiver')}/status").read_text()
    match = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert match
    spool = SpoolDirectories.of(out).spool
    used = sum(path.stat().st_blocks * 512 for path in spool.iterdir())
    return int(match[1]) * 1024 + used


def test_a_writer_that_stands_still_for_ten_seconds(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with feed("--ping-every", 0.1) as server:
        with running(out, server, "--memory-limit", f"{LIMIT}B") as command:
            command.wait_for("connected")
            wait_until(lambda: out.stat().st_size > MIB)
            writer = command.child("writer")
            os.kill(writer, signal.SIGSTOP)
            stopped = time.monotonic()
            most = 0
            try:
                while time.monotonic() < stopped + STOPPED_FOR:
                    most = max(most, _memory(command, out))
                    time.sleep(0.05)
                before = out.stat().st_size
            finally:
                os.kill(writer, signal.SIGCONT)
            command.wait_for("the spill is empty again", timeout=60)
            most = max(most, _memory(command, out))
            summary = command.stop()
        server.stop()
        capture = Capture(server, out)
        (connection,) = [event for event in server.events if "disconnected" in event]
    capture.is_whole()
    assert summary["written"] == summary["received"] == len(capture.rows)
    assert len(capture.rows) > RATE * STOPPED_FOR * 0.8 + before / 25
    assert summary["spill_peak"] > LIMIT
    assert most < LIMIT + 100 * MIB, f"{most / MIB:.0f} MiB"
    assert (summary["pauses"], summary["gaps"]) == (0, 0)
    assert connection["unanswered"] == 0
    assert connection["slowest_pong"] < 5  # a server's patience is 20 s, as a rule
    events = [entry["event"] for entry in command.events if entry["level"] != "debug"]
    assert events.count("the writer is behind, spilling to disk") == 1


def _fill(command: Command, out: Path) -> int:
    """Stop the writer until the outbox is full; its process id."""
    command.wait_for("connected")
    wait_until(lambda: out.stat().st_size > MIB)
    writer = command.child("writer")
    os.kill(writer, signal.SIGSTOP)
    wait_until(
        lambda: any("the outbox is full" in entry["event"] for entry in command.events),
        "the outbox is not full",
    )
    return writer


SMALL = ("--memory-limit", "2MiB", "--spill-limit", "1MiB")


def test_when_full_block(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with feed() as server:
        with running(out, server, *SMALL, "--when-full", "block") as command:
            writer = _fill(command, out)
            time.sleep(2.0)  # in which 8 MiB of rows come
            os.kill(writer, signal.SIGCONT)
            command.wait_for("the outbox has room again")
            size = out.stat().st_size
            wait_until(lambda: out.stat().st_size > size + MIB)
            summary = command.stop()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert summary["pauses"] >= 1
    assert summary["queue_peak"] < 5 * MIB
    assert summary["written"] == summary["received"] == len(capture.rows)


def test_when_full_drop(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with feed() as server:
        with running(out, server, *SMALL, "--when-full", "drop") as command:
            writer = _fill(command, out)
            told = command.wait_for("rows dropped, the outbox is full", count=2)
            os.kill(writer, signal.SIGCONT)
            command.wait_for("the outbox has room again")
            size = out.stat().st_size
            wait_until(lambda: out.stat().st_size > size + MIB)
            command.signal(signal.SIGTERM)
            summary = command.summary(status=3)
            error = command.events[-1]
        server.stop()
        capture = Capture(server, out)
    (connection,) = capture.missing
    assert connection.at_start == 0
    assert connection.inside == summary["dropped"] > 0  # each of them is accounted for
    assert told["rows"] > RATE / 4  # once a second, and not for each batch
    assert summary["written"] == summary["received"] - summary["dropped"] == len(capture.rows)
    assert summary["pauses"] == 0
    assert error["error"] == "RowsLost"
    assert error["event"] == f"{summary['dropped']} rows were dropped while the outbox was full"


@pytest.mark.parametrize("batch_size", [100, 10_000])
def test_when_full_exit(tmp_path: Path, batch_size: int) -> None:
    out = tmp_path / "out.csv"
    small = [*SMALL, "--batch-size", batch_size]  # a read closes many of the small ones
    with feed() as server:
        with running(out, server, *small, "--when-full", "exit") as command:
            os.kill(_fill(command, out), signal.SIGCONT)
            summary = command.summary(status=3)
            error = command.events[-1]
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert summary["written"] == summary["received"] == len(capture.rows)
    assert (error["error"], error["event"]) == (
        "OutboxFull",
        "the outbox was full, and --when-full is exit; every row received is written",
    )


def test_a_stopped_writer_that_is_killed(tmp_path: Path) -> None:
    """What went to disk meanwhile is sent to the next one."""
    out = tmp_path / "out.csv"
    with feed() as server:
        with running(out, server, "--memory-limit", "2MiB") as command:
            command.wait_for("connected")
            writer = command.child("writer")
            os.kill(writer, signal.SIGSTOP)
            command.wait_for("the writer is behind, spilling to disk")
            wait_until(lambda: len(list(tmp_path.glob("out.csv.spill/*"))) > 5)
            os.kill(writer, signal.SIGKILL)
            command.wait_for("the spill is empty again")
            summary = command.stop()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert summary["written"] == summary["received"] == len(capture.rows)
    assert (summary["restarts"], summary["connections"]) == (1, 1)


@pytest.mark.parametrize("then", ["stop", "kill"])
def test_a_receiver_that_dies_while_it_spills(tmp_path: Path, then: str) -> None:
    out = tmp_path / "out.csv"
    with feed() as server:
        with running(out, server, "--memory-limit", "2MiB") as command:
            command.wait_for("connected")
            writer, receiver = command.child("writer"), command.child("receiver")
            os.kill(writer, signal.SIGSTOP)
            wait_until(lambda: len(list(tmp_path.glob("out.csv.spill/*"))) > 5)
            os.kill(receiver, signal.SIGKILL)
            command.wait_for("connected", count=2)
            os.kill(writer, signal.SIGCONT if then == "stop" else signal.SIGKILL)
            size = out.stat().st_size
            wait_until(lambda: out.stat().st_size > size + 10 * MIB)
            command.signal(signal.SIGTERM)
            assert command.wait() in (0, 3)
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert capture.lost <= RATE / 4


def test_receivers_that_die_one_after_the_other_share_the_limits(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with feed() as server:
        with running(out, server, "--memory-limit", "4MiB", "--spill-limit", "4MiB") as command:
            command.wait_for("connected")
            writer = command.child("writer")
            os.kill(writer, signal.SIGSTOP)
            for number in range(1, 4):
                _has_been_full(command, number)
                kill([command.child("receiver")])
                command.wait_for("connected", count=number + 1)
            _has_been_full(command, 4)
            held = sum(
                path.stat().st_size
                for directory in (SpoolDirectories.of(out).spool, SpoolDirectories.of(out).spill)
                for path in directory.glob("*.segment")
            )
            os.kill(writer, signal.SIGCONT)
            command.wait_for("the outbox has room again")
            command.signal(signal.SIGTERM)
            assert command.wait() in (0, 3)
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert held < (4 + 4 + 4 * 2) * MIB  # each has its least, and what a read brings


def _has_been_full(command: Command, count: int) -> None:
    said = "the outbox is full, the feed is not read until there is room"
    command.wait_for(said, count=count)


def test_a_run_without_progress_says_so_while_it_runs(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with feed("--rate", 1000) as server:
        with running(out, server) as command:
            command.wait_for("connected")
            wait_until(lambda: out.stat().st_size > 1000)
            writer = command.child("writer")
            os.kill(writer, signal.SIGSTOP)
            stopped = time.time()
            try:
                first = command.wait_for("no progress")
                took = time.time() - stopped
                again = command.wait_for("no progress", 2)
            finally:
                os.kill(writer, signal.SIGCONT)
            on = command.wait_for("there is progress again")
            summary = command.stop()
            said = [each for each in command.events if each["event"] == "no progress"]
        server.stop()
        Capture(server, out).is_whole()
    assert took < 15
    assert (first["level"], first["output"]) == ("warning", str(out))
    assert first["queue"] > 0 < first["rows"] < again["rows"]
    assert 5 <= first["length"] < again["length"] <= on["length"]
    assert abs(datetime.fromisoformat(first["since"]).timestamp() - stopped) < 5
    assert len(said) == 2
    assert summary["written"] == summary["received"]
