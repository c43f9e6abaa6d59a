"""What texts for ``--config`` say."""

from __future__ import annotations

from pathlib import Path

from fastingest.config.parse import read_config_file
from fastingest.config.spec import ConfigFile, FeedSpec
from fastingest.config.toml_file import TomlFile
from fastingest.errors import ConfigError

__all__ = ["URL", "described", "feed_in", "problems_in"]

URL = 'url = "wss://host/"\n'


def described(text: str) -> ConfigFile:
    problems: list[ConfigError] = []
    config_file = read_config_file(TomlFile(Path("f.toml"), text), problems)
    assert problems == []
    return config_file


def feed_in(text: str) -> FeedSpec:
    (feed,) = described(text).feeds
    return feed


def problems_in(text: str) -> list[str]:
    problems: list[ConfigError] = []
    read_config_file(TomlFile(Path("f.toml"), text), problems)
    return [str(problem) for problem in problems]
