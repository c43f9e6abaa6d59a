from __future__ import annotations

import json
from typing import Any

import pytest

from fastingest.probe.messages import is_beside, messages_of

NOW = 1_700_000_000.0
ROWS = [{"price": "1.5", "size": "2"}]


@pytest.mark.parametrize(
    "message",
    [
        {"event": "subscribed", "channel": "trades"},
        {"event": "subscribe", "arg": {"channel": "trades"}},
        {"channel": "status", "type": "update", "data": [{"system": "online"}]},
        {"result": None, "id": 1},
        {"success": True, "subscribe": "trade:XBTUSD"},
        {"info": "Welcome", "limit": {"remaining": 39}},
        {"ping": 1700000000},
        [{"T": "success", "msg": "connected"}],
        [17470, "hb"],
        [{"ev": "status", "status": "connected"}],
    ],
)
def test_replies_notices_and_signs_of_life_stand_beside_the_data(message: Any) -> None:
    assert is_beside(message, NOW)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "trade", "price": 1.5},
        {"price": 1.5, "status": "x"},
        # the first data of a subscription, in its reply
        {"type": "subscribed", "contents": {"trades": ROWS}},
        {"id": -1, "method": "subscribe", "result": {"channel": "trade", "data": ROWS}},
        [{"T": "success"}, {"T": "t", "p": 1.5}],
        [17470, "te", [1, 2.5]],
        {"data": {"event": "subscribed"}},
        [],
        {},
    ],
)
def test_what_holds_data_does_not(message: Any) -> None:
    assert not is_beside(message, NOW)


def test_messages_are_told_apart_by_their_indices() -> None:
    raw = [json.dumps({"p": 1}).encode(), b"pong", b"7", b'{"event":"heartbeat"}', b"\xff"]
    found = messages_of(raw, NOW)
    assert (found.data, found.beside, found.texts) == ([0], [3], [1, 2, 4])
    assert found.values[0] == {"p": 1}
    assert found.values[1] is None
