"""What a run is asked for, complete: its settings, and the feeds that they describe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from fastingest.config.resolve import feeds_of, read_file
from fastingest.config.settings import Settings
from fastingest.errors import OptionError
from fastingest.model.feed import MAX_FEEDS, Feed

__all__ = ["Options", "options_from", "settings_from"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(Settings):
    """What to capture, where to, and how. Durations are in seconds, sizes in bytes.

    :raises OptionError: a value cannot be used; the message names the setting and what it may be.
    :raises ConfigError: something in the file that ``config`` names is wrong.
    """

    feeds: tuple[Feed, ...] = dataclasses.field(init=False, repr=False, compare=False)
    """What is captured, as all of the settings together describe it; at least one."""

    @property
    def settings(self) -> Settings:
        """These without the feeds, checked already: what the processes of a run are given.

        To read them a process imports nothing of what describes feeds.
        """
        made = object.__new__(Settings)
        for each in dataclasses.fields(Settings):
            object.__setattr__(made, each.name, getattr(self, each.name))
        return made

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "feeds", feeds_of(self))
        if len(self.feeds) > MAX_FEEDS:
            raise OptionError(
                "url", f"{len(self.feeds):,} feeds are too many; {MAX_FEEDS:,} is the most"
            )
        if self.max_rows is not None and min(self.receivers, len(self.feeds)) > 1:
            raise OptionError(
                "max_rows",
                "is exact within one receiver only; leave --receivers at 1, or end by --duration",
            )


def options_from(given: Mapping[str, Any]) -> Options:
    """The options ``given``, with those that the file of ``config`` sets where none is given.

    ``Options(config=path)`` takes feeds from the file, and where they write, and no other setting.

    :raises OptionError: they cannot be used.
    :raises ConfigError: the file has a mistake.
    """
    return _made(Options, given, needs_url=not given.get("url"))


def settings_from(given: Mapping[str, Any]) -> Settings:
    """As :func:`options_from`, without the feeds; one in the file need not have a URL."""
    return _made(Settings, given, needs_url=False)


_Made = TypeVar("_Made", bound=Settings)


def _made(kind: type[_Made], given: Mapping[str, Any], *, needs_url: bool) -> _Made:
    if not given.get("config"):
        return kind(**given)
    config_file = read_file(Path(given["config"]), needs_url=needs_url)
    try:
        return kind(**{**config_file.settings, **given})
    except OptionError as error:
        if error.option in given or error.option not in config_file.setting_keys:
            raise
        key = config_file.setting_keys[error.option]
        raise config_file.toml.error(key, error.problem) from None
