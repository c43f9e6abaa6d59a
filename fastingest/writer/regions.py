"""The regions of an output that end before their run does, as the ledger is told of them.

What a run appends is one *region* of the file, with a count of its rows and a checksum, unless
others change the file under it. Then the region ends, the ledger gets a line for it, and another
one begins. That line is there once: a step that failed behind it is tried again, and a writer that
died behind it is followed by one that looks whether it is told.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from msgspec.structs import replace

from fastingest.errors import WriteFailed
from fastingest.isotime import iso_time
from fastingest.storage.append_file import Change
from fastingest.storage.journal import Entry
from fastingest.storage.ledger import (
    GONE,
    LEDGER_TAIL,
    Region,
    append_entry,
    ledger_path,
    read_entries,
)

__all__ = ["Regions"]


class Regions:
    """Ends them, each once.

    :param out: the output.
    :param is_told: whether the ledger is told of them. Without a journal it is not.
    """

    def __init__(self, out: Path, *, is_told: bool) -> None:
        self._out = out
        self._is_told = is_told
        self._has_ended = False
        self._is_inherited = True  # whether the region is as the writer before has left it

    def begin(self) -> None:
        """There is one again that can end."""
        self._has_ended = False

    def commit(self) -> None:
        """A batch is committed: the region is not any more as the writer before has left it."""
        self._is_inherited = False

    def end(self, entry: Entry, how: Change) -> Entry:
        """The region of ``entry`` cannot grow any more; the ledger keeps it.

        :returns: the entry without it.
        :raises WriteFailed: the ledger cannot be written.
        """
        if self._has_ended:  # and what came after that has failed
            return entry
        has_line = self._is_told and (entry.rows or how in GONE)
        if has_line and not self._is_known(entry, how):
            self.tell(entry.run, how, entry.region)
        self._has_ended = True
        return replace(entry, rows=0, crc32=0)

    def _is_known(self, entry: Entry, how: Change) -> bool:
        """Whether a writer that died before it could go on has told the ledger of this end."""
        if not self._is_inherited:
            return False
        told = {"run": entry.run, "ended": how, "file": entry.region.to_json()}
        entries = read_entries(self._out, last=LEDGER_TAIL)
        # A run's line that came later says that the region is in the file, as it was then believed.
        speak_of_it = [each for each in entries if each.get("file") == told["file"]]
        return bool(speak_of_it) and told.items() <= speak_of_it[-1].items()

    def tell(self, run: int, how: Change, region: Region) -> None:
        """Append a line to the ledger.

        :raises WriteFailed: it cannot be written.
        """
        now = iso_time(time.time_ns())
        line = {"run": run, "time": now, "ended": how, "file": region.to_json()}
        try:
            append_entry(self._out, line)
        except OSError as error:
            path = ledger_path(self._out)
            raise WriteFailed(path, f"cannot be written: {error.strerror}") from error

    def last_end(self) -> int:
        """Where the last region ends that the ledger knows of in the present file; 0: of none."""
        end = 0
        for line in read_entries(self._out, last=LEDGER_TAIL) if self._is_told else ():
            with contextlib.suppress(KeyError, ValueError):
                region = Region.from_json(line["file"])
                end = 0 if line.get("ended") in GONE else max(end, region.end)
        return end
