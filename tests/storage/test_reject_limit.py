"""Which rejects are kept, and that a writer that goes on for a dead one keeps the same ones."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest import WriteFailed
from fastingest.isotime import iso_time
from fastingest.metrics.counters import Counters
from fastingest.model.batch import Reject
from fastingest.storage.names import beside
from fastingest.storage.reject_limit import SAMPLE_SIZE, RejectLimit
from fastingest.storage.reject_line import to_lines
from fastingest.storage.rejects import RejectsFile
from tests.support.limits import largest_file

MINUTE = 60 * 10**9
START = 28_333_333 * MINUTE
ONE = Reject(START, "not JSON", b"x" * 100)
SIZE = len(to_lines([ONE], "feed"))


def reject(minutes: float, reason: str = "not JSON", raw: bytes = b"x" * 100) -> Reject:
    return Reject(START + round(minutes * MINUTE), reason, raw)


class Rejects:
    """The rejects of a run, through several writers."""

    def __init__(self, out: Path, most: int | None = 10 * SIZE) -> None:
        self.out = out
        self.counters = Counters.create()
        self.limit = self.limit_of(most)
        self.limit.begin()
        self.file = RejectsFile(out, 0, limit=self.limit)

    def limit_of(self, most: int | None) -> RejectLimit:
        return RejectLimit(most, lambda: self.counters)

    def start(self, settled: int, most: int | None) -> None:
        """Another writer takes the place of the dead one."""
        self.file.close()
        self.file = RejectsFile(self.out, settled, limit=self.limit_of(most))

    def commit(self, *rejects: Reject) -> int:
        """How many of a batch's rejects are not kept."""
        not_kept = self.file.keep(rejects, "feed")
        self.file.committed()
        return not_kept

    @property
    def data(self) -> bytes:
        path = beside(self.out, ".rejected.jsonl")
        return path.read_bytes() if path.exists() else b""

    @property
    def lines(self) -> list[dict[str, Any]]:
        return list(map(json.loads, self.data.splitlines()))


@pytest.fixture
def rejects(tmp_path: Path) -> Any:
    made = Rejects(tmp_path / "o.csv")
    yield made
    made.file.close()


def test_all_are_kept_until_there_are_too_many(rejects: Rejects) -> None:
    assert rejects.commit(*[ONE] * 7) == 0
    assert rejects.commit(*[ONE] * 3) == 0
    assert rejects.data == to_lines([ONE] * 10, "feed")
    assert rejects.commit(ONE) == 0  # the first of its minute
    assert rejects.commit(ONE, ONE) == 2
    assert len(rejects.lines) == 11


def test_a_batch_that_has_no_room_as_a_whole_is_kept_as_far_as_there_is(rejects: Rejects) -> None:
    assert rejects.commit(*[ONE] * 4) == 0
    assert rejects.commit(*[ONE] * 20) == 20 - 6 - 1
    assert rejects.data == to_lines([ONE] * 11, "feed")
    # What is shorter would find room, but order is kept: what follows is a sample.
    assert rejects.commit(reject(0, raw=b"")) == 1


def test_the_first_of_each_reason_in_each_minute_is_kept(rejects: Rejects) -> None:
    rejects.commit(*[ONE] * 10)
    batch = [
        reject(minute + second / 60, reason)
        for minute in range(3)
        for second in range(60)
        for reason in ("not JSON", "not UTF-8: byte 5", "no `price`")
    ]
    assert rejects.commit(*batch) == len(batch) - 9
    kept = [(line["reason"], line["time"]) for line in rejects.lines[10:]]
    assert kept == [
        (reason, iso_time(START + minute * MINUTE))
        for minute in range(3)
        for reason in ("not JSON", "not UTF-8: byte 5", "no `price`")
    ]


def test_numbers_make_no_other_reason(rejects: Rejects) -> None:
    rejects.commit(*[ONE] * 10)
    assert rejects.commit(*(reject(0, f"not UTF-8: byte {n}") for n in range(100))) == 99


def test_late_rejects_of_another_receiver_begin_no_minute_again(rejects: Rejects) -> None:
    rejects.commit(*[ONE] * 10)
    assert rejects.commit(reject(1), reject(0.9), reject(1.1), reject(0.9)) == 3
    assert rejects.commit(reject(2)) == 0


def test_samples_are_cut(rejects: Rejects) -> None:
    rejects.commit(*[ONE] * 10)
    long = b"x" * (SAMPLE_SIZE - 1) + "é".encode() * 10
    odd = b"\xff" * (SAMPLE_SIZE + 1)
    whole = "é".encode() * (SAMPLE_SIZE // 2)
    assert rejects.commit(reject(1, raw=long), reject(2, raw=odd), reject(3, raw=whole)) == 0
    cut, binary, short = rejects.lines[10:]
    assert (cut["text"], cut["length"]) == ("x" * (SAMPLE_SIZE - 1), SAMPLE_SIZE + 19)
    assert base64.b64decode(binary["base64"]) == odd[:SAMPLE_SIZE]
    assert binary["length"] == len(odd)
    assert short["text"] == whole.decode()
    assert "length" not in short


def test_without_a_limit_all_are_kept(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "o.csv", None)
    assert rejects.commit(*[ONE] * 1000) == 0
    assert rejects.commit(reject(0, raw=b"y" * 2 * SAMPLE_SIZE)) == 0
    assert rejects.data == to_lines([ONE] * 1000 + [reject(0, raw=b"y" * 2 * SAMPLE_SIZE)], "feed")
    rejects.file.close()


def test_a_limit_of_nothing_samples_from_the_start(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "o.csv", 0)
    assert rejects.commit(*[ONE] * 1000) == 999
    rejects.file.close()


@given(st.lists(st.tuples(st.integers(0, 200), st.text(max_size=5), st.binary(max_size=300))))
def test_whatever_comes_a_minute_adds_no_more_than_its_samples(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[int, str, bytes]]
) -> None:
    rejects = Rejects(tmp_path_factory.mktemp("any") / "o.csv", 1000)
    times = sorted(time for time, _, _ in given)
    made = [reject(n / 50, what, raw) for n, (_, what, raw) in zip(times, given, strict=True)]
    not_kept = sum(rejects.commit(each) for each in made)
    assert len(rejects.lines) == len(made) - not_kept
    minutes = {each.time // MINUTE for each in made}
    assert len(rejects.data) <= 1000 + len(minutes) * 64 * (2 * SAMPLE_SIZE + 200)
    rejects.file.close()


# A writer that dies


@pytest.mark.parametrize("other", [None, 0])
def test_another_writer_keeps_the_same_whatever_the_dead_one_had_done(
    other: int | None, tmp_path: Path
) -> None:
    """It is cut off at every byte; and the next one, a later run's, may have another limit."""
    batch = [reject(0), reject(0), reject(0.5, "no `price`"), reject(1), reject(1, "no `price`")]
    whole = to_lines([ONE, *batch], "feed")
    for size in [*range(SIZE, len(whole), 3), len(whole)]:
        rejects = Rejects(tmp_path / f"{size}.csv", 2 * SIZE)
        rejects.commit(ONE)
        assert len(rejects.data) == SIZE
        with beside(rejects.out, ".rejected.jsonl").open("ab") as file:
            file.write(whole[SIZE:size])
        rejects.start(SIZE, other)
        assert rejects.file.explained_by(batch, "feed") == size - SIZE
        assert rejects.commit(*batch) == 0
        assert rejects.commit(*batch[3:]) == 2
        assert rejects.data == whole, size
        rejects.file.close()


def test_what_is_not_in_the_journal_is_chosen_again(rejects: Rejects) -> None:
    rejects.commit(*[ONE] * 10)
    for _ in range(3):  # each time the writer dies before it has made the entry
        settled = len(rejects.data) if len(rejects.lines) == 10 else 10 * SIZE
        rejects.start(settled, None)
        assert rejects.file.keep([ONE, ONE], "feed") == 1
    assert len(rejects.lines) == 11


def test_a_write_that_fails_chooses_again(rejects: Rejects) -> None:
    rejects.commit(*[ONE] * 10)
    with largest_file(len(rejects.data) + 10), pytest.raises(WriteFailed, match="File too large"):
        rejects.file.keep([ONE, ONE], "feed")
    assert rejects.commit(ONE, ONE) == 1
    assert len(rejects.lines) == 11


def test_counters_that_say_nothing_leave_it_to_the_option(tmp_path: Path) -> None:
    """The machine was started anew."""
    rejects = Rejects(tmp_path / "o.csv", 5 * SIZE)
    rejects.counters = Counters.create()
    assert rejects.commit(*[ONE] * 10) == 4
    rejects.file.close()


# The disk


def test_rejects_leave_free_what_shall_stay_free(tmp_path: Path) -> None:
    rejects_file = RejectsFile(tmp_path / "o.csv", limit=Rejects(tmp_path / "p.csv").limit)
    rejects_file.keep([ONE], "feed")
    rejects_file.committed()
    rejects_file.close()
    limit = RejectLimit(None, Counters.create)
    rejects_file = RejectsFile(tmp_path / "o.csv", limit=limit, min_free=2**60)
    with pytest.raises(WriteFailed, match=r"only .* free on its disk; .*\(--min-free\)") as failed:
        rejects_file.keep([ONE], "feed")
    assert failed.value.path == rejects_file.path
    assert rejects_file.path.read_bytes() == to_lines([ONE], "feed")
    rejects_file.go_back(0)
    rejects_file.keep([ONE], "feed")  # which is there already, and takes no room
    # What is cut off the output has its room from there.
    rejects_file.add([ONE], "")
    rejects_file.close()
