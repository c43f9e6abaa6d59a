from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from fastingest import WriteFailed
from fastingest.model.batch import Reject
from fastingest.storage.reject_line import to_lines
from fastingest.storage.rejects import RejectsFile
from tests.support.limits import largest_file

REJECTS = [Reject(1, "first", b"{"), Reject(2, "second", b"\xff"), Reject(3, "third", "é".encode())]
LINES = to_lines(REJECTS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.csv.rejected.jsonl"


def test_rejects_are_kept_with_time_reason_and_text(out: Path, path: Path) -> None:
    for reason in ("first", "second"):  # two runs
        rejects_file = RejectsFile(out)
        rejects_file.add([Reject(1_700_000_000_123_456_789, reason, '{"é": "\n"}'.encode())])
        rejects_file.add([Reject(0, reason, b"\xff\x00")])
        assert rejects_file.size == path.stat().st_size
        rejects_file.close()
    lines = path.read_text("utf-8").splitlines()
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


def test_without_rejects_there_is_no_file(out: Path) -> None:
    rejects_file = RejectsFile(out)
    rejects_file.add([])
    rejects_file.sync()
    assert rejects_file.size == 0
    rejects_file.close()
    assert list(out.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_an_error(out: Path, path: Path) -> None:
    rejects_file = RejectsFile(out)
    path.mkdir()
    with pytest.raises(WriteFailed, match="cannot be opened: Is a directory"):
        rejects_file.add(REJECTS)
    with pytest.raises(WriteFailed, match="cannot be opened: Is a directory"):
        RejectsFile(out)
    path.rmdir()
    rejects_file.add(REJECTS)
    assert path.read_bytes() == LINES
    rejects_file.close()


# After a writer that died


def test_rejects_cut_off_at_every_byte_are_there_once(out: Path, path: Path) -> None:
    before = to_lines([Reject(0, "before", b"")])
    for size in range(len(LINES) + 1):
        path.write_bytes(before + LINES[:size])
        rejects_file = RejectsFile(out, len(before))
        assert rejects_file.size == len(before)
        rejects_file.add(REJECTS)
        assert path.read_bytes() == before + LINES, size
        assert rejects_file.size == len(before + LINES)
        rejects_file.add(REJECTS)  # the same messages once more are others
        assert path.read_bytes() == before + LINES * 2
        rejects_file.close()


def test_rejects_of_several_batches_are_there_once(out: Path, path: Path) -> None:
    for size in range(len(LINES) + 1):
        path.write_bytes(LINES[:size])
        rejects_file = RejectsFile(out, 0)
        for reject in REJECTS:
            rejects_file.add([reject])
        assert path.read_bytes() == LINES, size
        rejects_file.close()


def test_with_nothing_known_all_there_is_stays(out: Path, path: Path) -> None:
    path.write_bytes(LINES)
    rejects_file = RejectsFile(out)
    assert rejects_file.size == len(LINES)
    rejects_file.add(REJECTS)
    assert path.read_bytes() == LINES * 2
    rejects_file.close()


def test_a_file_shorter_than_settled_is_all_there_is(out: Path, path: Path) -> None:
    path.write_bytes(LINES)
    rejects_file = RejectsFile(out, 10**9)
    assert rejects_file.size == len(LINES)
    rejects_file.add(REJECTS)
    assert path.read_bytes() == LINES * 2
    rejects_file.close()


def test_going_back_asks_again(out: Path, path: Path) -> None:
    rejects_file = RejectsFile(out)
    rejects_file.go_back(0)
    rejects_file.add(REJECTS)
    rejects_file.add(REJECTS[:1])
    rejects_file.go_back(len(LINES))
    assert rejects_file.size == len(LINES)
    rejects_file.add(REJECTS[:1])
    assert path.read_bytes() == LINES + to_lines(REJECTS[:1])
    rejects_file.close()


def test_settled_is_all_there_is(out: Path, path: Path) -> None:
    rejects_file = RejectsFile(out)
    rejects_file.settle()  # without a file there is nothing
    rejects_file.go_back(0)
    assert rejects_file.size == 0
    rejects_file.close()
    path.write_bytes(LINES)
    rejects_file = RejectsFile(out, 0)
    rejects_file.settle()
    assert rejects_file.size == len(LINES)
    rejects_file.add(REJECTS)
    assert path.read_bytes() == LINES * 2
    rejects_file.close()


# Others


@pytest.mark.parametrize("left", [b"x", b'{"time": ', b"x\ny"])
def test_a_torn_line_of_others_stays_alone_on_its_line(left: bytes, out: Path, path: Path) -> None:
    path.write_bytes(left)
    rejects_file = RejectsFile(out)
    rejects_file.add(REJECTS)
    rejects_file.add(REJECTS[:1])
    assert path.read_bytes() == left + b"\n" + LINES + to_lines(REJECTS[:1])
    rejects_file.close()


@pytest.mark.parametrize("change", ["moved", "deleted", "emptied", "appended"])
def test_others_may_change_it_while_it_is_open(change: str, out: Path, path: Path) -> None:
    rejects_file = RejectsFile(out)
    rejects_file.add(REJECTS)
    match change:
        case "moved":
            path.rename(out)
        case "deleted":
            path.unlink()
        case "emptied":
            path.write_bytes(b"")
        case "appended":
            with path.open("ab") as file:
                file.write(b"theirs\n")
    rejects_file.add(REJECTS[:1])
    first = to_lines(REJECTS[:1])
    assert path.read_bytes() == (LINES + b"theirs\n" + first if change == "appended" else first)
    assert rejects_file.size == path.stat().st_size
    if change == "moved":
        assert out.read_bytes() == LINES
    rejects_file.close()


@pytest.mark.parametrize("room", [0, 1, 40])
def test_a_write_that_fails_may_be_tried_again(room: int, out: Path, path: Path) -> None:
    rejects_file = RejectsFile(out)
    rejects_file.add(REJECTS)
    with largest_file(len(LINES) + room), pytest.raises(WriteFailed, match="File too large"):
        rejects_file.add(REJECTS)
    assert path.read_bytes() == LINES
    assert rejects_file.size == len(LINES)
    rejects_file.add(REJECTS)
    assert path.read_bytes() == LINES * 2
    rejects_file.sync()
    rejects_file.close()


def test_a_reject_says_which_feed_it_came_from(tmp_path: Path) -> None:
    rejects_file = RejectsFile(tmp_path / "o.csv")
    rejects_file.add([Reject(0, "why", b"x")], "a feed")
    (line,) = rejects_file.path.read_text().splitlines()
    assert list(json.loads(line).items()) == [
        ("time", "1970-01-01T00:00:00.000000000Z"),
        ("feed", "a feed"),
        ("reason", "why"),
        ("text", "x"),
    ]
    rejects_file.close()


# Other versions


def test_lines_of_other_versions_stay_and_are_gone_on_behind(out: Path, path: Path) -> None:
    """The first had no feed; a later one may say more. Nobody reads them back but for the end."""
    older = json.dumps({"time": "2023-11-14T22:13:20.000000000Z", "reason": "r", "text": "x"})
    newer = json.dumps({"form": 2, "at": 7, "feed": {"name": "f"}, "reasons": ["r"], "raw": "x"})
    before = f"{older}\n{newer}\n".encode()
    path.write_bytes(before)
    for settled in (None, len(before)):
        rejects_file = RejectsFile(out, settled)
        assert (rejects_file.size, rejects_file.has_tail) == (len(before), False)
        rejects_file.add(REJECTS)
        assert path.read_bytes() == before + LINES
        rejects_file.take_back(len(before))
        rejects_file.close()


def test_what_another_version_was_keeping_when_it_died_is_not_taken_for_ours(
    out: Path, path: Path
) -> None:
    newer = b'{"form":2,"reasons":["first"],"raw":"{"}\n'
    path.write_bytes(LINES + newer)
    rejects_file = RejectsFile(out, len(LINES))
    assert rejects_file.explained_by(REJECTS) == 0
    rejects_file.add(REJECTS)
    assert path.read_bytes() == LINES + newer + LINES
    rejects_file.close()
