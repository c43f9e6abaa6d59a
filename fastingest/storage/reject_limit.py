"""Which rejects a run keeps: all, up to ``--max-rejects`` bytes, and then a sample.

Theory of operation. A feed of garbage makes rejects of ten times its own size, as fast as it can
send. So when those that are kept have so many bytes, further ones are only counted, but for the
first of each reason in each minute (of their receipt), which is kept as far as :data:`SAMPLE_SIZE`.

A batch whose commit was cut short comes again, and must make the same bytes then, or they would not
be known again (:mod:`fastingest.storage.append_file`). So what is chosen depends on nothing but the
batch and the counters of its run, which outlive the writer; and those are written when the batch is
in the journal. There are 64 bits for a minute's reasons, so that a feed which has another reason
for each message has a bound as well. Two reasons may have the same bit, but not in every minute;
numbers in them count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from fastingest.checksum import crc32
from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import Reject
from fastingest.storage.reject_line import to_line, to_lines

__all__ = ["SAMPLE_SIZE", "Choice", "RejectLimit"]

SAMPLE_SIZE = 4096
"""Bytes of a message that are kept where only a sample is."""

_MINUTE = 60 * 10**9
_REASONS = 64
_ALL = 2**64 - 2


class Choice(NamedTuple):
    """What is kept of a batch's rejects."""

    lines: bytes
    """As they stand in the file."""
    not_kept: int = 0
    """How many are not."""
    state: tuple[int, int, int] = (0, 0, 0)
    """Of the counters then: bytes, minute and reasons."""


class RejectLimit:
    """Chooses, and remembers.

    :param most: bytes that a run keeps, where its counters do not say; None: any number.
    :param counters: those of the run whose batches are being committed.
    """

    def __init__(self, most: int | None, counters: Callable[[], Counters]) -> None:
        self._most = _ALL if most is None else most
        self._counters = counters

    def begin(self) -> None:
        """Have the run keep to its own limit, also where a later one completes it."""
        self._counters()[Slot.REJECT_LIMIT] = self._most + 1  # 0 says nothing

    def choose(self, rejects: Sequence[Reject], feed: str) -> Choice:
        """Which of a batch's rejects are kept: the same ones until :meth:`committed`."""
        counters = self._counters()
        most = (counters[Slot.REJECT_LIMIT] or self._most + 1) - 1
        used = counters[Slot.REJECT_BYTES]
        minute, reasons = counters[Slot.SAMPLE_MINUTE], counters[Slot.SAMPLE_REASONS]
        if used < most:
            lines = to_lines(rejects, feed)
            if used + len(lines) <= most:
                return Choice(lines, 0, (used + len(lines), minute, reasons))
        kept, not_kept = [], 0
        for reject in rejects:
            if used < most:
                line = to_line(reject, feed)
                if used + len(line) <= most:
                    used += len(line)
                    kept.append(line)
                    continue
                used = most  # even where a shorter one would find room
            now = reject.time // _MINUTE
            if now > minute:  # of several receivers some may be late
                minute, reasons = now, 0
            bit = 1 << _bit(reject.reason, minute)
            if reasons & bit:
                not_kept += 1
            else:
                reasons |= bit
                kept.append(to_line(reject, feed, SAMPLE_SIZE))
        return Choice(b"".join(kept), not_kept, (used, minute, reasons))

    def committed(self, choice: Choice) -> None:
        """What was chosen is in the journal."""
        counters = self._counters()
        used, minute, reasons = choice.state
        counters[Slot.REJECT_BYTES] = used
        counters[Slot.SAMPLE_MINUTE] = minute
        counters[Slot.SAMPLE_REASONS] = reasons


@lru_cache(4096)
def _bit(reason: str, minute: int) -> int:
    return crc32(re.sub(r"\d+", "0", reason).encode(), minute & 0xFFFFFFFF) % _REASONS
