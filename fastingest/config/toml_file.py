"""A TOML file: its values, and the line on which each of them stands.

``tomllib`` says nothing of lines. So a scanner goes through the text a second time. It knows just
enough of TOML to find where tables, keys and elements begin; ``tomllib`` has seen before that the
text is valid.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from pathlib import Path
from typing import Any, TypeAlias

from fastingest.errors import ConfigError, OptionError

__all__ = ["Key", "TomlFile", "lines_of"]

Key: TypeAlias = tuple[str | int, ...]
"""Where a value is: names of tables and keys, and indices of arrays (also of ``[[table]]``)."""


class TomlFile:
    """A file that was read.

    :param path: what it is called in errors.
    :param text: its content.
    :raises ConfigError: it is no TOML.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            reason, line = str(error), len(text.splitlines()) or 1
            if match := re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", reason, re.DOTALL):
                reason, line = match[1], int(match[2])
            raise ConfigError(path, line, f"is no TOML: {reason}") from None
        self._lines = lines_of(text)

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """The file at ``path``.

        :raises ConfigError: it is no TOML.
        :raises OptionError: it cannot be read.
        """
        try:
            # With the mark that some editors put at the beginning, or without.
            return cls(path, path.read_bytes().decode("utf-8-sig"))
        except OSError as error:
            raise OptionError("config", f"{path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise OptionError("config", f"{path}: is not UTF-8") from None

    def line_of(self, key: Key) -> int:
        """The line of ``key``, from 1; of the table around it where it is not in the file."""
        while key not in self._lines:
            key = key[:-1]
        return self._lines[key]

    def error(self, key: Key, problem: str) -> ConfigError:
        """What is wrong with ``key``, as an error that names its line."""
        return ConfigError(self.path, self.line_of(key), problem)


def lines_of(text: str) -> dict[Key, int]:
    """The line, from 1, of every table, key and element in a valid TOML text; 1 for ``()``."""
    return _Scanner(text).lines


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_NAME = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|("(?:\\.|[^"\\])*"|'[^']*'))[ \t]*""")
_TEXT = re.compile(
    r'''"""(?:\\.|(?!""")[^\\])*"""(?:"{0,2})|\'\'\'(?:(?!\'\'\').)*\'\'\'(?:\'{0,2})'''
    r"""|"(?:\\.|[^"\\])*"|'[^']*\'""",
    re.DOTALL,
)
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+")


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._last: dict[Key, int] = {}  # the index of the table that [[…]] has opened last
        self.lines: dict[Key, int] = {(): 1}
        table: Key = ()
        while self._next():
            if self._skip("["):
                table = self._header(is_array=self._skip("["))
            else:
                self._pair(table)

    def _next(self) -> str:
        """The character that comes behind blanks and comments; empty at the end."""
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        return self._text[self._at : self._at + 1]

    def _skip(self, what: str) -> bool:
        """Whether ``what`` comes next; then it is passed over."""
        found = self._text.startswith(what, self._at)
        self._at += len(what) if found else 0
        return found

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise AssertionError(f"not TOML at {self._at}")  # which tomllib has taken
        self._at = match.end()
        return match

    def _names(self) -> list[str]:
        """A key, in its parts."""
        names: list[str] = []
        while not names or self._skip("."):
            bare, quoted = self._take(_NAME).groups()
            names.append(bare or tomllib.loads(f"_ = {quoted}")["_"])
        return names

    def _note(self, key: Key) -> None:
        """``key`` stands here."""
        self.lines.setdefault(key, bisect_right(self._starts, self._at))

    def _header(self, is_array: bool) -> Key:
        start = self._at
        names = self._names()
        end, self._at = self._at, start
        key: Key = ()
        for name in names[:-1]:
            key = (*key, name)
            self._note(key)
            key = (*key, self._last[key]) if key in self._last else key
        key = (*key, names[-1])
        self._note(key)
        if is_array:
            self._last[key] = self._last.get(key, -1) + 1
            key = (*key, self._last[key])
            self._note(key)
        self._at = end + (2 if is_array else 1)
        return key

    def _pair(self, table: Key) -> None:
        start = self._at
        names = self._names()
        end, self._at = self._at, start
        for depth in range(1, len(names) + 1):
            self._note((*table, *names[:depth]))
        self._at = end + 1  # behind the =
        self._next()
        self._value((*table, *names))

    def _value(self, key: Key) -> None:
        if self._skip("["):
            index = 0
            while self._next() != "]":
                self._note((*key, index))
                self._value((*key, index))
                index += 1
                self._next()
                self._skip(",")
            self._skip("]")
        elif self._skip("{"):
            while self._next() != "}":
                self._pair(key)
                self._next()
                self._skip(",")
            self._skip("}")
        else:
            self._take(_TEXT if self._text[self._at] in "\"'" else _SCALAR)
