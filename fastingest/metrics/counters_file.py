"""The header of a file of counters: it says which slots the file has.

A slot is known by its place alone, and another version of fastingest has other slots. A run may be
begun by one version and completed by another, which must not take one count for another. So the
file begins with ::

    magic, version of this form, feeds, slots of each feed, checksum of the slots' names

in :data:`SIZE` bytes, numbers little-endian, the checksum SHA-256. Files of older versions had
no header. They began with the first feed's state, a small number that no magic is equal to.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from pathlib import Path

__all__ = ["SIZE", "OtherCounters", "check", "header"]

_MAGIC = b"ficounts"
_VERSION = 1
_FIELDS = struct.Struct("<8sIII32s")

SIZE = 64
"""Bytes in front of the slots: a line of the processor's cache, so that they are aligned."""


class OtherCounters(OSError):
    """A file of counters that another version of fastingest has made."""


def header(feeds: int, slots: int, names: Iterable[str]) -> bytes:
    """The header of a file with so many slots for each of so many feeds.

    :param names: of the slots, in their order.
    """
    named = hashlib.sha256("\n".join(names).encode()).digest()
    return _FIELDS.pack(_MAGIC, _VERSION, feeds, slots, named).ljust(SIZE, b"\0")


def check(path: Path, found: bytes, size: int, slots: int, names: Iterable[str]) -> int:
    """See that a file's slots are where they are looked for; the number of its feeds.

    :param found: what it begins with, :data:`SIZE` bytes where there are so many.
    :param size: how many there are in all.
    :param slots: how many each feed must have.
    :param names: theirs, in their order.
    :raises OtherCounters: another version has made it.
    :raises OSError: not all of it is there.
    """
    if found and not found.startswith(_MAGIC[: len(found)]):
        raise OtherCounters(f"{path} has no header; an older version of fastingest has made it")
    if len(found) < SIZE:
        raise OSError(f"{path} is not whole")
    _, version, feeds, *_ = _FIELDS.unpack_from(found)
    if version > _VERSION:
        raise OtherCounters(f"{path} has form {version}; a newer version of fastingest has made it")
    if found != header(feeds, slots, names):
        raise OtherCounters(f"{path} has other counters; another version of fastingest has made it")
    if size != SIZE + feeds * slots * 8:
        raise OSError(f"{path} is not whole")
    return int(feeds)
