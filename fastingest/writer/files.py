"""The file of an output and that of its rejects, open: what goes from the one to the other.

What stands in the file and is no row does not stay there, and is not thrown away either: it becomes
a reject. There are two kinds: a piece of a row at the file's end (:data:`TORN`), and what stands
where the journal says that something else was written (:data:`DAMAGED`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from fastingest.errors import OutputLocked
from fastingest.model.batch import Reject
from fastingest.model.event import Event
from fastingest.storage.bare_header import remove_bare_header
from fastingest.storage.csv_file import CsvFile
from fastingest.storage.journal import Entry
from fastingest.storage.ownership import refused
from fastingest.storage.rejects import RejectsFile
from fastingest.storage.torn_tail import settled_tail
from fastingest.writer.events import DamageCut, HeaderReplaced, TornLineCut

__all__ = ["DAMAGED", "MAX_DAMAGED", "TORN", "OutputFiles", "replace_header"]

DAMAGED = "not as it was written, the machine has lost power"
"""The reason of a reject that is a piece of the file behind the last whole commit."""

MAX_DAMAGED = 64 * 1024
"""Bytes of the file in one such reject."""

TORN = "torn last line of the file"
"""The reason of a reject that is a piece of a row."""


class OutputFiles:
    """The two files.

    :param file: the CSV file.
    :param rejects: its rejects.
    :param header: the first line that a file which takes its place gets.
    :param report: takes events for the log.
    """

    def __init__(
        self, file: CsvFile, rejects: RejectsFile, *, header: str, report: Callable[[Event], None]
    ) -> None:
        self.file = file
        self.rejects = rejects
        self.report = report
        self._header = header

    @property
    def path(self) -> Path:
        """Where the CSV file is."""
        return self.file.path

    def describe(self, entry: Entry, size: int | None = None) -> Entry:
        """The entry with the files as they are now.

        :param size: bytes of the CSV file that are settled; None: as many as it says itself.
        """
        inode, settled = self.file.part
        return replace(
            entry,
            inode=inode,
            size=settled if size is None else size,
            rejects_size=self.rejects.size,
        )

    def settle_torn(self, start: int) -> int:
        """Move a piece of a row at the file's end to the rejects, once nobody goes on with it.

        :param start: where a row begins; what is before it stays.
        :returns: where whole rows end; another program may have begun its next line there already.
        :raises WriteFailed: it cannot be moved yet.
        """
        while (tail := settled_tail(self.file, start)).piece:
            before = self.rejects.size
            self.rejects.add([Reject(time.time_ns(), TORN, tail.piece)])
            if self.file.cut_torn(tail):
                self.report(TornLineCut(len(tail.piece), kept_in=str(self.rejects.path)))
                return tail.start
            self.rejects.take_back(before)  # at the last moment its author has gone on
        return tail.start

    def move_damaged(self, start: int) -> None:
        """Move to the rejects what the file has from ``start`` on: it is not what was written."""
        offset, end = start, self.file.length
        while offset < end:
            piece = self.file.read(offset, min(end, offset + MAX_DAMAGED))
            line_end = piece.rfind(b"\n") + 1 or len(piece)
            self.rejects.add([Reject(time.time_ns(), DAMAGED, piece[:line_end])])
            offset += line_end
        self.file.cut(start)
        self.report(DamageCut(end - start, kept_in=str(self.rejects.path)))

    def go_to_new_file(self) -> None:
        """Leave the file for the one that has its name now; it is made where there is none.

        :raises OutputRefused: that must not be appended to. The one before is still open.
        """
        following = CsvFile(self.path, self._header)
        before, self.file = self.file, following
        before.close()

    def close(self) -> None:
        """Close both."""
        self.file.close()
        self.rejects.close()


def replace_header(out: Path, header: str, report: Callable[..., None]) -> None:
    """Take another header out of a file that has never had a row.

    :raises OutputLocked: another run has it open, under another name.
    :raises OutputRefused: it cannot be done.
    """
    try:
        found = remove_bare_header(out, header)
    except BlockingIOError:
        raise OutputLocked(out, None) from None
    except OSError as error:
        raise refused(out, error) from None
    if found is not None:
        report(HeaderReplaced(str(out), found))
