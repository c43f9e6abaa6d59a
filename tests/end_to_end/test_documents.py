"""The real command, native and not, where messages hold JSON in other forms than one text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, rejects_of
from tests.end_to_end.test_tables import QUICK, cells, says
from tests.peers.raw import BINARY, CLOSE, TEXT, RawConnection, RawServer

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


def _trade(symbol: str, price: float) -> str:
    return json.dumps({"type": "trade", "s": symbol, "p": price})


@NATIVE
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_each_line_of_a_message_is_one(native: str, kind: int, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    lines = [_trade("AAA", 1.5), '{"type":"quote"}', "", '{"type":"trade","s":"x"}', "no JSON"]
    messages = ["\r\n".join(lines) + "\n" + _trade("BBB", 2), "\n", _trade("CCC", 3) + "\n"]

    def script(connection: RawConnection) -> None:
        connection.handshake()
        for message in messages:
            connection.send_frame(kind, message.encode())
        while (received := connection.recv_frame(30)) is not None and received[0] != CLOSE:
            pass

    described = ("--columns", "s, p:decimal, @received", "--where", "$.type=trade")
    with (
        RawServer(script) as server,
        Command(
            *("--url", server.url, "--out", out, "--duration", "2s", *described, *QUICK),
            *("--split", "lines"),
            environment={"FASTINGEST_NATIVE": native},
        ) as command,
    ):
        summary = command.summary()
    rows = cells(out)[1:]
    assert [row[:2] for row in rows] == [["AAA", "1.5"], ["BBB", "2"], ["CCC", "3"]]
    assert rows[0][2] == rows[1][2]
    assert [reject["text"] for reject in rejects_of(out)] == [lines[3], lines[4]]
    counts = ("received", "written", "quarantined", "ignored", "in_flight")
    assert [summary[name] for name in counts] == [7, 3, 2, 2, 0]
    assert verify(out).agrees


SOCKET_IO = """
url = "{url}"
out = "{out}"
duration = "3s"
strip = "42"
rows = "[1]"
where = ["$[0]=trade"]
columns = "symbol=s, price:decimal=p"
answer = [
    {{when = ["$^=0{{"], send = "40"}},
    {{when = ["$^=40"], send = '42["subscribe","trades"]'}},
    {{when = ["$=2"], send = "3"}},
]
"""


@NATIVE
def test_socket_io(native: str, tmp_path: Path) -> None:
    out, config = tmp_path / "out.csv", tmp_path / "feed.toml"
    heard: list[str] = []

    def script(connection: RawConnection) -> None:
        connection.handshake()

        def say(text: str) -> None:
            connection.send_text(text)
            received = connection.recv_frame(30)
            assert received is not None
            heard.append(received[1].decode())

        say('0{"sid":"x","upgrades":[],"pingInterval":25000}')
        say('40{"sid":"y"}')
        for symbol in ("AAA", "BBB"):
            connection.send_text('42["hello",{}]')
            connection.send_text(f'42["trade",{_trade(symbol, 1.5)}]')
            say("2")
        while (received := connection.recv_frame(30)) is not None and received[0] != CLOSE:
            pass

    with RawServer(script) as server:
        config.write_text(SOCKET_IO.format(url=server.url, out=out))
        with Command(
            "--config", config, *QUICK, environment={"FASTINGEST_NATIVE": native}
        ) as command:
            summary = command.summary()
    assert heard == ["40", '42["subscribe","trades"]', "3", "3"]
    assert cells(out)[1:] == [["AAA", "1.5"], ["BBB", "1.5"]]
    counts = ("received", "written", "quarantined", "ignored", "in_flight")
    assert [summary[name] for name in counts] == [8, 2, 0, 6, 0]
