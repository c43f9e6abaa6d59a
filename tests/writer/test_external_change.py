"""Others that change the file while it is written."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fastingest import HeaderMismatch, OutputRefused, WriteFailed
from fastingest.storage import torn_tail
from fastingest.storage.journal import journal_path
from fastingest.storage.ledger import Region
from fastingest.storage.names import beside
from fastingest.verify.verify import verify
from tests.support.limits import largest_file
from tests.support.output_writer import (
    CHANGES,
    HEADER,
    RUN,
    SECOND,
    Writer,
    append_torn,
    lines_of,
    move,
    name_of,
    replace_with_torn,
    rows,
    without_journal,
)
from tests.support.threads import in_own_thread

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.mark.long
@pytest.mark.parametrize(("change", "how", "before"), CHANGES, ids=name_of)
@in_own_thread
def test_a_writer_killed_at_any_line_while_others_change_the_file(
    change: Callable[[Writer], None], how: str, before: bytes, tmp_path: Path
) -> None:
    """The rows of each batch are in one of the files, whole and once."""

    def make(path: Path) -> Writer:
        writer = Writer(path)
        writer.commit(2, 1)
        return writer

    for line in range(lines_of(make, change, tmp_path)):
        writer = make(tmp_path / f"{line}.csv")
        change(writer)
        if writer.commit_or_die(line, 3, 2):
            break
        writer.start()
        writer.commit(3, 2)
        writer.commit(1, 1)
        assert writer.data == before + rows(2, 4), line
        writer.check_entry()
        assert (writer.entry.start, writer.entry.rows) == (len(before), 4)
        moved = writer.path.with_suffix(".moved")
        assert moved.exists() is (how != "appended")
        if moved.exists():
            assert moved.read_bytes() == HEADER + rows(0, 2)
        ended = {(h, region.start, region.rows) for _, h, region in writer.ended()}
        assert (how, 20, 2) in ended or (how == "appended" and not ended)
        # Every reject once, and the torn piece at least once.
        kept = [each["text"] for each in map(json.loads, writer.rejected.splitlines())]
        assert kept.count("{\n") == 4, line
        assert set(kept) == {"{\n", *(["torn,"] if "torn" in change.__name__ else [])}
        writer.end_run()
        assert verify(writer.path).problems == [], line


@pytest.mark.parametrize(("change", "how", "before"), CHANGES, ids=name_of)
def test_changes_by_others_lose_no_row(
    change: Callable[[Writer], None], how: str, before: bytes, writer: Writer
) -> None:
    writer.commit(2, 1)
    region, inode = writer.entry.region, writer.entry.inode
    change(writer)
    writer.commit(3, 1)
    writer.commit(1)
    assert writer.data == before + rows(2, 4)
    assert writer.ended() == [(RUN, how, region)]
    writer.check_entry()
    assert (writer.entry.start, writer.entry.rows, writer.entry.written) == (len(before), 4, 6)
    assert (writer.entry.inode != inode) is (how == "moved")
    torn = [entry["text"] for entry in map(json.loads, writer.rejected.splitlines())]
    assert torn.count("torn,") == ("torn" in change.__name__)
    writer.restart()
    writer.commit(1)
    assert writer.data == before + rows(2, 5)
    assert len(writer.ended()) == 1
    writer.end_run()
    assert verify(writer.path).problems == []


def test_a_deleted_file_is_made_again(writer: Writer) -> None:
    writer.commit(2)
    region = writer.entry.region
    writer.path.unlink()
    writer.commit(3)
    assert writer.data == HEADER + rows(2, 3)
    assert writer.ended() == [(RUN, "deleted", region)]
    writer.check_entry()
    writer.end_run()
    assert verify(writer.path).problems == []


def test_every_change_in_one_run(writer: Writer) -> None:
    for number, (change, _, _) in enumerate(CHANGES * 2):
        writer.commit(1, number % 2)
        if writer.path.with_suffix(".moved").exists():
            writer.path.with_suffix(".moved").unlink()
        change(writer)
    writer.commit(1)
    writer.check_entry()
    assert [how for _, how, _ in writer.ended()] == [how for _, how, _ in CHANGES * 2]
    assert writer.entry.written == 11
    writer.end_run()
    report = verify(writer.path)
    assert (report.problems, len(report.regions)) == ([], 3)


def test_a_line_that_another_program_ends_in_time_stays_whole(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torn_tail, "PATIENCE", 60)
    monkeypatch.setattr(torn_tail, "LIMIT", 60)
    writer.commit(1)
    writer.append(b"FOREIGN,")
    timer = threading.Timer(0.1, writer.append, (b"1,1\n",))
    timer.start()
    writer.commit(1)
    timer.join()
    assert writer.data == HEADER + rows(0, 1) + b"FOREIGN,1,1\n" + rows(1, 1)
    assert writer.rejected == b""


def test_a_file_that_must_not_be_appended_to_is_refused_and_waited_for(
    writer: Writer,
) -> None:
    writer.commit(1)
    move(writer)
    writer.path.write_bytes(b"other,columns\n1,2\n")
    batch, text = writer.next(2)
    for _ in range(3):
        with pytest.raises(HeaderMismatch):
            writer.output.commit(batch, text)
    writer.path.unlink()
    writer.path.mkdir()
    with pytest.raises(OutputRefused, match="is a directory"):
        writer.output.commit(batch, text)
    writer.path.rmdir()
    writer.commit(2)
    assert writer.data == HEADER + rows(1, 2)
    assert [how for _, how, _ in writer.ended()] == ["moved"]
    writer.check_entry()


def test_a_moved_file_may_come_back(writer: Writer) -> None:
    writer.commit(1)
    move(writer)
    writer.path.with_suffix(".moved").rename(writer.path)
    writer.commit(1)
    writer.check()
    assert writer.ended() == []


@pytest.mark.parametrize("change", [None, *(change for change, _, _ in CHANGES)], ids=name_of)
def test_a_journal_that_cannot_be_written(
    change: Callable[[Writer], None] | None, writer: Writer
) -> None:
    """Whether others have changed the file or not, whatever was done is not done again."""
    writer.commit(2, 1)
    if change:
        change(writer)
    batch, text = writer.next(3, 2)
    bring_back = without_journal(writer)
    for _ in range(3):
        with pytest.raises(WriteFailed) as failed:
            writer.output.commit(batch, text)
        assert failed.value.path == journal_path(writer.path)
    bring_back()
    writer.commit(3, 2)
    writer.commit(1)
    before = {each.__name__: data for each, _, data in CHANGES}
    expected = before[change.__name__] + rows(2, 4) if change else HEADER + rows(0, 6)
    assert writer.data == expected
    writer.check_entry()
    texts = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
    assert texts.count("{\n") == 3
    assert len(writer.ended()) == (change is not None)
    writer.restart()
    writer.commit(1)
    assert writer.data == expected + rows(6, 1)
    writer.end_run()
    assert verify(writer.path).problems == []


@pytest.mark.parametrize("change", [replace_with_torn, append_torn], ids=name_of)
def test_rejects_that_cannot_take_a_torn_line(
    change: Callable[[Writer], None], writer: Writer
) -> None:
    """No row is put behind the piece of another program's."""
    writer.commit(2)
    change(writer)
    path = beside(writer.path, ".rejected.jsonl")
    path.mkdir()
    batch, text = writer.next(3)
    for _ in range(3):
        with pytest.raises(WriteFailed) as failed:
            writer.output.commit(batch, text)
        assert failed.value.path == path
    assert writer.data.endswith(b"FOREIGN,1,1\ntorn,")
    path.rmdir()
    writer.commit(3)
    before = {each.__name__: data for each, _, data in CHANGES}
    assert writer.data == before[change.__name__] + rows(2, 3)
    assert json.loads(writer.rejected)["text"] == "torn,"
    writer.check_entry()
    assert len(writer.ended()) == 1


def test_an_emptied_file_whose_header_finds_no_room(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "o.csv")
    writer.commit(1)
    region = writer.entry.region
    os.truncate(writer.path, 0)
    batch, text = writer.next(2)
    bring_back = without_journal(writer)
    with pytest.raises(WriteFailed):
        writer.output.commit(batch, text)
    bring_back()
    os.truncate(writer.path, 0)  # once more; the ledger needs no second line
    for room in (0, 10):
        with largest_file(room), pytest.raises(WriteFailed):
            writer.output.commit(batch, text)
        assert writer.data == b""
    writer.commit(2)
    assert writer.data == HEADER + rows(1, 2)
    assert writer.ended() == [(RUN, "truncated", region)]
    writer.check_entry()
    writer.close()


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_file_moved_between_two_runs(is_complete: bool, writer: Writer) -> None:
    writer.commit(5)
    region = writer.entry.region
    writer.end_run(complete=is_complete)
    move(writer)
    writer.run += SECOND
    writer.sequence = 0
    writer.start()
    first = (writer.run, Region(0, 0, 0, 0)) if is_complete else (RUN, region)
    assert writer.ended() == [(first[0], "moved", first[1])]
    writer.commit(2)
    assert writer.data == HEADER + rows(5, 2)
    writer.end_run()
    assert verify(writer.path).problems == []


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "o.csv").symlink_to(tmp_path / "data" / "real.csv")
    writer = Writer(tmp_path / "o.csv")
    writer.commit(2)
    writer.restart()
    writer.commit(1)
    assert (tmp_path / "data" / "real.csv").read_bytes() == HEADER + rows(0, 3)
    assert journal_path(writer.path) == tmp_path / "o.csv.journal"
    (tmp_path / "data" / "real.csv").rename(tmp_path / "data" / "moved.csv")
    writer.commit(1)
    assert (tmp_path / "data" / "real.csv").read_bytes() == HEADER + rows(3, 1)
    assert (tmp_path / "o.csv").is_symlink()
    writer.close()
