from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from fastingest import WriteFailed
from fastingest.batch import Reject
from fastingest.writer.quarantine import Quarantine


def test_rejects_are_kept_with_time_reason_and_text(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for reason in ("first", "second"):  # two runs
        quarantine = Quarantine(out)
        quarantine.add([Reject(1_700_000_000_123_456_789, reason, '{"é": "\n"}'.encode())])
        quarantine.add([Reject(0, reason, b"\xff\x00")])
        quarantine.close()
    lines = (tmp_path / "out.csv.rejected.jsonl").read_text("utf-8").splitlines()
    assert list(map(json.loads, lines)) == [
        entry
        for reason in ("first", "second")
        for entry in (
            {"time": "2023-11-14T22:13:20.123456789Z", "reason": reason, "text": '{"é": "\n"}'},
            {
                "time": "1970-01-01T00:00:00.000000000Z",
                "reason": reason,
                "base64": base64.b64encode(b"\xff\x00").decode(),
            },
        )
    ]


def test_without_rejects_there_is_no_file(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "out.csv")
    quarantine.add([])
    quarantine.close()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out.csv.rejected.jsonl").mkdir()
    with pytest.raises(WriteFailed, match="Is a directory"):
        Quarantine(tmp_path / "out.csv").add([Reject(0, "x", b"y")])
