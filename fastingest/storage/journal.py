"""The journal ``<out>.journal``: what is committed.

Theory of operation. The writer makes an :class:`Entry` after every batch that it has appended, and
only then acknowledges the batch. An entry says all that a restart needs: the batch, how long the
file was with it, and what the run's account was. Only the newest one counts, so the journal is not
a log that grows but a ring of :data:`SLOTS` slots, each written with one ``pwrite`` and sealed by a
checksum. A slot that was cut or damaged is passed over; the newest intact one wins, and when that
is older than the file, the file is held to be right: see :mod:`fastingest.writer.resume`.

There is a ring for each feed, so that a feed's newest entry is never overwritten by the others':
it says where that feed's receiver was, and how much of the feed is written. The newest of all is
the output's state.

The file's size never changes, so a full disk cannot keep a commit from being recorded. ::

    block of 4096 bytes   magic, checksum, length, JSON: where the spool and the spill are
    64 slots of 160 bytes, for each feed: magic, checksum, number, the entry

All numbers are little-endian; a checksum is zlib's CRC-32 of the magic and of all that follows the
checksum in the block or slot. The version before had slots in the same places, under another magic
that the checksum left out, and its entries said less: they are read, and overwritten one by one.
What any other version has sealed is refused, since to pass it over would be to write rows twice.
"""

from __future__ import annotations

import errno
import json
import os
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fastingest.errors import WriteFailed
from fastingest.model.batch import Position
from fastingest.storage.ledger import Region
from fastingest.storage.names import beside, named
from fastingest.storage.ownership import open_own

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

SLOTS = 64

_MAGIC = b"fij3"
_MAGIC_BEFORE = b"fij2"
_ANY_MAGIC = re.compile(rb"fij[1-9]")
_HEAD = struct.Struct("<4sI")
_BLOCK = 4096
_SLOT = 160
_RING = SLOTS * _SLOT


class OtherJournal(OSError):
    """A journal in which another version of fastingest has written."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """The state after a commit. Sizes and offsets are bytes, times nanoseconds since the epoch.

    The counts are those of the run ``run``, from its start on.
    """

    run: int
    """The run whose rows they are: when it started."""
    stream: int = 0
    sequence: int = -1
    """The last batch that is committed, of whichever run."""
    inode: int = 0
    """The output's, so that another file under its name is told from it."""
    size: int = 0
    """The output's, behind the batch."""
    rejects_size: int = 0
    start: int = 0
    """Where the region begins that this run has appended, as far as it is one piece."""
    rows: int = 0
    """Rows in the region."""
    crc32: int = 0
    """Checksum of the region."""
    written: int = 0
    rejected: int = 0
    first_received: int = 0
    """When the first of the run's committed rows came; 0: there is none."""
    last_received: int = 0
    feed: int = 0
    """The feed of the last batch that is committed."""
    feed_written: int = 0
    feed_rejected: int = 0
    set_aside: int = 0
    """Rows and rejects of batches that could not be written (:mod:`.set_aside`)."""
    feed_set_aside: int = 0
    not_kept: int = 0
    """Of ``rejected``, those that are counted only: :mod:`fastingest.storage.reject_limit`."""

    @property
    def position(self) -> Position:
        """The last batch that is committed."""
        return Position(self.stream, self.sequence)

    @property
    def region(self) -> Region:
        """What the run has appended since the output was last changed by others."""
        return Region(self.start, self.size, self.rows, self.crc32)


def _form(fields: Sequence[str], **types: str) -> struct.Struct:
    return struct.Struct("<Q" + "".join(types.get(field, "q") for field in fields))


_FIELDS = Entry.__struct_fields__
_ENTRY = _form(_FIELDS, crc32="I", inode="Q", feed="I")
_ENTRY_BEFORE = _form(_FIELDS[: _FIELDS.index("set_aside")], crc32="I", inode="Q")
_FORMS = {_MAGIC: _ENTRY, _MAGIC_BEFORE: _ENTRY_BEFORE}
"""Of entries, by their slots' magic. What is not in an old one is 0: there was no such thing."""


def _head(magic: bytes, body: bytes) -> bytes:
    start = zlib.crc32(magic) if magic >= _MAGIC else 0
    return _HEAD.pack(magic, zlib.crc32(body, start))


def _seal(body: bytes) -> bytes:
    return _head(_MAGIC, body) + body


def _opened(sealed: bytes, size: int) -> bytes | None:
    """The ``size`` bytes behind the head, if they are intact."""
    magic, body = sealed[: len(_MAGIC)], sealed[_HEAD.size : _HEAD.size + size]
    if len(body) < size or magic not in _FORMS or sealed[: _HEAD.size] != _head(magic, body):
        return None
    return body


def _is_of_other_version(data: bytes) -> bool:
    """Whether a journal's block, or one of its slots, has the seal of a version not known here.

    A magic alone says nothing: it may be a known one that is damaged. How long the entries of
    another version are is not known either.
    """
    for offset in (0, *range(_BLOCK, len(data), _SLOT)):
        magic = data[offset : offset + len(_MAGIC)]
        if magic in _FORMS or not _ANY_MAGIC.fullmatch(magic):  # nearly all
            continue
        sealed = data[offset : offset + (_SLOT if offset else _BLOCK)]
        sizes = range(1, _SLOT) if offset else (_BLOCK - _HEAD.size,)
        bodies = (sealed[_HEAD.size : _HEAD.size + size] for size in sizes)
        if sealed[: _HEAD.size] in (_head(magic, body) for body in bodies):
            return True
    return False


def _check_version(path: Path, data: bytes) -> None:
    if _is_of_other_version(data):
        problem = "another version of fastingest has made it; run that one once, to end its run"
        raise OtherJournal(errno.EINVAL, problem, str(path))


def entries_in(data: bytes) -> list[tuple[int, Entry]]:
    """The intact entries of a journal's bytes with their numbers, the newest first."""
    return [(number, entry) for number, _, entry in _slots_in(data)]


def _slots_in(data: bytes) -> list[tuple[int, int, Entry]]:
    """The intact entries: number, slot (of all rings), entry; the newest first."""
    found = []
    for slot, offset in enumerate(range(_BLOCK, len(data), _SLOT)):
        form = _FORMS.get(data[offset : offset + len(_MAGIC)])
        if form is None:  # nearly all, where there are many feeds
            continue
        body = _opened(data[offset : offset + _SLOT], form.size)
        if body is not None:
            number, *values = form.unpack(body)
            found.append((number, slot, Entry(*values)))
    return sorted(found, key=lambda each: each[0], reverse=True)


def notes_in(data: bytes) -> dict[str, str]:
    """The notes of a journal's bytes; empty where they are damaged."""
    size = _BLOCK - _HEAD.size
    body = _opened(data[:_BLOCK], size)
    if body is None:
        return {}
    notes: dict[str, str] = json.loads(body.rstrip(b"\0"))
    return notes


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


def read_journal(path: Path) -> Recorded | None:
    """Read a journal, and change nothing; None where there is none.

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
    return Recorded([entry for _, entry in entries_in(data)], notes_in(data))


class Journal:
    """The journal, open for writing.

    :param path: where it is, or will be.
    :param feeds: how many feeds the run has.
    :raises NotOurs: somebody else has made it.
    :raises OtherJournal: another version has.
    :raises OSError: it cannot be read or made.

    ``entries`` are those found when it was opened, the newest first, and ``notes`` what it says of
    where the spool and the spill are.
    """

    def __init__(self, path: Path, feeds: int = 1) -> None:
        self.path = path
        self._file = open_own(path, os.O_RDWR | os.O_CREAT, alone=True)
        data = os.pread(self._file, os.fstat(self._file).st_size, 0)
        try:
            _check_version(path, data)
        except OtherJournal:
            os.close(self._file)
            raise
        found = _slots_in(data)
        self.entries = [entry for _, _, entry in found]
        self.notes = notes_in(data)
        self._next = found[0][0] + 1 if found else 0
        rings = -(-max(0, len(data) - _BLOCK) // _RING)  # the last one may be cut off
        self._size = _BLOCK + max(feeds, rings) * _RING
        self._unsynced: dict[int, tuple[int, bytes]] = {}  # what was written, by its offset
        self.recorded = 0
        """How many times something was written; a sync that begins now covers these."""
        self._next_slots: dict[int, int] = {}  # of each ring that is used
        for _, place, _ in found:  # the first is the ring's newest
            ring, slot = divmod(place, SLOTS)
            self._next_slots.setdefault(ring, (slot + 1) % SLOTS)

    def note(self, notes: dict[str, str]) -> None:
        """Say where the spool and the spill are, and take the room for all entries.

        :raises WriteFailed: there is no room for it.
        """
        body = json.dumps(notes).encode().ljust(_BLOCK - _HEAD.size, b"\0")
        if len(body) > _BLOCK - _HEAD.size:
            return  # paths of thousands of characters; they are where the defaults say, as a rule
        missing = self._size - os.fstat(self._file).st_size
        try:
            if missing > 0:
                self._write(bytes(missing), self._size - missing)
            if notes != self.notes:
                self._write(_seal(body), 0)
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
            raise WriteFailed(self.path, problem) from error
        self.notes = notes

    def record(self, entry: Entry) -> None:
        """Make ``entry`` the newest.

        :raises OSError: it could not be written; it may be tried again.
        """
        sealed = _seal(_ENTRY.pack(self._next, *msgspec.structs.astuple(entry)))
        slot = self._next_slots.get(entry.feed, 0)
        self._write(sealed, _BLOCK + entry.feed * _RING + slot * _SLOT)
        self._next += 1
        self._next_slots[entry.feed] = (slot + 1) % SLOTS

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
