"""The journal as bytes, cut and damaged everywhere, and as a file that goes on afterwards."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fastingest.errors import WriteFailed
from fastingest.model.batch import Position
from fastingest.storage import journal_form
from fastingest.storage.journal import (
    SLOTS,
    Entry,
    Journal,
    OtherJournal,
    Recorded,
    entries_in,
    journal_path,
    notes_in,
    read_journal,
)
from fastingest.storage.ledger import Region
from fastingest.storage.ownership import NotOurs
from tests.support.limits import largest_file, read_only

BLOCK, SLOT = 4096, 256
USED = SLOT
"""Bytes of a slot that mean anything."""
RING = SLOTS * SLOT
SIZE = BLOCK + RING
NOTES = {"spool": "/dev/shm/fastingest-é", "spill": "/data/o.csv.spill"}


ONE = ["f0"]
"""The feeds of a run that has one."""


def names(count: int) -> list[str]:
    """Of so many feeds."""
    return [f"f{number}" for number in range(count)]


def entry(number: int, feed: int = 0) -> Entry:
    """An entry whose every field is another number, of the feed that has the name ``f0``, or so."""
    return Entry(
        run=1_700_000_000_000_000_000 + number,
        stream=number * 3,
        sequence=number,
        inode=2**64 - 1 - number,
        size=number * 1000,
        rejects_size=number * 10,
        start=number * 5,
        rows=number * 7,
        crc32=2**32 - 1 - number,
        written=number * 11,
        rejected=number * 13,
        first_received=number * 19,
        last_received=2**63 - 1 - number,
        feed=f"f{feed}",
        feed_written=number * 23,
        feed_rejected=number * 29,
        set_aside=number * 31,
        feed_set_aside=number * 37,
        not_kept=number * 41,
    )


def numbered(*numbers: int) -> list[tuple[int, Entry]]:
    return [(number, entry(number)) for number in numbers]


def journal_of(path: Path, count: int) -> bytes:
    """The bytes of a journal in which so many entries were made."""
    journal = Journal(path, ONE)
    journal.note(NOTES)
    for number in range(count):
        journal.record(entry(number))
    journal.close()
    return path.read_bytes()


@pytest.fixture(params=[2, 2 * SLOTS + 5])
def count(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def data(tmp_path: Path, count: int) -> bytes:
    return journal_of(tmp_path / "made.journal", count)


def newest_first(count: int) -> Iterator[int]:
    """The numbers that must be in a journal of so many entries."""
    return (number for number in range(count - 1, max(count - SLOTS, 0) - 1, -1))


def place(number: int) -> int:
    """Where the slot of an entry begins."""
    return BLOCK + number % SLOTS * SLOT


def reopened(path: Path) -> list[Entry]:
    journal = Journal(path, ONE)
    journal.close()
    return journal.entries


def test_it_is_beside_the_name_that_was_given(tmp_path: Path) -> None:
    """What a link leads to may be another file tomorrow."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "data" / "o.csv")
    assert journal_path(tmp_path / "link.csv") == tmp_path / "link.csv.journal"


def test_an_entry_says_position_and_region() -> None:
    assert entry(2).position == Position(6, 2)
    assert entry(2).region == Region(start=10, end=2000, rows=14, crc32=2**32 - 3)
    assert Entry(run=1).position == Position(0, -1)  # before every batch


def test_a_new_journal_is_empty(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "o.journal", ONE)
    journal.close()
    assert (journal.entries, journal.notes) == ([], {})
    assert (tmp_path / "o.journal").read_bytes() == b""


def test_what_is_recorded_is_read_back(data: bytes, count: int, tmp_path: Path) -> None:
    expected = numbered(*newest_first(count))
    assert len(expected) == min(count, SLOTS)
    assert entries_in(data) == expected
    assert notes_in(data) == NOTES
    journal = Journal(tmp_path / "made.journal", ONE)
    assert journal.entries == [each for _, each in expected]
    assert journal.notes == NOTES
    journal.close()


def test_every_opening_goes_on_behind_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    for number in range(2 * SLOTS + 3):
        journal = Journal(path, ONE)
        assert [each.sequence for each in journal.entries] == list(newest_first(number))
        journal.note(NOTES)
        journal.record(entry(number))
        journal.sync()
        journal.close()
        assert path.stat().st_size == SIZE


def test_notes_take_the_room_for_all_entries_and_change_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    journal = Journal(path, ONE)
    for number, notes in enumerate([NOTES, {"spool": "a", "spill": "b"}, {}, NOTES]):
        journal.note(notes)
        journal.record(entry(number))
        assert path.stat().st_size == SIZE
        assert notes_in(path.read_bytes()) == notes
        assert entries_in(path.read_bytes()) == numbered(*newest_first(number + 1))
    journal.close()


def test_notes_that_are_too_long_change_nothing(tmp_path: Path) -> None:
    before = journal_of(tmp_path / "o.journal", 2)
    journal = Journal(tmp_path / "o.journal", ONE)
    journal.note({"spool": "x" * BLOCK, "spill": ""})
    assert journal.notes == NOTES
    journal.close()
    assert (tmp_path / "o.journal").read_bytes() == before


def test_a_full_disk_does_not_keep_an_entry_from_being_recorded(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    journal = Journal(path, ONE)
    journal.note(NOTES)
    with largest_file(SIZE):
        for number in range(2 * SLOTS):
            journal.record(entry(number))
    journal.close()
    assert reopened(path) == [entry(number) for number in newest_first(2 * SLOTS)]


@pytest.mark.parametrize("room", [0, 1, 60, USED - 1])
def test_an_entry_that_found_no_room_is_an_error_and_may_be_tried_again(
    room: int, tmp_path: Path
) -> None:
    path = tmp_path / "o.journal"
    journal = Journal(path, ONE)  # without the room that the notes would have taken
    journal.record(entry(0))
    with largest_file(place(1) + room), pytest.raises(OSError, match=r"large|space"):
        journal.record(entry(1))
    assert reopened(path) == [entry(0)]
    journal.record(entry(1))
    journal.close()
    assert entries_in(path.read_bytes()) == numbered(1, 0)


# The promise: whatever is cut off or damaged, what is read was recorded, and nothing intact is
# passed over.


@pytest.mark.long
def test_a_journal_cut_at_every_byte(data: bytes, count: int) -> None:
    for size in range(SIZE + 1):
        expected = [n for n in newest_first(count) if place(n) + USED <= size]
        assert entries_in(data[:size]) == numbered(*expected), size
        assert notes_in(data[:size]) == (NOTES if size >= BLOCK else {}), size


def damaged(data: bytes, offset: int, bit: int) -> bytes:
    copy = bytearray(data)
    copy[offset] ^= 1 << bit
    return bytes(copy)


def check_damage(data: bytes, count: int, offset: int, bit: int) -> None:
    copy = damaged(data, offset, bit)
    expected = [n for n in newest_first(count) if not place(n) <= offset < place(n) + USED]
    assert entries_in(copy) == numbered(*expected), (offset, bit)
    assert notes_in(copy) == (NOTES if offset >= BLOCK else {}), (offset, bit)


@pytest.mark.long
def test_a_journal_with_one_flipped_bit_in_every_byte(data: bytes, count: int) -> None:
    for offset in range(SIZE):
        check_damage(data, count, offset, offset * 5 % 8)


def test_a_journal_with_any_bit_of_the_newest_entry_or_the_notes_flipped(
    data: bytes, count: int
) -> None:
    newest = place(count - 1)
    for offset in [*range(200), *range(newest, newest + SLOT)]:
        for bit in range(8):
            check_damage(data, count, offset, bit)


def test_a_slot_written_in_part_is_passed_over(tmp_path: Path) -> None:
    """A crash within the write of an entry over an old one, which is lost with it."""
    data = journal_of(tmp_path / "o.journal", SLOTS + 3)
    before = journal_of(tmp_path / "before.journal", SLOTS + 2)
    start = place(SLOTS + 2)
    for size in range(USED + 1):
        mixed = data[: start + size] + before[start + size :]
        found = entries_in(mixed)
        if mixed[start : start + USED] == data[start : start + USED]:
            expected = list(newest_first(SLOTS + 3))
        else:
            expected = list(newest_first(SLOTS + 2))
            if mixed[start : start + USED] != before[start : start + USED]:
                expected.remove(2)
        assert found == numbered(*expected), size


@given(st.binary(max_size=300), st.integers(0, SIZE), st.integers(0, 70))
def test_garbage_anywhere_is_no_entry(garbage: bytes, offset: int, count: int) -> None:
    data = bytearray(_MADE[count])
    end = min(offset + len(garbage), SIZE)
    data[offset:end] = garbage[: end - offset]
    changed = {at for at in range(offset, end) if data[at] != _MADE[count][at]}
    expected = [
        n for n in newest_first(count) if not changed & set(range(place(n), place(n) + USED))
    ]
    assert entries_in(bytes(data)) == numbered(*expected)
    assert notes_in(bytes(data)) == (NOTES if min(changed, default=SIZE) >= BLOCK else {})


@given(st.binary(max_size=6000))
def test_what_was_never_a_journal_has_no_entries(data: bytes) -> None:
    assert entries_in(data) == []
    assert notes_in(data) == {}


@pytest.fixture(scope="module", autouse=True)
def _made(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("made")
    _MADE.extend(journal_of(path / str(count), count) for count in range(71))


_MADE: list[bytes] = []


@pytest.mark.parametrize("count", [1, 2, SLOTS - 1, SLOTS, SLOTS + 1, 2 * SLOTS + 9])
@pytest.mark.parametrize("offset", [0, 4, 8, 60, USED - 1])
def test_after_damage_the_journal_goes_on(count: int, offset: int, tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    data = journal_of(path, count)
    path.write_bytes(damaged(data, place(count - 1) + offset, 3))
    journal = Journal(path, ONE)
    known = [entry(number) for number in newest_first(count)][1:]
    assert journal.entries == known
    journal.note(NOTES)
    for number in range(1000, 1000 + SLOTS + 2):
        journal.record(entry(number))
        known = [entry(number), *known][:SLOTS]
        assert reopened(path)[: len(known)] == known
    journal.close()
    assert path.stat().st_size == SIZE


@pytest.mark.parametrize("count", [1, SLOTS, SLOTS + 20])
@pytest.mark.parametrize(
    "size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + USED, BLOCK + 10 * SLOT + 60, SIZE - SLOT]
)
def test_after_a_cut_the_journal_goes_on(count: int, size: int, tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    data = journal_of(path, count)
    path.write_bytes(data[:size])
    journal = Journal(path, ONE)
    known = [entry(n) for n in newest_first(count) if place(n) + USED <= size]
    assert journal.entries == known
    assert journal.notes == (NOTES if size >= BLOCK else {})
    journal.note(NOTES)
    assert path.stat().st_size == SIZE
    for number in range(1000, 1000 + SLOTS + 2):
        journal.record(entry(number))
        assert reopened(path)[0] == entry(number)
    journal.close()
    assert reopened(path) == [entry(n) for n in range(1000 + SLOTS + 1, 1001, -1)]
    assert notes_in(path.read_bytes()) == NOTES


def test_a_journal_whose_newest_entries_are_all_damaged_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    data = bytearray(journal_of(path, SLOTS + 10))
    for number in range(SLOTS + 5, SLOTS + 10):
        data[place(number) + 50] ^= 1
    path.write_bytes(data)
    journal = Journal(path, ONE)
    assert journal.entries[0] == entry(SLOTS + 4)
    assert len(journal.entries) == SLOTS - 5
    journal.record(entry(5000))
    journal.close()
    assert reopened(path)[:2] == [entry(5000), entry(SLOTS + 4)]


def test_a_place_where_no_journal_can_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Journal(tmp_path / "nowhere" / "o.journal")
    with pytest.raises(IsADirectoryError):
        Journal(tmp_path)


def test_opening_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    journal_of(tmp_path / "o.journal", 2)
    assert (os.listdir("/proc/self/fd") if before else []) == before


# What the versions before have left: entries with the feeds' indices, in smaller slots

SLOT_BEFORE = 160
NOTHING = {"set_aside": 0, "feed_set_aside": 0, "not_kept": 0}
"""What the oldest entries do not say."""
RUN_BEFORE = 1_600_000_000_000_000_000
VERSIONS_BEFORE = [b"fij2", b"fij3"]


def sealed_before(magic: bytes, body: bytes) -> bytes:
    start = zlib.crc32(magic) if magic == b"fij3" else 0
    return struct.pack("<4sI", magic, zlib.crc32(body, start)) + body


def slot_before(magic: bytes, number: int, feed: int = 0) -> bytes:
    """A slot as it was made; the oldest said nothing of what is set aside, or not kept."""
    values = [*msgspec.structs.astuple(entry(number))]
    values[0], values[13] = RUN_BEFORE, feed
    if magic == b"fij2":
        body = struct.pack("<Qqqq Q qqqq I qqqq qqq", number, *values[:16])
    else:
        body = struct.pack("<Qqqq Q qqqq I qqqq I qq qqq", number, *values)
    return sealed_before(magic, body).ljust(SLOT_BEFORE, b"\0")


def entry_before(magic: bytes, number: int, feed: str = "f0") -> Entry:
    lacking = NOTHING if magic == b"fij2" else {}
    return replace(entry(number), run=RUN_BEFORE, feed=feed, **lacking)


def place_before(number: int) -> int:
    return BLOCK + number % SLOTS * SLOT_BEFORE


def journal_before(magic: bytes, feeds: Sequence[int]) -> bytes:
    """As it was after an entry of each of these feeds."""
    notes = json.dumps(NOTES).encode().ljust(BLOCK - 8, b"\0")
    ring = SLOTS * SLOT_BEFORE
    data = bytearray(sealed_before(magic, notes) + bytes(ring * (max(feeds) + 1)))
    for number, feed in enumerate(feeds):
        place = place_before(list(feeds[:number]).count(feed)) + feed * ring
        data[place : place + SLOT_BEFORE] = slot_before(magic, number, feed)
    return bytes(data)


@pytest.mark.parametrize("count", [1, SLOTS, SLOTS + 20])
@pytest.mark.parametrize("magic", VERSIONS_BEFORE)
def test_a_journal_of_a_version_before_is_read_and_goes_on(
    magic: bytes, count: int, tmp_path: Path
) -> None:
    path = tmp_path / "o.journal"
    path.write_bytes(journal_before(magic, [0] * count))
    data = path.read_bytes()
    journal = Journal(path, ONE)
    journal.learn_names(ONE)
    known = [entry_before(magic, number) for number in newest_first(count)]
    assert (journal.entries, journal.notes) == (known, NOTES)
    assert path.read_bytes() == data  # it is not changed before there is something to say
    for number in range(count, count + SLOTS + 2):
        journal.note(NOTES)
        journal.record(entry(number))
        known = [entry(number), *known][:SLOTS]
        assert reopened(path) == known
        assert (path.stat().st_size, notes_in(path.read_bytes())) == (SIZE, NOTES)
    journal.close()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("magic", VERSIONS_BEFORE)
def test_entries_of_a_version_before_are_told_by_the_order_that_the_feeds_had_in_its_run(
    magic: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "o.journal"
    feeds = [0, 1, 1, 2, 0, 1] * 30
    path.write_bytes(journal_before(magic, feeds))
    # The next run has them in another order, one more, and one of them not at all.
    journal = Journal(path, ["new", "f2", "f0"])
    assert {each.feed for each in journal.entries}.isdisjoint(names(3))
    journal.learn_names(names(3))
    known = [entry_before(magic, number, f"f{feeds[number]}") for number, _ in newest_of(feeds)]
    assert journal.entries == known
    for number, feed in enumerate(["new", "f0", "f2"], 1000):
        journal.record(replace(entry(number), feed=feed))
    journal.close()
    found = reopened(path)
    assert [each.feed for each in found[:3]] == ["f2", "f0", "new"]
    # Two of the rings may have been full.
    assert set(found[3:]) <= set(known)
    assert len(known) - len(found[3:]) <= 2
    for feed in names(3):
        assert next(each for each in known if each.feed == feed) in found


def test_a_journal_of_a_version_before_stays_whole_where_there_is_no_room(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    data = journal_before(b"fij3", [0, 0])
    path.write_bytes(data)
    journal = Journal(path, ONE)
    journal.learn_names(ONE)
    with largest_file(len(data)):
        with pytest.raises(OSError, match=r"large|space"):
            journal.record(entry(2))
        with pytest.raises(WriteFailed, match="cannot be written"):
            journal.note(NOTES)
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]
    journal.record(entry(2))
    journal.close()
    assert reopened(path) == [entry(2), *(entry_before(b"fij3", number) for number in (1, 0))]


@pytest.mark.parametrize("magic", VERSIONS_BEFORE)
def test_damage_in_a_journal_of_a_version_before_is_seen(magic: bytes) -> None:
    data = journal_before(magic, [0, 0])
    used = 8 + (8 + 15 * 8 + 4 if magic == b"fij2" else 152)
    for offset in [*range(BLOCK), *range(place_before(1), place_before(1) + used)]:
        for bit in range(8):
            copy = damaged(data, offset, bit)
            expected = [1, 0] if offset < BLOCK else [0]
            assert [number for number, _ in entries_in(copy)] == expected, (offset, bit)
            assert notes_in(copy) == ({} if offset < BLOCK else NOTES), (offset, bit)


# What versions have left that are not known here


def first_journal() -> bytes:
    """As it was at first: 64 slots of 128 bytes, whose seals left the magic out."""

    def sealed(body: bytes, size: int) -> bytes:
        return (struct.pack("<4sI", b"fij1", zlib.crc32(body)) + body).ljust(size, b"\0")

    notes = sealed(json.dumps(NOTES).encode().ljust(BLOCK - 8, b"\0"), BLOCK)
    return notes + sealed(struct.pack("<Q", 5) + bytes(104), 128) + bytes(63 * 128)


def later_part(size: int, used: int) -> bytes:
    """A block or a slot of a version that has another magic, and says something else there."""
    body = bytes(number % 251 for number in range(used))
    return (struct.pack("<4sI", b"fij5", zlib.crc32(b"fij5" + body)) + body).ljust(size, b"\0")


def later_journals() -> list[bytes]:
    """Made by a later version, or by this one and gone on with by that."""
    before = journal_before(b"fij3", [0, 0, 0])
    own = journal_form.block(NOTES) or b""
    own += journal_form.slot(0, entry(0)) + bytes(RING - SLOT)
    return [
        later_part(BLOCK, BLOCK - 8) + bytes(RING),
        *(
            data[: at(number)] + later_part(size, used) + data[at(number) + size :]
            for data, at, size in ((own, place, SLOT), (before, place_before, SLOT_BEFORE))
            for number in (0, 7)
            for used in (1, 100, size - 8)
        ),
    ]


@pytest.mark.parametrize("data", [first_journal(), *later_journals()])
def test_a_journal_of_a_version_that_is_not_known_is_refused_by_name(
    data: bytes, tmp_path: Path
) -> None:
    """To take it for an empty one would be to write twice what it says is written."""
    path = tmp_path / "o.journal"
    path.write_bytes(data)
    before = os.listdir("/dev/fd")
    for read in (Journal, read_journal):
        with pytest.raises(OtherJournal, match="another version of fastingest") as caught:
            read(path)
        assert caught.value.filename == str(path)
    assert os.listdir("/dev/fd") == before
    assert path.read_bytes() == data


def test_a_magic_that_is_damaged_is_not_taken_for_another_versions(
    data: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "o.journal"
    for digit in b"1256789":
        copy = bytearray(data)
        for offset in (0, place(0), place(1)):
            copy[offset + 3] = digit
        path.write_bytes(copy)
        journal = Journal(path, ONE)
        assert len(journal.entries) == len(entries_in(data)) - 2
        journal.close()


# A ring for each feed


FEEDS = 3
NOISE = 2 * SLOTS + 5
"""More entries than a ring has slots."""


def journal_of_feeds(path: Path, feeds: Sequence[int], count: int = FEEDS) -> bytes:
    """The bytes of a journal with an entry of each of these feeds, in this order."""
    journal = Journal(path, names(count))
    journal.note(NOTES)
    for number, feed in enumerate(feeds):
        journal.record(entry(number, feed))
    journal.close()
    return path.read_bytes()


def newest_of(feeds: Sequence[int]) -> list[tuple[int, Entry]]:
    """The entries that must be there: each feed's last ones, as many as a ring holds."""
    found = []
    for feed in set(feeds):
        of_feed = [number for number, each in enumerate(feeds) if each == feed]
        found += [(number, entry(number, feed)) for number in of_feed[-SLOTS:]]
    return sorted(found, key=lambda each: each[0], reverse=True)


def slots_of(feeds: Sequence[int]) -> dict[int, int]:
    """Where the slot of each of these entries begins."""
    return {
        number: BLOCK + feed * RING + list(feeds[:number]).count(feed) % SLOTS * SLOT
        for number, feed in enumerate(feeds)
    }


def test_there_is_room_for_all_feeds_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    journal = Journal(path, names(FEEDS))
    journal.note(NOTES)
    assert path.stat().st_size == BLOCK + FEEDS * RING
    with largest_file(BLOCK + FEEDS * RING):
        for number in range(FEEDS * NOISE):
            journal.record(entry(number, number % FEEDS))
    journal.close()
    assert path.stat().st_size == BLOCK + FEEDS * RING


@pytest.mark.parametrize("others", [1, SLOTS, NOISE])
@pytest.mark.parametrize("feed", range(FEEDS))
def test_the_newest_entry_of_a_feed_outlives_any_number_of_others(
    feed: int, others: int, tmp_path: Path
) -> None:
    noise = [other for other in range(FEEDS) if other != feed for _ in range(others)]
    data = journal_of_feeds(tmp_path / "o.journal", [*noise, feed, *noise])
    found = [each for _, each in entries_in(data)]
    assert [each for each in found if each.feed == f"f{feed}"] == [entry(len(noise), feed)]
    assert found[0] == entry(2 * len(noise), noise[-1])


@given(st.lists(st.integers(0, FEEDS - 1), max_size=300))
def test_each_feed_has_a_ring_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, feeds: list[int]
) -> None:
    path = tmp_path_factory.mktemp("rings") / "o.journal"
    assert entries_in(journal_of_feeds(path, feeds)) == newest_of(feeds)


MIXED = [0, 1, 1, 2, 0, 1] * 30


@pytest.mark.long
def test_rings_cut_at_every_slot_and_in_the_middle_of_it(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    data = journal_of_feeds(path, MIXED)
    place = slots_of(MIXED)
    for size in range(0, len(data) + 1, SLOT // 4):
        expected = [each for each in newest_of(MIXED) if place[each[0]] + USED <= size]
        assert entries_in(data[:size]) == expected, size
        path.write_bytes(data[:size])
        journal = Journal(path, names(FEEDS))
        journal.note(NOTES)
        assert path.stat().st_size == BLOCK + FEEDS * RING
        known = {each.feed: each for _, each in reversed(expected)}
        for feed in range(FEEDS):  # no feed's entry takes the place of the newest of any
            journal.record(entry(1000 + feed, feed))
            found = [each for _, each in entries_in(path.read_bytes())]
            assert found[0] == entry(1000 + feed, feed)
            assert set(known.values()) <= set(found), (size, feed)
        journal.close()


@pytest.mark.long
def test_rings_with_a_flipped_bit_in_any_entry(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    data = journal_of_feeds(path, MIXED)
    place, whole = slots_of(MIXED), newest_of(MIXED)
    for number, _ in whole:
        for offset in (0, 5, 20, USED - 1):
            path.write_bytes(damaged(data, place[number] + offset, number % 8))
            expected = [each for each in whole if each[0] != number]
            journal = Journal(path, names(FEEDS))
            assert journal.entries == [each for _, each in expected], (number, offset)
            journal.record(entry(1000, 1))
            journal.close()
            assert reopened(path)[0] == entry(1000, 1)


@pytest.mark.parametrize("later", [1, 2, FEEDS, FEEDS + 1, 40])
@pytest.mark.parametrize("used", [1, SLOTS + 7])
def test_a_run_may_have_more_feeds_than_the_one_before_or_fewer(
    later: int, used: int, tmp_path: Path
) -> None:
    path = tmp_path / "o.journal"
    feeds = [feed for feed in range(FEEDS) for _ in range(used)]
    journal_of_feeds(path, feeds)
    journal = Journal(path, names(later))
    assert journal.entries == [each for _, each in newest_of(feeds)]
    journal.note(NOTES)
    assert path.stat().st_size == BLOCK + max(later, FEEDS) * RING
    feeds += list(range(later))
    for number in range(FEEDS * used, len(feeds)):
        journal.record(entry(number, feeds[number]))
    journal.close()
    assert entries_in(path.read_bytes()) == newest_of(feeds)


def test_the_entry_of_a_feed_that_an_earlier_run_had_finds_its_place(tmp_path: Path) -> None:
    """What that run has left is written by one with fewer feeds, and the journal may be new."""
    path = tmp_path / "o.journal"
    for number in range(NOISE):  # every entry by another opening
        journal = Journal(path, ONE)
        journal.note(NOTES)
        journal.record(entry(number, 5))
        journal.close()
    expected = [(n, entry(n, 5)) for n in newest_first(NOISE)]
    assert entries_in(path.read_bytes()) == expected
    assert path.stat().st_size == BLOCK + 2 * RING


def of_run(run: int, number: int, feed: str) -> Entry:
    return replace(entry(number), run=run, feed=feed)


def test_a_feed_keeps_its_ring_whatever_the_order_and_the_others_are(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    journal_of_feeds(path, [0, 1, 2] * 20)
    number = 60
    for feeds in (["f2", "f0", "f1"], ["new", "f1"], ["f1", "other", "new", "f2"], ["f0"]):
        journal = Journal(path, feeds)
        journal.note(NOTES)
        for feed in feeds:
            journal.record(of_run(number, number, feed))
            number += 1
        journal.close()
        found = reopened(path)
        assert [each.feed for each in found[: len(feeds)]] == feeds[::-1]


def test_what_an_earlier_run_has_left_to_do_is_not_written_over(tmp_path: Path) -> None:
    """As long as the newest entry is that run's, none of its feeds loses its ring to another."""
    path = tmp_path / "o.journal"
    journal = Journal(path, ["a", "b"])
    journal.note(NOTES)
    kept = [of_run(1, number, "ab"[number % 2]) for number in range(2 * SLOTS)]
    for each in kept:
        journal.record(each)
    journal.close()
    for _ in range(3):
        journal = Journal(path, ["c", "d"])
        journal.note(NOTES)
        journal.close()
    assert reopened(path) == kept[::-1]
    assert path.stat().st_size == BLOCK + 4 * RING
    journal = Journal(path, ["c", "d"])
    journal.record(of_run(1, 500, "e"))  # which had had nothing committed
    journal.record(of_run(2, 501, "c"))
    journal.close()
    assert reopened(path) == [of_run(2, 501, "c"), of_run(1, 500, "e"), *kept[::-1]]


def test_feeds_that_are_others_each_time_need_no_more_room_each_time(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    for run in range(1, 20):
        journal = Journal(path, [f"{run} a", f"{run} b"])
        journal.note(NOTES)
        for number in range(3):
            journal.record(of_run(run, 3 * run + number, f"{run} {'ab'[number % 2]}"))
        journal.close()
        found = [each for each in reopened(path) if each.run >= run - 1]
        assert len(found) == (3 if run == 1 else 6)
    assert path.stat().st_size <= BLOCK + 5 * RING


LONG = "wss://exäample.org/" + "é" * 200


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_name_that_is_too_long_is_known_by_who_knows_it(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    feeds = ["x" * cut + LONG, "x" * cut + LONG + "2", "short"]
    journal = Journal(path, feeds)
    journal.note(NOTES)
    for number in range(2 * SLOTS):
        journal.record(of_run(1, number, feeds[number % 2]))
    journal.close()
    assert path.stat().st_size == BLOCK + 3 * RING
    found = read_journal(path, feeds)
    assert found is not None
    assert [each.feed for each in found.entries] == feeds[1::-1] * SLOTS
    unknown = reopened(path)
    assert len({each.feed for each in unknown}) == 2
    assert all(each.feed.startswith("x" * cut + LONG[:20]) for each in unknown)
    journal = Journal(path, feeds)
    journal.learn_names(feeds)
    assert journal.entries == found.entries
    journal.record(of_run(1, 1000, feeds[1]))
    journal.close()
    assert path.stat().st_size == BLOCK + 3 * RING


@given(st.text(max_size=150), st.text(max_size=150))
def test_any_name_is_told_from_any_other(one: str, other: str) -> None:
    stored = [
        entries_in(bytes(BLOCK) + journal_form.slot(7, replace(entry(7), feed=name)))
        for name in (one.rstrip("\0"), other.rstrip("\0"))
    ]
    ((_, first),), ((_, second),) = stored
    assert (first.feed == second.feed) == (one.rstrip("\0") == other.rstrip("\0"))
    assert len(one.encode()) > 100 or first.feed == one.rstrip("\0")


# Read by who does not write it


def test_what_is_read_is_what_the_writer_finds(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    assert read_journal(path) is None
    assert list(tmp_path.iterdir()) == []
    journal = Journal(path, names(2))
    journal.note(NOTES)
    for number in range(3):
        journal.record(entry(number, number % 2))
    journal.close()
    again = Journal(path, ONE)
    assert read_journal(path) == Recorded(again.entries, NOTES)
    assert len(again.entries) == 3
    again.close()


def test_it_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "o.journal"
    journal = Journal(path, ONE)
    journal.record(entry(1))
    journal.close()
    with read_only(tmp_path):
        recorded = read_journal(path)
        assert recorded is not None
        assert recorded.entries == [entry(1)]
        assert read_journal(tmp_path / "none") is None
        with pytest.raises(OSError, match="Read-only"):
            Journal(path, ONE)


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_is_not_written_over(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    treasure, path = tmp_path / "treasure", tmp_path / "o.journal"
    treasure.write_text("gold")
    link(path, treasure)
    for opened in (Journal, read_journal):
        with pytest.raises(NotOurs, match="link"):
            opened(path)
    assert treasure.read_text() == "gold"
