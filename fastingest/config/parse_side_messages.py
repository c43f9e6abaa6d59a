"""What a TOML file says of messages beside the rows: refusals, and what a server asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from fastingest.config.section import Section, json_text
from fastingest.model.feed import ANSWER_PLACE, Answer, Remember
from fastingest.model.jsonpath import ANY, JsonPath, parse_path
from fastingest.model.message_conditions import parse_message_condition

__all__ = ["answers_of", "groups_of", "remember_of"]

T = TypeVar("T")

# In a table of TOML a place has to be a text; as JSON it stands there without its quotes.
_QUOTED_PLACE = re.compile(r'"(\{\$[^{}"\\]*\})"')


def groups_of(section: Section, name: str, parse: Callable[[str], T]) -> tuple[tuple[T, ...], ...]:
    """Groups of conditions: a text, an array of them, which is one group, or an array of arrays.

    :param parse: reads a condition; raises ``ValueError`` where it is none.
    """
    items = section.items(name, str, list)
    if items is None:
        return ()
    groups = items if any(isinstance(item, list) for item in items) else [items]
    if not items or not all(groups):
        section.problem(name, f"{name!r} has no condition, and would be any message; remove it")
        return ()
    read = []
    for index, group in enumerate(groups):
        conditions = group if isinstance(group, list) else [group]
        parsed = []
        for place, condition in enumerate(conditions):
            # where it stands: of one group its elements are those of the array itself
            where = index if groups is items else place
            at = (where,) if section.is_array(name) else ()
            if isinstance(condition, str):
                parsed.append(section.read(name, condition, parse, *at))
            else:
                section.problem(name, "each condition must be a text", *at)
        read.append(tuple(each for each in parsed if each is not None))
    return tuple(filter(None, read))


def answers_of(section: Section) -> tuple[Answer, ...]:
    """What is answered to which messages."""
    answers = []
    for inner in section.sections("answer"):
        inner.only(("when", "send"))
        inner.need(("when", "send"), "an answer")
        when = groups_of(inner, "when", parse_message_condition)
        send = inner.read("send", inner.get("send", str, dict, list), _answer_text)
        if when and send:
            answers.append(Answer(when, send))
    return tuple(answers)


def remember_of(section: Section) -> Remember | None:
    """Which messages are remembered, and by what."""
    value = section.get("remember", dict)
    if value is None:
        return None
    inner = Section(section.file, section.key_of("remember"), value, section.problems)
    inner.only(("when", "key"))
    inner.need(("when", "key"), "'remember'")
    when = groups_of(inner, "when", parse_message_condition)
    key = inner.read("key", inner.text("key"), _key)
    return Remember(when, key) if when and key else None


def _key(text: str) -> JsonPath:
    """Where the key is in a message.

    :raises ValueError: it is nowhere.
    """
    path = parse_path(text, any_element=True)
    if not path.steps or ANY in path.steps:
        raise ValueError(f"{text!r} is no path of one value; write for example $.chanId")
    return path


def _answer_text(value: Any) -> str:
    """What is to be sent.

    :raises ValueError: a place in it is none, or it is empty.
    """
    text = json_text(value)
    if not text:
        raise ValueError("'send' is empty")
    if not isinstance(value, str):
        text = _QUOTED_PLACE.sub(r"\1", text)
    for place in ANSWER_PLACE.finditer(text):
        parse_path(place[1], any_element=True)
    return text
