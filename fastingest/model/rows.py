"""Where in a message its rows are.

::

    data.trades      one row, or an array of rows
    c.bids?          the same; a message that has nothing there is ignored
"""

from __future__ import annotations

from typing import NamedTuple

from fastingest.model.jsonpath import JsonPath, Steps, parse_path

__all__ = ["Rows", "parse_rows"]


class Rows(NamedTuple):
    """Where a table's rows are.

    :param path: from the message's root.
    :param is_optional: whether a message that conditions have asked for may have nothing there.
    """

    path: JsonPath = JsonPath()
    is_optional: bool = False

    @property
    def steps(self) -> Steps:
        """The steps to them."""
        return self.path.steps

    def __str__(self) -> str:
        return f"{self.path}?" if self.is_optional else str(self.path)


def parse_rows(text: str) -> Rows:
    """Where ``text`` says that the rows are.

    :raises ValueError: it says it of nowhere.
    """
    text = text.strip()
    path = parse_path(text.removesuffix("?"))
    if text.endswith("?") and not path.steps:
        raise ValueError(f"{text!r} is the whole message, which is always there")
    return Rows(path, text.endswith("?"))
