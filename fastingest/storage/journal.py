"""The journal ``<out>.journal``: what is committed.

Theory of operation. The writer makes an :class:`Entry` after every batch that it has appended, and
only then acknowledges the batch. An entry says all that a restart needs: the batch, how long the
file was with it, and what the run's account was. Only the newest one counts, so the journal is not
a log that grows but a ring of :data:`SLOTS` slots, each written with one ``pwrite`` and sealed by a
checksum. A slot that was cut or damaged is passed over; the newest intact one wins, and when that
is older than the file, the file is held to be right: see :mod:`fastingest.writer.resume`.

There is a ring for each feed, so that a feed's newest entry is never overwritten by the others':
it says where that feed's receiver was, and how much of the feed is written. The newest of all is
the output's state. An entry that is of no feed, as the one that a run begins with, goes to the
run's first.

A ring is its feed's by name, in every run that has such a feed. A feed that has none yet gets one
that is unused, or that of a feed which this run does not have, and the newest run neither: what a
run before that has left is dealt with when another one begins. So however the feeds of the runs
differ, there are no more rings than two runs have feeds.

The file's size never changes, so a full disk cannot keep a commit from being recorded; only that of
a feed of an earlier run that had nothing committed may still need a ring. What is where:
:mod:`fastingest.storage.journal_form`. A journal of one of the versions before is read, and made
anew in the present form before there is another entry.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastingest.errors import WriteFailed
from fastingest.storage import journal_form
from fastingest.storage.journal_form import (
    BLOCK_SIZE,
    SLOT_SIZE,
    SLOTS,
    Entry,
    entries_in,
    named_by,
    notes_in,
    slots_in,
    stored_name,
)
from fastingest.storage.names import beside, named, sync_directory
from fastingest.storage.ownership import open_own, remove_own

__all__ = [
    "SLOTS",
    "Entry",
    "Journal",
    "OtherJournal",
    "Recorded",
    "entries_in",
    "journal_path",
    "notes_in",
    "read_journal",
]

_RING = SLOTS * SLOT_SIZE


class OtherJournal(OSError):
    """A journal in which another version of fastingest has written."""


def _check_version(path: Path, data: bytes) -> None:
    if journal_form.is_of_other_version(data):
        problem = "another version of fastingest has made it; run that one once, to end its run"
        raise OtherJournal(errno.EINVAL, problem, str(path))


def journal_path(out: Path) -> Path:
    """Where the journal of the output ``out`` is."""
    return beside(named(out), ".journal")


@dataclass(frozen=True)
class Recorded:
    """What a journal says.

    :param entries: the newest first.
    :param notes: where the spool and the spill are.
    """

    entries: list[Entry]
    notes: dict[str, str]


def read_journal(path: Path, feeds: Sequence[str] = ()) -> Recorded | None:
    """Read a journal, and change nothing; None where there is none.

    :param feeds: names of feeds, as in :meth:`Journal.learn_names`.
    :raises NotOurs: somebody else has made it.
    :raises OtherJournal: another version has.
    :raises OSError: it cannot be read.
    """
    try:
        descriptor = open_own(path, os.O_RDONLY, alone=True)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        data = file.read()
    _check_version(path, data)
    return Recorded(named_by([entry for _, entry in entries_in(data)], feeds), notes_in(data))


class Journal:
    """The journal, open for writing.

    :param path: where it is, or will be.
    :param feeds: the names of the feeds that the run has in this output.
    :raises NotOurs: somebody else has made it.
    :raises OtherJournal: another version has.
    :raises OSError: it cannot be read or made.

    ``entries`` are those found when it was opened, the newest first, and ``notes`` what it says of
    where the spool and the spill are.
    """

    def __init__(self, path: Path, feeds: Sequence[str] = ()) -> None:
        self.path = path
        self._file = open_own(path, os.O_RDWR | os.O_CREAT, alone=True)
        data = os.pread(self._file, os.fstat(self._file).st_size, 0)
        try:
            _check_version(path, data)
        except OtherJournal:
            os.close(self._file)
            raise
        found = slots_in(data)
        self.entries = [each.entry for each in found]
        self.notes = notes_in(data)
        self._is_of_version_before = journal_form.is_of_version_before(data)
        self._numbers = [each.number for each in found]
        self._next = found[0].number + 1 if found else 0
        self._unsynced: dict[int, tuple[int, bytes]] = {}  # what was written, by its offset
        self.recorded = 0
        """How many times something was written; a sync that begins now covers these."""
        self.feeds = tuple(feeds)
        """The names of the feeds that the run has in this output."""
        wanted = [stored_name(feed) for feed in feeds]
        self._rings: dict[str, int] = {}  # by the stored names of their feeds
        self._free: list[int] = []  # rings that may become another feed's
        self._count = 0  # of rings
        self._next_slots: dict[int, int] = {}  # of each ring that is used
        if not self._is_of_version_before:
            self._count = -(-max(0, len(data) - BLOCK_SIZE) // _RING)  # the last may be cut off
            self._take_rings(found, wanted)
        for name in wanted:
            self._ring_of(name)

    def _take_rings(self, found: Sequence[journal_form.Slot], wanted: Sequence[str]) -> None:
        """Learn which ring is whose, and which are free.

        :param wanted: the names of those who keep theirs in any case.
        """
        for place, _, entry in found:  # the first is the ring's newest
            ring, slot = divmod(place, SLOTS)
            if ring in self._next_slots:
                continue
            self._next_slots[ring] = (slot + 1) % SLOTS
            is_over = entry.run < found[0].entry.run
            if entry.feed in self._rings or (is_over and entry.feed not in wanted):
                self._free.append(ring)
            else:
                self._rings[entry.feed] = ring
        self._free += [ring for ring in range(self._count) if ring not in self._next_slots]
        self._free.sort(reverse=True)

    def _ring_of(self, name: str) -> int:
        """The ring of a feed, from now on.

        :param name: the feed's, as it is stored.
        """
        if name not in self._rings:
            if not self._free:
                self._free.append(self._count)
                self._count += 1
            self._rings[name] = self._free.pop()
        return self._rings[name]

    def learn_names(self, feeds: Sequence[str]) -> None:
        """Learn the names of the feeds of the newest entry's run.

        To be called before anything is recorded. An entry may have no more than the beginning of a
        name, and one of an earlier version the feed's index.

        :param feeds: in the order that they had there; empty where one is not known.
        """
        self.entries = named_by(self.entries, feeds)

    def note(self, notes: dict[str, str]) -> None:
        """Say where the spool and the spill are, and take the room for all entries.

        :raises WriteFailed: there is no room for it.
        """
        block = journal_form.block(notes)
        if block is None:
            return  # paths of thousands of characters; they are where the defaults say, as a rule
        try:
            self._convert()
            size = BLOCK_SIZE + self._count * _RING
            missing = size - os.fstat(self._file).st_size
            if missing > 0:
                self._write(bytes(missing), size - missing)
            if notes != self.notes:
                self._write(block, 0)
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
            raise WriteFailed(self.path, problem) from error
        self.notes = notes

    def record(self, entry: Entry) -> None:
        """Make ``entry`` the newest.

        :raises OSError: it could not be written; it may be tried again.
        """
        self._convert()
        ring = self._ring_of(stored_name(entry.feed))
        slot = self._next_slots.get(ring, 0)
        sealed = journal_form.slot(self._next, entry)
        self._write(sealed, BLOCK_SIZE + ring * _RING + slot * SLOT_SIZE)
        self._next += 1
        self._next_slots[ring] = (slot + 1) % SLOTS

    def _convert(self) -> None:
        """Make a journal of an earlier version anew in the present form, whole or not at all.

        :raises OSError: it could not be done.
        """
        if not self._is_of_version_before:
            return
        slots: dict[int, bytes] = {}  # by their offsets
        for number, entry in zip(reversed(self._numbers), reversed(self.entries), strict=True):
            ring = self._ring_of(stored_name(entry.feed))
            slot = self._next_slots.get(ring, 0)
            slots[BLOCK_SIZE + ring * _RING + slot * SLOT_SIZE] = journal_form.slot(number, entry)
            self._next_slots[ring] = (slot + 1) % SLOTS
        data = bytearray(BLOCK_SIZE + self._count * _RING)
        data[:BLOCK_SIZE] = journal_form.block(self.notes) or b""
        for offset, sealed in slots.items():
            data[offset : offset + SLOT_SIZE] = sealed
        part = beside(self.path, ".part")
        remove_own(part)
        file = open_own(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, alone=True)
        try:
            if os.pwrite(file, data, 0) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file)
            part.replace(self.path)
            sync_directory(self.path.parent)
        except OSError:
            os.close(file)
            remove_own(part)
            self._next_slots.clear()
            raise
        os.close(self._file)
        self._file, self._is_of_version_before = file, False

    def _write(self, data: bytes, offset: int) -> None:
        if os.pwrite(self._file, data, offset) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.recorded += 1
        self._unsynced[offset] = self.recorded, data

    def sync(self) -> None:
        """Have the system put it on the disk.

        :raises OSError: what was written is not known to be there.
        """
        os.fsync(self._file)

    def synced(self, recorded: int) -> None:
        """What had been written when :attr:`recorded` was that is on the disk."""
        self._unsynced = {o: each for o, each in self._unsynced.items() if each[0] > recorded}

    def write_again(self) -> None:
        """After a sync that failed: write what it was to put on the disk once more.

        :raises OSError: it could not be done.
        """
        for offset, (_, data) in list(self._unsynced.items()):
            self._write(data, offset)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
