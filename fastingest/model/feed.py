"""A feed, described: where to connect, what to say there, and which tables come of it.

Texts may hold references to secrets, such as ``${NAME}``, an environment variable. They stay as
they are written until a connection is opened (:mod:`fastingest.access.secrets` reads them then), so
that no secret is in any process but the receiver, and what is shown never holds one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from fastingest.model.jsonpath import JsonPath, Steps
from fastingest.model.message_conditions import Groups, MessageCondition
from fastingest.model.schema import TRADES, Schema

__all__ = [
    "ANSWER_PLACE",
    "INFLATES",
    "MAX_FEEDS",
    "MAX_LINES",
    "WHEN_STALE",
    "Answer",
    "Feed",
    "Heartbeat",
    "Line",
    "Remember",
    "Subscription",
    "Table",
    "remembered_in",
]

MAX_FEEDS = 1024
"""The most feeds that a run may have."""

MAX_LINES = 1024
"""The most connections that a feed may have at a time."""

ANSWER_PLACE = re.compile(r"\{(\$[^{}]*)\}")
"""Where a value of a message stands in :attr:`Answer.send`, and by which path."""

INFLATES = ("gzip", "zlib", "raw")
"""What a server may compress binary messages with."""

WHEN_STALE = ("warn", "reconnect")
"""What may be done about what is stale, besides telling it."""


@dataclass(frozen=True)
class Table:
    """Rows of a feed that go to one file.

    :param out: the CSV file.
    :param schema: which rows, and their columns.
    """

    out: Path
    schema: Schema = TRADES


def remembered_in(schemas: Iterable[Schema]) -> tuple[Steps, ...]:
    """Each of the steps that go on in a remembered message, in the order of columns and conditions.

    One decoder of these schemas knows them by their places in it.
    """
    paths = [
        path
        for schema in schemas
        for path in (
            *(column.path for column in schema.columns),
            *(condition.path for condition in schema.where),
        )
        if path is not None
    ]
    return tuple(dict.fromkeys(path.split[1] for path in paths if path.split[1]))


@dataclass(frozen=True)
class Subscription:
    """A message to send after every connect.

    :param text: what to send.
    :param reply: conditions of a message that must come before the next one is sent. None: nothing
        is waited for. The reply itself counts as ignored.
    :param timeout: seconds to wait for it; then the connection is made anew.
    :param refused: groups of conditions of a message that refuses it.
    :param symbols: what it asks for, as they stand in its text.
    :param listed: how each of them stands in a list in the text; empty: there is none.
    :param join: what stands between two of them there.
    """

    text: str
    reply: tuple[MessageCondition, ...] | None = None
    timeout: float = 10.0
    refused: Groups = ()
    symbols: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    join: str = ","

    def narrowed(self, text: str, symbols: Collection[str]) -> str:
        """What is sent to ask for these symbols only.

        :param text: what is sent for all of them, with its secrets.
        :param symbols: of its symbols; empty: all of them.
        """
        if not symbols or not self.listed:
            return text
        pairs = zip(self.symbols, self.listed, strict=True)
        some = [listed for symbol, listed in pairs if symbol in symbols]
        return text.replace(self.join.join(self.listed), self.join.join(some))


@dataclass(frozen=True)
class Heartbeat:
    """A message to send every so often.

    :param text: what to send.
    :param every: seconds between two of them.
    """

    text: str
    every: float


@dataclass(frozen=True)
class Answer:
    """A message to send when the server has asked for it.

    :param when: groups of conditions of the message that asks.
    :param send: what to send; ``{$.path}`` in it stands for the JSON at this path in that message,
        as it was written there.
    """

    when: Groups
    send: str


@dataclass(frozen=True)
class Remember:
    """Messages that are remembered on a connection, for rows that come by it later.

    A path goes on in them behind ``|remembered``.

    :param when: groups of conditions of such a message.
    :param key: where in it the text stands by which it is remembered.
    """

    when: Groups
    key: JsonPath


@dataclass(frozen=True)
class Line:
    """One of several connections of a feed, each of which asks for a part of its symbols.

    :param url: where it connects to.
    :param subscriptions: what is sent there after every connect, in order.
    :param symbols: what it asks for.
    """

    url: str
    subscriptions: tuple[Subscription, ...]
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Feed:
    """One WebSocket URL that is captured, and what comes of it.

    :param name: what it is called in the log, in the ledger, and in the column ``@feed``.
    :param url: where to connect.
    :param tables: at least one; no two write the same file.
    :param headers: for the opening request, ``Name: value`` each.
    :param subscriptions: sent after every connect, in order.
    :param subscribe_every: seconds from one of them to the next, at least.
    :param heartbeats: sent while connected.
    :param ignore: messages that are neither row nor reject, word for word, such as ``pong``.
    :param refused: groups of conditions of a message that says no to something.
    :param retry_refused: seconds after which what is refused is asked for again; 0.0: it is not.
    :param reconnect: those of a message that asks for another connection.
    :param answers: what is answered to which messages.
    :param remember: what of it is remembered; None: nothing.
    :param symbols: what is asked for, as they stand in its URL and its subscriptions.
    :param lines: its connections, where the symbols are too many for one; empty: there is one. The
        URL and the subscriptions above are what one would need for all symbols.
    :param stale_after: seconds without a row after which it is stale. None: it never is.
    :param stale_by: the column of which each value, and each symbol, may be stale by itself; empty:
        only the feed as a whole may.
    :param when_stale: one of :data:`WHEN_STALE`.
    :param proxy: the proxy to connect through; ``off``: none; None: what the environment says.
    :param ca_file: the authorities to trust; None: the system's.
    :param cert_file: our certificate, for a server that asks for one; None: none.
    :param key_file: its key; None: it is in ``cert_file``.
    :param connect_timeout: seconds that a connect may take in all.
    :param compression: ``deflate`` offers permessage-deflate (RFC 7692), ``off`` does not.
    :param inflate: how the server compresses binary messages by itself: ``gzip``, ``zlib``, ``raw``
        (DEFLATE without either's header); empty: it does not.
    """

    name: str
    url: str
    tables: tuple[Table, ...]
    headers: tuple[str, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    subscribe_every: float = 0.0
    heartbeats: tuple[Heartbeat, ...] = ()
    ignore: tuple[str, ...] = ()
    refused: Groups = ()
    retry_refused: float = 0.0
    reconnect: Groups = ()
    answers: tuple[Answer, ...] = ()
    remember: Remember | None = None
    symbols: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    stale_after: float | None = None
    stale_by: str = ""
    when_stale: str = "warn"
    proxy: str | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    connect_timeout: float = 10.0
    compression: str = "off"
    inflate: str = ""

    def by_line(self) -> tuple[Feed, ...]:
        """The feed as each of its connections has it, in order; itself where there is one."""
        if not self.lines:
            return (self,)
        return tuple(
            replace(
                self,
                url=line.url,
                subscriptions=line.subscriptions,
                symbols=line.symbols,
                lines=(),
            )
            for line in self.lines
        )

    def at(self, url: str) -> Feed:
        """The feed as it is to be had at another URL."""
        return replace(self, url=url, lines=tuple(replace(each, url=url) for each in self.lines))
