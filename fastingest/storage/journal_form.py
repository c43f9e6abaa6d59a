"""The form of a journal: what an entry says, and where it is in the file.

::

    block of 4096 bytes   magic, checksum, JSON: where the spool and the spill are
    rings of 64 slots     each of 256 bytes: magic, checksum, number, the entry, its feed's name

All numbers are little-endian; a checksum is zlib's CRC-32 of the magic and of all that follows the
checksum in the block or slot. A slot that was cut or damaged is passed over.

An entry names its feed, so that whoever reads it, a later run or another version, need not know
which feeds there were, and in which order. A ring belongs to the feed of its newest entry. A name
that is too long for a slot is cut there, with a checksum for the rest (:func:`stored_name`).

The versions before had slots of 160 bytes, which said the feed's index among those of its run, and
a ring for each index in their order. They are read: the index stands in the place of the name until
somebody knows that (:func:`named_by`). What any other version has sealed is told from damage
(:func:`is_of_other_version`): to pass it over would be to write rows twice.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fastingest.checksum import crc32
from fastingest.model.batch import Position
from fastingest.storage.ledger import Region

__all__ = [
    "BLOCK_SIZE",
    "SLOTS",
    "SLOT_SIZE",
    "Entry",
    "Slot",
    "block",
    "entries_in",
    "is_of_other_version",
    "is_of_version_before",
    "named_by",
    "notes_in",
    "slot",
    "slots_in",
    "stored_name",
]

SLOTS = 64
"""In a ring."""
BLOCK_SIZE = 4096
SLOT_SIZE = 256

_MAGIC = b"fij4"
_MAGICS_BEFORE = b"fij2", b"fij3"
_ANY_MAGIC = re.compile(rb"fij[1-9]")
_HEAD = struct.Struct("<4sI")
_SLOT_SIZE_BEFORE = 160


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
    feed: str = ""
    """The name of the feed of the last batch that is committed, or of the run's first feed."""
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


class Slot(NamedTuple):
    """An intact slot: its place among all, from 0, and what is in it."""

    place: int
    number: int
    entry: Entry


# Names


@lru_cache(4096)
def stored_name(feed: str) -> str:
    """How an entry names a feed: by its name, or by as much of it as a slot has room for."""
    data = feed.encode("utf-8", "surrogatepass")
    if len(data) <= _NAME_SIZE:
        return feed
    checksum = hashlib.sha256(data).hexdigest()[:16]
    start = data[: _NAME_SIZE - len(checksum) - len("…".encode())]
    return f"{start.decode('utf-8', 'ignore')}…{checksum}"


def _of_index(index: int) -> str:
    """What stands for the name of a feed of which only the index is known. No name is like it."""
    return f"\x01{index}"


def named_by(entries: Sequence[Entry], feeds: Sequence[str]) -> list[Entry]:
    """The entries with the whole names of their feeds, as far as ``feeds`` has them.

    :param feeds: the names of the feeds of the newest entry's run, in the order that they had
        there; empty where one is not known.
    """
    known = {stored_name(feed): feed for feed in feeds if feed}
    of_run = known | {_of_index(index): feed for index, feed in enumerate(feeds) if feed}

    def named(entry: Entry) -> Entry:
        names = of_run if entry.run == entries[0].run else known
        return replace(entry, feed=names.get(entry.feed, entry.feed))

    return list(map(named, entries))


# Entries as bytes


def _form(fields: Sequence[str], **types: str) -> struct.Struct:
    return struct.Struct("<Q" + "".join(types.get(field, "q") for field in fields))


_FIELDS = Entry.__struct_fields__
_NUMBERS = tuple(field for field in _FIELDS if field != "feed")
_ENTRY = _form(_NUMBERS, crc32="I", inode="Q")
_numbers_of = attrgetter(*_NUMBERS)
_NAME_SIZE = SLOT_SIZE - _HEAD.size - _ENTRY.size
_FORMS_BEFORE = {
    b"fij3": _form(_FIELDS, crc32="I", inode="Q", feed="I"),
    b"fij2": _form(_FIELDS[: _FIELDS.index("set_aside")], crc32="I", inode="Q"),
}
"""Of entries, by their slots' magic. What is not in an old one is 0: there was no such thing."""


def _head(magic: bytes, body: bytes) -> bytes:
    start = crc32(magic) if magic >= b"fij3" else 0
    return _HEAD.pack(magic, crc32(body, start))


def _opened(sealed: bytes, size: int) -> bytes | None:
    """The ``size`` bytes behind the head, if they are intact."""
    magic, body = sealed[: len(_MAGIC)], sealed[_HEAD.size : _HEAD.size + size]
    is_known = magic == _MAGIC or magic in _MAGICS_BEFORE
    if len(body) < size or not is_known or sealed[: _HEAD.size] != _head(magic, body):
        return None
    return body


def slot(number: int, entry: Entry) -> bytes:
    """An entry as it stands in its slot."""
    body = _ENTRY.pack(number, *_numbers_of(entry)) + _name_in_slot(entry.feed)
    return _head(_MAGIC, body) + body


@lru_cache(4096)
def _name_in_slot(feed: str) -> bytes:
    return stored_name(feed).encode("utf-8", "surrogatepass").ljust(_NAME_SIZE, b"\0")


def _entry_in(body: bytes) -> tuple[int, Entry]:
    number, *values = _ENTRY.unpack_from(body)
    name = body[_ENTRY.size :].rstrip(b"\0").decode("utf-8", "surrogatepass")
    return number, Entry(feed=name, **dict(zip(_NUMBERS, values, strict=True)))


def _entry_before_in(magic: bytes, body: bytes) -> tuple[int, Entry]:
    number, *values = _FORMS_BEFORE[magic].unpack(body)
    fields = dict(zip(_FIELDS, values, strict=False))
    return number, Entry(**fields | {"feed": _of_index(fields["feed"])})


def is_of_version_before(data: bytes) -> bool:
    """Whether it is a journal of one of the versions that had smaller slots."""
    if _opened(data[:BLOCK_SIZE], BLOCK_SIZE - _HEAD.size) is not None:
        return data[: len(_MAGIC)] != _MAGIC
    return next(_slots_now(data), None) is None and next(_slots_before(data), None) is not None


def _slots_before(data: bytes) -> Iterator[Slot]:
    for place, offset in enumerate(range(BLOCK_SIZE, len(data), _SLOT_SIZE_BEFORE)):
        form = _FORMS_BEFORE.get(data[offset : offset + len(_MAGIC)])
        if form is None:  # nearly all, where there are many feeds
            continue
        sealed = data[offset : offset + _SLOT_SIZE_BEFORE]
        body = _opened(sealed, form.size)
        if body is not None:
            yield Slot(place, *_entry_before_in(sealed[: len(_MAGIC)], body))


def _slots_now(data: bytes) -> Iterator[Slot]:
    for place, offset in enumerate(range(BLOCK_SIZE, len(data), SLOT_SIZE)):
        if data[offset : offset + len(_MAGIC)] != _MAGIC:
            continue
        body = _opened(data[offset : offset + SLOT_SIZE], SLOT_SIZE - _HEAD.size)
        if body is not None:
            yield Slot(place, *_entry_in(body))


def slots_in(data: bytes) -> list[Slot]:
    """The intact slots of a journal's bytes, the newest first."""
    found = _slots_before(data) if is_of_version_before(data) else _slots_now(data)
    return sorted(found, key=lambda each: each.number, reverse=True)


def entries_in(data: bytes) -> list[tuple[int, Entry]]:
    """The intact entries of a journal's bytes with their numbers, the newest first."""
    return [(each.number, each.entry) for each in slots_in(data)]


# The block


def block(notes: dict[str, str]) -> bytes | None:
    """The notes as they stand at the journal's beginning; None: there is no room for them."""
    body = json.dumps(notes).encode().ljust(BLOCK_SIZE - _HEAD.size, b"\0")
    return _head(_MAGIC, body) + body if len(body) == BLOCK_SIZE - _HEAD.size else None


def notes_in(data: bytes) -> dict[str, str]:
    """The notes of a journal's bytes; empty where they are damaged."""
    body = _opened(data[:BLOCK_SIZE], BLOCK_SIZE - _HEAD.size)
    if body is None:
        return {}
    notes: dict[str, str] = json.loads(body.rstrip(b"\0"))
    return notes


# What other versions have made


def is_of_other_version(data: bytes) -> bool:
    """Whether a journal's block, or one of its slots, has the seal of a version not known here.

    A magic alone says nothing: it may be a known one that is damaged. How long the entries of
    another version are is not known either.
    """
    if _is_foreign(data[:BLOCK_SIZE], range(BLOCK_SIZE - _HEAD.size, BLOCK_SIZE - _HEAD.size + 1)):
        return True
    return any(
        _is_foreign(data[offset : offset + size], range(1, size - _HEAD.size + 1))
        for size in (_SLOT_SIZE_BEFORE, SLOT_SIZE)
        for offset in range(BLOCK_SIZE, len(data), size)
    )


def _is_foreign(sealed: bytes, sizes: range) -> bool:
    magic = sealed[: len(_MAGIC)]
    if not _ANY_MAGIC.fullmatch(magic) or magic == _MAGIC or magic in _MAGICS_BEFORE:
        return False
    bodies = (sealed[_HEAD.size : _HEAD.size + size] for size in sizes)
    return sealed[: _HEAD.size] in (_head(magic, body) for body in bodies)
