"""What receivers that are gone have left in the spool and in the spill.

A batch may be there twice, in memory and on disk, when its receiver was killed while it moved a
segment; and it may be written already. So the batches are read in the order of their names, and
each name counts once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastingest import segment
from fastingest.batch import Batch, Position
from fastingest.places import Places

__all__ = ["Leftovers"]


@dataclass(frozen=True)
class _Left:
    stream: int
    first: int
    path: Path


class Leftovers:
    """The segments of streams that nobody adds to any more.

    :param places: where to look; several, where an earlier run had others.
    :param report: takes events for the log.
    """

    def __init__(self, places: Sequence[Places], report: Callable[..., None]) -> None:
        self._places = places
        self._report = report

    def batches(self, after: Position, before: int, *, consume: bool = False) -> Iterator[Batch]:
        """The batches later than ``after``, of streams older than ``before``, in order.

        :param consume: delete each segment when its last batch has been dealt with. The disk may be
            so full that only this makes room for what follows.
        """
        for left in self._segments(before):
            try:
                data = left.path.read_bytes()
            except OSError as error:
                problem = f"{left.path}: {error.strerror}"
                self._report("error", "rows in the spill cannot be read", problem=problem)
                continue
            for found in segment.read(data)[1]:
                position = Position(left.stream, found.sequence)
                if position <= after:
                    continue
                if position.stream == after.stream and position.sequence > after.sequence + 1:
                    missing = position.sequence - after.sequence - 1
                    self._report("error", "batches are missing in the spool", batches=missing)
                yield Batch.from_bytes(data[found.start : found.end])
                after = position
            if consume:
                left.path.unlink(missing_ok=True)

    def _segments(self, before: int) -> list[_Left]:
        found = []
        for name, path in self._files():
            if name.stream >= before:
                continue
            with contextlib.suppress(OSError), path.open("rb") as file:
                head = segment.read_header(file.read(segment.HEADER_SIZE))
                if head is not None:
                    found.append(_Left(*head, path))
        return sorted(found, key=lambda left: (left.stream, left.first))

    def _files(self) -> Iterator[tuple[segment.FileName, Path]]:
        for places in self._places:
            yield from places.segments()

    def remove(self, before: int) -> None:
        """Delete the segments of streams older than ``before``: all in them is written."""
        for name, path in self._files():
            if name.stream < before:
                path.unlink(missing_ok=True)
        for places in self._places:
            for path in places.spill.glob("*.part"):
                part = segment.parse_name(path.with_suffix(".segment"))
                if part is not None and part.stream < before:
                    path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                places.spill.rmdir()  # when nothing is in it
