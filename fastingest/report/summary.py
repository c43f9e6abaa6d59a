"""A run in numbers: while it goes on, and at its end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastingest.access.secrets import shown
from fastingest.metrics.counters import Counters, Slot, State
from fastingest.model.counts import Counts
from fastingest.model.feed import Feed
from fastingest.runtime.assignment import SharedOutput
from fastingest.storage.names import beside

__all__ = ["FeedSummary", "OutputSummary", "Rates", "RunCounters", "Summary"]


class RunCounters:
    """The counters of all outputs of a run.

    :param feeds: the run's.
    :param shares: its outputs; at least one.
    """

    def __init__(self, feeds: Sequence[Feed], shares: Sequence[SharedOutput]) -> None:
        self.feeds = tuple(feeds)
        self.shares = tuple(shares)
        self.restarts = 0
        """Times that a process has taken another's place; the supervisor counts them."""
        self.stale: dict[str, tuple[str, ...]] = {}
        """What is stale of each feed, by the feed's name, as it was told to the supervisor."""

    def of_feed(self, feed: str) -> list[Counters]:
        """The counters of the feed of this name, in each output that it goes to."""
        return [share.counters.of(feed) for share in self.shares if feed in share.target.tables]

    def total(self, slot: Slot) -> int:
        """The sum over all outputs and feeds."""
        return sum(share.counters.total(slot) for share in self.shares)

    @property
    def ledger(self) -> Counts:
        """The counts of everything."""
        return sum((share.counters.whole_ledger for share in self.shares), Counts())


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
class FeedSummary:
    """One feed as of one moment.

    :param name: what it is called.
    :param url: as the user gave it, without secrets.
    :param state: what its connection is doing.
    :param ledger: its counts.
    :param connections: opened so far.
    :param gaps: times without a ready connection; of several, those of each.
    :param gap_seconds: their length in all.
    :param never_ready: whether there has been no ready one so far; of several, whether one is so.
    :param refused: messages by which it has refused something.
    :param row_age: seconds since its last row came; None: none has.
    :param stale: how much of it is stale: itself, values of a column, symbols.
    :param stale_names: what that is, or the first of it.
    :param blanked: cells that are empty because their value was no number.
    """

    name: str
    url: str
    state: State
    ledger: Counts
    connections: int
    gaps: int
    gap_seconds: float
    never_ready: bool = False
    refused: int = 0
    row_age: float | None = None
    stale: int = 0
    stale_names: tuple[str, ...] = ()
    blanked: int = 0

    @classmethod
    def take(
        cls, feed: Feed, tables: Sequence[Counters], stale_names: tuple[str, ...], time_ns: int
    ) -> FeedSummary:
        """Read the counters.

        :param tables: the feed's, in each of its outputs.
        :param stale_names: what of it is stale.
        :param time_ns: now, in nanoseconds since the epoch.
        """
        counters = tables[0]
        last_row = counters[Slot.LAST_ROW]
        return cls(
            name=feed.name,
            url=shown(feed.url),
            state=State(counters[Slot.STATE]),
            ledger=sum((table.ledger for table in tables), Counts()),
            connections=counters[Slot.CONNECTIONS],
            gaps=counters[Slot.GAPS],
            gap_seconds=counters[Slot.GAP_NS] / 1e9,
            never_ready=bool(counters[Slot.NEVER_READY]),
            refused=counters[Slot.REFUSED],
            row_age=max(0.0, (time_ns - last_row) / 1e9) if last_row else None,
            stale=counters[Slot.STALE],
            stale_names=stale_names,
            blanked=sum(table[Slot.BLANKED] for table in tables),
        )


@dataclass(frozen=True)
class OutputSummary:
    """One output as of one moment.

    :param path: the CSV file.
    :param ledger: its counts.
    :param file_size: bytes.
    """

    path: Path
    ledger: Counts
    file_size: int

    @property
    def rejects(self) -> Path | None:
        """The file that has the rejects; None where there were none."""
        return beside(self.path, ".rejected.jsonl") if self.ledger.rejected else None


@dataclass(frozen=True)
class Summary:
    """The run as of one moment; the last one is the run's result.

    :param feeds: each feed's part.
    :param outputs: each output's part.
    :param listener: what reads the feeds: ``native``, or ``Python`` and why it is that.
    :param seconds: how long the run has lasted.
    :param ledger: the counts of all feeds together.
    :param best_rate: rows written in the best second.
    :param rates: rows written in each of the last seconds, at most 60, oldest first.
    :param pauses: times a feed was left unread because the writer was behind.
    :param outbox_bytes: waiting for the writer.
    :param outbox_peak: the most that ever waited.
    :param spill_bytes: of them, on disk.
    :param spill_peak: the most that ever was there.
    :param restarts: times that a receiver or a writer had died, and another took its place.
    :param messages_lost: messages that a receiver had not decoded when it died.
    :param rejects_not_kept: of ``ledger.rejected``, those that are counted only.
    :param latency: seconds from receipt to file that 50% and 99% of the rows stayed under, and the
        most; nan while there are no rows.
    """

    feeds: tuple[FeedSummary, ...]
    outputs: tuple[OutputSummary, ...]
    listener: str
    seconds: float
    ledger: Counts
    best_rate: float
    rates: tuple[float, ...] = field(repr=False)
    pauses: int
    outbox_bytes: int
    outbox_peak: int
    spill_bytes: int
    spill_peak: int
    restarts: int
    messages_lost: int
    rejects_not_kept: int
    latency: tuple[float, float, float]

    @classmethod
    def take(cls, counters: RunCounters, seconds: float, rates: Rates, listener: str) -> Summary:
        """Read the counters.

        :param seconds: how long the run has lasted.
        :param listener: what reads the feeds.
        """
        tables = [counters.of_feed(feed.name) for feed in counters.feeds]
        every = [table for each in tables for table in each]
        p50, p99 = every[0].latency.quantiles((0.50, 0.99), [table.latency for table in every[1:]])
        most = max(table[Slot.LATENCY_MAX] for table in every) / 1e9
        ledger = counters.ledger
        time_ns = time.time_ns()
        return cls(
            feeds=tuple(
                FeedSummary.take(feed, each, counters.stale.get(feed.name, ()), time_ns)
                for feed, each in zip(counters.feeds, tables, strict=True)
            ),
            outputs=tuple(
                OutputSummary(
                    share.target.path, share.counters.whole_ledger, share.counters[Slot.FILE_SIZE]
                )
                for share in counters.shares
            ),
            listener=listener,
            seconds=seconds,
            ledger=ledger,
            # a run shorter than a second has no whole one
            best_rate=max(rates.best, ledger.written / seconds if seconds else 0.0),
            rates=tuple(rates.last),
            pauses=sum(each[0][Slot.PAUSES] for each in tables),
            outbox_bytes=counters.total(Slot.OUTBOX_BYTES),
            outbox_peak=counters.total(Slot.OUTBOX_PEAK),
            spill_bytes=counters.total(Slot.SPILL_BYTES),
            spill_peak=counters.total(Slot.SPILL_PEAK),
            restarts=counters.restarts,
            messages_lost=sum(max(table[Slot.LOST_MESSAGES] for table in each) for each in tables),
            rejects_not_kept=counters.total(Slot.NOT_KEPT),
            # a bucket's end may lie past the largest value in it
            latency=(min(p50, most), min(p99, most), most if ledger.written else p50),
        )

    @property
    def mean_rate(self) -> float:
        """Rows written a second, over the whole run."""
        return self.ledger.written / self.seconds if self.seconds else 0.0

    @property
    def feed(self) -> str:
        """The feed's URL, or how many feeds there are."""
        return self.feeds[0].url if len(self.feeds) == 1 else f"{len(self.feeds)} feeds"

    @property
    def out(self) -> Path:
        """The first output."""
        return self.outputs[0].path

    @property
    def file_size(self) -> int:
        """Bytes in all outputs."""
        return sum(output.file_size for output in self.outputs)

    @property
    def state(self) -> State:
        """What the connections are doing: the one that most needs to be looked at."""
        return State.worst({feed.state for feed in self.feeds})

    @property
    def connections(self) -> int:
        """Opened so far, of all feeds."""
        return sum(feed.connections for feed in self.feeds)

    @property
    def refused(self) -> int:
        """Messages by which feeds have refused something."""
        return sum(feed.refused for feed in self.feeds)

    @property
    def blanked(self) -> int:
        """Cells that are empty because their value was no number, such as ``"NaN"``."""
        return sum(feed.blanked for feed in self.feeds)

    @property
    def stale(self) -> int:
        """How much of all feeds is stale: themselves, values of a column, symbols."""
        return sum(feed.stale for feed in self.feeds)

    @property
    def gaps(self) -> int:
        """Times without a ready connection, of all feeds."""
        return sum(feed.gaps for feed in self.feeds)

    @property
    def gap_seconds(self) -> float:
        """Their length in all."""
        return sum(feed.gap_seconds for feed in self.feeds)
