"""What has been written and is not known to be on the disk.

Theory of operation. After a failed ``fsync`` the system may have dropped what it could not write,
or have marked it as clean: a second ``fsync`` of the same pages returns 0 and proves nothing
(PostgreSQL's "fsyncgate" of 2018, https://wiki.postgresql.org/wiki/Fsync_Errors). What helps is to
write the same bytes again, which makes new work of them for the next ``fsync``. They are read back
from the file, where they still are as a rule, and their checksum says whether they are: it was
taken while they were in memory. What is not there any more is gone.

So each piece that is appended is noted here, until a sync that began after it has succeeded.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from fastingest.storage.append_file import AppendFile

__all__ = ["Piece", "Unsynced"]


@dataclass(frozen=True)
class Piece:
    """Bytes that were appended, from ``start`` to before ``end``.

    :param before: the checksum of what it continues; see :func:`zlib.crc32`.
    :param after: the checksum with it.
    :param feed: whose rows they are.
    :param partition: of the receiver that they came from.
    :param rows: how many.
    """

    start: int
    end: int
    before: int
    after: int
    feed: int = 0
    partition: int = 0
    rows: int = 0

    def is_in(self, file: AppendFile) -> bool:
        """Whether the file still holds it.

        :raises OSError: it cannot be read.
        """
        data = file.read(self.start, self.end)
        return len(data) == self.end - self.start and zlib.crc32(data, self.before) == self.after


class Unsynced:
    """The pieces of one file, in the order in which they were appended."""

    def __init__(self) -> None:
        self._numbered: deque[tuple[int, Piece]] = deque()  # each number is used once
        self.mark = 0
        """Stands for all there are now; a sync that begins now covers these."""

    def __len__(self) -> int:
        return len(self._numbered)

    def __iter__(self) -> Iterator[Piece]:
        return iter([piece for _, piece in self._numbered])

    def add(self, piece: Piece) -> None:
        """It has been appended."""
        self._numbered.append((self.mark, piece))
        self.mark += 1

    def synced(self, mark: int) -> None:
        """Those up to there are on the disk."""
        while self._numbered and self._numbered[0][0] < mark:
            self._numbered.popleft()

    def clear(self) -> None:
        """None of them matters any more."""
        self._numbered.clear()

    def forget(self, pieces: list[Piece]) -> None:
        """These do not matter any more."""
        self._numbered = deque(each for each in self._numbered if each[1] not in pieces)

    def cut(self, size: int) -> None:
        """The file ends there now."""
        while self._numbered and self._numbered[-1][1].start >= size:
            self._numbered.pop()

    def write_again(self, file: AppendFile) -> list[Piece]:
        """Write over each piece with what it is.

        :returns: those that the file does not hold any more; they stay as they are.
        :raises OSError: a piece could not be read, or written.
        """
        gone = []
        for piece in self:
            if piece.is_in(file):
                file.rewrite(piece.start, file.read(piece.start, piece.end))
            else:
                gone.append(piece)
        return gone

    def close_up(self, file: AppendFile, gone: list[Piece]) -> Piece | None:
        """Put what follows on pieces that are gone in their place, where it is the file's end.

        :param gone: what :meth:`write_again` has returned; at least one.
        :returns: an empty piece where the file ends now; None: it stays as it is, since others have
            appended behind it.
        :raises OSError: it could not be done.
        """
        end, crc = gone[0].start, gone[0].before
        first = end
        tail = [piece for piece in self if piece.start >= first]
        in_one = all(one.end == other.start for one, other in pairwise(tail))
        if not in_one or file.length > tail[-1].end:
            return None
        kept = [(piece, file.read(piece.start, piece.end)) for piece in tail if piece not in gone]
        moved = []
        for piece, data in kept:
            after = zlib.crc32(data, crc)
            moved.append(replace(piece, start=end, end=end + len(data), before=crc, after=after))
            end, crc = moved[-1].end, after
        file.rewrite(first, b"".join(data for _, data in kept))
        file.cut(end)
        self.cut(first)  # not before: what has failed is found, and done, anew
        for piece in moved:
            self.add(piece)
        return Piece(end, end, crc, crc)
