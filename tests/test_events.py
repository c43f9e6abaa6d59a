"""All kinds of events: what each must have, so that any process can tell it and the log show it."""

from __future__ import annotations

import ast
import importlib
import json
import logging
from collections import Counter
from collections.abc import Iterator
from string import Formatter
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

import pytest

from fastingest.cli.events import RunEnded
from fastingest.cli.log import JsonFormatter, TextFormatter
from fastingest.model.event import Event, Level, Value
from fastingest.runtime.control import Report, encode, notice_from
from fastingest.supervisor.log import report
from fastingest.writer.events import EarlierRowsTaken, NoEarlierRows
from tests.test_layers import sources

SOURCES = sources()
PLACES = {name for name in SOURCES if name.rpartition(".")[2] == "events"}
"""The modules of events."""

for place in PLACES:
    importlib.import_module(f"fastingest.{place}")

KINDS = sorted(
    (kind for kind in Event.__subclasses__() if kind.__module__.startswith("fastingest.")),
    key=lambda kind: (kind.__module__, kind.__name__),
)

SAME_WORDS = {frozenset({EarlierRowsTaken, NoEarlierRows}): "the one is good news, the other not"}
"""Kinds that share their words, and why."""

EXAMPLES: dict[type, Value] = {str: 'a "b" {c}\n', int: 2**62, float: 0.1, bool: True}

of_all = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def names_in_words(kind: type[Event]) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(kind.text) if name is not None]


def types_of(kind: type[Event]) -> dict[str, tuple[type, ...]]:
    """What each of its fields may be."""
    hints = get_type_hints(kind)
    found = {name: hints[name] for name in kind.__struct_fields__}
    return {name: get_args(t) if isinstance(t, UnionType) else (t,) for name, t in found.items()}


def example_of(kind: type[Event]) -> Event:
    return kind(**{name: EXAMPLES[types[0]] for name, types in types_of(kind).items()})


def test_there_are_some() -> None:
    assert len(KINDS) > 60
    assert {kind.__module__.removeprefix("fastingest.") for kind in KINDS} == PLACES


@of_all
def test_it_has_a_level_words_and_a_docstring(kind: type[Event]) -> None:
    assert kind.level in get_args(Level)
    assert kind.text == kind.text.strip() != ""
    assert kind.__dict__.get("__doc__")


@of_all
def test_its_fields_are_what_any_process_can_be_told(kind: type[Event]) -> None:
    for name, types in types_of(kind).items():
        assert types[0] in get_args(Value), name
        assert types[1:] in ((), (NoneType,)), name
        assert name not in ("time", "level", "event", "feed"), "the log has that already"


@of_all
def test_a_field_in_its_words_is_a_string_that_is_always_there(kind: type[Event]) -> None:
    for name in names_in_words(kind):
        assert types_of(kind)[name] == (str,)


@of_all
def test_it_goes_to_the_log_as_it_is(kind: type[Event], caplog: pytest.LogCaptureFixture) -> None:
    event = example_of(kind)
    told = Report.of(event, feed="a")
    assert notice_from(encode(told)) == told
    caplog.set_level(logging.DEBUG, "fastingest")
    report(event, feed="a")
    (record,) = caplog.records
    assert "\n" not in TextFormatter().format(record)
    entry = json.loads(JsonFormatter().format(record))
    assert (entry["level"], entry["event"]) == (kind.level, event.message)
    fields = [name for name in kind.__struct_fields__ if name not in names_in_words(kind)]
    shown = [name.removesuffix("_ns") for name in fields]
    assert list(entry) == ["time", "level", "event", "feed", *shown]


def test_words_are_of_one_kind() -> None:
    words: dict[str, set[type[Event]]] = {}
    for kind in KINDS:
        words.setdefault(kind.text, set()).add(kind)
    assert {frozenset(kinds) for kinds in words.values() if len(kinds) > 1} == SAME_WORDS.keys()


def test_names_are_of_one_kind() -> None:
    assert max(Counter(kind.__name__ for kind in KINDS).values()) == 1


# How the rooms use them


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id


def _is_event(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        isinstance(base, ast.Name) and base.id in {"Event", *(kind.__name__ for kind in KINDS)}
        for base in node.bases
    )


def test_each_stands_in_its_room_s_module_of_events() -> None:
    found = {
        name
        for name, text in SOURCES.items()
        if any(map(_is_event, ast.walk(ast.parse(text)))) and name not in PLACES
    }
    assert found == set()


def test_each_is_told_somewhere() -> None:
    used = {
        name
        for module, text in SOURCES.items()
        if module not in PLACES
        for name in _names(ast.parse(text))
    }
    assert {kind.__name__ for kind in KINDS} - used == set()


def _decisions(text: str) -> Iterator[Any]:
    """The constants that a module compares something with."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare) and not any(
            isinstance(operator, ast.In | ast.NotIn) for operator in node.ops
        ):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            compared = [node.value]
        else:
            continue
        yield from (each.value for each in compared if isinstance(each, ast.Constant))


def test_nothing_is_decided_by_the_words() -> None:
    assert "appended" in set(_decisions(SOURCES["writer.external_change"]))
    words = {kind.text for kind in KINDS if kind is not RunEnded}
    found = {name: words & set(_decisions(text)) for name, text in SOURCES.items()}
    assert {name: said for name, said in found.items() if said} == {}
