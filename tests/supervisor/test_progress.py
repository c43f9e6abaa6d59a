"""Whether an output gets on; the clock is turned by hand."""

from __future__ import annotations

from fastingest.supervisor.events import NoProgress, ProgressAgain
from fastingest.supervisor.progress import AGAIN, PATIENCE, Progress, Standing

OUT = "/o.csv"

Said = list[tuple[float, NoProgress | ProgressAgain]]


def at(seconds: float) -> int:
    """The moment by the wall clock."""
    return 1_700_000_000 * 10**9 + round(seconds * 1e9)


def _watch(
    progress: Progress, standings: dict[float, Standing], until: float, *, is_failing: bool = False
) -> Said:
    """Look each second; each standing holds from its moment on."""
    said: Said = []
    now, standing = 0.0, Standing(0, 0, 0, 0)
    while now <= until:
        standing = standings.get(now, standing)
        found = progress.look(now, at(now), standing, is_failing=is_failing)
        if found is not None:
            said.append((now, found))
        now += 1.0
    return said


def test_a_feed_that_is_quiet_is_no_matter() -> None:
    standings = {100.0: Standing(7, 70, 0, 0)}
    assert _watch(Progress(OUT, 0.25), standings, 1000.0) == []


def test_a_row_that_comes_after_a_long_time_has_its_time() -> None:
    standings = {1000.0: Standing(0, 0, 1, 25), 1000.0 + PATIENCE - 1: Standing(1, 25, 0, 0)}
    assert _watch(Progress(OUT, 0.25), standings, 2000.0) == []


def test_what_is_not_written_is_said_and_again_at_growing_intervals() -> None:
    said = _watch(Progress(OUT, 0.25), {10.0: Standing(5, 50, 3, 75)}, 2000.0)
    moments = [now for now, _ in said]
    assert moments[:4] == [10 + PATIENCE, 10 + 3 * PATIENCE, 10 + 7 * PATIENCE, 10 + 15 * PATIENCE]
    assert {b - a for a, b in zip(moments[-3:], moments[-2:], strict=False)} == {AGAIN}
    assert {type(event) for _, event in said} == {NoProgress}
    assert said[0][1] == NoProgress(OUT, at(10), PATIENCE, rows=3, queue=75)
    assert said[1][1] == NoProgress(OUT, at(10), 3 * PATIENCE, rows=3, queue=75)


def test_it_is_said_that_it_goes_on_and_how_long_that_was() -> None:
    standings = {
        10.0: Standing(5, 50, 3, 75),
        30.0: Standing(6, 50, 2, 50),
        32.0: Standing(8, 100, 0, 0),
        100.0: Standing(8, 100, 1, 25),
    }
    said = _watch(Progress(OUT, 0.25), standings, 106.0)
    assert said == [
        (15.0, NoProgress(OUT, at(10), 5.0, rows=3, queue=75)),
        (25.0, NoProgress(OUT, at(10), 15.0, rows=3, queue=75)),
        (30.0, ProgressAgain(OUT, at(10), 20.0)),
        (105.0, NoProgress(OUT, at(100), 5.0, rows=1, queue=25)),
    ]


def test_slow_progress_is_progress() -> None:
    standings = {float(n): Standing(n, 10 * n, 10_000, 10**6) for n in range(0, 1000, 4)}
    assert _watch(Progress(OUT, 0.25), standings, 1000.0) == []


def test_what_an_earlier_run_has_left_is_progress() -> None:
    """It is in this run's counts nowhere, but in the file."""
    standings = {float(n): Standing(0, n, 500, 10**6) for n in range(1000)}
    assert _watch(Progress(OUT, 0.25), standings, 999.0) == []


def test_a_row_that_is_in_no_batch_yet_waits_for_that() -> None:
    said = _watch(Progress(OUT, 60.0), {10.0: Standing(0, 0, 1, 0)}, 80.0)
    assert [now for now, _ in said] == [10 + 60 + PATIENCE]


def test_an_error_that_was_told_is_not_told_again() -> None:
    standings = {10.0: Standing(0, 0, 1, 25)}
    assert _watch(Progress(OUT, 0.25), standings, 500.0, is_failing=True) == []


def test_idle_counts_from_the_latest_progress_or_the_moment_asked_for() -> None:
    progress = Progress(OUT, 0.25)
    _watch(progress, {10.0: Standing(5, 50, 3, 75)}, 20.0)
    assert progress.idle(20.0, 0.0) == 10.0
    assert progress.idle(20.0, 15.0) == 5.0
    assert progress.waiting == 3
