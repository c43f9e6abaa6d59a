"""What comes by which of a feed's connections, on its way into the feed's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

from fastingest.decode.decoder import Decoder
from fastingest.metrics.counters import FeedCounters, Slot
from fastingest.source.side_messages import SideMessages

__all__ = ["Arrivals", "Brought", "MessageReader", "Run", "Turns", "runs_of"]


class MessageReader(Protocol):
    """Reads messages natively, into the columns of the batch."""

    def take(self, message: bytes) -> None:
        """Take a whole message: read it, or leave it to be decoded in Python."""

    def take_counts(self) -> tuple[int, int, int]:
        """What came since this was last asked.

        :returns: messages read, of them (or their rows) those ignored, and cells that are empty
            because their value was no number.
        """


class Brought(NamedTuple):
    """What messages that are decoded have brought."""

    messages: int
    rows: int
    rejects: int

    def and_between(self, before: Brought, now: Brought) -> Brought:
        """The sum of it and of what was brought from ``before`` until ``now``."""
        return Brought(*(own + new - old for own, old, new in zip(self, before, now, strict=True)))


class Arrivals:
    """What has come by a connection of a feed, over all its lives, one after the other.

    :param side: takes what its messages say that bring no row; None: nobody does.
    """

    def __init__(self, side: SideMessages | None) -> None:
        self.side = side
        self.asked = side if side is not None and side.has_rules else None
        """The same, where it has conditions."""
        self.number = 0
        """That of the present life, among all of the feed's."""
        self.brought = Brought(0, 0, 0)
        """What it has brought, until it was last another connection's turn."""
        self.memory = None if side is None else side.memory
        """What is remembered on the connection; None: nothing ever is."""

    def remember(self, message: bytes) -> None:
        """Remember a message that is to be, and that nobody else looks at."""
        if self.side is not None and self.memory is not None:
            found = self.side.to_remember(message)
            if found is not None:
                self.memory.keep(found)


class Turns:
    """Whose messages are decoded now, and what each connection has brought.

    That is reckoned up when another has its turn, so that one that is alone costs nothing.

    :param decoder: the feed's.
    :param counters: likewise.
    """

    def __init__(self, decoder: Decoder, counters: FeedCounters) -> None:
        self._decoder = decoder
        self._counters = counters
        self._nobody = Arrivals(None)
        self.present = self._nobody
        """Whose turn it is."""
        self._began = self._in_all()
        self._is_shared = False
        self._has_numbers = True  # whether the decoder is told whose turn it is
        self._connects = 0

    def share(self) -> None:
        """Take note that there are several connections; none is there yet."""
        self._is_shared = True
        self._has_numbers = any(table.tells_connections for table in self._decoder.tables)

    def turn_to(self, by: Arrivals) -> None:
        """What is decoded from now on came by this connection."""
        now = self._in_all()
        self.present.brought = self.present.brought.and_between(self._began, now)
        self.present, self._began = by, now
        if by.memory is not None:
            self._decoder.recall_with(by.memory.recall)
        if self._has_numbers:
            self._decoder.connected(by.number)

    def connected(self, by: Arrivals) -> None:
        """Take note that this connection is another one from now on."""
        counted = self._counters[Slot.CONNECTIONS]
        # Where there are several, others may be open that are not counted yet.
        self._connects = max(self._connects, counted) if self._is_shared else counted
        self._connects += 1
        self.turn_to(self._nobody)  # so that its next turn makes its number known
        by.number = self._connects

    def brought(self, by: Arrivals) -> Brought:
        """What a connection has brought."""
        if by is not self.present:
            return by.brought
        return by.brought.and_between(self._began, self._in_all())

    def _in_all(self) -> Brought:
        tables = self._decoder.tables
        return Brought(
            self._counters[Slot.DECODED],
            sum(table.rows for table in tables),
            sum(table.rejects for table in tables),
        )


class Run(NamedTuple):
    """Messages that came by one connection, one after the other."""

    messages: list[bytes]
    stamps: list[tuple[int, int]]
    """When they came, as in :class:`fastingest.decode.decoder.Decoder`."""
    by: Arrivals

    def parts(self) -> Iterator[Run]:
        """The same in parts, each of which begins with a message that is remembered.

        So that is known of the messages behind it, and not of those before.
        """
        side = self.by.side
        if side is None or side.memory is None:
            yield self
            return
        begin = [side.to_remember(message) is not None for message in self.messages]
        starts = [at for at, begins in enumerate(begin) if begins and at]
        for start, end in pairwise([0, *starts, len(self.messages)]):
            stamps = [(min(at, end) - start, time) for at, time in self.stamps if at > start]
            first = next(n for n, (at, _) in enumerate(stamps, 1) if at == end - start)
            yield Run(self.messages[start:end], stamps[:first], self.by)


def runs_of(
    messages: list[bytes], stamps: Sequence[tuple[int, int]], owners: Sequence[Arrivals]
) -> Iterator[Run]:
    """The messages of several connections in their order, in runs.

    :param owners: by whose connection those came that each stamp is of.
    """
    start = begun = 0  # of the run, in stamps and in messages
    for at, owner in enumerate(owners, 1):
        if at == len(owners) or owners[at] is not owner:
            end = stamps[at - 1][0]
            own = [(each - begun, time) for each, time in stamps[start:at]]
            yield Run(messages[begun:end], own, owner)
            start, begun = at, end
