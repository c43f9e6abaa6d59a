"""A batch that no writer can write: the others are written, and it is kept beside them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from fastingest.model.batch import Batch
from fastingest.spool import segment
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.ledger import read_entries
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, left_by, wait_until
from tests.end_to_end.test_connection import volumes
from tests.support.poison import POISONS, poison_in

pytestmark = pytest.mark.long

FEED = "demo://?rate=20000&sequence=1&burst=1"
SMALL = ["--batch-size", "1000", "--flush-interval", "50ms"]
CLEAN = ["out.csv", "out.csv.ledger.jsonl"]
ASIDE = "a batch that cannot be written is set aside"


def _written(out: Path, more: int = 100_000) -> None:
    before = out.stat().st_size if out.exists() else 0
    wait_until(lambda: out.exists() and out.stat().st_size > before + more, "no rows")


def _held(out: Path) -> tuple[Path, bytes] | None:
    """A segment with several batches that the writer has not taken."""
    written = max([-1, *volumes(out)[-1:]])
    for path in SpoolDirectories.of(out).spool.glob("*.segment"):
        data = path.read_bytes()
        found = list(segment.read(data)[1])
        for first, *_ in [found[-4:]] if len(found) >= 8 else []:
            batch = Batch.from_bytes(data[first.start : first.end])
            if batch.rows and min(map(int, batch.columns()[2])) > written:
                return path, data
    return None


def _poison(out: Path, command: Command, how: str) -> tuple[bytes, list[int]]:
    """Stop the writer, and damage a batch that it has not taken; its bytes, and its rows."""
    os.kill(command.child("writer"), signal.SIGSTOP)
    path, data = wait_until(lambda: _held(out), "no batches wait")
    found = list(segment.read(data)[1])[-3]
    offset, record = poison_in(data, -3, how)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(record)
    numbers = Batch.from_bytes(data[found.start : found.end]).columns()[2]
    return record[segment.RECORD_SIZE :], list(map(int, numbers))


def _check(out: Path, wire: bytes, rows: list[int], said: dict[str, Any]) -> None:
    """All other rows are there, and the batch is readable where it is said to be."""
    numbers = volumes(out)
    assert numbers == sorted({*range(rows[0]), *numbers} - {*rows})
    (path,) = out.parent.glob("*.failed")
    assert (said["kept_in"], said["rows"]) == (str(path), len(rows))
    data = path.read_bytes()
    stream, (found,) = segment.read(data)
    assert path.name == f"out.csv.{stream}-{found.sequence}.failed"
    assert data[found.start : found.end] == wire
    report = verify(out)
    assert report.agrees
    assert report.notes == [
        f"{len(rows):,} rows of the run of {report.regions[0].run} could not be written; "
        "they are in out.csv.*.failed"
    ]


@pytest.mark.parametrize("how", POISONS)
def test_the_others_are_written_while_the_run_goes_on(how: str, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", FEED, "--out", out, *SMALL) as command:
        _written(out)
        wire, rows = _poison(out, command, how)
        os.kill(command.child("writer"), signal.SIGKILL)
        said = command.wait_for(ASIDE)
        _written(out)
        command.signal(signal.SIGTERM)
        summary = command.summary(status=3)
    _check(out, wire, rows, said)
    written = len(volumes(out))
    assert (summary["written"], summary["set_aside"], summary["lost"]) == (written, len(rows), 0)
    assert summary["received"] == written + len(rows)
    assert summary["restarts"] == (4 if how == "killing" else 1)
    error = next(entry for entry in command.events if entry.get("error") == "RowsLost")
    assert error["event"] == (
        f"{len(rows)} received rows could not be written, and are set aside (*.failed)"
    )
    (line,) = read_entries(out)
    assert (line["written"], line["set_aside"], line["kept"]) == (written, len(rows), 0)
    assert line["feeds"][0]["set_aside"] == len(rows)
    (path,) = tmp_path.glob("*.failed")
    assert left_by(out) == sorted([*CLEAN, path.name])


@pytest.mark.parametrize(
    ("how", "has_counters"), [*((how, True) for how in POISONS), ("killing", False)]
)
def test_the_next_start_writes_the_others_of_a_run_that_was_killed(
    how: str, has_counters: bool, tmp_path: Path
) -> None:
    """Also where nobody knows what it had counted, as after a start of the machine."""
    out = tmp_path / "out.csv"
    with Command("--url", FEED, "--out", out, *SMALL) as command:
        _written(out)
        wire, rows = _poison(out, command, how)
        children = command.children()
        command.process.kill()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        command.process.wait()
    before = len(volumes(out))
    if not has_counters:
        for path in SpoolDirectories.of(out).spool.glob("*.counters"):
            path.unlink()
    with Command("--url", "ws://127.0.0.1:1/", "--out", out, *SMALL) as command:
        said = command.wait_for(ASIDE)
        again = command.wait_for("took up what an earlier run had left")
        command.stop(0, 3)  # 3: it has come to try the feed, which is not there
    _check(out, wire, rows, said)
    more = len(volumes(out)) - before
    assert again["rows"] == more or (how == "killing" and 0 < again["rows"] < more)
    first, *_ = read_entries(out)
    assert (first["set_aside"], first["written"]) == (len(rows), len(volumes(out)))
    if has_counters:
        assert first["received"] == first["written"] + first["set_aside"] + first["lost"]
