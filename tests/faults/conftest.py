"""What is random here comes from a seed; a run says which one it had."""

from __future__ import annotations

import os
import random

import pytest


@pytest.fixture
def schedule(request: pytest.FixtureRequest) -> random.Random:
    """What chooses victims and moments: of the seed and the test's name, so in any order."""
    seed = os.environ["FASTINGEST_SEED"]
    print(f"FASTINGEST_SEED={seed}")  # where a test fails, it is shown with the failure
    return random.Random(f"{seed} {request.node.name}")
