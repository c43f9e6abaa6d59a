"""What a message is, where it says so itself and is no data: a reply, a refusal, a question.

Venues have few ways to say it. One member names the kind of message (``event``, ``type``, ``op``,
…), another how it went (``success``, ``status``, ``code``), and a number or a word of the
subscription may come back (``id``). What measures something (``price``, ``size``, …) is data,
whatever else it says: some venues call their data ``subscription``.

What is said becomes conditions on members that always say the same, and only on these: a
connection's number or a time in a reply is another one tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from fastingest.probe.field_profile import kind_of

__all__ = ["Asked", "Kind", "Said", "asked_of", "said_by"]

Kind: TypeAlias = Literal["reply", "refusal", "ping", "sign"]
"""The answer to a subscription, with a yes or a no; what wants an answer; or a sign of life."""

_VERBS = {
    *("event", "e", "ev", "type", "t", "op", "method", "channel", "action", "cmd", "command"),
    *("msgtype", "messagetype"),
}
_COMMANDS = {"event", "type", "op", "method", "action", "cmd", "command"}
_STATES = ("status", "state", "result", "retmsg", "msg", "message")
_IDENTS = ("id", "req_id", "reqId", "reqid", "request_id", "requestId")
_CODES = ("code", "retCode", "ret_code", "retcode", "err_code", "errCode", "err-code", "errorCode")

# Words of a value, split at capitals and at what is no letter.
_NO = {"error", "errors", "err", "fail", "failed", "failure", "denied", "rejected", "unauthorized"}
_LIFE = {
    *("ping", "pong", "heartbeat", "heartbeats", "hb", "info", "welcome", "hello", "connected"),
    *("status", "system", "keepalive"),
}
_YES = {"ok", "success", "succeeded", "succeed", "subscribed", "authenticated", "authorized"}
_STEMS = {
    **dict.fromkeys(("sub", "subs", "subbed", "subscribe", "subscribed", "subscribing"), "sub"),
    **dict.fromkeys(("subscription", "subscriptions", "subscribes"), "sub"),
    **dict.fromkeys(("auth", "login", "logon", "authenticated", "authenticate"), "auth"),
    **dict.fromkeys(("authorization", "authorized", "authentication", "signin"), "auth"),
    "ack": "ack",
}
_MAX_WORDS = 5

_MEASURES = {
    *("price", "px", "bid", "ask", "bids", "asks", "qty", "quantity", "size", "sz", "amount"),
    *("volume", "vol", "rate", "high", "low", "close", "last", "p", "q", "v", "b", "a"),
}
_NO_MEASURE = {"id", "time", "ts", "seq", "sequence"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_DEPTH = 5

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
# What a condition can say without quotes of any kind.
_SAYABLE = re.compile(r"[\w.:/@+|#$-]+(?: [\w.:/@+|#$-]+)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Asked(NamedTuple):
    """What a subscription says of itself."""

    ident: str
    """Its number or name, as text; empty: none."""
    verbs: frozenset[str]
    """The commands that it says it is, in small letters."""
    stems: frozenset[str]
    """``sub`` where it subscribes, ``auth`` where it logs in."""


@dataclass(frozen=True)
class Said:
    """What a message, or an element of one, says.

    :param conditions: that tell it by what it always says, without paths' beginnings; empty where
        nothing does.
    :param ident: the number of the subscription that it answers; empty: it names none.
    :param stems: as those of :class:`Asked`.
    :param verbs: the commands of subscriptions that it repeats, in small letters.
    """

    kind: Kind
    conditions: tuple[str, ...] = ()
    ident: str = ""
    stems: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()


def asked_of(text: str) -> Asked:
    """What a subscription says of itself; of what is no JSON, nothing."""
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return Asked("", frozenset(), frozenset())
    verbs = frozenset(said.lower() for name, said in _verbs(value) if _plain(name) in _COMMANDS)
    names = {stem for name in value for stem in [_STEMS.get(name.lower())] if stem}
    stems = {stem for verb in verbs for stem in _stems(verb)} | names
    return Asked(_ident(value), verbs, frozenset(stems))


def said_by(part: Any, asked: Sequence[Asked]) -> Said | None:
    """What a message, or an element of one, is; None: data, or what does not say what it is.

    :param asked: the subscriptions that were sent.
    """
    if kind_of(part) == "mixed":
        return Said("sign") if _is_list_of_life(part) else None
    if not isinstance(part, dict) or not part or _measures(part):
        return None
    if _is_ping(part):
        return Said("ping")
    return _Reader(part, asked).said()


class _Reader:
    """Reads one object that measures nothing."""

    def __init__(self, part: dict[str, Any], asked: Sequence[Asked]) -> None:
        self._part = part
        self._verbs = _verbs(part)
        self._words = {word for _, text in self._verbs for word in _words(text)}
        sent = {verb for each in asked for verb in each.verbs}
        self._echoes = {
            text for name, text in self._verbs if _plain(name) in _COMMANDS and text.lower() in sent
        }
        stems = {stem for _, text in self._verbs for stem in _stems(text)}
        ident = _ident(part)
        self._ident = ident if ident in {each.ident for each in asked if each.ident} else ""
        self._answers = bool(stems or self._ident or self._echoes)
        """Whether it names what it is the answer to."""
        states = [part[name] for name in part if _plain(name) in _STATES]
        stems |= {stem for text in states if isinstance(text, str) for stem in _stems(text, most=3)}
        stems |= {_STEMS[name.lower()] for name in part if name.lower() in _STEMS}
        self._stems = frozenset(stems)
        self._code = next(((name, part[name]) for name in _CODES if name in part), None)

    def said(self) -> Said | None:
        refusal = self._refusal()
        if refusal is not None:
            return self._as("refusal", refusal)
        states = tuple(self._states())
        if self._words & {"info", "welcome", "hello", "ping", "pong"}:
            return self._as("sign", ())
        if self._stems and (self._answers or states):
            return self._as("reply", (*self._named(), *states))
        if self._answers and (states or set(self._part) & {"result", "error"} or self._verbs):
            return self._as("reply", (*self._named(), *states))
        return self._as("sign", ()) if self._words & (_LIFE | _YES) else None

    def _as(self, kind: Kind, conditions: Sequence[str]) -> Said:
        verbs = frozenset(each.lower() for each in self._echoes)
        return Said(kind, tuple(dict.fromkeys(conditions)), self._ident, self._stems, verbs)

    def _named(self, *, of_its_own: bool = True) -> Iterator[str]:
        """Conditions on the members that say to what it is the answer.

        :param of_its_own: to which one it is, besides.
        """
        if self._ident and of_its_own:
            name = next(each for each in _IDENTS if each in self._part)
            yield from _is(name, self._part[name])
        for name, text in self._verbs:
            if text in self._echoes or _stems(text) or set(_words(text)) & (_LIFE | _YES):
                yield from _is(name, text)

    def _states(self) -> Iterator[str]:
        """Conditions on the members that say that it went well."""
        for name in ("success", "ok"):
            if self._part.get(name) is True or self._part.get(name) == "true":
                yield f"{name}=true"
        for name, value in self._part.items():
            if _plain(name) in _STATES and (
                value == 200 if isinstance(value, int) else _is_yes(value)
            ):
                yield from _is(name, value)
        if self._code is not None and str(self._code[1]) in ("0", "00000", "200"):
            yield from _is(*self._code)

    def _refusal(self) -> tuple[str, ...] | None:
        part = self._part
        for name in ("success", "ok"):
            if part.get(name) is False or part.get(name) == "false":
                return (f"{name}=false",)
        for name, text in self._verbs:
            if _NO & set(_words(text)):
                return tuple(_is(name, text))
        for name in ("error", "errors"):
            if part.get(name) and not isinstance(part[name], float):
                return (f"{name} exists",)
        for name, value in part.items():
            if _plain(name) in ("status", "result") and self._is_no(value):
                return (*self._named(of_its_own=False), *_is(name, value))
        if self._ident and part.get("result") == [] and "jsonrpc" in part:
            return (*self._named(), "result=[]")
        return self._coded()

    def _is_no(self, value: Any) -> bool:
        if isinstance(value, int) and not isinstance(value, bool):
            return value >= 400 and self._answers
        explained = {_plain(name) for name in self._part} & {*_STATES[3:], "code", "errcode"}
        about = self._answers or bool(self._verbs) or bool(explained)
        return isinstance(value, str) and about and bool(_NO & set(_words(value)))

    def _coded(self) -> tuple[str, ...] | None:
        """A number of an error with its words, and nothing of a kind of message beside them."""
        if self._code is None or str(self._code[1]) in ("", "0", "00000", "200"):
            return None
        words = next((name for name in ("msg", "message") if self._part.get(name)), None)
        if words is None or self._words & _LIFE or not isinstance(self._code[1], (int, str)):
            return None
        if self._verbs:
            about = self._named(of_its_own=False)
            return (*about, *_is(*self._code)) if self._answers else None
        is_short = len(self._part) <= 4 or bool(self._ident)
        return (f"{self._code[0]} exists", f"{words} exists") if is_short else None


def _verbs(part: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, value in part.items()
        if isinstance(value, str) and _plain(name) in _VERBS and len(_words(value)) <= _MAX_WORDS
    ]


def _ident(part: dict[str, Any]) -> str:
    found = next((part[name] for name in _IDENTS if name in part), None)
    is_one = isinstance(found, (str, int)) and not isinstance(found, bool)
    return str(found) if is_one else ""


def _is(name: str, value: Any) -> Iterator[str]:
    """The condition that a member says this; none where it cannot be written."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if _NAME.fullmatch(name) and _SAYABLE.fullmatch(text) and len(text) <= 80:
        yield f"{name}={text}"


def _is_yes(value: Any) -> bool:
    return isinstance(value, str) and value.count(" ") < 2 and bool(_YES & set(_words(value)))


def _is_ping(part: dict[str, Any]) -> bool:
    if "ping" in part:
        rest = {_plain(name) for name in part} - {"ping", "ts", "time", "timestamp", "id"}
        return not rest and not isinstance(part["ping"], (dict, list))
    verbs = _verbs(part)
    return len(verbs) == 1 and verbs[0][1].lower() == "ping" and "success" not in part


def _is_list_of_life(part: list[Any]) -> bool:
    """Whether it is ``[17470, "hb"]``, or like it."""
    texts = [each for each in part if isinstance(each, str)]
    scalars = all(not isinstance(each, (dict, list)) for each in part)
    words = set(_words(texts[0])) if len(texts) == 1 else set()
    return scalars and len(part) <= 3 and bool(words) and words <= _LIFE


def _measures(value: Any, depth: int = 0) -> bool:
    """Whether something in it is measured, as market data is."""
    if depth >= _DEPTH:
        return False
    if isinstance(value, dict):
        return any(
            (_is_number(member) and _is_measure(name))
            or (isinstance(member, (dict, list)) and _measures(member, depth + 1))
            for name, member in value.items()
        )
    if kind_of(value) in ("records", "lists", "mixed"):
        numbers = sum(_is_number(each) and "." in str(each) for each in value)
        return bool(numbers) or any(
            _measures(each, depth + 1) for each in value if isinstance(each, (dict, list))
        )
    if isinstance(value, list) and depth:
        return sum(map(_is_number, value)) >= 2
    return False


def _is_measure(name: str) -> bool:
    words = set(_words(name)) if len(name) > 1 else {name.lower()}
    return bool(words & _MEASURES) and not words & _NO_MEASURE


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _stems(text: str, most: int = _MAX_WORDS) -> set[str]:
    return {_STEMS[word] for word in _words(text)[:most] if word in _STEMS}


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
