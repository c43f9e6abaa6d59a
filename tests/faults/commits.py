"""A writer that commits some batches, and faults at every system call of it: hundreds a second.

    python -m tests.faults.commits --seed 7 --chains 500

The faults of the campaign hit a whole run, which takes a second for each. Here it is the writer's
output alone, in a child that is a fork of this process: what :class:`fastingest.writer.output`
does is the only thing that happens, so that there are the same calls each time, and every point is
come to. Each child opens the output as a new writer does, commits what is not committed yet, and
has the plan of one fault. What then is left is opened as the next writer does it, and what is not
committed is committed again. Then each row is there once, in order, and so is each reject; and the
journal's account, were it the ledger's, agrees with the file.

The process must be under the shim; run as a program it starts itself anew so.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import random
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from fastingest.errors import OutputRefused, WriteFailed
from fastingest.model.batch import Batch, Layout, Reject, partition_of
from fastingest.model.chunks import segment_of
from fastingest.model.schema import TRADES
from fastingest.storage.journal import Journal
from fastingest.storage.offsets import FeedCount
from fastingest.storage.run_log import log_run
from fastingest.supervisor.account import new_stream
from fastingest.verify.report import report_text
from fastingest.verify.verify import verify
from fastingest.writer.output import Output
from tests.faults.fault import Fault
from tests.faults.forks import arm, not_counted
from tests.faults.shim import LEDGER_TORN, Call, library, memory, read_log

RUN = new_stream(1000, 0)
PARTITION_COUNT, FEED_COUNT = 2, 3
FEEDS = (0, 1, 2, 0, 2, 1, 0, 1)
"""Whose each batch is; feeds 0 and 2 are of partition 0."""
NAMES = [f"feed {feed}" for feed in range(FEED_COUNT)]
CHANGED = 3
"""The batch before which somebody changes the file."""
OTHERS_LINE = b"other,1.0,1\n"
TRIES = 100
_KILLS = re.compile("kill|after|tear")
REFUSED, BROKEN = 3, 4
"""Statuses of a child: it said why it cannot do it; or it did not."""


def _batch(number: int) -> Batch:
    feed = FEEDS[number - 1]
    partition = feed % PARTITION_COUNT
    before = [other % PARTITION_COUNT for other in FEEDS[: number - 1]]
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
        Layout(TRADES.names, TRADES.types, NAMES[feed]),
        [(rows, 7)] if number % 5 else [],
        rejects=rejects,
        stream=new_stream(RUN, partition),
        sequence=before.count(partition),
    )


BATCHES = [_batch(number) for number in range(1, len(FEEDS) + 1)]
# What polars makes of them, which a process that is forked so often had better not import.
TEXTS = [
    b"".join(b'"A,B",1.5,%d\n' % (100 * number + row) for row in range(batch.rows))
    for number, batch in enumerate(BATCHES, 1)
]
ALL = list(zip(BATCHES, TEXTS, strict=True))


# What others do to the file


def _rotate(out: Path) -> None:
    moved = out.with_name("moved.csv")
    if not moved.exists():
        out.rename(moved)


def _copy_and_truncate(out: Path) -> None:
    moved = out.with_name("moved.csv")
    if not moved.exists():
        moved.write_bytes(out.read_bytes())
        os.truncate(out, 0)


def _append(out: Path) -> None:
    if OTHERS_LINE not in out.read_bytes():
        with out.open("ab") as file:
            file.write(OTHERS_LINE)


@dataclass(frozen=True)
class Scene:
    """How the batches are committed.

    :param order: which partition is read first; without, they come as they were received.
    :param change: what somebody does to the file meanwhile.
    :param deadly: whether the writer may be killed. A file that was emptied while no writer was
        there cannot be told from one that has lost its rows with the power.
    """

    order: tuple[int, ...] = ()
    change: Callable[[Path], None] | None = None
    deadly: bool = True


SCENES = {
    "plain": Scene(),
    "the other partition first": Scene(order=(1, 0)),
    "moved": Scene(change=_rotate),
    "truncated": Scene(change=_copy_and_truncate, deadly=False),
    "appended to": Scene(change=_append),
}


# The writer


def _until_done(step: Callable[[], None]) -> None:
    """As :meth:`fastingest.writer.committer.Committer.attempt`, without waiting."""
    for _ in range(TRIES):
        try:
            return step()
        except (WriteFailed, OutputRefused) as error:
            failed = error
    raise failed


def write(out: Path, scene: Scene, order: Sequence[int]) -> None:
    """As a writer does it: what the one before had begun with, then what comes."""
    journal = Journal(out.with_name(out.name + ".journal"), NAMES)
    output = Output(out, TRADES.header, journal, min_free=0, report=lambda event: None)
    _until_done(lambda: output.begin(RUN))

    def left(partition: int) -> list[tuple[Batch, bytes]]:
        position = output.position(partition)
        return [
            each for each in ALL if _partition(each) == partition and each[0].position > position
        ]

    def commit(batch: Batch, text: bytes) -> None:
        _until_done(lambda: output.commit(batch, memoryview(text)))

    while output.has_tail:
        offered = [left(partition)[0] for partition in range(PARTITION_COUNT) if left(partition)]
        explained = [output.explained_by(batch, memoryview(text)) for batch, text in offered]
        if not any(explained):
            break
        commit(*offered[explained.index(max(explained))])
    for partition in (*order, *range(PARTITION_COUNT)):
        for batch, text in left(partition) if order else ALL:
            if batch.position > output.position(partition_of(batch.stream)):
                if scene.change is not None and batch is BATCHES[CHANGED - 1]:
                    with not_counted():
                        scene.change(out)
                commit(batch, text)
    output.close()


def _partition(each: tuple[Batch, bytes]) -> int:
    return partition_of(each[0].stream)


def _in_child(out: Path, scene: Scene, plan: str, *, trace: bool = False) -> tuple[int, list[Call]]:
    """Do it in a child with a plan; its exit status, and the calls that something was done to."""
    log = out.parent.parent / f"{out.parent.name}.log"
    log.write_bytes(b"")
    pid = os.fork()
    if pid == 0:
        arm([f"{out.parent}/"], plan, str(log), trace=trace)
        status = BROKEN
        try:
            write(out, scene, ())
            status = 0
        except (WriteFailed, OutputRefused):
            status = REFUSED
        except OSError as error:  # as in fastingest.writer.process
            status = REFUSED if error.filename is not None else BROKEN
            if status == BROKEN:
                traceback.print_exc()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    calls = read_log(log)
    log.unlink()
    return status, calls


# What is left


def _rows(out: Path) -> bytes:
    """All rows but another program's, in the order of the files."""
    moved = sorted(out.parent.glob("moved*"))
    data = b"".join(path.read_bytes().split(b"\n", 1)[1] for path in [*moved, out])
    if data.count(OTHERS_LINE) > 1:
        raise Fault("another program's line is there twice")
    return data.replace(OTHERS_LINE, b"")


def _check(out: Path, scene: Scene, *, is_torn: bool) -> None:
    if scene.change is _append and OTHERS_LINE not in out.read_bytes():
        raise Fault("another program's line is gone")
    data = _rows(out)
    if not scene.order:
        if data != b"".join(TEXTS):
            raise Fault(f"the rows are {data!r}")
    elif sorted(data.splitlines()) != sorted(b"".join(TEXTS).splitlines()):
        raise Fault(f"the rows are {data!r}")
    for partition in range(PARTITION_COUNT):
        places = [
            data.find(text) for each in ALL if _partition(each) == partition and (text := each[1])
        ]
        if -1 in places or places != sorted(places):
            raise Fault(f"partition {partition} is out of order: {data!r}")
    rejects = out.with_name(f"{out.name}.rejected.jsonl").read_bytes().splitlines()
    if len(rejects) != sum(len(batch.rejects) for batch in BATCHES):
        raise Fault(f"the rejects are {rejects}")
    _check_account(out, is_torn=is_torn)


def _check_account(out: Path, *, is_torn: bool) -> None:
    """The journal's, were it the ledger's.

    :param is_torn: whether half of a line of the ledger may have been written.
    """
    path = out.with_name(f"{out.name}.journal")
    journal = Journal(path)
    journal.close()
    entry = journal.entries[0]
    feeds = {
        each.feed: FeedCount(each.feed_written, each.feed_rejected)
        for each in reversed(journal.entries)
    }
    expected = {feed: _count(feed) for feed in NAMES}
    written = sum(count.written for count in expected.values())
    rejected = sum(count.rejected for count in expected.values())
    if feeds != expected or (entry.written, entry.rejected) != (written, rejected):
        raise Fault(f"the journal says {entry}, of the feeds {feeds}")
    events: dict[str, Any] = {"feeds": [], "gaps": []}
    log_run(out, entry, None, events, header=TRADES.header, feeds=feeds, end=2000)
    path.unlink()
    report = verify(out)
    expected_notes = ["another program's", *([LEDGER_TORN] if is_torn else [])]
    notes = [n for n in report.notes if not any(each in n for each in expected_notes)]
    if not report.agrees or notes:
        raise Fault(report_text(report))


def _count(feed: str) -> FeedCount:
    batches = [batch for batch in BATCHES if batch.feed == feed]
    return FeedCount(sum(b.rows for b in batches), sum(len(b.rejects) for b in batches))


# The points


def _singles(calls: Sequence[Call]) -> Iterator[tuple[str, ...]]:
    """Each call, with all that can be done to it."""
    for call in calls:
        yield from ((f"{action}@{call.number}",) for action in ("kill", "after"))
        yield from ((f"{error}@{call.number}",) for error in call.errors)
        if call.is_write:
            yield from ((f"{action}@{call.number}",) for action in ("tear", "short"))


def _chains(calls: Sequence[Call], choice: random.Random, count: int) -> list[tuple[str, ...]]:
    """Two that are killed, at all pairs of calls; or so many of these, and of longer ones."""
    numbers = [call.number for call in calls]
    pairs = [(f"kill@{one}", f"kill@{other}") for one, other in product(numbers, numbers)]
    longer = [
        tuple(
            f"{choice.choice(('kill', 'after', 'tear'))}@{choice.choice(numbers)}" for _ in range(4)
        )
        for _ in range(count // 4)
    ]
    return [*choice.sample(pairs, min(count - len(longer), len(pairs))), *longer]


def _windows(calls: Sequence[Call], choice: random.Random) -> Iterator[tuple[str, ...]]:
    """Failing calls in a row; in half of the cases it is killed when it tries again."""
    for call in calls:
        times = choice.randint(5, 40)
        fails = f"{choice.choice(call.errors)}@{call.number}+{times}"
        dies = f"kill@{call.number + choice.randint(1, times + 10)}"
        yield (fails,)
        yield (f"{fails},{dies}",)


def _try(folder: Path, scene: Scene, plans: Iterable[str]) -> None:
    """Let writers follow on one another; then look at what is left.

    :raises Fault: it is not what it should be.
    """
    out = folder / "out.csv"
    folder.mkdir()
    calls: list[Call] = []
    try:
        for plan in plans:
            status, done = _in_child(out, scene, plan)
            calls += done
            if status not in (0, -9, REFUSED):
                raise Fault(f"the writer ended with {status}")
        try:
            write(out, scene, scene.order)
        except (OSError, WriteFailed, OutputRefused) as error:
            raise Fault(f"the writer without a fault cannot go on: {error}") from None
        _check(out, scene, is_torn=any(call.action in ("tear", "short") for call in calls))
    except Fault as fault:
        raise Fault(f"{fault}\n  {[str(call) for call in calls]}") from None


def explore(scenes: Sequence[str], seed: str, chains: int) -> tuple[int, list[str]]:
    """All points, and so many chains of each scene; how many there were, and what was wrong."""
    tried, faults = 0, []
    with tempfile.TemporaryDirectory(prefix="fastingest-test-", dir=memory()) as name:
        for scene_name in scenes:
            scene, choice = SCENES[scene_name], random.Random(f"{seed} {scene_name}")
            first = Path(name) / f"{tried}"
            first.mkdir()
            status, calls = _in_child(first / "out.csv", scene, "", trace=True)
            if status:
                raise Fault(f"a writer without a fault ended with {status}")
            tried += 1
            todo = [*_singles(calls), *_windows(calls, choice), *_chains(calls, choice, chains)]
            if not scene.deadly:
                todo = [plans for plans in todo if not _KILLS.search(" ".join(plans))]
            for plans in todo:
                folder = Path(name) / f"{tried}"
                tried += 1
                try:
                    _try(folder, scene, plans)
                except Fault as fault:
                    again = "".join(f" --plan '{plan}'" for plan in plans)
                    faults.append(f"--scene '{scene_name}'{again}: {fault}")
                with contextlib.suppress(FileNotFoundError):
                    for path in folder.iterdir():
                        path.unlink()
                    folder.rmdir()
    return tried, faults


def main() -> int:
    """Do it, under the shim; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.commits")
    parser.add_argument("--seed", default=os.environ.get("FASTINGEST_SEED", "0"), help="any text")
    parser.add_argument("--scene", choices=SCENES, action="append", help="repeatable")
    parser.add_argument("--chains", type=int, default=10_000, help="of each scene, at most")
    parser.add_argument("--plan", action="append", help="one point; repeatable, for each writer")
    parser.add_argument("--with", action="append", default=[], dest="changes", help="a module")
    options = parser.parse_args()
    if str(library()) not in os.environ.get("LD_PRELOAD", ""):
        environment = os.environ | {"LD_PRELOAD": str(library())}
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.faults.commits", *sys.argv[1:]],
            environment,
        )
    for name in options.changes:
        importlib.import_module(name)
    scenes = options.scene or list(SCENES)
    if options.plan:
        with tempfile.TemporaryDirectory(prefix="fastingest-test-", dir=memory()) as name:
            for scene in scenes:
                _try(Path(name) / scene, SCENES[scene], options.plan)
        return 0
    tried, faults = explore(scenes, options.seed, options.chains)
    for fault in faults:
        print(fault)
    print(f"{tried} points, {len(faults)} faults, FASTINGEST_SEED={options.seed}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
