"""Discriminators: the texts by which a message says what it is, such as ``{"e": "trade"}``.

What may be one is told by its name (``type``, ``event``, ``channel``, …), or, in an array, by being
a text among the positions. Its value then is one of three:

- a *type*: a plain word that names a kind of message, ``trade`` or ``bookTicker``;
- a *phase*: ``snapshot``, ``update`` and the like, which come one after the other and belong to one
  table;
- anything else, such as a topic that holds the symbol (``btcusdt@trade``). It changes with what is
  subscribed to, so it tells kinds of messages apart only where nothing better does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fastingest.probe.field_profile import Steps, kind_of

__all__ = ["discriminators_of", "is_control", "is_generic", "is_phase", "is_type", "rank"]

# The most telling ones first.
_NAMES = (
    "e",
    "ev",
    "event",
    "eventtype",
    "type",
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
_PHASES = {"snapshot", "update", "updates", "delta", "partial", "insert", "delete", "new", "change"}
_GENERIC = {"message", "data", "subscription", "notification", "push", "event", "msg", "public"}
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
_DEPTH = 3
_MAX_LENGTH = 80
# What a condition can say: no comma, which separates its values, and no space at its ends.
_SAYABLE = re.compile(r"[^\s,\d\x00-\x1f]([^,\x00-\x1f]*[^\s,\x00-\x1f])?")
_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)


def discriminators_of(value: Any) -> dict[Steps, str]:
    """The discriminators of a message or of a row, each by where it is."""
    found: dict[Steps, str] = {}
    if kind_of(value) == "mixed":
        for index, element in enumerate(value):
            if isinstance(element, str) and _is_sayable(element):
                found[(index,)] = element
    else:
        _collect(value, (), found)
    return found


def _collect(value: Any, steps: Steps, found: dict[Steps, str]) -> None:
    if not isinstance(value, dict) or len(steps) >= _DEPTH:
        return
    for name, member in value.items():
        if isinstance(member, dict):
            _collect(member, (*steps, name), found)
        elif isinstance(member, str) and _rank_of_name(name) is not None and _is_sayable(member):
            found[(*steps, name)] = member


def _is_sayable(text: str) -> bool:
    return len(text) <= _MAX_LENGTH and _SAYABLE.fullmatch(text) is not None


def _rank_of_name(name: str) -> int | None:
    for each in (name, name.lower().replace("_", "")):
        if each in _NAMES:
            return _NAMES.index(each)
    return None


def rank(steps: Steps) -> tuple[int, int]:
    """How telling a discriminator is by where it stands: the lower, the more."""
    last = steps[-1]
    place = _rank_of_name(last) if isinstance(last, str) else 0
    return (len(_NAMES) if place is None else place, len(steps))


def is_type(values: Iterable[str]) -> bool:
    """Whether all of these say a kind of message."""
    return all(
        _WORD.fullmatch(value) and not (value.isupper() and len(value) > 4) for value in values
    )


def is_phase(values: Iterable[str]) -> bool:
    """Whether all of these say a phase."""
    return all(value.lower() in _PHASES for value in values)


def is_generic(values: Iterable[str]) -> bool:
    """Whether these say nothing that another kind of message would not say as well."""
    return all(value.lower() in _GENERIC for value in values)


def is_control(values: Iterable[str]) -> bool:
    """Whether any of these says that the message is an answer, or a sign of life."""
    return any(value.lower().replace("_", "") in _CONTROL for value in values)
