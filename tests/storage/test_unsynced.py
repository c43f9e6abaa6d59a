from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest.storage.append_file import AppendFile
from fastingest.storage.unsynced import Extent, Unsynced


class Appended:
    """A file to which extents are appended, and what is noted of them."""

    def __init__(self, path: Path) -> None:
        self.file = AppendFile(path)
        self.unsynced = Unsynced()
        self.crc = 0

    def add(self, data: bytes) -> Extent:
        start, before = self.file.append(data), self.crc
        self.crc = zlib.crc32(data, before)
        extent = Extent(start, self.file.size, before, self.crc, rows=len(data))
        self.unsynced.add(extent)
        return extent

    def damage(self, extent: Extent) -> None:
        self.file.rewrite(extent.start, bytes(extent.end - extent.start))

    @property
    def data(self) -> bytes:
        return self.file.path.read_bytes()


@pytest.fixture
def appended(tmp_path: Path) -> Iterator[Appended]:
    appended = Appended(tmp_path / "o.csv")
    yield appended
    appended.file.close()


def test_a_sync_covers_what_was_there_when_it_began(appended: Appended) -> None:
    appended.add(b"one\n")
    mark = appended.unsynced.mark
    appended.add(b"two\n")
    appended.unsynced.synced(mark)
    assert len(appended.unsynced) == 1
    appended.unsynced.synced(mark)  # once more, as another sync that began then
    assert len(appended.unsynced) == 1
    appended.unsynced.clear()
    assert (len(appended.unsynced), appended.unsynced.mark) == (0, 2)


def test_what_is_there_is_written_again_as_it_is(appended: Appended) -> None:
    for data in (b"one\n", b"two\n", b"three\n"):
        appended.add(data)
    before = appended.file.path.stat().st_mtime_ns
    assert appended.unsynced.write_again(appended.file) == []
    assert appended.data == b"one\ntwo\nthree\n"
    assert appended.file.path.stat().st_mtime_ns > before
    appended.add(b"four\n")  # still at the end
    assert appended.data == b"one\ntwo\nthree\nfour\n"


@pytest.mark.parametrize("gone", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_what_is_gone_leaves_no_hole(appended: Appended, gone: tuple[int, ...]) -> None:
    appended.file.append(b"synced\n")
    extents = [appended.add(data) for data in (b"one\n", b"three\n", b"fifteen\n")]
    for number in gone:
        appended.damage(extents[number])
    found = appended.unsynced.write_again(appended.file)
    assert found == [extents[number] for number in gone]
    end = appended.unsynced.close_up(appended.file, found)
    left = [data for n, data in enumerate((b"one\n", b"three\n", b"fifteen\n")) if n not in gone]
    assert appended.data == b"synced\n" + b"".join(left)
    assert end is not None
    assert (end.start, end.end) == (len(appended.data),) * 2
    assert end.before == end.after == zlib.crc32(b"".join(left))
    assert appended.unsynced.write_again(appended.file) == []
    assert len(appended.unsynced) == len(left)


def test_where_others_stand_behind_it_it_stays(appended: Appended) -> None:
    extent = appended.add(b"one\n")
    appended.damage(extent)
    with appended.file.path.open("ab") as file:
        file.write(b"theirs\n")
    found = appended.unsynced.write_again(appended.file)
    assert found == [extent]
    assert appended.unsynced.close_up(appended.file, found) is None
    assert appended.data == bytes(4) + b"theirs\n"


def test_a_piece_that_was_cut_off_is_gone(appended: Appended) -> None:
    extent = appended.add(b"one\n")
    appended.file.cut(2)
    assert appended.unsynced.write_again(appended.file) == [extent]
    appended.unsynced.cut(0)
    assert len(appended.unsynced) == 0
