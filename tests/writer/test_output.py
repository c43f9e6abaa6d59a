"""An output that is killed, changed by others, and kept from writing: each row is in it once.

A writer is killed in the middle of its work, line by line: :func:`killed_at` ends it where it is
about to run its n-th line, with nothing done that a killed process would not have done. What a
write that was cut short has left is made by cutting the files off, at every byte.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shutil
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fastingest import HeaderMismatch, OutputRefused, WriteFailed
from fastingest.model.batch import Batch, Layout, Position, Reject, lane_of
from fastingest.model.schema import TRADES
from fastingest.storage import torn_tail
from fastingest.storage.journal import Entry, Journal, journal_path
from fastingest.storage.ledger import Region, ledger_path, read_entries
from fastingest.storage.names import beside
from fastingest.storage.rejects import to_lines
from fastingest.storage.run_log import log_run
from fastingest.verify.verify import verify
from fastingest.writer import output as module
from fastingest.writer.output import Output
from tests.support.limits import largest_file

HEADER = b"symbol,price,volume\n"
RUN = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
NO_EVENTS: dict[str, Any] = {"feeds": [], "gaps": []}
LAYOUT = Layout(TRADES.names, TRADES.types, "feed")


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
    package = str(Path(module.__file__).parent.parent)

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
    sequence: int, count: int, rejects: int = 0, stream: int = RUN, feed: int = 0
) -> Batch:
    """A batch without its columns: the text is the test's."""
    time = stream + sequence * SECOND
    kept = [Reject(time + n, f"reason {stream}.{sequence}.{n}", b"{\n") for n in range(rejects)]
    stamps = [(count, time + SECOND // 2)] if count else []
    return Batch(
        count, [], LAYOUT, stamps, rejects=kept, stream=stream, sequence=sequence, feed=feed
    )


class Writer:
    """What writes to an output, through several lives, and what it has written."""

    def __init__(self, path: Path, *, min_free: int = 0) -> None:
        self.path = path
        self.min_free = min_free
        self.reports: list[tuple[str, str, dict[str, Any]]] = []
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
        self.journal = Journal(journal_path(self.path))
        self.journal.note({"spool": "/spool", "spill": "/spill"})
        self.output = Output(
            self.path,
            TRADES.header,
            self.journal,
            min_free=self.min_free,
            report=self._report,
            is_doubtful=self.is_doubtful,
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

    def _report(self, level: str, event: str, **facts: Any) -> None:
        self.reports.append((level, event, facts))

    def next(self, count: int, rejects: int = 0) -> tuple[Batch, memoryview]:
        """The batch that comes next, with its text."""
        batch = batch_of(self.sequence, count, rejects, self.run)
        return batch, memoryview(rows(self.rows, count))

    def commit(self, count: int, rejects: int = 0) -> None:
        """As the writer process does, whatever the one before it had got done."""
        batch, text = self.next(count, rejects)
        if batch.position > self.output.position(lane_of(batch.stream)):
            self.output.commit(batch, text)
        self.sequence += 1
        self.rows += count
        self.rejects += batch.rejects

    def commit_or_die(self, line: int, count: int, rejects: int = 0) -> bool:
        """Commit; whether it was done before the process died."""
        batch, text = self.next(count, rejects)
        if batch.position <= self.output.position(lane_of(batch.stream)):
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


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "o.csv")
    yield writer
    writer.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a torn line of another program; where it matters it is set anew."""
    monkeypatch.setattr(torn_tail, "PATIENCE", 0)


# Committing


def test_a_batch_is_in_file_rejects_and_journal(writer: Writer) -> None:
    shapes = [(2, 0), (0, 3), (1, 2), (0, 0), (5, 1)]
    for count, rejects in shapes:
        writer.commit(count, rejects)
        if count or rejects:
            writer.check()
        newest = Journal(journal_path(writer.path))
        assert newest.entries[0] == writer.entry
        newest.close()
    assert (writer.entry.start, writer.output.entry.size) == (20, writer.path.stat().st_size)
    assert writer.entry.first_received == RUN + SECOND // 2
    assert writer.entry.last_received == RUN + 4 * SECOND + SECOND // 2
    assert (writer.reports, writer.ended()) == ([], [])
    writer.output.sync()


def test_the_first_received_may_be_a_reject(writer: Writer) -> None:
    writer.commit(0, 2)
    assert (writer.entry.first_received, writer.entry.last_received) == (RUN, RUN + 1)
    writer.commit(1, 0)
    assert writer.entry.first_received == RUN
    assert writer.entry.last_received == RUN + SECOND + SECOND // 2


def test_without_a_journal_rows_are_written_and_nothing_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_bytes(HEADER + b"old,1,2\ntorn,")
    reports: list[str] = []
    output = Output(
        path, TRADES.header, None, min_free=0, report=lambda _, event, **__: reports.append(event)
    )
    output.begin(RUN)
    output.commit(batch_of(0, 2, 1), memoryview(rows(0, 2)))
    output.sync()
    with path.open("ab") as file:
        file.write(b"FOREIGN,1,1\n")
    output.commit(batch_of(1, 1), memoryview(rows(2, 1)))
    path.rename(tmp_path / "moved.csv")
    output.commit(batch_of(2, 1), memoryview(rows(3, 1)))
    output.close()
    old = HEADER + b"old,1,2\n" + rows(0, 2) + b"FOREIGN,1,1\n" + rows(2, 1)
    assert (tmp_path / "moved.csv").read_bytes() == old
    assert path.read_bytes() == HEADER + rows(3, 1)
    assert (output.entry.written, output.entry.rejected) == (4, 1)
    assert reports[0] == "cut off a torn last line"
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "moved.csv",
        "o.csv",
        "o.csv.rejected.jsonl",
    ]


@pytest.mark.parametrize("torn", [b"", b"x", b"old,1", b'"line\nfeed'])
def test_a_file_from_before_is_taken_as_it_is_but_for_a_torn_row(
    torn: bytes, tmp_path: Path
) -> None:
    (tmp_path / "o.csv").write_bytes(HEADER + b"old,1,2\n" + torn)
    writer = Writer(tmp_path / "o.csv")
    writer.commit(2)
    assert writer.data == HEADER + b"old,1,2\n" + rows(0, 2)
    assert [json.loads(line)["text"] for line in writer.rejected.splitlines()] == (
        [torn.decode()] if torn else []
    )
    writer.check_entry()
    assert (writer.entry.start, writer.entry.rows, writer.entry.written) == (28, 2, 2)
    writer.end_run()
    assert verify(writer.path).problems == []


# A writer that is killed


def leave(writer: Writer, batch: Batch, text: memoryview, cut: int, rejected: int) -> None:
    """Append the beginning of a batch, as one that died before its entry has left it."""
    writer.close()
    writer.append(bytes(text[:cut]))
    kept = to_lines(batch.rejects, LAYOUT.feed)[:rejected]
    if kept:
        with beside(writer.path, ".rejected.jsonl").open("ab") as file:
            file.write(kept)


@pytest.mark.parametrize("before", [[], [(2, 2)], [(1, 0), (0, 1)]])
@pytest.mark.parametrize("then", [(3, 0), (4, 2)])
def test_rows_cut_off_at_every_byte_are_there_once(
    before: list[tuple[int, int]], then: tuple[int, int], tmp_path: Path
) -> None:
    size = len(rows(sum(count for count, _ in before), then[0]))
    for cut in range(size + 1):
        writer = Writer(tmp_path / f"{cut}.csv")
        for count, rejects in before:
            writer.commit(count, rejects)
        leave(writer, *writer.next(*then), cut, 0)
        writer.start()
        writer.commit(*then)
        writer.check()
        writer.commit(2, 1)
        writer.check()
        assert (writer.reports, writer.ended()) == ([], [])
        writer.end_run()
        report = verify(writer.path)
        assert (report.rows, report.problems, report.notes) == (writer.rows, [], [])


@pytest.mark.parametrize("count", [0, 2])
def test_rejects_cut_off_at_every_byte_are_there_once(count: int, tmp_path: Path) -> None:
    size = len(to_lines(batch_of(1, count, 2).rejects, LAYOUT.feed))
    for cut in range(size + 1):
        writer = Writer(tmp_path / f"{cut}.csv")
        writer.commit(1, 1)
        batch, text = writer.next(count, 2)
        leave(writer, batch, text, len(text), cut)
        writer.start()
        writer.commit(count, 2)
        writer.check()
        writer.commit(1, 1)
        writer.check()
        writer.close()


def lines_of(make: Callable[[Path], Writer], change: Callable[[Writer], None], path: Path) -> int:
    """How many lines the commit after ``change`` takes."""
    for line in range(0, 100_000, 20):
        writer = make(path / f"count{line}.csv")
        change(writer)
        if writer.commit_or_die(line, 3, 2):
            writer.close()
            return line
    raise AssertionError("it never ends")


def test_a_writer_killed_at_any_line_leaves_no_row_out_and_none_twice(tmp_path: Path) -> None:
    def make(path: Path) -> Writer:
        writer = Writer(path)
        writer.commit(2, 1)
        return writer

    for line in range(lines_of(make, lambda _: None, tmp_path)):
        writer = make(tmp_path / f"{line}.csv")
        if writer.commit_or_die(line, 3, 2):
            break
        writer.start()
        writer.commit(3, 2)
        writer.check()
        writer.commit(1, 1)
        writer.check()
        assert writer.ended() == []
        writer.end_run()
        assert verify(writer.path).problems == []


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


@pytest.mark.parametrize(("change", "how", "before"), CHANGES, ids=name_of)
def test_a_writer_killed_at_any_line_while_others_change_the_file(
    change: Callable[[Writer], None], how: str, before: bytes, tmp_path: Path
) -> None:
    """The rows of each batch are in one of the files, whole and once."""

    def make(path: Path) -> Writer:
        writer = Writer(path)
        writer.commit(2, 1)
        return writer

    for line in range(lines_of(make, change, tmp_path)):
        writer = make(tmp_path / f"{line}.csv")
        change(writer)
        if writer.commit_or_die(line, 3, 2):
            break
        writer.start()
        writer.commit(3, 2)
        writer.commit(1, 1)
        assert writer.data == before + rows(2, 4), line
        writer.check_entry()
        assert (writer.entry.start, writer.entry.rows) == (len(before), 4)
        moved = writer.path.with_suffix(".moved")
        assert moved.exists() is (how != "appended")
        if moved.exists():
            assert moved.read_bytes() == HEADER + rows(0, 2)
        ended = {(h, region.start, region.rows) for _, h, region in writer.ended()}
        assert (how, 20, 2) in ended or (how == "appended" and not ended)
        # Every reject once, and the torn piece at least once.
        kept = [each["text"] for each in map(json.loads, writer.rejected.splitlines())]
        assert kept.count("{\n") == 4, line
        assert set(kept) == {"{\n", *(["torn,"] if "torn" in change.__name__ else [])}
        writer.end_run()
        assert verify(writer.path).problems == [], line


def test_a_writer_killed_at_any_line_of_its_start(tmp_path: Path) -> None:
    """With the rest of a batch in the file, and in the second life of it another run."""
    for line in range(10_000):
        writer = Writer(tmp_path / f"{line}.csv")
        writer.commit(2, 1)
        batch, text = writer.next(3, 2)
        leave(writer, batch, text, len(text) - 3, 10)
        is_done = writer.does(writer.start, line)
        if not is_done:
            writer.start()
        writer.commit(3, 2)
        writer.check()
        writer.end_run()
        assert verify(writer.path).problems == []
        if is_done:
            break
    assert line > 20


# After a power cut: the journal or the file is older than the other


def test_several_batches_that_the_journal_does_not_know_are_there_once(tmp_path: Path) -> None:
    shapes = [(2, 1), (1, 0), (0, 2), (3, 1)]
    size = len(rows(2, 4))
    for cut in range(size + 1):
        writer = Writer(tmp_path / f"{cut}.csv")
        writer.commit(*shapes[0])
        journal = journal_path(writer.path).read_bytes()
        start = writer.entry.size
        for shape in shapes[1:]:
            writer.commit(*shape)
        writer.close()
        journal_path(writer.path).write_bytes(journal)
        os.truncate(writer.path, start + cut)
        writer.sequence, writer.rows, writer.rejects = 1, 2, writer.rejects[:1]
        writer.start()
        for shape in shapes[1:]:
            writer.commit(*shape)
        writer.check()
        assert (writer.ended(), writer.reports) == ([], [])
        writer.close()


@pytest.mark.parametrize("damaged", range(1, 4))
def test_a_journal_whose_newest_entries_are_damaged(damaged: int, writer: Writer) -> None:
    for _ in range(5):
        writer.commit(2, 1)
    writer.close()
    data = bytearray(journal_path(writer.path).read_bytes())
    newest = len(Journal(journal_path(writer.path)).entries) - 1
    for number in range(newest - damaged + 1, newest + 1):
        data[4096 + number * 160 + 20] ^= 1
    journal_path(writer.path).write_bytes(data)
    writer.start()
    assert writer.entry.position == Position(RUN, 4 - damaged)
    writer.sequence -= damaged
    writer.rows -= 2 * damaged
    del writer.rejects[-damaged:]
    for _ in range(damaged + 1):
        writer.commit(2, 1)
    writer.check()


@pytest.mark.parametrize("torn", [b"", b"torn,", b'"a\nb'])
def test_rows_that_no_entry_knows_stay_and_a_torn_piece_is_kept(
    torn: bytes, writer: Writer
) -> None:
    """Nothing is pending: another run begins."""
    writer.commit(2)
    known = writer.entry
    writer.close()
    writer.append(rows(2, 3) + torn)
    writer.run += SECOND
    writer.sequence = 0
    writer.start()
    assert writer.data == HEADER + rows(0, 5)
    assert writer.entry.start == writer.entry.size == len(writer.data)
    assert writer.entry.position == known.position
    kept = [json.loads(line) for line in writer.rejected.splitlines()]
    assert [(each["reason"], each["text"]) for each in kept] == (
        [("torn last line of the file", torn.decode())] if torn else []
    )
    behind = ("warning", "rows behind the last commit are kept", {"bytes": len(rows(2, 3))})
    assert behind in writer.reports
    writer.rows = 5
    writer.commit(1)
    assert writer.data == HEADER + rows(0, 6)
    assert (writer.entry.written, writer.entry.rows) == (1, 1)


def test_a_file_shorter_than_its_journal_goes_on_behind_the_last_whole_batch(
    tmp_path: Path,
) -> None:
    """Cut at every byte; what is behind the last whole batch comes again from the spill."""
    shapes = [(1, 1), (2, 0), (0, 1), (3, 2)]
    sizes = [20]
    for number, (count, _) in enumerate(shapes):
        first = sum(each for each, _ in shapes[:number])
        sizes.append(sizes[-1] + len(rows(first, count)))
    for cut in range(20, sizes[-1]):
        writer = Writer(tmp_path / f"{cut}.csv")
        for shape in shapes:
            writer.commit(*shape)
        rejects = list(writer.rejects)
        writer.close()
        os.truncate(writer.path, cut)
        writer.start()
        # The newest entry that the file can hold: a batch of rejects alone needs no room.
        held = max(n for n, size in enumerate(sizes) if size <= cut)
        assert writer.entry.sequence == held - 1, cut
        facts = {
            "bytes_missing": sizes[-1] - cut,
            "rows_missing": sum(count for count, _ in shapes[held:]),
        }
        assert writer.reports == [("error", "the file is shorter than recorded", facts)]
        writer.sequence = held
        writer.rows = sum(count for count, _ in shapes[:held])
        writer.rejects = rejects[: sum(each for _, each in shapes[:held])]
        assert writer.entry.written == writer.rows
        for shape in shapes[held:]:
            writer.commit(*shape)
        writer.check()
        writer.end_run()
        assert verify(writer.path).problems == []


def test_a_file_shorter_than_its_journal_whose_batches_are_gone(tmp_path: Path) -> None:
    """Whole rows stay, the piece of one is kept in the rejects, and other batches follow."""
    for cut in range(len(rows(1, 3))):
        writer = Writer(tmp_path / f"{cut}.csv")
        writer.commit(1)
        writer.commit(3)
        writer.close()
        left = HEADER + rows(0, 1) + rows(1, 3)[:cut]
        writer.path.write_bytes(left)
        writer.start()
        writer.rows, writer.sequence = 103, 7
        writer.commit(2)
        whole = max(size for n in range(4) if (size := len(HEADER + rows(0, 1 + n))) <= len(left))
        if cut == len(rows(1, 2)) + 3:  # the piece `"R\n` ends with a line feed, and is not one row
            whole = len(left)
        assert writer.data == left[:whole] + rows(103, 2), cut
        torn = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
        assert torn == ([left[whole:].decode()] if left[whole:] else [])
        writer.check_entry()
        writer.close()


def test_a_file_cut_back_into_an_earlier_run(writer: Writer) -> None:
    writer.commit(2, 1)
    held = writer.entry
    writer.commit(3)
    writer.next_run(complete=False)
    writer.commit(1, 1)
    writer.close()
    os.truncate(writer.path, held.size + 4)
    writer.start()
    assert writer.entry == replace(
        held,
        run=writer.run,
        start=held.size,
        rows=0,
        crc32=0,
        written=0,
        rejected=0,
        first_received=0,
        last_received=0,
        feed_written=0,
        feed_rejected=0,
    )
    again = batch_of(1, 3)
    writer.output.commit(again, memoryview(rows(2, 3)))
    writer.output.commit(batch_of(0, 1, 1, writer.run), memoryview(rows(5, 1)))
    assert writer.data == HEADER + rows(0, 6)
    assert writer.rejected == to_lines(writer.rejects, LAYOUT.feed)
    assert (writer.entry.written, writer.entry.rejected) == (4, 1)
    writer.check_entry()


def test_a_file_shorter_than_all_that_the_journal_remembers(writer: Writer) -> None:
    for _ in range(100):
        writer.commit(1)
    size = len(HEADER + rows(0, 10))
    writer.close()
    os.truncate(writer.path, size + 2)
    writer.start()
    assert writer.data == HEADER + rows(0, 10)
    assert (writer.entry.start, writer.entry.size, writer.entry.rows) == (20, size, 10)
    assert writer.entry.written == 10
    assert writer.entry.sequence == 36  # the oldest of its 64 entries; what follows may come again
    facts = {"bytes_missing": len(HEADER + rows(0, 100)) - size - 2, "rows_missing": 90}
    assert ("error", "the file is shorter than recorded", facts) in writer.reports
    writer.rows, writer.sequence = 10, 37
    writer.commit(4)
    assert writer.data == HEADER + rows(0, 14)
    writer.check_entry()


@pytest.mark.parametrize("behind", [b"", bytes(7), b"R9,"], ids=["", "zeroes", "a piece"])
def test_zeroes_in_place_of_rows_are_no_rows(tmp_path: Path, behind: bytes) -> None:
    """What a power cut can leave: the file is as long as recorded, and not what was written."""
    shapes = [(1, 0), (2, 1), (3, 0)]
    ends = [len(HEADER + rows(0, count)) for count in (0, 1, 3, 6)]
    for begin in range(ends[0], ends[-1]):
        writer = Writer(tmp_path / f"{begin}.csv")
        for shape in shapes:
            writer.commit(*shape)
        writer.close()
        left = HEADER + rows(0, 6)[: begin - ends[0]] + bytes(ends[-1] - begin) + behind
        writer.path.write_bytes(left)
        writer.is_doubtful = True
        writer.start()
        held = sum(end <= begin for end in ends[1:])
        kept = [1, 3, 6][held - 1] if held else 0
        facts = {
            "bytes_missing": ends[-1] - ends[held],
            "rows_missing": 6 - kept,
        }
        assert ("error", "the file is shorter than recorded", facts) in writer.reports
        writer.rows, writer.sequence = kept, held
        for shape in shapes[held:]:
            writer.commit(*shape)
        assert writer.data == HEADER + rows(0, 6), begin
        last = [json.loads(line) for line in writer.rejected.splitlines()]
        damaged = [each["text"] for each in last if each["reason"] == module.DAMAGED]
        assert "".join(damaged).encode() == left[ends[held] :], begin
        writer.commit(0, 1)  # which is not looked for among them any more
        writer.check_entry()
        assert len(writer.rejected.splitlines()) == 2 + len(damaged)
        writer.close()


def test_damage_before_all_that_the_journal_remembers_throws_nothing_away(writer: Writer) -> None:
    for _ in range(100):
        writer.commit(1)
    writer.close()
    left = bytearray(writer.path.read_bytes())
    left[30:40] = bytes(10)
    left[-3:] = bytes(3)
    writer.path.write_bytes(left)
    writer.is_doubtful = True
    for count in (1, 2):  # it is said as long as the journal knows of nothing that is sound
        writer.start()
        what = "the file is not as it was written, which rows are damaged is not known"
        assert [event for _, event, _ in writer.reports].count(what) == count
    writer.commit(2)
    torn = json.loads(writer.rejected)["text"].encode()
    assert torn == b"R99,99.5," + bytes(3)
    assert writer.data == left.removesuffix(torn) + rows(100, 2)
    writer.check_entry()


def test_a_region_that_has_just_begun_does_not_vouch_for_the_one_before(writer: Writer) -> None:
    writer.commit(2)
    writer.commit(3)
    sound = len(HEADER + rows(0, 2))
    append_row(writer)
    change = writer.output._file.changed()
    assert change is not None
    writer.output._adapt(change)  # and then the power goes
    writer.close()
    left = bytearray(writer.path.read_bytes())
    left[sound + 3 : sound + 6] = bytes(3)
    writer.path.write_bytes(left)
    writer.is_doubtful = True
    writer.start()
    assert writer.data == HEADER + rows(0, 2)
    texts = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
    assert "".join(texts).encode() == left[sound:]
    assert writer.entry.written == 2


def test_a_file_that_is_as_it_was_written_is_believed(writer: Writer) -> None:
    for shape in [(1, 0), (2, 1), (0, 2), (3, 0)]:
        writer.commit(*shape)
    writer.is_doubtful = True
    writer.restart()
    writer.commit(2)
    assert writer.reports == []
    writer.check()


def test_what_is_damaged_goes_to_the_rejects_in_pieces(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DAMAGED", 40)
    writer.commit(1)
    writer.commit(50)
    writer.close()
    left = bytearray(writer.path.read_bytes())
    left[-5:] = bytes(5)
    writer.path.write_bytes(left)
    writer.is_doubtful = True
    writer.start()
    texts = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
    assert "".join(texts).encode() == left[len(HEADER + rows(0, 1)) :]
    assert max(map(len, texts)) <= 40
    assert writer.data == HEADER + rows(0, 1)


def test_an_end_that_a_run_s_line_contradicts_is_told_again(writer: Writer) -> None:
    """The file is moved, and no other one can be made; so the run ends, and believes in the old."""
    writer.commit(2)
    entry = writer.entry  # the journal's newest; the supervisor makes the run's line of it
    region = entry.region
    move(writer)
    writer.path.mkdir()
    with pytest.raises(OutputRefused):
        writer.commit(1)
    feeds = writer.output.feeds
    log_run(
        writer.path, entry, None, NO_EVENTS, header=TRADES.header, feeds=feeds, end=RUN + SECOND
    )
    writer.close()
    writer.path.rmdir()
    for _ in range(2):  # the second start finds it told
        writer.start()
        assert [(how, each) for _, how, each in writer.ended()] == [("moved", region)] * 2
    writer.commit(1)
    writer.end_run()
    assert verify(writer.path).problems == []


# Others that change the file while it is written


@pytest.mark.parametrize(("change", "how", "before"), CHANGES, ids=name_of)
def test_changes_by_others_lose_no_row(
    change: Callable[[Writer], None], how: str, before: bytes, writer: Writer
) -> None:
    writer.commit(2, 1)
    region, inode = writer.entry.region, writer.entry.inode
    change(writer)
    writer.commit(3, 1)
    writer.commit(1)
    assert writer.data == before + rows(2, 4)
    assert writer.ended() == [(RUN, how, region)]
    writer.check_entry()
    assert (writer.entry.start, writer.entry.rows, writer.entry.written) == (len(before), 4, 6)
    assert (writer.entry.inode != inode) is (how == "moved")
    torn = [entry["text"] for entry in map(json.loads, writer.rejected.splitlines())]
    assert torn.count("torn,") == ("torn" in change.__name__)
    writer.restart()
    writer.commit(1)
    assert writer.data == before + rows(2, 5)
    assert len(writer.ended()) == 1
    writer.end_run()
    assert verify(writer.path).problems == []


def test_a_deleted_file_is_made_again(writer: Writer) -> None:
    writer.commit(2)
    region = writer.entry.region
    writer.path.unlink()
    writer.commit(3)
    assert writer.data == HEADER + rows(2, 3)
    assert writer.ended() == [(RUN, "deleted", region)]
    writer.check_entry()
    writer.end_run()
    assert verify(writer.path).problems == []


def test_every_change_in_one_run(writer: Writer) -> None:
    for number, (change, _, _) in enumerate(CHANGES * 2):
        writer.commit(1, number % 2)
        if writer.path.with_suffix(".moved").exists():
            writer.path.with_suffix(".moved").unlink()
        change(writer)
    writer.commit(1)
    writer.check_entry()
    assert [how for _, how, _ in writer.ended()] == [how for _, how, _ in CHANGES * 2]
    assert writer.entry.written == 11
    writer.end_run()
    report = verify(writer.path)
    assert (report.problems, len(report.regions)) == ([], 3)


def test_a_line_that_another_program_ends_in_time_stays_whole(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torn_tail, "PATIENCE", 60)
    monkeypatch.setattr(torn_tail, "LIMIT", 60)
    writer.commit(1)
    writer.append(b"FOREIGN,")
    timer = threading.Timer(0.1, writer.append, (b"1,1\n",))
    timer.start()
    writer.commit(1)
    timer.join()
    assert writer.data == HEADER + rows(0, 1) + b"FOREIGN,1,1\n" + rows(1, 1)
    assert writer.rejected == b""


def test_a_change_before_the_first_row_ends_an_empty_region(writer: Writer) -> None:
    writer.append(b"FOREIGN,1,1\n")
    writer.commit(1)
    assert writer.ended() == []
    move(writer)
    writer.commit(1)
    assert [(how, region.rows) for _, how, region in writer.ended()] == [("moved", 1)]
    writer.path.unlink()
    writer.commit(0, 1)  # no row, so that nobody needs the file
    assert not writer.path.exists()
    writer.commit(1)
    assert writer.data == HEADER + rows(2, 1)


@pytest.mark.parametrize("is_moved", [True, False])
def test_another_file_under_the_name_while_no_writer_lives(is_moved: bool, writer: Writer) -> None:
    writer.commit(2, 1)
    region = writer.entry.region
    move(writer)
    writer.close()
    if is_moved:
        writer.path.write_bytes(HEADER + b"FOREIGN,1,1\ntorn")
    for _ in range(2):  # the second start knows the file
        writer.start()
        writer.close()
    writer.start()
    assert writer.ended() == [(RUN, "moved", region)]
    before = HEADER + (b"FOREIGN,1,1\n" if is_moved else b"")
    leave(writer, *writer.next(3), 10, 0)
    writer.start()
    writer.commit(3)
    assert writer.data == before + rows(2, 3)
    writer.check_entry()
    assert (writer.entry.written, writer.entry.rows) == (5, 3)
    writer.end_run()
    assert verify(writer.path).problems == []


def test_a_file_emptied_while_no_writer_lives(writer: Writer) -> None:
    writer.commit(1)
    writer.next_run()
    writer.commit(2)
    region = writer.entry.region
    writer.close()
    copy_and_empty(writer)
    writer.start()
    writer.commit(3)
    assert writer.data == HEADER + rows(3, 3)
    assert writer.ended() == [(writer.run, "truncated", region)]
    writer.check_entry()
    writer.end_run()
    assert verify(writer.path).problems == []


def test_a_file_that_must_not_be_appended_to_is_refused_and_waited_for(
    writer: Writer,
) -> None:
    writer.commit(1)
    move(writer)
    writer.path.write_bytes(b"other,columns\n1,2\n")
    batch, text = writer.next(2)
    for _ in range(3):
        with pytest.raises(HeaderMismatch):
            writer.output.commit(batch, text)
    writer.path.unlink()
    writer.path.mkdir()
    with pytest.raises(OutputRefused, match="is a directory"):
        writer.output.commit(batch, text)
    writer.path.rmdir()
    writer.commit(2)
    assert writer.data == HEADER + rows(1, 2)
    assert [how for _, how, _ in writer.ended()] == ["moved"]
    writer.check_entry()


def test_a_moved_file_may_come_back(writer: Writer) -> None:
    writer.commit(1)
    move(writer)
    writer.path.with_suffix(".moved").rename(writer.path)
    writer.commit(1)
    writer.check()
    assert writer.ended() == []


# Steps that fail


def test_what_must_stay_free_stays_free(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "o.csv", min_free=2**60)
    batch, text = writer.next(2, 1)
    for _ in range(2):
        with pytest.raises(
            WriteFailed, match="are free on its disk; appending stops at "
        ) as failed:
            writer.output.commit(batch, text)
        assert failed.value.path == writer.path
    assert (writer.data, writer.rejected) == (HEADER, b"")
    leave(writer, batch, text, len(text), 0)
    writer.start()
    writer.commit(2, 1)  # it needs no more room
    writer.check()
    writer.close()
    writer.min_free = 0
    writer.start()
    writer.commit(2, 1)
    writer.check()
    writer.close()


@pytest.mark.parametrize("room", [0, 1, 9, 10, 22])
def test_a_file_size_limit_leaves_whole_rows_and_may_be_lifted(room: int, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "o.csv")
    for _ in range(4):
        writer.commit(200)  # so that the file is larger than the journal
    before = writer.data
    batch, text = writer.next(3, 1)
    with largest_file(len(before) + room):
        for _ in range(3):
            with pytest.raises(WriteFailed, match="cannot be appended to: File too large"):
                writer.output.commit(batch, text)
            assert writer.data == before
    writer.commit(3, 1)
    writer.check()
    writer.end_run()
    assert verify(writer.path).problems == []


def test_rejects_that_cannot_be_written(writer: Writer) -> None:
    batch, text = writer.next(2, 2)
    path = beside(writer.path, ".rejected.jsonl")
    path.mkdir()
    for _ in range(3):
        with pytest.raises(WriteFailed) as failed:
            writer.output.commit(batch, text)
        assert failed.value.path == path
    path.rmdir()
    writer.commit(2, 2)
    writer.check()
    writer.commit(1, 1)
    writer.check()


def _without_journal(writer: Writer) -> Callable[[], None]:
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


@pytest.mark.parametrize("change", [None, *(change for change, _, _ in CHANGES)], ids=name_of)
def test_a_journal_that_cannot_be_written(
    change: Callable[[Writer], None] | None, writer: Writer
) -> None:
    """Whether others have changed the file or not, whatever was done is not done again."""
    writer.commit(2, 1)
    if change:
        change(writer)
    batch, text = writer.next(3, 2)
    bring_back = _without_journal(writer)
    for _ in range(3):
        with pytest.raises(WriteFailed) as failed:
            writer.output.commit(batch, text)
        assert failed.value.path == journal_path(writer.path)
    bring_back()
    writer.commit(3, 2)
    writer.commit(1)
    before = {each.__name__: data for each, _, data in CHANGES}
    expected = before[change.__name__] + rows(2, 4) if change else HEADER + rows(0, 6)
    assert writer.data == expected
    writer.check_entry()
    texts = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
    assert texts.count("{\n") == 3
    assert len(writer.ended()) == (change is not None)
    writer.restart()
    writer.commit(1)
    assert writer.data == expected + rows(6, 1)
    writer.end_run()
    assert verify(writer.path).problems == []


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize(("change", "how", "before"), CHANGES, ids=name_of)
def test_a_ledger_that_cannot_be_written(
    change: Callable[[Writer], None], how: str, before: bytes, is_killed: bool, writer: Writer
) -> None:
    writer.commit(2, 1)
    region = writer.entry.region
    change(writer)
    ledger = ledger_path(writer.path)
    ledger.symlink_to(writer.path.parent / "nowhere" / "ledger")
    batch, text = writer.next(3, 2)
    for _ in range(3):
        with pytest.raises(WriteFailed) as failed:
            writer.output.commit(batch, text)
        assert failed.value.path == ledger
    if is_killed:
        writer.close()
        ledger.unlink()
        writer.start()
    else:
        ledger.unlink()
    writer.commit(3, 2)
    writer.commit(1)
    assert writer.data == before + rows(2, 4)
    assert writer.ended() == [(RUN, how, region)]
    writer.check_entry()
    texts = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
    assert texts.count("{\n") == 3
    writer.end_run()
    assert verify(writer.path).problems == []


@pytest.mark.parametrize("change", [replace_with_torn, append_torn], ids=name_of)
def test_rejects_that_cannot_take_a_torn_line(
    change: Callable[[Writer], None], writer: Writer
) -> None:
    """No row is put behind the piece of another program's."""
    writer.commit(2)
    change(writer)
    path = beside(writer.path, ".rejected.jsonl")
    path.mkdir()
    batch, text = writer.next(3)
    for _ in range(3):
        with pytest.raises(WriteFailed) as failed:
            writer.output.commit(batch, text)
        assert failed.value.path == path
    assert writer.data.endswith(b"FOREIGN,1,1\ntorn,")
    path.rmdir()
    writer.commit(3)
    before = {each.__name__: data for each, _, data in CHANGES}
    assert writer.data == before[change.__name__] + rows(2, 3)
    assert json.loads(writer.rejected)["text"] == "torn,"
    writer.check_entry()
    assert len(writer.ended()) == 1


def test_an_emptied_file_whose_header_finds_no_room(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "o.csv")
    writer.commit(1)
    region = writer.entry.region
    os.truncate(writer.path, 0)
    batch, text = writer.next(2)
    bring_back = _without_journal(writer)
    with pytest.raises(WriteFailed):
        writer.output.commit(batch, text)
    bring_back()
    os.truncate(writer.path, 0)  # once more; the ledger needs no second line
    for room in (0, 10):
        with largest_file(room), pytest.raises(WriteFailed):
            writer.output.commit(batch, text)
        assert writer.data == b""
    writer.commit(2)
    assert writer.data == HEADER + rows(1, 2)
    assert writer.ended() == [(RUN, "truncated", region)]
    writer.check_entry()
    writer.close()


# Runs


def test_a_run_begins_where_the_file_ends_and_the_batch_is_the_last(writer: Writer) -> None:
    writer.commit(3, 1)
    last = writer.entry
    writer.run += SECOND
    writer.output.begin(writer.run)
    assert writer.entry == Entry(
        run=writer.run,
        stream=last.stream,
        sequence=last.sequence,
        inode=last.inode,
        size=last.size,
        rejects_size=last.rejects_size,
        start=last.size,
    )
    journal = Journal(journal_path(writer.path))
    assert journal.entries[:2] == [writer.entry, last]
    journal.close()


def test_beginning_the_same_run_again_changes_nothing(writer: Writer) -> None:
    writer.commit(3, 1)
    last = writer.entry
    data = journal_path(writer.path).read_bytes()
    writer.output.begin(RUN)
    assert writer.entry == last
    assert journal_path(writer.path).read_bytes() == data


def test_a_region_that_is_in_the_ledger_is_begun_anew(writer: Writer) -> None:
    writer.commit(3, 1)
    last = writer.entry
    writer.output.begin(RUN, anew=True)
    assert writer.entry == replace(last, start=last.size, rows=0, crc32=0)
    writer.commit(2)
    assert (writer.entry.written, writer.entry.rows) == (5, 2)
    writer.check_entry()


def test_a_region_begun_anew_leaves_what_is_pending_to_its_batch(writer: Writer) -> None:
    writer.commit(2)
    leave(writer, *writer.next(3, 1), 9, 5)
    writer.start()
    writer.output.begin(RUN, anew=True)
    writer.commit(3, 1)
    assert writer.data == HEADER + rows(0, 5)
    assert writer.rejected == to_lines(writer.rejects, LAYOUT.feed)


def test_a_run_that_could_not_begin_may_begin_again(writer: Writer) -> None:
    writer.commit(1)
    bring_back = _without_journal(writer)
    writer.run += SECOND
    for _ in range(2):
        with pytest.raises(WriteFailed):
            writer.output.begin(writer.run)
    bring_back()
    writer.output.begin(writer.run)
    journal = Journal(journal_path(writer.path))
    assert journal.entries[0] == writer.entry
    assert writer.entry.run == writer.run
    journal.close()


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_file_moved_between_two_runs(is_complete: bool, writer: Writer) -> None:
    writer.commit(5)
    region = writer.entry.region
    writer.end_run(complete=is_complete)
    move(writer)
    writer.run += SECOND
    writer.sequence = 0
    writer.start()
    first = (writer.run, Region(0, 0, 0, 0)) if is_complete else (RUN, region)
    assert writer.ended() == [(first[0], "moved", first[1])]
    writer.commit(2)
    assert writer.data == HEADER + rows(5, 2)
    writer.end_run()
    assert verify(writer.path).problems == []


def test_runs_follow_each_other(writer: Writer) -> None:
    for number in range(5):
        writer.commit(2, 1)
        writer.commit(1)
        writer.next_run(complete=number % 2 == 0)
    writer.commit(1)
    assert writer.data == HEADER + rows(0, 16)
    assert writer.rejected == to_lines(writer.rejects, LAYOUT.feed)
    writer.end_run()
    report = verify(writer.path)
    assert (report.rows, report.problems, report.notes) == (16, [], [])
    assert [region.rows for region in report.regions] == [3, 3, 3, 3, 3, 1]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "o.csv").symlink_to(tmp_path / "data" / "real.csv")
    writer = Writer(tmp_path / "o.csv")
    writer.commit(2)
    writer.restart()
    writer.commit(1)
    assert (tmp_path / "data" / "real.csv").read_bytes() == HEADER + rows(0, 3)
    assert journal_path(writer.path) == tmp_path / "o.csv.journal"
    (tmp_path / "data" / "real.csv").rename(tmp_path / "data" / "moved.csv")
    writer.commit(1)
    assert (tmp_path / "data" / "real.csv").read_bytes() == HEADER + rows(3, 1)
    assert (tmp_path / "o.csv").is_symlink()
    writer.close()


# Anything


Step = tuple[str, tuple[int, int], list[int]]
"""What happens; rows and rejects of the batch after it; where lives of its writer end."""

_shape = st.tuples(st.integers(1, 4), st.integers(0, 2))
_lines = st.lists(st.integers(0, 150), max_size=3)
_steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("nothing"), st.tuples(st.integers(0, 4), st.integers(0, 2)), _lines),
    st.tuples(st.sampled_from(["move", "copy and empty", "append", "append torn"]), _shape, _lines),
    st.tuples(st.just("cut"), _shape, st.lists(st.integers(0, 200), min_size=2, max_size=2)),
    st.tuples(st.sampled_from(["restart", "next run"]), st.just((0, 0)), st.just([])),
)


def ours(data: bytes) -> bytes:
    """The rows of a file that are not another program's."""
    assert data.startswith(HEADER)
    lines = data[len(HEADER) :].splitlines(keepends=True)
    return b"".join(line for line in lines if line != b"FOREIGN,1,1\n")


def json_lines(data: bytes) -> Iterator[dict[str, Any]]:
    """The lines that are whole."""
    for line in data.splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def do(writer: Writer, what: str, kept: Path) -> None:
    """What others do, or the supervisor."""
    match what:
        case "move":
            writer.path.rename(kept)
        case "copy and empty":
            shutil.copyfile(writer.path, kept)
            os.truncate(writer.path, 0)
        case "append":
            append_row(writer)
        case "append torn":
            append_torn(writer)
        case "restart":
            writer.restart()
        case "next run":
            writer.next_run()


@settings(max_examples=200)
@given(st.lists(_steps, max_size=12))
def test_whatever_happens_each_row_is_in_one_file_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[Step]
) -> None:
    directory = tmp_path_factory.mktemp("anything")
    writer = Writer(directory / "o.csv")
    before: list[Path] = []
    for what, shape, numbers in steps:
        kept = directory / f"{len(before)}.moved"
        do(writer, what, kept)
        before += [kept] if kept.exists() else []
        if what == "cut":
            batch, text = writer.next(*shape)
            cut = min(numbers[0], len(text))
            leave(writer, batch, text, cut, numbers[1] if cut == len(text) else 0)
            writer.start()
        else:
            for line in numbers:
                if writer.commit_or_die(line, *shape):
                    break
                writer.start()
        if shape != (0, 0) or what == "nothing":
            writer.commit(*shape)
    writer.end_run()
    assert b"".join(ours(path.read_bytes()) for path in [*before, writer.path]) == rows(
        0, writer.rows
    )
    texts = list(json_lines(writer.rejected))
    reasons = [each["reason"] for each in texts if each["text"] == "{\n"]
    # Where the file was emptied and no writer lived to see it, the journal goes back, and does not
    # know the end of the rejects until the next batch: killed in that, rejects may come twice.
    if any(what == "copy and empty" and numbers for what, _, numbers in steps):
        reasons = list(dict.fromkeys(reasons))
    else:
        assert len(texts) == writer.rejected.count(b"\n")
    assert reasons == [reject.reason for reject in writer.rejects]
    torn = sum(what == "append torn" for what, _, _ in steps)
    assert sum(each["text"] == "torn," for each in texts) >= torn
    report = verify(writer.path)
    assert (report.problems, report.rows) == (
        [],
        sum(1 for row in writer.data.splitlines() if not row.endswith(b'"R')) - 1,
    )
