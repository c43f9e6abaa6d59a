"""The known feeds: a TOML file each, in ``fastingest/feeds``, in the format of :mod:`.config`.

The first line of each is a comment that says what it is. Whoever wants something else of a venue
begins with a copy: ``fastingest feeds NAME > my.toml``.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Sequence
from importlib.resources import files
from itertools import chain
from pathlib import Path

from fastingest.access.references import variables_in
from fastingest.config.parse import read_config_file
from fastingest.config.spec import ConfigFile
from fastingest.config.toml_file import TomlFile
from fastingest.errors import ConfigError, OptionError

__all__ = ["known_feed", "known_names", "known_text", "listing"]

_FEEDS = files("fastingest") / "feeds"

_LEAST = 30  # characters for what a feed captures, however narrow the terminal is


def known_names() -> tuple[str, ...]:
    """The names, sorted."""
    found = (each.name for each in _FEEDS.iterdir())
    return tuple(sorted(name[: -len(".toml")] for name in found if name.endswith(".toml")))


def known_text(name: str) -> str:
    """The file of a known feed.

    :raises OptionError: there is none of that name.
    """
    names = known_names()
    if name not in names:
        raise OptionError("feed", f"{name!r} is no known feed; {_hint(name, names)}")
    return (_FEEDS / f"{name}.toml").read_text("utf-8")


def _hint(name: str, names: Sequence[str]) -> str:
    begun = [each for each in names if name and each.startswith(name.lower())]
    if meant := begun or difflib.get_close_matches(name, names, 3):
        return f"did you mean {' or '.join(meant)}?"
    return "'fastingest feeds' lists them"


def known_feed(name: str) -> ConfigFile:
    """What the file of a known feed describes.

    :raises OptionError: there is none of that name.
    """
    problems: list[ConfigError] = []
    file = TomlFile(Path(f"{name}.toml"), known_text(name))
    config_file = read_config_file(file, problems)
    if problems:
        raise problems[0]
    return config_file


def listing(width: int | None = None) -> str:
    """The known feeds as a table: name, what it captures, and the variables that it needs.

    :param width: characters of a line, where a longer one goes on below what each feed captures;
        None: each feed has a line of its own, however long.
    """
    rows = []
    for name in known_names():
        what = known_text(name).partition("\n")[0].strip("# .")
        needed = variables_in(text for feed in known_feed(name).feeds for text in feed.texts)
        rows.append((name, what, f"needs {', '.join(needed)}" if needed else ""))
    names, whats = (max(len(row[column]) for row in rows) for column in (0, 1))
    if width is not None:
        beside = max(width - names - 2, _LEAST)
        return "\n".join(
            f"{name if not number else '':{names}}  {line}"
            for name, *texts in rows
            for number, line in enumerate(chain(*(textwrap.wrap(text, beside) for text in texts)))
        )
    return "\n".join(f"{row[0]:{names}}  {row[1]:{whats}}  {row[2]}".rstrip() for row in rows)
