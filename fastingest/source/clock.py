"""The clock by which times without a feed are measured: it goes on while the machine is suspended.

The monotonic clock of Linux stands still meanwhile, and so does the one that ``time.monotonic``
reads on macOS; what the venue sent in that time was missed all the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

__all__ = ["elapsed"]

_CLOCK = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC

elapsed: Callable[[], float] = partial(time.clock_gettime, _CLOCK)
"""Seconds since some moment, the same one for all processes. Setting the wall clock does not change
them."""
