from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastingest import UsageError
from fastingest.trial.recorded import STDIN, recorded


def test_a_line_is_a_message_and_an_empty_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"a":1}\n\n \t\n{"b":2}\r\n  [1]  \n\xff\x00')
    assert list(recorded(path)) == [
        (1, b'{"a":1}'),
        (4, b'{"b":2}'),
        (5, b"  [1]  "),
        (6, b"\xff\x00"),
    ]


def test_they_are_read_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a\nb")))
    assert list(recorded(STDIN)) == [(1, b"a"), (2, b"b")]
    with pytest.raises(UsageError, match="stdin: there is no message in it"):
        list(recorded(STDIN))


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\n"])
def test_a_file_without_messages_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        list(recorded(path))
    assert str(refused.value) == f"{path}: there is no message in it; it must have one a line"


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "no", "No such file or directory")):
        with pytest.raises(UsageError) as refused:
            list(recorded(path))
        assert str(refused.value) == f"{path}: {why}"


def test_what_is_compressed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n'))
    with pytest.raises(UsageError, match=r"is compressed \(gzip\); unpack it first"):
        list(recorded(path))
