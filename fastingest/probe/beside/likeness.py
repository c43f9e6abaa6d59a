"""Symbols of which nothing has come yet: told by what is like them in what was sent.

Another text in the place of a symbol may be one as well, or ``heartbeats``. It is taken for one
only where something says so: the name of the member that it stands in, or what else stands in its
text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from fastingest.config.symbols import Symbols, check_symbol
from fastingest.probe.beside.known_symbols import NAMES
from fastingest.probe.beside.member_words import words

__all__ = ["PLACE", "STRING", "alike", "by_likeness", "fits", "is_like"]

PLACE = "{symbol}"
"""Where a symbol stands in a text."""

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
"""A text of JSON."""

_ANY = r"[\w*^!.:/@+-]+"  # what may be a symbol
_KEY = re.compile(r'(?:"([^"\\]*)"\s*:\s*["\[]?|[?&]([\w-]+)=)$')


def by_likeness(
    said: Sequence[str], symbols: Sequence[str | None], before: str
) -> list[str | None]:
    """The symbols of the pieces of a list; those that have not come by what their pieces are like.

    :param before: what stands before the first piece.
    """
    likes = {each.replace(one, PLACE) for each, one in zip(said, symbols, strict=True) if one}
    like = next(iter(likes), "")
    beginning, place, end = like.partition(PLACE)
    if len(likes) != 1 or not place or PLACE in end or not _is_told(beginning, end, before):
        return list(symbols)
    return [
        symbol or next(iter(_in_place(text, like)), None)
        for text, symbol in zip(said, symbols, strict=True)
    ]


def alike(templates: Iterable[str], texts: Collection[str]) -> set[str]:
    """The symbols in texts that are like others with a symbol, byte by byte but for it.

    :param templates: the others, with places.
    :param texts: those that name no symbol that has come.
    """
    told = [each for each in dict.fromkeys(templates) if _tells(each)]
    return {symbol for text in texts for each in told for symbol in _in_place(text, each)}


def is_like(text: str, template: str, symbols: Symbols) -> bool:
    """Whether a text may be a template with other symbols.

    :param template: with places for one symbol, or with a list.
    :param symbols: how they stand in the list.
    """
    each = _ANY.join(map(re.escape, symbols.each.split(PLACE)))
    some = rf"{each}(?:{re.escape(symbols.join)}{each})*"
    lists = some.join(map(re.escape, template.split("{symbols}")))
    return bool(re.fullmatch(lists.replace(re.escape(PLACE), _ANY), text))


def fits(text: str, template: str) -> bool:
    """Whether a piece of a text may be another with a symbol in its place."""
    return bool(_in_place(text, template))


def _in_place(text: str, template: str) -> list[str]:
    """The symbol that stands in each place of a template in a text; nothing where none can."""
    first, *rest = map(re.escape, template.split(PLACE))
    found = re.fullmatch(rf"{first}(?P<symbol>{_ANY}){'(?P=symbol)'.join(rest)}", text)
    if found is None:
        return []
    try:
        return [check_symbol(found["symbol"])]
    except ValueError:
        return []


def _tells(template: str) -> bool:
    """Whether something in a template says that a symbol stands in its place."""
    for string in STRING.finditer(template):
        beginning, place, end = string[0][1:-1].partition(PLACE)
        if place and _is_told(beginning, end, template[: string.start()]):
            return True
    return False


def _is_told(beginning: str, end: str, before: str) -> bool:
    """Whether it is a symbol that stands between a beginning and an end.

    :param before: what stands before the text of these.
    """
    key = _KEY.search(before)
    names = set(words(key[1] or key[2])) if key else set()
    return bool(names & NAMES) or sum(map(str.isalnum, beginning + end)) > 2
