"""How many rows to take, so that a capture takes some seconds: trials tell, with more and more."""

from __future__ import annotations

from collections.abc import Callable

from bench.capture import Capture

__all__ = ["rounded", "rows_that_take"]

FIRST_ROWS = 20_000
LONG_ENOUGH = 0.4  # of the seconds
GROWTH = 10  # from one trial to the next, at most


def rows_that_take(seconds: float, run: Callable[[int], Capture]) -> int:
    """How many rows ``run`` takes in so many seconds.

    The best trial counts, for the machine may have been busy in another.
    """
    rows, wanted = FIRST_ROWS, 0.0
    while True:
        done = run(rows)
        wanted = max(wanted, done.rate * seconds)
        if done.seconds >= seconds * LONG_ENOUGH:
            return rounded(wanted)
        rows = rounded(max(2 * rows, min(GROWTH * rows, wanted)))


def rounded(rows: float) -> int:
    """A number of rows, to two digits."""
    return int(float(f"{rows:.2g}"))
