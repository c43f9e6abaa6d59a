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
from fastingest.config.spec import FeedSpec, Message, TableSpec
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


def build_feeds(specs: Sequence[FeedSpec], given: Given) -> tuple[Feed, ...]:
    """The feeds that ``specs`` describe, with what is ``given`` laid over them.

    Without any they are those of the URLs given.
    """
    urls = given.urls
    if specs and len(urls) > (1 if len(specs) == 1 else 0):
        raise OptionError(
            "url",
            "takes the place of a feed's own: name one feed and one URL, "
            f"not {len(specs)} and {len(urls)}",
        )
    if not specs:
        if not urls:
            raise OptionError("url", "no feed was named; write for example --url wss://host/path")
        if len(set(urls)) < len(urls):
            raise OptionError("url", "the same URL is named twice; its rows would be, too")
        specs = [FeedSpec((TableSpec(TRADES),), url) for url in urls]
    elif urls:
        specs = [replace(specs[0], url=urls[0])]
    specs = [_with_schema(spec, given) for spec in specs]
    symbols = [_symbols(spec, given) for spec in specs]
    made_urls = [_url(spec, chosen, given) for spec, chosen in zip(specs, symbols, strict=True)]
    names = _names([spec.name for spec in specs], made_urls)
    has_one = sum(len(spec.tables) for spec in specs) == 1
    feeds = tuple(
        _feed(spec, name, url, chosen, given, has_one=has_one)
        for spec, name, url, chosen in zip(specs, names, made_urls, symbols, strict=True)
    )
    _check_out(specs, given, has_one)
    _check_files(specs, feeds)
    return feeds


# One feed


def _with_schema(spec: FeedSpec, given: Given) -> FeedSpec:
    """``spec`` with the columns, rows and conditions that were given."""
    if given.columns is not None and not given.columns.strip():
        raise OptionError("columns", f"describes no column; {EXAMPLE}")
    said = [name for name in ("columns", "rows", "where") if getattr(given, name)]
    if not said:
        return spec
    if len(spec.tables) > 1:
        raise OptionError(said[0], f"{_who(spec)} has {len(spec.tables)} tables; change its file")
    schema = spec.tables[0].schema
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
    return replace(spec, tables=(replace(spec.tables[0], schema=schema),))


def _who(spec: FeedSpec) -> str:
    return spec.name or shown(spec.url or "")


def _conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    return tuple(map(parse_condition, texts))


def _parsed(option: str, parse: Callable[[Any], Any], value: Any) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise OptionError(option, str(error)) from None


def _symbols(spec: FeedSpec, given: Given) -> tuple[str, ...]:
    """The symbols of a feed, where it has a place for them."""
    wanted = spec.has_place or any(map(has_place, given.subscribe))
    if given.symbols and not wanted:
        raise OptionError(
            "symbols", f"{_who(spec)} has no place for them: no {{symbol}}, no {{symbols}}"
        )
    try:
        chosen = spec.symbols.chosen(given.symbols)
    except ValueError as error:
        raise OptionError("symbols", str(error)) from None
    if wanted and not chosen and spec.file is not None:
        raise OptionError(
            "symbols", f"{_who(spec)} needs some; write for example --symbols AAPL,MSFT"
        )
    return chosen


def _url(spec: FeedSpec, symbols: Sequence[str], given: Given) -> str:
    """The feed's URL, with its symbols."""
    url = spec.url or ""
    if symbols and "{symbol}" in url:
        raise OptionError("url", "a URL is not repeated for each {symbol}; write {symbols}")
    url = spec.symbols.fill_url(url, symbols) if symbols else url
    try:
        check_written_url(url)
    except OptionError as error:
        raise located(error, spec, given) from None
    return url


def _feed(
    spec: FeedSpec, name: str, url: str, symbols: Sequence[str], given: Given, *, has_one: bool
) -> Feed:
    messages = [*spec.messages, *map(Message, given.subscribe)]
    return Feed(
        name=name,
        url=url,
        tables=tuple(
            Table(_file(spec, table.out, table.name, given, has_one), table.schema)
            for table in spec.tables
        ),
        headers=_headers(spec.headers, given.header),
        subscriptions=tuple(
            subscription
            for message in messages
            for subscription in message.subscriptions(spec.symbols, symbols)
        ),
        heartbeats=spec.heartbeats,
        ignore=spec.ignore,
        proxy=given.proxy or spec.proxy,
        ca_file=given.ca_file or spec.ca_file,
        cert_file=given.cert_file or spec.cert_file,
        key_file=given.key_file or (None if given.cert_file else spec.key_file),
        compression=spec.compression or "off" if given.compression == "off" else given.compression,
    )


def located(error: OptionError, spec: FeedSpec, given: Given) -> UsageError:
    """``error`` as one of the feed's file, unless the command line brought what is wrong."""
    if getattr(given, error.option, None):
        return error
    key = "headers" if error.option == "header" else error.option.replace("_", "-")
    return spec.error(error.option, error.problem, key)


def _headers(own: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """The feed's own headers but for those that are given as well, and the given ones."""

    def name(line: str) -> str:
        return line.partition(":")[0].strip().lower()

    replaced = {name(line) for line in given}
    return (*(line for line in own if name(line) not in replaced), *given)


# Where the tables go


def _file(spec: FeedSpec, out: Path | None, name: str | None, given: Given, has_one: bool) -> Path:
    is_given = given.out != Given.out
    if has_one and is_given:
        return given.out
    if out is not None:
        return out
    base = spec.out or given.out
    return base.with_name(f"{base.stem}_{name}{base.suffix}") if name else base


def _check_out(specs: Sequence[FeedSpec], given: Given, has_one: bool) -> None:
    """Refuse an --out that no table would write."""
    if given.out == Given.out or has_one:
        return
    if all(table.out or spec.out for spec in specs for table in spec.tables):
        raise OptionError("out", "every table says where it goes; change that where it does")


def _check_files(specs: Sequence[FeedSpec], feeds: Sequence[Feed]) -> None:
    """Refuse two tables of a feed that write one file, and two headers for one file."""
    first: dict[Path, tuple[Feed, Schema]] = {}
    for spec, feed in zip(specs, feeds, strict=True):
        own = set()
        for table_spec, table in zip(spec.tables, feed.tables, strict=True):
            path = named(table.out)
            if path in own:
                raise (
                    spec.file.error(
                        table_spec.key,
                        f"another table of this feed writes {table.out}, too; "
                        "give each its own 'out', or a 'name'",
                    )
                    if spec.file
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
