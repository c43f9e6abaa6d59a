"""Files of all kinds of rows, read in blocks of all sizes."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.verify import scan
from fastingest.verify.verify import verify
from tests.support.verified import ROWS, Output, places, said


@pytest.mark.parametrize("chunk", range(1, 60))
def test_blocks_may_end_anywhere(
    chunk: int, two_runs: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "CHUNK", chunk)
    two_runs.append(b"X,1\nY,1,2\n")
    report = verify(two_runs.path)
    byte = len(two_runs.data) - 10
    assert report.problems == [f"byte {byte}, line 11: 2 columns instead of 3"]
    assert report.notes == ["2 rows of no run: another program's, or from before the ledger"]
    assert places(report) == ["", ""]
    assert report.rows == 9


def test_many_blocks(out: Output) -> None:
    rows = [b"SYM%d,%d.5,%d\n" % (i % 9, i % 1000, i) for i in range(150_000)]
    rows[70_000:70_000] = ROWS * 10  # and one of the blocks in the middle has quotes
    out.run(0, rows[:60_001])
    out.run(1, rows[60_001:])
    report = verify(out.path)
    assert said(report) == (True, [], [])
    assert report.rows == 150_040
    assert report.size > 2 * 1024 * 1024
    out.data = out.data.replace(b"SYM3,3.5,90003\n", b"SYM3,3.5\n")
    report = verify(out.path)
    byte = out.data.index(b"SYM3,3.5\n")
    assert report.problems[0] == f"byte {byte:,}, line 90,055: 2 columns instead of 3"
    assert report.regions[0].problem == ""
    assert report.regions[1].problem.endswith(f" the file has {report.size:,} bytes only")
    assert len(report.problems) == 2


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"\n", "0 columns instead of 3"),
        (b"A,1\n", "2 columns instead of 3"),
        (b"A,1,2,3\n", "4 columns instead of 3"),
        (b'"A,1,2",3\n', "2 columns instead of 3"),
        (b'"A\n,1,\n2",3\n', "2 columns instead of 3"),
        (b"A\rB,1,2\n", "a carriage return in a cell without quotes"),
    ],
)
def test_a_row_that_is_none(row: bytes, problem: str, two_runs: Output) -> None:
    byte = len(two_runs.data)
    two_runs.append(row + b"A,1,2\n")
    agrees, (told,), notes = said(verify(two_runs.path))
    assert not agrees
    assert told == f"byte {byte}, line 11: {problem}"
    assert notes == ["2 rows of no run: another program's, or from before the ledger"]


def test_two_short_rows_do_not_make_up_for_a_long_one(out: Output) -> None:
    out.run(0, [b"A,1\n", b"A,1,2,3\n"])
    assert len(verify(out.path).problems) == 2


def test_many_broken_rows_are_counted(out: Output) -> None:
    out.run(0, [b"A,1\n"] * 1000)
    problems = verify(out.path).problems
    assert problems[0] == "byte 20, line 2: 2 columns instead of 3"
    assert problems[9] == "byte 56, line 11: 2 columns instead of 3"
    assert problems[10:] == ["990 rows more with the wrong columns"]


def test_a_quote_that_nobody_closes_costs_one_row(
    out: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "CHUNK", 64)
    monkeypatch.setattr(scan, "MAX_ROW", 1024)
    out.append(b'"A,1,2\n')
    out.run(0, [b"A,1,2\n"] * 1000)
    report = verify(out.path)
    assert report.problems == ["byte 20, line 2: no row, or one of more than 1KiB"]
    assert report.rows == 1001


def test_what_has_no_lines_is_read_to_its_end(
    two_runs: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "CHUNK", 64)
    monkeypatch.setattr(scan, "MAX_ROW", 1024)
    byte = len(two_runs.data)
    two_runs.append(bytes(100_000))
    problems = verify(two_runs.path).problems
    assert problems[0] == f"byte {byte}, line 11: no row, or one of more than 1KiB"
    assert places(verify(two_runs.path)) == ["", ""]


PIECES = [b"a", b'"', b",", b"\n", b"\r", b'""', b"a,b,c\n", b'"\n",,\n']


@given(st.lists(st.sampled_from(PIECES)))
def test_rows_end_where_the_csv_module_stops_reading(pieces: list[bytes]) -> None:
    data = b"".join([*pieces, b"\n"])
    lines = data.decode().split("\n")[:-1]
    taken = 0
    is_over = False

    def take() -> Iterator[str]:
        nonlocal taken, is_over
        for line in lines:
            taken += 1
            yield line
        is_over = True  # asked for a line that is not there

    expected, broken = [0], []
    reader = csv.reader(take())
    while not is_over:
        try:
            columns = len(next(reader, []))
        except csv.Error:
            columns = 0
        if not is_over:
            if columns != 3:
                broken.append(expected[-1])
            expected.append(taken)
    ends, told = scan.row_ends(data, 3)
    assert list(ends) == expected[1:]
    assert [lines for lines, _ in told] == broken


def test_the_limit_of_the_csv_module_is_as_before(two_runs: Output) -> None:
    two_runs.run(2, [b'"' + b"x" * 200_000 + b'",1,2\n'])
    before = csv.field_size_limit()
    assert verify(two_runs.path).agrees
    assert csv.field_size_limit() == before < 200_000


def test_several_that_read_at_once_leave_the_limit_as_it_was() -> None:
    before = csv.field_size_limit()
    first, second = scan.no_field_size_limit(), scan.no_field_size_limit()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert csv.field_size_limit() > before  # the second one still reads
    second.__exit__(None, None, None)
    assert csv.field_size_limit() == before
