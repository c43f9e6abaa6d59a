"""What one table has of one run of messages, before it is handed on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, repeat
from operator import or_
from typing import Any

from fastingest.decode.reference import DecodedMessage
from fastingest.decode.shapes import Columns

__all__ = ["DecodedRun", "untaken"]


class DecodedRun:
    """Collects a table's rows and rejects of messages that are added in order.

    :param width: how many columns there are.
    :param positions: where the messages that are added stand in the run; None: they are all of it.
    :param takes: for each message of the run whether the table takes it, as far as is known; None:
        all.
    """

    def __init__(
        self, width: int, positions: list[int] | None = None, takes: list[bool] | None = None
    ) -> None:
        self.columns: list[list[Any]] = [[] for _ in range(width)]
        self.rejects: list[tuple[int, bytes, str]] = []
        """Each with the message's index in the run, the raw text and the reason."""
        self.ignored = 0
        """Rows left out, and empty arrays of rows."""
        self.blanked = 0
        """Cells that are empty because their value is no number."""
        self.misses = 0
        """Messages that were looked at alone for nothing."""
        self.takes = takes
        self.untaken: list[int] = []
        """Indices of messages in the run that are not taken after all."""
        self._positions = positions
        self._counts: list[int] = []  # of rows, for each message added
        self._is_even = True  # whether all of these are 1

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.columns[0])

    @property
    def messages(self) -> int:
        """How many were added."""
        return len(self._counts)

    def add(self, run: Columns, messages: int) -> None:
        """Add what so many messages have brought together."""
        if self.rows:
            for column, more in zip(self.columns, run.columns, strict=True):
                column.extend(more)
        else:
            self.columns = run.columns
        if run.counts is None:
            self._counts.extend(repeat(1, messages))
        else:
            self._counts.extend(run.counts)
            self._is_even = False
        self.ignored += run.ignored
        self.blanked += run.blanked

    def add_alone(self, outcome: DecodedMessage) -> None:
        """Add what one message means."""
        index = len(self._counts)
        if self._positions is not None:
            index = self._positions[index]
        for cells in outcome.rows:
            for column, cell in zip(self.columns, cells, strict=True):
                column.append(cell)
        self._counts.append(len(outcome.rows))
        self._is_even = self._is_even and len(outcome.rows) == 1
        self.rejects += [(index, raw, reason) for raw, reason in outcome.rejects]
        self.misses += not outcome.rows and not outcome.rejects
        self.ignored += outcome.ignored
        self.blanked += outcome.blanked
        if not outcome.taken:
            self.untaken.append(index)

    def cut(self, rows: int) -> None:
        """Keep only so many rows."""
        for column in self.columns:
            del column[rows:]

    def stamps(self, stamps: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """When the rows came, of when the messages of the run came; see :class:`Batch`."""
        if self._positions is None:
            ends = [end for end, _ in stamps]
        else:
            ends = [bisect_left(self._positions, end) for end, _ in stamps]
        if not self._is_even:
            rows = [0, *accumulate(self._counts)]
            ends = [rows[min(end, len(self._counts))] for end in ends]
        row_stamps: list[tuple[int, int]] = []
        before = 0
        for end, (_, time) in zip(ends, stamps, strict=True):
            end = min(end, self.rows)  # noqa: PLW2901  # where it was cut
            if end > before:
                row_stamps.append((end, time))
                before = end
        return row_stamps


def untaken(runs: Sequence[DecodedRun], messages: int) -> int:
    """How many of the run's messages no table takes."""
    taken: list[bool] | None = None
    for decoded in runs:
        if decoded.takes is None and not decoded.untaken:
            return 0
        takes = [True] * messages if decoded.takes is None else decoded.takes
        for index in decoded.untaken:
            takes[index] = False
        taken = takes if taken is None else list(map(or_, taken, takes))
    return 0 if taken is None else messages - sum(taken)
