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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import fastingest.writer
from fastingest.account import new_stream
from fastingest.batch import Batch, Layout, Reject, lane_of
from fastingest.columns import segment_of
from fastingest.schema import TRADES
from fastingest.verify import report_text, verify
from fastingest.writer.journal import Journal
from fastingest.writer.output import Output
from fastingest.writer.table import to_csv, to_frame
from fastingest.writer.tally import FeedCount

RUN = new_stream(1000, 0)
HOME = str(Path(fastingest.writer.__file__).parent)
LANE_COUNT, FEED_COUNT = 2, 3
FEEDS = [0, 1, 2, 0, 2, 1, 0, 1]
"""Whose each batch is; feeds 0 and 2 are of lane 0."""


def _batch(number: int) -> Batch:
    feed = FEEDS[number - 1]
    lane = feed % LANE_COUNT
    before = [other % LANE_COUNT for other in FEEDS[: number - 1]]
    rows = 3 + number % 2
    columns: list[list[Any]] = [
        ["A,B"] * rows,
        [1.5] * rows,
        [100 * number + row for row in range(rows)],
    ]
    rejects = [Reject(5, "no row", b"%d" % number)] if number % 3 else []
    return Batch(
        rows if number % 5 else 0,
        [segment_of(columns, TRADES.types)] if number % 5 else [],
        Layout(TRADES.names, TRADES.types, f"feed {feed}"),
        [(rows, 7)] if number % 5 else [],
        rejects=rejects,
        stream=new_stream(RUN, lane),
        sequence=before.count(lane),
        feed=feed,
    )


BATCHES = [_batch(number) for number in range(1, len(FEEDS) + 1)]
# Made here: polars has threads, and they are not there in a forked child.
TEXTS = [bytes(to_csv(to_frame(batch))) if batch.rows else b"" for batch in BATCHES]
ALL = list(zip(BATCHES, TEXTS, strict=True))


def _write(out: Path, between: Callable[[int], None], order: Sequence[int] = ()) -> None:
    """As a writer does it: what the one before had begun with, then what comes of the lanes.

    :param order: which lane is read next, as long as it has anything; then the others.
    """
    journal = Journal(out.with_name(out.name + ".journal"), FEED_COUNT)
    output = Output(out, TRADES.header, journal, min_free=0, report=lambda *_, **__: None)
    output.begin(RUN)

    def left(lane: int) -> list[tuple[Batch, bytes]]:
        position = output.position(lane)
        return [b for b in ALL if lane_of(b[0].stream) == lane and b[0].position > position]

    while output.has_tail:
        offered = [left(lane)[0] for lane in range(LANE_COUNT) if left(lane)]
        explained = [output.explained_by(batch, memoryview(text)) for batch, text in offered]
        if not any(explained):
            break
        batch, text = offered[explained.index(max(explained))]
        output.commit(batch, memoryview(text))
    for lane in (*order, *range(LANE_COUNT)):
        # Without an order all lanes' batches come as they were received.
        batches = left(lane) if order else ALL
        for batch, text in batches:
            if batch.position > output.position(lane_of(batch.stream)):
                between(BATCHES.index(batch) + 1)
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


def _each_is_there_once(out: Path, line: int) -> None:
    """Whole, and in its lane's order."""
    data = _files(out)
    assert sorted(data.splitlines()) == sorted(b"".join(TEXTS).splitlines()), f"line {line}"
    for lane in range(LANE_COUNT):
        texts = [text for batch, text in ALL if lane_of(batch.stream) == lane and text]
        places = [data.find(text) for text in texts]
        assert -1 not in places, f"killed at line {line}"
        assert places == sorted(places), f"killed at line {line}"


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
@pytest.mark.parametrize(
    ("rotated", "order"),
    [(False, ()), (True, ()), (False, (1, 0))],
    ids=["", "rotated", "the other lane first"],
)
def test_a_kill_at_every_line(
    memory: Path, rotated: bool, twice: bool, order: Sequence[int]
) -> None:
    """The lanes' batches come in any order to the writer that follows."""

    def rotate(out: Path) -> Callable[[int], None]:
        moved = out.with_name("moved.csv")

        def before(number: int) -> None:
            if rotated and number == 3 and not moved.exists():
                out.rename(moved)

        return before

    line, comes_so_far = 0, True
    while comes_so_far:
        line += 7 if twice else 1
        out = memory / str(line) / "out.csv"
        out.parent.mkdir()
        comes_so_far = _in_child(lambda out=out: _write(out, rotate(out)), line)  # type: ignore[misc]
        if twice:
            _in_child(lambda out=out: _write(out, rotate(out), order), 1 + line * 13 % 150)  # type: ignore[misc]
        _write(out, rotate(out), order)
        if order:
            _each_is_there_once(out, line)
        else:
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
    feeds = {
        each.feed: FeedCount(each.feed_written, each.feed_quarantined)
        for each in reversed(opened.entries)
    }
    assert feeds == {
        feed: FeedCount(
            sum(batch.rows for batch in BATCHES if batch.feed == feed),
            sum(len(batch.rejects) for batch in BATCHES if batch.feed == feed),
        )
        for feed in range(FEED_COUNT)
    }, f"killed at line {line}"
    events: dict[str, Any] = {"feeds": [], "gaps": []}
    log_run(out, entry, None, events, header=TRADES.header, feeds=feeds, end=2000)
    journal.unlink()
    report = verify(out)
    assert report.agrees, f"killed at line {line}: {report_text(report)}"
    assert not report.notes
