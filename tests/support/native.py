"""The compiled modules, for tests that cannot do without; they are skipped where there are none."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["native_module"]


def native_module(name: str) -> Any:
    """The compiled module of :mod:`fastingest.native` with this name."""
    return pytest.importorskip(
        f"fastingest.native.{name}",
        reason="needs the native listener, which needs a C compiler to be built",
        exc_type=ImportError,
    )
