"""A writer that is killed at every single line that it executes, one after another.

The kills at random moments hardly ever hit the few microseconds in which a batch is in the file and
not in the journal yet. Here they all are hit: a child process commits some batches, traced, and at
the n-th line sends itself SIGKILL. What then is left is opened as the next writer does it, and what
is not committed is committed again.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import fastingest.writer
from fastingest.batch import Batch, Reject, encode_columns
from fastingest.schema import TRADES
from fastingest.verify import report_text, verify
from fastingest.writer.journal import Journal
from fastingest.writer.output import Output
from fastingest.writer.table import to_csv, to_frame

RUN = 1000
HOME = str(Path(fastingest.writer.__file__).parent)


def _batch(sequence: int) -> Batch:
    rows = 3 + sequence % 2
    columns: list[list[Any]] = [
        ["A,B"] * rows,
        [1.5] * rows,
        [100 * sequence + row for row in range(rows)],
    ]
    rejects = [Reject(5, "no row", b"%d" % sequence)] if sequence % 3 else []
    return Batch(
        rows if sequence % 5 else 0,
        [encode_columns(columns)] if sequence % 5 else [],
        [(rows, 7)] if sequence % 5 else [],
        rejects,
        stream=RUN + 1,
        sequence=sequence,
    )


BATCHES = [_batch(sequence) for sequence in range(1, 7)]
# Made here: polars has threads, and they are not there in a forked child.
TEXTS = [
    bytes(to_csv(to_frame(TRADES, batch.columns()))) if batch.rows else b"" for batch in BATCHES
]


def _write(out: Path, between: Callable[[int], None]) -> None:
    """As a writer does it: go on after what is committed."""
    journal = Journal(out.with_name(out.name + ".journal"))
    output = Output(out, TRADES, journal, min_free=0, report=lambda *_, **__: None)
    output.begin(RUN)
    for batch, text in zip(BATCHES, TEXTS, strict=True):
        if batch.position > output.entry.position:
            between(batch.sequence)
            output.commit(batch, memoryview(text))
    output.close()


def _in_child(step: Callable[[], None], line: int) -> bool:
    """Do it in a child that is killed at its ``line``-th line; whether it came so far."""
    pid = os.fork()
    if pid == 0:
        executed = 0

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal executed
            if not frame.f_code.co_filename.startswith(HOME):
                return None
            executed += 1
            if executed == line:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            step()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


def _files(out: Path) -> bytes:
    """All rows, in the order of the files."""
    moved = sorted(out.parent.glob("moved*"))
    lines = [path.read_bytes().split(b"\n", 1)[1] for path in [*moved, out]]
    return b"".join(lines)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, where there is a place for that: a sync costs nothing there."""
    place = Path("/dev/shm")
    if not os.access(place, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="fastingest-test-", dir=place) as path:
        yield Path(path)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # no thread of ours is held up
@pytest.mark.parametrize("twice", [False, True], ids=["", "and the next one too"])
@pytest.mark.parametrize("rotated", [False, True], ids=["", "rotated"])
def test_a_kill_at_every_line(memory: Path, rotated: bool, twice: bool) -> None:
    def rotate(out: Path) -> Callable[[int], None]:
        moved = out.with_name("moved.csv")

        def before(sequence: int) -> None:
            if rotated and sequence == 3 and not moved.exists():
                out.rename(moved)

        return before

    line, comes_so_far = 0, True
    while comes_so_far:
        line += 7 if twice else 1
        out = memory / str(line) / "out.csv"
        out.parent.mkdir()
        comes_so_far = _in_child(lambda out=out: _write(out, rotate(out)), line)  # type: ignore[misc]
        if twice:
            _in_child(lambda out=out: _write(out, rotate(out)), 1 + line * 13 % 150)  # type: ignore[misc]
        _write(out, rotate(out))
        assert _files(out) == b"".join(TEXTS), f"killed at line {line}"
        rejects = out.with_name("out.csv.rejected.jsonl").read_bytes().splitlines()
        assert len(rejects) == sum(len(batch.rejects) for batch in BATCHES), f"line {line}"
        _agrees(out, line)
    assert line > 300


def _agrees(out: Path, line: int) -> None:
    """The journal's account, were it the ledger's."""
    from fastingest.account import log_run

    journal = out.with_name(out.name + ".journal")
    opened = Journal(journal)
    opened.close()
    entry = opened.entries[0]
    assert (entry.written, entry.quarantined) == (
        sum(batch.rows for batch in BATCHES),
        sum(len(batch.rejects) for batch in BATCHES),
    ), f"killed at line {line}"
    log_run(out, entry, None, {"feed": "", "gaps": []}, end=2000)
    journal.unlink()
    report = verify(out)
    assert report.agrees, f"killed at line {line}: {report_text(report)}"
    assert not report.notes
