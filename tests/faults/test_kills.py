"""SIGKILL, at random moments, for every process of a run: at least 200 of them in all.

Whatever is killed, each connection's rows are in the file from its first one on, without a hole, in
order, none twice; what is missing at its end was never received, or is counted as lost, and that is
one flush interval for each receiver that died, at most.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, is_running, wait_until
from tests.faults.run import FLUSH_INTERVAL, MAX_LOST, RATE, Capture, feed, kill, running

pytestmark = pytest.mark.long

KILLS = 6  # of one process in a run: after each, another one is waited for longer
LOSS = "rows were lost with the receiver"
CHILDREN = ("writer", "receiver")
BATCH_SIZES = (100, 200, 10_000)  # small ones, so that a writer is often hit in a commit


@pytest.mark.parametrize("turn", range(6))
@pytest.mark.parametrize("victims", [("writer",), ("receiver",), CHILDREN], ids="+".join)
def test_children_are_killed(
    tmp_path: Path, schedule: random.Random, victims: tuple[str, ...], turn: int
) -> None:
    out = tmp_path / "out.csv"
    plan: list[tuple[str, ...]] = [(victim,) for victim in victims for _ in range(KILLS)]
    if len(victims) > 1:  # a third of them at once
        plan = plan[KILLS // 3 : -KILLS // 3] + [victims] * (KILLS // 3)
    schedule.shuffle(plan)
    with feed() as server:
        with running(out, server, "--batch-size", schedule.choice(BATCH_SIZES)) as command:
            command.wait_for("connected")
            for roles in plan:
                time.sleep(schedule.uniform(0, 0.3))  # the moment is what is random
                if len(roles) > 1:
                    _hold_up(command, schedule)
                dead = {role: command.child(role) for role in roles}
                kill(list(dead.values()))
                for role, pid in dead.items():
                    _wait_for_another(command, role, pid)
            command.signal(signal.SIGTERM)
            status = command.wait()
            losses = [entry["rows"] for entry in command.events if entry["event"] == LOSS]
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert status == (3 if capture.lost else 0)
    (run,) = capture.final
    assert run["writer_restarts"] == KILLS * ("writer" in victims)
    assert run["receiver_restarts"] == KILLS * ("receiver" in victims)
    assert len(run["gaps"]) in (run["connections"] - 1, run["connections"])
    assert max(losses, default=0) <= RATE * MAX_LOST
    assert sum(losses) == capture.total("lost")
    if victims == ("writer",):
        assert capture.lost == 0
        assert len(capture.missing) == 1  # the socket stayed connected all along


def _hold_up(command: Command, schedule: random.Random) -> None:
    """Let the writer fall behind, so that there is more in the spool than may be lost."""
    os.kill(command.child("writer"), signal.SIGSTOP)
    time.sleep(2 * FLUSH_INTERVAL + schedule.uniform(0, 0.1))


def _wait_for_another(command: Command, role: str, dead: int) -> None:
    wait_until(lambda: command.child(role) != dead, f"no other {role}")


def _wait_for_end(pids: list[int]) -> None:
    wait_until(lambda: not any(map(is_running, pids)), "an orphan", timeout=3)


@pytest.mark.parametrize("turn", range(2))
@pytest.mark.parametrize("victim", ["supervisor", "all"])
def test_runs_are_killed(tmp_path: Path, schedule: random.Random, victim: str, turn: int) -> None:
    out = tmp_path / "out.csv"
    kills = 14
    with feed() as server:
        for _ in range(kills):
            with running(out, server, "--batch-size", schedule.choice(BATCH_SIZES)) as command:
                if schedule.random() < 0.8:
                    command.wait_for("connected")
                    time.sleep(schedule.uniform(0, 0.5))
                else:  # while it starts, and takes up what is left
                    time.sleep(schedule.uniform(0, 1.0))
                children = command.children()
                if victim == "all" and len(children) == 2 and schedule.random() < 0.5:
                    _hold_up(command, schedule)
                kill([command.pid, *(children if victim == "all" else ())])
                _wait_for_end(children)
        with running(out, server) as command:
            command.wait_for("connected")
            command.stop()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert len(capture.rows) > 0
    if victim == "supervisor":
        assert capture.lost == 0
    for run in capture.final:
        assert run["lost"] + run["messages_lost"] <= RATE * MAX_LOST, run
