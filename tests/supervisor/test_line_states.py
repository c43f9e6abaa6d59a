"""How connections stand, as it is told, and when their receiver has died."""

from __future__ import annotations

from pathlib import Path

from fastingest.model.feed import Feed, Line, Table
from fastingest.runtime.control import LineState
from fastingest.supervisor.line_states import LineStates

LINES = tuple(Line("ws://h", (), (symbol,)) for symbol in "ABC")
FEED = Feed("f", "ws://h", (Table(Path("o.csv")),), symbols=("A", "B", "C"), lines=LINES)


def test_the_latest_word_counts() -> None:
    states = LineStates()
    states.note(LineState("f", 2, 9, never_ready=True))
    states.note(LineState("f", 1, 8, never_ready=True))
    states.note(LineState("g", 3, 9, never_ready=True))
    assert states.never_ready("f") == [1, 2]
    ready = LineState("f", 2, 0, never_ready=False)
    states.note(ready)
    assert states.never_ready("f") == [1]
    assert states.of(FEED)[2] == ready


def test_when_the_receiver_has_died_none_is_ready() -> None:
    states = LineStates()
    states.note(LineState("f", 1, 0, never_ready=False))
    states.note(LineState("f", 2, 5, never_ready=True))
    for now in (100, 200):  # the next one may be dead before it has said anything
        states.bury(FEED, 7, now)
        assert states.of(FEED) == {
            1: LineState("f", 1, 100, never_ready=False),
            2: LineState("f", 2, 5, never_ready=True),
            3: LineState("f", 3, 7, never_ready=True),
        }


def test_of_a_feed_with_one_connection_there_is_nothing_to_know() -> None:
    states = LineStates()
    one = Feed("one", "ws://h", (Table(Path("o.csv")),))
    states.bury(one, 7, 9)
    assert (states.of(one), states.never_ready("one")) == ({}, [])
