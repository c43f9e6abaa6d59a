"""A feed that brings hardly anything but garbage."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fastingest.storage.ledger import read_entries
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, rejects_of, wait_until
from tests.end_to_end.test_connection import volumes
from tests.peers.raw import TEXT, RawConnection, RawServer, frame
from tests.support.serving import answer_close, record

KIB = 1024
COUNT = 60_000


def garbage(connection: RawConnection) -> None:
    """A row among every thousand messages."""
    connection.handshake()
    for start in range(0, COUNT, 1000):
        numbers = range(start, start + 1000)
        connection.send_raw(b"".join(frame(TEXT, b"garbage %d" % number) for number in numbers))
        connection.send_text(record(start))
    answer_close(connection)


def _kill_writer(command: Command) -> None:
    """And wait for the next one."""
    before = command.child("writer")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: command.child("writer") != before)


@pytest.mark.parametrize("killed", [0, 3])
def test_no_more_rejects_are_kept_than_shall_be(killed: int, tmp_path: Path) -> None:
    """Each is counted, and the limit is the run's, however many writers it has."""
    out = tmp_path / "out.csv"
    limit = ["--max-rejects", "200KiB", "--flush-interval", "20ms"]
    with RawServer(garbage) as server:
        with Command("--url", server.url, "--out", out, *limit) as command:
            for _ in range(killed):
                _kill_writer(command)
            wait_until(lambda: out.exists() and b"%d\n" % (COUNT - 1000) in out.read_bytes())
            summary = command.stop()
        warnings = [
            entry
            for entry in command.events
            if entry["event"].startswith("there are too many rejects")
        ]
    kept = rejects_of(out)
    assert volumes(out) == list(range(0, COUNT, 1000))
    assert (summary["received"], summary["quarantined"]) == (COUNT + COUNT // 1000, COUNT)
    assert summary["rejects_not_kept"] == COUNT - len(kept) > COUNT // 2
    assert 190 * KIB < out.with_name("out.csv.rejected.jsonl").stat().st_size < 210 * KIB
    numbers = [int(each["text"].split()[1]) for each in kept]
    assert numbers == sorted(set(numbers))
    assert numbers[:1000] == list(range(1000))
    assert [each["kept_in"] for each in warnings] == [f"{out}.rejected.jsonl"]
    (line,) = read_entries(out)
    assert (line["quarantined"], line["rejects_not_kept"]) == (COUNT, COUNT - len(kept))
    assert verify(out).problems == []
