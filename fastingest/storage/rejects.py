"""Messages that are no rows, kept with the reason beside the output.

``stock_data.csv.rejected.jsonl`` gets one JSON object a line:

- ``time``: when it was received, ISO 8601 in UTC with nanoseconds;
- ``feed``: the name of the feed that it came from;
- ``reason``: why it is no row;
- ``text``: the message as it was received, or ``base64`` of it where it is not UTF-8;
- ``length``: its bytes, where only its beginning is kept.

The file is made when there is something to keep. Which of a batch's rejects are kept, when there
are very many, says :mod:`fastingest.storage.reject_limit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastingest.checksum import crc32
from fastingest.errors import WriteFailed
from fastingest.model.batch import Reject
from fastingest.storage.append_file import AppendFile
from fastingest.storage.names import beside
from fastingest.storage.reject_limit import Choice, RejectLimit
from fastingest.storage.reject_line import to_lines
from fastingest.storage.room import check_room
from fastingest.storage.unsynced import Extent, Unsynced

__all__ = ["RejectsFile"]


class RejectsFile:
    """The rejects of the output ``out``, open.

    :param settled: bytes of it that are known to be committed; None: all there are.
    :param limit: chooses which rejects are kept; None: all are.
    :param min_free: bytes that must stay free on the disk.
    :raises WriteFailed: it is there and cannot be opened.
    """

    def __init__(
        self,
        out: Path,
        settled: int | None = None,
        *,
        limit: RejectLimit | None = None,
        min_free: int = 0,
    ) -> None:
        self.path = beside(out, ".rejected.jsonl")
        self._limit = limit
        self._min_free = min_free
        self._chosen: Choice | None = None  # of the batch that is being committed
        self._file: AppendFile | None = None
        self.unsynced = Unsynced()
        """What of it is not known to be on the disk."""
        if self.path.exists():
            try:
                self._file = AppendFile(self.path)
            except OSError as error:
                raise WriteFailed(self.path, f"cannot be opened: {error.strerror}") from error
            if settled is not None:
                self.go_back(settled)

    def go_back(self, settled: int) -> None:
        """Only so many bytes of it are known to be committed."""
        if self._file is not None:
            self._file.size = min(settled, self._file.length)
            self._file.unsure = True

    def settle(self) -> None:
        """All that is in it is committed, or nobody's."""
        if self._file is not None:
            self._file.size = self._file.length
            self._file.unsure = False

    @property
    def size(self) -> int:
        """Bytes that are committed."""
        return self._file.size if self._file else 0

    @property
    def has_tail(self) -> bool:
        """Whether there is something behind what is committed, and nobody knows yet whose it is."""
        return self._file is not None and self._file.has_tail

    def explained_by(self, rejects: Sequence[Reject], feed: str = "") -> int:
        """How many bytes of that are there because these rejects were being added."""
        if self._file is None:
            return 0
        lines = self._limit.choose(rejects, feed).lines if self._limit else to_lines(rejects, feed)
        return self._file.explained_by(lines)

    def keep(self, rejects: Sequence[Reject], feed: str = "") -> int:
        """Append those of a batch's rejects that shall be kept; how many are not.

        :raises WriteFailed: as :meth:`add`, or too little would stay free on the disk.
        """
        if self._limit is None or not rejects:
            self.add(rejects, feed)
            return 0
        self._chosen = self._limit.choose(rejects, feed)
        self._append(self._chosen.lines, self._min_free)
        return self._chosen.not_kept

    def committed(self) -> None:
        """What :meth:`keep` has kept is in the journal."""
        if self._limit is not None and self._chosen is not None:
            self._limit.committed(self._chosen)
        self._chosen = None

    def add(self, rejects: Sequence[Reject], feed: str = "") -> None:
        """Append the rejects, unless they are what the file goes on with anyway.

        :raises WriteFailed: it could not be done; what was written of them is cut off again.
        """
        self._append(to_lines(rejects, feed))

    def _append(self, lines: bytes, min_free: int = 0) -> None:
        if not lines:
            return
        try:
            if self._file is not None and self._file.has(lines):
                return
            if self._file is not None and self._file.changed() in ("moved", "deleted"):
                self._file.close()
                self._file = None
                self.unsynced.clear()
            if self._file is None:
                self._file = AppendFile(self.path)
            check_room(self.path, self._file.descriptor, len(lines), min_free)
            length = self._file.length  # others may edit it: that harms nobody
            if length and self._file.read(length - 1, length) != b"\n":
                lines = b"\n" + lines
            self._file.size = length
        except OSError as error:
            raise WriteFailed(self.path, f"cannot be opened: {error.strerror}") from error
        start = self._file.append(lines)
        self.unsynced.add(Extent(start, start + len(lines), 0, crc32(lines)))

    def take_back(self, size: int) -> None:
        """Cut off what was added last; it was so long before.

        :raises WriteFailed: it could not be done.
        """
        if self._file is not None and size < self._file.size:
            try:
                self._file.cut(size)
            except OSError as error:
                raise WriteFailed(self.path, f"cannot be cut: {error.strerror}") from error
            self._file.size = size
            self.unsynced.cut(size)

    def sync(self) -> None:
        """Have the system put it on the disk.

        :raises WriteFailed: it is not known to be there.
        """
        file = self._file
        if file is not None:
            try:
                file.sync()
            except OSError as error:
                raise WriteFailed(self.path, f"cannot be synced: {error.strerror}") from error

    def secure(self) -> int:
        """Write again what is not known to be on the disk; how many bytes of it are gone.

        :raises WriteFailed: it could not be done.
        """
        if self._file is None:
            return 0
        try:
            gone = self.unsynced.write_again(self._file)
        except OSError as error:
            raise WriteFailed(self.path, f"cannot be written: {error.strerror}") from error
        self.unsynced.forget(gone)  # there is nothing to write them from
        return sum(extent.end - extent.start for extent in gone)

    def close(self) -> None:
        """Close the file, if it was ever opened."""
        if self._file is not None:
            self._file.close()
