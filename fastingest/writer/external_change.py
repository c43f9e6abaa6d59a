"""Another program has cut, moved, deleted or appended to the file: where the next row goes.

Theory of operation. The region that the run has appended ends, and the ledger is told of it
(:mod:`fastingest.writer.regions`). Then the place is found where the next row can go: behind what
another program has appended, below the header of a file that was emptied, or in another file under
the name. The journal says where that is before a row is there, so that a writer that dies meanwhile
leaves nothing that cannot be told from what the others have written.
"""

from __future__ import annotations

import sys

from msgspec.structs import replace

from fastingest.storage.append_file import Change
from fastingest.storage.ledger import Region
from fastingest.storage.unsynced import Unsynced
from fastingest.writer.committed import Committed
from fastingest.writer.events import (
    AppendedByOthers,
    OutputChanged,
    OutputEmptied,
    OutputShorterThanLedger,
)
from fastingest.writer.files import OutputFiles
from fastingest.writer.regions import Regions

__all__ = ["adapt", "notice_replaced"]


def adapt(
    change: Change,
    files: OutputFiles,
    regions: Regions,
    committed: Committed,
    unsynced: Unsynced,
) -> None:
    """Go on behind what others have done to the file; after an error it is to be done again.

    :param change: what that is.
    :param unsynced: what is written and not known to be on the disk; nothing of a file that is
        left, or was emptied.
    :raises WriteFailed: it could not be done.
    :raises OutputRefused: there is another file now, which must not be appended to.
    :raises OSError: the header could not be written.
    """
    file, size_before = files.file, committed.entry.size
    if change == "appended":
        files.settle_torn(file.size)  # first: it may take seconds, and not come to an end
    committed.entry = regions.end(committed.entry, change)
    if change == "appended":
        files.report(AppendedByOthers(str(files.path), file.length - file.size))
    else:
        if change == "truncated":
            file.begin()
        else:
            files.go_to_new_file()
        unsynced.clear()
        if change == "truncated":
            files.report(OutputEmptied(str(files.path), size_before))
        else:
            files.report(OutputChanged(change, str(files.path), size_before))
        files.file.unsure = False
        files.file.size = sys.maxsize  # so that after an error it is looked at again
    size = files.settle_torn(files.file.size if change == "appended" else 0)
    files.rejects.settle()  # the batch's rejects are not in it: its rows would come before
    committed.record(replace(files.describe(committed.entry, size), start=size))
    files.file.size = size


def notice_replaced(files: OutputFiles, regions: Regions, run: int) -> None:
    """Tell the ledger that its file has gone, where that happened between two runs.

    :param run: the one that begins.
    :raises WriteFailed: the ledger cannot be written.
    """
    end = regions.last_end()
    if end <= files.file.length:
        return
    if files.file.is_empty:
        regions.tell(run, "moved", Region(0, 0, 0, 0))
    else:
        files.report(OutputShorterThanLedger(end - files.file.length))
