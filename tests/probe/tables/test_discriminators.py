from __future__ import annotations

from typing import Any

import pytest

from fastingest.probe.tables.discriminators import (
    discriminators_of,
    is_control,
    is_generic,
    is_phase,
    is_type,
    rank,
)
from fastingest.probe.tables.field_profile import Steps


@pytest.mark.parametrize(
    ("value", "discriminators"),
    [
        ({"e": "trade", "s": "BTC"}, {("e",): "trade"}),
        ({"eventType": "x", "msg_type": "y"}, {("eventType",): "x", ("msg_type",): "y"}),
        ({"data": {"arg": {"channel": "c"}}}, {("data", "arg", "channel"): "c"}),
        ({"a": {"b": {"c": {"type": "too deep"}}}}, {}),
        ([{"type": "x"}], {(0, "type"): "x"}),
        ([{"type": "x"}, {"type": "x"}], {}),
        (
            [0, ["x"], "trade", "XBT/USD", "ABC"],
            {(2,): "trade", (-3,): "trade"},
        ),
        ({"type": 5, "event": None, "topic": ["x"]}, {}),
        # what a condition cannot say, and a moment
        ({"type": "a,b", "event": " x", "topic": "", "T": "2023-01-01T00:00:00Z"}, {}),
        ({"type": "x" * 81}, {}),
        ("trade", {}),
    ],
)
def test_discriminators_are_texts_of_telling_names_or_in_an_array(
    value: Any, discriminators: dict[Steps, str]
) -> None:
    assert discriminators_of(value) == discriminators


def test_an_event_tells_more_than_a_topic_and_a_near_one_more_than_a_deep_one() -> None:
    places: list[Steps] = [("topic",), ("data", "e"), ("e",), ("channel",), ("type",)]
    assert sorted(places, key=rank) == [("e",), ("data", "e"), ("type",), ("channel",), ("topic",)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trade", True),
        ("bookTicker", True),
        ("l2update", True),
        ("T", True),
        ("BTCUSDT", False),
        ("btcusdt@trade", False),
        ("trades.BTC", False),
        ("XBT/USD", False),
    ],
)
def test_a_type_is_a_plain_word(text: str, said: bool) -> None:
    assert is_type([text]) is said


def test_phases_and_words_of_any_message_and_answers_are_told() -> None:
    assert is_phase(["snapshot", "Update"])
    assert not is_phase(["snapshot", "trade"])
    assert is_generic(["message"])
    assert not is_generic(["trade"])
    assert is_control(["trade", "system_status"])
    assert not is_control(["trade"])
