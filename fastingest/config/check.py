"""Whether a configuration file says what it is meant to: all its mistakes, or what it describes.

Nothing is connected to, and no secret needs to be there; one that is not is noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastingest.access.references import SecretError
from fastingest.access.secrets import expand, shown
from fastingest.config.options import Options
from fastingest.config.overrides import Overrides, build_feeds
from fastingest.config.parse import read_config_file
from fastingest.config.spec import ConfigFile, FeedSpec
from fastingest.config.toml_file import TomlFile
from fastingest.errors import ConfigError, OptionError, UsageError
from fastingest.model.feed import Feed
from fastingest.units import format_duration

__all__ = ["Check", "check", "check_text"]


@dataclass(frozen=True)
class Check:
    """What was found.

    :param feeds: what the file describes; none if it has a mistake.
    :param settings: the options that it sets.
    :param problems: its mistakes, by line.
    :param notes: what a run will need, and has not yet.
    """

    path: Path
    feeds: tuple[Feed, ...]
    settings: tuple[str, ...]
    problems: tuple[UsageError, ...]
    notes: tuple[str, ...]


def check(path: Path) -> Check:
    """Look at the file at ``path``.

    :raises OptionError: it cannot be read.
    """
    try:
        file = TomlFile.read(path)
    except ConfigError as error:
        return Check(path, (), (), (error,), ())
    found: list[ConfigError] = []
    config_file = read_config_file(file, found)
    problems: list[UsageError] = [*found, *_settings_problems(config_file)]
    feeds: tuple[Feed, ...] = ()
    if not found and config_file.feeds:
        try:
            overrides = Overrides(out=Path(config_file.settings.get("out", Overrides.out)))
            feeds = build_feeds([spec.with_symbols() for spec in config_file.feeds], overrides)
        except (OptionError, ConfigError) as error:
            problems.append(error)
    problems.sort(key=lambda error: error.line if isinstance(error, ConfigError) else 1)
    settings = tuple(config_file.setting_keys)
    notes = _notes(config_file.feeds)
    return Check(path, () if problems else feeds, settings, tuple(problems), notes)


def _settings_problems(config_file: ConfigFile) -> list[ConfigError]:
    """What :class:`Options` refuses of the settings, one after the other."""
    settings, problems = dict(config_file.settings), []
    while True:
        try:
            Options(**{**settings, "url": ("demo://",)})
        except OptionError as error:
            if error.option not in settings:
                raise
            del settings[error.option]
            key = config_file.setting_keys[error.option]
            problems.append(config_file.toml.error(key, error.problem))
        else:
            return problems


def _notes(feeds: Sequence[FeedSpec]) -> tuple[str, ...]:
    notes = []
    if any(feed.needs_symbols for feed in feeds):
        notes.append("it needs --symbols, which are shown as SYMBOL")
    for text in (text for feed in feeds for text in feed.texts):
        try:
            expand(text)
        except SecretError as error:
            notes.append(str(error))
    return tuple(dict.fromkeys(notes))


def check_text(found: Check) -> str:
    """What was found, in words: a line for each mistake, or what the file describes."""
    if found.problems:
        return "\n".join(_located(problem, found.path) for problem in found.problems)
    if not found.feeds:
        lines = [f"{found.path}: no feed; it goes with --url or --feed"]
    else:
        lines = [f"{found.path}: {len(found.feeds)} feed{'s' * (len(found.feeds) > 1)}"]
    if found.settings:
        lines.append(f"  sets {', '.join(name.replace('_', '-') for name in found.settings)}")
    for feed in found.feeds:
        lines.append(f"{feed.name}: {shown(feed.url)}")
        if feed.subscriptions or feed.heartbeats:
            sent = max(len(each.subscriptions) for each in feed.by_line())
            lines.append(
                f"  sends {sent} message{'s' * (sent != 1)} after a connect, "
                f"{len(feed.heartbeats)} by the clock"
            )
        if feed.lines:
            lines.append(
                f"  asks for {len(feed.symbols)} symbols on {len(feed.lines)} connections, "
                f"{len(feed.lines[0].symbols)} on each at most"
            )
        lines += _stale_lines(feed)
        lines += [f"  {table.out}: {table.schema.header}" for table in feed.tables]
    return "\n".join([*lines, *(f"note: {note}" for note in found.notes)])


def _stale_lines(feed: Feed) -> list[str]:
    """What is done about its silence."""
    if feed.stale_after is None:
        if not feed.stale_by:
            return []
        return [f"  stale by {feed.stale_by}, where --stale-after or a stale-after says when"]
    by = f", by {feed.stale_by}" if feed.stale_by else ""
    then = ", then it reconnects" if feed.when_stale == "reconnect" else ""
    return [f"  stale after {format_duration(feed.stale_after)} without a row{by}{then}"]


def _located(problem: UsageError, path: Path) -> str:
    return str(problem) if isinstance(problem, ConfigError) else f"{path}:1: {problem}"
