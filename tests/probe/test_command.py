"""The command, run as a user runs it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.peers.process import Peer
from tests.peers.raw import PONG, RawConnection, RawServer
from tests.support.command_line import COMMAND, environment, run
from tests.support.patience import LIMIT

REPLY = {"result": None, "id": 1}
TRADES = [
    {"stream": "x@trade", "data": {"e": "trade", "s": "X", "p": f"{n}.50", "T": 1699999999000 + n}}
    for n in range(20)
]
QUOTES = [
    {"stream": "x@quote", "data": {"e": "quote", "s": "X", "bid": n + 0.25, "ask": n + 1.5}}
    for n in range(10)
]


def serve_all(peer: RawConnection) -> None:
    peer.handshake()
    for message in (REPLY, *TRADES, *QUOTES):
        peer.send_text(json.dumps(message))
    peer.stall()


def test_the_file_that_is_printed_captures_the_feed(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    with RawServer(serve_all) as server:
        how = ("--messages", "31", "--save", "m.jsonl")
        probed = run("probe", "--url", server.url, *how, cwd=tmp_path)
        assert probed.returncode == 0
        assert "tried on these messages: 30 rows, 1 ignored, 0 rejected" in probed.stderr
        config.write_text(probed.stdout, "utf-8")
        checked = run("check", str(config), cwd=tmp_path)
        assert (checked.returncode, checked.stderr) == (0, "")
        assert probed.stderr.splitlines()[-1] == (
            "kept in m.jsonl; when the file is fixed: fastingest try m.jsonl --config FILE"
        )
        again = run("probe", "--url", server.url, *how, cwd=tmp_path)
        assert (again.returncode, again.stdout) == (2, "")
        tried = run("try", "m.jsonl", "--config", str(config), cwd=tmp_path)
        assert (tried.returncode, tried.stderr) == (0, "")
        assert (
            "  rows             30\n  rejected          0\n  ignored           1\n" in tried.stdout
        )
        captured = run("--config", str(config), "--max-rows", "30", cwd=tmp_path)
        assert captured.returncode == 0
    tables = {
        path.name.rpartition("_")[2]: [
            row[:-1] for row in csv.reader(path.read_text("utf-8").splitlines())
        ]
        for path in tmp_path.glob("*.csv")
    }
    assert tables == {
        "trade.csv": [
            ["symbol", "price", "time"],
            *(["X", f"{n}.50", f"2023-11-14T22:13:19.0{n:02}Z"] for n in range(20)),
        ],
        "quote.csv": [
            ["symbol", "bid", "ask"],
            *(["X", f"{n}.25", f"{n + 1}.5"] for n in range(10)),
        ],
    }


def test_another_library_s_server_with_all_shapes_of_messages_is_described(tmp_path: Path) -> None:
    server = [sys.executable, "-m", "tests.peers.websockets_server", "--rows", "2000", "--shapes"]
    with Peer(server) as peer:
        probed = run("probe", "--url", peer.url, "--messages", "200", cwd=tmp_path)
    assert probed.returncode == 0
    assert probed.stdout.splitlines()[-6:] == [
        "columns = [",
        '    "symbol:str",',
        '    "price:float",',
        '    "volume:number",',
        '    "@received",',
        "]",
    ]


def test_an_interrupt_ends_the_listening_and_the_file_is_printed(tmp_path: Path) -> None:
    arrived = threading.Event()

    def serve_some(peer: RawConnection) -> None:
        peer.handshake()
        for message in (*TRADES, *QUOTES):
            peer.send_text(json.dumps(message))
        peer.ping(b"all")
        assert peer.recv_frame() == (PONG, b"all", True)
        arrived.set()
        peer.stall()

    with RawServer(serve_some) as server:
        probe = subprocess.Popen(
            [*COMMAND, "probe", "--url", server.url, "--duration", "1h"],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert arrived.wait(LIMIT)
        probe.send_signal(signal.SIGINT)
        out, err = probe.communicate(timeout=LIMIT)
    assert server.errors == []
    assert probe.returncode == 0
    first, counted, *_ = err.splitlines()
    assert first == f"listening to {server.url} for 1h; Ctrl-C ends it earlier"
    assert counted.startswith(f"{server.url}: 30 messages in ")
    assert counted.endswith("; interrupted")
    assert out.count("[[feed.table]]") == 2


def test_what_cannot_be_done_is_one_line_and_status_2(tmp_path: Path) -> None:
    def refuse(peer: RawConnection) -> None:
        peer.reject(404)

    def acknowledge(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_text('{"event":"subscribed"}')
        peer.stall()

    with RawServer(refuse, acknowledge) as server:
        refused = run("probe", "--url", server.url, cwd=tmp_path)
        answered = run("probe", "--url", server.url, "--messages", "1", cwd=tmp_path)
    unnamed = run("probe", cwd=tmp_path)
    wrong = run("probe", "--url", "http://feed.example/", cwd=tmp_path)
    assert [each.returncode for each in (refused, answered, unnamed, wrong)] == [2] * 4
    assert [each.stdout for each in (refused, answered, unnamed, wrong)] == [""] * 4
    assert refused.stderr == (
        f"fastingest: error: {server.url}: the server answered 404 Not Found\n"
    )
    assert answered.stderr.splitlines()[2:] == [
        '        1  a reply  {"event":"subscribed"}',
        "fastingest: error: nothing came that looks like data; ask for some with --subscribe, "
        "or listen longer",
    ]
    assert unnamed.stderr.startswith("fastingest: error: --url: no feed was named;")
    assert wrong.stderr.startswith("fastingest: error: --url: 'http://feed.example/' must begin")


def test_a_secret_is_neither_shown_nor_written(tmp_path: Path) -> None:
    def repeat(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_text(json.dumps({"key": peer.headers["x-key"], "price": 1.5}))
        peer.stall()

    with RawServer(repeat) as server:
        header = "X-Key: ${PROBED_KEY}"
        probed = run(
            *("probe", "--url", server.url, "--header", header, "--messages", "1"),
            cwd=tmp_path,
            PROBED_KEY="a-secret-value",
        )
    assert probed.returncode == 0
    assert 'headers = ["X-Key: ${PROBED_KEY}"]' in probed.stdout
    assert '{"key": "***", "price": 1.5}' in probed.stderr
    assert "a-secret-value" not in probed.stdout + probed.stderr


def test_the_help_names_its_options(tmp_path: Path) -> None:
    shown = run("probe", "--help", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    for text in ("--duration DURATION", "[default: 5s]", "[default: 10000]", "--proxy URL"):
        assert text in shown.stdout
