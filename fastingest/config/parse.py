"""What a TOML file says of feeds and options.

:mod:`fastingest.config.resolve` has the reference of the format. Here a file is read whole, and
every mistake in it is found, each with its line: :func:`read_config_file` collects them, and
whoever cannot go on with one raises the first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

from fastingest.access.references import check_syntax
from fastingest.access.urls import check_written_url, parse_header
from fastingest.config.parse_messages import (
    at_least_one,
    heartbeats_of,
    messages_of,
    positive_duration,
    symbols_of,
)
from fastingest.config.parse_side_messages import answers_of, groups_of, remember_of
from fastingest.config.parse_tables import TABLE_KEYS, tables_of
from fastingest.config.section import Section
from fastingest.config.setting import check_range, read_value
from fastingest.config.settings import Settings
from fastingest.config.spec import ConfigFile, FeedSpec
from fastingest.config.toml_file import TomlFile
from fastingest.errors import ConfigError
from fastingest.model.feed import INFLATES, WHEN_STALE
from fastingest.model.message_conditions import parse_message_condition

__all__ = ["read_config_file"]


# The keys that a feed has; the first ones may stand above all [[feed]], for those that say nothing.
_SHARED = (
    *("compression", "proxy", "connect_timeout", "ca_file", "cert_file", "key_file"),
    *("stale_after", "when_stale"),
)
_FEED = (
    *("name", "url", "headers", "header", "subscribe", "heartbeat", "ignore", "inflate"),
    *("subscribe_every", "per_connection", "symbols", "table", "refused", "retry_refused"),
    *("reconnect", "answer", "remember"),
    "stale_by",
    *_SHARED,
    *TABLE_KEYS,
)
_SETTINGS = {
    each.name: each
    for each in fields(Settings)
    if each.init and each.name not in ("config", "feed", *set(_FEED) - {"out"})
}
_FIELDS = {each.name: each for each in fields(Settings)}


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
        "proxy": section.read("proxy", section.text("proxy"), check_syntax),
        "connect_timeout": section.read(
            "connect_timeout", section.text("connect_timeout"), partial(_value, "connect_timeout")
        ),
        "stale_after": section.read(
            "stale_after", section.text("stale_after"), partial(_value, "stale_after")
        ),
        "when_stale": section.choice("when_stale", WHEN_STALE),
    }
    for name in ("ca_file", "cert_file", "key_file"):
        path = section.text(name)
        said[name] = Path(path) if path else None
    return {name: value for name, value in said.items() if value is not None}


def _value(name: str, text: str) -> float:
    """What a feed says in the place of an option; 0.0 for ``off``."""
    value: float | None = read_value(_FIELDS[name], text)
    check_range(_FIELDS[name], value)
    return value or 0.0


def _feed(section: Section, top: Section, shared: dict[str, Any]) -> FeedSpec:
    url = section.text("url")
    if url and "{symbol}" in url:
        section.problem("url", "a URL is not repeated; write {symbols}, or a [[feed]] for each")
        url = None
    elif url:
        # Whether it is one can be said before symbols are in it: they bring nothing bad.
        section.read("url", url, lambda text: check_written_url(text.replace("{symbols}", "S")))
        section.read("url", url, check_syntax)
    name = section.text("name")
    if name and not re.fullmatch(r"[^\x00-\x1f\x7f]{1,100}", name):
        section.problem("name", f"{name!r} is no name: up to 100 characters, in one line")
        name = None
    is_top = section is top
    own = section.text("out") if not is_top else None
    out = Path(own) if own else None
    said = shared if is_top else {**shared, **_shared(section)}
    feed = FeedSpec(
        tables=tables_of(section),
        url=url,
        name=name,
        file=section.file,
        key=section.key,
        out=out,
        headers=_headers(section),
        messages=messages_of(section),
        subscribe_every=_duration(section, "subscribe_every"),
        per_connection=section.read(
            "per_connection", section.get("per_connection", int), at_least_one
        ),
        heartbeats=heartbeats_of(section),
        ignore=section.texts("ignore") or (),
        refused=groups_of(section, "refused", parse_message_condition),
        retry_refused=_duration(section, "retry_refused"),
        reconnect=groups_of(section, "reconnect", parse_message_condition),
        answers=answers_of(section),
        remember=remember_of(section),
        inflate=section.choice("inflate", INFLATES) or "",
        symbols=symbols_of(section),
        stale_by=section.text("stale_by") or "",
        **said,
    )
    for key, who in (("symbols", "they have"), ("per_connection", "symbols have")):
        if key in section and not feed.has_place:
            section.problem(key, f"nothing holds {{symbols}} or {{symbol}}: {who} no place")
    has_refused = "refused" in section or any(each.refused for each in feed.messages)
    if feed.retry_refused and not has_refused:
        section.problem("retry_refused", "it goes with 'refused', which says what a refusal is")
    return feed


def _duration(section: Section, name: str) -> float:
    """What is said in a unit; 0.0 where nothing is."""
    return section.read(name, section.text(name), positive_duration) or 0.0


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
        section.read(name, header, check_syntax, index)
    return tuple(value)


def _check_names(feeds: Sequence[FeedSpec], problems: list[ConfigError]) -> None:
    seen = set()
    for feed in feeds:
        if feed.file and feed.name and feed.name in seen:
            key = (*feed.key, "name")
            problems.append(feed.file.error(key, f"two feeds are named {feed.name!r}"))
        seen.add(feed.name)
