"""When the last bytes of a connection came, as far as that is certain.

A connection that is found dead has been dead since some moment after its last bytes: from these on
everything may be missed. They came when they were read, but for one case. What is read right after
a time in which this process did not run (the machine was suspended, the process stopped) had waited
in the kernel, nobody knows since when. If the connection lives on, nothing was missed. If it does
not, the last bytes that count are those before that time.

Nothing here looks at a clock.
"""

from __future__ import annotations

__all__ = ["LATE", "SETTLING", "Receipt"]

LATE = 5.0
"""Seconds between two looks from which on this process has not been running."""

SETTLING = 1.0
"""Seconds after such a time in which what is read may have waited in the kernel."""


class Receipt:
    """Follows one connection, which has just been opened. There is to be a look each second.

    :param now: in seconds, by a clock that goes on while the machine is suspended.
    :param reads: how many reads have brought anything so far.
    """

    def __init__(self, now: float, reads: int) -> None:
        self._looked = self._certain = now
        self._reads = reads
        self._woken = float("-inf")

    def look(self, now: float, reads: int, age: float) -> None:
        """Take what has come.

        :param age: seconds since the last read; the clock for it may stand still while the machine
            is suspended.
        """
        if now - self._looked >= LATE:
            self._woken = now
        elif reads != self._reads and now - age >= self._woken + SETTLING:
            self._certain = now - age
        self._looked, self._reads = now, reads

    def silence(self, now: float, reads: int, age: float) -> float:
        """Seconds since the last bytes of a connection that is over; otherwise as :meth:`look`."""
        self.look(now, reads, age)
        return now - self._certain
