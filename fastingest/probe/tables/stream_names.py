"""Names of streams, as ``btcusdt@trade`` and ``publicTrade.BTCUSDT``: what of them is a symbol.

A name is cut at its separators. What else says the symbol in the same message, in letters of any
size, is one here; so is what looks like one, and what differs from name to name without making the
messages another kind. In its place stands a star, for the next symbol: ``*@trade``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fastingest.probe.tables.skeleton import Skeleton, tell_apart
from fastingest.probe.tables.words import words

__all__ = ["NamedStream", "is_symbol_like", "patterns_of", "symbols_in", "texts_in"]

_OPEN = "*"
_CUT = re.compile(r"([@.:/|~]+)")
_FINE_CUT = re.compile(r"([_-]+)")
_QUOTE = r"(usd[tcdx]?|busd|btc|eth|eur|krw|jpy|gbp|try|brl|aud|idr|perp)"
_SYMBOL = re.compile(
    rf"(?=.*[A-Z])[A-Z0-9]{{2,}}([-/_][A-Z0-9]+)+|(?=.*[A-Z])[A-Z0-9]{{3,}}|[a-z0-9]{{2,}}[-_]?{_QUOTE}"
)
_DEPTH = 4
_SYMBOL_WORDS = {
    *("symbol", "symbols", "sym", "s", "instrument", "inst", "pair", "market", "code", "cd"),
    *("product", "coin", "currency", "ticker"),
}


class NamedStream(NamedTuple):
    """What came under a name.

    :param texts: what is said in all of its messages, or in some.
    :param skeletons: the shapes of the messages.
    """

    texts: frozenset[str]
    skeletons: frozenset[Skeleton]


def patterns_of(streams: Mapping[str, NamedStream]) -> dict[str, str]:
    """Each name with stars in place of symbols; empty: the rest would say nothing."""
    patterns: dict[str, str] = {}
    shapes: dict[tuple[str, ...], list[str]] = {}
    for name, stream in streams.items():
        opened = _opened(name, stream.texts)
        if opened is not None:
            patterns[name] = opened
        else:
            separators = tuple(_CUT.findall(name))
            shapes.setdefault(separators or (_OPEN, *_FINE_CUT.findall(name)), []).append(name)
    for separators, names in shapes.items():
        cut = _FINE_CUT if separators[:1] == (_OPEN,) else _CUT
        patterns |= _aligned({name: cut.split(name) for name in names}, streams)
    return {
        name: pattern if re.search(r"[A-Za-z]", pattern) and "*" not in name else ""
        for name, pattern in patterns.items()
    }


def texts_in(value: Any, depth: int = 0) -> Iterable[str]:
    """The texts that stand in a value, of an array those of its first element."""
    if isinstance(value, str):
        if 2 <= len(value) <= 40:
            yield value
    elif depth < _DEPTH and isinstance(value, dict):
        for member in value.values():
            yield from texts_in(member, depth + 1)
    elif depth < _DEPTH and isinstance(value, list):
        for element in value if depth == 0 else value[:1]:
            yield from texts_in(element, depth + 1)


def symbols_in(value: Any, depth: int = 0) -> Iterable[str]:
    """The texts in a value that its names call symbols, of an array those of its first element."""
    if isinstance(value, list):
        value = value[0] if value else None
    if depth >= _DEPTH or not isinstance(value, dict):
        return
    for name, member in value.items():
        if isinstance(member, str):
            if words(name) & _SYMBOL_WORDS:
                yield member
        else:
            yield from symbols_in(member, depth + 1)


def is_symbol_like(text: str) -> bool:
    """Whether a word in small letters ends as the names of pairs do: ``btcusdt``."""
    return text.islower() and len(text) > 5 and _SYMBOL.fullmatch(text) is not None


def _opened(name: str, texts: frozenset[str]) -> str | None:
    """The name with a star for what else says a part of it; None: nothing does."""
    for text in sorted(texts, key=len, reverse=True):
        if len(text) >= len(name):
            continue
        for said in {text, re.sub(r"[-/_:]", "", text)}:
            found = re.search(
                rf"(?<![A-Za-z0-9]){re.escape(said)}(?![A-Za-z0-9])", name, re.IGNORECASE
            )
            # A word of the name may be one of the message: trade, in trade.XBT, but no symbol.
            if found and _is_symbol(said, name, found):
                return name[: found.start()] + _OPEN + name[found.end() :]
    return None


def _is_symbol(said: str, name: str, found: re.Match[str]) -> bool:
    is_first = found.start() == 0 and name[found.end() : found.end() + 1] == "@"
    return is_first or said == said.upper() or _SYMBOL.fullmatch(said) is not None


def _aligned(
    names: Mapping[str, Sequence[str]], streams: Mapping[str, NamedStream]
) -> dict[str, str]:
    """Patterns of names that have the same separators: their parts are compared."""
    count = len(next(iter(names.values())))
    parts: dict[str, list[str]] = {name: list(each) for name, each in names.items()}
    for index in range(0, count, 2):
        of_part: dict[str, set[Skeleton]] = {}
        for name, split in names.items():
            of_part.setdefault(split[index], set()).update(streams[name].skeletons)
        is_first_of_at = index == 0 and count > 1 and next(iter(names.values()))[1] == "@"
        is_kind = len(of_part) == 1 or _are_kinds(of_part)
        for each in parts.values():
            is_symbol = (is_first_of_at and each[0][:1] != "!") or _SYMBOL.fullmatch(each[index])
            if is_symbol or not is_kind:
                each[index] = _OPEN
    return {name: "".join(each) for name, each in parts.items()}


def _are_kinds(of_part: Mapping[str, set[Skeleton]]) -> bool:
    """Whether a part of the names says what kind of messages come under them."""
    kinds = list(of_part.values())
    return len(kinds) <= 12 and all(
        tell_apart(one, other) for place, one in enumerate(kinds) for other in kinds[:place]
    )
