from __future__ import annotations

import pytest

from fastingest.model.event import Event


class Torn(Event, frozen=True, kw_only=True):
    level = "warning"
    text = "{what} is torn"
    path: str
    what: str
    rows: int | None = None
    bytes: int


def test_an_event_is_words_and_fields_in_their_order() -> None:
    event = Torn(path="/a", what="a row", rows=0, bytes=7)
    assert (event.level, event.message) == ("warning", "a row is torn")
    assert list(event.fields.items()) == [("path", "/a"), ("rows", 0), ("bytes", 7)]


def test_what_is_none_is_no_field() -> None:
    assert Torn(path="/a", what="a row", bytes=7).fields == {"path": "/a", "bytes": 7}


def test_braces_in_a_value_are_just_that() -> None:
    assert Torn(path="{bytes}", what="{path} {0} {", bytes=7).message == "{path} {0} { is torn"


def test_strings_are_changed_and_nothing_else() -> None:
    event = Torn(path="/a", what="a row", bytes=7)
    changed = event.with_strings(str.upper)
    assert changed == Torn(path="/A", what="A ROW", bytes=7)
    assert type(changed) is Torn
    assert event.path == "/a"


def test_an_event_does_not_change() -> None:
    event = Torn(path="/a", what="a row", bytes=7)
    with pytest.raises(AttributeError):
        event.path = "/b"  # type: ignore[misc]
