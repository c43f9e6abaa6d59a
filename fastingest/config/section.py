"""A table of a TOML file that is being read: what it says, and what is wrong with it.

Mistakes are collected, and reading goes on, so that all of them can be shown at once; a value that
is wrong reads as if it were not there. Keys may be written with ``-`` or ``_``.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from fastingest.config.toml_file import Key, TomlFile
from fastingest.errors import ConfigError, OptionError

__all__ = ["Section", "json_text"]

T = TypeVar("T")

_KINDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "an array",
    dict: "a table",
}


def kind_of(value: Any) -> str:
    """What a person calls a value of TOML."""
    return _KINDS.get(type(value), "a date or a time")


def json_text(value: Any) -> str:
    """A text as it is; a table or an array as JSON.

    :raises ValueError: JSON has no such value.
    """
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError("JSON has no dates, no times, no inf and no nan; write a text") from None


class Section:
    """One table.

    :param file: the file.
    :param key: where the table is in it.
    :param values: what it says.
    :param problems: where to put what is wrong.
    """

    def __init__(
        self, file: TomlFile, key: Key, values: dict[str, Any], problems: list[ConfigError]
    ) -> None:
        self.file = file
        self.key = key
        self.problems = problems
        self._values: dict[str, Any] = {}
        self._written: dict[str, str] = {}
        for written, value in values.items():
            name = written.replace("-", "_")
            if name in self._values:
                said = f"{written!r} and {self._written[name]!r} are the same"
                problems.append(file.error((*key, written), said))
                continue
            self._values[name] = value
            self._written[name] = written

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def key_of(self, name: str) -> Key:
        """Where ``name`` is in the file."""
        return (*self.key, self._written.get(name, name))

    def is_array(self, name: str) -> bool:
        """Whether an array stands there."""
        return isinstance(self._values.get(name), list)

    def problem(self, name: str, problem: str, *more: str | int) -> None:
        """Note that ``name``, or its element ``more``, is wrong."""
        self.problems.append(self.file.error((*self.key_of(name), *more), problem))

    def only(self, allowed: Collection[str], elsewhere: Collection[str] = ()) -> None:
        """Note every key that is not in ``allowed``.

        :param elsewhere: keys that are known, but in another place.
        """
        for name in self._values:
            if name in allowed:
                continue
            written = self._written[name]
            if name in elsewhere:
                self.problem(name, f"{written!r} belongs into [[feed]]; move it there")
                continue
            close = difflib.get_close_matches(name, [*allowed, *elsewhere], 1)
            hint = f"; did you mean {close[0].replace('_', '-')!r}?" if close else ""
            self.problem(name, f"there is no key {written!r} here{hint}")

    def need(self, names: Collection[str], who: str) -> None:
        """Note every one of these keys that is not there.

        :param who: needs them, for a person.
        """
        for name in names:
            if name not in self:
                self.problem(name, f"{who} needs {name!r}")

    def get(self, name: str, *kinds: type) -> Any:
        """The value of ``name`` if it is of one of these kinds; else None."""
        value = self._values.get(name)
        if value is None or type(value) in kinds:
            return value
        wanted = " or ".join(_KINDS[kind] for kind in kinds)
        self.problem(name, f"{self._written[name]!r} must be {wanted}, and is {kind_of(value)}")
        return None

    def text(self, name: str) -> str | None:
        """A text, not empty."""
        value: str | None = self.get(name, str)
        if value == "":
            self.problem(name, f"{self._written[name]!r} is empty")
            return None
        return value

    def items(self, name: str, *kinds: type) -> list[Any] | None:
        """The elements of an array; or what stands there alone, as the only one."""
        value = self.get(name, list, *kinds)
        if value is None:
            return None
        items = value if isinstance(value, list) else [value]
        for index, item in enumerate(items):
            if type(item) not in kinds:
                wanted = " or ".join(_KINDS[kind] for kind in kinds)
                self.problem(
                    name,
                    f"each of {self._written[name]!r} must be {wanted}, and one is {kind_of(item)}",
                    index,
                )
        return [item for item in items if type(item) in kinds]

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Texts: one, or an array of them."""
        items = self.items(name, str)
        return None if items is None else tuple(items)

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of ``choices``."""
        value = self.text(name)
        if value is not None and value not in choices:
            self.problem(name, f"{value!r} is not one of {', '.join(choices)}")
            return None
        return value

    def read(self, name: str, value: Any, parse: Callable[[Any], T], *more: str | int) -> T | None:
        """What ``parse`` makes of ``value``, which stands at ``name``; None if it raises.

        :param more: the element of ``name`` that it is.
        """
        if value is None:
            return None
        try:
            return parse(value)
        except OptionError as error:
            self.problem(name, error.problem, *more)
        except ValueError as error:
            self.problem(name, str(error), *more)
        return None

    def sections(self, name: str) -> list[Section]:
        """The tables of an array of tables; or the one that stands there alone."""
        value = self.get(name, list, dict)
        if isinstance(value, dict):
            return [Section(self.file, self.key_of(name), value, self.problems)]
        tables = []
        for index, item in enumerate(value or ()):
            if isinstance(item, dict):
                key = (*self.key_of(name), index)
                tables.append(Section(self.file, key, item, self.problems))
            else:
                self.problem(name, f"{self._written[name]!r} must be tables", index)
        return tables
