"""What is a reply; that it is waited for, test_connection.py shows."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.feed import Subscription
from fastingest.model.message_conditions import parse_message_condition
from fastingest.source.subscriptions import NoReply, Subscriber, says


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (b'{"id": 1}', "id=1"),
        (b'{"id": 1}', "$.id=1"),
        (b' {"id" : 1 } \n', "id=0,1"),
        (b'{"id": 1.0}', "id=1.0"),
        (b'{"id": "1"}', "id=1"),
        (b'{"ok": true}', "ok=true"),
        (b'{"error": null}', "error=null"),
        (b'{"a": {"b": [0, {"c": "\\u00e9"}]}}', "a.b[1].c=é"),
        (b'[[1, "x"], 2]', "[0][1]=x"),
        (b'{"id": 2, "id": 1}', "id=1"),
        (b'{"e": ""}', "e="),
        (b'{"id": [ ]}', "id=[]"),
        (b'{"id": {}}', "$.id"),
        (b"ready", "$=ready"),
    ],
)
def test_a_condition_holds(message: bytes, condition: str) -> None:
    assert says(message, [parse_message_condition(condition)])


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (b'{"id": 2}', "id=1"),
        (b'{"id": 1.0}', "id=1"),
        (b'{"id": [1]}', "id=[1]"),
        (b'{"id": {"a": 1}}', "id={}"),
        (b'{"data": {"id": 1}}', "id=1"),
        (b'{"id": 1', "id=1"),
        (b'{"id": 1} {', "id=1"),
        (b"[1]", "id=1"),
        (b"[1]", "[1]=1"),
        (b'{"id": 1}', "[0]=1"),
        (b'{"id": 1}', "id.x=1"),
        (b"", "id=1"),
        (b'{"id": "\xff"}', "id=1"),
        (b"[" * 100_000, "[0][0]=1"),
    ],
)
def test_a_condition_does_not_hold(message: bytes, condition: str) -> None:
    assert not says(message, [parse_message_condition(condition)])


def test_all_conditions_must_hold() -> None:
    conditions = [parse_message_condition("id=1"), parse_message_condition("ok=true")]
    assert says(b'{"ok": true, "id": 1}', conditions)
    assert not says(b'{"ok": false, "id": 1}', conditions)
    assert says(b"anything", [])


@given(st.binary())
def test_no_message_is_an_error(message: bytes) -> None:
    assert not says(message, [parse_message_condition("a.b[0]=x")])


def test_a_long_subscription_is_shortened() -> None:
    said = str(NoReply(Subscription('{"key":\n "${KEY}"}' + "x" * 1000, (), 2.5)))
    assert said == 'no reply for 2.5s to the subscription {"key": "***"}' + "x" * 65 + "…"


LOGIN = Subscription('{"key":"${KEY}"}', ())


def asking(*symbols: str) -> Subscription:
    return Subscription("{}", (), symbols=symbols)


@pytest.mark.parametrize(
    ("subscriptions", "refused", "is_refused"),
    [
        ([asking("A")], [0], True),
        ([asking("A"), asking("B")], [0], False),
        ([asking("A"), asking("B")], [0, 1], True),
        ([LOGIN, asking("A")], [0], True),
        ([LOGIN, asking("A")], [1], True),  # the login alone brings nothing
        ([LOGIN, asking("A"), asking("B")], [2], False),
        ([LOGIN], [0], True),
        ([LOGIN, asking("A")], [], False),
        ([], [], False),
    ],
)
def test_nothing_comes_without_a_login_or_anything_beside_it(
    subscriptions: list[Subscription], refused: list[int], is_refused: bool
) -> None:
    subscriber = Subscriber(
        *(cast(Any, None), cast(Any, None)),  # nothing is sent, nor waited for
        [(each, each.text) for each in subscriptions],
        is_refusal=lambda _: False,
        is_paused=lambda: False,
    )
    for number in refused:
        subscriber.refuse((), number, has_rows=False)
    assert subscriber.is_refused is is_refused
