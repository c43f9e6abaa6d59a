from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fastingest import errors
from fastingest.errors import (
    Aborted,
    CaptureIncomplete,
    ConfigError,
    FastingestError,
    FeedRefused,
    FeedsStale,
    HeaderMismatch,
    NeverReady,
    OptionError,
    OutboxFull,
    OutputLocked,
    OutputRefused,
    ProcessDied,
    RowsLost,
    RunFailed,
    UsageError,
    WriteFailed,
    how_ended,
)
from fastingest.model.counts import Counts

OUT = Path("o.csv")
EACH = [
    FastingestError("said"),
    UsageError("said"),
    OptionError("batch_size", "is wrong"),
    ConfigError(Path("f.toml"), 3, "is wrong"),
    OutputRefused(OUT, "is wrong"),
    HeaderMismatch(OUT, "a", "b"),
    OutputLocked(OUT, 42),
    OutputLocked(OUT, None),
    FeedRefused("ws://h", "says no"),
    RunFailed("said"),
    WriteFailed(OUT, "No space left on device"),
    ProcessDied("writer", -9, 3),
    RowsLost("2 rows were dropped"),
    NeverReady([("kraken", "no reply")]),
    CaptureIncomplete([("a", 1), ("b", 2)]),
    FeedsStale([("a", 7, ("a", "x", "y", "z", "u", "v")), ("b", 1, ("b",))]),
    OutboxFull(),
    Aborted(),
]


@dataclass
class Numbers:
    """A run's summary, as far as an error looks at it."""

    ledger: Counts


def drawn() -> list[tuple[str, str, int]]:
    """The tree in the module's docstring: each class, the one that it is drawn under, its status.

    Where no status is drawn, it is that of the class above.
    """
    tree: list[tuple[str, str, int]] = []
    above: list[tuple[str, int]] = []
    lines = (errors.__doc__ or "").partition("::\n\n")[2].partition("\n\n")[0].splitlines()
    for line in lines:
        match = re.fullmatch(r"    ([│├└─ ]*)(\w+)(?: +(?:status (\d+))?.*)?", line)
        assert match is not None, line
        depth = len(match[1]) // 4
        parent, status = above[depth - 1] if depth else ("Exception", 0)
        status = int(match[3] or status)
        above[depth:] = [(match[2], status)]
        tree.append((match[2], parent, status))
    return tree


def test_the_tree_is_as_it_is_drawn() -> None:
    classes = [getattr(errors, name) for name in errors.__all__]
    found = {(each.__name__, each.__base__.__name__, each.exit_status) for each in classes}
    assert set(drawn()) == found
    assert {type(each) for each in EACH} == set(classes)


@pytest.mark.parametrize("error", EACH, ids=lambda each: type(each).__name__)
def test_an_error_goes_from_process_to_process_as_it_is(error: FastingestError) -> None:
    error.summary = Numbers(Counts(5, 3))
    again: Any = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OptionError("batch_size", "is wrong"), "--batch-size: is wrong"),
        (ConfigError(Path("f.toml"), 3, "is wrong"), "f.toml:3: is wrong"),
        (OutputLocked(OUT, 42), "o.csv: process 42 is writing it; stop that run or name another"),
        (OutputLocked(OUT, None), "o.csv: another process is writing it; stop that run or name"),
        (HeaderMismatch(OUT, "a", "b"), "o.csv: its header is 'a', this run writes 'b'; name"),
        (FeedRefused("ws://h", "says no"), "ws://h: says no"),
    ],
)
def test_what_the_caller_can_change_is_said_with_what_to_do(
    error: FastingestError, said: str
) -> None:
    assert str(error).startswith(said)


@pytest.mark.parametrize(
    ("ledger", "kept"),
    [
        (Counts(9, written=9), "every row received is written"),
        (Counts(9, written=4), "5 received rows are kept, and written by the next run of this"),
        (Counts(9, written=4, dropped=2, lost=3), "5 received rows are lost"),
        (Counts(9, written=8, set_aside=1), "1 received rows are set aside"),
        (
            Counts(9, written=4, lost=2, set_aside=1),
            "2 received rows are kept, and written by the next run of this output, "
            "2 received rows are lost, 1 received rows are set aside",
        ),
    ],
)
def test_a_run_that_failed_says_what_became_of_its_rows(ledger: Counts, kept: str) -> None:
    for error, said in (
        (RunFailed("no memory"), "no memory; "),
        (WriteFailed(OUT, "No space"), "o.csv: No space; "),
        (ProcessDied("writer", 1), "the writer process ended with status 1; "),
        (OutboxFull(), "the outbox was full, and --when-full is exit; "),
        (Aborted(), "stopped at once; "),
    ):
        error.summary = Numbers(ledger)
        assert str(error).startswith(said + kept)


def test_a_run_that_has_received_nothing_says_nothing_of_rows() -> None:
    error = RunFailed("no memory")
    assert str(error) == "no memory"
    error.summary = Numbers(Counts())
    assert str(error) == "no memory"


def test_rows_that_are_lost_are_said_once() -> None:
    error = RowsLost("2 rows were dropped")
    error.summary = Numbers(Counts(9, written=7, dropped=2))
    assert str(error) == "2 rows were dropped"


@pytest.mark.parametrize(
    ("exit_code", "for_memory", "how"),
    [
        (-9, False, "was killed by signal 9"),
        (-9, True, "was killed by the kernel for lack of memory"),
        (1, False, "ended with status 1"),
        (0, False, "ended with status 0"),
        (None, False, "ended with status None"),
    ],
)
def test_how_a_process_ended(exit_code: int | None, for_memory: bool, how: str) -> None:
    assert how_ended(exit_code, for_memory=for_memory) == how


def test_a_process_that_died_again_and_again_says_how_at_last() -> None:
    died = ProcessDied("receiver 1", None, 10, "could not be started")
    assert str(died).startswith(
        "the receiver 1 process died 10 times in a row, and at last could not be started; "
    )


def test_feeds_that_were_never_ready_are_named_with_their_reasons() -> None:
    feeds = [(f"feed {number}", f"reason {number}") for number in range(7)]
    assert str(NeverReady(feeds[:1])) == "feed 0: it was not ready once in this run: reason 0"
    assert str(NeverReady(feeds[:2])) == (
        "2 feeds were not ready once in this run: feed 0: reason 0; feed 1: reason 1"
    )
    many = str(NeverReady(feeds))
    assert many.startswith("7 feeds were not ready once in this run: feed 0: reason 0; ")
    assert many.endswith("; feed 4: reason 4; and 2 more")


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ([("a", 1, ("a",))], "a"),
        ([("a", 2, ("x", "y"))], "a: x, y"),
        ([("a", 3, ("a", "x", "y")), ("b", 1, ())], "a: x, y; b"),
        ([("a", 9, tuple("abcdefghi"))], "a: b, c, d, e, f, 3 more"),
        ([(name, 1, (name,)) for name in "abcdefg"], "a; b; c; d; e; and of 2 more feeds"),
    ],
)
def test_what_is_stale_is_named_as_far_as_there_is_room(
    feeds: list[tuple[str, int, tuple[str, ...]]], said: str
) -> None:
    assert str(FeedsStale(feeds)) == f"stale at the end: {said}"
