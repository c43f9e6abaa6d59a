"""Binary messages that a server compresses by itself, whatever the WebSocket does.

Some venues send every message as a binary one that holds a gzip or zlib file, or bare DEFLATE data
(RFC 1952, 1950, 1951); their documentation says which. It has nothing to do with
permessage-deflate (:mod:`fastingest.source.deflate`), which may be there as well.

A message that is nothing of the kind is handed on as it is, and what it means is seen by whoever
decodes it: one that is no row never costs a connection.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import picows
from picows import WSCloseCode

__all__ = ["inflate_of"]

# As ``wbits`` of zlib's inflateInit2: 16 more expects a gzip header, a negative number none.
_WINDOWS = {"gzip": 31, "zlib": 15, "raw": -15}


def inflate_of(kind: str, most: int) -> Callable[[bytes], bytes]:
    """What inflates a whole binary message.

    It raises :class:`picows.WSProtocolError`, with code 1009, where a message is over ``most``
    bytes, as soon as that many are inflated.

    :param kind: one of :data:`fastingest.model.feed.INFLATES`.
    """
    window = _WINDOWS[kind]
    # A server that flushes each message of a stream of its own never writes a last block.
    needs_end = kind != "raw"

    def inflate(data: bytes) -> bytes:
        inflater = zlib.decompressobj(window)
        try:
            message = inflater.decompress(data, most + 1)
        except zlib.error:
            return data
        if len(message) > most:
            raise picows.WSProtocolError(
                WSCloseCode.MESSAGE_TOO_BIG, f"a message is over {most} bytes when inflated"
            )
        is_whole = inflater.eof or not needs_end
        return message if is_whole and not inflater.unused_data else data

    return inflate
