from __future__ import annotations

import importlib
import sys
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest import checksum

ways = pytest.mark.parametrize("library", ["isal.isal_zlib", "zlib"])


@ways
def test_whatever_makes_it_it_is_that_of_zlib(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if library == "zlib":
        monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)  # as where it is not installed
    else:
        pytest.importorskip(library, reason="needs isal, of which there is none for this machine")
    try:
        crc32: Any = importlib.reload(checksum).crc32
        assert crc32.__module__ == library

        @given(st.binary(), st.integers(0, 2**32 - 1), st.integers(0, 5))
        def test(data: bytes, start: int, skipped: int) -> None:
            assert crc32(data) == zlib.crc32(data)
            view = memoryview(data)[skipped:]
            assert crc32(view, start) == zlib.crc32(view, start)

        test()
        assert crc32(b"x" * 10**6) == zlib.crc32(b"x" * 10**6)
    finally:
        monkeypatch.undo()
        importlib.reload(checksum)
