"""What a TOML file says of feeds and options.

:mod:`fastingest.config.resolve` has the reference of the format. Here a file is read whole, and
every mistake in it is found, each with its line: :func:`read_config_file` collects them, and
whoever cannot go on with one raises the first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from fastingest.access.urls import check_written_url, parse_header
from fastingest.config.section import Section, json_text
from fastingest.config.setting import read_subscription
from fastingest.config.settings import Settings
from fastingest.config.spec import ConfigFile, FeedSpec, Message, TableSpec
from fastingest.config.symbols import Symbols, check_symbol
from fastingest.config.toml_file import TomlFile
from fastingest.errors import ConfigError
from fastingest.model.feed import Heartbeat, Subscription
from fastingest.model.jsonpath import Condition, parse_condition, parse_path
from fastingest.model.schema import TRADES, Column, Schema, parse_columns
from fastingest.units import parse_duration

__all__ = ["read_config_file"]


# The keys that a feed has; the first ones may stand above all [[feed]], for those that say nothing.
_SHARED = ("compression", "proxy", "ca_file", "cert_file", "key_file")
_TABLE = ("out", "columns", "rows", "where")
_FEED = (
    *("name", "url", "headers", "header", "subscribe", "heartbeat", "ignore", "symbols", "table"),
    *_SHARED,
    *_TABLE,
)
_ANOTHER = "\0=x"  # a column from the feed, without which there can be none of our own
_SETTINGS = {
    each.name: each
    for each in fields(Settings)
    if each.init and each.name not in ("config", "feed", *set(_FEED) - {"out"})
}


def read_config_file(
    file: TomlFile, problems: list[ConfigError], *, needs_url: bool = True
) -> ConfigFile:
    """What ``file`` says; one that has no key of a feed, but ``out``, describes none.

    :param problems: gets what is wrong with it, in the order of the lines.
    :param needs_url: whether a feed without a URL is wrong.
    """
    found: list[ConfigError] = []
    top = Section(file, (), file.values, found)
    if "feed" in top:
        top.only((*_SETTINGS, *_SHARED, "feed"), elsewhere=_FEED)
        sections = top.sections("feed")
        if not sections and not found:
            top.problem("feed", "there is no feed; write [[feed]] above its keys")
        for section in sections:
            section.only(_FEED)
    else:
        top.only((*_SETTINGS, *_FEED, "feed"))
        sections = [top] if any(name in top for name in _FEED if name != "out") else []
    setting_keys = {name: top.key_of(name) for name in _SETTINGS if name in top}
    settings = {name: _setting(top, name) for name in setting_keys}
    shared = _shared(top)
    feeds = tuple(_feed(section, top, shared) for section in sections)
    for section in sections:
        if needs_url and "url" not in section:
            section.problem("url", "there is no 'url'; write for example url = \"wss://host/path\"")
    _check_names(feeds, found)
    problems += sorted(found, key=lambda problem: problem.line)
    settings = {name: value for name, value in settings.items() if value is not MISSING}
    return ConfigFile(file, feeds, settings, setting_keys)


def _setting(top: Section, name: str) -> Any:
    """The value of an option; MISSING where it is wrong."""
    option = _SETTINGS[name]
    hint = get_type_hints(Settings)[name]
    wanted = next((each for each in get_args(hint) or [hint] if each is not type(None)), hint)
    parse = option.metadata["parse"]
    if parse:
        value = top.get(name, str, int, float)
        if value is None:
            return MISSING
        if option.metadata["off"] and str(value).lower() == "off":
            return None
        parsed = top.read(name, str(value), lambda text: (parse(text),))
        return parsed[0] if parsed else MISSING
    value = top.get(name, str if wanted is Path else wanted)
    if value is None:
        return MISSING
    return Path(value) if wanted is Path else value


def _shared(section: Section) -> dict[str, Any]:
    said: dict[str, Any] = {
        "compression": section.choice("compression", ("off", "deflate")),
        "proxy": section.text("proxy"),
    }
    for name in ("ca_file", "cert_file", "key_file"):
        path = section.text(name)
        said[name] = Path(path) if path else None
    return {name: value for name, value in said.items() if value is not None}


def _feed(section: Section, top: Section, shared: dict[str, Any]) -> FeedSpec:
    url = section.text("url")
    if url and "{symbol}" in url:
        section.problem("url", "a URL is not repeated; write {symbols}, or a [[feed]] for each")
        url = None
    elif url:
        # Whether it is one can be said before symbols are in it: they bring nothing bad.
        section.read("url", url, lambda text: check_written_url(text.replace("{symbols}", "S")))
    name = section.text("name")
    if name and not re.fullmatch(r"[^\x00-\x1f\x7f]{1,100}", name):
        section.problem("name", f"{name!r} is no name: up to 100 characters, in one line")
        name = None
    is_top = section is top
    own = section.text("out") if not is_top else None
    out = Path(own) if own else None
    said = shared if is_top else {**shared, **_shared(section)}
    feed = FeedSpec(
        tables=_tables(section),
        url=url,
        name=name,
        file=section.file,
        key=section.key,
        out=out,
        headers=_headers(section),
        messages=_messages(section),
        heartbeats=_heartbeats(section),
        ignore=section.texts("ignore") or (),
        symbols=_symbols(section),
        **said,
    )
    if "symbols" in section and not feed.has_place:
        section.problem("symbols", "nothing holds {symbols} or {symbol}: they have no place")
    return feed


def _headers(section: Section) -> tuple[str, ...]:
    if "header" in section and "headers" in section:
        section.problem("header", "'header' and 'headers' are the same")
    name = "headers" if "headers" in section else "header"
    value = section.get(name, str, list, dict)
    if isinstance(value, dict):
        for header, content in value.items():
            if not isinstance(content, str):
                section.problem(name, f"{header!r} must be a text", header)
        value = [f"{header}: {content}" for header, content in value.items()]
        at: list[str | int] = [header.partition(":")[0] for header in value]
    else:
        value = section.texts(name) or ()
        at = list(range(len(value)))
    for index, header in zip(at, value, strict=True):
        section.read(name, header, parse_header, index)
    return tuple(value)


def _symbols(section: Section) -> Symbols:
    if "symbols" not in section:
        return Symbols()
    value = section.get("symbols", list, str, dict)
    if value is None:
        return Symbols()
    if not isinstance(value, dict):
        return Symbols(default=_default_symbols(section, "symbols"))
    inner = Section(section.file, section.key_of("symbols"), value, section.problems)
    inner.only(("default", "each", "join", "case"))
    each = inner.text("each")
    if each and "{symbol}" not in each:
        inner.problem("each", "it must hold {symbol}, where the symbol stands")
    join: str | None = inner.get("join", str)
    return Symbols(
        default=_default_symbols(inner, "default"),
        each=each or Symbols.each,
        join=Symbols.join if join is None else join,
        case=inner.choice("case", ("lower", "upper")) or "",
    )


def _default_symbols(section: Section, name: str) -> tuple[str, ...]:
    symbols = section.texts(name) or ()
    checked = (section.read(name, one, check_symbol, at) for at, one in enumerate(symbols))
    return tuple(symbol for symbol in checked if symbol)


def _messages(section: Section) -> tuple[Message, ...]:
    messages = []
    for index, item in enumerate(section.items("subscribe", str, dict, list) or ()):
        at = (index,) if section.is_array("subscribe") else ()
        if isinstance(item, dict) and "send" in item:
            key = (*section.key_of("subscribe"), *at)
            messages.append(_answered(Section(section.file, key, item, section.problems)))
        else:
            messages.append(Message(section.read("subscribe", item, _text_to_send, *at) or ""))
    return tuple(messages)


def _answered(section: Section) -> Message:
    """A subscription that says more than what is sent."""
    section.only(("send", "reply", "timeout"))
    text = section.read("send", section.get("send", str, dict, list), _text_to_send)
    reply = section.texts("reply")
    if reply == ():
        section.problem("reply", "'reply' is empty, and would be any message; remove it")
    for index, condition in enumerate(reply or ()):
        # with something in place of its symbols, which may not stand in a path
        section.read("reply", _with_symbols(condition), parse_condition, index)
    timeout = section.read("timeout", section.text("timeout"), _positive_duration)
    return Message(text or "", reply, Subscription.timeout if timeout is None else timeout)


def _with_symbols(text: str) -> str:
    return text.replace("{symbols}", "S").replace("{symbol}", "S")


def _text_to_send(value: Any) -> str:
    return read_subscription(value) if isinstance(value, str) else json_text(value)


def _positive_duration(text: str) -> float:
    seconds = parse_duration(text)
    if not 1e-3 <= seconds <= 86400:
        raise ValueError(f"{text!r} is out of range; it must be at least 1ms, and at most 1d")
    return seconds


def _heartbeats(section: Section) -> tuple[Heartbeat, ...]:
    beats = []
    for inner in section.sections("heartbeat"):
        inner.only(("send", "every"))
        for name in ("send", "every"):
            if name not in inner:
                inner.problem(name, f"a heartbeat needs {name!r}")
        text = inner.read("send", inner.get("send", str, dict, list), _text_to_send)
        every = inner.read("every", inner.text("every"), _positive_duration)
        if text and every:
            beats.append(Heartbeat(text, every))
    return tuple(beats)


def _tables(section: Section) -> tuple[TableSpec, ...]:
    if "table" not in section:
        return (TableSpec(_schema(section), section.key),)
    for moved in ("columns", "rows", "where"):
        if moved in section:
            section.problem(moved, f"{moved!r} belongs into [[feed.table]]; move it there")
    tables = []
    for inner in section.sections("table"):
        inner.only(("name", *_TABLE))
        out, name = inner.text("out"), inner.text("name")
        if out and name:
            inner.problem("name", "'out' says where the table goes; remove 'name'")
        if name and not re.fullmatch(r"\w[\w.-]{0,99}", name):
            inner.problem("name", f"{name!r} cannot be a part of a file's name; use letters")
        if "columns" not in inner:
            inner.problem("columns", "a table needs 'columns'")
        tables.append(TableSpec(_schema(inner), inner.key, Path(out) if out else None, name))
    return tuple(tables)


def _schema(section: Section) -> Schema:
    if "columns" not in section:
        for name in ("rows", "where"):
            if name in section:
                section.problem(name, "goes with 'columns', which say what the rows are made of")
        return TRADES
    columns = _columns(section)
    rows = section.read("rows", section.get("rows", str), parse_path)
    where: list[Condition] = []
    for index, text in enumerate(section.texts("where") or ()):
        condition = section.read("where", text, parse_condition, index)
        if condition:
            where.append(condition)
    if columns is None:
        return TRADES
    return Schema(columns, rows or Schema.rows, tuple(where))


def _columns(section: Section) -> tuple[Column, ...] | None:
    value = section.get("columns", str, list)
    if isinstance(value, list):
        value = section.texts("columns")
        # one by one first, so that an error has the line of its column
        before = len(section.problems)
        for index, column in enumerate(value or ()):
            section.read("columns", [column, _ANOTHER], parse_columns, index)
        if len(section.problems) > before:
            return None
    return section.read("columns", value, parse_columns)


def _check_names(feeds: Sequence[FeedSpec], problems: list[ConfigError]) -> None:
    seen = set()
    for feed in feeds:
        if feed.file and feed.name and feed.name in seen:
            key = (*feed.key, "name")
            problems.append(feed.file.error(key, f"two feeds are named {feed.name!r}"))
        seen.add(feed.name)
