"""What comes by which of a feed's connections, on its way into the feed's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from fastingest.source.side_messages import SideMessages

__all__ = ["Arrivals", "MessageReader", "Run", "runs_of"]


class MessageReader(Protocol):
    """Reads messages natively, into the columns of the batch."""

    def take(self, message: bytes) -> None:
        """Take a whole message: read it, or leave it to be decoded in Python."""

    def take_counts(self) -> tuple[int, int]:
        """Messages read since this was last asked, and of them (or their rows) those ignored."""


class Arrivals:
    """What has come by a connection of a feed, over all its lives, one after the other.

    :param side: takes what its messages say that bring no row; None: nobody does.
    """

    __slots__ = ("asked", "messages", "number", "rejects", "rows", "side")

    def __init__(self, side: SideMessages | None) -> None:
        self.side = side
        self.asked = side if side is not None and side.has_rules else None
        """The same, where it has conditions."""
        self.number = 0
        """That of the present life, among all of the feed's."""
        self.messages = 0
        self.rows = 0
        self.rejects = 0


class Run(NamedTuple):
    """Messages that came by one connection, one after the other."""

    messages: list[bytes]
    stamps: list[tuple[int, int]]
    """When they came, as in :class:`fastingest.decode.decoder.Decoder`."""
    by: Arrivals


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
