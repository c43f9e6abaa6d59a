"""Real files: what a run would have left is put there, then changed, and verify must notice."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from fastingest import UsageError
from fastingest.storage.ledger import Region, ledger_path
from fastingest.storage.names import beside
from fastingest.verify.verify import verify
from tests.support.verified import HEADER, ISO, ROWS, STARTS, Output, places, said


def test_a_file_as_its_runs_left_it(two_runs: Output) -> None:
    report = verify(two_runs.path)
    assert said(report) == (True, [], [])
    assert (report.rows, report.size) == (7, len(two_runs.data))
    sizes = [len(b"".join(ROWS)), len(b"".join(ROWS[:3]))]
    assert [(r.run, r.rows, r.bytes, r.problem) for r in report.regions] == [
        (ISO[0], 4, sizes[0], ""),
        (ISO[1], 3, sizes[1], ""),
    ]


def test_a_run_without_rows(two_runs: Output) -> None:
    two_runs.run(2, [])
    two_runs.run(3, ROWS)
    assert said(verify(two_runs.path)) == (True, [], [])


def test_a_run_that_wrote_not_even_the_header(out: Output) -> None:
    out.enter_region(0, Region(0, 0, 0, 0))
    out.run(1)
    assert said(verify(out.path)) == (True, [], [])


def test_a_run_may_have_two_regions(two_runs: Output) -> None:
    two_runs.run(1)
    report = verify(two_runs.path)
    assert said(report) == (True, [], [])
    assert [each.run for each in report.regions] == [ISO[0], ISO[1], ISO[1]]


def test_rows_of_another_program_are_a_note(out: Output) -> None:
    out.append(b"OLD,1,2\n")
    out.enter_region(0, out.run(0), "appended")
    out.append(b"NEW,3,4\r\nNEW,3,\r\n")
    out.run(0)
    report = verify(out.path)
    note = "3 rows of no run: another program's, or from before the ledger"
    assert said(report) == (True, [], [note])
    assert report.rows == 11


def test_every_flipped_bit_is_noticed(two_runs: Output) -> None:
    data = two_runs.data
    for index in range(len(data)):
        for bit in range(8):
            two_runs.data = data[:index] + bytes([data[index] ^ 1 << bit]) + data[index + 1 :]
            assert not verify(two_runs.path).agrees, (index, bit)


def test_every_cut_is_noticed(two_runs: Output) -> None:
    data = two_runs.data
    for size in range(len(data)):
        two_runs.data = data[:size]
        report = verify(two_runs.path)
        assert not report.agrees
        assert report.size == size
        assert report.regions[1].problem.endswith(f": the file has {size} bytes only")
    starts = {len(HEADER) + len(b"".join((ROWS + ROWS)[:count])) for count in range(8)}
    torn = "the last row is not whole, "
    for size in range(len(HEADER), len(data)):
        two_runs.data = data[:size]
        told = [each for each in verify(two_runs.path).problems if torn in each]
        start = max(each for each in starts if each <= size)
        line = data[:start].count(b"\n") + 1
        expected = f"byte {start}, line {line}: {torn}{size - start} bytes of it"
        assert told == ([] if size in starts else [expected])


def test_every_row_that_is_missing_or_double_is_noticed(out: Output) -> None:
    rows = [b"A,%d,%d\n" % (i, i) for i in range(10, 20)]
    out.run(0, rows)
    out.run(1, rows)
    for index in range(20):
        for times in (0, 2):
            changed = rows + rows
            changed[index : index + 1] = [changed[index]] * times
            out.data = HEADER + b"".join(changed)
            is_behind_all = (index, times) == (19, 2)  # a row of no run, which is a note
            assert verify(out.path).agrees == is_behind_all


def test_the_numbers_of_a_region(out: Output) -> None:
    out.run(0)
    region = out.enter(1, len(HEADER), 3, len(HEADER) + len(b"".join(ROWS[:3])))
    wrong = Region(region.start, region.end, 4, region.crc32)
    ledger_path(out.path).unlink()
    out.enter_region(0, wrong)
    where = f"bytes 20 to {region.end} (line 2 to 5): "
    assert verify(out.path).problems == [f"run {ISO[0]}, {where}3 rows, and 4 in the ledger"]
    ledger_path(out.path).unlink()
    out.enter_region(0, Region(region.start, region.end, 3, 0xABC))
    crc = f"CRC-32 {region.crc32:08x}, and 00000abc in the ledger"
    assert verify(out.path).problems == [f"run {ISO[0]}, {where}{crc}"]


@pytest.mark.long
def test_a_region_begins_and_ends_between_rows(out: Output) -> None:
    data = b"".join(ROWS)
    out.append(data)
    starts = [20, *STARTS]
    for start in range(starts[-1] + 1):
        for end in range(start + (start == 0), starts[-1] + 1):
            ledger_path(out.path).unlink(missing_ok=True)
            between = [each for each in starts if start <= each <= end]
            out.enter(0, start, max(0, len(between) - 1), end)
            problem = ""
            if start < 20:
                problem = "begins in the header"
            elif start not in starts:
                problem = "begins inside a row"
            elif end not in starts:
                problem = "ends inside a row"
            assert places(verify(out.path)) == [problem], (start, end)


def test_another_header(two_runs: Output) -> None:
    two_runs.data = two_runs.data.replace(b"volume", b"amount")
    report = verify(two_runs.path)
    found = "byte 0, line 1: the header is 'symbol,price,amount', not 'symbol,price,volume'"
    assert report.problems == [found]
    assert report.rows == 7


QUOTED = [
    (b'time,"price, in ""EUR""",symbol\n', [b"1,2,A\n", b'3,4,"B\nC"\n']),
    (b'"a,b,c,d"\n', [b"1\n", b'"2,3"\n', b"\xc3\xa9\n"]),
    (b'"one\ntwo","three\n\nfour"\n', [b"1,2\n", b"3,4\n"]),
    ("größe,価格\n".encode(), [b"1,2\n"]),
]


@pytest.mark.parametrize(("header", "rows"), QUOTED)
def test_any_header_and_the_columns_that_it_has(
    header: bytes, rows: Sequence[bytes], tmp_path: Path
) -> None:
    out = Output(tmp_path / "o.csv", header)
    out.run(0, rows)
    out.run(1, rows)
    report = verify(out.path)
    assert said(report) == (True, [], [])
    assert report.rows == 2 * len(rows)
    byte, line = len(out.data), out.data.count(b"\n") + 1
    out.append(b"1,2,3,4,5\n")
    columns = len(next(csv.reader([header.decode()])))
    told = f"byte {byte}, line {line}: 5 columns instead of {columns}"
    assert verify(out.path).problems == [told]


@pytest.mark.parametrize(("header", "rows"), QUOTED)
def test_a_header_that_another_program_changed(
    header: bytes, rows: Sequence[bytes], tmp_path: Path
) -> None:
    """Of the same length, so that the regions are where they were."""
    out = Output(tmp_path / "o.csv", header)
    out.run(0, rows)
    known, first = out.header, header[:1]
    changed = (b"X" if first != b'"' else b'"X') + header[1 if first != b'"' else 2 :]
    out.data = changed + out.data[len(header) :]
    (told,) = verify(out.path).problems
    assert told == f"byte 0, line 1: the header is {changed[:-1].decode()!r}, not {known!r}"
    out.data = b"a,b\n" + out.data[len(header) :]
    assert verify(out.path).problems[0].startswith("byte 0, line 1: the header is 'a,b")


def test_a_file_that_begins_anew_may_have_another_header(out: Output) -> None:
    gone = out.run(0)
    out.enter_region(0, gone, "moved")
    out.data = b"time,price\n"
    out.header = "time,price"
    out.run(1, [b"1,2\n", b"3,4\n"])
    assert said(verify(out.path)) == (True, [], [])


def test_before_a_run_has_ended_the_header_says_itself_what_it_is(out: Output) -> None:
    out.data = b'"a,b",c\n1,2\n'
    out.enter_region(0, Region(8, 12, 1, zlib.crc32(b"1,2\n")), "appended")
    assert said(verify(out.path)) == (True, [], [])


@pytest.mark.parametrize("size", [0, 1, len(HEADER) - 1])
def test_a_header_that_is_not_whole(size: int, out: Output) -> None:
    out.enter_region(0, Region(0, 0, 0, 0))
    out.data = HEADER[:size]
    assert said(verify(out.path)) == (False, ["byte 0, line 1: the header is not whole"], [])
    beside(out.path, ".journal").touch()
    assert verify(out.path).problems == []


def test_a_run_that_was_interrupted(two_runs: Output) -> None:
    two_runs.append(b"A,1,2\n\x00\x00\nA,1")
    assert len(verify(two_runs.path).problems) == 2
    beside(two_runs.path, ".journal").touch()
    what = "2 rows and a torn one behind the ledger"
    note = f"the last run was interrupted; the next start repairs it ({what})"
    assert said(verify(two_runs.path)) == (True, [], [note])


def test_broken_rows_before_the_last_region_are_told_of_a_run_that_writes(out: Output) -> None:
    out.append(b"A,1\n")
    out.run(0)
    beside(out.path, ".journal").touch()
    out.append(b"B,1\n" * 3)
    report = verify(out.path)
    assert report.problems == ["byte 20, line 2: 2 columns instead of 3"]
    assert report.notes[1:] == ["1 row of no run: another program's, or from before the ledger"]


def test_what_is_not_there(out: Output, tmp_path: Path) -> None:
    message = f"{out.path}: no ledger is beside it; {out.path}.ledger.jsonl does not exist"
    with pytest.raises(UsageError) as caught:
        verify(out.path)
    assert str(caught.value) == message
    for path, problem in [
        (tmp_path / "none.csv", "No such file or directory"),
        (tmp_path, "is not a regular file"),
        (out.path / "x", "Not a directory"),
    ]:
        with pytest.raises(UsageError) as caught:
            verify(path)
        assert str(caught.value) == f"{path}: {problem}"
    ledger_path(out.path).mkdir()
    with pytest.raises(UsageError) as caught:
        verify(out.path)
    assert str(caught.value) == f"{out.path}.ledger.jsonl: Is a directory"
