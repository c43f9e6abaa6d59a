"""Discriminators: the texts by which a message says what it is, such as ``{"e": "trade"}``.

What may be one is told by its name (``type``, ``event``, ``channel``, …), or, in an array, by being
a text among the positions. Others are found: a member of any name whose values, few words, come
with other members each (:class:`Discriminators`). A value then is one of three:

- a *type*: a plain word that names a kind of message, ``trade`` or ``bookTicker``, or the name of a
  stream without its symbol (:mod:`fastingest.probe.tables.stream_names`), ``*@trade``;
- a *phase*: ``snapshot``, ``update`` and the like, which come one after the other and belong to one
  table;
- anything else, such as the name of a stream that cannot be cut. It changes with what is subscribed
  to, so it tells nothing apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from fastingest.probe.tables.field_profile import Steps, follow, kind_of
from fastingest.probe.tables.skeleton import Skeleton, skeleton_of, tell_apart
from fastingest.probe.tables.stream_names import (
    NamedStream,
    is_symbol_like,
    patterns_of,
    symbols_in,
    texts_in,
)
from fastingest.probe.tables.words import says_whose, side_of

__all__ = [
    "Discriminators",
    "discriminators_of",
    "is_control",
    "is_generic",
    "is_phase",
    "is_ticker_like",
    "is_type",
    "rank",
]

# The most telling ones first.
_NAMES = (
    "e",
    "ev",
    "event",
    "eventtype",
    "type",
    "ty",
    "T",
    "t",
    "msgtype",
    "messagetype",
    "kind",
    "table",
    "channel",
    "ch",
    "chan",
    "subject",
    "action",
    "op",
    "cmd",
    "method",
    "feed",
    "topic",
    "stream",
    "name",
)
_PHASES = {
    *("snapshot", "update", "updates", "delta", "partial", "insert", "delete", "new", "change"),
    *("incremental", "full", "initial", "image", "refresh", "changes", "remove", "amend"),
}
_GENERIC = {
    *("message", "data", "subscription", "notification", "push", "event", "msg", "public"),
    *("channel_data", "payload", "stream", "feed", "market"),
}
_CONTROL = {
    "subscribe",
    "subscribed",
    "subscriptions",
    "subscriptionstatus",
    "unsubscribe",
    "unsubscribed",
    "heartbeat",
    "heartbeats",
    "hb",
    "ping",
    "pong",
    "info",
    "error",
    "welcome",
    "hello",
    "status",
    "systemstatus",
    "system",
    "login",
    "auth",
    "authenticated",
    "success",
    "connected",
    "ack",
    "reply",
    "response",
    "result",
}
# Names that may stand for a symbol as well.
_AMBIGUOUS = ("t", "T", "name")
_STREAMS = ("channel", "ch", "chan", "feed", "topic", "stream", "subject", "table")
_KIND = re.compile(
    r"trade|book|tick|quote|spread|ohlc|candle|kline|depth|level|order|bbo|price|fund|liq|mark|index"
    r"|bar|match|deal|transaction|fill|mids|data|l[123]_|stat",
    re.IGNORECASE,
)
_DEPTH = 3
_MAX_FOUND = 8  # values of a discriminator that is none by its name
_MAX_LENGTH = 80
# What a condition can say: no comma, which separates its values, and no space at its ends.
_SAYABLE = re.compile(r"[^\s,\d\x00-\x1f]([^,\x00-\x1f]*[^\s,\x00-\x1f])?")
_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)
_PLAIN = re.compile(r"(?=.*[a-z])[A-Za-z][A-Za-z_]*")


def discriminators_of(value: Any, also: Iterable[Steps] = ()) -> dict[Steps, str]:
    """The discriminators of a message or of a row, each by where it is.

    :param also: where there are more than names say.
    """
    found: dict[Steps, str] = {}
    if kind_of(value) == "mixed":
        said = [(index, each) for index, each in enumerate(value) if isinstance(each, str)]
        for index, element in said:
            if _is_sayable(element) and not is_ticker_like(element):
                found[(index,)] = element
                found[(index - len(value),)] = element
    else:
        is_alone = isinstance(value, list) and len(value) == 1
        for steps, text in _texts(value[0], (0,)) if is_alone else _texts(value):
            if _rank_of_name(steps[-1]) is None or not _is_sayable(text):
                continue
            if steps[-1] not in _AMBIGUOUS or not is_ticker_like(text):
                found[steps] = text
        for steps in also:
            text = follow(value, steps)
            if isinstance(text, str) and _is_sayable(text):
                found[steps] = text
    return found


def _texts(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """The texts that are members of objects, down to some depth."""
    if not isinstance(value, dict) or len(steps) >= _DEPTH:
        return
    for name, member in value.items():
        if isinstance(member, dict):
            yield from _texts(member, (*steps, name))
        elif isinstance(member, str):
            yield (*steps, name), member


class Discriminators:
    """What tells kinds of values apart.

    :param values: messages, or rows.
    :param beside: replies and the like, which say the same words and tell nothing of kinds.
    """

    def __init__(self, values: Iterable[Any], beside: Iterable[Any] = ()) -> None:
        listed = list(values)
        skeletons = [skeleton_of(value) for value in listed]
        self._found = _found_in(listed, skeletons)
        self._words: dict[Steps, set[str]] = {}
        self._symbols = {text.lower() for value in listed for text in symbols_in(value)}
        streams: dict[Steps, dict[str, tuple[set[str], set[Skeleton]]]] = {}
        for value, skeleton in zip(listed, skeletons, strict=True):
            names = self._names_in(value)
            texts = set(texts_in(value)) if names else set()
            for steps, text in names:
                seen = streams.setdefault(steps, {}).setdefault(text, (set(), set()))
                seen[0].update(texts)
                seen[1].add(skeleton)
        for value in beside:
            self._names_in(value)
        self._patterns = {
            steps: patterns_of(
                {
                    text: NamedStream(frozenset(texts), frozenset(seen))
                    for text, (texts, seen) in by_text.items()
                }
            )
            for steps, by_text in streams.items()
        }

    def _names_in(self, value: Any) -> list[tuple[Steps, str]]:
        """The discriminators of a value that are no words; words are taken note of."""
        names = []
        for steps, text in self.of(value).items():
            if is_type((text,)):
                self._words.setdefault(steps, set()).add(text)
            else:
                names.append((steps, text))
        return names

    def of(self, value: Any) -> dict[Steps, str]:
        """Those of a value, each by where it is."""
        return discriminators_of(value, self._found)

    def is_telling(self, steps: Steps, texts: Iterable[str]) -> bool:
        """Whether words at a place surely name kinds of messages, and are no symbols by chance."""
        name = steps[-1]
        # A channel may be a symbol where nothing else says one.
        is_doubtful = name in _STREAMS and not self._symbols
        if isinstance(name, str) and name not in _AMBIGUOUS and not is_doubtful:
            return True
        return all(len(text) <= 2 or _KIND.search(text) for text in texts)

    def has_types_at(self, steps: Steps) -> bool:
        """Whether words stand there that name kinds of messages, and no phases and answers."""
        return any(
            not (is_phase((word,)) or is_generic((word,)) or is_control((word,)))
            for word in self._words.get(steps, ())
        )

    def type_at(self, steps: Steps, text: str) -> str:
        """The type that a text says, with a star where a symbol is; empty: it says none."""
        if text.lower() in self._symbols or is_symbol_like(text):
            return ""
        if is_type((text,)):
            return text
        return self._patterns.get(steps, {}).get(text, "")


def _found_in(values: list[Any], skeletons: list[Skeleton]) -> list[Steps]:
    """Where words stand that come with other members each."""
    seen: dict[Steps, dict[str, list[Skeleton]]] = {}
    for value, skeleton in zip(values, skeletons, strict=True):
        for steps, text in _texts(value):
            if _rank_of_name(steps[-1]) is None and not says_whose(steps[-1]):
                by_text = seen.setdefault(steps, {})
                if text in by_text or len(by_text) <= _MAX_FOUND:
                    by_text.setdefault(text, []).append(skeleton)
    return [steps for steps, by_text in seen.items() if _are_found(by_text)]


def _are_found(by_text: dict[str, list[Skeleton]]) -> bool:
    if not 2 <= len(by_text) <= _MAX_FOUND or any(len(each) < 2 for each in by_text.values()):
        return False
    if not all(_PLAIN.fullmatch(text) and not side_of(text) for text in by_text):
        return False
    kinds = list(by_text.values())
    return all(
        tell_apart(set(one), set(other))
        for place, one in enumerate(kinds)
        for other in kinds[:place]
    )


def _is_sayable(text: str) -> bool:
    return len(text) <= _MAX_LENGTH and _SAYABLE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _rank_of_name(name: str | int) -> int | None:
    for each in (name, str(name).lower().replace("_", "")):
        if each in _NAMES:
            return _NAMES.index(each)
    return None


def rank(steps: Steps) -> tuple[int, int, int]:
    """How telling a discriminator is by where it stands: the lower, the more."""
    last = steps[-1]
    place = _rank_of_name(last) if isinstance(last, str) else 0
    index = last if isinstance(last, int) else 0
    return (len(_NAMES) if place is None else place, len(steps), index % 1000)


def is_ticker_like(text: str) -> bool:
    """Whether a text in capitals may be a symbol, where a type may stand as well."""
    return text.isupper() and len(text) > 2 and not _KIND.search(text)


def is_type(values: Iterable[str]) -> bool:
    """Whether all of these say a kind of message, by a plain word."""
    return all(
        _WORD.fullmatch(value) and not (value.isupper() and len(value) > 4) for value in values
    )


def is_phase(values: Iterable[str]) -> bool:
    """Whether all of these say a phase."""
    return all(value.lower() in _PHASES for value in values)


def is_generic(values: Iterable[str]) -> bool:
    """Whether these say nothing that another kind of message would not say as well."""
    texts = list(values)
    return bool(texts) and all(text.lower() in _GENERIC for text in texts)


def is_control(values: Iterable[str]) -> bool:
    """Whether any of these says that the message is an answer, or a sign of life."""
    return any(value.lower().replace("_", "") in _CONTROL for value in values)
