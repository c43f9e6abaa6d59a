"""permessage-deflate (RFC 7692): what we offer, what a server may answer, and inflating.

We send so little that we never compress; a peer must take uncompressed messages at any time (RFC
7692, section 6). So only the server's half matters:

- ``server_no_context_takeover``: the server begins each message with an empty window. To the one
  who inflates, a window that holds more than is referred to makes no difference.
- ``server_max_window_bits``: likewise. We inflate with the largest window, 32 KiB.

What the server says of ``client_…`` is about what we would compress.

Inflating a message of 50 bytes takes 0.6 µs, one of 160 bytes 1.0, an order book of 560 bytes
4.1, with zlib 1.2. With what the caches lose by it, a row of 50 bytes costs the receiver 1.0 µs
more than the 0.6 that it costs otherwise. zlib-ng is slower at 50 bytes, as fast at 160 and 15%
faster at 560, isal slower at all of them; neither is worth a dependency.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence

import picows
from picows import WSCloseCode

__all__ = ["HEADER", "OFFER", "agreed", "make_inflate"]

HEADER = "Sec-WebSocket-Extensions"
OFFER = "permessage-deflate; client_max_window_bits"
"""The value of the header in the opening request."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - of RFC 9110, section 5.6.2
_PARAMETER = re.compile(rf'\s*;\s*({_TOKEN})(?:\s*=\s*(?:({_TOKEN})|"({_TOKEN})"))?\s*')
_EXTENSION = re.compile(rf"\s*({_TOKEN})\s*((?:{_PARAMETER.pattern})*)")
_BITS = re.compile(r"[89]|1[0-5]")
# RFC 7692, section 7.1: which parameters an answer may have, and whether they have a value.
_PARAMETERS = {
    "server_no_context_takeover": False,
    "client_no_context_takeover": False,
    "server_max_window_bits": True,
    "client_max_window_bits": True,
}

_END = b"\x00\x00\xff\xff"  # of a message, left out on the wire (RFC 7692, section 7.2.2)
# Last blocks that a message may have. Each starts an inflater, and copies what is left: a message
# of nothing else, two bytes each, would take hours.
_MAX_ENDS = 256
_LARGEST_WINDOW = -15  # as a power of two; negative: no header around it


def agreed(answers: Sequence[str], offered: bool) -> bool:
    """Whether the server compresses.

    :param answers: the values of :data:`HEADER` in its answer.
    :param offered: whether we have offered it.
    :raises picows.WSError: it answers with what was not offered, or cannot be; the connection must
        fail then (RFC 6455, section 4.1; RFC 7692, section 5.1).
    """
    text = ", ".join(answers)
    if not text.strip():
        return False
    match = _EXTENSION.fullmatch(text)
    if match is None or match[1].lower() != "permessage-deflate" or not offered:
        raise picows.WSError(f"the server uses an extension that was not offered: {text:.100}")
    seen = set()
    for name, token, quoted in _PARAMETER.findall(match[2]):
        value = token or quoted
        right = _PARAMETERS.get(name)
        if right is None or name in seen:
            raise picows.WSError(f"the server's permessage-deflate cannot have {name!r} there")
        if bool(value) != right or (value and not _BITS.fullmatch(value)):
            raise picows.WSError(f"the server's permessage-deflate has a bad {name}: {value!r}")
        seen.add(name)
    return True


def make_inflate(most: int) -> Callable[[bytes], bytes]:
    """What inflates the messages of one connection, one after the other.

    It raises :class:`picows.WSProtocolError`, with code 1009 where a message is over ``most``
    bytes, as soon as that many are inflated; with 1007 where it cannot be inflated.
    """
    inflater = zlib.decompressobj(_LARGEST_WINDOW)
    decompress = inflater.decompress

    def inflate(data: bytes) -> bytes:
        nonlocal inflater, decompress
        try:
            message = decompress(data + _END, most + 1)
            ends = 0
            while inflater.eof:
                ends += 1
                if ends > _MAX_ENDS:
                    raise zlib.error("it has too many last blocks")
                # A block that says it is the last one (RFC 7692, section 7.2.3.4): who writes such
                # starts over with an empty window. Its end may be followed by more of the message.
                rest = inflater.unused_data
                inflater = zlib.decompressobj(_LARGEST_WINDOW)
                decompress = inflater.decompress
                if rest != _END and len(message) <= most:
                    message += decompress(rest, most + 1 - len(message))
        except zlib.error as error:
            raise picows.WSProtocolError(
                WSCloseCode.INVALID_TEXT, f"a message cannot be inflated: {error}"
            ) from None
        if len(message) > most:
            raise picows.WSProtocolError(
                WSCloseCode.MESSAGE_TOO_BIG, f"a message is over {most} bytes when inflated"
            )
        return message

    return inflate
