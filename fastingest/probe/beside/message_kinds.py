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

from fastingest.probe.beside.measures import measures
from fastingest.probe.beside.member_words import (
    IDENTS,
    STEMS,
    ident_of,
    plain,
    stems_of,
    verbs_of,
    words,
)
from fastingest.probe.tables.field_profile import kind_of

__all__ = ["Asked", "Kind", "Said", "asked_of", "said_by"]

Kind: TypeAlias = Literal["reply", "refusal", "ping", "sign"]
"""The answer to a subscription, with a yes or a no; what wants an answer; or a sign of life."""

_COMMANDS = {"event", "type", "op", "method", "action", "cmd", "command"}
_STATES = ("status", "state", "result", "retmsg", "msg", "message")
_CODES = ("code", "retCode", "ret_code", "retcode", "err_code", "errCode", "err-code", "errorCode")

_TIMES = {"ts", "time", "timestamp", "timems", "connid"}
_ERROR = re.compile(r"err(or)?(s|code|no|msg|message|desc|description|text|type|info)?")

# Words of a value.
_NO = {"error", "errors", "err", "fail", "failed", "failure", "denied", "rejected", "unauthorized"}
_WHY_NOT = {"exceed", "exceeded", "exceeds", "invalid", "forbidden", "expired", "unknown"}
"""Of a text that explains a status; elsewhere they may be said of anything."""
_LIFE = {
    *("ping", "pong", "heartbeat", "heartbeats", "hb", "info", "welcome", "hello", "connected"),
    *("status", "system", "keepalive"),
}
_YES = {"ok", "success", "succeeded", "succeed", "subscribed", "authenticated", "authorized"}
_LONG = 6  # characters of a text that comes back by no chance

_DEPTH = 5

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
    names: frozenset[str] = frozenset()
    """Its members'."""
    texts: frozenset[str] = frozenset()
    """What it asks for, and whatever else are long texts in it."""


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
    verbs = frozenset(said.lower() for name, said in verbs_of(value) if plain(name) in _COMMANDS)
    names = {stem for name in value for stem in [STEMS.get(name.lower())] if stem}
    stems = {stem for verb in verbs for stem in stems_of(verb)} | names
    texts = frozenset(each for each in _texts(value) if len(each) >= _LONG)
    return Asked(ident_of(value), verbs, frozenset(stems), frozenset(value), texts)


def said_by(part: Any, asked: Sequence[Asked]) -> Said | None:
    """What a message, or an element of one, is; None: data, or what does not say what it is.

    :param asked: the subscriptions that were sent.
    """
    if kind_of(part) == "mixed":
        return Said("sign") if _is_list_of_life(part) else None
    if not isinstance(part, dict) or not part or measures(part):
        return None
    if _is_ping(part):
        return Said("ping")
    return _Reader(part, asked).said()


class _Reader:
    """Reads one object that measures nothing."""

    def __init__(self, part: dict[str, Any], asked: Sequence[Asked]) -> None:
        self._part = part
        self._verbs = verbs_of(part)
        self._words = {word for _, text in self._verbs for word in words(text)}
        sent = {verb for each in asked for verb in each.verbs}
        self._echoes = {
            text for name, text in self._verbs if plain(name) in _COMMANDS and text.lower() in sent
        }
        stems = {stem for _, text in self._verbs for stem in stems_of(text)}
        ident = ident_of(part)
        self._ident = ident if ident in {each.ident for each in asked if each.ident} else ""
        self._answers = bool(stems or self._ident or self._echoes)
        """Whether it names what it is the answer to."""
        states = [part[name] for name in part if plain(name) in _STATES]
        stems |= {
            stem for text in states if isinstance(text, str) for stem in stems_of(text, most=3)
        }
        stems |= {STEMS[name.lower()] for name in part if name.lower() in STEMS}
        self._stems = frozenset(stems)
        self._code = next(((name, part[name]) for name in _CODES if name in part), None)
        self._is_pong = any(str(text).lower() == "pong" for text in states)
        texts = {text for text in part.values() if isinstance(text, str)}
        self._repeats = any(texts & each.texts for each in asked)
        """Whether what was asked for stands in it."""
        self._is_plain = bool(asked) and not self._verbs and all(map(_is_state, part))
        """Whether there is nothing in it but how something went."""

    def said(self) -> Said | None:
        refusal = self._refusal()
        if refusal is not None:
            return self._as("refusal", refusal)
        states = tuple(self._states())
        if self._words & {"info", "welcome", "hello", "ping", "pong"} or self._is_pong:
            return self._as("sign", ())
        if self._stems and (self._answers or states):
            return self._as("reply", (*self._named(), *states))
        if self._answers and (states or set(self._part) & {"result", "error"} or self._verbs):
            return self._as("reply", (*self._named(), *states))
        if states and (self._repeats or self._is_plain):
            return self._as("reply", states)
        return self._as("sign", ()) if self._words & (_LIFE | _YES) else None

    def _as(self, kind: Kind, conditions: Sequence[str]) -> Said:
        verbs = frozenset(each.lower() for each in self._echoes)
        return Said(kind, tuple(dict.fromkeys(conditions)), self._ident, self._stems, verbs)

    def _named(self, *, of_its_own: bool = True) -> Iterator[str]:
        """Conditions on the members that say to what it is the answer.

        :param of_its_own: to which one it is, besides.
        """
        if self._ident and of_its_own:
            name = next(each for each in IDENTS if each in self._part)
            yield from _is(name, self._part[name])
        for name, text in self._verbs:
            if text in self._echoes or stems_of(text) or set(words(text)) & (_LIFE | _YES):
                yield from _is(name, text)

    def _states(self) -> Iterator[str]:
        """Conditions on the members that say that it went well."""
        for name in ("success", "ok"):
            if self._part.get(name) is True or self._part.get(name) == "true":
                yield f"{name}=true"
        for name, value in self._part.items():
            if plain(name) in _STATES and (
                value == 200 if isinstance(value, int) else _is_yes(value)
            ):
                yield from _is(name, value)
        if self._code is not None and str(self._code[1]) in ("0", "00000", "200"):
            yield from _is(*self._code)

    def _refusal(self) -> tuple[str, ...] | None:
        """Conditions on what says no; None: nothing does."""
        denied = self._denied()
        if denied is not None:
            return denied
        part, about = self._part, tuple(self._named(of_its_own=False))
        for name, value in part.items():
            if plain(name) in ("status", "result") and self._is_no(value):
                return (*about, *_is(name, value))
        if self._ident and part.get("result") == [] and "jsonrpc" in part:
            return (*self._named(), "result=[]")
        for name, value in part.items():
            if _ERROR.fullmatch(plain(name)) and _NAME.fullmatch(name) and _says_error(value):
                return (*about, f"{name} exists", f"{name}!=0")
        return self._coded()

    def _denied(self) -> tuple[str, ...] | None:
        """The same for what says so by itself."""
        for name in ("success", "ok"):
            if self._part.get(name) is False or self._part.get(name) == "false":
                return (f"{name}=false",)
        for name, text in self._verbs:
            if _NO & set(words(text)):
                return tuple(_is(name, text))
        for name in ("error", "errors"):
            if self._part.get(name) and not isinstance(self._part[name], float):
                return (f"{name} exists",)
        return None

    def _is_no(self, value: Any) -> bool:
        if isinstance(value, int) and not isinstance(value, bool):
            return value >= 400 and self._answers
        explained = {plain(name) for name in self._part} & {*_STATES[3:], "code", "errcode"}
        about = self._answers or bool(self._verbs) or bool(explained)
        if not isinstance(value, str) or not about:
            return False
        return bool({*_NO, "not"} & set(words(value))) or self._is_explained_as_no(value)

    def _is_explained_as_no(self, status: str) -> bool:
        """Whether a status is a no by the words beside it, and there is nothing else in it."""
        verbs = {name for name, _ in self._verbs}
        is_well = bool({*_LIFE, *_YES} & set(words(status)))
        if is_well or not all(_is_state(name) for name in {*self._part} - verbs):
            return False
        said = [self._part[name] for name in self._part if plain(name) in _STATES[3:]]
        why = {word for text in said if isinstance(text, str) for word in words(text)}
        return bool({*_NO, *_WHY_NOT} & why)

    def _coded(self) -> tuple[str, ...] | None:
        """A number of an error with its words, and nothing of a kind of message beside them."""
        if any(str(self._part.get(name)).lower().startswith("not ") for name in ("msg", "message")):
            return ()  # in words that are others each time
        if self._code is None or str(self._code[1]) in ("", "0", "00000", "200"):
            return None
        why = next((name for name in ("msg", "message") if self._part.get(name)), None)
        if why is None or self._words & _LIFE or not isinstance(self._code[1], (int, str)):
            return None
        if self._verbs:
            about = self._named(of_its_own=False)
            return (*about, *_is(*self._code)) if self._answers else None
        name = self._code[0]
        if self._ident:  # what is granted may have the same members
            return (f"{name} exists", f"{name}!=0", f"{why} exists")
        return (f"{name} exists", f"{why} exists") if len(self._part) <= 4 else None


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts in a value, but for the names of members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)) and depth < _DEPTH:
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, depth + 1)


def _is_state(name: str) -> bool:
    others = {plain(each) for each in (*IDENTS, *_CODES, "success", "ok")}
    return plain(name) in {*_STATES, *_TIMES, *others}


def _says_error(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() not in ("", "0", "ok", "none", "success")
    return isinstance(value, (int, dict, list)) and bool(value)


def _is(name: str, value: Any) -> Iterator[str]:
    """The condition that a member says this; none where it cannot be written."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if _NAME.fullmatch(name) and _SAYABLE.fullmatch(text) and len(text) <= 80:
        yield f"{name}={text}"


def _is_yes(value: Any) -> bool:
    said = set(words(value)) if isinstance(value, str) and value.count(" ") < 2 else set()
    return bool(said & _YES) and not said & {*_NO, "not"}


def _is_ping(part: dict[str, Any]) -> bool:
    if "ping" in part:
        rest = {plain(name) for name in part} - {"ping", "ts", "time", "timestamp", "id"}
        return not rest and not isinstance(part["ping"], (dict, list))
    verbs = verbs_of(part)
    return len(verbs) == 1 and verbs[0][1].lower() == "ping" and "success" not in part


def _is_list_of_life(part: list[Any]) -> bool:
    """Whether it is ``[17470, "hb"]``, or like it."""
    texts = [each for each in part if isinstance(each, str)]
    scalars = all(not isinstance(each, (dict, list)) for each in part)
    said = set(words(texts[0])) if len(texts) == 1 else set()
    return scalars and len(part) <= 3 and bool(said) and said <= _LIFE
