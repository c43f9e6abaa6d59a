"""A disk that cannot be synced, and a system that drops what it could not write.

The syncs are made to fail in this process; what the system drops is written over with zeroes, as
they stand in the file then.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest import WriteFailed
from fastingest.storage.journal import journal_path, read_journal
from fastingest.storage.names import beside
from fastingest.storage.reject_line import to_lines
from fastingest.verify.verify import verify
from tests.support.builders import LAYOUT
from tests.support.output_writer import (
    HEADER,
    Writer,
    append_row,
    move,
    rows,
    without_journal,
)

pytestmark = pytest.mark.usefixtures("impatient")


class Disk:
    """Which files have been synced, and which cannot be."""

    def __init__(self) -> None:
        self.failing: set[Path] = set()
        self.synced: list[int] = []
        self._fsync = os.fsync

    def fsync(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        if inode in {path.stat().st_ino for path in self.failing if path.exists()}:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._fsync(descriptor)
        self.synced.append(inode)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk.fsync)
    return disk


@pytest.fixture
def synced_writer(tmp_path: Path) -> Iterator[Writer]:
    """One that commits a batch when it is on the disk."""
    writer = Writer(tmp_path / "o.csv", syncs_each=True)
    yield writer
    writer.close()


def files_of(writer: Writer) -> dict[str, Path]:
    rejects = beside(writer.path, ".rejected.jsonl")
    return {"rows": writer.path, "rejects": rejects, "journal": journal_path(writer.path)}


def drop(writer: Writer, start: int, end: int) -> None:
    """The system has dropped these bytes of the file."""
    with writer.path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(end - start))


def fail_to_sync(writer: Writer, disk: Disk, path: Path) -> None:
    disk.failing = {path}
    with pytest.raises(WriteFailed, match="cannot be synced: Input/output error") as failed:
        writer.output.sync()
    assert failed.value.path == path
    disk.failing = set()


def test_a_sync_puts_all_three_files_on_the_disk(writer: Writer, disk: Disk) -> None:
    writer.commit(2, 1)
    writer.output.sync()
    assert disk.synced == [path.stat().st_ino for path in files_of(writer).values()]
    writer.output.secure()  # there is nothing to write again
    writer.check()
    assert writer.reports == []


@pytest.mark.parametrize("which", ["rows", "rejects", "journal"])
def test_after_a_sync_that_failed_only_securing_helps(
    which: str, writer: Writer, disk: Disk
) -> None:
    writer.commit(2, 1)
    fail_to_sync(writer, disk, files_of(writer)[which])
    for _ in range(2):
        with pytest.raises(WriteFailed, match="that has failed before"):
            writer.output.sync()
    writer.output.secure()
    writer.output.sync()
    assert writer.output.lost == Counter()
    writer.commit(3, 1)
    writer.check()
    assert writer.reports == []


def test_rows_that_the_system_has_dropped_are_lost_by_name(writer: Writer, disk: Disk) -> None:
    writer.commit(2)
    writer.output.sync()
    start = writer.entry.size
    writer.commit(3)
    end = writer.entry.size
    writer.commit(1)
    fail_to_sync(writer, disk, writer.path)
    drop(writer, start, end)
    writer.output.secure()
    assert writer.output.take_lost() == {"feed": 3}
    assert writer.output.take_lost() == {}
    assert writer.data == HEADER + rows(0, 2) + rows(5, 1)
    writer.check_entry()
    assert writer.output.feeds["feed"].written == writer.entry.written == 3
    recorded = read_journal(journal_path(writer.path))
    assert recorded is not None
    assert recorded.entries[0] == writer.entry
    writer.restart()
    writer.commit(2)
    assert writer.data == HEADER + rows(0, 2) + rows(5, 3)
    assert writer.entry.written == 5
    writer.end_run()
    assert verify(writer.path).problems == []


def test_where_others_stand_behind_what_was_dropped_its_bytes_stay(
    writer: Writer, disk: Disk
) -> None:
    writer.commit(2)
    start, end = len(HEADER), writer.entry.size
    append_row(writer)
    fail_to_sync(writer, disk, writer.path)
    drop(writer, start, end)
    writer.output.secure()
    assert writer.output.lost == {"feed": 2}
    assert writer.data == HEADER + bytes(end - start) + b"FOREIGN,1,1\n"
    assert (writer.entry.size, writer.entry.written) == (end, 0)


def test_a_count_that_could_not_be_set_right_is_before_anything_else(
    writer: Writer, disk: Disk
) -> None:
    writer.commit(2)
    fail_to_sync(writer, disk, writer.path)
    drop(writer, len(HEADER), writer.entry.size)
    bring_back = without_journal(writer)
    for _ in range(2):
        with pytest.raises(WriteFailed) as failed:
            writer.output.secure()
        assert failed.value.path == journal_path(writer.path)
    bring_back()
    writer.output.secure()
    assert writer.output.lost == {"feed": 2}
    writer.restart()
    assert (writer.entry.written, writer.output.feeds["feed"].written) == (0, 0)
    assert writer.data == HEADER


def test_rejects_that_the_system_has_dropped_are_said_to_be_gone(
    writer: Writer, disk: Disk
) -> None:
    writer.commit(0, 2)
    path = files_of(writer)["rejects"]
    fail_to_sync(writer, disk, path)
    size = path.stat().st_size
    path.write_bytes(bytes(size))
    writer.output.secure()
    what = "rejects that could not be synced are gone"
    assert writer.reports == [("error", what, {"bytes": size, "path": str(path)})]


def test_half_a_batch_is_not_secured(writer: Writer, disk: Disk) -> None:
    rejects = files_of(writer)["rejects"]
    rejects.mkdir()
    batch, text = writer.next(2, 1)
    with pytest.raises(WriteFailed):
        writer.output.commit(batch, text)
    fail_to_sync(writer, disk, writer.path)
    with pytest.raises(WriteFailed, match="cannot be synced in the middle of a batch"):
        writer.output.secure()
    rejects.rmdir()
    writer.commit(2, 1)
    writer.output.secure()
    writer.check()


# Each batch for itself


@pytest.mark.parametrize("which", ["rows", "rejects", "journal"])
def test_a_batch_that_cannot_be_synced_is_not_committed(
    which: str, synced_writer: Writer, disk: Disk
) -> None:
    writer = synced_writer
    writer.commit(2, 1)
    before, kept, entry = writer.data, writer.rejected, writer.entry
    disk.failing = {files_of(writer)[which]}
    batch, text = writer.next(3, 2)
    for _ in range(3):
        with pytest.raises(WriteFailed, match="cannot be synced"):
            writer.output.commit(batch, text)
        assert writer.output.position(0) == entry.position
        if which != "journal":  # it is taken out of the files
            assert writer.data == (before if which == "rows" else writer.data)
            assert writer.rejected == kept
    disk.failing = set()
    writer.commit(3, 2)
    writer.check()
    writer.restart()
    writer.check()


def test_a_batch_that_others_stand_behind_is_written_over_as_it_is(
    synced_writer: Writer, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = synced_writer
    writer.commit(2)
    batch, text = writer.next(3, 1)
    disk.failing = {writer.path}

    def fail_and_append(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == writer.path.stat().st_ino:
            append_row(writer)
        disk.fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_and_append)
    with pytest.raises(WriteFailed, match="cannot be synced"):
        writer.output.commit(batch, text)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    disk.failing = set()
    whole = HEADER + rows(0, 5) + b"FOREIGN,1,1\n"
    assert writer.data == whole
    drop(writer, len(HEADER + rows(0, 2)), len(HEADER + rows(0, 5)))
    writer.commit(3, 1)
    assert writer.data == whole
    assert writer.rejected == to_lines(writer.rejects, LAYOUT.feed)
    assert writer.entry.written == 5


# A file that is left


def test_a_file_that_was_moved_is_synced_before_it_is_left(writer: Writer, disk: Disk) -> None:
    writer.commit(2)
    inode = writer.entry.inode
    move(writer)
    writer.commit(1)
    assert disk.synced[0] == inode
    assert writer.data == HEADER + rows(2, 1)


def test_a_file_that_was_moved_and_cannot_be_synced_is_not_left(writer: Writer, disk: Disk) -> None:
    writer.commit(2)
    move(writer)
    disk.failing = {writer.path.with_suffix(".moved")}
    batch, text = writer.next(1)
    for _ in range(2):
        with pytest.raises(WriteFailed, match="cannot be synced"):
            writer.output.commit(batch, text)
    assert not writer.path.exists()
    disk.failing = set()
    writer.commit(1)
    assert writer.data == HEADER + rows(2, 1)
    with pytest.raises(WriteFailed, match="that has failed before"):
        writer.output.sync()
    writer.output.secure()
    assert writer.output.lost == Counter()
