"""What a server compresses its messages with by itself, if it does and nobody has said so."""

from __future__ import annotations

from collections.abc import Sequence

import picows

from fastingest.model.feed import INFLATES
from fastingest.source.inflate import inflate_of

__all__ = ["inflated"]

_MAX_BYTES = 64 * 2**20  # of messages that are kept, once they are inflated


def inflated(messages: Sequence[bytes], most: int) -> tuple[str, list[bytes]]:
    """One of :data:`fastingest.model.feed.INFLATES`, and the messages as they read then.

    Empty, and the messages as they are: it compresses nothing, or not all that is no text.

    :param most: bytes that one of them may have.
    """
    if not all(map(_is_text, messages)):
        for kind in INFLATES:
            found = _inflated(kind, messages, most)
            if found is not None:
                return kind, found
    return "", list(messages)


def _inflated(kind: str, messages: Sequence[bytes], most: int) -> list[bytes] | None:
    """The messages, with those inflated that are no text; None: they are something else."""
    inflate = inflate_of(kind, most)
    found: list[bytes] = []
    left = _MAX_BYTES
    for message in messages:
        try:
            text = message if _is_text(message) else inflate(message)
        except picows.WSProtocolError:  # it is larger than a message may be
            return None
        if not _is_text(text):
            return None
        left -= len(text)
        if left < 0:
            break
        found.append(text)
    return found or None


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
