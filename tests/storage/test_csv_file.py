from __future__ import annotations

import csv
import errno
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest import HeaderMismatch, OutputLocked, OutputRefused, WriteFailed
from fastingest.storage import csv_file
from fastingest.storage.base import Part, Sink
from fastingest.storage.csv_file import CsvFile, check_output, end_of_rows
from fastingest.storage.lock import OutputLock
from fastingest.storage.names import beside
from tests.support.limits import largest_file, read_only
from tests.support.privileges import under_file_modes

HEADER = "symbol,price,volume"


def _rows(*symbols: str) -> bytes:
    return "".join(f"{symbol},1.5,2\n" for symbol in symbols).encode()


def test_the_header_comes_once_and_rows_are_appended_by_later_runs(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    for symbols in (["A"], ["B", "C"]):
        file = CsvFile(path, HEADER)
        start = file.size
        assert file.append(_rows(*symbols)) == start
        assert file.size == path.stat().st_size
        assert file.torn().piece == b""
        file.close()
    assert path.read_text() == f"{HEADER}\nA,1.5,2\nB,1.5,2\nC,1.5,2\n"


def test_it_is_a_sink_whose_part_is_the_file_as_far_as_it_is_settled(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    file = CsvFile(path, HEADER)
    sink: Sink = file
    start = len(HEADER) + 1
    assert sink.part == Part(path.stat().st_ino, start)
    assert sink.append(_rows("A")) == start
    sink.sync()
    with path.open("ab") as other:
        other.write(b"FOREIGN")
    assert sink.part == Part(path.stat().st_ino, path.stat().st_size - len(b"FOREIGN"))
    file.close()


@pytest.mark.parametrize("size", range(len(HEADER) + 1))
def test_a_header_that_was_cut_short_is_written_again(tmp_path: Path, size: int) -> None:
    path = tmp_path / "out.csv"
    path.write_text(HEADER[:size])
    file = CsvFile(path, HEADER)
    assert path.read_text() == HEADER + "\n"
    assert (file.size, file.length, file.torn().piece) == (20, 20, b"")
    file.close()


def _repaired(path: Path) -> bytes:
    """Open the file, cut off what is torn; that piece."""
    file = CsvFile(path, HEADER)
    torn = file.torn()
    assert file.size == path.stat().st_size
    assert file.cut_torn(torn) or not torn.piece
    assert file.torn().piece == b""
    file.close()
    return torn.piece


def test_a_torn_row_that_is_gone_on_with_is_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text(HEADER + "\nA,1.5,2\nB,2.")
    file = CsvFile(path, HEADER)
    torn = file.torn()
    assert torn == (28, b"B,2.")
    for later in ("B,2.5", "B,2", "C,2.", ""):
        path.write_text(HEADER + "\nA,1.5,2\n" + later)
        assert not file.cut_torn(torn), later
        assert path.read_text() == HEADER + "\nA,1.5,2\n" + later
    path.write_text(HEADER + "\nA,1.5,2\nB,2.")
    assert file.cut_torn(torn)
    assert path.read_text() == HEADER + "\nA,1.5,2\n"
    file.close()


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


def test_an_unwritable_place_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputRefused, match="Permission denied"):
        under_file_modes(lambda: check_output(tmp_path / "out.csv", HEADER))


def test_a_failed_append_leaves_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    file = CsvFile(path, HEADER)
    file.append(_rows("A"))
    before = path.read_bytes()
    with (
        largest_file(len(before) + 100),
        pytest.raises(WriteFailed, match="cannot be appended to: File too large"),
    ):
        file.append(_rows(*["B"] * 1000))
    assert path.read_bytes() == before
    assert (file.changed(), file.torn().piece) == (None, b"")
    file.append(_rows("C"))  # the file is still good
    file.close()
    assert path.read_bytes() == before + b"C,1.5,2\n"


@pytest.mark.parametrize("room", [0, 1, len(HEADER)])
def test_a_header_that_found_no_room_is_refused_and_leaves_nothing(
    room: int, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    with largest_file(room), pytest.raises(OutputRefused, match="cannot be written: "):
        CsvFile(path, HEADER)
    assert path.read_bytes() == b""
    CsvFile(path, HEADER).close()
    assert path.read_text() == HEADER + "\n"


@pytest.mark.parametrize("room", [0, 7])
def test_a_header_after_a_truncation_that_found_no_room_is_still_missing(
    room: int, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    file = CsvFile(path, HEADER)
    file.append(_rows("A"))
    path.write_bytes(b"")
    with largest_file(room), pytest.raises(OSError, match=r"large|space") as failed:
        file.begin()
    assert failed.value.errno in (errno.EFBIG, errno.ENOSPC)
    assert path.read_bytes() == b""
    assert file.changed() == "truncated"  # or rows would be written without a header
    file.begin()
    assert (path.read_text(), file.size, file.changed()) == (HEADER + "\n", 20, None)
    file.close()


@pytest.mark.parametrize("content", ["other,columns\n1,2\n", "garbage"])
def test_columns_of_others_in_an_emptied_file_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    file = CsvFile(path, HEADER)
    path.write_text(content)
    with pytest.raises(HeaderMismatch):
        file.begin()
    assert path.read_text() == content
    file.close()


def test_a_torn_row_is_looked_for_behind_a_place(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(f'{HEADER}\n"a lone quote,1,2\nA,1,2\n'.encode())
    file = CsvFile(path, HEADER)
    known = file.size
    for piece in (b"", b"B", b"B,1,2\nC,", b'"x\ny', b'B,1,2\n"x\ny'):
        path.write_bytes(path.read_bytes()[:known] + piece)
        assert file.torn(known).piece == piece.removeprefix(b"B,1,2\n"), piece
    file.close()


def test_a_stretch_is_measured_by_rows_and_checksum(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    rows = [b"A,1.5,2\n", b'"line\nbreak",1.5,2\n', '"é",1.5,\n'.encode(), b'"a""b",1,1\n']
    path.write_bytes(HEADER.encode() + b"\n" + b"".join(rows))
    file = CsvFile(path, HEADER)
    offsets = [20 + len(b"".join(rows[:count])) for count in range(5)]
    for first, start in enumerate(offsets):
        for last, end in enumerate(offsets[first:], first):
            assert file.measure(start, end) == (
                last - first,
                zlib.crc32(b"".join(rows[first:last])),
            )
    file.close()


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
    assert beside(path, ".lock").read_text() == f"{os.getpid()}\n{child.pid}\n"
    os.close(lock._descriptor)  # as if this process had died
    with pytest.raises(OutputLocked, match=f"process {child.pid} is writing it"):
        OutputLock(path)
    child.kill()
    child.join()
    ours.close()
    theirs.close()
    OutputLock(path).release()


def test_a_directory_under_another_name_has_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    lock = OutputLock(tmp_path / "data" / "out.csv")
    with pytest.raises(OutputLocked):
        OutputLock(tmp_path / "link" / "out.csv")
    lock.release()


@pytest.mark.parametrize("link", [Path.hardlink_to, Path.symlink_to])
def test_a_link_is_the_same_file(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    file = CsvFile(tmp_path / "out.csv", HEADER)
    link(tmp_path / "other.csv", tmp_path / "out.csv")
    with pytest.raises(OutputLocked, match="another process is writing it"):
        CsvFile(tmp_path / "other.csv", HEADER)
    file.close()
    CsvFile(tmp_path / "other.csv", HEADER).close()


def test_a_lock_file_that_was_left_behind_does_not_lock(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    beside(path, ".lock").write_text("1\n")
    OutputLock(path).release()


# A run whose supervisor was killed: its children hold the lock until they notice.

_DEAD_HOLDER = """
import os, sys, time
from pathlib import Path
from fastingest.storage.lock import OutputLock
lock = OutputLock(Path(sys.argv[1]))
os.set_inheritable(lock._descriptor, True)
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    os.close(1)
    sys.stdin.buffer.read()  # until our parent's parent closes it
    os._exit(0)
print(os.getpid(), child, flush=True)
os._exit(0)
"""


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A dead process that had the lock of out.csv and wrote its pid there, and its child has it."""
    process = subprocess.Popen(
        [sys.executable, "-c", _DEAD_HOLDER, str(tmp_path / "out.csv")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    holder, child = map(int, process.stdout.read().split())
    assert process.wait() == 0
    assert holder == process.pid
    yield process, child
    process.stdin.close()
    process.stdout.close()


def test_the_children_of_a_dead_run_are_waited_for(
    orphan: tuple[subprocess.Popen[bytes], int], tmp_path: Path
) -> None:
    _, child = orphan
    with pytest.raises(OutputLocked) as locked:
        OutputLock(tmp_path / "out.csv", patience=0)
    assert locked.value.holder in (child, None)  # None where processes cannot be looked at
    killer = threading.Timer(0.2, os.kill, (child, signal.SIGKILL))
    killer.start()
    lock = OutputLock(tmp_path / "out.csv", patience=60)
    killer.join()
    assert beside(tmp_path / "out.csv", ".lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_a_child_that_does_not_end_is_waited_for_so_long_only(
    orphan: tuple[subprocess.Popen[bytes], int], tmp_path: Path
) -> None:
    begin = time.monotonic()
    with pytest.raises(OutputLocked):
        OutputLock(tmp_path / "out.csv", patience=0.2)
    assert time.monotonic() - begin >= 0.2
    os.kill(orphan[1], 0)  # it is still there


def test_a_live_run_is_not_waited_for(tmp_path: Path) -> None:
    """With patience for hours, this would not end."""
    lock = OutputLock(tmp_path / "out.csv")
    with pytest.raises(OutputLocked):
        OutputLock(tmp_path / "out.csv", patience=1e9)
    lock.release()


# What is not ours


def test_what_has_the_locks_name_and_is_not_ours_is_refused_by_name(tmp_path: Path) -> None:
    path, treasure = tmp_path / "out.csv", tmp_path / "treasure"
    name = beside(path, ".lock")
    treasure.write_text("gold")
    for what, problem in {
        "link": "is a link, and may lead anywhere; move it away",
        "hard link": "has another name as well",
        "pipe": "is not a regular file; move it away",
    }.items():
        match what:
            case "link":
                name.symlink_to(treasure)
            case "hard link":
                name.hardlink_to(treasure)
            case "pipe":
                os.mkfifo(name)
        with pytest.raises(OutputRefused, match=problem) as refused:
            OutputLock(path)
        assert refused.value.path == name
        assert treasure.read_text() == "gold"
        name.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_lock_of_somebody_is_refused_by_name(tmp_path: Path) -> None:
    name = tmp_path / "out.csv.lock"
    name.write_text("theirs")
    os.chown(name, 12345, 12345)
    with pytest.raises(OutputRefused, match="belongs to user 12345") as refused:
        OutputLock(tmp_path / "out.csv")
    assert refused.value.path == name
    assert name.read_text() == "theirs"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_an_output_of_somebody_in_a_directory_for_anybody_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text(HEADER + "\n")
    os.chown(path, 12345, 12345)
    check_output(path, HEADER)
    CsvFile(path, HEADER).close()
    tmp_path.chmod(0o1777)
    try:
        for refuse in (check_output, CsvFile):
            with pytest.raises(OutputRefused, match=r"user 12345|Permission denied"):
                refuse(path, HEADER)
    finally:
        tmp_path.chmod(0o700)


# The end of a lock


def test_a_lock_on_a_disk_that_has_become_read_only_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    lock = OutputLock(path)
    with read_only(tmp_path):
        lock.release()
        assert beside(path, ".lock").exists()
        with pytest.raises(OutputRefused, match="is mounted read-only"):
            OutputLock(path)
    OutputLock(path).release()
    assert not beside(path, ".lock").exists()


def test_a_lock_whose_directory_is_gone_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    lock = OutputLock(tmp_path / "data" / "out.csv")
    beside(tmp_path / "data" / "out.csv", ".lock").unlink()
    (tmp_path / "data").rmdir()
    (tmp_path / "data").touch()
    lock.release()


@pytest.mark.parametrize("text", ["", "garbage", "-1"])
def test_a_holder_that_does_not_say_who_it_is_is_not_waited_for(text: str, tmp_path: Path) -> None:
    lock = OutputLock(tmp_path / "out.csv")
    beside(tmp_path / "out.csv", ".lock").write_text(text)
    with pytest.raises(OutputLocked, match="another process is writing it") as locked:
        OutputLock(tmp_path / "out.csv", patience=1e9)
    assert locked.value.holder is None
    lock.release()


def test_a_place_without_room_for_a_lock_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputRefused, match="cannot be written: No such file"):
        OutputLock(tmp_path / "nowhere" / "out.csv")
