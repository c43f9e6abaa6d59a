"""What the command line changes of feeds as they are described: what is captured in the end.

The rules stand at the top of :mod:`fastingest.config.resolve`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastingest.access.secrets import shown
from fastingest.access.urls import check_written_url
from fastingest.config.feed_checks import check_remembered, check_stale, columns_of
from fastingest.config.outputs import check_outputs, outputs_of
from fastingest.config.settings import Settings
from fastingest.config.spec import FeedSpec, Message, TableSpec
from fastingest.config.symbols import has_place
from fastingest.errors import OptionError, UsageError
from fastingest.model.feed import MAX_LINES, Feed, Line, Subscription, Table
from fastingest.model.jsonpath import Condition, parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import EXAMPLE, TRADES, check_own, parse_columns

__all__ = ["Overrides", "build_feeds", "located"]


@dataclass(frozen=True)
class Overrides:
    """What of :class:`~fastingest.Options` makes the feeds; every field is as it is there."""

    url: tuple[str, ...] = ()
    feed: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    config: Path | None = None
    columns: str | tuple[str, ...] | None = None
    rows: str | None = None
    where: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    compression: str = "off"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    proxy: str | None = None
    connect_timeout: float = Settings.connect_timeout
    stale_after: float | None = None
    stale_by: str | None = None
    when_stale: str | None = None
    out: Path = Path("stock_data.csv")

    @classmethod
    def of(cls, settings: Settings) -> Overrides:
        """That part of ``settings``."""
        return cls(**{each.name: getattr(settings, each.name) for each in fields(cls)})

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs that are not empty."""
        return tuple(filter(None, self.url))


def build_feeds(specs: Sequence[FeedSpec], overrides: Overrides) -> tuple[Feed, ...]:
    """The feeds that ``specs`` describe, with the ``overrides`` in the place of what they say.

    Without any, they are those of the URLs given.

    :raises OptionError: both together describe none, or cannot be used.
    :raises ConfigError: something that a file says cannot be used.
    """
    urls = overrides.urls
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
    specs = [_with_schema(spec, overrides) for spec in specs]
    symbols = [_symbols(spec, overrides) for spec in specs]
    made_urls = [_url(spec, chosen, overrides) for spec, chosen in zip(specs, symbols, strict=True)]
    names = _names([spec.name for spec in specs], made_urls)
    outs = outputs_of(specs, overrides.out, is_given=overrides.out != Overrides.out)
    feeds = tuple(
        _feed(spec, overrides, name=name, url=url, symbols=chosen, outs=own)
        for spec, name, url, chosen, own in zip(specs, names, made_urls, symbols, outs, strict=True)
    )
    check_outputs(specs, feeds)
    check_remembered(
        specs, feeds, [each for each in ("columns", "where") if getattr(overrides, each)]
    )
    check_stale(feeds, overrides.stale_by, overrides.when_stale)
    return feeds


# One feed


def _with_schema(spec: FeedSpec, overrides: Overrides) -> FeedSpec:
    """``spec`` with the columns, rows and conditions that were given."""
    if overrides.columns is not None and not "".join(overrides.columns).strip():
        raise OptionError("columns", f"describes no column; {EXAMPLE}")
    said = [name for name in ("columns", "rows", "where") if getattr(overrides, name)]
    if not said:
        return spec
    if len(spec.tables) > 1:
        raise OptionError(said[0], f"{_who(spec)} has {len(spec.tables)} tables; change its file")
    schema = spec.tables[0].schema
    if not schema.described and not overrides.columns:
        raise OptionError(said[0], "goes with --columns, which say what the rows are made of")
    if overrides.columns:
        columns = _parsed("columns", parse_columns, overrides.columns)
        schema = replace(schema, columns=columns, described=True)
    if overrides.rows:
        schema = replace(schema, rows=_parsed("rows", parse_rows, overrides.rows))
    if overrides.columns or overrides.rows:
        option = "columns" if overrides.columns else "rows"
        _parsed(option, partial(check_own, rows=schema.rows), schema.columns)
    if overrides.where:
        where = _parsed("where", _conditions, overrides.where)
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


def _symbols(spec: FeedSpec, overrides: Overrides) -> tuple[str, ...]:
    """The symbols of a feed, where it has a place for them."""
    wanted = spec.has_place or any(map(has_place, overrides.subscribe))
    if overrides.symbols and not wanted:
        raise OptionError(
            "symbols", f"{_who(spec)} has no place for them: no {{symbol}}, no {{symbols}}"
        )
    try:
        chosen = spec.symbols.chosen(overrides.symbols)
    except ValueError as error:
        raise OptionError("symbols", str(error)) from None
    if wanted and not chosen and spec.file is not None:
        raise OptionError(
            "symbols", f"{_who(spec)} needs some; write for example --symbols AAPL,MSFT"
        )
    return chosen


def _url(spec: FeedSpec, symbols: Sequence[str], overrides: Overrides) -> str:
    """The feed's URL, with its symbols."""
    url = spec.url or ""
    if symbols and "{symbol}" in url:
        raise OptionError("url", "a URL is not repeated for each {symbol}; write {symbols}")
    url = spec.symbols.fill_url(url, symbols) if symbols else url
    try:
        check_written_url(url)
    except OptionError as error:
        raise located(error, spec, overrides) from None
    return url


def _feed(
    spec: FeedSpec,
    overrides: Overrides,
    *,
    name: str,
    url: str,
    symbols: Sequence[str],
    outs: Sequence[Path],
) -> Feed:
    stale_by = _stale_by(spec, overrides)
    return Feed(
        name=name,
        url=url,
        tables=tuple(
            Table(out, table.schema) for out, table in zip(outs, spec.tables, strict=True)
        ),
        headers=_headers(spec.headers, overrides.header),
        subscriptions=_subscriptions(spec, symbols, overrides),
        subscribe_every=spec.subscribe_every,
        heartbeats=spec.heartbeats,
        ignore=spec.ignore,
        refused=spec.refused,
        retry_refused=spec.retry_refused,
        reconnect=spec.reconnect,
        answers=spec.answers,
        remember=spec.remember,
        symbols=tuple(symbols),
        lines=_lines(spec, symbols, overrides),
        stale_after=spec.stale_after or None
        if overrides.stale_after is None
        else overrides.stale_after,
        stale_by=stale_by,
        when_stale=overrides.when_stale or spec.when_stale,
        proxy=spec.proxy if overrides.proxy is None else overrides.proxy,
        connect_timeout=spec.connect_timeout or Overrides.connect_timeout
        if overrides.connect_timeout == Overrides.connect_timeout
        else overrides.connect_timeout,
        ca_file=overrides.ca_file or spec.ca_file,
        cert_file=overrides.cert_file or spec.cert_file,
        key_file=overrides.key_file or (None if overrides.cert_file else spec.key_file),
        inflate=spec.inflate,
        compression=spec.compression or "off"
        if overrides.compression == "off"
        else overrides.compression,
    )


def _subscriptions(
    spec: FeedSpec, symbols: Sequence[str], overrides: Overrides
) -> tuple[Subscription, ...]:
    """What is sent on a connection that asks for these symbols."""
    messages = [*spec.messages, *map(Message, overrides.subscribe)]
    return tuple(
        subscription
        for message in messages
        for subscription in message.subscriptions(spec.symbols, symbols)
    )


def _lines(spec: FeedSpec, symbols: Sequence[str], overrides: Overrides) -> tuple[Line, ...]:
    """The feed's connections, where its symbols are too many for one."""
    size = spec.per_connection or len(symbols)
    if len(symbols) <= size:
        return ()
    groups = [tuple(symbols[at : at + size]) for at in range(0, len(symbols), size)]
    if len(groups) > MAX_LINES:
        problem = (
            f"{len(symbols):,} symbols need {len(groups):,} connections with {size:,} on each; "
            f"{MAX_LINES:,} are the most"
        )
        raise spec.error("symbols", problem, "per-connection")
    return tuple(
        Line(_url(spec, group, overrides), _subscriptions(spec, group, overrides), group)
        for group in groups
    )


def _stale_by(spec: FeedSpec, overrides: Overrides) -> str:
    """The column that tells what of a feed is stale: the one that was given, if it has that.

    Its own one, otherwise; empty where other columns were given.
    """
    columns = [column for table in spec.tables for column in columns_of(table.schema)]
    if overrides.stale_by in columns:
        return overrides.stale_by
    if not spec.stale_by or spec.stale_by in columns:
        return spec.stale_by
    if not overrides.columns:
        there = ", ".join(dict.fromkeys(columns))
        problem = f"{_who(spec)} has no column {spec.stale_by!r} from the feed; it has {there}"
        raise spec.error("stale_by", problem, "stale-by")
    return ""


def located(error: OptionError, spec: FeedSpec, overrides: Overrides) -> UsageError:
    """``error`` as one of the feed's file, unless the command line brought what is wrong."""
    if getattr(overrides, error.option, None):
        return error
    key = "headers" if error.option == "header" else error.option.replace("_", "-")
    return spec.error(error.option, error.problem, key)


def _headers(own: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """The feed's own headers but for those that are given as well, and the given ones."""

    def name(line: str) -> str:
        return line.partition(":")[0].strip().lower()

    replaced = {name(line) for line in given}
    return (*(line for line in own if name(line) not in replaced), *given)


# Names


def _names(said: Sequence[str | None], urls: Sequence[str]) -> list[str]:
    """The feeds' names: what was said, or else the host, or host and path, or these numbered."""
    hosts = [_host(url) for url in urls]
    names: list[str] = []
    for index, (name, url) in enumerate(zip(said, urls, strict=True)):
        others = {*names, *(other for other in said if other)}
        if name is not None:
            if name in names:
                problem = f"two feeds are named {name!r}; a name says whose a row is"
                raise OptionError("feed", problem)
            names.append(name)
            continue
        is_shared = any(
            host == hosts[index] for at, host in enumerate(hosts) if at != index and not said[at]
        )
        whole = _host_and_path(url)
        candidates = [whole] if is_shared else [hosts[index], whole]
        candidates += [f"{whole}#{number}" for number in range(2, len(urls) + 2)]
        names.append(next(each for each in candidates if each not in others))
    return names


def _host(url: str) -> str:
    if url.startswith("demo:"):
        return url
    display = shown(url)  # a whole URL that is a secret has no host
    return urlsplit(display).netloc.rpartition("@")[2] or display


def _host_and_path(url: str) -> str:
    return url if url.startswith("demo:") else _host(url) + urlsplit(shown(url)).path
