"""What the ledger is told of regions that others have ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fastingest import OutputRefused, WriteFailed
from fastingest.model.schema import TRADES
from fastingest.storage.journal import Entry
from fastingest.storage.ledger import Region, ledger_path, read_entries
from fastingest.storage.run_log import log_run
from fastingest.verify.verify import verify
from fastingest.writer.regions import Regions
from tests.support.output_writer import (
    CHANGES,
    HEADER,
    NO_EVENTS,
    RUN,
    SECOND,
    Writer,
    move,
    name_of,
    rows,
)

pytestmark = pytest.mark.usefixtures("impatient")


def test_an_end_that_a_run_s_line_contradicts_is_told_again(writer: Writer) -> None:
    """The file is moved, and no other one can be made; so the run ends, and believes in the old."""
    writer.commit(2)
    entry = writer.entry  # the journal's newest; the supervisor makes the run's line of it
    region = entry.region
    move(writer)
    writer.path.mkdir()
    with pytest.raises(OutputRefused):
        writer.commit(1)
    feeds = writer.output.feeds
    log_run(
        writer.path, entry, None, NO_EVENTS, header=TRADES.header, feeds=feeds, end=RUN + SECOND
    )
    writer.close()
    writer.path.rmdir()
    for _ in range(2):  # the second start finds it told
        writer.start()
        assert [(how, each) for _, how, each in writer.ended()] == [("moved", region)] * 2
    writer.commit(1)
    writer.end_run()
    assert verify(writer.path).problems == []


def test_a_change_before_the_first_row_ends_an_empty_region(writer: Writer) -> None:
    writer.append(b"FOREIGN,1,1\n")
    writer.commit(1)
    assert writer.ended() == []
    move(writer)
    writer.commit(1)
    assert [(how, region.rows) for _, how, region in writer.ended()] == [("moved", 1)]
    writer.path.unlink()
    writer.commit(0, 1)  # no row, so that nobody needs the file
    assert not writer.path.exists()
    writer.commit(1)
    assert writer.data == HEADER + rows(2, 1)


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize(("change", "how", "before"), CHANGES, ids=name_of)
def test_a_ledger_that_cannot_be_written(
    change: Callable[[Writer], None], how: str, before: bytes, is_killed: bool, writer: Writer
) -> None:
    writer.commit(2, 1)
    region = writer.entry.region
    change(writer)
    ledger = ledger_path(writer.path)
    ledger.symlink_to(writer.path.parent / "nowhere" / "ledger")
    batch, text = writer.next(3, 2)
    for _ in range(3):
        with pytest.raises(WriteFailed) as failed:
            writer.output.commit(batch, text)
        assert failed.value.path == ledger
    if is_killed:
        writer.close()
        ledger.unlink()
        writer.start()
    else:
        ledger.unlink()
    writer.commit(3, 2)
    writer.commit(1)
    assert writer.data == before + rows(2, 4)
    assert writer.ended() == [(RUN, how, region)]
    writer.check_entry()
    texts = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
    assert texts.count("{\n") == 3
    writer.end_run()
    assert verify(writer.path).problems == []


def test_an_end_is_told_once(tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    regions = Regions(out, is_told=True)
    entry = Entry(run=RUN, start=20, size=90, rows=3, crc32=7)
    ended = regions.end(entry, "appended")
    assert ended == Entry(run=RUN, start=20, size=90)
    assert regions.end(ended, "appended") == ended
    assert [line["ended"] for line in read_entries(out)] == ["appended"]
    Regions(out, is_told=True).end(entry, "appended")  # the next writer, which finds it told
    assert len(read_entries(out)) == 1
    regions.begin()
    regions.commit()
    regions.end(entry, "appended")  # it is another one with the same bytes
    assert len(read_entries(out)) == 2


def test_an_empty_region_is_told_of_only_where_all_before_it_is_gone(tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    for how in ("appended", "truncated"):
        Regions(out, is_told=True).end(Entry(run=RUN, start=20, size=20), how)
    assert [line["ended"] for line in read_entries(out)] == ["truncated"]


def test_where_the_last_region_ends_is_what_the_ledger_knows_of_this_file(tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    regions = Regions(out, is_told=True)
    assert regions.last_end() == 0
    regions.tell(RUN, "appended", Region(20, 90, 3, 7))
    regions.tell(RUN, "appended", Region(20, 60, 1, 7))
    assert regions.last_end() == 90
    regions.tell(RUN, "moved", Region(20, 90, 3, 7))
    assert regions.last_end() == 0
    regions.tell(RUN, "appended", Region(20, 40, 1, 7))
    assert regions.last_end() == 40
    assert Regions(out, is_told=False).last_end() == 0


def test_without_a_journal_nothing_is_told(tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    entry = Entry(run=RUN, start=20, size=90, rows=3, crc32=7)
    assert Regions(out, is_told=False).end(entry, "moved").rows == 0
    assert not ledger_path(out).exists()
