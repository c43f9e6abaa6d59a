"""An output whose writer is killed, and is kept from writing: each row is in it once.

A writer is killed at every line of its work, and what a write that was cut short has left is made
by cutting the files off, at every byte: :mod:`tests.support.output_writer`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fastingest import WriteFailed
from fastingest.model.event import Event
from fastingest.model.schema import TRADES
from fastingest.storage.journal import Journal, journal_path
from fastingest.storage.names import beside
from fastingest.storage.reject_line import to_lines
from fastingest.verify.verify import verify
from fastingest.writer.events import TornLineCut
from fastingest.writer.output import Output
from tests.support.builders import LAYOUT
from tests.support.limits import largest_file
from tests.support.output_writer import (
    HEADER,
    RUN,
    SECOND,
    Writer,
    append_row,
    append_torn,
    batch_of,
    begun,
    leave,
    lines_of,
    rows,
    without_journal,
)
from tests.support.threads import in_own_thread

pytestmark = pytest.mark.usefixtures("impatient")


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
    reports: list[Event] = []
    output = Output(path, TRADES.header, None, min_free=0, report=reports.append)
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
    assert reports[0] == TornLineCut(len(b"torn,"), str(beside(path, ".rejected.jsonl")))
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


@in_own_thread
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


# Runs


def test_a_run_begins_where_the_file_ends_and_the_batch_is_the_last(writer: Writer) -> None:
    writer.commit(3, 1)
    last = writer.entry
    writer.run += SECOND
    writer.output.begin(writer.run)
    assert writer.entry == begun(writer.run, last)
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
    bring_back = without_journal(writer)
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
