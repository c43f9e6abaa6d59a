from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastingest.storage.ledger import Region, append_entry, iter_entries, ledger_path, read_entries

REGION = Region(start=20, end=45, rows=2, crc32=0xA1B2C3D)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "o.csv"


def entry(run: int) -> dict[str, Any]:
    return {"run": run, "feed": "wss://é", "end": None, "file": REGION.to_json()}


def test_the_ledger_is_beside_the_output() -> None:
    assert ledger_path(Path("a/o.csv")) == Path("a/o.csv.ledger.jsonl")


def test_a_region_as_json_and_back() -> None:
    json = REGION.to_json()
    assert json == {"from": 20, "to": 45, "rows": 2, "crc32": "0a1b2c3d"}
    assert Region.from_json(json | {"more": 1}) == REGION


@pytest.mark.parametrize(
    "change",
    [
        {"from": -1},
        {"from": 46},
        {"from": 20.0},
        {"from": True},
        {"to": None},
        {"to": "45"},
        {"rows": -1},
        {"rows": 26},
        {"crc32": "a1b2c3d"},
        {"crc32": "0A1B2C3D"},
        {"crc32": 169552957},
    ],
)
def test_what_is_no_region(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is no region of a file"):
        Region.from_json(REGION.to_json() | change)


@pytest.mark.parametrize("value", [None, [], "x", {}, {"from": 0, "to": 0, "rows": 0}])
def test_what_has_no_members_of_a_region(value: Any) -> None:
    with pytest.raises(ValueError, match="is no region of a file"):
        Region.from_json(value)


def test_no_ledger_has_no_entries(out: Path) -> None:
    assert read_entries(out) == []
    assert read_entries(out, 100) == []
    with pytest.raises(FileNotFoundError):
        next(iter_entries(out))


def test_entries_come_back_in_order(out: Path) -> None:
    for run in range(3):
        append_entry(out, entry(run))
        assert read_entries(out) == [entry(each) for each in range(run + 1)]
    assert ledger_path(out).read_bytes().count(b"\n") == 3


def test_an_entry_and_the_name_of_a_new_ledger_are_on_the_disk(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[os.stat_result] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor)))
    append_entry(out, entry(1))
    append_entry(out, entry(2))
    ledger, directory = ledger_path(out).stat(), out.parent.stat()
    expected = [ledger.st_ino, directory.st_ino, ledger.st_ino]
    assert [each.st_ino for each in synced] == expected
    assert synced[0].st_size == ledger.st_size // 2  # it was written by then
    assert synced[2].st_size == ledger.st_size


def test_a_torn_line_stays_alone_wherever_it_was_cut(out: Path) -> None:
    append_entry(out, entry(1))
    first = ledger_path(out).read_bytes()
    append_entry(out, entry(2))
    whole = ledger_path(out).read_bytes()
    for size in range(len(whole) + 1):
        ledger_path(out).write_bytes(whole[:size])
        append_entry(out, entry(3))
        expected = [entry(1)] if size >= len(first) - 1 else []  # only the line feed is missing
        expected += [entry(2)] if size >= len(whole) - 1 else []
        assert read_entries(out) == [*expected, entry(3)]
        torn = 0 < size < len(first) - 1 or len(first) < size < len(whole) - 1
        assert list(iter_entries(out)).count(None) == torn


@pytest.mark.parametrize(
    "line", [b"", b"7", b"[]", b"null", b'{"a": 1} x', b'{"a": "\xff"}', b"\x00" * 9, b"[" * 9999]
)
def test_a_line_that_is_no_object_is_passed_over(line: bytes, out: Path) -> None:
    append_entry(out, entry(1))
    with ledger_path(out).open("ab") as file:
        file.write(line + b"\n")
    append_entry(out, entry(2))
    assert read_entries(out) == [entry(1), entry(2)]
    assert list(iter_entries(out)) == [entry(1), None, entry(2)]


def test_the_last_bytes_hold_the_lines_that_begin_in_them(out: Path) -> None:
    ends = [0]
    for run in range(3):
        append_entry(out, entry(10**run))  # of different lengths
        ends.append(ledger_path(out).stat().st_size)
    for last in range(ends[-1] + 10):
        expected = [entry(10**run) for run in range(3) if ends[run] >= ends[-1] - last]
        assert read_entries(out, last) == expected


def test_an_error_of_the_system_goes_through(tmp_path: Path, out: Path) -> None:
    with pytest.raises(FileNotFoundError):
        append_entry(tmp_path / "nowhere" / "o.csv", entry(1))
    ledger_path(out).mkdir()
    with pytest.raises(IsADirectoryError):
        append_entry(out, entry(1))
    with pytest.raises(IsADirectoryError):
        read_entries(out)


def test_a_line_that_found_no_room_is_an_error_and_spoils_nothing(out: Path) -> None:
    append_entry(out, entry(1))
    size = ledger_path(out).stat().st_size
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from fastingest.storage.ledger import append_entry\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 10}, {resource.RLIM_INFINITY}))\n"
        "try: append_entry(Path(sys.argv[1]), {'run': 2, 'more': 'than ten bytes'})\n"
        "except OSError as error: sys.exit(error.errno)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(out)], check=False, timeout=60)
    assert ended.returncode == errno.EFBIG
    assert ledger_path(out).stat().st_size == size  # what was written of it is cut off again
    append_entry(out, entry(3))
    assert read_entries(out) == [entry(1), entry(3)]


def test_the_ledger_does_not_load_what_its_processes_do_not_need() -> None:
    script = (
        "import sys; import fastingest.storage.ledger\n"
        "print([name for name in ('polars', 'rich', 'cyclopts') if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout == "[]\n"
