"""What is remembered of a connection's messages, for rows that come by it later.

A venue names a channel once (``{"event":"subscribed","chanId":7,"symbol":"tBTCUSD"}``), and from
then on says its number. :mod:`fastingest.source.side_messages` puts such a message here, and a path
such as ``$[0]|remembered.symbol`` finds it: its key is compared as text, so that 7 is "7".
"""

from __future__ import annotations

from collections.abc import Sequence

from fastingest.decode.values import Values, ValueTree, broken_on
from fastingest.model.feed import Feed, remembered_in
from fastingest.model.jsonpath import JsonPath, Steps, text_of

__all__ = ["MOST", "PADDING", "Memory", "memory_of"]

MOST = 65536
"""Messages that are remembered; of more, those that came first are forgotten."""

PADDING = b" " * 16
"""What stands behind each of :attr:`Memory.values`, for a reader of several bytes at a time: see
:mod:`fastingest.native._remembered`."""


class Memory:
    """Of one connection.

    :param key: where in a message stands what it is remembered by.
    :param paths: into such messages, to what is asked for.
    """

    def __init__(self, key: Steps, paths: Sequence[Steps]) -> None:
        self._key = key
        self._paths = tuple(paths)
        self._tree = ValueTree.of(map(JsonPath, paths))
        self._messages: dict[bytes, bytes] = {}
        self.values: dict[bytes, tuple[bytes | None, ...]] = {}
        """By the keys' text: the JSON to which each of the paths leads, and :data:`PADDING`; None
        where that is nothing, or null; the padding alone where a string on the way should hold
        JSON, and holds another text."""

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, found: Values) -> None:
        """Remember a message; one whose key has no text is not remembered.

        :param found: in it, at the key; and the message itself, which is UTF-8.
        """
        message, text = found[()], text_of(found.get(self._key))
        if text is None:
            return
        name = text.encode()
        self._messages.pop(name, None)  # so that it comes last
        self._messages[name] = message
        found = self._tree.find(message)
        self.values[name] = tuple(_value(JsonPath(steps), found) for steps in self._paths)
        if len(self._messages) > MOST:
            oldest = next(iter(self._messages))
            del self._messages[oldest], self.values[oldest]

    def recall(self, key: bytes) -> bytes | None:
        """The message that is remembered by a key; None: there is none.

        :param key: JSON.
        """
        text = text_of(key)
        return None if text is None else self._messages.get(text.encode())

    def forget(self) -> None:
        """Forget all of it: what comes from now on comes by another connection."""
        self._messages.clear()
        self.values.clear()


def _value(path: JsonPath, found: Values) -> bytes | None:
    """One of :attr:`Memory.values`."""
    value = found.get(path.steps, b"null")
    if value != b"null":
        return value + PADDING
    return PADDING if broken_on(path, found) else None


def memory_of(feed: Feed) -> Memory | None:
    """What remembers messages of one of a feed's connections; None: nothing is remembered."""
    if feed.remember is None:
        return None
    return Memory(feed.remember.key.steps, remembered_in(table.schema for table in feed.tables))
