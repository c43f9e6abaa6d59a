from __future__ import annotations

import csv
import io
import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest import HeaderMismatch, OutputLocked, OutputRefused, WriteFailed
from fastingest.writer import csv_file
from fastingest.writer.csv_file import CsvFile, OutputLock, beside, check_output, end_of_rows

HEADER = "symbol,price,volume"


def _frame(*symbols: str) -> pl.DataFrame:
    count = len(symbols)
    return pl.DataFrame({"symbol": symbols, "price": [1.5] * count, "volume": [2] * count})


def test_the_header_comes_once_and_rows_are_appended_by_later_runs(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    for symbols in (["A"], ["B", "C"]):
        file = CsvFile(path, HEADER)
        file.append(_frame(*symbols))
        assert file.size == path.stat().st_size
        assert file.torn == b""
        file.close()
    assert path.read_text() == f"{HEADER}\nA,1.5,2\nB,1.5,2\nC,1.5,2\n"


@pytest.mark.parametrize("size", range(len(HEADER) + 1))
def test_a_header_that_was_cut_short_is_written_again(tmp_path: Path, size: int) -> None:
    path = tmp_path / "out.csv"
    path.write_text(HEADER[:size])
    file = CsvFile(path, HEADER)
    file.close()
    assert path.read_text() == HEADER + "\n"
    assert file.torn == b""


def _repaired(path: Path) -> bytes:
    """Open the file, cut off what is torn; that piece."""
    file = CsvFile(path, HEADER)
    torn = file.torn
    if torn:
        file.cut_torn()
    assert file.size == path.stat().st_size
    file.close()
    return torn


def test_a_file_cut_at_every_byte_is_repaired_to_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    rows = ["A,1.5,2\n", '"line\nbreak",1.5,2\n', '"quo""te",1.5,2\n', '"é,",1.5,2\n', "B,1,\n"]
    whole = (HEADER + "\n" + "".join(rows)).encode()
    ends = [len((HEADER + "\n" + "".join(rows[:n])).encode()) for n in range(len(rows) + 1)]
    inside = whole.index(b"break")  # the cut behind a line feed in a cell looks like a whole line
    for size in range(ends[0], len(whole) + 1):
        path.write_bytes(whole[:size])
        torn = _repaired(path)
        end = size if size == inside else max(end for end in ends if end <= size)
        assert path.read_bytes() == whole[:end], size
        assert torn == whole[end:size]


def test_a_lone_quote_does_not_tear_off_the_rows_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    rows = f'{HEADER}\nA,1,1\n5" pipe,1.5,10\n' + "B,2,2\n" * 1000
    for torn in ("", "C,3.", 'C"'):
        path.write_text(rows + torn)
        assert _repaired(path) == torn.encode()
        assert path.read_text() == rows


@given(
    st.lists(st.text(st.sampled_from('a",\n\ré'), max_size=6), min_size=1, max_size=30),
    st.integers(0, 20),
    st.integers(1, 7),
)
def test_the_end_of_rows_is_where_a_csv_reader_sees_it(
    cells: list[str], cut: int, chunk: int
) -> None:
    text = io.StringIO()
    ends = [0]
    for cell in cells:
        csv.writer(text, lineterminator="\n").writerow([cell, "x"])
        ends.append(len(text.getvalue().encode()))
    data = text.getvalue().encode()[: max(0, ends[-1] - cut)]
    before, csv_file._CHUNK = csv_file._CHUNK, chunk  # so that rows lie across chunks
    try:
        assert end_of_rows(io.BufferedReader(io.BytesIO(data))) == max(
            end for end in ends if end <= len(data)
        )
    finally:
        csv_file._CHUNK = before


@pytest.mark.parametrize(
    "content",
    ["time,price\n1,2\n", "symbol,price\n", "\ufeffsymbol,price,volume\n", "garbage", "\n"],
)
def test_a_file_with_other_columns_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "out.csv"
    path.write_text(content)
    with pytest.raises(HeaderMismatch) as refused:
        check_output(path, HEADER)
    assert repr(content.split("\n", maxsplit=1)[0]) in str(refused.value)
    assert repr(HEADER) in str(refused.value)
    with pytest.raises(HeaderMismatch):
        CsvFile(path, HEADER)
    assert path.read_text() == content


def test_what_cannot_be_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputRefused, match="is a directory"):
        check_output(tmp_path, HEADER)
    with pytest.raises(OutputRefused, match="does not exist"):
        check_output(tmp_path / "none" / "out.csv", HEADER)
    with pytest.raises(OutputRefused, match="not a regular file"):
        check_output(Path("/dev/full"), HEADER)
    (tmp_path / "file").touch()
    with pytest.raises(OutputRefused, match="does not exist"):
        check_output(tmp_path / "file" / "out.csv", HEADER)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_place_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputRefused, match="Permission denied"):
        check_output(tmp_path / "out.csv", HEADER)


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """No file may grow past ``size`` bytes; a write that would gets EFBIG instead of a signal."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_failed_append_leaves_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    file = CsvFile(path, HEADER)
    file.append(_frame("A"))
    before = path.read_bytes()
    with (
        _largest_file(len(before) + 100),
        pytest.raises(WriteFailed, match="could not be appended"),
    ):
        file.append(_frame(*["B"] * 1000))
    assert path.read_bytes() == before
    file.append(_frame("C"))  # the file is still good
    file.close()
    assert path.read_bytes() == before + b"C,1.5,2\n"


def _hold(lock: OutputLock, ready: Connection) -> None:
    ready.send(None)
    ready.recv()  # until told to die


def test_a_second_run_is_told_who_writes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    first = OutputLock(path)
    with pytest.raises(OutputLocked, match=f"process {os.getpid()} is writing it") as refused:
        OutputLock(path)
    assert refused.value.holder == os.getpid()
    first.release()
    assert list(tmp_path.iterdir()) == []
    OutputLock(path).release()


def test_a_child_that_was_given_the_lock_holds_it_as_well(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    lock = OutputLock(path)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_hold, args=(lock, theirs))
    child.start()
    ours.recv()
    os.close(lock._descriptor)  # as if this process had died
    with pytest.raises(OutputLocked):
        OutputLock(path)
    child.kill()
    child.join()
    ours.close()
    theirs.close()
    OutputLock(path).release()


def test_two_names_of_a_file_have_one_lock(tmp_path: Path) -> None:
    (tmp_path / "other.csv").symlink_to(tmp_path / "out.csv")
    lock = OutputLock(tmp_path / "out.csv")
    with pytest.raises(OutputLocked):
        OutputLock(tmp_path / "other.csv")
    lock.release()


def test_a_hard_link_is_the_same_file(tmp_path: Path) -> None:
    file = CsvFile(tmp_path / "out.csv", HEADER)
    (tmp_path / "other.csv").hardlink_to(tmp_path / "out.csv")
    with pytest.raises(OutputLocked, match="another process is writing it"):
        CsvFile(tmp_path / "other.csv", HEADER)
    file.close()
    CsvFile(tmp_path / "other.csv", HEADER).close()


def test_a_lock_file_that_was_left_behind_does_not_lock(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    beside(path, ".lock").write_text("1\n")
    OutputLock(path).release()
