"""Root may write anywhere; here are calls for which file modes hold all the same."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

__all__ = ["under_file_modes"]

T = TypeVar("T")

# From linux/capability.h: the version of the structures, and what overrides a file's mode.
_VERSION_3 = 0x20080522
_OVERRIDING = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):  # then the inheritable one, and 32 more of each
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("others", ctypes.c_uint32 * 4),
    )


def under_file_modes(function: Callable[[], T]) -> T:
    """Call ``function`` with no right to pass over a file's mode.

    As root it is called in a thread of its own, which has lost that right, and for good: each
    thread has its capabilities (Linux).
    """
    if os.geteuid() != 0:
        return function()
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux's capabilities, or another user than root")
    with ThreadPoolExecutor(1, initializer=_give_up_overriding) as executor:
        return executor.submit(function).result()


def _give_up_overriding() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(_VERSION_3, 0), _Sets()
    for function in ("capget", "capset"):
        if getattr(libc, function)(ctypes.byref(header), ctypes.byref(sets)):
            raise OSError(ctypes.get_errno(), function)
        sets.effective &= ~_OVERRIDING
        sets.permitted &= ~_OVERRIDING
