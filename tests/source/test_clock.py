"""The clock of the gaps."""

from __future__ import annotations

import sys
import time

import pytest

from fastingest.source.clock import elapsed


def test_it_counts_seconds_and_never_goes_back() -> None:
    before, now = time.monotonic(), elapsed()
    assert elapsed() >= now
    while time.monotonic() < before + 0.05:
        pass
    assert 0.04 < elapsed() - now < 60


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such clock")
def test_it_counts_what_the_machine_was_suspended() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= elapsed() <= time.clock_gettime(time.CLOCK_BOOTTIME)
