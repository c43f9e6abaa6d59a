from __future__ import annotations

from pathlib import Path

import pytest

from fastingest import WriteFailed
from fastingest.storage.torn_tail import LIMIT, LOOK_EVERY, PATIENCE, Tail, settled_tail


class Changing:
    """A file whose end is another one at each of some moments; time passes as it is slept."""

    path = Path("out.csv")

    def __init__(self, *tails: tuple[float, int, bytes]) -> None:
        self.tails = tails
        self.time = 1000.0
        self.begin = self.time
        self.starts: list[int] = []

    def torn(self, start: int = 0) -> Tail:
        self.starts.append(start)
        past = [Tail(*tail[1:]) for tail in self.tails if tail[0] <= self.time - self.begin]
        return past[-1]

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def settled(self, start: int = 0) -> Tail:
        return settled_tail(self, start, now=lambda: self.time, sleep=self.sleep)

    @property
    def waited(self) -> float:
        return self.time - self.begin


def test_a_whole_row_is_not_waited_for() -> None:
    file = Changing((0, 20, b""))
    assert file.settled() == (20, b"")
    assert file.waited == 0


def test_a_piece_is_one_when_it_has_stayed_for_a_second() -> None:
    file = Changing((0, 20, b"A,1"))
    assert file.settled(5) == (20, b"A,1")
    assert PATIENCE <= file.waited < PATIENCE + 2 * LOOK_EVERY
    assert file.starts[:3] == [5, 20, 20]  # once it is known, only what is behind it is read


@pytest.mark.parametrize("then", [(20, b"A,1,"), (20, b"A,2"), (29, b"A,1"), (20, b"A")], ids=str)
def test_whatever_changes_begins_the_second_anew(then: tuple[int, bytes]) -> None:
    file = Changing((0, 20, b"A,1"), (0.9, *then))
    assert file.settled() == then
    assert 0.9 + PATIENCE <= file.waited < 0.9 + PATIENCE + 3 * LOOK_EVERY


def test_a_line_that_is_ended_is_nobodys_piece() -> None:
    file = Changing((0, 20, b"A,1"), (0.5, 26, b""))
    assert file.settled() == (26, b"")
    assert file.waited < 0.6


def test_who_is_always_in_the_middle_of_a_line_is_not_waited_for_for_ever() -> None:
    file = Changing(*((moment / 2, 20 + moment, b"A,1") for moment in range(100)))
    with pytest.raises(WriteFailed, match="another program is in the middle of a line"):
        file.settled()
    assert LIMIT <= file.waited < LIMIT + 2 * LOOK_EVERY
