"""A writer of an output that is killed, follows on another one, and is changed by others.

It is killed in the middle of its work, line by line: :func:`killed_at` ends it where it is about to
run its n-th line, with nothing done that a killed process would not have done. What a write that
was cut short has left is made by cutting the files off.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import fastingest
from fastingest.model.batch import Batch, Position, Reject, partition_of
from fastingest.model.schema import TRADES
from fastingest.storage.journal import Entry, Journal, journal_path
from fastingest.storage.ledger import Region, read_entries
from fastingest.storage.names import beside
from fastingest.storage.reject_line import to_lines
from fastingest.storage.run_log import log_run
from fastingest.writer.output import Output
from tests.support.builders import LAYOUT, make_batch, make_entry
from tests.support.events import Told, told

HEADER = b"symbol,price,volume\n"


RUN = 1_700_000_000_000_000_000


SECOND = 1_000_000_000


NO_EVENTS: dict[str, Any] = {"feeds": [], "gaps": []}


def descriptors() -> set[int]:
    """Those that are open."""
    found = set()
    for descriptor in map(int, os.listdir("/dev/fd")):
        with contextlib.suppress(OSError):  # that of the directory
            os.fstat(descriptor)
            found.add(descriptor)
    return found


class Killed(BaseException):
    """The writer is dead."""


@contextmanager
def killed_at(line: int) -> Iterator[None]:
    """The process dies when it is about to run so many lines of the package."""
    left = line
    package = str(Path(fastingest.__file__).parent)

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(package):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise Killed
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def rows(first: int, count: int) -> bytes:
    """Rows that are told from each other; one of them has a line feed in a cell."""
    symbols = [f'"R\n{n}"' if n % 5 == 3 else f"R{n}" for n in range(first, first + count)]
    return "".join(f"{symbol},{n}.5,{n}\n" for n, symbol in enumerate(symbols, first)).encode()


def batch_of(
    sequence: int, count: int, rejects: int = 0, stream: int = RUN, feed: str = "feed"
) -> Batch:
    """A batch without its columns: the text is the test's."""
    time = stream + sequence * SECOND
    kept = [Reject(time + n, f"reason {stream}.{sequence}.{n}", b"{\n") for n in range(rejects)]
    return make_batch(
        count,
        rejects=kept,
        received=time + SECOND // 2,
        stream=stream,
        sequence=sequence,
        feed=feed,
    )


def begun(run: int, last: Entry) -> Entry:
    """The entry of a run that begins behind this one, in the same file."""
    return make_entry(
        run,
        stream=last.stream,
        sequence=last.sequence,
        inode=last.inode,
        size=last.size,
        rejects_size=last.rejects_size,
        start=last.size,
        feed=last.feed,
    )


class Writer:
    """What writes to an output, through several lives, and what it has written."""

    def __init__(self, path: Path, *, min_free: int = 0, syncs_each: bool = False) -> None:
        self.path = path
        self.min_free = min_free
        self.syncs_each = syncs_each
        self.reports: list[Told] = []
        self.run = RUN
        self.sequence = 0
        self.rows = 0
        self.rejects: list[Reject] = []
        self.is_open = False
        self.is_doubtful = False
        self.start()

    def start(self) -> None:
        self.close()
        self._descriptors = descriptors()
        self.is_open = True
        self.journal = Journal(journal_path(self.path), [LAYOUT.feed])
        self.journal.note({"spool": "/spool", "spill": "/spill"})
        self.output = Output(
            self.path,
            TRADES.header,
            self.journal,
            min_free=self.min_free,
            report=lambda event: self.reports.append(told(event)),
            is_doubtful=self.is_doubtful,
            syncs_each=self.syncs_each,
        )
        self.output.begin(self.run)

    def close(self) -> None:
        if self.is_open:
            self.output.close()
            self.is_open = False
            assert descriptors() <= self._descriptors

    def die(self) -> None:
        """The system closes what the process had open."""
        for descriptor in descriptors() - self._descriptors:
            os.close(descriptor)
        self.is_open = False

    def next(self, count: int, rejects: int = 0) -> tuple[Batch, memoryview]:
        """The batch that comes next, with its text."""
        batch = batch_of(self.sequence, count, rejects, self.run)
        return batch, memoryview(rows(self.rows, count))

    def commit(self, count: int, rejects: int = 0) -> None:
        """As the writer process does, whatever the one before it had got done."""
        batch, text = self.next(count, rejects)
        if batch.position > self.output.position(partition_of(batch.stream)):
            self.output.commit(batch, text)
        self.sequence += 1
        self.rows += count
        self.rejects += batch.rejects

    def commit_or_die(self, line: int, count: int, rejects: int = 0) -> bool:
        """Commit; whether it was done before the process died."""
        batch, text = self.next(count, rejects)
        if batch.position <= self.output.position(partition_of(batch.stream)):
            return True
        return self.does(lambda: self.output.commit(batch, text), line)

    def does(self, step: Callable[[], None], line: int) -> bool:
        """Do the step; whether it was done before the process died."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            try:
                with killed_at(line):
                    step()
            except Killed:
                pass
            else:
                return True
            gc.collect(1)  # Python objects first, or they would close what is opened later
        self.die()
        return False

    def restart(self) -> None:
        """The writer is killed between two batches."""
        self.start()

    def end_run(self, *, complete: bool = True) -> None:
        """As the supervisor does."""
        log_run(
            self.path,
            self.entry,
            None,
            NO_EVENTS,
            header=TRADES.header,
            feeds=self.output.feeds,
            end=self.run + SECOND,
        )
        self.close()
        if complete:
            journal_path(self.path).unlink()

    def next_run(self, *, complete: bool = True) -> None:
        self.end_run(complete=complete)
        self.run += 10 * SECOND
        self.sequence = 0
        self.start()

    @property
    def entry(self) -> Entry:
        return self.output.entry

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    @property
    def rejected(self) -> bytes:
        path = beside(self.path, ".rejected.jsonl")
        return path.read_bytes() if path.exists() else b""

    def append(self, data: bytes) -> None:
        """As another program does."""
        with self.path.open("ab") as file:
            file.write(data)

    def ended(self) -> list[tuple[int, str, Region]]:
        """The lines of regions that ended before their run."""
        entries = [entry for entry in read_entries(self.path) if "ended" in entry]
        return [(e["run"], e["ended"], Region.from_json(e["file"])) for e in entries]

    def check(self, before: bytes = HEADER) -> None:
        """The file is ``before`` and all rows; the rejects and the entry agree."""
        assert self.data == before + rows(0, self.rows)
        assert self.rejected == to_lines(self.rejects, LAYOUT.feed)
        self.check_entry()
        assert (self.entry.written, self.entry.rejected) == (self.rows, len(self.rejects))

    def check_entry(self) -> None:
        entry, status = self.entry, self.path.stat()
        region = self.data[entry.start : entry.size]
        assert (entry.inode, entry.size) == (status.st_ino, status.st_size)
        assert entry.rejects_size == len(self.rejected)
        assert entry.crc32 == zlib.crc32(region)
        assert entry.rows == region.count(b"R") - region.count(b"FOREIGN")
        assert entry.position == Position(self.run, self.sequence - 1)


def leave(writer: Writer, batch: Batch, text: memoryview, cut: int, rejected: int) -> None:
    """Append the beginning of a batch, as one that died before its entry has left it."""
    writer.close()
    writer.append(bytes(text[:cut]))
    kept = to_lines(batch.rejects, LAYOUT.feed)[:rejected]
    if kept:
        with beside(writer.path, ".rejected.jsonl").open("ab") as file:
            file.write(kept)


def lines_of(make: Callable[[Path], Writer], change: Callable[[Writer], None], path: Path) -> int:
    """How many lines the commit after ``change`` takes."""
    for line in range(0, 100_000, 20):
        writer = make(path / f"count{line}.csv")
        change(writer)
        if writer.commit_or_die(line, 3, 2):
            writer.close()
            return line
    raise AssertionError("it never ends")


def move(writer: Writer) -> None:
    writer.path.rename(writer.path.with_suffix(".moved"))


def replace_with_torn(writer: Writer) -> None:
    move(writer)
    writer.path.write_bytes(HEADER + b"FOREIGN,1,1\ntorn,")


def copy_and_empty(writer: Writer) -> None:
    shutil.copyfile(writer.path, writer.path.with_suffix(".moved"))
    os.truncate(writer.path, 0)


def append_row(writer: Writer) -> None:
    writer.append(b"FOREIGN,1,1\n")


def append_torn(writer: Writer) -> None:
    writer.append(b"FOREIGN,1,1\ntorn,")


CHANGES: list[tuple[Callable[[Writer], None], str, bytes]] = [
    (move, "moved", HEADER),
    (replace_with_torn, "moved", HEADER + b"FOREIGN,1,1\n"),
    (copy_and_empty, "truncated", HEADER),
    (append_row, "appended", HEADER + rows(0, 2) + b"FOREIGN,1,1\n"),
    (append_torn, "appended", HEADER + rows(0, 2) + b"FOREIGN,1,1\n"),
]


def name_of(value: object) -> str:
    return getattr(value, "__name__", "")


def without_journal(writer: Writer) -> Callable[[], None]:
    """Close the journal's descriptor under it; what brings it back."""
    descriptor = writer.journal._file
    kept = os.dup(descriptor)
    reader = os.open("/dev/null", os.O_RDONLY)
    os.dup2(reader, descriptor)
    os.close(reader)

    def bring_back() -> None:
        os.dup2(kept, descriptor)
        os.close(kept)

    return bring_back
