"""Real files, and others that change them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest import WriteFailed
from fastingest.storage import torn_tail
from fastingest.storage.append_file import AppendFile
from fastingest.storage.ownership import open_output
from tests.support.limits import largest_file

BATCH = b"one,1\ntwo,2\nthree,3\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "o"


@pytest.fixture
def file(path: Path) -> Iterator[AppendFile]:
    file = AppendFile(path)
    yield file
    file.close()


def append_to(path: Path, data: bytes) -> None:
    """As another program does."""
    with path.open("ab") as file:
        file.write(data)


def state(file: AppendFile) -> tuple[int, int, bool]:
    return file.size, file.length, file.unsure


def test_it_is_made_where_there_is_none(path: Path) -> None:
    file = AppendFile(path)
    assert path.read_bytes() == b""
    assert state(file) == (0, 0, True)
    assert file.inode == path.stat().st_ino
    file.close()


def test_what_is_there_is_settled(path: Path) -> None:
    path.write_bytes(b"before\n")
    file = AppendFile(path)
    assert state(file) == (7, 7, True)
    file.close()


def test_a_second_one_is_refused_whatever_the_name(path: Path, tmp_path: Path) -> None:
    file = AppendFile(path)
    (tmp_path / "hard").hardlink_to(path)
    (tmp_path / "soft").symlink_to(path)
    for name in ("o", "hard", "soft"):
        with pytest.raises(BlockingIOError):
            AppendFile(tmp_path / name, open_output)
    file.close()
    AppendFile(tmp_path / "hard").close()


def test_a_place_where_none_can_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AppendFile(tmp_path / "nowhere" / "o")
    with pytest.raises(IsADirectoryError):
        AppendFile(tmp_path)


def test_what_is_appended_is_there_in_order(path: Path) -> None:
    path.write_bytes(b"0\n")
    file = AppendFile(path)
    assert file.append(b"1\n") == 2
    assert file.append(memoryview(b"2\n")) == 4
    assert file.append(b"") == 6
    assert path.read_bytes() == b"0\n1\n2\n"
    assert (file.size, file.length, file.changed()) == (6, 6, None)
    file.sync()
    file.close()


def test_reading_ends_with_the_file(file: AppendFile) -> None:
    file.append(b"0123456789")
    assert file.read(2, 5) == b"234"
    assert file.read(8, 50) == b"89"
    assert file.read(10, 50) == b""
    assert file.read(50, 60) == b""
    assert file.read(5, 5) == b""


# Whether the next bytes are there already


@pytest.fixture
def reopened(path: Path) -> Iterator[Callable[[bytes], AppendFile]]:
    """The file as a dead writer left it: ``tail`` behind what is committed."""
    files: list[AppendFile] = []

    def reopen(tail: bytes) -> AppendFile:
        for file in files:
            file.close()
        path.write_bytes(b"committed\n" + tail)
        files[:] = [AppendFile(path)]
        files[0].size = len(b"committed\n")
        return files[0]

    yield reopen
    for file in files:
        file.close()


def test_a_batch_that_is_there_is_not_appended_again(
    reopened: Callable[[bytes], AppendFile], path: Path
) -> None:
    file = reopened(BATCH)
    assert file.has(BATCH) is True
    assert state(file) == (30, 30, False)
    assert file.changed() is None
    assert file.has(BATCH) is False  # the same once more is another batch
    assert file.append(BATCH) == 30
    assert path.read_bytes() == b"committed\n" + BATCH * 2


def test_a_piece_of_a_batch_is_cut_off_wherever_it_ends(
    reopened: Callable[[bytes], AppendFile], path: Path
) -> None:
    for size in range(len(BATCH)):
        file = reopened(BATCH[:size])
        assert file.has(memoryview(BATCH)) is False
        assert state(file) == (10, 10, False), size
        assert path.read_bytes() == b"committed\n"
        assert file.append(BATCH) == 10


@pytest.mark.parametrize(
    "tail", [b"x", b"one,1\ntwX", b"one,1\n\n", BATCH[1:], b"X" * 20, b"X" * 99, BATCH[:-1] + b"X"]
)
def test_what_is_not_ours_stays(
    tail: bytes, reopened: Callable[[bytes], AppendFile], path: Path
) -> None:
    file = reopened(tail)
    assert file.has(BATCH) is False
    assert state(file) == (10, 10 + len(tail), False)
    assert file.changed() == "appended"
    assert path.read_bytes() == b"committed\n" + tail


@pytest.mark.parametrize("behind", [b"x", b"x\n", BATCH, BATCH[:7]])
def test_what_is_behind_a_batch_that_is_there_is_asked_about_next(
    behind: bytes, reopened: Callable[[bytes], AppendFile], path: Path
) -> None:
    """A journal that lost its newest entries is older than the file by several batches."""
    file = reopened(BATCH + behind)
    assert file.has(BATCH) is True
    assert state(file) == (30, 30 + len(behind), True)
    assert file.changed() == "appended"
    assert file.has(BATCH) is (behind == BATCH)
    assert (file.size, file.unsure) == (50 if behind == BATCH else 30, False)
    ours = b"" if BATCH.startswith(behind) and behind != BATCH else behind
    assert path.read_bytes() == b"committed\n" + BATCH + ours


def test_nothing_is_never_there(reopened: Callable[[bytes], AppendFile]) -> None:
    file = reopened(BATCH)
    assert file.has(b"") is False
    assert file.has(memoryview(b"")) is False
    assert state(file) == (10, 30, True)  # still to be asked


def test_a_batch_of_which_others_wrote_the_same_rows_is_there(
    reopened: Callable[[bytes], AppendFile],
) -> None:
    file = reopened(BATCH[:6])
    file.append(BATCH[6:])  # as if by another, who had seen it
    file.size = 10
    file.unsure = True
    assert file.has(BATCH) is True


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=6), st.data())
def test_batches_land_once_wherever_a_writer_died(
    tmp_path_factory: pytest.TempPathFactory, batches: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("died") / "o"
    whole = b"".join(batches)
    left = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:left])
    file = AppendFile(path)
    file.size = 0
    for batch in batches:
        if not file.has(batch):
            file.append(batch)
    assert path.read_bytes() == whole
    assert file.changed() is None
    file.close()


# Changes by others


def test_every_change_has_its_name(path: Path, tmp_path: Path) -> None:
    def appended() -> None:
        append_to(path, b"x\n")

    def truncated() -> None:
        path.write_bytes(b"")

    def shorter() -> None:
        path.write_bytes(b"0123456\n"[:7])

    def moved() -> None:
        path.rename(tmp_path / "elsewhere")

    def replaced() -> None:
        path.rename(tmp_path / "elsewhere")
        path.write_bytes(b"0123456\n")

    def renamed_over() -> None:
        (tmp_path / "new").write_bytes(b"0123456\n")
        (tmp_path / "new").rename(path)

    def linked_and_renamed_over() -> None:
        (tmp_path / "kept").hardlink_to(path)
        renamed_over()

    def moved_to_a_directory() -> None:
        path.rename(tmp_path / "elsewhere")
        path.mkdir()

    def nothing() -> None:
        path.chmod(0o600)

    cases: list[tuple[Callable[[], None], str | None]] = [
        (nothing, None),
        (appended, "appended"),
        (truncated, "truncated"),
        (shorter, "truncated"),
        (moved, "moved"),
        (path.unlink, "deleted"),
        (replaced, "moved"),
        (renamed_over, "deleted"),
        (linked_and_renamed_over, "moved"),
        (moved_to_a_directory, "moved"),
    ]
    for change, expected in cases:
        file = AppendFile(path)
        file.append(b"0123456\n")
        assert file.changed() is None
        change()
        assert file.changed() == expected, change.__name__
        file.close()
        for each in tmp_path.iterdir():
            each.rmdir() if each.is_dir() else each.unlink()


def test_what_is_appended_to_a_file_moved_away_is_in_it(path: Path, tmp_path: Path) -> None:
    file = AppendFile(path)
    file.append(b"1\n")
    path.rename(tmp_path / "moved")
    assert file.append(b"2\n") == 2
    assert (tmp_path / "moved").read_bytes() == b"1\n2\n"
    assert not path.exists()
    file.close()


# Writes that fail


@pytest.mark.parametrize("room", [0, 1, 6, 19])
def test_a_write_that_fails_leaves_nothing(room: int, path: Path) -> None:
    file = AppendFile(path)
    file.append(b"before\n")
    with largest_file(7 + room), pytest.raises(WriteFailed) as failed:
        file.append(BATCH)
    assert (failed.value.path, failed.value.problem) == (
        path,
        "cannot be appended to: File too large",
    )
    assert path.read_bytes() == b"before\n"
    assert state(file) == (7, 7, True)
    assert file.changed() is None
    assert file.has(BATCH) is False
    assert file.append(BATCH) == 7
    assert path.read_bytes() == b"before\n" + BATCH
    file.close()


def test_a_disk_without_any_room_is_an_error_with_its_name() -> None:
    file = AppendFile(Path("/dev/full"), open_output)
    with pytest.raises(WriteFailed, match="cannot be appended to: No space left on device"):
        file.append(b"x\n")
    file.close()


# Another program that appends at the same moment


def test_rows_that_came_in_between_are_not_taken_for_ours(path: Path) -> None:
    """Between the question whether anything has changed and the write."""
    file = AppendFile(path)
    file.append(b"1\n")
    append_to(path, b"theirs\n")
    assert file.append(b"2\n") == 9
    assert (file.size, file.changed()) == (11, None)
    append_to(path, b"more of theirs\n")
    assert file.changed() == "appended"
    file.close()


@pytest.mark.parametrize("rest", [b"irs\n", b"irs\nmore\n", b"irs\nmor"], ids=repr)
def test_a_line_that_another_had_begun_is_ended_before_ours(path: Path, rest: bytes) -> None:
    file = AppendFile(path)
    file.append(b"1\n")
    append_to(path, b"the")
    timer = threading.Timer(0.1, append_to, (path, rest))
    timer.start()
    start = file.append(b"2\n3\n")
    timer.join()
    line, feed, more = rest.partition(b"\n")
    assert path.read_bytes() == b"1\nthe" + line + feed + b"2\n3\n" + more
    assert path.read_bytes()[start : file.size] == b"2\n3\n"
    file.append(b"4\n") if not more else None  # at the end again, wherever it wrote before
    assert path.read_bytes().endswith(more or b"3\n4\n")
    file.close()


@pytest.mark.parametrize("rest", [b"", b"irs"], ids=repr)
def test_a_line_that_another_has_begun_and_never_ends_is_no_place_for_ours(
    path: Path, rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torn_tail, "PATIENCE", 0.3)
    file = AppendFile(path)
    file.append(b"1\n")
    append_to(path, b"the")
    timer = threading.Timer(0.1, append_to, (path, rest))
    timer.start()
    with pytest.raises(WriteFailed, match="in the middle of a line"):
        file.append(b"2\n3\n")
    timer.join()
    assert path.read_bytes() == b"1\nthe" + rest
    assert file.changed() == "appended"
    file.close()


def test_two_programs_that_append_all_the_time(path: Path) -> None:
    script = (
        "import sys\n"
        "with open(sys.argv[1], 'ab', buffering=0) as file:\n"
        "    print(flush=True)\n"
        "    for number in range(5000): file.write(b'theirs %d\\n' % number)\n"
    )
    file = AppendFile(path)
    other = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()
    ours: list[tuple[int, bytes]] = []
    number = 0
    while other.poll() is None or number < 100:
        row = b"ours %d\n" % number
        ours.append((file.append(row), row))
        number += 1
    assert other.wait() == 0
    other.stdout.close()
    file.close()
    data = path.read_bytes()
    assert all(data[offset : offset + len(row)] == row for offset, row in ours)
    lines = data.splitlines(keepends=True)
    assert [line for line in lines if line.startswith(b"ours")] == [row for _, row in ours]
    theirs = [line for line in lines if line.startswith(b"theirs")]
    assert theirs == [b"theirs %d\n" % each for each in range(5000)]


def test_a_write_that_fails_behind_other_rows_spoils_none(path: Path) -> None:
    """What is cut off is never what others have appended."""
    file = AppendFile(path)
    file.append(b"1\n")
    append_to(path, b"theirs\n")
    with largest_file(12), pytest.raises(WriteFailed):
        file.append(BATCH)
    assert path.read_bytes() == b"1\ntheirs\n" + BATCH[:3]
    assert file.changed() == "appended"
    assert file.has(BATCH) is False
    assert path.read_bytes() == b"1\ntheirs\n" + BATCH[:3]
    file.close()


def test_it_can_be_used_from_the_thread_that_syncs(path: Path) -> None:
    file = AppendFile(path)
    threads = [threading.Thread(target=file.sync) for _ in range(4)]
    for thread in threads:
        thread.start()
        file.append(b"row\n")
    for thread in threads:
        thread.join()
    assert path.read_bytes() == b"row\n" * 4
    file.close()
