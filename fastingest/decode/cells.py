"""What a type of column is: three ways to read values, with one outcome.

See :mod:`fastingest.decode.column_types`, which has the types, and says what the values mean.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

__all__ = ["Cells", "ColumnType", "cells_of", "content_of", "shown"]

_NO_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity|∞)", re.ASCII | re.IGNORECASE)


class ColumnType(ABC):
    """How the values of one type are read."""

    parsed: Any
    """The msgspec type of a member; None: a text, that is ``str`` or ``msgspec.Raw``."""

    checked = True
    """Whether parsed cells must be settled before they are cells."""

    is_text = False
    """Whether an empty string is a cell like others."""

    is_number = False
    """Whether there are words for values that are none, such as ``"NaN"``."""

    takes_null = False
    """Whether null is an empty cell where the column is required as well."""

    has_other_forms = False
    """Whether there are values that fit, and are not of the type :attr:`parsed`."""

    @abstractmethod
    def settle(self, values: list[Any]) -> list[Any] | None:
        """Cells of what was parsed (str or Raw where :attr:`parsed` is None), if all fit."""

    @abstractmethod
    def settle_raw(self, values: list[Any]) -> list[Any] | None:
        """Cells of the JSON texts (Raw or bytes) of values that are not null, if all fit."""

    @abstractmethod
    def read(self, raw: bytes) -> Any:
        """The cell of one value, which is not null.

        :raises ValueError: it does not fit.
        """

    def is_blank(self, content: str | None) -> bool:
        """Whether an optional column has an empty cell for a value.

        :param content: a string's characters; None: the value is no string.
        """
        return (content == "" and not self.is_text) or self.is_no_number(content)

    def is_no_number(self, content: str | None) -> bool:
        """Whether a value says that there is no number; these are counted."""
        return self.is_number and bool(content) and _NO_NUMBER.fullmatch(content or "") is not None


class Cells(NamedTuple):
    """The cells of a column."""

    cells: list[Any]
    blanked: int = 0
    """How many are empty because the value was no number."""


def cells_of(
    kind: ColumnType,
    settle: Callable[[list[Any]], list[Any] | None],
    values: list[Any],
    *,
    required: bool,
) -> Cells | None:
    """What ``settle`` makes of the values; None if they do not fit.

    :param settle: of ``kind``.
    :param values: str or Raw; None, an empty Raw and one of null are empty cells.
    :param required: whether there may be no empty cells, but for null where ``kind`` takes that.
    """
    some = [value for value in values if value is not None]
    if some and isinstance(some[0], msgspec.Raw):
        joined = b",%b," % b",".join(some)
        if b",," in joined or b"null" in joined:  # there may be empty ones
            texts = [b"" if value is None else bytes(value) for value in values]
            if kind.takes_null and b"" not in texts:
                required = False
            values = [None if text in (b"", b"null") else text for text in texts]
            some = [value for value in values if value is not None]
    if len(some) == len(values):
        settled = settle(values)
        if settled is not None or required:
            return None if settled is None else Cells(settled)
    elif required:
        return None
    else:
        settled = settle(some)
    blanked = 0
    if settled is None:
        values, blanked = _without_blank(kind, values)
        settled = settle([value for value in values if value is not None])
        if settled is None:
            return None
    cells = iter(settled)
    return Cells([None if value is None else next(cells) for value in values], blanked)


def _without_blank(kind: ColumnType, values: list[Any]) -> tuple[list[Any], int]:
    """The values, with None for those for which a cell is empty; and how many are no numbers."""
    contents = [value if type(value) is str else content_of(value) for value in values]
    left = [
        None if kind.is_blank(content) else value
        for content, value in zip(contents, values, strict=True)
    ]
    return left, sum(map(kind.is_no_number, contents))


def content_of(raw: Any) -> str | None:
    """The characters of a JSON string; None for any other value, and for None.

    :param raw: Raw or bytes.
    """
    text = b"" if raw is None else bytes(raw)
    return msgspec.json.decode(text, type=str) if text.startswith(b'"') else None


def shown(raw: bytes) -> str:
    """A value, for an error's text."""
    text = raw[:43].decode(errors="ignore")
    return " ".join((text if len(raw) <= 40 else f"{text[:40]}…").split())
