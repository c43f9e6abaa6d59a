"""Messages that are no rows, kept with the reason beside the output.

``stock_data.csv.rejected.jsonl`` gets one JSON object a line:

- ``time``: when it was received, ISO 8601 in UTC with nanoseconds;
- ``reason``: why it is no row;
- ``text``: the message as it was received, or ``base64`` of it where it is not UTF-8.

The file is made when there is something to keep.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fastingest.batch import Reject
from fastingest.errors import WriteFailed
from fastingest.moment import iso_time
from fastingest.writer.csv_file import beside

__all__ = ["Quarantine"]

_encode = msgspec.json.Encoder().encode


def _line(reject: Reject) -> bytes:
    entry = {"time": iso_time(reject.time), "reason": reject.reason}
    try:
        entry["text"] = reject.raw.decode()
    except UnicodeDecodeError:
        entry["base64"] = base64.b64encode(reject.raw).decode("ascii")
    return _encode(entry) + b"\n"


class Quarantine:
    """The quarantine of the output ``out``."""

    def __init__(self, out: Path) -> None:
        self.path = beside(out, ".rejected.jsonl")
        self._file: io.FileIO | None = None

    def add(self, rejects: Sequence[Reject]) -> None:
        """Append the rejects.

        :raises WriteFailed: it could not be done; what was written of them is cut off again.
        """
        if not rejects:
            return
        try:
            if self._file is None:
                self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
            size = os.fstat(self._file.fileno()).st_size
            try:
                left = memoryview(b"".join(map(_line, rejects)))
                while left:
                    left = left[self._file.write(left) :]
            except OSError:
                self._file.truncate(size)
                raise
        except OSError as error:
            raise WriteFailed(self.path, f"rejects could not be kept: {error.strerror}") from error

    def close(self) -> None:
        """Close the file, if it was ever opened."""
        if self._file is not None:
            self._file.close()
