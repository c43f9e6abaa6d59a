"""What has been written and is not known to be on the disk.

Theory of operation. After a failed ``fsync`` the system may have dropped what it could not write,
or have marked it as clean: a second ``fsync`` of the same pages returns 0 and proves nothing
(PostgreSQL's "fsyncgate" of 2018, https://wiki.postgresql.org/wiki/Fsync_Errors). What helps is to
write the same bytes again, which makes new work of them for the next ``fsync``. They are read back
from the file, where they still are as a rule, and their checksum says whether they are: it was
taken while they were in memory. What is not there any more is gone.

So each extent that is appended is noted here, until a sync that began after it has succeeded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from fastingest.checksum import crc32
from fastingest.storage.append_file import AppendFile

__all__ = ["Extent", "Unsynced"]


@dataclass(frozen=True)
class Extent:
    """Bytes that were appended and are not synced yet, from ``start`` to before ``end``.

    :param before: the checksum of what it continues; see :func:`zlib.crc32`.
    :param after: the checksum with it.
    :param feed: the name of the feed whose rows they are.
    :param partition: of the receiver that they came from.
    :param rows: how many.
    """

    start: int
    end: int
    before: int
    after: int
    feed: str = ""
    partition: int = 0
    rows: int = 0

    def is_in(self, file: AppendFile) -> bool:
        """Whether the file still holds it.

        :raises OSError: it cannot be read.
        """
        data = file.read(self.start, self.end)
        return len(data) == self.end - self.start and crc32(data, self.before) == self.after


class Unsynced:
    """The extents of one file, in the order in which they were appended."""

    def __init__(self) -> None:
        self._numbered: deque[tuple[int, Extent]] = deque()  # each number is used once
        self.mark = 0
        """Stands for all there are now; a sync that begins now covers these."""

    def __len__(self) -> int:
        return len(self._numbered)

    def __iter__(self) -> Iterator[Extent]:
        return iter([extent for _, extent in self._numbered])

    def add(self, extent: Extent) -> None:
        """It has been appended."""
        self._numbered.append((self.mark, extent))
        self.mark += 1

    def synced(self, mark: int) -> None:
        """Those up to there are on the disk."""
        while self._numbered and self._numbered[0][0] < mark:
            self._numbered.popleft()

    def clear(self) -> None:
        """None of them matters any more."""
        self._numbered.clear()

    def forget(self, extents: list[Extent]) -> None:
        """These do not matter any more."""
        self._numbered = deque(each for each in self._numbered if each[1] not in extents)

    def cut(self, size: int) -> None:
        """The file ends there now."""
        while self._numbered and self._numbered[-1][1].start >= size:
            self._numbered.pop()

    def write_again(self, file: AppendFile) -> list[Extent]:
        """Write over each extent with what it is.

        :returns: those that the file does not hold any more; they stay as they are.
        :raises OSError: an extent could not be read, or written.
        """
        gone = []
        for extent in self:
            if extent.is_in(file):
                file.rewrite(extent.start, file.read(extent.start, extent.end))
            else:
                gone.append(extent)
        return gone

    def close_up(self, file: AppendFile, gone: list[Extent]) -> Extent | None:
        """Put what follows on extents that are gone in their place, where it is the file's end.

        :param gone: what :meth:`write_again` has returned; at least one.
        :returns: an empty extent where the file ends now; None: it stays as it is, since others
            have appended behind it.
        :raises OSError: it could not be done.
        """
        end, crc = gone[0].start, gone[0].before
        first = end
        tail = [extent for extent in self if extent.start >= first]
        in_one = all(one.end == other.start for one, other in pairwise(tail))
        if not in_one or file.length > tail[-1].end:
            return None
        kept = [
            (extent, file.read(extent.start, extent.end)) for extent in tail if extent not in gone
        ]
        moved = []
        for extent, data in kept:
            after = crc32(data, crc)
            moved.append(replace(extent, start=end, end=end + len(data), before=crc, after=after))
            end, crc = moved[-1].end, after
        file.rewrite(first, b"".join(data for _, data in kept))
        file.cut(end)
        self.cut(first)  # not before: what has failed is found, and done, anew
        for extent in moved:
            self.add(extent)
        return Extent(end, end, crc, crc)
