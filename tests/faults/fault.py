"""What the tests of faults raise where something cannot be right."""

from __future__ import annotations

__all__ = ["Fault"]


class Fault(AssertionError):
    """The file, or the feed, cannot be right. The message says where."""
