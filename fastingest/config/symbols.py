"""The symbols of a feed, and the texts that they are put into.

A text that holds ``{symbol}`` is repeated, once for each symbol. In place of ``{symbols}`` stand
all of them, each as ``each`` says, with ``join`` between two. Other braces are left alone, for JSON
is full of them.

Symbols come from a command line into URLs and JSON, so they are letters and digits with a few
marks between (:func:`check_symbol`): nothing that ends a JSON string or begins another parameter
of a URL. What of them a URL would read otherwise, such as ``/``, is percent-encoded there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

__all__ = ["Symbols", "check_symbol", "has_place"]

_SYMBOL = re.compile(r"[\w*^!](?:[\w*^!.:/@+-]{0,98}[\w*])?")


def check_symbol(text: str) -> str:
    """``text``, if it can be a symbol.

    :raises ValueError: it cannot.
    """
    if not _SYMBOL.fullmatch(text):
        raise ValueError(
            f"{text!r} cannot be a symbol: write letters and digits, with . : / @ + - _ between"
        )
    return text


def has_place(text: str) -> bool:
    """Whether symbols can be put into ``text``."""
    return "{symbol}" in text or "{symbols}" in text


@dataclass(frozen=True)
class Symbols:
    """How a feed's symbols are written.

    :param default: the symbols, where the user names none.
    :param each: how one of them stands in ``{symbols}``.
    :param join: what stands between two of them there.
    :param case: ``lower`` or ``upper``, to which they are changed; or empty, and they are not.
    """

    default: tuple[str, ...] = ()
    each: str = "{symbol}"
    join: str = ","
    case: str = ""

    def chosen(self, given: Sequence[str]) -> tuple[str, ...]:
        """The symbols to use: those given, or else the default's; none of them twice.

        :raises ValueError: one of them cannot be a symbol.
        """
        symbols = [check_symbol(symbol) for symbol in given or self.default]
        if self.case:
            symbols = [
                symbol.lower() if self.case == "lower" else symbol.upper() for symbol in symbols
            ]
        return tuple(dict.fromkeys(symbols))

    def listed(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """How each of ``symbols`` stands in ``{symbols}``."""
        return tuple(self.each.replace("{symbol}", symbol) for symbol in symbols)

    def fill(self, text: str, symbols: Sequence[str], *, one: str = "") -> str:
        """``text`` with ``symbols`` for ``{symbols}``, and ``one`` for ``{symbol}``."""
        together = self.join.join(self.listed(symbols))
        return text.replace("{symbols}", together).replace("{symbol}", one)

    def fill_url(self, url: str, symbols: Sequence[str]) -> str:
        """The same for a URL, in which a symbol must not be read as a part of its syntax."""
        return self.fill(url, [quote(symbol, safe=":@*!") for symbol in symbols])
