"""What brings batches from a receiver to the writer, and positions back; the pipe is one.

A transport keeps the order, and says when it is broken; it keeps nothing beyond that. The outbox
holds what is on its way until the writer has it, and sends it again by another uplink.
"""

from __future__ import annotations

from typing import Protocol

from fastingest.model.batch import Position
from fastingest.model.chunks import Buffer

__all__ = ["Downlink", "Uplink", "UplinkEvents"]


class Uplink(Protocol):
    """A receiver's end."""

    def send(self, position: Position, payload: Buffer) -> None:
        """Send a batch; nothing happens where the writer is gone.

        It never waits: what is on its way stays in memory, and the outbox's window bounds it.

        :param position: its name, later than those sent before.
        :param payload: its wire form.
        """

    def abort(self) -> None:
        """Close at once. What was not taken is forgotten, and no event comes any more."""

    async def close(self) -> None:
        """Hand over what was sent, then close; no event comes any more."""


class UplinkEvents(Protocol):
    """What an uplink says to who sends by it."""

    def linked(self, at: Position | None) -> None:
        """A writer is there: sending may start, behind this batch. None: with the first."""

    def stored(self, at: Position) -> None:
        """The writer has committed this batch, and all before it."""

    def lost(self) -> None:
        """The uplink is broken."""


class Downlink(Protocol):
    """The writer's end."""

    def receive(self) -> Buffer | None:
        """The next batch in its wire form; None: not all of it has come yet.

        :raises EOFError: there is none any more.
        :raises OSError: it cannot be read.
        """

    def acknowledge(self, position: Position) -> None:
        """Say up to where everything is committed, as soon as there is room for that."""

    def flush(self) -> bool:
        """Send what there was no room for; whether nothing is left of it."""
