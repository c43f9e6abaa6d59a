"""Whether an output gets on; the clock is turned by hand."""

from __future__ import annotations

from typing import Any

from fastingest.supervisor.progress import AGAIN, PATIENCE, Progress, Standing

Said = list[tuple[float, str, dict[str, Any]]]


def _watch(
    progress: Progress, standings: dict[float, Standing], until: float, *, is_failing: bool = False
) -> Said:
    """Look each second; each standing holds from its moment on."""
    said: Said = []
    now, standing = 0.0, Standing(0, 0, 0, 0)
    while now <= until:
        standing = standings.get(now, standing)
        found = progress.look(now, standing, is_failing=is_failing)
        if found is not None:
            said.append((now, found[1], found[2]))
        now += 1.0
    return said


def test_a_feed_that_is_quiet_is_no_matter() -> None:
    standings = {100.0: Standing(7, 70, 0, 0)}
    assert _watch(Progress(0.25), standings, 1000.0) == []


def test_a_row_that_comes_after_a_long_time_has_its_time() -> None:
    standings = {1000.0: Standing(0, 0, 1, 25), 1000.0 + PATIENCE - 1: Standing(1, 25, 0, 0)}
    assert _watch(Progress(0.25), standings, 2000.0) == []


def test_what_is_not_written_is_said_and_again_at_growing_intervals() -> None:
    said = _watch(Progress(0.25), {10.0: Standing(5, 50, 3, 75)}, 2000.0)
    moments = [now for now, _, _ in said]
    assert moments[:4] == [10 + PATIENCE, 10 + 3 * PATIENCE, 10 + 7 * PATIENCE, 10 + 15 * PATIENCE]
    assert {b - a for a, b in zip(moments[-3:], moments[-2:], strict=False)} == {AGAIN}
    assert {event for _, event, _ in said} == {"no progress"}
    assert said[0][2] == {"length": PATIENCE, "rows": 3, "queue": 75}
    assert said[1][2]["length"] == 3 * PATIENCE


def test_it_is_said_that_it_goes_on_and_how_long_that_was() -> None:
    standings = {
        10.0: Standing(5, 50, 3, 75),
        30.0: Standing(6, 50, 2, 50),
        32.0: Standing(8, 100, 0, 0),
        100.0: Standing(8, 100, 1, 25),
    }
    said = _watch(Progress(0.25), standings, 106.0)
    assert [(now, event) for now, event, _ in said] == [
        (15.0, "no progress"),
        (25.0, "no progress"),
        (30.0, "there is progress again"),
        (105.0, "no progress"),
    ]
    assert said[2][2] == {"length": 20.0}
    assert said[3][2] == {"length": 5.0, "rows": 1, "queue": 25}


def test_slow_progress_is_progress() -> None:
    standings = {float(n): Standing(n, 10 * n, 10_000, 10**6) for n in range(0, 1000, 4)}
    assert _watch(Progress(0.25), standings, 1000.0) == []


def test_what_an_earlier_run_has_left_is_progress() -> None:
    """It is in this run's counts nowhere, but in the file."""
    standings = {float(n): Standing(0, n, 500, 10**6) for n in range(1000)}
    assert _watch(Progress(0.25), standings, 999.0) == []


def test_a_row_that_is_in_no_batch_yet_waits_for_that() -> None:
    said = _watch(Progress(60.0), {10.0: Standing(0, 0, 1, 0)}, 80.0)
    assert [now for now, _, _ in said] == [10 + 60 + PATIENCE]


def test_an_error_that_was_told_is_not_told_again() -> None:
    standings = {10.0: Standing(0, 0, 1, 25)}
    assert _watch(Progress(0.25), standings, 500.0, is_failing=True) == []


def test_idle_counts_from_the_latest_progress_or_the_moment_asked_for() -> None:
    progress = Progress(0.25)
    _watch(progress, {10.0: Standing(5, 50, 3, 75)}, 20.0)
    assert progress.idle(20.0, 0.0) == 10.0
    assert progress.idle(20.0, 15.0) == 5.0
    assert progress.waiting == 3
