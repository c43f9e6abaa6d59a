"""The real command with described columns, several tables, several feeds and several receivers."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from fastingest.storage.ledger import read_entries
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, rejects_of, wait_until
from tests.peers.raw import CLOSE, RawConnection, RawServer, Script

QUICK = ("--reconnect-initial", "20ms", "--reconnect-max", "50ms", "--flush-interval", "50ms")


def says(*messages: str) -> Script:
    """Send the messages, and stay."""

    def script(connection: RawConnection) -> None:
        connection.handshake()
        for message in messages:
            connection.send_text(message)
        while (received := connection.recv_frame(30)) is not None:
            if received[0] == CLOSE:
                connection.send_frame(CLOSE, received[1])
                return

    return script


def cells(path: Path) -> list[list[str]]:
    """The file's lines, the header too."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, strict=True))


def trade(symbol: str, price: str, number: int) -> str:
    return json.dumps(
        {
            "stream": "x",
            "data": {"e": "trade", "s": symbol, "p": price, "t": number, "T": 1672515782136},
        }
    )


COLUMNS = "symbol:str=s, price:decimal=p, id:int=t, time:timestamp[ms]=T"


def test_columns_rows_and_where_describe_a_feed(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    messages = [
        '{"result": null, "id": 1}',
        trade("BNBBTC", "0.00100000", 12345),
        '{"stream": "x", "data": {"e": "bookTicker", "s": "BNBBTC"}}',
        trade("BTCUSDT", "16569.01000000", 12346),
        '{"stream": "x", "data": {"e": "trade", "s": "BTCUSDT"}}',
    ]
    described = ("--columns", COLUMNS, "--rows", "data", "--where", "$.data.e=trade")
    with (
        RawServer(says(*messages)) as server,
        Command(
            "--url", server.url, "--out", out, "--duration", "2s", *described, *QUICK
        ) as command,
    ):
        summary = command.summary()
    assert cells(out) == [
        ["symbol", "price", "id", "time"],
        ["BNBBTC", "0.00100000", "12345", "2022-12-31T19:43:02.136Z"],
        ["BTCUSDT", "16569.01000000", "12346", "2022-12-31T19:43:02.136Z"],
    ]
    (reject,) = rejects_of(out)
    assert reject["text"] == messages[-1]
    assert "price" in reject["reason"]
    counts = ("received", "written", "quarantined", "ignored", "in_flight")
    assert [summary[name] for name in counts] == [5, 2, 1, 2, 0]
    (run,) = read_entries(out)
    assert [run[name] for name in ("received", "written", "quarantined", "ignored")] == [5, 2, 1, 2]
    assert verify(out).agrees


BOOK = """
[[feed]]
name = "book"
url = "{url}"
[[feed.table]]
rows = "b"
columns = ["s=$.s", "side='bid'", "price:decimal=[0]", "@received"]
[[feed.table]]
rows = "a?"
where = ["$.s=A,B"]
columns = ["s=$.s", 'side="ask"', "price:decimal=[0]", "@received"]
"""


def test_two_tables_of_a_feed_in_one_file(tmp_path: Path) -> None:
    out, config = tmp_path / "out.csv", tmp_path / "book.toml"
    messages = [
        '{"s":"A","b":[["1.50","1"],["1.49","2"]],"a":[["1.60","1"]]}',
        '{"s":"B","b":[["2.50","1"]]}',
        '{"s":"B","b":[],"a":[["x","1"]]}',
    ]
    with RawServer(says(*messages)) as server:
        config.write_text(BOOK.format(url=server.url))
        with Command("--config", config, "--out", out, "--max-rows", "4", *QUICK) as command:
            summary = command.summary()
    header, *rows = cells(out)
    assert header == ["s", "side", "price", "received"]
    assert [row[:3] for row in rows if row[1] == "bid"] == [
        ["A", "bid", "1.50"],
        ["A", "bid", "1.49"],
        ["B", "bid", "2.50"],
    ]
    assert [row[:3] for row in rows if row[1] == "ask"] == [["A", "ask", "1.60"]]
    assert summary["written"] == 4
    assert verify(out).agrees


@pytest.mark.parametrize(
    ("columns", "rows", "message", "expected"),
    [
        (
            "i, p:decimal",
            "events[*].trades",
            '{"events":[{"trades":[{"i":"1","p":"1.5"}]},{"trades":[{"i":"2","p":"2.5"}]}]}',
            [["1", "1.5"], ["2", "2.5"]],
        ),
        (
            "k=@key, v:decimal=@value, side='mid'",
            "mids.*",
            '{"mids":{"AAA":"1.5","BBB":"2.5"}}',
            [["AAA", "1.5", "mid"], ["BBB", "2.5", "mid"]],
        ),
        (
            "pair=$[-1], price:decimal=[0], side=@rows",
            "ask=[1].a, bid=[-3].b?",
            '[9,{"a":[["1.5","2","1.0"]]},{"b":[],"c":"1"},"book-1000","AAA/BBB"]',
            [["AAA/BBB", "1.5", "ask"]],
        ),
    ],
)
def test_rows_wherever_a_message_has_them(
    columns: str, rows: str, message: str, expected: list[list[str]], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    described = ("--columns", columns, "--rows", rows, "--max-rows", str(len(expected)))
    with (
        RawServer(says(message)) as server,
        Command("--url", server.url, "--out", out, *described, *QUICK) as command,
    ):
        summary = command.summary()
    assert cells(out)[1:] == expected
    assert summary["written"] == len(expected)


def test_columns_of_our_own(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def first(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text('[{"a": 1}, {"a": 2}]')
        connection.drop()

    columns = "time=@received, feed=@feed, c=@connection, n=@sequence, a:int, "
    columns += "when:timestamp[ns]=@received"
    with (
        RawServer(first, says('{"a": 3}')) as server,
        Command(
            "--url", server.url, "--out", out, "--max-rows", 3, "--columns", columns, *QUICK
        ) as command,
    ):
        assert command.wait() == 0, command.events
    header, *rows = cells(out)
    assert header == ["time", "feed", "c", "n", "a", "when"]
    assert [row[2:5] for row in rows] == [["1", "1", "1"], ["1", "2", "2"], ["2", "3", "3"]]
    assert {row[1] for row in rows} == {server.url.split("/")[2]}
    assert rows[0][0] == rows[1][0] < rows[2][0]
    assert all(re.fullmatch(r"\d{19}", row[0]) for row in rows)
    assert all(row[5].endswith(row[0][-9:] + "Z") for row in rows)


TABLES = """
flush-interval = "50ms"

[[feed]]
name = "one"
url = "{one}"
[[feed.table]]
out = "{folder}/trades.csv"
where = ["$.type=trade"]
columns = ["feed=@feed", "symbol", "price:float"]
[[feed.table]]
out = "{folder}/quotes.csv"
where = ["$.type=quote"]
columns = ["symbol", "bid:float", "ask:float?"]

[[feed]]
name = "two"
url = "{two}"
out = "{folder}/trades.csv"
where = ["$.type=trade"]
columns = ["feed=@feed", "symbol=s", "price:float=p"]
"""


@pytest.mark.parametrize("receivers", [pytest.param(1, marks=pytest.mark.long), 2])
def test_several_feeds_and_tables(tmp_path: Path, receivers: int) -> None:
    first = [
        '{"type": "trade", "symbol": "A", "price": 1}',
        '{"type": "quote", "symbol": "A", "bid": 1, "ask": 2}',
        '{"type": "heartbeat"}',
        '{"type": "quote", "symbol": "B", "bid": "x"}',
        '{"type": "quote", "symbol": "B", "bid": 3}',
        '{"type": "trade", "symbol": "B", "price": 2.5}',
    ]
    second = ['{"type": "trade", "s": "C", "p": 7}', '{"type": "quote", "symbol": "C", "bid": 1}']
    config = tmp_path / "feeds.toml"
    with RawServer(says(*first)) as one, RawServer(says(*second)) as two:
        config.write_text(TABLES.format(one=one.url, two=two.url, folder=tmp_path))
        arguments = ("--config", config, "--receivers", receivers, "--duration", "2s")
        with Command(*arguments) as command:
            summary = command.summary()
    trades = cells(tmp_path / "trades.csv")
    assert trades[0] == ["feed", "symbol", "price"]
    assert [row for row in trades if row[0] == "one"] == [["one", "A", "1.0"], ["one", "B", "2.5"]]
    assert [row for row in trades if row[0] == "two"] == [["two", "C", "7.0"]]
    assert len(trades) == 4
    assert cells(tmp_path / "quotes.csv") == [
        ["symbol", "bid", "ask"],
        ["A", "1.0", "2.0"],
        ["B", "3.0", ""],
    ]
    assert [reject["text"] for reject in rejects_of(tmp_path / "quotes.csv")] == [first[3]]
    assert not (tmp_path / "trades.csv.rejected.jsonl").exists()
    found = {
        feed["name"]: [feed[name] for name in ("received", "written", "quarantined", "ignored")]
        for feed in summary["feeds"]
    }
    assert found == {"one": [6, 4, 1, 1], "two": [2, 1, 0, 1]}
    roles = {entry["process"] for entry in command.events if entry["event"] == "started"}
    assert len(roles) == 1 + receivers
    connected = [list(each.items())[3:] for each in command.events if each["event"] == "connected"]
    assert sorted(connected) == [
        [("feed", "one"), ("url", one.url)],
        [("feed", "two"), ("url", two.url)],
    ]
    assert verify(tmp_path / "trades.csv").agrees
    assert verify(tmp_path / "quotes.csv").agrees
    left = {path.name for path in tmp_path.iterdir()}
    assert not [name for name in left if name.endswith((".lock", ".journal", ".spill"))]


def test_an_exact_number_of_rows_of_several_feeds(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    record = '{"symbol": "A", "price": 1}'
    with RawServer(says(*[record] * 40)) as one, RawServer(says(*[record] * 40)) as two:
        urls = ("--url", one.url, "--url", two.url)
        with Command(*urls, "--out", out, "--max-rows", 50, *QUICK) as command:
            assert command.summary()["written"] == 50
    assert len(cells(out)) == 51


def test_one_feed_that_is_refused_ends_the_run(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def refuse(connection: RawConnection) -> None:
        connection.read_request()
        connection.send_raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with RawServer(says('{"symbol": "A", "price": 1}')) as one, RawServer(refuse) as two:
        urls = ("--url", one.url, "--url", two.url)
        with Command(*urls, "--out", out, "--receivers", 2, *QUICK) as command:
            assert command.wait() == 2
    errors = [entry["event"] for entry in command.events if entry["level"] == "error"]
    assert errors == [f"{two.url}: the server answered 404 Not Found"]
    assert len(cells(out)) in (0, 1, 2) if out.exists() else True


def test_what_came_before_a_feed_was_refused_is_summed_up(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def refuse(connection: RawConnection) -> None:
        connection.read_request()
        wait_until(lambda: out.exists() and len(cells(out)) > 1, "a row")
        connection.send_raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with RawServer(says('{"symbol": "A", "price": 1}')) as one, RawServer(refuse) as two:
        with Command("--url", one.url, "--url", two.url, "--out", out, *QUICK) as command:
            summary = command.summary(status=2)
    assert (summary["received"], summary["written"]) == (1, 1)


def test_another_header_is_refused_and_both_are_shown(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("symbol,price,volume\nA,1.0,2\n")
    with Command(
        "--url", "ws://127.0.0.1:9/", "--out", out, "--columns", "symbol, price:decimal"
    ) as command:
        assert command.wait() == 2
    (error,) = [entry["event"] for entry in command.events if entry["level"] == "error"]
    assert "'symbol,price,volume'" in error
    assert "'symbol,price'" in error
    assert out.read_text() == "symbol,price,volume\nA,1.0,2\n"


# Odd messages


DEEP = "[" * 100_000 + "]" * 100_000
LONG = "9" * (10 * 2**20)
ODD = {
    "nested arrays": DEEP,
    "nested in a member": f'{{"symbol": "A", "price": 1, "more": {DEEP}}}',
    "a 10 MiB number": f'{{"symbol": "A", "price": 1, "volume": {LONG}}}',
    "a 10 MiB number for a price": f'{{"symbol": "A", "price": {LONG}}}',
    "a 10 MiB number in another member": f'{{"symbol": "A", "price": 1, "more": {LONG}}}',
    "duplicate keys": '{"symbol": "A", "price": 1, "symbol": "B", "price": 2}',
    "a BOM": '\ufeff{"symbol": "A", "price": 1}',
    "a lone surrogate": '{"symbol": "\\ud800", "price": 1}',
    "a lone surrogate in another member": '{"symbol": "A", "price": 1, "more": "\\udfff"}',
    "1e400": '{"symbol": "A", "price": 1e400}',
    "1e400 in another member": '{"symbol": "A", "price": 1, "more": 1e400}',
    "-0": '{"symbol": "A", "price": -0, "volume": -0}',
    "-0.0": '{"symbol": "A", "price": -0.0, "volume": -0.0}',
    "NaN": '{"symbol": "A", "price": NaN}',
    "two values": '{"symbol": "A", "price": 1} {"symbol": "B", "price": 2}',
    "nothing": "",
    "a nul": "\0",
}
LAST = '{"symbol": "LAST", "price": 1}'


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param((), id="plain", marks=pytest.mark.long),
        pytest.param(("--columns", "symbol, price:float, volume:number?"), id="described"),
    ],
)
def test_odd_messages_cost_neither_the_connection_nor_their_neighbours(
    tmp_path: Path, columns: tuple[str, ...]
) -> None:
    out = tmp_path / "out.csv"
    messages = [text for odd in ODD.values() for text in (odd, '{"symbol": "N", "price": 2}')]
    arguments = ("--out", out, "--max-message-size", "32MiB", *columns, *QUICK)
    with RawServer(says(*messages, LAST)) as server:
        with Command("--url", server.url, *arguments, "--max-rows", 10_000) as command:
            command.wait_for("connected")
            wait_until(lambda: out.exists() and b"LAST" in out.read_bytes(), "the last row")
            summary = command.stop()
    assert (summary["connections"], summary["gaps"], summary["restarts"]) == (1, 0, 0)
    rows = cells(out)[1:]
    rejects = rejects_of(out)
    assert [row[0] for row in rows].count("N") == len(ODD)
    assert rows[-1] == ["LAST", "1.0", ""]
    # Each odd message is a row, or a reject.
    assert len(rows) + len(rejects) == 2 * len(ODD) + 1
    rejected = {reject["text"] for reject in rejects}
    expected = {
        "nested arrays",
        "nested in a member",
        "a 10 MiB number",
        "a 10 MiB number for a price",
        "a BOM",
        "1e400",
        "NaN",
        "two values",
        "nothing",
        "a nul",
    }
    for name in expected:
        assert ODD[name] in rejected, name
    assert ["B", "2.0", ""] in rows  # the last of two members of one name
    assert ["A", "0.0", "0"] in rows
    assert ["A", "-0.0", "0"] in rows
