"""The symbols in what was asked for → ``{symbols}`` and ``{symbol}`` in their places.

A text of a subscription, or of the URL, names a symbol where it holds one that has come with the
data. It becomes a place only where that is certain, and then all texts that name a symbol must:

- a list, the elements of which are alike but for the symbol, in an array, in a text with commas, or
  in a URL, becomes ``{symbols}``;
- subscriptions one after the other that are alike but for the symbol become one with ``{symbol}``.

What is sent must be what was sent, byte by byte; otherwise nothing is changed. Nor is anything
where a symbol may be left out: ``--symbols`` would ask for it as well, whatever it says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from fastingest.config.spec import Message
from fastingest.config.symbols import Symbols, has_place
from fastingest.model.feed import Feed, Subscription
from fastingest.probe.beside.likeness import PLACE, STRING, alike, by_likeness, fits, is_like

__all__ = ["Placed", "placed"]

_SHORT = 5  # characters of a symbol; a shorter one in other letters is another word
_VALUE = re.compile(r"[^?&=]+")  # the path, or a parameter's name or value
_IN_URL = re.compile(r"[^/?&=,;]+")
_REFERENCE = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True)
class Placed:
    """A feed whose symbols are in places.

    :param url: with a place, where it names symbols.
    :param messages: the subscriptions, in their order.
    """

    symbols: Symbols
    url: str
    messages: tuple[Message, ...]


class _List(NamedTuple):
    """A list in a text."""

    text: str
    """With a place for it."""
    symbols: tuple[str, ...]
    each: str
    join: str


def placed(feed: Feed, known: Collection[str]) -> Placed | None:
    """The feed with places for its symbols; None: it stays as it is.

    :param feed: as it was given, with the replies that are proposed.
    :param known: the symbols of the data.
    """
    texts = [subscription.text for subscription in feed.subscriptions]
    if not known or any(map(has_place, [feed.url, *texts])):
        return None
    if any(subscription.refused for subscription in feed.subscriptions):
        return None
    finder = _Finder(known)
    templates = [text.replace(symbol, PLACE) for text in texts if (symbol := finder.one_in(text))]
    more = alike(templates, {text for text in texts if not finder.names_any(text)})
    if more:
        finder = _Finder({*known, *more})
    found = _lists(feed, finder) or _runs(feed, finder)
    if found is None or _leaves_out_any(found):
        return None
    symbols = found.symbols
    upper = tuple(each.upper() for each in symbols.default)
    are_lower = symbols.default == tuple(each.lower() for each in upper)
    if upper != symbols.default and are_lower and set(upper) & set(known):
        found = replace(found, symbols=replace(symbols, default=upper, case="lower"))
    return found if _is_the_same(feed, found) else None


def _leaves_out_any(found: Placed) -> bool:
    """Whether a text without a place may be another one with other symbols."""
    texts = {each.text for each in found.messages}
    templates = set(filter(has_place, texts))
    return any(
        is_like(text, template, found.symbols)
        for text in texts - templates
        for template in templates
    )


def _is_the_same(feed: Feed, found: Placed) -> bool:
    """Whether the same is sent with the places as without."""
    how = found.symbols
    try:
        chosen = how.chosen(())
        made = [sent for each in found.messages for sent in each.subscriptions(how, chosen)]
        url = how.fill_url(found.url, chosen)
    except ValueError:
        return False
    return url == feed.url and [(each.text, each.reply) for each in made] == [
        (each.text, each.reply) for each in feed.subscriptions
    ]


def _message(subscription: Subscription, text: str, symbol: str = "") -> Message:
    """A subscription as it is described.

    :param symbol: it has a place for this one; empty: it has none for a single one.
    """
    reply = subscription.reply
    if reply is None:
        return Message(text, None, subscription.timeout)
    said = tuple(str(each) for each in reply)
    if symbol:
        said = tuple(each.replace(symbol, PLACE) for each in said)
    return Message(text, said, subscription.timeout)


# Lists


def _lists(feed: Feed, finder: _Finder) -> Placed | None:
    """The feed with a list in each text that names symbols, all of the same."""
    texts = [feed.url, *(each.text for each in feed.subscriptions)]
    made, lists = [], []
    for number, text in enumerate(texts):
        if not finder.names_any(text if number else _path_of(text)):
            made.append(text)
            continue
        found = next(_lists_in(text, finder, is_url=not number), None)
        if found is None:
            return None
        lists.append(found)
        made.append(found.text)
    if len({(each.symbols, each.each, each.join) for each in lists}) != 1:
        return None
    first = lists[0]
    messages = [_message(*pair) for pair in zip(feed.subscriptions, made[1:], strict=True)]
    return Placed(Symbols(first.symbols, first.each, first.join), made[0], tuple(messages))


def _lists_in(text: str, finder: _Finder, *, is_url: bool) -> Iterator[_List]:
    """The ways in which a text has one list of symbols, and names none beside it."""
    spans = _spans_in_url(text, finder) if is_url else _spans_in_json(text)
    for pieces in spans:
        found = _list_of(text, pieces, finder)
        if found is not None and not finder.names_any(_path_of(found.text)):
            yield found


def _list_of(text: str, pieces: Sequence[tuple[int, int]], finder: _Finder) -> _List | None:
    """The pieces of a text as a list; those of one symbol that follow each other are one element.

    :param pieces: from where to where each goes.
    """
    said = [text[start:end] for start, end in pieces]
    symbols = [finder.one_in(each) for each in said]
    if None in symbols:
        symbols = by_likeness(said, symbols, text[: pieces[0][0]])
    groups: list[tuple[str, int, int]] = []
    for symbol, (start, end) in zip(symbols, pieces, strict=True):
        if symbol is None:
            return None
        if groups and groups[-1][0] == symbol:
            groups[-1] = (symbol, groups[-1][1], end)
        else:
            groups.append((symbol, start, end))
    each = {text[start:end].replace(symbol, PLACE) for symbol, start, end in groups}
    between = {text[one[2] : other[1]] for one, other in pairwise(groups)}
    if len(each) != 1 or len(between) > 1:
        return None
    whole = text[: groups[0][1]] + "{symbols}" + text[groups[-1][2] :]
    names = tuple(symbol for symbol, _, _ in groups)
    return _List(whole, names, each.pop(), between.pop() if between else Symbols.join)


def _spans_in_json(text: str) -> list[list[tuple[int, int]]]:
    """Where the elements of each array are, and the pieces of texts with commas; inner first."""
    found: list[list[tuple[int, int]]] = []
    opened: list[tuple[str, int, list[int]]] = []
    at = 0
    while at < len(text):
        string = STRING.match(text, at)
        if string is not None:
            inside = string[0][1:-1]
            if "," in inside:
                ends = [*(m.start() for m in re.finditer(",", inside)), len(inside)]
                starts = [0, *(end + 1 for end in ends[:-1])]
                found.append([(at + 1 + s, at + 1 + e) for s, e in zip(starts, ends, strict=True)])
            at = string.end()
            continue
        character = text[at]
        if character in "[{":
            opened.append((character, at + 1, []))
        elif character == "," and opened:
            opened[-1][2].append(at)
        elif character in "]}" and opened:
            kind, start, commas = opened.pop()
            if kind == "[":
                starts = [start, *(comma + 1 for comma in commas)]
                pairs = zip(starts, [*commas, at], strict=True)
                found.append([_stripped(text, start, end) for start, end in pairs])
        at += 1
    return found


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())


def _path_of(text: str) -> str:
    """A URL without its host, and anything else as it is."""
    return re.sub(r"^\w+://[^/?#]*", "", text)


def _spans_in_url(url: str, finder: _Finder) -> list[list[tuple[int, int]]]:
    """Where the pieces of a URL are that name symbols, and those beside them that may."""
    chosen: list[tuple[int, int]] = []
    for value in _VALUE.finditer(url, len(url) - len(_path_of(url))):
        pieces = [piece.span() for piece in _IN_URL.finditer(url, *value.span())]
        named = {(s, e): symbol for s, e in pieces if (symbol := finder.one_in(url[s:e]))}
        likes = {url[s:e].replace(symbol, PLACE) for (s, e), symbol in named.items()}
        if "?" not in url[: value.start()]:
            likes -= {PLACE}  # any other part of the path is like it
        chosen += [
            (s, e)
            for s, e in pieces
            if (s, e) in named or any(fits(url[s:e], like) for like in likes)
        ]
    return [chosen] if chosen else []


# One by one


def _runs(feed: Feed, finder: _Finder) -> Placed | None:
    """The feed with one subscription in the place of those that are alike but for the symbol."""
    if finder.names_any(_path_of(feed.url)):
        return None
    messages: list[Message] = []
    runs: list[tuple[Message, list[str]]] = []
    for subscription in feed.subscriptions:
        symbol = finder.one_in(subscription.text)
        if symbol is None or _has_others(subscription.text, finder):
            if finder.names_any(subscription.text):
                return None
            messages.append(_message(subscription, subscription.text))
            continue
        text = subscription.text.replace(symbol, PLACE)
        message = _message(subscription, text, symbol)
        if messages and runs and messages[-1] is runs[-1][0] and message == messages[-1]:
            runs[-1][1].append(symbol)
        else:
            messages.append(message)
            runs.append((message, [symbol]))
    if len({tuple(symbols) for _, symbols in runs}) != 1:
        return None
    return Placed(Symbols(tuple(runs[0][1])), feed.url, tuple(messages))


def _has_others(text: str, finder: _Finder) -> bool:
    """Whether something stands beside a symbol in a list that may be one that has not come yet."""
    lists = (
        [finder.one_in(text[start:end]) for start, end in each] for each in _spans_in_json(text)
    )
    return any(None in each and any(each) for each in lists)


class _Finder:
    """Finds symbols in texts.

    :param known: those that it finds; longer ones in letters of any size.
    """

    def __init__(self, known: Collection[str]) -> None:
        def either(symbols: Collection[str]) -> str:
            return "|".join(map(re.escape, sorted(symbols, key=len, reverse=True))) or "(?!)"

        short = [each for each in known if len(each) < _SHORT]
        long = [each for each in known if len(each) >= _SHORT]
        self._pattern = re.compile(
            rf"(?<![A-Za-z0-9])(?:{either(short)}|(?i:{either(long)}))(?![A-Za-z0-9])"
        )

    def _all_in(self, text: str) -> set[str]:
        hidden = _REFERENCE.sub(lambda found: "\0" * len(found[0]), text)
        return {
            found[0]
            for found in self._pattern.finditer(hidden)
            if not re.match(r'"\s*:', hidden[found.end() : found.end() + 9])  # a member's name
        }

    def names_any(self, text: str) -> bool:
        """Whether a text names a symbol."""
        return bool(self._all_in(text))

    def one_in(self, text: str) -> str | None:
        """The one symbol that a text names, as it is spelt there; None: none, or several."""
        found = self._all_in(text)
        symbol = next(iter(found), None)
        if len(found) != 1 or symbol is None:
            return None
        # Everywhere it stands must be a place, and be nothing else.
        return symbol if text.count(symbol) == len(self._pattern.findall(text)) else None
