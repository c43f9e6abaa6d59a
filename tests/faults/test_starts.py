"""A start that finds what another run has left, and not all as it was."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from fastingest.places import Places
from tests.end_to_end.command import wait_until
from tests.faults.run import FLUSH_INTERVAL, RATE, Capture, feed, kill, running

MIB = 2**20


@pytest.mark.parametrize("spill_dir", ["other", None], ids=["other", "none"])
def test_the_spill_is_found_where_the_run_before_had_it(
    tmp_path: Path, spill_dir: str | None
) -> None:
    out, before, after = tmp_path / "out.csv", tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    with feed() as server:
        with running(out, server, "--memory-limit", "2MiB", "--spill-dir", before) as command:
            command.wait_for("connected")
            os.kill(command.child("writer"), signal.SIGSTOP)
            wait_until(lambda: len(list(before.glob("*/*.segment"))) > 10, "nothing on disk")
            kill([command.pid, *command.children()])
        more = [] if spill_dir is None else ["--spill-dir", after]
        with running(out, server, *more) as command:
            command.wait_for("connected")
            command.stop()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert capture.lost <= RATE * FLUSH_INTERVAL
    assert not list(before.iterdir())
    assert not list(after.iterdir())


def test_somebody_removes_the_spool(tmp_path: Path) -> None:
    """The run goes on, and so do those who take a dead process's place."""
    out = tmp_path / "out.csv"
    with feed() as server:
        with running(out, server) as command:
            command.wait_for("connected")
            shutil.rmtree(Places.of(out).spool)
            for role in ("writer", "receiver", "writer"):
                size = out.stat().st_size
                wait_until(lambda size=size: out.stat().st_size > size + MIB)  # type: ignore[misc]
                kill([command.child(role)])
            command.wait_for("connected", count=2)
            command.signal(signal.SIGTERM)
            status = command.wait()
        server.stop()
        capture = Capture(server, out)
    capture.is_whole()
    assert status == (3 if capture.lost else 0)
    (run,) = capture.final
    assert (run["writer_restarts"], run["receiver_restarts"], len(run["gaps"])) == (2, 1, 1)
