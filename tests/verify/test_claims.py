"""What a ledger, a lock and a journal claim, in real files."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fastingest import UsageError
from fastingest.storage.ledger import Region, append_entry, ledger_path
from fastingest.storage.lock import OutputLock
from fastingest.storage.names import beside
from fastingest.verify.claims import Claim, find_overlaps, read_claims
from fastingest.verify.verify import verify
from tests.support.verified import HEADER, ISO, ROWS, SECOND, START, STARTS, Output, places, said


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


@pytest.mark.parametrize(
    ("bounds", "overlapped"),
    [
        ([(0, 20, 40), (1, 40, 60)], {}),
        ([(0, 20, 41), (1, 40, 60)], {1: 0}),
        ([(1, 40, 60), (0, 20, 41)], {0: 0}),
        ([(0, 20, 90), (1, 30, 40), (2, 50, 60)], {1: 0, 2: 0}),  # within one that goes on
        ([(0, 20, 40), (0, 30, 60)], {}),  # of one run
        ([(0, 20, 40), (1, 30, 30)], {}),  # an empty one
    ],
)
def test_who_overlaps_whom(bounds: list[tuple[int, int, int]], overlapped: dict[int, int]) -> None:
    claims = [Claim(run, Region(start, end, 1, 0)) for run, start, end in bounds]
    find_overlaps(claims)
    found = {index: claim.overlaps for index, claim in enumerate(claims)}
    assert {index: run for index, run in found.items() if run is not None} == overlapped


# Other versions


def test_lines_of_other_versions_are_read_for_what_they_say_of_the_file(out: Output) -> None:
    """The first said nothing of the header, nor of what is set aside; a later one may say more."""
    older = {"run": START, "written": 4, "file": out.run(0).to_json()}
    region = out.run(1).to_json()
    newer = {
        "form": 2,
        "run": START + SECOND,
        "written": {"rows": 4},
        "set_aside": {"rows": 7},
        "header": out.header,
        "parts": [],
        "file": region | {"part": 0, "sha256": "00"},
    }
    ledger_path(out.path).unlink()
    for line in (older, newer):
        append_entry(out.path, line)
    claims = read_claims(out.path)
    assert [claim.name for claim in claims.regions] == ISO[:2]
    assert (claims.header, claims.problems, claims.notes) == (out.header, [], [])
    assert said(verify(out.path)) == (True, [], [])


@pytest.mark.parametrize(
    "file", [{"part": 1, "offset": 20, "length": 62}, [20, 82], "20-82"], ids=str
)
def test_a_region_in_the_form_of_a_later_version_is_said_not_to_be_known(
    file: object, out: Output
) -> None:
    out.run(0)
    append_entry(out.path, {"run": START + SECOND, "written": 4, "file": file})
    claims = read_claims(out.path)
    assert claims.problems == [f"line 2 of the ledger is no entry: {file!r} is no region of a file"]
    assert len(claims.regions) == 1
