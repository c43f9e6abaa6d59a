"""Which outputs are given up, and when; the clock is turned by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastingest.errors import WriteFailed
from fastingest.model.event import Event
from fastingest.supervisor.events import NoProgress
from fastingest.supervisor.progress import PATIENCE, Standing
from fastingest.supervisor.writer_watchdog import (
    FAILING_LIMIT,
    STALLED_LIMIT,
    WriterWatchdog,
)

PATHS = [Path("/a.csv"), Path("/b.csv")]
FULL = WriteFailed(PATHS[0], "no space")
NOTHING = Standing(0, 0, 0, 0)
WAITS = Standing(5, 50, 3, 75)
EPOCH = 1_700_000_000 * 10**9


def stalled(events: Sequence[Event]) -> set[str]:
    """The outputs of which it is said that they make no progress."""
    return {each.output for each in events if isinstance(each, NoProgress)}


class _Run:
    """A run that shall end from second 100 on, looked at each second."""

    def __init__(self) -> None:
        self.watchdog = WriterWatchdog(PATHS, 0.25)
        self.standings = [NOTHING, NOTHING]
        self.events: list[Event] = []
        self.verdicts: list[tuple[float, int | None, str]] = []

    def goes(self, start: int, until: int, *, is_ending: bool = True) -> None:
        """From second ``start`` on, as long as the writer is not given up."""
        for now in range(start, until + 1):
            self.events += self.watchdog.look(now, EPOCH + now * 10**9, self.standings)
            if is_ending:
                for verdict in self.watchdog.judge(now):
                    why = "" if verdict.why is None else str(verdict.why)
                    self.verdicts.append((now, verdict.output, why.partition(";")[0]))
            if self.is_over:
                return

    @property
    def is_over(self) -> bool:
        return bool(self.verdicts) and self.verdicts[-1][1] is None

    def gets_on(self, number: int) -> None:
        before = self.standings[number]
        self.standings[number] = Standing(before.accounted + 1, before.size + 1, 3, 75)


def test_as_long_as_the_run_goes_on_nothing_is_given_up() -> None:
    run = _Run()
    run.standings = [WAITS, WAITS]
    run.watchdog.failing(0, FULL)
    run.goes(0, 1000, is_ending=False)
    assert run.verdicts == []
    assert stalled(run.events) == {"/b.csv"}  # why the other is not written was told
    assert run.watchdog.given_up == set()


def test_an_output_that_fails_is_given_up_soon_and_the_others_are_not() -> None:
    run = _Run()
    run.standings = [WAITS, WAITS]
    run.goes(0, 100, is_ending=False)
    run.watchdog.failing(0, FULL)
    for now in range(101, 121):
        run.gets_on(1)
        run.goes(now, now)
    assert run.verdicts == [(101 + FAILING_LIMIT, 0, "/a.csv: no space")]
    assert run.watchdog.given_up == {0}


def test_when_all_are_given_up_so_is_the_writer() -> None:
    run = _Run()
    run.standings = [WAITS, WAITS]
    run.watchdog.failing(0, FULL)
    run.watchdog.failing(1, WriteFailed(PATHS[1], "read-only"))
    run.goes(100, 1000)
    last = 100 + FAILING_LIMIT
    said = [(last, 0, "/a.csv: no space"), (last, 1, "/b.csv: read-only"), (last, None, "")]
    assert run.verdicts == said


def test_an_output_that_fails_and_gets_on_all_the_same_is_waited_for() -> None:
    run = _Run()
    run.watchdog.failing(0, FULL)
    for now in range(100, 200):
        run.gets_on(0)
        run.gets_on(1)
        run.goes(now, now)
    assert run.verdicts == []


def test_one_that_works_again_is_waited_for_as_one_that_never_failed() -> None:
    run = _Run()
    run.standings = [WAITS, NOTHING]
    run.watchdog.failing(0, FULL)
    run.goes(100, 101)
    run.watchdog.works_again(0)
    run.watchdog.works_again(1)  # which has never failed
    run.goes(102, 1000)
    said = "/a.csv: there was no progress for 1m"
    last = 100 + STALLED_LIMIT
    assert run.verdicts == [(last, 0, said), (last, None, said)]


def test_what_a_writer_that_died_has_said_holds_no_more() -> None:
    run = _Run()
    run.standings = [WAITS, WAITS]
    run.watchdog.failing(0, FULL)
    run.goes(100, 101)
    run.watchdog.writer_died()
    run.goes(102, 159)
    assert run.verdicts == []


def test_one_that_has_stalled_is_given_up_when_nobody_says_why() -> None:
    run = _Run()
    run.standings = [WAITS, WAITS]
    for now in range(100, 200):
        run.gets_on(1)
        run.goes(now, now)
    said = "/a.csv: there was no progress for 1m"
    assert run.verdicts == [(100 + STALLED_LIMIT, 0, said)]
    assert stalled(run.events) == {"/a.csv"}


def test_where_nothing_waits_and_nothing_ends_the_writer_is_given_up() -> None:
    run = _Run()
    run.goes(0, 100, is_ending=False)
    run.goes(101, 1000)
    said = "/a.csv: there was no progress for 1m"
    assert run.verdicts == [(101 + STALLED_LIMIT, None, said)]
    assert run.events == []


def test_the_time_before_the_end_does_not_count() -> None:
    run = _Run()
    run.standings = [WAITS, WAITS]
    run.goes(0, 500, is_ending=False)
    run.goes(501, 501 + int(STALLED_LIMIT) - 1)
    assert run.verdicts == []


def test_what_is_said_of_an_output_names_it() -> None:
    watchdog = WriterWatchdog(PATHS, 0.25)
    said = [
        list(watchdog.look(now, EPOCH, [NOTHING, WAITS])) for now in range(10, 11 + int(PATIENCE))
    ]
    since = EPOCH - round(PATIENCE * 1e9)
    assert said[-1] == [NoProgress("/b.csv", since, PATIENCE, rows=3, queue=75)]
