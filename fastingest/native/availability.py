"""Whether the receivers use the native listener, and if not, why.

It is built when fastingest is installed, where that is possible (:mod:`fastingest._build`), for the
objects of one version of picows. Those of another may have other fields, so it must not be used
with that. Which one is installed is looked up without importing picows, which only receivers need.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import NamedTuple

from fastingest.errors import UsageError

__all__ = ["VARIABLE", "Native", "find_native"]

VARIABLE = "FASTINGEST_NATIVE"
"""The environment variable: ``0`` leaves it unused, ``1`` makes it an error that it is missing."""

_BUILT_WITH = "fastingest.native._builders"
_LISTENER = "fastingest.native._listener"


class Native(NamedTuple):
    """Whether the native listener is used."""

    is_used: bool
    reason: str = ""
    """Why not, in some words."""
    is_broken: bool = False
    """Whether it is there, and cannot be used; who has installed it expects otherwise."""

    @property
    def listener(self) -> str:
        """Which listener is used, in words."""
        return "native" if self.is_used else f"Python ({self.reason})"


def find_native(environ: Mapping[str, str] = os.environ) -> Native:
    """Whether the native listener is used; nothing that it needs is imported.

    :raises UsageError: ``FASTINGEST_NATIVE`` asks for it, and it cannot be used; or says neither 0
        nor 1.
    """
    asked = environ.get(VARIABLE, "")
    if asked not in ("", "0", "1"):
        raise UsageError(f"{VARIABLE}: {asked!r} is neither 0 nor 1")
    if asked == "0":
        return Native(False, f"switched off by {VARIABLE}=0")
    native = _look()
    if asked == "1" and not native.is_used:
        raise UsageError(
            f"{VARIABLE}=1: the native listener is {native.reason}; install fastingest again with "
            "FASTINGEST_BUILD_NATIVE=1, which says what is missing (a C compiler, Python's headers)"
        )
    return native


def _look() -> Native:
    if find_spec(_BUILT_WITH) is None or find_spec(_LISTENER) is None:
        return Native(False, "not built")
    try:
        built_for: str = import_module(_BUILT_WITH).BUILT_FOR
    except (ImportError, AttributeError) as error:  # it was built of other sources
        return Native(False, f"not to be loaded: {error}", is_broken=True)
    installed = version("picows")
    if built_for != installed:
        reason = f"built for picows {built_for}, this is {installed}"
        return Native(False, reason, is_broken=True)
    return Native(True)
