"""An output's writer, for the tests of what it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest.storage import torn_tail
from tests.support.output_writer import Writer


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "o.csv")
    yield writer
    writer.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a torn line of another program; where it matters it is set anew."""
    monkeypatch.setattr(torn_tail, "PATIENCE", 0)
