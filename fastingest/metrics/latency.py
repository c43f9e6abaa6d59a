"""How long rows have waited: counts of powers of two."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import accumulate
from operator import add
from typing import Any

__all__ = ["LatencyHistogram"]


class LatencyHistogram:
    """Counts of durations in buckets that grow geometrically: 8 to a factor of two.

    A quantile read from it is too high by 9% at most. The first bucket holds all under 1 µs, the
    last all above about half an hour. (The idea is HdrHistogram's.)
    """

    _PER_OCTAVE = 8
    _FLOOR = 10  # log2 of the first bucket's end in nanoseconds
    BUCKETS = 1 + _PER_OCTAVE * 31

    def __init__(self, slots: Any) -> None:
        self._slots = slots  # memoryview of BUCKETS unsigned 64-bit numbers

    def add(self, nanoseconds: int, count: int) -> None:
        """Count ``count`` durations of ``nanoseconds`` each."""
        self._slots[self._bucket(nanoseconds)] += count

    def quantiles(
        self, shares: Iterable[float], others: Iterable[LatencyHistogram] = ()
    ) -> list[float]:
        """For each share (0.99 for p99): the seconds that so many stayed under; nan with none.

        :param others: to be counted as well.
        """
        counts = list(self._slots)
        for other in others:
            counts = list(map(add, counts, other._slots))
        total = sum(counts)
        return [self._quantile(counts, share * total) if total else math.nan for share in shares]

    def _quantile(self, counts: list[int], rank: float) -> float:
        reached = accumulate(counts)
        bucket = next(b for b, seen in enumerate(reached) if seen >= rank and counts[b])
        return float(2 ** (self._FLOOR + bucket / self._PER_OCTAVE) / 1e9)

    @classmethod
    def _bucket(cls, nanoseconds: int) -> int:
        if nanoseconds < 1 << cls._FLOOR:
            return 0
        octaves = math.log2(nanoseconds) - cls._FLOOR
        return min(1 + int(octaves * cls._PER_OCTAVE), cls.BUCKETS - 1)
