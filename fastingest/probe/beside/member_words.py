"""The members by which messages say what they are, and the words in them."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["IDENTS", "STEMS", "ident_of", "plain", "stems_of", "verbs_of", "words"]

_VERBS = {
    *("event", "e", "ev", "type", "t", "op", "method", "channel", "action", "cmd", "command"),
    *("msgtype", "messagetype", "m", "feed"),
}

IDENTS = ("id", "req_id", "reqId", "reqid", "request_id", "requestId")
"""Names of a message's own number, which comes back with its reply."""

STEMS = {
    **dict.fromkeys(("sub", "subs", "subbed", "subscribe", "subscribed", "subscribing"), "sub"),
    **dict.fromkeys(("subscription", "subscriptions", "subscribes"), "sub"),
    **dict.fromkeys(("auth", "login", "logon", "authenticated", "authenticate"), "auth"),
    **dict.fromkeys(("authorization", "authorized", "authentication", "signin"), "auth"),
    "ack": "ack",
}
"""Words of subscriptions and logins, and of their replies, each with what it is about."""

_MAX_WORDS = 5

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def verbs_of(part: dict[str, Any]) -> list[tuple[str, str]]:
    """The members that name a kind of message, each with what it says."""
    return [
        (name, value)
        for name, value in part.items()
        if isinstance(value, str) and plain(name) in _VERBS and len(words(value)) <= _MAX_WORDS
    ]


def ident_of(part: dict[str, Any]) -> str:
    """A message's own number or name, as text; empty: it has none."""
    found = next((part[name] for name in IDENTS if name in part), None)
    is_one = isinstance(found, (str, int)) and not isinstance(found, bool)
    return str(found) if is_one else ""


def words(text: str) -> list[str]:
    """The words of a text, split at capitals and at what is no letter, in small letters."""
    return [word.lower() for word in _WORD.findall(text)]


def stems_of(text: str, most: int = _MAX_WORDS) -> set[str]:
    """What the first words of a text are about, as :data:`STEMS` has it."""
    return {STEMS[word] for word in words(text)[:most] if word in STEMS}


def plain(name: str) -> str:
    """A name as it is, however it is spelt: ``ret_msg`` and ``retMsg`` are ``retmsg``."""
    return name.lower().replace("_", "").replace("-", "")
