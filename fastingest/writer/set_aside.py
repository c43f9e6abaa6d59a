"""A batch that cannot be written is kept whole, in a file of its own beside the output.

``stock_data.csv.<stream>-<sequence>.failed`` has the form of a segment
(:mod:`fastingest.spool.segment`) with this one batch, so that its rows can be read when what is
wrong with it is known::

    data = path.read_bytes()
    for found in segment.read(data)[1]:
        batch = Batch.from_bytes(data[found.start : found.end])
        print(batch.layout.names, batch.columns(), batch.rejects)

It is on the disk before the journal says that the batch is dealt with. A writer that dies between
the two makes the file again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from fastingest.errors import WriteFailed
from fastingest.model.batch import Batch
from fastingest.spool import segment
from fastingest.storage.names import beside, sync_directory
from fastingest.storage.room import check_room

__all__ = ["set_aside"]

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def set_aside(out: Path, batch: Batch, min_free: int) -> Path:
    """Keep a batch of the output ``out``; where it is now.

    :param min_free: bytes that must stay free on the disk.
    :raises WriteFailed: it could not be done; there is no such file.
    """
    path = beside(out, f".{batch.stream}-{batch.sequence}.failed")
    part = beside(path, ".part")
    wire = bytes(batch.wire)
    head = segment.header(batch.stream, batch.sequence) + segment.record(batch.sequence, wire)
    left = memoryview(head + wire)
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, _FLAGS, 0o644)
        try:
            check_room(path, descriptor, len(left), min_free)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
        sync_directory(path.parent)  # its name has to be on the disk as well
    except OSError as error:
        raise WriteFailed(path, f"cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return path
