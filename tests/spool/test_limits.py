from __future__ import annotations

from pathlib import Path

import pytest

from fastingest.spool.limits import Limits, limits_of, room_in

KIB, MIB, GIB = 2**10, 2**20, 2**30


def limits(
    memory: int,
    spill: int = GIB,
    *,
    parts: int = 1,
    room: int = 100 * GIB,
    older: tuple[int, int] = (0, 0),
) -> Limits:
    return limits_of(memory, spill, parts=parts, room=room, older=older)


def test_one_outbox_has_what_the_user_allows() -> None:
    assert limits(256 * MIB) == Limits(256 * MIB, GIB, 256 * MIB, GIB, 4 * MIB, 4 * MIB)


def test_several_have_a_share_each() -> None:
    found = limits(256 * MIB, parts=4)
    assert (found.memory, found.spill) == (64 * MIB, GIB // 4)


def test_a_share_is_a_mebibyte_at_least() -> None:
    assert limits(8 * MIB, parts=64).memory == MIB


def test_there_is_no_more_than_there_is_room_for() -> None:
    assert limits(GIB, room=128 * MIB, parts=2).memory == 64 * MIB
    # Where there is nearly none, a batch that finds none is dealt with as it comes.
    assert limits(GIB, room=0).memory == 4 * MIB


@pytest.mark.parametrize(
    ("older", "first"), [((0, 0), (64, 1024)), ((40, 1000), (24, 256)), ((64, 24), (16, 1000))]
)
def test_what_is_left_of_others_leaves_a_quarter_at_least(
    older: tuple[int, int], first: tuple[int, int]
) -> None:
    found = limits(64 * MIB, older=(older[0] * MIB, older[1] * MIB))
    assert (found.first_memory, found.first_spill) == (first[0] * MIB, first[1] * MIB)
    assert (found.memory, found.spill) == (64 * MIB, GIB)


@pytest.mark.parametrize(
    ("memory", "segment", "window"),
    [(MIB, 256 * KIB, 256 * KIB), (32 * MIB, 2 * MIB, 4 * MIB), (4 * GIB, 16 * MIB, 4 * MIB)],
)
def test_segments_and_window_go_by_the_memory(memory: int, segment: int, window: int) -> None:
    found = limits(memory)
    assert (found.segment_size, found.window) == (segment, window)


def test_room_is_a_part_of_what_is_free(tmp_path: Path) -> None:
    assert 0 < room_in(tmp_path) < 2**63
    assert room_in(tmp_path / "not there") == 2**63
