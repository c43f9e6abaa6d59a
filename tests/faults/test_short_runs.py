"""Runs of a moment, in which anybody is killed at any moment: each of them ends.

The start and the end of a run are where processes wait for each other. A run that is over before
all have begun, and in which a process dies meanwhile, is mostly start and end. ``scripts/test
tests/faults/test_short_runs.py`` with ``FASTINGEST_SHORT_RUNS=300`` has more of them.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.end_to_end.command import Command
from tests.faults.run import MAX_LOST, Capture, feed, running

pytestmark = pytest.mark.long

RUNS = int(os.environ.get("FASTINGEST_SHORT_RUNS", "16"))
TURNS = 4  # so that each run of the tests has one of them, and all with --all
RATE = 20_000
LIMIT = 20.0  # seconds in which each ends, with time for a machine that is busy


def _kill_some(command: Command, schedule: random.Random) -> list[str]:
    """One to four processes, one after the other or at once, from the very first moment on."""
    killed = []
    for _ in range(schedule.choice((1, 1, 2, 3, 4))):
        with contextlib.suppress(TimeoutError, EOFError):
            command.wait_for("started", schedule.choice((1, 2)))
        time.sleep(schedule.choice((0.0, schedule.uniform(0, 0.3), schedule.uniform(0, 1.2))))
        roles = {each["process"]: each["pid"] for each in command.events if "pid" in each}
        for role in schedule.sample(sorted(roles), min(len(roles), schedule.choice((1, 1, 2)))):
            if command.process.poll() is None:  # otherwise the number may be another's by now
                with contextlib.suppress(ProcessLookupError):
                    os.kill(roles[role], signal.SIGKILL)
                    killed.append(role)
    return killed


@pytest.mark.parametrize("turn", range(TURNS))
def test_every_run_ends(tmp_path: Path, schedule: random.Random, turn: int) -> None:
    out = tmp_path / "out.csv"
    with feed("--rate", RATE) as server:
        for number in range(turn, RUNS, TURNS):
            end = schedule.choice(("duration", "rows", "signal"))
            arguments: list[object] = []
            if end == "duration":
                arguments = ["--duration", "150ms"]
            elif end == "rows":
                arguments = ["--max-rows", schedule.randrange(1, 4000)]
            with running(out, server, *arguments) as command:
                killed = _kill_some(command, schedule)
                if end == "signal":
                    command.signal(signal.SIGTERM)
                began = time.monotonic()
                status = command.wait(timeout=3 * LIMIT)
                took = time.monotonic() - began
                assert took < LIMIT, (number, end, killed, took, command.events)
                # A SIGTERM may come before there is anybody to take it.
                early = (-signal.SIGTERM,) if end == "signal" else ()
                assert status in (0, 3, *early), (number, end, killed, command.events)
        with running(out, server) as command:
            command.wait_for("connected")
            command.stop()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    for run in capture.final:
        deaths = run["receiver_restarts"] + 1
        assert run["lost"] + run["messages_lost"] <= deaths * RATE * MAX_LOST, run
