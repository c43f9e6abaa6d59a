"""The messages that were heard, kept in a file for :mod:`fastingest.trial`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fastingest.errors import UsageError
from fastingest.text import escape

__all__ = ["check_absent", "save"]

_IN_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
"""Line breaks stand between the tokens of JSON only, where a space says the same."""


def check_absent(path: Path) -> None:
    """See that nothing is overwritten, and that there is a directory for it.

    :raises UsageError: there is such a file, or no such directory.
    """
    if not path.parent.is_dir():
        parent = escape(str(path.parent))
        raise UsageError(f"{parent} is no directory; make it, or name another file with --save")
    if path.exists():
        raise UsageError(f"{escape(str(path))} is there already; name another file with --save")


def save(messages: Iterable[bytes], path: Path) -> None:
    """Write the messages, one a line, to a new file.

    :raises UsageError: that cannot be done.
    """
    check_absent(path)
    try:
        with path.open("xb") as file:
            file.writelines(message.translate(_IN_ONE_LINE) + b"\n" for message in messages)
    except OSError as error:
        raise UsageError(f"{escape(str(path))}: {error.strerror}") from None
