from __future__ import annotations

import math
import multiprocessing
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.metrics.counters_file import SIZE, OtherCounters, header
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
    with pytest.raises(OSError, match="counters has counters of 1 feeds"):
        Counters.open(path, feed=1)
    whole = path.read_bytes()
    for data in (b"", whole[:8], whole[:63], whole[:64], whole[:-1], whole + bytes(8)):
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


def test_a_file_of_a_newer_version_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    Counters.create(path)
    whole = path.read_bytes()
    form = struct.pack("<I", 2)
    path.write_bytes(whole[:8] + form + whole[12:] + bytes(800))
    with pytest.raises(OtherCounters, match="has form 2; a newer version of fastingest"):
        Counters.open(path)


@pytest.mark.parametrize("place", [16, 20, 40, 56])
def test_a_file_with_other_slots_is_not_read(place: int, tmp_path: Path) -> None:
    """Their number, their names, or whatever else the header may say one day."""
    path = tmp_path / "counters"
    Counters.create(path, feeds=2)
    whole = bytearray(path.read_bytes())
    whole[place] ^= 1
    path.write_bytes(whole)
    with pytest.raises(OtherCounters, match="another version of fastingest has made it"):
        Counters.open(path)


def test_every_slot_stands_for_its_name_and_its_place() -> None:
    """Who changes a name or the order makes another file; nothing else says so."""
    names = list(Slot.__members__)
    made = header(2, 300, names)
    assert len(made) == SIZE
    for index in range(len(names) - 1):
        other = [*names[:index], names[index + 1], names[index], *names[index + 2 :]]
        assert header(2, 300, other) != made
    assert header(2, 300, [*names, "NEW"]) != made
    assert {header(3, 300, names), header(2, 301, names)} & {made} == set()


def test_slots_are_aligned(tmp_path: Path) -> None:
    counters = Counters.create(tmp_path / "counters", feeds=2)
    counters.feeds[1][Slot.STATE] = 2**64 - 1
    at = (tmp_path / "counters").read_bytes().index(b"\xff" * 8)
    assert (at % 8, SIZE % 64) == (0, 0)


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
    first = Counters.create(tmp_path / "counters", feeds=2)
    second = Counters.open(tmp_path / "counters", feed=1)
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
    Counters.create(tmp_path / "counters", feeds=5)
    third = Counters.open(tmp_path / "counters", feed=2)
    assert len(third.feeds) == 5
    assert third.feeds[2] is third
    for number, counters in enumerate(third.feeds):
        counters[Slot.WRITTEN] = number + 1
    first = Counters.open(tmp_path / "counters")
    assert [counters[Slot.WRITTEN] for counters in first.feeds] == [1, 2, 3, 4, 5]
    assert first.total(Slot.WRITTEN) == third.total(Slot.WRITTEN) == 15


def test_the_whole_ledger_is_the_sum_of_the_feeds() -> None:
    counters = Counters.create(feeds=3)
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
    counters = Counters.create(tmp_path / "counters", feeds=3)
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
    tables = [Counters.create(feeds=2).feeds[1] for _ in range(3)]
    feed = FeedCounters(tables)
    feed.add(Slot.MESSAGES, 3)
    feed[Slot.CONNECTIONS] = 2
    tables[1].add(Slot.RECEIVED, 5)  # of one table
    assert [(each[Slot.MESSAGES], each[Slot.CONNECTIONS]) for each in tables] == [(3, 2)] * 3
    assert feed[Slot.MESSAGES] == 3
    assert [each[Slot.RECEIVED] for each in feed.tables] == [0, 5, 0]
    assert [each.feeds[0][Slot.MESSAGES] for each in tables] == [0, 0, 0]


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
