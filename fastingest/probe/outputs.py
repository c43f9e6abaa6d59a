"""What the tables of a proposal write: the file of each, and the time of receipt of its rows."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from fastingest.access.secrets import shown
from fastingest.model.feed import Feed
from fastingest.model.schema import Column, Schema
from fastingest.probe.tables.words import file_word

__all__ = ["outputs_of", "with_received"]

_MAX_LENGTH = 60  # characters of each of the two parts of a name
# Parts of a host's name that say nothing of whose it is.
_SERVICES = {
    *("ws", "wss", "www", "api", "feed", "feeds", "stream", "streams", "socket", "data", "push"),
    *("live", "rt", "realtime", "md", "quotes", "example"),
}
_SECOND_LEVEL = {"co", "com", "net", "org", "ac", "gov", "edu"}  # co.uk, com.hk


def outputs_of(feed: Feed, tables: Sequence[str]) -> list[str]:
    """The name of the file of each table: ``kraken_trade.csv``.

    :param feed: where the rows come from.
    :param tables: a word for each table. Those of one word have one file. Where all are ``rows`` or
        empty, nothing is to be said of them.
    """
    venue = _venue(feed)
    if set(tables) <= {"", "rows"}:
        return [f"{venue}.csv" for _ in tables]
    files: dict[str, str] = {}
    for table in tables:
        word = f"{venue}_{_word(table)}"
        tries = (word, *(f"{word}_{number}" for number in range(2, len(tables) + 2)))
        free = next(f"{each}.csv" for each in tries if f"{each}.csv" not in files.values())
        files.setdefault(table, free)
    return [files[table] for table in tables]


def with_received(schema: Schema) -> Schema:
    """The schema with a column of when a row was received."""
    names = ("received", "received_at", "fastingest_received")
    name = next((each for each in names if each not in schema.names), None)
    if name is None:
        return schema
    return replace(schema, columns=(*schema.columns, Column(name, "@received")))


def _venue(feed: Feed) -> str:
    """Whose feed it is, in a word: by the host, unless the feed has a name of its own."""
    if feed.url.startswith("demo:"):
        return "demo"
    host = (urlsplit(shown(feed.url)).hostname or "").lower()
    if host not in feed.name.lower() or not _is_public(host):
        return _word(feed.name) or "feed"
    labels = host.split(".")[:-1]
    if len(labels) > 1 and labels[-1] in _SECOND_LEVEL:
        labels.pop()
    return (_word(labels[-1]) if labels[-1] not in _SERVICES else "") or _word(feed.name) or "feed"


def _is_public(host: str) -> bool:
    """Whether it is a name in a domain."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host.strip(".")
    return False


def _word(name: str) -> str:
    return file_word(name)[:_MAX_LENGTH].strip("_")
