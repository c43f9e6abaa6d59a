"""What receivers that are gone have left in the spool and in the spill.

A batch may be there twice, in memory and on disk, when its receiver was killed while it moved a
segment; and it may be written already. So the batches are read in the order of their names, and
each name counts once.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from fastingest.errors import OutputRefused
from fastingest.model.batch import Batch, Position, is_of_other_version, partition_of, read_batch
from fastingest.model.event import Event
from fastingest.spool import segment
from fastingest.spool.directories import SpoolDirectories
from fastingest.spool.events import BatchesMissing, SpillUnreadable
from fastingest.storage.ownership import remove_if_empty

__all__ = ["SpoolReader"]

RETRIES = (0.1, 0.3, 1.0)
"""Seconds until a file is read again that could not be read."""

_OTHER_VERSION = "holds rows of another version of fastingest; run that one once, to write them"

_PASSING = {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN}


@dataclass(frozen=True)
class _Left:
    stream: int
    first: int
    path: Path


class SpoolReader:
    """The segments of streams that nobody adds to any more.

    :param places: where to look; several, where an earlier run had others.
    :param report: takes events for the log.
    """

    def __init__(self, places: Sequence[SpoolDirectories], report: Callable[[Event], None]) -> None:
        self._places = places
        self._report = report
        self._unread: set[Path] = set()

    def batches(
        self,
        after: Mapping[int, Position],
        before: int,
        *,
        partition: int | None = None,
        consume: bool = False,
    ) -> Iterator[Batch]:
        """The batches of streams older than ``before``, each partition's in order.

        :param after: the last batch of each partition that is not wanted.
        :param partition: only this partition's; None: of all.
        :param consume: delete each segment when its last batch has been dealt with. The disk may be
            so full that only this makes room for what follows.
        :raises OutputRefused: another version of fastingest has left some.
        """
        done = dict(after)
        for left in self._segments(before, partition):
            data = self._read(left.path)
            if data is None:
                continue
            view = memoryview(data)
            for found in segment.read(data)[1]:
                position = Position(left.stream, found.sequence)
                last = done.get(partition_of(left.stream), Position(0, -1))
                if position <= last:
                    continue
                if position.stream == last.stream and position.sequence > last.sequence + 1:
                    missing = position.sequence - last.sequence - 1
                    self._report(BatchesMissing(missing))
                yield _batch_in(view[found.start : found.end], position, left.path)
                done[partition_of(left.stream)] = position
            if consume:
                left.path.unlink(missing_ok=True)

    def next_of_each_partition(self, after: Mapping[int, Position], before: int) -> Iterator[Batch]:
        """The first of the :meth:`batches` of each partition."""
        partitions = {
            partition_of(name.stream) for name, _ in self._files() if name.stream < before
        }
        for partition in sorted(partitions):
            yield from islice(self.batches(after, before, partition=partition), 1)

    def first_of_each_stream(self, before: int) -> Iterator[Batch]:
        """A batch of each stream older than ``before``."""
        for stream in sorted({name.stream for name, _ in self._files() if name.stream < before}):
            partition = partition_of(stream)
            after = {partition: Position(stream, -1)}
            yield from islice(self.batches(after, stream + 1, partition=partition), 1)

    def _segments(self, before: int, partition: int | None) -> list[_Left]:
        found = []
        for name, path in self._files():
            if not _is_of(name, before, partition):
                continue
            data = self._read(path, segment.HEADER_SIZE)
            head = segment.read_header(data) if data is not None else None
            if head is not None:
                found.append(_Left(*head, path))
            elif data is not None and segment.is_of_other_version(data):
                raise OutputRefused(path, _OTHER_VERSION)
        return sorted(found, key=lambda left: (left.stream, left.first))

    def _read(self, path: Path, size: int = -1) -> bytes | None:
        """What is in a file, or how it begins; None: it cannot be read, or is gone.

        What the system cannot do at the moment is tried again. A file that it cannot read even then
        is not deleted later.
        """
        for pause in (*RETRIES, None):
            try:
                with path.open("rb") as file:
                    return file.read(size)
            except OSError as error:
                if error.errno == errno.ENOENT and size >= 0:  # gone between a look and another
                    break
                if error.errno in _PASSING and pause is not None:
                    time.sleep(pause)
                    continue
                if error.errno in _PASSING:
                    self._unread.add(path)
                self._report(SpillUnreadable(problem=f"{path}: {error.strerror}"))
                break
        return None

    def _files(self) -> Iterator[tuple[segment.FileName, Path]]:
        """The segments' files; each once, where several have the same spill."""
        found = {path: name for places in self._places for name, path in places.segments()}
        for path, name in found.items():
            yield name, path

    def remove(self, before: int, partition: int | None = None) -> None:
        """Delete the segments of streams older than ``before``: all in them is written.

        :param partition: only this partition's; None: of all.
        """
        parts = [part for places in self._places for part in places.parts()]
        for name, path in (*self._files(), *parts):
            if _is_of(name, before, partition) and path not in self._unread:
                path.unlink(missing_ok=True)
        for places in self._places:
            remove_if_empty(places.spill)


def _batch_in(wire: memoryview, position: Position, path: Path) -> Batch:
    batch = read_batch(wire, position, is_exact=True)
    if batch.damage and is_of_other_version(wire):  # the segment's checksum is right
        raise OutputRefused(path, _OTHER_VERSION)
    return batch


def _is_of(name: segment.FileName, before: int, partition: int | None) -> bool:
    return name.stream < before and (partition is None or partition_of(name.stream) == partition)
