"""Real files: what a run would have left is put there, then changed, and verify must notice."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastingest.verify.verify as module
from fastingest import UsageError
from fastingest.storage.ledger import Region, append_entry, ledger_path
from fastingest.storage.lock import OutputLock
from fastingest.storage.names import beside
from fastingest.verify.verify import Report, report_text, verify

HEADER = b"symbol,price,volume\n"
ROWS = [b"AAPL,145.67,1500\n", b"MSFT,289.12,\n", b'"a ""b""\nc,d",1.5,0.25\n', b'"",1.0,7\n']
STARTS = [20 + len(b"".join(ROWS[:count])) for count in (1, 2, 3, 4)]  # of the rows 1, 2, 3, 4
SECOND = 10**9
START = 1795356180 * SECOND + 123456789
ISO = ["2026-11-22T14:03:00Z", "2026-11-22T14:03:01Z", "2026-11-22T14:03:02Z"]


class Output:
    """A file that runs append to, with its ledger. Runs are numbered from 0."""

    def __init__(self, path: Path, header: bytes = HEADER) -> None:
        self.path = path
        self.header = header[:-1].decode()
        path.write_bytes(header)

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    @data.setter
    def data(self, data: bytes) -> None:
        self.path.write_bytes(data)

    def append(self, data: bytes) -> None:
        """As another program does, or a run that has not ended yet."""
        with self.path.open("ab") as file:
            file.write(data)

    def run(self, number: int, rows: Sequence[bytes] = ROWS) -> Region:
        """A run that appends rows and ends."""
        start = len(self.data)
        self.append(b"".join(rows))
        return self.enter(number, start, len(rows))

    def enter(self, number: int, start: int, rows: int, end: int | None = None) -> Region:
        """An entry of what is there from ``start`` to ``end``."""
        data = self.data[start:end]
        region = Region(start, start + len(data), rows, zlib.crc32(data))
        self.enter_region(number, region)
        return region

    def enter_region(self, number: int, region: Region, ended: str = "") -> None:
        entry = {"run": START + number * SECOND, "file": region.to_json()}
        append_entry(self.path, entry | ({"ended": ended} if ended else {"header": self.header}))


@pytest.fixture
def out(tmp_path: Path) -> Output:
    return Output(tmp_path / "o.csv")


@pytest.fixture
def two_runs(out: Output) -> Output:
    out.run(0)
    out.run(1, ROWS[:3])
    return out


def said(report: Report) -> tuple[bool, list[str], list[str]]:
    return report.agrees, report.problems, report.notes


def places(report: Report) -> list[str]:
    return [region.problem.partition(": ")[2] for region in report.regions]


# What agrees


def test_a_file_as_its_runs_left_it(two_runs: Output) -> None:
    report = verify(two_runs.path)
    assert said(report) == (True, [], [])
    assert (report.rows, report.size) == (7, len(two_runs.data))
    sizes = [len(b"".join(ROWS)), len(b"".join(ROWS[:3]))]
    assert [(r.run, r.rows, r.bytes, r.problem) for r in report.regions] == [
        (ISO[0], 4, sizes[0], ""),
        (ISO[1], 3, sizes[1], ""),
    ]


@pytest.mark.parametrize("chunk", range(1, 60))
def test_blocks_may_end_anywhere(
    chunk: int, two_runs: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", max(chunk, len(HEADER)))
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


def test_a_run_without_rows(two_runs: Output) -> None:
    two_runs.run(2, [])
    two_runs.run(3, ROWS)
    assert said(verify(two_runs.path)) == (True, [], [])


def test_a_run_that_wrote_not_even_the_header(out: Output) -> None:
    out.enter_region(0, Region(0, 0, 0, 0))
    out.run(1)
    assert said(verify(out.path)) == (True, [], [])


@pytest.mark.parametrize(("written", "notes"), [(0, []), (4, ["it kept no journal"])])
def test_a_run_that_says_nothing_of_the_file(
    written: int, notes: list[str], two_runs: Output
) -> None:
    """Nor need it say anything, where it could write nothing and kept what it had received."""
    run = START + 2 * SECOND
    append_entry(two_runs.path, {"run": run, "written": written, "file": None})
    report = verify(two_runs.path)
    assert report.agrees
    assert [note.rpartition(": ")[2] for note in report.notes] == notes


def test_an_entry_that_came_twice_is_one(two_runs: Output) -> None:
    region = two_runs.run(2)
    two_runs.enter_region(2, region)
    two_runs.enter_region(2, region, "appended")
    report = verify(two_runs.path)
    assert said(report) == (True, [], [])
    assert [each.run for each in report.regions] == ISO


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


@pytest.mark.parametrize("ended", ["moved", "deleted", "truncated"])
def test_what_is_gone_is_not_looked_for(ended: str, two_runs: Output) -> None:
    two_runs.enter_region(2, Region(999, 9999, 9, 0), ended)
    two_runs.data = HEADER
    two_runs.run(2)
    report = verify(two_runs.path)
    assert said(report) == (True, [], [])
    assert [region.run for region in report.regions] == [ISO[2]]


def test_a_torn_line_of_the_ledger_is_a_note(out: Output) -> None:
    out.run(0)
    with ledger_path(out.path).open("ab") as file:
        file.write(b'{"run": 17')
    out.run(1)
    note = "line 2 of the ledger was torn by a crash and is passed over"
    assert said(verify(out.path)) == (True, [], [note])


# What does not


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


def test_regions_of_two_runs_must_not_overlap(out: Output) -> None:
    out.append(b"".join(ROWS))
    out.enter(1, STARTS[0], 2, STARTS[2])
    out.enter(0, 20, 3, STARTS[2])
    out.enter(1, STARTS[2], 1)
    out.enter(2, STARTS[2], 1)
    report = verify(out.path)
    other = [f"overlaps what the run of {iso} appended" for iso in ISO]
    assert places(report) == [other[0], "", "", other[1]]
    assert [region.run for region in report.regions] == [ISO[1], ISO[0], ISO[1], ISO[2]]
    assert len(report.problems) == 2


def test_runs_of_the_same_second_are_two(out: Output) -> None:
    out.append(ROWS[0])
    crc = zlib.crc32(ROWS[0])
    for run in (START, START + 1):
        append_entry(out.path, {"run": run, "file": Region(20, STARTS[0], 1, crc).to_json()})
    assert places(verify(out.path)) == ["", f"overlaps what the run of {ISO[0]} appended"]


def test_the_present_file_begins_after_what_is_gone(out: Output) -> None:
    gone = out.run(0)
    out.enter_region(0, gone, "moved")
    out.data = HEADER
    out.run(1, ROWS[:1])
    out.run(2, ROWS[:1])
    assert said(verify(out.path)) == (True, [], [])
    ledger = ledger_path(out.path)
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(line for line in lines if b"moved" not in line))
    assert places(verify(out.path))[0] == "the file has 54 bytes only"


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
    monkeypatch.setattr(module, "_CHUNK", 64)
    monkeypatch.setattr(module, "_LONGEST", 1024)
    out.append(b'"A,1,2\n')
    out.run(0, [b"A,1,2\n"] * 1000)
    report = verify(out.path)
    assert report.problems == ["byte 20, line 2: no row, or one of more than 1KiB"]
    assert report.rows == 1001


def test_what_has_no_lines_is_read_to_its_end(
    two_runs: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", 64)
    monkeypatch.setattr(module, "_LONGEST", 1024)
    byte = len(two_runs.data)
    two_runs.append(bytes(100_000))
    problems = verify(two_runs.path).problems
    assert problems[0] == f"byte {byte}, line 11: no row, or one of more than 1KiB"
    assert places(verify(two_runs.path)) == ["", ""]


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


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"run": 5}', "line 2 of the ledger has no 'file'"),
        (b'{"file": {}}', "line 2 of the ledger has no 'run'"),
        (b'{"run": "x", "file": {}}', "line 2 of the ledger is no entry: "),
        (b'{"run": null, "file": {}}', "line 2 of the ledger is no entry: "),
        (b'{"run": 9%s, "file": {}}' % (b"9" * 99), "line 2 of the ledger is no entry: "),
        (b'{"run": 5, "file": 7}', "line 2 of the ledger is no entry: 7 is no region of a file"),
    ],
)
def test_a_line_of_the_ledger_that_is_no_entry(line: bytes, problem: str, out: Output) -> None:
    out.run(0)
    with ledger_path(out.path).open("ab") as file:
        file.write(line + b"\n")
    out.run(1)
    report = verify(out.path)
    assert len(report.problems) == 1
    assert report.problems[0].startswith(problem)
    assert places(report) == ["", ""]


# A run that goes on, or was interrupted

LOCK = """
import sys
from pathlib import Path
from fastingest.storage.lock import OutputLock
lock = OutputLock(Path(sys.argv[1]))
print(flush=True)
sys.stdin.read()
"""


def test_a_run_that_writes(two_runs: Output) -> None:
    beside(two_runs.path, ".journal").touch()
    two_runs.append(b"A,1,2\nA,1,2\nA,1")
    command = [sys.executable, "-c", LOCK, str(two_runs.path)]
    note = "a run is writing it; 2 rows not in the ledger yet"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        names = sorted(each.name for each in two_runs.path.parent.iterdir())
        assert said(verify(two_runs.path)) == (True, [], [note])
        two_runs.data = two_runs.data.replace(b"AAPL", b"APPL")
        report = verify(two_runs.path)
        assert not report.agrees
        assert [place.partition(" ")[0] for place in places(report)] == ["CRC-32", "CRC-32"]
        assert report.notes == [note]
        assert sorted(each.name for each in two_runs.path.parent.iterdir()) == names
        process.kill()  # so that the lock file stays, as after a crash
        process.wait()
    assert not any("a run is writing" in each for each in verify(two_runs.path).notes)
    assert sorted(each.name for each in two_runs.path.parent.iterdir()) == names
    OutputLock(two_runs.path).release()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("o")])
def test_what_has_the_locks_name_and_is_no_file_is_not_waited_for(
    make: Callable[[Path], None], two_runs: Output
) -> None:
    """It is no run's; the next one refuses it."""
    make(beside(two_runs.path, ".lock"))
    assert said(verify(two_runs.path)) == (True, [], [])


def test_a_ledger_that_is_a_pipe_is_not_waited_for(two_runs: Output) -> None:
    ledger_path(two_runs.path).unlink()
    os.mkfifo(ledger_path(two_runs.path))
    with pytest.raises(UsageError, match="there is no entry in it"):
        verify(two_runs.path)


def test_a_lock_under_another_name_of_the_directory_is_seen(two_runs: Output) -> None:
    link = two_runs.path.parent.with_name("link")
    link.symlink_to(two_runs.path.parent)
    lock = OutputLock(two_runs.path)
    try:
        report = verify(link / two_runs.path.name)
        assert report.notes == ["a run is writing it; 0 rows not in the ledger yet"]
    finally:
        lock.release()


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


# What cannot be verified


def test_what_is_set_aside_is_a_note(two_runs: Output) -> None:
    """A run that kept rows has two lines, and the last one counts."""
    region = Region(20, 20, 0, 0)
    for number, rows in ((0, 3), (1, 0), (0, 1_005), (1, "many")):
        entry = {"run": START + number * SECOND, "file": region.to_json(), "set_aside": rows}
        append_entry(two_runs.path, entry)
    report = verify(two_runs.path)
    assert report.agrees
    assert report.notes == [
        f"1,005 rows of the run of {ISO[0]} could not be written; they are in o.csv.*.failed"
    ]


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


# Rows


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
    ends, told = module._row_ends(data, 3)
    assert list(ends) == expected[1:]
    assert [lines for lines, _ in told] == broken


def test_the_limit_of_the_csv_module_is_as_before(two_runs: Output) -> None:
    two_runs.run(2, [b'"' + b"x" * 200_000 + b'",1,2\n'])
    before = csv.field_size_limit()
    assert verify(two_runs.path).agrees
    assert csv.field_size_limit() == before < 200_000


# In words


def test_the_report_in_words(two_runs: Output) -> None:
    two_runs.run(2, [b"A,1,2\n"] * 1000)
    lines = report_text(verify(two_runs.path)).splitlines()
    assert lines == [
        f"{two_runs.path}: 1,007 rows, 6KiB",
        f"  {ISO[0]}      4 rows     62B  agrees",
        f"  {ISO[1]}      3 rows     53B  agrees",
        f"  {ISO[2]}  1,000 rows  5.9KiB  agrees",
        "agrees with its ledger",
    ]


def test_the_report_of_a_file_that_does_not_agree(two_runs: Output) -> None:
    two_runs.data = two_runs.data.replace(b"AAPL", b"APPL", 1)
    two_runs.append(b"A,1,2\n")
    lines = report_text(verify(two_runs.path)).splitlines()
    assert lines[1:5] == [
        f"  {ISO[0]}  4 rows  62B  does NOT agree",
        f"  {ISO[1]}  3 rows  53B  agrees",
        "  note: 1 row of no run: another program's, or from before the ledger",
        f"does NOT agree: run {ISO[0]}, bytes 20 to 82 (line 2 to 6): "
        f"CRC-32 {zlib.crc32(two_runs.data[20:82]):08x}, "
        f"and {zlib.crc32(b''.join(ROWS)):08x} in the ledger",
    ]
    assert len(lines) == 5


def test_the_report_of_many_runs_is_short(out: Output) -> None:
    for number in range(100):
        out.run(number, ROWS[:1])
    out.enter_region(0, Region(20, 37, 2, 0))
    lines = report_text(verify(out.path)).splitlines()
    assert lines[1] == "  81 more before these agree"
    assert len(lines) == 1 + 1 + 20 + 1
    out.data = HEADER + b"X" + out.data[len(HEADER) + 1 :]
    assert f"  {ISO[0]}   1 row  17B  does NOT agree" in report_text(verify(out.path))


def test_names_are_on_one_line(tmp_path: Path) -> None:
    out = Output(tmp_path / "a\nb.csv")
    out.run(0)
    assert len(report_text(verify(out.path)).splitlines()) == 3
