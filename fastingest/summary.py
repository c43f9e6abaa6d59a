"""A run in numbers: while it goes on, and at its end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from fastingest.counters import Counters, Ledger, Slot, State

__all__ = ["Rates", "Summary"]


class Rates:
    """Rows a second, from a count that is sampled about once a second.

    ``last`` holds the latest minute's rates, one a second, oldest first; ``best`` is the highest of
    the run.
    """

    def __init__(self) -> None:
        self.last: deque[float] = deque(maxlen=60)
        self.best = 0.0
        self._count = 0

    def sample(self, count: int, seconds: float) -> None:
        """The count now, ``seconds`` after the sample before."""
        if seconds > 0:
            self.last.append((count - self._count) / seconds)
            self.best = max(self.best, self.last[-1])
        self._count = count


@dataclass(frozen=True)
class Summary:
    """The run as of one moment; the last one is the run's result.

    :param feed: the URL as the user gave it.
    :param out: the output.
    :param seconds: how long the run has lasted.
    :param state: what the connection is doing.
    :param ledger: the feed's counts.
    :param best_rate: rows written in the best second.
    :param rates: rows written in each of the last seconds, at most 60, oldest first.
    :param connections: opened so far.
    :param gaps: times without a connection after the first.
    :param gap_seconds: their length in all.
    :param pauses: times the feed was left unread because the writer was behind.
    :param outbox_bytes: waiting for the writer.
    :param outbox_peak: the most that ever waited.
    :param spill_bytes: of them, on disk.
    :param spill_peak: the most that ever was there.
    :param restarts: times that a receiver or a writer had died, and another took its place.
    :param messages_lost: messages that a receiver had not decoded when it died.
    :param file_size: bytes.
    :param latency: seconds from receipt to file that 50% and 99% of the rows stayed under, and the
        most; nan while there are no rows.
    """

    feed: str
    out: Path
    seconds: float
    state: State
    ledger: Ledger
    best_rate: float
    rates: tuple[float, ...] = field(repr=False)
    connections: int
    gaps: int
    gap_seconds: float
    pauses: int
    outbox_bytes: int
    outbox_peak: int
    spill_bytes: int
    spill_peak: int
    restarts: int
    messages_lost: int
    file_size: int
    latency: tuple[float, float, float]

    @classmethod
    def take(
        cls, feed: str, out: Path, seconds: float, rates: Rates, counters: Counters
    ) -> Summary:
        """Read the counters."""
        p50, p99 = counters.latency.quantiles((0.50, 0.99))
        most = counters[Slot.LATENCY_MAX] / 1e9
        ledger = counters.ledger
        return cls(
            feed=feed,
            out=out,
            seconds=seconds,
            state=State(counters[Slot.STATE]),
            ledger=ledger,
            # a run shorter than a second has no whole one
            best_rate=max(rates.best, counters[Slot.WRITTEN] / seconds if seconds else 0.0),
            rates=tuple(rates.last),
            connections=counters[Slot.CONNECTIONS],
            gaps=counters[Slot.GAPS],
            gap_seconds=counters[Slot.GAP_NS] / 1e9,
            pauses=counters[Slot.PAUSES],
            outbox_bytes=counters[Slot.OUTBOX_BYTES],
            outbox_peak=counters[Slot.OUTBOX_PEAK],
            spill_bytes=counters[Slot.SPILL_BYTES],
            spill_peak=counters[Slot.SPILL_PEAK],
            restarts=counters[Slot.RECEIVER_RESTARTS] + counters[Slot.WRITER_RESTARTS],
            messages_lost=counters[Slot.LOST_MESSAGES],
            file_size=counters[Slot.FILE_SIZE],
            # a bucket's end may lie past the largest value in it
            latency=(min(p50, most), min(p99, most), most if ledger.written else p50),
        )

    @property
    def mean_rate(self) -> float:
        """Rows written a second, over the whole run."""
        return self.ledger.written / self.seconds if self.seconds else 0.0
