"""The command line, laid over feeds as they are described: what is connected to in the end.

The rules stand at the top of :mod:`fastingest.config.resolve`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastingest.access.secrets import shown
from fastingest.access.urls import check_written_url
from fastingest.config.settings import Settings
from fastingest.config.spec import FeedText, Message, TableText
from fastingest.config.symbols import has_place
from fastingest.errors import OptionError, UsageError
from fastingest.model.feed import Feed, Table
from fastingest.model.jsonpath import Condition, parse_condition, parse_path
from fastingest.model.schema import EXAMPLE, TRADES, Schema, parse_columns
from fastingest.storage.names import named

__all__ = ["Given", "build_feeds", "located"]


@dataclass(frozen=True)
class Given:
    """What of :class:`~fastingest.Options` makes the feeds; every field is as it is there."""

    url: tuple[str, ...] = ()
    feed: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    config: Path | None = None
    columns: str | None = None
    rows: str | None = None
    where: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    compression: str = "off"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    proxy: str | None = None
    out: Path = Path("stock_data.csv")

    @classmethod
    def of(cls, settings: Settings) -> Given:
        """That part of ``settings``."""
        return cls(**{each.name: getattr(settings, each.name) for each in fields(cls)})

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs that are not empty."""
        return tuple(filter(None, self.url))


def build_feeds(texts: Sequence[FeedText], given: Given) -> tuple[Feed, ...]:
    """The feeds that ``texts`` describe, with what is ``given`` laid over them.

    Without any they are those of the URLs given.
    """
    urls = given.urls
    if texts and len(urls) > (1 if len(texts) == 1 else 0):
        raise OptionError(
            "url",
            "takes the place of a feed's own: name one feed and one URL, "
            f"not {len(texts)} and {len(urls)}",
        )
    if not texts:
        if not urls:
            raise OptionError("url", "no feed was named; write for example --url wss://host/path")
        if len(set(urls)) < len(urls):
            raise OptionError("url", "the same URL is named twice; its rows would be, too")
        texts = [FeedText((TableText(TRADES),), url) for url in urls]
    elif urls:
        texts = [replace(texts[0], url=urls[0])]
    texts = [_with_schema(text, given) for text in texts]
    symbols = [_symbols(text, given) for text in texts]
    made_urls = [_url(text, chosen, given) for text, chosen in zip(texts, symbols, strict=True)]
    names = _names([text.name for text in texts], made_urls)
    has_one = sum(len(text.tables) for text in texts) == 1
    feeds = tuple(
        _feed(text, name, url, chosen, given, has_one=has_one)
        for text, name, url, chosen in zip(texts, names, made_urls, symbols, strict=True)
    )
    _check_out(texts, given, has_one)
    _check_files(texts, feeds)
    return feeds


# One feed


def _with_schema(text: FeedText, given: Given) -> FeedText:
    """``text`` with the columns, rows and conditions that were given."""
    if given.columns is not None and not given.columns.strip():
        raise OptionError("columns", f"describes no column; {EXAMPLE}")
    said = [name for name in ("columns", "rows", "where") if getattr(given, name)]
    if not said:
        return text
    if len(text.tables) > 1:
        raise OptionError(said[0], f"{_who(text)} has {len(text.tables)} tables; change its file")
    schema = text.tables[0].schema
    if not schema.described and not given.columns:
        raise OptionError(said[0], "goes with --columns, which say what the rows are made of")
    if given.columns:
        columns = _parsed("columns", parse_columns, given.columns)
        schema = replace(schema, columns=columns, described=True)
    if given.rows:
        schema = replace(schema, rows=_parsed("rows", parse_path, given.rows))
    if given.where:
        where = _parsed("where", _conditions, given.where)
        schema = replace(schema, where=where)
    return replace(text, tables=(replace(text.tables[0], schema=schema),))


def _who(text: FeedText) -> str:
    return text.name or shown(text.url or "")


def _conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    return tuple(map(parse_condition, texts))


def _parsed(option: str, parse: Callable[[Any], Any], value: Any) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise OptionError(option, str(error)) from None


def _symbols(text: FeedText, given: Given) -> tuple[str, ...]:
    """The symbols of a feed, where it has a place for them."""
    wanted = text.has_place or any(map(has_place, given.subscribe))
    if given.symbols and not wanted:
        raise OptionError(
            "symbols", f"{_who(text)} has no place for them: no {{symbol}}, no {{symbols}}"
        )
    try:
        chosen = text.symbols.chosen(given.symbols)
    except ValueError as error:
        raise OptionError("symbols", str(error)) from None
    if wanted and not chosen and text.file is not None:
        raise OptionError(
            "symbols", f"{_who(text)} needs some; write for example --symbols AAPL,MSFT"
        )
    return chosen


def _url(text: FeedText, symbols: Sequence[str], given: Given) -> str:
    """The feed's URL, with its symbols."""
    url = text.url or ""
    if symbols and "{symbol}" in url:
        raise OptionError("url", "a URL is not repeated for each {symbol}; write {symbols}")
    url = text.symbols.fill_url(url, symbols) if symbols else url
    try:
        check_written_url(url)
    except OptionError as error:
        raise located(error, text, given) from None
    return url


def _feed(
    text: FeedText, name: str, url: str, symbols: Sequence[str], given: Given, *, has_one: bool
) -> Feed:
    messages = [*text.messages, *map(Message, given.subscribe)]
    return Feed(
        name=name,
        url=url,
        tables=tuple(
            Table(_file(text, table.out, table.name, given, has_one), table.schema)
            for table in text.tables
        ),
        headers=_headers(text.headers, given.header),
        subscriptions=tuple(
            subscription
            for message in messages
            for subscription in message.subscriptions(text.symbols, symbols)
        ),
        heartbeats=text.heartbeats,
        ignore=text.ignore,
        proxy=given.proxy or text.proxy,
        ca_file=given.ca_file or text.ca_file,
        cert_file=given.cert_file or text.cert_file,
        key_file=given.key_file or (None if given.cert_file else text.key_file),
        compression=text.compression or "off" if given.compression == "off" else given.compression,
    )


def located(error: OptionError, text: FeedText, given: Given) -> UsageError:
    """``error`` as one of the feed's file, unless the command line brought what is wrong."""
    if getattr(given, error.option, None):
        return error
    key = "headers" if error.option == "header" else error.option.replace("_", "-")
    return text.error(error.option, error.problem, key)


def _headers(own: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """The feed's own headers but for those that are given as well, and the given ones."""

    def name(line: str) -> str:
        return line.partition(":")[0].strip().lower()

    replaced = {name(line) for line in given}
    return (*(line for line in own if name(line) not in replaced), *given)


# Where the tables go


def _file(text: FeedText, out: Path | None, name: str | None, given: Given, has_one: bool) -> Path:
    is_given = given.out != Given.out
    if has_one and is_given:
        return given.out
    if out is not None:
        return out
    base = text.out or given.out
    return base.with_name(f"{base.stem}_{name}{base.suffix}") if name else base


def _check_out(texts: Sequence[FeedText], given: Given, has_one: bool) -> None:
    """Refuse an --out that no table would write."""
    if given.out == Given.out or has_one:
        return
    if all(table.out or text.out for text in texts for table in text.tables):
        raise OptionError("out", "every table says where it goes; change that where it does")


def _check_files(texts: Sequence[FeedText], feeds: Sequence[Feed]) -> None:
    """Refuse two tables of a feed that write one file, and two headers for one file."""
    first: dict[Path, tuple[Feed, Schema]] = {}
    for text, feed in zip(texts, feeds, strict=True):
        own = set()
        for spec, table in zip(text.tables, feed.tables, strict=True):
            path = named(table.out)
            if path in own:
                raise (
                    text.file.error(
                        spec.key,
                        f"another table of this feed writes {table.out}, too; "
                        "give each its own 'out', or a 'name'",
                    )
                    if text.file
                    else OptionError("out", f"two tables would write {table.out}")
                )
            own.add(path)
            other, schema = first.setdefault(path, (feed, table.schema))
            if schema.header != table.schema.header:
                raise OptionError(
                    "out",
                    f"{table.out} cannot have the header {schema.header!r} of {other.name} and "
                    f"{table.schema.header!r} of {feed.name}; give them an 'out' each, in a file "
                    "for --config, or capture them in a run each",
                )


# Names


def _names(said: Sequence[str | None], urls: Sequence[str]) -> list[str]:
    """The feeds' names: what was said, or else the host, or host and path, or these numbered."""
    hosts = [_host(url) for url in urls]
    names: list[str] = []
    for index, (name, url) in enumerate(zip(said, urls, strict=True)):
        others = {*names, *(other for other in said if other)}
        others |= {host for at, host in enumerate(hosts) if at != index and not said[at]}
        if name is not None:
            names.append(name)
            continue
        candidates = [hosts[index], _host_and_path(url)]
        candidates += [f"{candidates[1]}#{number}" for number in range(2, len(urls) + 2)]
        names.append(next(each for each in candidates if each not in others))
    return names


def _host(url: str) -> str:
    if url.startswith("demo:"):
        return url
    return urlsplit(shown(url)).netloc.rpartition("@")[2]


def _host_and_path(url: str) -> str:
    return url if url.startswith("demo:") else _host(url) + urlsplit(shown(url)).path
