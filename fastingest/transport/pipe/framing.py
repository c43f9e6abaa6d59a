"""How a ``multiprocessing.Connection`` puts messages on its descriptor: those of control.

A message is its length as a 4-byte big-endian integer, then its bytes; from 2 GiB up -1 and an
8-byte length stand in for the length (CPython, ``Lib/multiprocessing/connection.py``,
``Connection._send_bytes``).
"""

from __future__ import annotations

import struct

__all__ = ["header", "span"]

_SHORT = struct.Struct("!i")
_LONG = struct.Struct("!iQ")


def header(size: int) -> bytes:
    """What stands in front of a message of so many bytes."""
    return _SHORT.pack(size) if size <= 0x7FFFFFFF else _LONG.pack(-1, size)


def span(received: bytes | bytearray, start: int = 0) -> tuple[int, int]:
    """Where the message that begins at ``start`` has its first byte, and where it ends.

    It is all there if ``received`` reaches to its end. As long as its header is not, that is where
    the header ends.
    """
    body = start + _SHORT.size
    if len(received) < body:
        return body, body
    (size,) = _SHORT.unpack_from(received, start)
    if size < 0:
        body = start + _LONG.size
        if len(received) < body:
            return body, body
        _, size = _LONG.unpack_from(received, start)
    return body, body + size
