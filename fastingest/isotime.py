"""Times as text: ISO 8601 in UTC, as they stand in the log and beside the rejects."""

from __future__ import annotations

import time

__all__ = ["iso_time"]


def iso_time(nanoseconds: int, digits: int = 9) -> str:
    """Nanoseconds since the epoch as ``2026-11-22T14:03:00.123456789Z``.

    :param digits: of the second's fraction, 1 to 9; the others are cut off, not rounded.
    """
    seconds, fraction = divmod(nanoseconds, 10**9)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{f'{fraction:09d}'[:digits]}Z"
