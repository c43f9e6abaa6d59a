"""The output file: look at what is there, append whole rows.

A file that does not end with a line feed was torn by a crash. Where its last whole row ends is told
by RFC 4180: a line feed inside quotes belongs to a cell, so it is the last one with an even number
of quotes before it. But somebody else's file may have a lone quote in a cell without quotes, and
then all that follows seems to be one cell: where the lines in question are rows by themselves, the
last line feed of all is taken. The piece behind it goes to the rejects, and then is cut off.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastingest.checksum import crc32
from fastingest.errors import HeaderMismatch, OutputLocked, OutputRefused
from fastingest.storage.append_file import AppendFile
from fastingest.storage.bare_header import bare_header
from fastingest.storage.base import Part
from fastingest.storage.ownership import (
    check_output_file,
    check_writable,
    open_output,
    refused,
)
from fastingest.storage.torn_tail import Tail

__all__ = ["CsvFile", "check_output", "end_of_rows"]

_CHUNK = 1024 * 1024


def check_output(path: Path, header: str) -> None:
    """Refuse a file that rows with ``header`` must not be appended to. Changes nothing.

    One that has another header, and has never had a row, is not refused
    (:mod:`fastingest.storage.bare_header`).

    :raises OutputRefused: the path is no file, or may not be written, or holds something else.
    """
    try:
        check_output_file(path)
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            what = "a directory" if path.is_dir() else "not a regular file"
            raise OutputRefused(path, f"is {what}; name a file with --out")
        if not path.parent.is_dir():
            raise OutputRefused(path, f"its directory {path.parent} does not exist; make it first")
        if not _is_utf8(path):
            raise OutputRefused(
                path, "its name, or its directory's, is no UTF-8; name another file with --out"
            )
        check_writable(path if path.exists() else path.parent)
        if path.exists():
            with path.open("rb") as file:
                start = file.read(len(header.encode()) + 4096)
            try:
                _check_header(path, start, header)
            except HeaderMismatch:
                if bare_header(path) is None:
                    raise
    except OSError as error:
        raise refused(path, error) from None


def _is_utf8(path: Path) -> bool:
    """Whether a file's name, and those of the directories around it, can be written into JSON."""
    try:
        os.path.realpath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_header(path: Path, start: bytes, header: str) -> None:
    line = (header + "\n").encode()
    if not start.startswith(line) and not line.startswith(start):
        found = start.split(b"\n", 1)[0][:1000].decode(errors="replace")
        raise HeaderMismatch(path, found, header)


def end_of_rows(file: io.RawIOBase | io.BufferedReader, start: int = 0) -> int:
    """Where the last whole row ends: the offset behind the last line feed outside quotes.

    Reads the file from ``start``, where a row begins, since whether a line feed is inside quotes is
    told by all before it.
    """
    file.seek(start)
    offset = end = start
    quoted = False
    while chunk := file.read(_CHUNK):
        begin = 0
        for piece in chunk.split(b'"'):
            if begin:  # a quote stands before this piece
                quoted = not quoted
            found = -1 if quoted else piece.rfind(b"\n")
            if found >= 0:
                end = offset + begin + found + 1
            begin += len(piece) + 1
        offset += len(chunk)
    return end


class CsvFile(AppendFile):
    """The file, with the header in place: a :class:`fastingest.storage.base.Sink` of one part.

    :param path: where it is; it is made where there is none.
    :param header: its first line, without the line feed.
    :raises HeaderMismatch: it holds other columns.
    :raises OutputLocked: another run has it open, under another name.
    :raises OutputRefused: it cannot be opened.
    """

    def __init__(self, path: Path, header: str) -> None:
        check_output(path, header)
        try:
            super().__init__(path, open_output)
        except BlockingIOError:
            raise OutputLocked(path, None) from None
        except OSError as error:
            raise refused(path, error) from None
        self._line = (header + "\n").encode()
        self._columns = len(next(csv.reader([header])))
        try:
            self.begin()
        except HeaderMismatch:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise refused(path, error) from None

    def begin(self) -> None:
        """Write the header, where it is not there or cut short.

        :raises HeaderMismatch: the file holds other columns.
        :raises OSError: it could not be written.
        """
        start = self.read(0, len(self._line) + 4096)
        _check_header(self.path, start, self._line.decode()[:-1])
        if len(start) < len(self._line):
            self.cut(0)
            if os.write(self.descriptor, self._line) < len(self._line):
                self.cut(0)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size = self.length

    @property
    def part(self) -> Part:
        """The file as it is now: another one may get its name, and its size is what is settled."""
        return Part(self.inode, self.size)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is behind the header."""
        return self.length <= len(self._line)

    def torn(self, start: int = 0) -> Tail:
        """The piece of a row at its end; empty where there is none.

        :param start: where a row begins, to look only at what is behind it.
        """
        length = self.length
        if length <= len(self._line) or self.read(length - 1, length) == b"\n":
            return Tail(length, b"")
        with open(self.descriptor, "rb", closefd=False) as file:
            piece = self.read(end_of_rows(file, start), length)
        *lines, last = piece.split(b"\n")
        rows = csv.reader(line.decode(errors="replace") for line in lines)
        if all(len(row) == self._columns for row in rows):  # none, or only by a lone quote not rows
            piece = last
        return Tail(length - len(piece), piece)

    def cut_torn(self, tail: Tail) -> bool:
        """Cut off a piece at its end, if it is there as it was; whether it was.

        :raises OSError: it could not be done.
        """
        if self.read(tail.start, tail.start + len(tail.piece) + 1) != tail.piece:
            return False
        self.cut(tail.start)
        return True

    def checksums(self, start: int, ends: Sequence[int]) -> list[int]:
        """The checksums of the bytes from ``start`` to before each of ``ends``.

        :param ends: offsets in the file, the least first.
        """
        sums, crc, offset = [], 0, start
        for end in ends:
            while offset < end:
                piece = self.read(offset, min(end, offset + _CHUNK))
                crc = crc32(piece, crc)
                offset += len(piece)
            sums.append(crc)
        return sums

    def measure(self, start: int, end: int) -> tuple[int, int]:
        """How many rows there are between two offsets, and the checksum of their bytes."""
        rows = crc = 0

        def lines() -> Iterator[str]:
            nonlocal crc
            left = end - start
            with open(self.descriptor, "rb", closefd=False) as file:
                file.seek(start)
                while left > 0 and (line := file.readline(left)):
                    left -= len(line)
                    crc = crc32(line, crc)
                    yield line.decode(errors="replace")

        for _ in csv.reader(lines()):
            rows += 1
        return rows, crc
