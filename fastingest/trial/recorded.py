"""The messages in a file: one a line, as they were received, but for what is compressed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from fastingest.errors import UsageError
from fastingest.text import escape

__all__ = ["STDIN", "recorded"]

STDIN = Path("-")

_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}
"""How files begin that are compressed, and with what."""


def recorded(file: Path) -> Iterator[tuple[int, bytes]]:
    """The messages in a file, each with the number of its line, from 1; empty lines are none.

    :param file: ``-`` is stdin.
    :raises UsageError: it cannot be read, is compressed, or has none.
    """
    name = "stdin" if file == STDIN else escape(str(file))
    is_empty = True
    try:
        with nullcontext(sys.stdin.buffer) if file == STDIN else file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if number == 1:
                    _check_beginning(line, name)
                if line.strip():
                    is_empty = False
                    yield number, line.rstrip(b"\r\n")
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    if is_empty:
        raise UsageError(f"{name}: there is no message in it; it must have one a line")


def _check_beginning(line: bytes, name: str) -> None:
    for beginning, what in _COMPRESSED.items():
        if line.startswith(beginning):
            raise UsageError(
                f"{name}: is compressed ({what}); unpack it first, since messages are read as they "
                "are when they are inflated, one a line"
            )
