"""A receiver that stands still, while others of the run must not."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fastingest.verify.report import report_text
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, wait_until
from tests.faults.evidence import connections, missing, numbers
from tests.faults.run import feed, kill

FEED = """
[[feed]]
name = "{name}"
url = "{url}"

[[feed.table]]
out = "{folder}/{name}.csv"
columns = ["symbol", "price:float", "volume:number"]
"""


def _grows(path: Path) -> None:
    """Rows come that were not on their way already."""
    for _ in range(5):
        size = path.stat().st_size
        wait_until(lambda: path.stat().st_size > size, f"{path.name} does not grow")  # noqa: B023


@pytest.mark.parametrize(
    "victim",
    [
        "",
        pytest.param("writer", marks=pytest.mark.long),
        pytest.param("receiver 2", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("batch_size", [1, pytest.param(100_000, marks=pytest.mark.long)])
def test_a_stopped_receiver_holds_up_no_other(tmp_path: Path, victim: str, batch_size: int) -> None:
    """With a batch half sent, or with many not acknowledged; and whoever dies meanwhile."""
    rate = 500 if batch_size == 1 else 100_000
    with feed("--rate", rate) as one, feed("--rate", rate) as two:
        config = tmp_path / "feeds.toml"
        servers = {"one": one, "two": two}
        config.write_text(
            "".join(
                FEED.format(name=name, url=server.url, folder=tmp_path)
                for name, server in servers.items()
            )
        )
        quick = ("--reconnect-initial", "10ms", "--reconnect-max", "50ms")
        arguments = ("--receivers", 2, "--batch-size", batch_size, *quick)
        with Command("--config", config, *arguments) as command:
            command.wait_for("connected", 2)
            for name in servers:
                _grows(tmp_path / f"{name}.csv")
            stopped = command.child("receiver 1")
            os.kill(stopped, signal.SIGSTOP)
            try:
                _grows(tmp_path / "two.csv")
                if victim:
                    dead = command.child(victim)
                    kill([dead])
                    wait_until(lambda: command.child(victim) != dead, "no other")
                    if victim == "receiver 2":
                        command.wait_for("connected", 3)
                    _grows(tmp_path / "two.csv")
            finally:
                os.kill(stopped, signal.SIGCONT)
            _grows(tmp_path / "one.csv")
            command.signal(signal.SIGTERM)
            status = command.wait()
        for server in servers.values():
            server.stop()
        assert status in ((0,) if victim != "receiver 2" else (0, 3))
        for name, server in servers.items():
            report = verify(tmp_path / f"{name}.csv")
            assert report.agrees, report_text(report)
            rows = numbers(tmp_path / f"{name}.csv")
            for each in missing(rows, connections(server.events)):
                assert (each.at_start, each.inside) == (0, 0)
