"""The receivers of a run: which there are, what each has to do, and what it leaves when it dies."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from fastingest.metrics.counters import Slot
from fastingest.model.feed import Feed
from fastingest.runtime.assignment import Assignment, SharedOutput, feeds_of_partition
from fastingest.supervisor.account import Account, new_stream
from fastingest.supervisor.line_states import LineStates

__all__ = ["Before", "ReceiverPool"]

Before: TypeAlias = dict[int, list[tuple[int, int, int]]]
"""For each output of a receiver and each of its feeds: the feed's row in the output's counters,
whose file names it; what had been received of it before the receiver began; and how much of that
has been given up."""


class ReceiverPool:
    """The receivers by name; each has a partition, which its successors have after it.

    :param feeds: the run's.
    :param shares: the run's outputs.
    :param accounts: theirs.
    :param receivers: how many there may be; no more than feeds.
    :param native: whether they use the native listener.
    :param lines: what is told of connections of feeds that have several.
    """

    def __init__(
        self,
        feeds: Sequence[Feed],
        shares: Sequence[SharedOutput],
        accounts: Sequence[Account],
        receivers: int,
        *,
        native: bool,
        lines: LineStates | None = None,
    ) -> None:
        self._feeds = list(feeds)
        self._shares = shares
        self._accounts = accounts
        self._native = native
        self._lines = lines or LineStates()
        count = min(receivers, len(feeds))
        self.partitions: Mapping[str, int] = {
            "receiver" if count == 1 else f"receiver {partition + 1}": partition
            for partition in range(count)
        }
        """The receivers' names, and the partition of each."""
        self.streams: dict[str, int] = {}
        """The stream of each receiver's present life."""
        self.before: dict[str, Before] = {}
        """What there was before that."""

    def redirect(self, feed: str, url: str) -> None:
        """Have a feed connect somewhere else than it says; to be called before it is received.

        :param feed: its name.
        """
        self._feeds = [each.at(url) if each.name == feed else each for each in self._feeds]

    def begin(self, name: str, gaps: dict[str, tuple[int, str]]) -> Assignment:
        """A new life of a receiver: what it has to do.

        :param gaps: for each of its feeds that was to be connected before, by its name: since
            when it is not ready, and why.
        """
        partition = self.partitions[name]
        feeds = self._feeds_of(partition)
        own = {
            number: {feed.name for feed in feeds if feed.name in share.target.tables}
            for number, share in enumerate(self._shares)
        }
        shares = {number: self._shares[number] for number, there in own.items() if there}
        newest = [time.time_ns(), *self.streams.values()]
        for number in shares:
            with contextlib.suppress(OSError):  # who has removed it may have had a reason
                self._accounts[number].places.make()
            newest.append(self._accounts[number].newest())
        self.streams[name] = new_stream(max(newest), partition)
        # What was received before it: the writer accounts for that before it takes anything else.
        self.before[name] = {
            number: [
                (row, counters[Slot.RECEIVED], counters[Slot.DROPPED] + counters[Slot.UNREADABLE])
                for row, counters in enumerate(share.counters.feeds)
                if share.counters.names[row] in own[number]
            ]
            for number, share in shares.items()
        }
        return Assignment(
            stream=self.streams[name],
            feeds=feeds,
            shares=shares,
            gaps=gaps,
            lines={feed.name: self._lines.of(feed) for feed in feeds if feed.name in gaps},
            parts=self._parts,
            is_one_of_many=len(self._feeds) > 1,
            native=self._native,
        )

    @property
    def _parts(self) -> int:
        """How many outboxes there are: one in each receiver for each of its outputs."""
        return sum(
            any(feed.name in share.target.tables for feed in self._feeds_of(partition))
            for share in self._shares
            for partition in self.partitions.values()
        )

    def _feeds_of(self, partition: int) -> tuple[Feed, ...]:
        return feeds_of_partition(partition, len(self.partitions), self._feeds)

    def bury(self, name: str, how: str) -> dict[str, tuple[int, str]]:
        """Count what a dead receiver had not decoded.

        :param how: how it has died.
        :returns: since when its feeds have had no ready connection, and why, as in :meth:`begin`.
        """
        gaps: dict[str, tuple[int, str]] = {}
        for number, before in self.before[name].items():
            all_counters = self._shares[number].counters
            for row, _, _ in before:
                feed, counters = all_counters.names[row], all_counters.feeds[row]
                counters.bury_receiver()
                if counters[Slot.CONNECTIONS] or counters[Slot.GAP_SINCE]:
                    since = gaps[feed][0] if feed in gaps else counters[Slot.GAP_SINCE]
                    gaps[feed] = since or time.time_ns(), how
                    # The next one may be dead before it has come to say so.
                    counters[Slot.GAP_SINCE] = gaps[feed][0]
        for each in self._feeds:
            if each.name in gaps:
                self._lines.bury(each, gaps[each.name][0], time.time_ns())
        return gaps

    def count_restart(self, name: str) -> None:
        """Another process takes the place of a receiver."""
        for number in self.before[name]:
            self._shares[number].counters.add(Slot.RECEIVER_RESTARTS)
