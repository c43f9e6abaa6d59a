"""How long to wait before trying again: exponential backoff with full jitter.

The n-th delay is uniform between zero and ``min(maximum, initial * 2**n)`` ("full jitter", Marc
Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015): clients that lost one
server together do not come back together. The caller sleeps, and makes a new generator after
success.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

__all__ = ["delays"]


def delays(
    initial: float, maximum: float, uniform: Callable[[float, float], float] = random.uniform
) -> Iterator[float]:
    """An endless iterator of delays.

    :param initial: the first delay's upper bound, in seconds.
    :param maximum: every delay's upper bound, in seconds.
    :param uniform: draws between two bounds.
    """
    bound = min(initial, maximum)
    while True:
        yield uniform(0, bound)
        bound = min(maximum, bound * 2)
