"""The form of a file of counters: whose rows it has, and which slots there are in a row.

Another version of fastingest has other slots, and the next start may have other feeds. A run may be
begun by one version and completed by another, which must not take one count for another. So the
file begins with the names of both::

    magic, version of this form, bytes of the header, slots in a row, checksum
    JSON: {"feeds": [the rows' names], "slots": [the slots' names]}

and zeroes up to a multiple of 64 bytes. Numbers are little-endian; the checksum is zlib's CRC-32 of
the JSON with its zeroes. Behind it are the rows, of unsigned 64-bit slots. The last slot that has a
name is the first of a histogram, which is the rest of the row.

A file of another version is read by the names (:func:`converted`): what it does not have is 0, and
what is not known here is left out. A row without a name (``""``) is of a feed that nobody has named
yet. The first version of the form had no names, but the number of rows, and a checksum of the
slots' names. :data:`_FIRST_SLOTS` are the slots of the versions that made it. Files that are older
still had no header. They began with the first feed's state, a small number that no magic is equal
to.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from fastingest.checksum import crc32

__all__ = [
    "Form",
    "OtherCounters",
    "converted",
    "form_of_block",
    "form_of_file",
    "header",
    "replace",
]

_MAGIC = b"ficounts"
_VERSION = 2
_FIELDS = struct.Struct("<8sIIII")
_LINE = 64  # bytes: a line of the processor's cache, so that rows are aligned

_FIRST_FIELDS = struct.Struct("<8sIII32s")
_FIRST_SIZE = 64

_RENAMED = {"QUARANTINED": "REJECTS_COMMITTED"}
"""Slots by the names that they had in earlier versions, and the names that they have now."""

_ALL_FIRST_SLOTS = """
    STATE MESSAGES DECODED RECEIVED REJECTED IGNORED DROPPED UNREADABLE UNSAVED CONNECTIONS GAPS
    GAP_NS GAP_SINCE OUTBOX_BYTES OUTBOX_PEAK MEMORY_PEAK SPILL_BYTES SPILL_PEAK PAUSES WRITTEN
    QUARANTINED LOST UNSYNCED SET_ASIDE STREAM SEQUENCE FILE_SIZE FIRST_RECEIVED LAST_RECEIVED
    LATENCY_MAX NOT_KEPT REJECT_LIMIT REJECT_BYTES SAMPLE_MINUTE SAMPLE_REASONS TRIED_STREAM
    TRIED_SEQUENCE TRIES LOST_MESSAGES RECEIVER_RESTARTS WRITER_RESTARTS LATENCY
"""
_LACKING = (
    "MEMORY_PEAK",
    "",
    "UNSAVED UNSYNCED",
    "UNSAVED UNSYNCED SET_ASIDE NOT_KEPT REJECT_LIMIT REJECT_BYTES SAMPLE_MINUTE SAMPLE_REASONS "
    "TRIED_STREAM TRIED_SEQUENCE TRIES",
)
"""What of them each of the versions did not have."""


def _first_checksum(names: Sequence[str]) -> bytes:
    return hashlib.sha256("\n".join(names).encode()).digest()


def _without(lacking: str) -> tuple[str, ...]:
    return tuple(name for name in _ALL_FIRST_SLOTS.split() if name not in lacking.split())


_FIRST_SLOTS = {_first_checksum(names): names for names in map(_without, _LACKING)}
"""The slots of the versions that made files of the first form, by the checksums there."""


class OtherCounters(OSError):
    """A file of counters that a version of fastingest has made whose form is not known here."""


class Form(NamedTuple):
    """What is where in a file of counters."""

    feeds: tuple[str, ...]
    """The names of the feeds, a row each; empty where nobody has named it."""
    slots: tuple[str, ...]
    """The names of the slots; the last one is the first of the histogram."""
    stride: int
    """Slots in a row, with the histogram."""
    offset: int = 0
    """Bytes in front of the rows."""

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.offset + len(self.feeds) * self.stride * 8


def header(feeds: Sequence[str], slots: Sequence[str], stride: int) -> bytes:
    """The header of a file.

    :param feeds: the names of the feeds.
    :param slots: the names of the slots, in their order.
    :param stride: slots in a row.
    """
    body = json.dumps({"feeds": list(feeds), "slots": list(slots)}).encode()
    size = -(-(_FIELDS.size + len(body)) // _LINE) * _LINE
    body = body.ljust(size - _FIELDS.size, b"\0")
    return _FIELDS.pack(_MAGIC, _VERSION, size, stride, crc32(body)) + body


def form_of_file(path: Path, descriptor: int) -> Form:
    """The form of a file that is open.

    :param path: its name, for the errors.
    :raises OtherCounters: it is of a version whose form is not known here.
    :raises OSError: not all of it is there.
    """
    size = os.fstat(descriptor).st_size
    return _form_in(path, size, lambda count: os.pread(descriptor, count, 0))


def form_of_block(block: mmap.mmap) -> Form:
    """The form of a file that is mapped: one that has been looked at before."""
    return _form_in(Path("memory"), len(block), lambda count: block[:count])


def _form_in(path: Path, size: int, read: Callable[[int], bytes]) -> Form:
    start = read(_FIRST_SIZE)
    if start and not start.startswith(_MAGIC[: len(start)]):
        raise OtherCounters(f"{path} has no header; an older version of fastingest has made it")
    if len(start) < _FIELDS.size:
        raise OSError(f"{path} is not whole")
    _, version, count, stride, checksum = _FIELDS.unpack_from(start)
    if version > _VERSION:
        raise OtherCounters(f"{path} has form {version}; a newer version of fastingest has made it")
    if version == _VERSION:
        body = read(count)[_FIELDS.size :]
        if len(body) != count - _FIELDS.size or crc32(body) != checksum:
            raise OSError(f"{path} is not whole")
        names = json.loads(body.rstrip(b"\0"))
        form = Form(tuple(names["feeds"]), tuple(names["slots"]), stride, count)
    else:
        if len(start) < _FIRST_SIZE:
            raise OSError(f"{path} is not whole")
        *_, feeds, stride, named = _FIRST_FIELDS.unpack_from(start)
        if named not in _FIRST_SLOTS:
            problem = "has other counters; another version of fastingest has made it"
            raise OtherCounters(f"{path} {problem}")
        form = Form(("",) * feeds, _FIRST_SLOTS[named], stride, _FIRST_SIZE)
    if size != form.size:
        raise OSError(f"{path} is not whole")
    return form


def converted(
    data: bytes, form: Form, slots: Sequence[str], stride: int, feeds: Sequence[str] = ()
) -> bytes:
    """A file with the counts of another one, each under its name.

    :param data: the other file.
    :param form: its form.
    :param slots: the names of the slots to have.
    :param stride: how many there are in a row.
    :param feeds: names of the rows, as far as these have none.
    """
    found = memoryview(data)[form.offset :].cast("Q")
    places = {_RENAMED.get(name, name): place for place, name in enumerate(form.slots[:-1])}
    buckets = form.stride - len(form.slots) + 1, stride - len(slots) + 1
    rows = memoryview(bytearray(len(form.feeds) * stride * 8)).cast("Q")
    for index in range(len(form.feeds)):
        old, new = index * form.stride, index * stride
        for place, name in enumerate(slots[:-1]):
            if name in places:
                rows[new + place] = found[old + places[name]]
        if buckets[0] == buckets[1]:  # other ones are of other durations
            rows[new + len(slots) - 1 : new + stride] = found[
                old + len(form.slots) - 1 : old + form.stride
            ]
    known = [*feeds, *("",) * len(form.feeds)]
    names = [name or known[index] for index, name in enumerate(form.feeds)]
    return header(names, slots, stride) + bytes(rows)


def replace(path: Path, data: bytes) -> None:
    """Put a file in the place of another one, whole or not at all.

    :raises OSError: there is no room for it.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
