"""Messages that are no rows, kept with the reason beside the output.

``stock_data.csv.rejected.jsonl`` gets one JSON object a line:

- ``time``: when it was received, ISO 8601 in UTC with nanoseconds;
- ``feed``: the name of the feed that it came from;
- ``reason``: why it is no row;
- ``text``: the message as it was received, or ``base64`` of it where it is not UTF-8.

The file is made when there is something to keep.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fastingest.batch import Reject
from fastingest.errors import WriteFailed
from fastingest.moment import iso_time
from fastingest.places import beside
from fastingest.writer.append_file import AppendFile
from fastingest.writer.unsynced import Piece, Unsynced

__all__ = ["Quarantine"]

_encode = msgspec.json.Encoder().encode


def _line(reject: Reject, feed: str) -> bytes:
    entry = {"time": iso_time(reject.time)}
    if feed:
        entry["feed"] = feed
    entry["reason"] = reject.reason
    try:
        entry["text"] = reject.raw.decode()
    except UnicodeDecodeError:
        entry["base64"] = base64.b64encode(reject.raw).decode("ascii")
    return _encode(entry) + b"\n"


def to_lines(rejects: Sequence[Reject], feed: str = "") -> bytes:
    """The rejects as they stand in the file.

    :param feed: the name of the feed that they came from; empty where there is none.
    """
    return b"".join(_line(reject, feed) for reject in rejects)


class Quarantine:
    """The quarantine of the output ``out``.

    :param settled: bytes of it that are known to be committed; None: all there are.
    :raises WriteFailed: it is there and cannot be opened.
    """

    def __init__(self, out: Path, settled: int | None = None) -> None:
        self.path = beside(out, ".rejected.jsonl")
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
        return self._file.explained_by(to_lines(rejects, feed)) if self._file is not None else 0

    def add(self, rejects: Sequence[Reject], feed: str = "") -> None:
        """Append the rejects, unless they are what the file goes on with anyway.

        :raises WriteFailed: it could not be done; what was written of them is cut off again.
        """
        if not rejects:
            return
        lines = to_lines(rejects, feed)
        try:
            if self._file is not None and self._file.has(lines):
                return
            if self._file is not None and self._file.changed() in ("moved", "deleted"):
                self._file.close()
                self._file = None
                self.unsynced.clear()
            if self._file is None:
                self._file = AppendFile(self.path)
            length = self._file.length  # others may edit it: that harms nobody
            if length and self._file.read(length - 1, length) != b"\n":
                lines = b"\n" + lines
            self._file.size = length
        except OSError as error:
            raise WriteFailed(self.path, f"cannot be opened: {error.strerror}") from error
        start = self._file.append(lines)
        self.unsynced.add(Piece(start, start + len(lines), 0, zlib.crc32(lines)))

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
        if self._file is not None:
            try:
                self._file.sync()
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
        if gone:
            self.unsynced.clear()  # there is nothing to write them from
        return sum(piece.end - piece.start for piece in gone)

    def close(self) -> None:
        """Close the file, if it was ever opened."""
        if self._file is not None:
            self._file.close()
