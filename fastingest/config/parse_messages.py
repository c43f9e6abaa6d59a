"""What a TOML file says that a feed is sent: subscriptions, heartbeats, and the symbols in them."""

from __future__ import annotations

from typing import Any

from fastingest.access.references import check_syntax
from fastingest.config.parse_side_messages import groups_of
from fastingest.config.section import Section, json_text
from fastingest.config.setting import read_subscription
from fastingest.config.spec import Message
from fastingest.config.symbols import Symbols, check_symbol
from fastingest.model.feed import Heartbeat, Subscription
from fastingest.model.message_conditions import parse_message_condition
from fastingest.units import parse_duration

__all__ = ["at_least_one", "heartbeats_of", "messages_of", "positive_duration", "symbols_of"]


def symbols_of(section: Section) -> Symbols:
    """The feed's own symbols, and how they are written."""
    if "symbols" not in section:
        return Symbols()
    value = section.get("symbols", list, str, dict)
    if value is None:
        return Symbols()
    if not isinstance(value, dict):
        return Symbols(default=_default_symbols(section, "symbols"))
    inner = Section(section.file, section.key_of("symbols"), value, section.problems)
    inner.only(("default", "each", "join", "case"))
    each = inner.text("each")
    if each and "{symbol}" not in each:
        inner.problem("each", "it must hold {symbol}, where the symbol stands")
    join: str | None = inner.get("join", str)
    return Symbols(
        default=_default_symbols(inner, "default"),
        each=each or Symbols.each,
        join=Symbols.join if join is None else join,
        case=inner.choice("case", ("lower", "upper")) or "",
    )


def _default_symbols(section: Section, name: str) -> tuple[str, ...]:
    symbols = section.texts(name) or ()
    checked = (section.read(name, one, check_symbol, at) for at, one in enumerate(symbols))
    return tuple(symbol for symbol in checked if symbol)


def messages_of(section: Section) -> tuple[Message, ...]:
    """What is sent after a connect, in its order."""
    messages = []
    for index, item in enumerate(section.items("subscribe", str, dict, list) or ()):
        at = (index,) if section.is_array("subscribe") else ()
        if isinstance(item, dict) and "send" in item:
            key = (*section.key_of("subscribe"), *at)
            messages.append(_answered(Section(section.file, key, item, section.problems)))
        else:
            messages.append(Message(section.read("subscribe", item, _text_to_send, *at) or ""))
    return tuple(messages)


def _answered(section: Section) -> Message:
    """A subscription that says more than what is sent."""
    section.only(("send", "reply", "timeout", "refused", "per_message"))
    text = section.read("send", section.get("send", str, dict, list), _text_to_send)
    reply = section.texts("reply")
    if reply == ():
        section.problem("reply", "'reply' is empty, and would be any message; remove it")
    for index, condition in enumerate(reply or ()):
        # with something in place of its symbols, which may not stand in a path
        section.read("reply", _with_symbols(condition), parse_message_condition, index)
    refused = groups_of(section, "refused", _checked)
    timeout = section.read("timeout", section.text("timeout"), positive_duration)
    if timeout is None:
        timeout = Subscription.timeout
    per_message = section.read("per_message", section.get("per_message", int), at_least_one)
    if per_message and text and ("{symbol}" in text or "{symbols}" not in text):
        section.problem("per_message", "it goes with {symbols} in 'send', and without {symbol}")
    return Message(text or "", reply, timeout, refused, per_message)


def _checked(condition: str) -> str:
    """``condition``, if it is one, with something in place of its symbols.

    :raises ValueError: it is none.
    """
    parse_message_condition(_with_symbols(condition))
    return condition


def _with_symbols(text: str) -> str:
    return text.replace("{symbols}", "S").replace("{symbol}", "S")


def _text_to_send(value: Any) -> str:
    return check_syntax(read_subscription(value) if isinstance(value, str) else json_text(value))


def at_least_one(number: int) -> int:
    """``number``, if it is one of things that there must be some of.

    :raises ValueError: it is less than 1.
    """
    if number < 1:
        raise ValueError(f"{number} is out of range; it must be at least 1")
    return number


def positive_duration(text: str) -> float:
    """Seconds, from 1 ms to a day.

    :raises ValueError: they are not.
    """
    seconds = parse_duration(text)
    if not 1e-3 <= seconds <= 86400:
        raise ValueError(f"{text!r} is out of range; it must be at least 1ms, and at most 1d")
    return seconds


def heartbeats_of(section: Section) -> tuple[Heartbeat, ...]:
    """What is sent by the clock."""
    beats = []
    for inner in section.sections("heartbeat"):
        inner.only(("send", "every"))
        inner.need(("send", "every"), "a heartbeat")
        text = inner.read("send", inner.get("send", str, dict, list), _text_to_send)
        every = inner.read("every", inner.text("every"), positive_duration)
        if text and every:
            beats.append(Heartbeat(text, every))
    return tuple(beats)
