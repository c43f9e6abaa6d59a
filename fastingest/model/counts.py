"""The ledger's counts of a run, or of a feed, and the equation that holds between them."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Protocol

__all__ = ["Counted", "Counts"]


@dataclass(frozen=True)
class Counts:
    """The counts of one feed, or of several added up, at one moment."""

    received: int = 0
    written: int = 0
    rejected: int = 0
    ignored: int = 0
    dropped: int = 0
    lost: int = 0
    set_aside: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    @property
    def in_flight(self) -> int:
        """Received, and not yet accounted for. At the end of a run: kept for the next start."""
        accounted = self.written + self.rejected + self.ignored + self.dropped + self.lost
        return self.received - accounted - self.set_aside


class Counted(Protocol):
    """Whatever has the counts of a run: :class:`fastingest.Summary`."""

    @property
    def ledger(self) -> Counts:
        """Those of all its feeds."""
