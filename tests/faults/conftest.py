"""The seed of everything that is random here; a run says which one it had."""

from __future__ import annotations

import os
import random

import pytest

_SEED = int(os.environ.get("FASTINGEST_SEED") or random.SystemRandom().randrange(10**9))


def pytest_report_header() -> str:
    return f"fault tests: FASTINGEST_SEED={_SEED} gives this schedule again"


@pytest.fixture
def schedule(request: pytest.FixtureRequest) -> random.Random:
    """What chooses victims and moments: of the seed and the test's name, so in any order."""
    print(f"FASTINGEST_SEED={_SEED}")  # where a test fails, it is shown with the failure
    return random.Random(f"{_SEED} {request.node.name}")
