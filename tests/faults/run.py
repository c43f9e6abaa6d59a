"""A captured feed, and everything that must hold of what is left of it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastingest.storage.ledger import read_entries
from fastingest.verify.report import report_text
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, is_running, wait_until
from tests.faults.evidence import Missing, connections, missing, numbers
from tests.peers.process import Peer

__all__ = ["RATE", "Capture", "feed", "kill", "running"]

RATE = 200_000
FLUSH_INTERVAL = 0.25  # seconds, the default
MAX_LOST = 2 * FLUSH_INTERVAL  # of what was received: a timer is late where others work, too


def feed(*arguments: object) -> Peer:
    """The numbered feed, with :data:`RATE` rows a second unless the arguments say otherwise."""
    return Peer(
        [sys.executable, "-m", "tests.faults.feed", "--rate", str(RATE)]
        + [str(argument) for argument in arguments]
    )


def running(
    out: Path,
    server: Peer,
    *arguments: object,
    environment: Mapping[str, str] | None = None,
    within: Sequence[str] = (),
    program: Sequence[str] = ("-m", "fastingest"),
) -> Command:
    """A run of the command that captures the feed."""
    quick = ("--reconnect-initial", "10ms", "--reconnect-max", "50ms")
    given = ("--url", server.url, "--out", out, *quick, *arguments)
    return Command(*given, environment=environment, within=within, program=program)


def kill(pids: Sequence[int]) -> None:
    """SIGKILL; who is gone already is gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_running, pids)), "a process that outlives SIGKILL")


class Capture:
    """What is left when all runs are over, and the feed has ended: it must all agree.

    :param out: the file, or the files where it was rotated, the oldest first.
    """

    def __init__(self, server: Peer, *out: Path) -> None:
        self.ledger = [entry for entry in read_entries(out[-1]) if "received" in entry]
        self.rows = numbers(out)
        self.missing: list[Missing] = missing(self.rows, connections(server.events))
        report = verify(out[-1])
        assert report.agrees, report_text(report)
        assert not report.notes, report.notes
        last = out[-1].name
        left = {path.name for path in out[-1].parent.iterdir() if path.name.startswith(last)}
        assert left == {last, f"{last}.ledger.jsonl"} | {
            path.name for path in out if path.name.startswith(last)
        }
        for entry in self.ledger:
            accounted = (
                "written",
                "quarantined",
                "ignored",
                "dropped",
                "lost",
                "set_aside",
                "kept",
            )
            assert entry["received"] == sum(entry[name] for name in accounted), entry
        # A run that was interrupted, or kept rows, has the last word when it is complete.
        self.final = list({entry["run"]: entry for entry in self.ledger}.values())
        assert self.total("written") == len(self.rows)
        assert self.total("kept") == 0

    def total(self, name: str) -> int:
        """A count over all runs."""
        return sum(entry[name] for entry in self.final)

    @property
    def lost(self) -> int:
        """Rows, and messages that may have been rows."""
        return self.total("lost") + self.total("messages_lost")

    def is_whole(self) -> None:
        """Each connection's rows are there from its first one on, without a hole."""
        for each in self.missing:
            assert (each.at_start, each.inside) == (0, 0), (each, self.ledger)


def only_run(out: Path) -> dict[str, Any]:
    """The ledger's line of the only run."""
    (entry,) = read_entries(out)
    return entry
