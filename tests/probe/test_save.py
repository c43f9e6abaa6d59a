from __future__ import annotations

from pathlib import Path

import pytest

from fastingest import UsageError
from fastingest.probe.save import check_absent, save
from fastingest.trial.recorded import recorded


def test_messages_are_kept_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    save([b'{"a":1}', b'{\r\n "b": 2\n}', b"\xff"], path)
    assert list(recorded(path)) == [(1, b'{"a":1}'), (2, b'{   "b": 2 }'), (3, b"\xff")]


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    check_absent(path)
    path.write_text("mine")
    said = "is there already; name another file with --save"
    with pytest.raises(UsageError, match=said):
        check_absent(path)
    with pytest.raises(UsageError, match=said):
        save([b"a"], path)
    assert path.read_text() == "mine"


def test_that_there_is_no_directory_is_said_before_anything_is_heard(tmp_path: Path) -> None:
    said = f"{tmp_path / 'none'} is no directory; make it, or name another file with --save"
    with pytest.raises(UsageError) as refused:
        check_absent(tmp_path / "none" / "m.jsonl")
    assert str(refused.value) == said


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.symlink_to(tmp_path / "none")
    with pytest.raises(UsageError) as refused:
        save([b"a"], path)
    assert str(refused.value) == f"{path}: File exists"
