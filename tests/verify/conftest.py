"""Real files: what a run would have left is put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.verified import ROWS, Output


@pytest.fixture
def out(tmp_path: Path) -> Output:
    return Output(tmp_path / "o.csv")


@pytest.fixture
def two_runs(out: Output) -> Output:
    out.run(0)
    out.run(1, ROWS[:3])
    return out
