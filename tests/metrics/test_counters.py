from __future__ import annotations

import json
import math
import multiprocessing
import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.metrics.counters_file import OtherCounters
from fastingest.metrics.latency import LatencyHistogram
from fastingest.model.counts import Counts
from tests.support.limits import largest_file

_context = multiprocessing.get_context("spawn")


def _count(path: Path) -> None:
    Counters.open(path).add(Slot.RECEIVED, 2**40)


def test_what_a_child_counted_outlives_it(tmp_path: Path) -> None:
    counters = Counters.create(tmp_path / "counters")
    child = _context.Process(target=_count, args=(tmp_path / "counters",))
    child.start()
    child.join()
    assert counters[Slot.RECEIVED] == 2**40


def test_what_was_counted_is_read_by_who_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    first = Counters.create(path)
    first[Slot.RECEIVED], first[Slot.WRITTEN] = 2**63, 5
    first.latency.add(2_000_000, 1)
    later = Counters.open(path)
    assert (later[Slot.RECEIVED], later[Slot.WRITTEN]) == (2**63, 5)
    assert later.latency.quantiles([0.5]) == first.latency.quantiles([0.5])
    path.unlink()
    anew = Counters.create(path)
    assert [anew[slot] for slot in Slot] == [0] * len(Slot)


def test_what_is_no_whole_block_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    with pytest.raises(FileNotFoundError):
        Counters.open(path)
    Counters.create(path)
    whole = path.read_bytes()
    damaged = whole.replace(b"RECEIVED", b"RECEIVER", 1)
    for data in (*(whole[:size] for size in (0, 8, 63, 64, 99, -1)), whole + bytes(8), damaged):
        path.write_bytes(data)
        before = len(os.listdir("/dev/fd"))
        with pytest.raises(OSError, match="counters is not whole"):
            Counters.open(path)
        assert len(os.listdir("/dev/fd")) == before


def headerless(feeds: int) -> bytes:
    """The file as the first versions made it: 30 slots and 249 of a histogram for each feed."""
    return struct.pack("<279Q", *range(1, 31), *[0] * 249) * feeds


@pytest.mark.parametrize("feeds", [1, 3])
def test_a_file_from_before_there_was_a_header_is_told_from_one_with_it(
    feeds: int, tmp_path: Path
) -> None:
    path = tmp_path / "counters"
    for data in (headerless(feeds), bytes(279 * 8 * feeds)):  # nothing was counted yet
        path.write_bytes(data)
        with pytest.raises(OtherCounters, match="an older version of fastingest has made it"):
            Counters.open(path)
        assert path.read_bytes() == data


def test_a_file_of_a_newer_form_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    Counters.create(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + struct.pack("<I", 3) + whole[12:] + bytes(800))
    for read in (Counters.open, Counters.names_in):
        with pytest.raises(OtherCounters, match="has form 3; a newer version of fastingest"):
            read(path)


# What other versions have counted

BUCKETS = LatencyHistogram.BUCKETS
CHECKSUMS = {
    31: "031bca18e94c9a07cb3ea7f414d2cae8987dd71d109323b29521f5649020d2eb",
    40: "6b17c233d0012a90eeb7b19937a9fa77ad8963a70e5305bbb71898954b168393",
    41: "f1567e72e424afa12b70dd223b233202e387eafbe817708e614c0831e683b341",
    42: "6dbb69ef47ca6727fc19e56fc051906b2e69c8c7aa8e5f55dfe4bad512fc48f1",
}
"""What stands for the slots' names in the files of earlier versions, by how many there are."""
PLACES = {
    31: {"RECEIVED": 3, "CONNECTIONS": 8, "OUTBOX_PEAK": 13, "SPILL_BYTES": 15, "WRITTEN": 18}
    | {"QUARANTINED": 19, "SEQUENCE": 22, "WRITER_RESTARTS": 29},
    40: {"RECEIVED": 3, "CONNECTIONS": 8, "OUTBOX_PEAK": 13, "SPILL_BYTES": 15, "WRITTEN": 18}
    | {"QUARANTINED": 19, "SET_ASIDE": 21, "NOT_KEPT": 28, "WRITER_RESTARTS": 38},
    41: {"RECEIVED": 3, "UNSAVED": 8, "CONNECTIONS": 9, "OUTBOX_PEAK": 14, "SPILL_BYTES": 15}
    | {"WRITTEN": 18, "QUARANTINED": 19, "UNSYNCED": 21, "TRIES": 36, "WRITER_RESTARTS": 39},
    42: {"RECEIVED": 3, "UNSAVED": 8, "CONNECTIONS": 9, "OUTBOX_PEAK": 14, "SPILL_BYTES": 16}
    | {"WRITTEN": 19, "QUARANTINED": 20, "UNSYNCED": 22, "TRIES": 37, "WRITER_RESTARTS": 40},
}
"""Where some of the slots are there."""


def earlier(slots: int, feeds: int) -> bytes:
    """As an earlier version made it: in each slot its place, and 1000 for each feed before."""
    stride = slots - 1 + BUCKETS
    head = struct.pack("<8sIII", b"ficounts", 1, feeds, stride) + bytes.fromhex(CHECKSUMS[slots])
    rows = (1000 * feed + place for feed in range(feeds) for place in range(stride))
    return head.ljust(64, b"\0") + struct.pack(f"<{feeds * stride}Q", *rows)


@pytest.mark.parametrize("slots", CHECKSUMS)
def test_what_an_earlier_version_has_counted_is_read_by_the_slots_names(
    slots: int, tmp_path: Path
) -> None:
    path = tmp_path / "counters"
    path.write_bytes(earlier(slots, 3))
    assert Counters.names_in(path) == ("", "", "")
    counters = Counters.open(path, ["a", "", "b"])
    assert counters.names == ("a", "", "b")
    assert [counters.row_of(feed) for feed in ("a", "b")] == [0, 2]
    for row, each in enumerate(counters.feeds):
        for name, place in PLACES[slots].items():
            slot = Slot[name.replace("QUARANTINED", "REJECTS_COMMITTED")]
            assert each[slot] == 1000 * row + place, name
        buckets = [1000 * row + slots - 1 + bucket for bucket in range(BUCKETS)]
        assert list(each.slots[Slot.LATENCY :]) == buckets
    lacking = {31: [Slot.UNSAVED, Slot.SET_ASIDE, Slot.TRIES], 40: [Slot.UNSAVED, Slot.UNSYNCED]}
    for slot in lacking.get(slots, []):
        assert [each[slot] for each in counters.feeds] == [0, 0, 0]
    # It is made anew, so whoever opens it later finds what has been counted since.
    counters.of("b").add(Slot.LOST, 10**6)
    again = Counters.open(path)
    assert again.names == ("a", "", "b")
    for one, other in zip(again.feeds, counters.feeds, strict=True):
        assert list(one.slots) == list(other.slots)
    assert os.listdir(tmp_path) == ["counters"]


def test_every_slot_of_the_version_before_is_still_known(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    path.write_bytes(earlier(41, 1))
    counters = Counters.open(path)
    found = sorted(counters[slot] for slot in Slot if slot != Slot.LATENCY)
    assert found[-40:] == list(range(40))
    assert found[:-40] == [0] * (len(Slot) - 41)


def named(slots: dict[str, int], feeds: dict[str, int], buckets: int = BUCKETS) -> bytes:
    """A file of the present form, by hand: each slot's value, and what each feed adds to it."""
    body = json.dumps({"feeds": list(feeds), "slots": [*slots, "LATENCY"]}).encode()
    body = body.ljust(-(-(24 + len(body)) // 64) * 64 - 24, b"\0")
    stride = len(slots) + buckets
    head = struct.pack("<8sIIII", b"ficounts", 2, 24 + len(body), stride, zlib.crc32(body))
    rows: list[int] = []
    for more in feeds.values():
        rows += [*(value + more for value in slots.values()), *[7] * buckets]
    return head + body + struct.pack(f"<{len(rows)}Q", *rows)


def test_what_a_newer_version_with_more_slots_has_counted_is_read(tmp_path: Path) -> None:
    """In another order; what is not known here is left out, and what it has not is 0."""
    path = tmp_path / "counters"
    slots = {"HOLES": 77, "WRITTEN": 5, "RECEIVED": 9, "HALTED": 88, "LOST": 1}
    path.write_bytes(named(slots, {"b": 0, "a": 100}))
    counters = Counters.open(path)
    assert counters.names == ("b", "a")
    for feed, more in (("b", 0), ("a", 100)):
        found = {slot.name: value for slot in Slot if (value := counters.of(feed)[slot])}
        expected = {"WRITTEN": 5 + more, "RECEIVED": 9 + more, "LOST": 1 + more, "LATENCY": 7}
        assert found == expected
    assert set(counters.slots[Slot.LATENCY :]) == {7}


def test_a_histogram_with_other_buckets_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    path.write_bytes(named({"RECEIVED": 9}, {"a": 0}, buckets=BUCKETS + 1))
    counters = Counters.open(path)
    assert (counters[Slot.RECEIVED], set(counters.slots[Slot.LATENCY :])) == (9, {0})


@pytest.mark.parametrize("feeds", [["a"], ["é", "b", "c" * 3000]])
def test_the_file_says_which_slots_and_which_feeds_it_has(feeds: list[str], tmp_path: Path) -> None:
    """So a new slot is a line in the enumeration, and needs nothing else."""
    path, other = tmp_path / "counters", tmp_path / "other"
    made = Counters.create(path, feeds)
    for number, feed in enumerate(feeds):
        for slot in Slot:
            made.of(feed)[slot] = 100 * number + slot
    values = {slot.name: int(slot) for slot in Slot if slot != Slot.LATENCY}
    rows = {feed: 100 * number for number, feed in enumerate(feeds)}
    by_hand = named(values, rows)
    head = len(by_hand) - len(feeds) * (len(values) + BUCKETS) * 8
    assert path.read_bytes()[:head] == by_hand[:head]
    other.write_bytes(named(dict(sorted(values.items())), rows))
    for one, same in zip(made.feeds, Counters.open(other).feeds, strict=True):
        assert [one[slot] for slot in Slot][:-1] == [same[slot] for slot in Slot][:-1]


def test_slots_of_a_version_that_nobody_knows_are_told_and_stay_as_they_are(
    tmp_path: Path,
) -> None:
    path = tmp_path / "counters"
    data = earlier(41, 1).replace(bytes.fromhex(CHECKSUMS[41]), bytes(32))
    path.write_bytes(data)
    for read in (Counters.open, Counters.names_in):
        with pytest.raises(OtherCounters, match="another version of fastingest has made it"):
            read(path)
    assert path.read_bytes() == data


def test_where_there_is_no_room_to_make_it_anew_it_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    data = earlier(41, 2)
    path.write_bytes(data)
    with largest_file(1000):
        counters = Counters.open(path, ["a", "b"])
    assert counters.of("b")[Slot.RECEIVED] == 1003
    counters.of("b").add(Slot.RECEIVED)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (data, ["counters"])


# Whose they are


def test_a_feed_has_its_counters_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    Counters.create(path, ["a", "b"]).of("b").add(Slot.WRITTEN, 7)
    counters = Counters.open(path)
    assert [counters.of(feed)[Slot.WRITTEN] for feed in ("a", "b")] == [0, 7]
    assert [counters.row_of(feed) for feed in ("a", "b", "c", "")] == [0, 1, None, None]
    with pytest.raises(KeyError, match="c"):
        counters.of("c")
    assert Counters.names_in(path) == ("a", "b")


def test_a_row_without_a_name_is_whose_it_is_first() -> None:
    counters = Counters.create(feeds=["", "b", ""])
    assert [counters.row_of(feed) for feed in ("x", "b", "y", "x", "z")] == [0, 1, 2, 0, None]


def test_slots_are_aligned(tmp_path: Path) -> None:
    counters = Counters.create(tmp_path / "counters", feeds=["a", "b"])
    counters.feeds[1][Slot.STATE] = 2**64 - 1
    at = (tmp_path / "counters").read_bytes().index(b"\xff" * 8)
    # Where the second row begins, and the first.
    assert (at % 8, (at - 8 * (Slot.LATENCY + BUCKETS)) % 64) == (0, 0)


def test_without_a_path_it_is_for_this_process() -> None:
    first, second = Counters.create(), Counters.create(None)
    first[Slot.RECEIVED] = 1
    assert (first[Slot.RECEIVED], second[Slot.RECEIVED]) == (1, 0)


def test_where_there_is_no_room_there_is_no_block(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    with largest_file(1000), pytest.raises(OSError, match="File too large"):
        Counters.create(path)
    assert not path.exists()


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    path.write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        Counters.create(path)
    assert path.read_bytes() == b"somebody's"


def test_feeds_do_not_share_a_slot(tmp_path: Path) -> None:
    first = Counters.create(tmp_path / "counters", feeds=["a", "b"])
    second = Counters.open(tmp_path / "counters").feeds[1]
    for slot in Slot:
        first[slot] = 1
        second[slot] = 2
    first.latency.add(5, 7)
    assert {first[slot] for slot in Slot if slot != Slot.LATENCY} == {1}
    assert {second[slot] for slot in Slot} == {2}


def test_the_ledger_tells_what_is_in_flight() -> None:
    counters = Counters.create()
    counters[Slot.RECEIVED] = 100
    counters[Slot.WRITTEN] = 60
    counters[Slot.REJECTS_COMMITTED] = 5
    counters[Slot.IGNORED] = 4
    counters[Slot.DROPPED] = 3
    counters[Slot.LOST] = 2
    # What is ignored is neither row nor reject: it is told, and counted, on top of them.
    assert counters.ledger == Counts(104, written=60, rejected=5, ignored=4, dropped=3, lost=2)
    assert counters.ledger.in_flight == 30
    counters[Slot.UNREADABLE] = 6
    assert (counters.ledger.lost, counters.ledger.in_flight) == (8, 24)


FILLED = {
    Slot.RECEIVED: 100,
    Slot.WRITTEN: 60,
    Slot.REJECTS_COMMITTED: 5,
    Slot.IGNORED: 4,
    Slot.DROPPED: 3,
    Slot.LOST: 2,
}


def fill(counters: Counters, times: int) -> None:
    for slot, value in FILLED.items():
        counters[slot] = times * value


def test_the_parts_of_all_feeds_are_at_hand_from_each(tmp_path: Path) -> None:
    Counters.create(tmp_path / "counters", feeds=["a", "b", "c", "d", "e"])
    third = Counters.open(tmp_path / "counters").feeds[2]
    assert len(third.feeds) == 5
    assert third.feeds[2] is third
    for number, counters in enumerate(third.feeds):
        counters[Slot.WRITTEN] = number + 1
    first = Counters.open(tmp_path / "counters")
    assert [counters[Slot.WRITTEN] for counters in first.feeds] == [1, 2, 3, 4, 5]
    assert first.total(Slot.WRITTEN) == third.total(Slot.WRITTEN) == 15


def test_the_whole_ledger_is_the_sum_of_the_feeds() -> None:
    counters = Counters.create(feeds=["a", "b", "c"])
    for number, each in enumerate(counters.feeds):
        fill(each, number)
    assert counters.feeds[0].ledger == Counts(0, 0, 0, 0, 0, 0)
    assert counters.feeds[2].ledger == counters.feeds[1].ledger + counters.feeds[1].ledger
    assert counters.whole_ledger == Counts(312, 180, 15, 12, 9, 6)
    assert counters.whole_ledger.in_flight == 90


def _count_of_last_feed(counters: Counters) -> None:
    counters.feeds[-1].add(Slot.RECEIVED, 7)


def test_a_child_gets_the_file_and_not_its_name(tmp_path: Path) -> None:
    """Somebody may have removed that meanwhile."""
    counters = Counters.create(tmp_path / "counters", feeds=["a", "b", "c"])
    child = _context.Process(target=_count_of_last_feed, args=(counters,))
    (tmp_path / "counters").unlink()
    child.start()
    child.join()
    assert child.exitcode == 0
    assert [each[Slot.RECEIVED] for each in counters.feeds] == [0, 0, 7]


def test_a_child_that_cannot_map_them_says_so_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is unpickled before there is anything of ours in the child that could."""
    path = tmp_path / "counters"
    counters = Counters.create(path)
    path.write_bytes(b"")  # which cannot be mapped
    child = _context.Process(target=_count_of_last_feed, args=(counters,))
    child.start()
    child.join()
    assert child.exitcode == 1
    assert capfd.readouterr().err == "the counters cannot be mapped: cannot mmap an empty file\n"


def test_what_is_counted_of_a_feed_stands_with_all_its_tables() -> None:
    tables = [Counters.create(feeds=["a", "b"]).feeds[1] for _ in range(3)]
    feed = FeedCounters(tables)
    feed.add(Slot.MESSAGES, 3)
    feed[Slot.CONNECTIONS] = 2
    tables[1].add(Slot.RECEIVED, 5)  # of one table
    assert [(each[Slot.MESSAGES], each[Slot.CONNECTIONS]) for each in tables] == [(3, 2)] * 3
    assert feed[Slot.MESSAGES] == 3
    assert [each[Slot.RECEIVED] for each in feed.tables] == [0, 5, 0]
    assert [each.feeds[0][Slot.MESSAGES] for each in tables] == [0, 0, 0]


def test_two_tables_of_one_output_count_what_is_of_the_feed_once() -> None:
    shared, other = (Counters.create() for _ in range(2))
    feed = FeedCounters([shared, other, shared])
    feed.add(Slot.MESSAGES, 3)
    for table in feed.tables:
        table.add(Slot.RECEIVED, 2)
    assert [(each[Slot.MESSAGES], each[Slot.RECEIVED]) for each in feed.outputs] == [(3, 4), (3, 2)]


def test_rows_received_are_told_from_rejects() -> None:
    counters = Counters.create()
    counters[Slot.RECEIVED], counters[Slot.REJECTED] = 10, 3
    assert counters.rows_received == 7


def test_what_a_dead_receiver_had_not_decoded_is_lost_once() -> None:
    counters = Counters.create()
    counters[Slot.MESSAGES], counters[Slot.DECODED] = 10, 7
    counters.bury_receiver()
    counters.bury_receiver()
    assert counters[Slot.LOST_MESSAGES] == 3
    counters.add(Slot.MESSAGES, 5)  # by its successor
    counters.add(Slot.DECODED, 4)
    counters.bury_receiver()
    assert counters[Slot.LOST_MESSAGES] == 4


@given(st.lists(st.integers(1, 2**41), min_size=1), st.sampled_from([0.01, 0.5, 0.99, 1.0]))
def test_a_quantile_is_at_most_nine_percent_too_high(values: list[int], share: float) -> None:
    histogram = LatencyHistogram(memoryview(bytearray(8 * LatencyHistogram.BUCKETS)).cast("Q"))
    for value in values:
        histogram.add(value, 1)
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    (found,) = histogram.quantiles([share])
    assert exact / 1e9 * 0.999 <= found <= max(exact / 1e9 * 1.0906, 1.03e-6)


@given(st.lists(st.lists(st.integers(1, 2**41)), min_size=1, max_size=4))
def test_a_quantile_of_several_is_that_of_all_their_values(parts: list[list[int]]) -> None:
    size = 8 * LatencyHistogram.BUCKETS
    histograms = [LatencyHistogram(memoryview(bytearray(size)).cast("Q")) for _ in parts]
    together = LatencyHistogram(memoryview(bytearray(size)).cast("Q"))
    for histogram, values in zip(histograms, parts, strict=True):
        for value in values:
            histogram.add(value, 1)
            together.add(value, 1)
    shares = (0.5, 0.99)
    found = histograms[0].quantiles(shares, histograms[1:])
    assert str(found) == str(together.quantiles(shares))  # nan is not equal to itself


def test_without_values_there_is_no_quantile() -> None:
    histogram = LatencyHistogram(memoryview(bytearray(8 * LatencyHistogram.BUCKETS)).cast("Q"))
    assert math.isnan(histogram.quantiles([0.5])[0])


def test_a_clock_that_went_back_is_counted_as_no_time() -> None:
    histogram = LatencyHistogram(memoryview(bytearray(8 * LatencyHistogram.BUCKETS)).cast("Q"))
    histogram.add(-5, 3)
    histogram.add(2**62, 1)
    assert histogram.quantiles([0.5])[0] < 2e-6
