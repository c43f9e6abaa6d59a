"""A million rows over a bad connection, with a writer that dies again and again."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.end_to_end.command import wait_until
from tests.faults.run import RATE, Capture, feed, kill, running

ROWS, CUTS, KILLS = 1_000_000, 50, 5


def test_a_million_rows_with_fifty_cuts_and_five_kills(
    tmp_path: Path, schedule: random.Random
) -> None:
    out = tmp_path / "out.csv"
    with feed("--rows", ROWS, "--cuts", CUTS) as server:
        with running(out, server) as command:
            command.wait_for("connected")
            for _ in range(KILLS):
                time.sleep(schedule.uniform(0, 0.8 * ROWS / RATE / KILLS))
                writer = command.child("writer")
                kill([writer])
                wait_until(lambda before=writer: command.child("writer") != before)  # type: ignore[misc]
            assert server.wait(100) == 0
            summary = command.stop()
        capture = Capture(server, out)
    assert capture.rows.to_list() == list(range(ROWS))
    assert (summary["received"], summary["written"]) == (ROWS, ROWS)
    assert (summary["restarts"], summary["lost"]) == (KILLS, 0)
    assert summary["connections"] >= CUTS + 1
    (run,) = capture.final
    assert (
        len(run["gaps"]) == summary["gaps"] in (summary["connections"] - 1, summary["connections"])
    )
    assert {gap["reason"] for gap in run["gaps"][:CUTS]} == {
        "the server broke the connection off without a close frame"
    }
