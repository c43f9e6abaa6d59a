"""A process that cannot live for a while: the run waits for it, and says why."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.command import Command, wait_until
from tests.faults.run import Capture, feed, kill, running
from tests.support.constants import with_constants

RATE = 20_000
# The second death is followed by a pause that is usually the seventh one's.
LONG_PAUSES = with_constants(restart_policy__FIRST_PAUSE=30.0, restart_policy__LAST_PAUSE=30.0)
MEMORY, PROCESSES = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup/pids")


def _dies(command: Command, role: str, times: int) -> list[float]:
    """Kill it so often, each time as soon as there is another one; when these were started."""
    starts = []
    for _ in range(times):
        dead = command.child(role)
        kill([dead])
        wait_until(lambda: command.child(role) != dead, f"no other {role}")  # noqa: B023
        starts.append(time.monotonic())
    return starts


@pytest.mark.long
def test_who_dies_again_and_again_is_started_less_and_less_often(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with feed("--rate", RATE) as server:
        with running(out, server) as command:
            command.wait_for("connected")
            starts = _dies(command, "writer", 7)
            summary = command.stop()
            events = command.events
        server.stop()
        Capture(server, out).is_whole()
    assert starts[6] - starts[5] > 1.5 > starts[2] - starts[0]
    said = [event for event in events if event["event"] == "a process was killed by signal 9"]
    assert [event["next"] for event in said] == ["another one takes its place"] * 7
    assert "pause" not in said[0]
    assert said[6]["pause"]
    assert summary["restarts"] == 7


@pytest.mark.parametrize("victim", ["writer", "receiver"])
def test_a_run_that_shall_end_while_somebody_is_due(tmp_path: Path, victim: str) -> None:
    """The writer is needed at once; the receiver is not needed any more."""
    out = tmp_path / "out.csv"
    with feed("--rate", RATE) as server:
        with running(out, server, program=LONG_PAUSES) as command:
            command.wait_for("connected")
            _dies(command, victim, 1)
            kill([command.child(victim)])
            said = command.wait_for("a process was killed by signal 9", 2)
            pause = float(said["pause"].removesuffix("s"))
            command.signal(signal.SIGTERM)
            stopped = time.monotonic()
            status = command.wait()
            took = time.monotonic() - stopped
            started = [e for e in command.events if e["event"] == "started"]
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert pause > 2.0
    assert took < pause
    if victim == "writer":
        assert status == 0
        assert capture.lost == 0
    assert [e["process"] for e in started].count(victim) == (3 if victim == "writer" else 2)


def test_a_second_interrupt_while_somebody_is_due(tmp_path: Path) -> None:
    with feed("--rate", RATE) as server:
        with running(tmp_path / "out.csv", server, program=LONG_PAUSES) as command:
            command.wait_for("connected")
            _dies(command, "receiver", 1)
            kill([command.child("receiver")])
            command.wait_for("a process was killed by signal 9", 2)
            os.kill(command.child("writer"), signal.SIGSTOP)  # so that one cannot end the run
            command.signal(signal.SIGINT)
            command.wait_for("stopping")
            command.signal(signal.SIGINT)
            assert command.wait(timeout=30) == 130


@contextlib.contextmanager
def _no_more_processes(pid: int) -> Iterator[None]:
    """Let the process start none meanwhile."""
    path = PROCESSES / f"fastingest-test-{os.getpid()}"
    try:
        path.mkdir()
    except OSError:
        pytest.skip("needs a control group for processes, of version 1, and the right to make one")
    try:
        (path / "cgroup.procs").write_text(str(pid))
        (path / "pids.max").write_text("1")
        yield
    finally:
        with contextlib.suppress(OSError):  # it is gone
            (PROCESSES / "cgroup.procs").write_text(str(pid))
        wait_until(lambda: not (path / "cgroup.procs").read_text().split())
        path.rmdir()


@contextlib.contextmanager
def _no_more_files(pid: int) -> Iterator[None]:
    """Let the process open none meanwhile."""
    taken = set(map(int, os.listdir(f"/proc/{pid}/fd")))
    free = next(number for number in range(len(taken) + 1) if number not in taken)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, before[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("lack", [_no_more_processes, _no_more_files])
@pytest.mark.parametrize("victim", ["writer", pytest.param("receiver", marks=pytest.mark.long)])
def test_what_cannot_be_started_is_started_later(
    tmp_path: Path, victim: str, lack: Callable[[int], contextlib.AbstractContextManager[None]]
) -> None:
    out = tmp_path / "out.csv"
    with feed("--rate", RATE) as server:
        with running(out, server) as command:
            command.wait_for("connected")
            dead = command.child(victim)
            with lack(command.pid):
                kill([dead])
                wait_until(lambda: len(_not_started(command)) > 2, "it could be started")
                files = _open_files(command)
                tries = len(_not_started(command))
                wait_until(lambda: len(_not_started(command)) > tries + 1)
                # Another try may be under way.
                wait_until(lambda: _open_files(command) <= files + 1, "files stay open")
            wait_until(lambda: command.child(victim) != dead, "no other")
            size = out.stat().st_size
            wait_until(lambda: out.stat().st_size > size, "nothing is written")
            command.signal(signal.SIGTERM)
            status = command.wait()
            failed = _not_started(command)
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert {each["process"] for each in failed} == {victim}
    assert {each["next"] for each in failed} == {"another one takes its place"}
    assert status == (3 if capture.lost else 0)


def _open_files(command: Command) -> int:
    return len(os.listdir(f"/proc/{command.pid}/fd"))


def _not_started(command: Command) -> list[dict[str, Any]]:
    return [each for each in command.events if "could not be started" in each["event"]]


@contextlib.contextmanager
def _memory_group(limit: int) -> Iterator[Path]:
    """A control group for so much memory, where we may make one."""
    path = MEMORY / f"fastingest-test-{os.getpid()}"
    try:
        path.mkdir()
        (path / "memory.limit_in_bytes").write_text(str(limit))
        (path / "memory.swappiness").write_text("0")
    except OSError:
        pytest.skip("needs memory control groups of version 1, and the right to make one")
    try:
        yield path
    finally:
        wait_until(lambda: not (path / "cgroup.procs").read_text().split())
        (path / "memory.force_empty").write_text("0")
        path.rmdir()


IN_GROUP = """
import os, sys
with open(sys.argv.pop(1), "w") as file:
    file.write(str(os.getpid()))
from fastingest.cli.commands import main
sys.exit(main(sys.argv[1:]))
"""
HOG = """
import os, sys
with open(sys.argv[1], "w") as file:
    file.write(str(os.getpid()))
taken = []
while True:
    taken.append(bytearray(os.urandom(2**20)))
"""


def test_the_log_says_that_it_was_for_lack_of_memory(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with _memory_group(512 * 2**20) as group, feed("--rate", RATE) as server:
        members = str(group / "cgroup.procs")
        arguments = ("--url", server.url, "--out", out)
        with Command(members, *arguments, program=("-c", IN_GROUP)) as command:
            command.wait_for("connected")
            writer = command.child("writer")
            # Whom the kernel takes first when there is no more memory.
            Path(f"/proc/{writer}/oom_score_adj").write_text("1000")
            hog = subprocess.Popen([sys.executable, "-c", HOG, members])
            try:
                said = command.wait_for("a process was killed by the kernel for lack of memory")
            finally:
                hog.kill()
                hog.wait()
            size = out.stat().st_size
            wait_until(lambda: out.stat().st_size > size)
            command.signal(signal.SIGTERM)
            status = command.wait()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert (said["process"], said["pid"]) == ("writer", writer)
    assert status in (0, 3)
