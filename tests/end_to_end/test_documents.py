"""The real command, native and not, where messages hold JSON in other forms than one text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, rejects_of
from tests.end_to_end.test_tables import QUICK, cells, says
from tests.peers.raw import RawServer

NATIVE = pytest.mark.parametrize("native", ["0", "1"])


@NATIVE
def test_rows_in_the_text_of_a_string(native: str, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    trades = [{"s": "AAA", "p": 1.5, "x": 'a"b'}, {"s": "BBB", "p": "2.50"}]
    payloads = [
        json.dumps({"type": "trade", "data": trades}),
        json.dumps({"type": "quote", "data": [{}]}),
        json.dumps({"data": trades[1], "type": "trade"}),
        "",
        '{"type":"trade","data":[',
    ]
    messages = [json.dumps({"channel": "c", "payload": payload}) for payload in payloads]
    described = (
        *("--columns", "channel=$.channel, symbol=s, price:decimal=p"),
        *("--rows", "payload|json.data", "--where", "$.payload|json.type!=quote"),
    )
    with (
        RawServer(says(*messages)) as server,
        Command(
            *("--url", server.url, "--out", out, "--duration", "2s", *described, *QUICK),
            environment={"FASTINGEST_NATIVE": native},
        ) as command,
    ):
        summary = command.summary()
    assert cells(out)[1:] == [["c", "AAA", "1.5"], ["c", "BBB", "2.50"], ["c", "BBB", "2.50"]]
    nothing, broken = rejects_of(out)
    assert nothing["reason"] == "payload|json.data, where the rows should be, is missing"
    assert (broken["text"], broken["reason"]) == (messages[4], "payload is no JSON text")
    counts = ("received", "written", "quarantined", "ignored", "in_flight")
    assert [summary[name] for name in counts] == [6, 3, 2, 1, 0]
