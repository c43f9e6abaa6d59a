"""The ends of a pipe, and of a control connection: what they are, and how they are waited for."""

from __future__ import annotations

from multiprocessing.connection import Connection, wait
from typing import TypeAlias

__all__ = ["PipeEnd", "wait"]

PipeEnd: TypeAlias = Connection
"""One end of a ``multiprocessing.Pipe``."""
