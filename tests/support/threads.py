"""Tests in a thread of their own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec

__all__ = ["in_own_thread"]

P = ParamSpec("P")


def in_own_thread(test: Callable[P, None]) -> Callable[P, None]:
    """Run a test that raises out of a trace function.

    CPython 3.11 takes an exception for handled in that thread from then on, where it was raised
    inside an ``except`` block: it stands behind all others, those of other tests as well.
    """

    @functools.wraps(test)
    def run(*arguments: P.args, **keywords: P.kwargs) -> None:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(test, *arguments, **keywords).result()

    return run
