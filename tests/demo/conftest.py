"""What the tests of the synthetic exchange share."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def _split_frames(data: bytes) -> list[bytes]:
    """The payloads in ``data``, which must be whole short text frames and nothing else."""
    payloads = []
    position = 0
    while position < len(data):
        assert data[position] == 0x81
        end = position + 2 + data[position + 1]
        assert data[position + 1] < 126
        payloads.append(data[position + 2 : end])
        position = end
    assert position == len(data)
    return payloads


@pytest.fixture
def split_frames() -> Callable[[bytes], list[bytes]]:
    return _split_frames
