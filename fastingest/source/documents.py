"""Documents in a message: what is left without its prefix, or the lines of that.

From here on each document is a message. Whoever reads messages natively does the same
(:class:`fastingest.native._listener.NativeDocumentListener`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fastingest.model.feed import Feed

__all__ = ["MAX_WAITING_DOCUMENTS", "Documents"]

MAX_WAITING_DOCUMENTS = 1024
"""Of one message, after which those that wait are decoded."""

_SPACE = b" \t\r\n"  # what is cut off documents, where there are several
_SEPARATORS = {"lines": b"\n", "records": b"\x1e"}
_SHORT = 256 * 1024  # bytes; a list of the pieces of so many takes some megabytes at most


class Documents:
    """Finds the documents in a feed's messages.

    :param strip: the prefixes that are cut off.
    :param split: what stands between documents, one of :data:`fastingest.model.feed.SPLITS`;
        empty: there is one in a message.
    """

    def __init__(self, strip: Sequence[str] = (), split: str = "") -> None:
        self.prefixes = tuple(text.encode() for text in strip)
        """Of which the first that a message begins with is cut off."""
        self.separator = _SEPARATORS.get(split, b"")
        """What stands between documents, one byte; empty: there is one in a message."""

    @classmethod
    def of(cls, feed: Feed) -> Documents | None:
        """Those of a feed; None: each of its messages is one, as it is."""
        return cls(feed.strip, feed.split) if feed.strip or feed.split else None

    def __call__(self, message: bytes) -> Iterable[bytes]:
        """The documents of a message, in their order; of several those that are not blank."""
        for prefix in self.prefixes:
            if message.startswith(prefix):
                message = message[len(prefix) :]
                break
        if not self.separator:
            return (message,)
        if len(message) <= _SHORT:
            pieces = (piece.strip(_SPACE) for piece in message.split(self.separator))
            return list(filter(None, pieces))
        return filter(None, self._pieces(message))

    def _pieces(self, message: bytes) -> Iterator[bytes]:
        start = 0
        while (end := message.find(self.separator, start)) >= 0:
            yield message[start:end].strip(_SPACE)
            start = end + 1
        yield message[start:].strip(_SPACE)
