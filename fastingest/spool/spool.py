"""The outbox's segments as files: in memory, then on disk.

Theory of operation. A batch is written into its segment's file before it goes on the pipe, so that
it outlives this process. The files are on a file system in memory, where a write is a copy and
never waits: 3 ns a row, and 5 for the checksum. Used files are used again, from their start; while
the writer keeps up, it is one and the same file, whose pages are in the processor's cache.

Everything that touches the disk is done by one thread (:mod:`fastingest.spool.worker`): moving a
segment there, loading it again, deleting it. A busy disk may block it for seconds, and nobody else.

Where a batch cannot be written (a ``/dev/shm`` of 64 MiB, as containers have it, is soon full), it
is *kept* in this process's own memory, and with it what comes after it in the same segment; this is
logged. Moved to disk, it is as safe as any other; until then nothing more is received, see
:mod:`fastingest.spool.outbox`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from fastingest.model.event import Event
from fastingest.spool.events import SpoolUnwritable, SpoolWritable
from fastingest.spool.held import Held, Place, Segment
from fastingest.spool.segment import RECORD_SIZE, file_name, header, record
from fastingest.spool.worker import Worker
from fastingest.storage.names import sync_directory
from fastingest.storage.ownership import check_own_directory, make_own_directory, open_own

__all__ = ["Spool"]

_FREE_FILES = 4  # that wait to be used again; more are deleted
_CHUNK = 1024 * 1024


class Spool:
    """The files of one stream's segments.

    :param stream: the stream's id.
    :param spool: the directory in memory; None keeps every batch in this process's own memory.
    :param spill: the directory on disk; it is made when it is needed.
    :param min_free: bytes that must stay free on the disk.
    :param sync: whether a segment on disk is also synced, before memory lets go of it.
    :param report: takes events for the log.
    """

    def __init__(
        self,
        stream: int,
        spool: Path | None,
        spill: Path,
        *,
        min_free: int,
        sync: bool,
        report: Callable[[Event], None],
    ) -> None:
        self._stream = stream
        self._keeps = spool is None
        self._directory = spool or spill
        self._spill = spill
        self._min_free = min_free
        self._sync = sync
        self._report = report
        self._files: dict[Segment, int] = {}  # descriptors of those in memory
        self._free: list[int] = []
        self._paths: dict[int, Path] = {}  # of all descriptors
        self._made = 0
        self._kept: dict[Segment, dict[int, bytes]] = {}  # wire forms by offset
        self.is_full = False
        """Whether the last batch could not be written there."""
        self._on_disk: set[Segment] = set()
        self._moving: set[Segment] = set()
        self._loaded: dict[Segment, bytes] = {}
        self._loading: set[Segment] = set()
        self._worker = Worker("spill")

    # Memory

    def append(self, held: Held, wire: bytes) -> bool:
        """Write a batch to its place; whether that is there, and not in this process's memory."""
        segment = held.segment
        if segment not in self._kept and not self._keeps:
            try:
                if segment not in self._files:
                    self._files[segment] = self._open(segment)
                self._write(self._files[segment], held, wire)
            except OSError as error:
                if not self.is_full:
                    self.is_full = True
                    problem = os.strerror(error.errno or 0)
                    self._report(SpoolUnwritable(str(self._directory), problem))
            else:
                if self.is_full:
                    self.is_full = False
                    self._report(SpoolWritable(str(self._directory)))
                return True
        self._kept.setdefault(segment, {})[held.offset] = wire
        return self._keeps

    def _open(self, segment: Segment) -> int:
        if self._free:
            descriptor = self._free.pop()
        else:
            check_own_directory(self._directory)
            path = self._directory / file_name(self._stream, self._made)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._made += 1
            self._paths[descriptor] = path
        try:
            head = header(self._stream, segment.first)
            if os.pwrite(descriptor, head, 0) < len(head):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._free.append(descriptor)
            raise
        return descriptor

    @staticmethod
    def _write(descriptor: int, held: Held, wire: bytes) -> None:
        head, offset = record(held.sequence, wire), held.offset - RECORD_SIZE
        done = os.pwritev(descriptor, (head, wire), offset)
        if done < len(head) + len(wire):  # once more, to be told why
            rest = (head + wire)[done:]
            if os.pwrite(descriptor, rest, offset + done) < len(rest):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _recycle(self, segment: Segment) -> None:
        self._kept.pop(segment, None)
        descriptor = self._files.pop(segment, None)
        if descriptor is None:
            return
        if len(self._free) < _FREE_FILES:
            with contextlib.suppress(OSError):
                if os.pwrite(descriptor, bytes(RECORD_SIZE), 0) == RECORD_SIZE:  # no segment now
                    self._free.append(descriptor)
                    return
        # Where not even that can be done, the file stays a segment. All in it is acknowledged, so
        # who reads it passes over it, and its stream's last segment is deleted with the others.
        with contextlib.suppress(OSError):
            self._paths.pop(descriptor).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.close(descriptor)

    def keeps(self, held: Held) -> bool:
        """Whether the batch is in this process's memory only."""
        return held.offset in self._kept.get(held.segment, ())

    # Both

    def read(self, held: Held) -> bytes | None:
        """The wire form of a batch; None: it must be loaded first.

        :raises OSError: it is on disk, and not what was written there.
        """
        segment = held.segment
        wire = self._kept.get(segment, {}).get(held.offset)
        if wire is not None:
            return wire
        if segment in self._files:
            wire = os.pread(self._files[segment], held.size, held.offset)
            if len(wire) < held.size:
                raise OSError(errno.EIO, "somebody has cut it off")
            return wire
        data = self._loaded.get(segment)
        if data is None:
            return None
        wire = data[held.offset : held.offset + held.size]
        if data[held.offset - RECORD_SIZE : held.offset] != record(held.sequence, wire):
            raise OSError(errno.EIO, "it is damaged")
        return wire

    def free(self, segment: Segment) -> None:
        """Nothing in it is needed any more."""
        self._loaded.pop(segment, None)
        if segment in self._moving:
            return  # this is done when it has been moved
        self._recycle(segment)
        if segment in self._on_disk:
            self._on_disk.remove(segment)
            self._worker.do(lambda: self._path(segment).unlink(missing_ok=True), lambda _: None)

    # Disk

    def move(
        self,
        segment: Segment,
        done: Callable[[Segment, OSError | None], None],
        *,
        reserve: int = 0,
    ) -> None:
        """Move a sealed segment to disk; then call ``done`` with the error that prevented it.

        :param reserve: bytes that must stay free, besides ``min_free``.
        """
        kept = self._kept.get(segment, {})
        # What the file holds of it ends where the first batch that is kept would begin.
        end = min(kept, default=segment.size + RECORD_SIZE) - RECORD_SIZE
        self._moving.add(segment)

        def moved(error: OSError | None) -> None:
            self._moving.remove(segment)
            if error is None:
                self._on_disk.add(segment)
                self._recycle(segment)
            if segment.place is Place.GONE:  # meanwhile
                self.free(segment)
            done(segment, error)

        file = self._files.get(segment)
        batches = sorted(kept.items())

        def copy() -> None:
            self._check_room(segment.size, self._min_free + reserve)
            self._copy(segment, file, end, batches)

        self._worker.do(copy, moved)

    def _check_room(self, size: int, least_free: int) -> None:
        make_own_directory(self._spill, parents=True)
        space = os.statvfs(self._spill)
        if least_free and space.f_bavail * space.f_frsize - size < least_free:
            raise OSError(errno.ENOSPC, "too little would stay free on the disk (--min-free)")

    def _copy(
        self, segment: Segment, file: int | None, end: int, kept: list[tuple[int, bytes]]
    ) -> None:
        """In the thread: write the segment to disk, then give it its name."""
        path = self._path(segment)
        part = path.with_suffix(".part")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with open(open_own(part, flags, 0o600), "wb", buffering=0) as target:
                if file is None:
                    target.write(header(self._stream, segment.first))
                else:
                    for offset in range(0, end, _CHUNK):
                        size = min(_CHUNK, end - offset)
                        data = os.pread(file, size, offset)
                        if len(data) < size:
                            raise OSError(errno.EIO, "somebody has cut it off")
                        _write_all(target.fileno(), data)
                sequence = segment.last - len(kept) + 1
                for number, (_, wire) in enumerate(kept):
                    _write_all(target.fileno(), record(sequence + number, wire))
                    _write_all(target.fileno(), wire)
                if self._sync:
                    os.fsync(target.fileno())
            part.rename(path)
            if self._sync:
                sync_directory(self._spill)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def load(self, segment: Segment, done: Callable[[Segment, OSError | None], None]) -> None:
        """Load a segment from disk for :meth:`read`; then call ``done``."""
        if segment in self._loading or segment in self._loaded or segment not in self._on_disk:
            return
        self._loading.add(segment)
        data: list[bytes] = []

        def loaded(error: OSError | None) -> None:
            self._loading.remove(segment)
            if segment in self._on_disk:  # it may not be needed any more
                if error is None:
                    self._loaded[segment] = data[0]
                done(segment, error)

        self._worker.do(lambda: data.append(self._path(segment).read_bytes()), loaded)

    def unload(self, before: Segment) -> None:
        """Forget what was loaded of the segments before this one; it can be loaded again."""
        for segment in [each for each in self._loaded if each.number < before.number]:
            del self._loaded[segment]

    def _path(self, segment: Segment) -> Path:
        return self._spill / file_name(self._stream, segment.number)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
