"""Files that have nothing but a header: which of them other columns may replace."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from fastingest.errors import HeaderMismatch
from fastingest.storage.bare_header import BareHeader, bare_header, remove_bare_header
from fastingest.storage.csv_file import CsvFile, check_output
from fastingest.storage.ledger import Region, append_entry, ledger_path, read_entries
from fastingest.verify.verify import verify

OLD, NEW = "a,b", "symbol,price,volume"


def told(out: Path, header: str = OLD, rows: int = 0, **more: Any) -> None:
    """A run's line in the ledger."""
    start = len(header) + 1
    region = Region(start, start + 4 * rows, rows, 0)
    line = {"run": 7, "header": header, "written": rows, "file": region.to_json()}
    append_entry(out, line | more)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    path = tmp_path / "out.csv"
    path.write_text(f"{OLD}\n")
    return path


def test_a_header_that_no_run_has_a_row_under_is_replaced(out: Path) -> None:
    told(out)
    check_output(out, NEW)
    assert bare_header(out) == BareHeader(OLD, 7)
    assert remove_bare_header(out, NEW) == OLD
    assert out.read_bytes() == b""
    CsvFile(out, NEW).close()
    assert out.read_text() == f"{NEW}\n"
    told(out, NEW, run=8)
    assert verify(out).agrees


def test_a_header_may_go_over_several_lines(out: Path) -> None:
    header = '"a\nb",c'
    out.write_text(f"{header}\n")
    told(out, header)
    assert remove_bare_header(out, NEW) == header


def test_the_same_header_stays(out: Path) -> None:
    told(out)
    assert remove_bare_header(out, OLD) is None
    assert out.read_text() == f"{OLD}\n"
    assert len(read_entries(out)) == 1


@pytest.mark.parametrize(
    "content", [f"{OLD}\n1,2\n", f"{OLD}\n\n", OLD, f"{OLD}\r\n", "x,y\n", f"{OLD}\n1", "", "\n"]
)
def test_a_file_that_has_anything_else_stays(out: Path, content: str) -> None:
    told(out)
    out.write_bytes(content.encode())
    assert bare_header(out) is None
    assert remove_bare_header(out, NEW) is None
    assert out.read_bytes() == content.encode()


@pytest.mark.parametrize("said", [{"rows": 1}, {"written": 3}, {"kept": 1}, {"set_aside": 1}])
def test_one_under_which_rows_were_received_stays(out: Path, said: dict[str, Any]) -> None:
    told(out, **said)
    told(out, run=8)
    assert remove_bare_header(out, NEW) is None
    with pytest.raises(HeaderMismatch):
        check_output(out, NEW)
    assert out.read_text() == f"{OLD}\n"


def test_rows_that_have_gone_with_another_file_are_no_rows_of_this_one(out: Path) -> None:
    told(out, rows=5)
    append_entry(out, {"run": 7, "ended": "moved", "file": Region(4, 24, 5, 0).to_json()})
    assert remove_bare_header(out, NEW) == OLD


def test_one_without_a_ledger_stays(out: Path) -> None:
    with pytest.raises(HeaderMismatch):
        check_output(out, NEW)
    assert remove_bare_header(out, NEW) is None
    assert not ledger_path(out).exists()


def test_one_that_was_not_replaced_to_the_end_is_replaced_by_the_next_start(out: Path) -> None:
    """The ledger was told, and then the machine stopped."""
    told(out)
    append_entry(out, {"run": 7, "ended": "truncated", "file": Region(0, 0, 0, 0).to_json()})
    assert remove_bare_header(out, NEW) == OLD


def test_one_that_is_open_elsewhere_stays(out: Path) -> None:
    told(out)
    descriptor = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            remove_bare_header(out, NEW)
    finally:
        os.close(descriptor)
    assert out.read_text() == f"{OLD}\n"
