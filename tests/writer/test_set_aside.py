"""What a batch that was set aside is kept in, by this version and by others."""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec
import pytest

from fastingest import WriteFailed
from fastingest.model.batch import Batch, is_of_other_version
from fastingest.spool import segment
from fastingest.writer.set_aside import set_aside
from tests.support.output_writer import RUN, batch_of

BATCH = batch_of(7, 0, rejects=2)


def read(data: bytes) -> list[Batch]:
    """As the module says that it can be read."""
    return [Batch.from_bytes(data[found.start : found.end]) for found in segment.read(data)[1]]


def test_a_batch_is_kept_whole_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = set_aside(tmp_path / "o.csv", BATCH, 0)
    assert path == tmp_path / f"o.csv.{RUN}-7.failed"
    assert list(tmp_path.iterdir()) == [path]
    assert read(path.read_bytes()) == [BATCH]
    assert segment.read_header(path.read_bytes()) == BATCH.position


def test_a_batch_of_another_version_is_kept_as_it_is_and_not_misread(tmp_path: Path) -> None:
    """It cannot be written by this version, and it says itself which one can read it."""
    wire = BATCH.to_bytes()
    older = msgspec.msgpack.encode((RUN, 7, 0, 0, [], BATCH.layout, [], [], 1, []))
    newer = wire.replace(b"fastingest batch 3", b"fastingest batch 4")
    for other in (older, newer):
        each = Batch(0, [], BATCH.layout, stream=RUN, sequence=7, read_from=other)
        data = set_aside(tmp_path / "o.csv", each, 0).read_bytes()
        ((_, start, end),) = segment.read(data)[1]
        assert data[start:end] == other
        assert is_of_other_version(other)
        with pytest.raises(msgspec.DecodeError):
            read(data)


def test_a_file_of_a_later_form_yields_nothing() -> None:
    """And is told from a damaged one."""
    data = b"fis2" + zlib.crc32(b"fis2" + bytes(16)).to_bytes(4, "little") + bytes(100)
    assert read(data) == []
    assert segment.is_of_other_version(data)


def test_where_there_is_no_room_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(WriteFailed, match="are free on its disk") as failed:
        set_aside(tmp_path / "o.csv", BATCH, 2**60)
    assert failed.value.path == tmp_path / f"o.csv.{RUN}-7.failed"
    assert list(tmp_path.iterdir()) == []
