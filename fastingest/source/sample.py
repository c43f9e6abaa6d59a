"""A small sample of the messages that bring no row: the first of each shape, and the last one.

They may say what is wrong where nothing describes how a venue says so. Two messages are of one
shape if their members have the same names and kinds, whatever their values are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

__all__ = ["MAX_SHAPES", "RECENT", "Sample"]

MAX_SHAPES = 20
"""Shapes that are told apart; what comes of others is not sampled."""

RECENT = 5.0
"""Seconds that a message of a new shape may be old to be a reason for what happens."""

_MAX_BYTES = 4096  # that are kept, and looked into, of a message
_MAX_DEPTH = 4
_MAX_ELEMENTS = 8  # of an array

_decode = msgspec.json.Decoder().decode


class Sample:
    """The sample of one feed, or of one of its connections.

    :param monotonic: seconds.
    :param sister: of another connection of the feed: what is its first is not so here.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sister: Sample | None = None
    ) -> None:
        self._monotonic = monotonic
        self._shapes: set[Any] = set() if sister is None else sister._shapes
        self._here: set[Any] = set()  # on this connection
        self._last: bytes | None = None
        self._newest: tuple[float, bytes] | None = None  # of a shape that is new on it, and when

    def connected(self) -> None:
        """What comes from now on comes by another connection."""
        self._here.clear()
        self._last = self._newest = None

    def add(self, message: bytes) -> bool:
        """Take a message that brought no row; whether it is the feed's first of its shape."""
        self._last = message[:_MAX_BYTES]
        if len(self._here) >= MAX_SHAPES:
            return False
        shape = _shape_of(message)
        if shape in self._here:
            return False
        self._here.add(shape)
        self._newest = self._monotonic(), self._last
        if shape in self._shapes or len(self._shapes) >= MAX_SHAPES:
            return False
        self._shapes.add(shape)
        return True

    def reason(self, *, has_rows: bool) -> bytes | None:
        """The message that may be why the connection ends now.

        :param has_rows: whether it has brought any; then what came long ago is not why.
        """
        if not has_rows:
            return self._last
        if self._newest is None or self._monotonic() - self._newest[0] > RECENT:
            return None
        return self._newest[1]


def _shape_of(message: bytes) -> Any:
    if len(message) > _MAX_BYTES:
        return "long"
    try:
        return _kind(_decode(message), _MAX_DEPTH)
    except (ValueError, RecursionError):
        return "no JSON"


def _kind(value: Any, depth: int) -> Any:
    """What a value is, but for what it says."""
    if not isinstance(value, dict | list):
        return float if isinstance(value, int) and not isinstance(value, bool) else type(value)
    if not depth:
        return type(value)
    if isinstance(value, dict):
        return frozenset((name, _kind(each, depth - 1)) for name, each in value.items())
    return (list, frozenset(_kind(each, depth - 1) for each in value[:_MAX_ELEMENTS]))
