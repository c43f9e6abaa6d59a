"""A new writer, where the journal or the file is older than the other, or another file is there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from fastingest.model.batch import Position
from fastingest.storage.journal import Entry, Journal, journal_path
from fastingest.storage.journal_form import BLOCK_SIZE, SLOT_SIZE
from fastingest.storage.reject_line import to_lines
from fastingest.storage.unsynced import Unsynced
from fastingest.verify.verify import verify
from fastingest.writer.external_change import adapt
from fastingest.writer.files import DAMAGED
from fastingest.writer.resume import sound_entries
from tests.support.builders import LAYOUT
from tests.support.output_writer import (
    HEADER,
    RUN,
    SECOND,
    Writer,
    append_row,
    batch_of,
    begun,
    copy_and_empty,
    leave,
    move,
    rows,
)
from tests.support.threads import in_own_thread

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.mark.long
@in_own_thread
def test_a_writer_killed_at_any_line_of_its_start(tmp_path: Path) -> None:
    """With the rest of a batch in the file, and in the second life of it another run."""
    for line in range(10_000):
        writer = Writer(tmp_path / f"{line}.csv")
        writer.commit(2, 1)
        batch, text = writer.next(3, 2)
        leave(writer, batch, text, len(text) - 3, 10)
        is_done = writer.does(writer.start, line)
        if not is_done:
            writer.start()
        writer.commit(3, 2)
        writer.check()
        writer.end_run()
        assert verify(writer.path).problems == []
        if is_done:
            break
    assert line > 20


def test_several_batches_that_the_journal_does_not_know_are_there_once(tmp_path: Path) -> None:
    shapes = [(2, 1), (1, 0), (0, 2), (3, 1)]
    size = len(rows(2, 4))
    for cut in range(size + 1):
        writer = Writer(tmp_path / f"{cut}.csv")
        writer.commit(*shapes[0])
        journal = journal_path(writer.path).read_bytes()
        start = writer.entry.size
        for shape in shapes[1:]:
            writer.commit(*shape)
        writer.close()
        journal_path(writer.path).write_bytes(journal)
        os.truncate(writer.path, start + cut)
        writer.sequence, writer.rows, writer.rejects = 1, 2, writer.rejects[:1]
        writer.start()
        for shape in shapes[1:]:
            writer.commit(*shape)
        writer.check()
        assert (writer.ended(), writer.reports) == ([], [])
        writer.close()


@pytest.mark.parametrize("damaged", range(1, 4))
def test_a_journal_whose_newest_entries_are_damaged(damaged: int, writer: Writer) -> None:
    for _ in range(5):
        writer.commit(2, 1)
    writer.close()
    data = bytearray(journal_path(writer.path).read_bytes())
    newest = len(Journal(journal_path(writer.path)).entries) - 1
    for number in range(newest - damaged + 1, newest + 1):
        data[BLOCK_SIZE + number * SLOT_SIZE + 20] ^= 1
    journal_path(writer.path).write_bytes(data)
    writer.start()
    assert writer.entry.position == Position(RUN, 4 - damaged)
    writer.sequence -= damaged
    writer.rows -= 2 * damaged
    del writer.rejects[-damaged:]
    for _ in range(damaged + 1):
        writer.commit(2, 1)
    writer.check()


@pytest.mark.parametrize("torn", [b"", b"torn,", b'"a\nb'])
def test_rows_that_no_entry_knows_stay_and_a_torn_piece_is_kept(
    torn: bytes, writer: Writer
) -> None:
    """Nothing is pending: another run begins."""
    writer.commit(2)
    known = writer.entry
    writer.close()
    writer.append(rows(2, 3) + torn)
    writer.run += SECOND
    writer.sequence = 0
    writer.start()
    assert writer.data == HEADER + rows(0, 5)
    assert writer.entry.start == writer.entry.size == len(writer.data)
    assert writer.entry.position == known.position
    kept = [json.loads(line) for line in writer.rejected.splitlines()]
    assert [(each["reason"], each["text"]) for each in kept] == (
        [("torn last line of the file", torn.decode())] if torn else []
    )
    behind = ("warning", "rows behind the last commit are kept", {"bytes": len(rows(2, 3))})
    assert behind in writer.reports
    writer.rows = 5
    writer.commit(1)
    assert writer.data == HEADER + rows(0, 6)
    assert (writer.entry.written, writer.entry.rows) == (1, 1)


def test_a_file_shorter_than_its_journal_goes_on_behind_the_last_whole_batch(
    tmp_path: Path,
) -> None:
    """Cut at every byte; what is behind the last whole batch comes again from the spill."""
    shapes = [(1, 1), (2, 0), (0, 1), (3, 2)]
    sizes = [20]
    for number, (count, _) in enumerate(shapes):
        first = sum(each for each, _ in shapes[:number])
        sizes.append(sizes[-1] + len(rows(first, count)))
    for cut in range(20, sizes[-1]):
        writer = Writer(tmp_path / f"{cut}.csv")
        for shape in shapes:
            writer.commit(*shape)
        rejects = list(writer.rejects)
        writer.close()
        os.truncate(writer.path, cut)
        writer.start()
        # The newest entry that the file can hold: a batch of rejects alone needs no room.
        held = max(n for n, size in enumerate(sizes) if size <= cut)
        assert writer.entry.sequence == held - 1, cut
        fields = {
            "bytes_missing": sizes[-1] - cut,
            "rows_missing": sum(count for count, _ in shapes[held:]),
        }
        assert writer.reports == [("error", "the file is shorter than recorded", fields)]
        writer.sequence = held
        writer.rows = sum(count for count, _ in shapes[:held])
        writer.rejects = rejects[: sum(each for _, each in shapes[:held])]
        assert writer.entry.written == writer.rows
        for shape in shapes[held:]:
            writer.commit(*shape)
        writer.check()
        writer.end_run()
        assert verify(writer.path).problems == []


def test_a_file_shorter_than_its_journal_whose_batches_are_gone(tmp_path: Path) -> None:
    """Whole rows stay, the piece of one is kept in the rejects, and other batches follow."""
    for cut in range(len(rows(1, 3))):
        writer = Writer(tmp_path / f"{cut}.csv")
        writer.commit(1)
        writer.commit(3)
        writer.close()
        left = HEADER + rows(0, 1) + rows(1, 3)[:cut]
        writer.path.write_bytes(left)
        writer.start()
        writer.rows, writer.sequence = 103, 7
        writer.commit(2)
        whole = max(size for n in range(4) if (size := len(HEADER + rows(0, 1 + n))) <= len(left))
        if cut == len(rows(1, 2)) + 3:  # the piece `"R\n` ends with a line feed, and is not one row
            whole = len(left)
        assert writer.data == left[:whole] + rows(103, 2), cut
        torn = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
        assert torn == ([left[whole:].decode()] if left[whole:] else [])
        writer.check_entry()
        writer.close()


def test_a_file_cut_back_into_an_earlier_run(writer: Writer) -> None:
    writer.commit(2, 1)
    held = writer.entry
    writer.commit(3)
    writer.next_run(complete=False)
    writer.commit(1, 1)
    writer.close()
    os.truncate(writer.path, held.size + 4)
    writer.start()
    assert writer.entry == begun(writer.run, held)
    again = batch_of(1, 3)
    writer.output.commit(again, memoryview(rows(2, 3)))
    writer.output.commit(batch_of(0, 1, 1, writer.run), memoryview(rows(5, 1)))
    assert writer.data == HEADER + rows(0, 6)
    assert writer.rejected == to_lines(writer.rejects, LAYOUT.feed)
    assert (writer.entry.written, writer.entry.rejected) == (4, 1)
    writer.check_entry()


def test_a_file_shorter_than_all_that_the_journal_remembers(writer: Writer) -> None:
    for _ in range(100):
        writer.commit(1)
    size = len(HEADER + rows(0, 10))
    writer.close()
    os.truncate(writer.path, size + 2)
    writer.start()
    assert writer.data == HEADER + rows(0, 10)
    assert (writer.entry.start, writer.entry.size, writer.entry.rows) == (20, size, 10)
    assert writer.entry.written == 10
    assert writer.entry.sequence == 36  # the oldest of its 64 entries; what follows may come again
    fields = {"bytes_missing": len(HEADER + rows(0, 100)) - size - 2, "rows_missing": 90}
    assert ("error", "the file is shorter than recorded", fields) in writer.reports
    writer.rows, writer.sequence = 10, 37
    writer.commit(4)
    assert writer.data == HEADER + rows(0, 14)
    writer.check_entry()


@pytest.mark.parametrize("behind", [b"", bytes(7), b"R9,"], ids=["", "zeroes", "a piece"])
def test_zeroes_in_place_of_rows_are_no_rows(tmp_path: Path, behind: bytes) -> None:
    """What a power cut can leave: the file is as long as recorded, and not what was written."""
    shapes = [(1, 0), (2, 1), (3, 0)]
    ends = [len(HEADER + rows(0, count)) for count in (0, 1, 3, 6)]
    for begin in range(ends[0], ends[-1]):
        writer = Writer(tmp_path / f"{begin}.csv")
        for shape in shapes:
            writer.commit(*shape)
        writer.close()
        left = HEADER + rows(0, 6)[: begin - ends[0]] + bytes(ends[-1] - begin) + behind
        writer.path.write_bytes(left)
        writer.is_doubtful = True
        writer.start()
        held = sum(end <= begin for end in ends[1:])
        kept = [1, 3, 6][held - 1] if held else 0
        fields = {
            "bytes_missing": ends[-1] - ends[held],
            "rows_missing": 6 - kept,
        }
        assert ("error", "the file is shorter than recorded", fields) in writer.reports
        writer.rows, writer.sequence = kept, held
        for shape in shapes[held:]:
            writer.commit(*shape)
        assert writer.data == HEADER + rows(0, 6), begin
        last = [json.loads(line) for line in writer.rejected.splitlines()]
        damaged = [each["text"] for each in last if each["reason"] == DAMAGED]
        assert "".join(damaged).encode() == left[ends[held] :], begin
        writer.commit(0, 1)  # which is not looked for among them any more
        writer.check_entry()
        assert len(writer.rejected.splitlines()) == 2 + len(damaged)
        writer.close()


def test_damage_before_all_that_the_journal_remembers_throws_nothing_away(writer: Writer) -> None:
    for _ in range(100):
        writer.commit(1)
    writer.close()
    left = bytearray(writer.path.read_bytes())
    left[30:40] = bytes(10)
    left[-3:] = bytes(3)
    writer.path.write_bytes(left)
    writer.is_doubtful = True
    for count in (1, 2):  # it is said as long as the journal knows of nothing that is sound
        writer.start()
        what = "the file is not as it was written, which rows are damaged is not known"
        assert [event for _, event, _ in writer.reports].count(what) == count
    writer.commit(2)
    torn = json.loads(writer.rejected)["text"].encode()
    assert torn == b"R99,99.5," + bytes(3)
    assert writer.data == left.removesuffix(torn) + rows(100, 2)
    writer.check_entry()


def test_a_region_that_has_just_begun_does_not_vouch_for_the_one_before(writer: Writer) -> None:
    writer.commit(2)
    writer.commit(3)
    sound = len(HEADER + rows(0, 2))
    append_row(writer)
    output = writer.output
    adapt("appended", output._files, output._regions, output._committed, Unsynced())
    # and then the power goes
    writer.close()
    left = bytearray(writer.path.read_bytes())
    left[sound + 3 : sound + 6] = bytes(3)
    writer.path.write_bytes(left)
    writer.is_doubtful = True
    writer.start()
    assert writer.data == HEADER + rows(0, 2)
    texts = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
    assert "".join(texts).encode() == left[sound:]
    assert writer.entry.written == 2


def test_a_file_that_is_as_it_was_written_is_believed(writer: Writer) -> None:
    for shape in [(1, 0), (2, 1), (0, 2), (3, 0)]:
        writer.commit(*shape)
    writer.is_doubtful = True
    writer.restart()
    writer.commit(2)
    assert writer.reports == []
    writer.check()


@pytest.mark.parametrize("is_moved", [True, False])
def test_another_file_under_the_name_while_no_writer_lives(is_moved: bool, writer: Writer) -> None:
    writer.commit(2, 1)
    region = writer.entry.region
    move(writer)
    writer.close()
    if is_moved:
        writer.path.write_bytes(HEADER + b"FOREIGN,1,1\ntorn")
    for _ in range(2):  # the second start knows the file
        writer.start()
        writer.close()
    writer.start()
    assert writer.ended() == [(RUN, "moved", region)]
    before = HEADER + (b"FOREIGN,1,1\n" if is_moved else b"")
    leave(writer, *writer.next(3), 10, 0)
    writer.start()
    writer.commit(3)
    assert writer.data == before + rows(2, 3)
    writer.check_entry()
    assert (writer.entry.written, writer.entry.rows) == (5, 3)
    writer.end_run()
    assert verify(writer.path).problems == []


def test_a_file_emptied_while_no_writer_lives(writer: Writer) -> None:
    writer.commit(1)
    writer.next_run()
    writer.commit(2)
    region = writer.entry.region
    writer.close()
    copy_and_empty(writer)
    writer.start()
    writer.commit(3)
    assert writer.data == HEADER + rows(3, 3)
    assert writer.ended() == [(writer.run, "truncated", region)]
    writer.check_entry()
    writer.end_run()
    assert verify(writer.path).problems == []


# Which entries are sound


class Sums:
    """The checksums of a file in which all is sound up to somewhere."""

    def __init__(self, sound: int) -> None:
        self.sound = sound
        self.asked: list[tuple[int, list[int]]] = []

    def __call__(self, start: int, ends: Sequence[int]) -> list[int]:
        self.asked.append((start, list(ends)))
        return [end if end <= self.sound else 0 for end in ends]


def ending(*places: tuple[int, int]) -> list[Entry]:
    """Entries of regions from here to there, each with the checksum that a sound file has."""
    return [Entry(run=RUN, start=start, size=end, crc32=end) for start, end in places]


@pytest.mark.parametrize(
    ("places", "sound", "first"),
    [
        ([(20, 90), (20, 60), (20, 40)], 90, 0),
        ([(20, 90), (20, 60), (20, 40)], 70, 1),
        ([(20, 90), (20, 60), (20, 40)], 30, 3),
        ([(60, 90), (60, 60), (20, 60)], 89, 1),  # an empty region is as sound as what is before
        ([(60, 90), (60, 60), (20, 60), (20, 40)], 50, 3),
        ([(60, 90), (60, 60)], 89, 1),  # and before it is nothing that could be wrong
        ([], 90, 0),
    ],
)
def test_the_newest_entry_whose_checksum_agrees_and_all_before_it_are_sound(
    places: list[tuple[int, int]], sound: int, first: int
) -> None:
    entries = ending(*places)
    assert sound_entries(entries, Sums(sound)) == entries[first:]


def test_a_region_is_read_once_however_many_entries_it_has() -> None:
    sums = Sums(0)
    assert sound_entries(ending((20, 90), (20, 60), (5, 20), (20, 40)), sums) == []
    assert sums.asked == [(20, [40, 60, 90]), (5, [20])]
