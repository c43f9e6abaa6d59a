"""The real command against a server that misbehaves.

The many ways to do so are in tests/source/test_misbehaviour.py; here are those whose effect crosses
processes, and one of each kind.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import select
import socket
import struct
import threading
import zlib
from pathlib import Path

import pytest

from tests.end_to_end.command import (
    Command,
    left_by,
    lines_so_far,
    read_rows,
    rejects_of,
    wait_until,
)
from tests.peers.raw import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    RawConnection,
    RawServer,
    Script,
    certificates,
    closed_port,
    frame,
)
from tests.support.serving import answer_close, record, serve

QUICK = ["--reconnect-initial", "20ms", "--reconnect-max", "50ms", "--flush-interval", "50ms"]


def volumes(out: Path) -> list[int]:
    return [int(row[2]) for row in read_rows(out)]


def run_until_rows(
    out: Path, count: int, *scripts: Script, arguments: list[str] = QUICK
) -> Command:
    """Run against the scripts until so many rows are in the file; the command has ended then."""
    with RawServer(*scripts) as server:
        arguments = ["--url", server.url, "--out", str(out), "--max-rows", str(count), *arguments]
        with Command(*arguments) as command:
            assert command.wait() == 0, command.events
    assert server.errors == []
    return command


# Losing the connection


def _drop(connection: RawConnection) -> None:
    connection.handshake()
    connection.send_text(record(1))
    connection.drop()


def _close_with(code: int, reason: str) -> Script:
    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        connection.close(code, reason)

    return script


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (_drop, "the server broke the connection off without a close frame"),
        (_close_with(1001, "going"), "the server closed with code 1001: going"),
    ],
)
def test_a_lost_connection_is_made_again(tmp_path: Path, script: Script, reason: str) -> None:
    out = tmp_path / "out.csv"
    quick_ping = [*QUICK, "--ping-interval", "100ms"]
    command = run_until_rows(out, 2, script, serve(2), arguments=quick_ping)
    assert volumes(out) == [1, 2]
    lost = command.wait_for("no connection")
    assert lost["reason"] == reason
    assert "retry_in" in lost
    gap = command.wait_for("gap")
    assert gap["reason"] == reason
    assert 0 <= gap["length"] < 30
    assert gap["start"].endswith("Z")
    assert len([e for e in command.events if e["event"] == "connected"]) == 2


# Failing to connect


def _reject(status: int, **headers: str) -> Script:
    def script(connection: RawConnection) -> None:
        connection.reject(status, {name.replace("_", "-"): v for name, v in headers.items()})

    return script


def test_a_failed_attempt_is_repeated(tmp_path: Path) -> None:
    script, reason = _reject(500), "the server answered 500 Internal Server Error"
    command = run_until_rows(tmp_path / "out.csv", 1, script, script, serve(1))
    lost = [entry for entry in command.events if entry["event"] == "no connection"]
    assert [entry["reason"] for entry in lost] == [reason] * 2
    gaps = [entry["reason"] for entry in command.events if entry["event"] == "gap"]
    assert gaps == [reason]  # one for all attempts


def test_an_address_that_does_not_answer_is_passed_over(tmp_path: Path) -> None:
    """localhost is ::1 and 127.0.0.1 nearly everywhere; nobody listens on the first."""
    out = tmp_path / "out.csv"
    with RawServer(serve(1)) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with Command("--url", url, "--out", out, "--max-rows", "1", *QUICK) as command:
            assert command.wait() == 0, command.events
    assert volumes(out) == [1]


def test_a_refused_connection_is_repeated(tmp_path: Path) -> None:
    with (
        closed_port() as port,
        Command(
            "--url", f"ws://127.0.0.1:{port}/", "--out", tmp_path / "out.csv", *QUICK
        ) as command,
    ):
        assert command.wait_for("no connection", 3)["reason"] == "Connection refused"
        assert command.stop(3)["connections"] == 0


def test_a_name_without_an_address_is_tried_again(tmp_path: Path) -> None:
    arguments = ["--url", "ws://no-such-host.invalid/", "--out", tmp_path / "out.csv", *QUICK]
    with Command(*arguments) as command:
        lost = command.wait_for("no connection", 2)
        assert lost["reason"].startswith("the host name has no address")
        command.stop(3)


def test_a_refusal_at_the_first_connect_ends_the_run(tmp_path: Path) -> None:
    with RawServer(_reject(403)) as server:
        with Command("--url", server.url, "--out", tmp_path / "out.csv", *QUICK) as command:
            assert command.wait() == 2
        assert server.connections == 1
    error = command.events[-1]
    assert error["level"] == "error"
    assert f"{server.url}: the server answered 403" in error["event"]


# TLS


def test_an_untrusted_certificate_ends_the_run_and_a_trusted_one_works(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    out = tmp_path / "out.csv"
    with RawServer(serve(1), tls=made.server) as server:
        arguments = ["--url", server.url, "--out", out, "--max-rows", "1", *QUICK]
        with Command(*arguments) as command:
            assert command.wait() == 2
        assert "certificate is not trusted" in command.events[-1]["event"]
        assert "--ca-file" in command.events[-1]["event"]
        with Command(*arguments, "--ca-file", made.ca_file) as command:
            assert command.wait() == 0, command.events
    assert volumes(out) == [1]


def test_a_certificate_for_another_host_is_not_trusted(tmp_path: Path) -> None:
    made = certificates(tmp_path, "elsewhere.example")
    with RawServer(serve(1), tls=made.server) as server:
        arguments = ["--url", server.url, "--out", tmp_path / "out.csv", *QUICK]
        with Command(*arguments, "--ca-file", made.ca_file) as command:
            assert command.wait() == 2
        assert "certificate is not trusted" in command.events[-1]["event"]


def test_a_tls_connection_that_breaks_is_made_again(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    out = tmp_path / "out.csv"

    def garbage(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        connection.recv_frame(30)
        socket.socket.send(connection.socket, b"\x17\x03\x03\x00\x05abcde")  # no valid TLS record
        connection.recv_frame(30)

    with RawServer(garbage, _drop, serve(2), tls=made.server) as server:
        arguments = ["--url", server.url, "--out", out, "--max-rows", "3", *QUICK]
        arguments += ["--ping-interval", "100ms", "--ca-file", str(made.ca_file)]
        with Command(*arguments) as command:
            assert command.wait() == 0, command.events
    assert volumes(out) == [1, 1, 2]
    assert "internal error" not in {entry["event"] for entry in command.events}


@pytest.mark.parametrize("end", ["drop", "close"])
def test_a_burst_before_the_end_of_a_tls_connection_is_read_to_its_end(
    tmp_path: Path, end: str
) -> None:
    """What has been decrypted, or could be, is not forgotten when the connection ends."""
    made = certificates(tmp_path)
    out = tmp_path / "out.csv"
    count = 50_000

    def burst(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_raw(b"".join(frame(TEXT, record(number)) for number in range(count)))
        if end == "drop":
            connection.drop()
        else:
            connection.close()

    with RawServer(burst, RawConnection.stall, tls=made.server) as server:
        arguments = ["--url", server.url, "--out", out, *QUICK, "--ca-file", made.ca_file]
        with Command(*arguments) as command:
            command.wait_for("no connection")
            summary = command.stop()
    assert summary["written"] == count
    assert volumes(out) == list(range(count))


# A connection that is dead without saying so


def test_a_half_open_connection_is_found_by_ping(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    pings: list[int] = []

    def stall(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        received = connection.recv_frame(30)
        pings.append(received[0] if received else -1)
        connection.stall()

    arguments = [*QUICK, "--ping-interval", "200ms"]
    command = run_until_rows(out, 2, stall, serve(2), arguments=arguments)
    assert pings == [PING]
    assert command.wait_for("no connection")["reason"] == "no answer to a ping for 200ms"
    assert volumes(out) == [1, 2]


# Frames


def test_a_ping_is_answered_and_does_not_hold_back_the_row_before_it(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    pongs: list[bytes] = []
    is_written = threading.Event()

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_raw(frame(TEXT, record(1)) + frame(PING, b"are you there"))
        received = connection.recv_frame()
        assert received is not None
        assert received[0] == PONG
        pongs.append(received[1])
        wait_until(lambda: lines_so_far(out) == 2, "the row waits")  # nothing more comes
        is_written.set()
        connection.send_text(record(2))
        answer_close(connection)

    run_until_rows(out, 2, script)
    assert is_written.is_set()
    assert pongs == [b"are you there"]
    assert volumes(out) == [1, 2]


def test_control_frames_are_no_rows_even_if_they_look_like_some(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_raw(
            frame(PONG, record(90)) + frame(TEXT, record(1)) + frame(PING, record(91)) + frame(PONG)
        )
        connection.send_text(record(2))
        answer_close(connection)

    run_until_rows(out, 2, script)
    assert volumes(out) == [1, 2]
    assert left_by(out) == ["out.csv", "out.csv.ledger.jsonl"]  # and no rejects


def _too_large(connection: RawConnection) -> None:
    connection.send_text(b'{"symbol": "' + b"x" * 2000 + b'", "price": 1}')


def test_a_broken_protocol_closes_with_its_code_and_reconnects(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    codes: list[int] = []

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        _too_large(connection)
        with contextlib.suppress(OSError):
            connection.send_text(record(92))  # comes too late, or never
        received = connection.recv_frame()
        assert received is not None
        assert received[0] == CLOSE
        codes.append(*struct.unpack_from("!H", received[1]))

    arguments = [*QUICK, "--max-message-size", "1KiB"]
    command = run_until_rows(out, 2, script, serve(2), arguments=arguments)
    assert codes == [1009]
    assert "closed with code 1009" in command.wait_for("no connection")["reason"]
    assert [volume for volume in volumes(out) if volume < 90] == [1, 2]
    assert 90 not in volumes(out)
    assert 91 not in volumes(out)


def test_messages_that_are_no_rows_are_kept_and_cost_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    bad = [
        b"hello",
        b'{"result": null, "id": 1}',
        b'{"symbol": "A", "price": "nan"}',
        b'{"symbol": "A", "price": 1e999}',
        b'{"symbol": "A\xff", "price": 1}',
        b"",
    ]

    def script(connection: RawConnection) -> None:
        connection.handshake()
        for number, message in enumerate(bad):
            connection.send_text(record(number))
            connection.send_frame(BINARY, message)
        connection.send_text(b'[{"symbol": "B", "price": 2, "volume": 6}, {"symbol": "C"}, 7]')
        connection.send_text(record(7))
        answer_close(connection)

    with RawServer(script) as server:
        arguments = ["--url", server.url, "--out", out, "--max-rows", "8", *QUICK]
        with Command(*arguments) as command:
            summary = command.summary()
        assert server.connections == 1
    assert volumes(out) == list(range(8))
    kept = rejects_of(out)
    raw = [
        reject["text"].encode() if "text" in reject else base64.b64decode(reject["base64"])
        for reject in kept
    ]
    assert raw == [*bad, b'{"symbol": "C"}', b"7"]
    assert [reject for reject in kept if "base64" in reject] == [kept[4]]
    assert all(reject["reason"] and reject["time"].endswith("Z") for reject in kept)
    assert (summary["received"], summary["written"], summary["quarantined"]) == (16, 8, 8)
    assert (summary["dropped"], summary["in_flight"]) == (0, 0)


# The opening request


def test_headers_and_subscriptions_are_sent_at_every_connect(tmp_path: Path) -> None:
    file = tmp_path / "subscribe.json"
    file.write_text('{"op": "subscribe",\n "channel": "é"}', "utf-8")
    seen: list[tuple[str, str, str, list[str]]] = []

    def script(connection: RawConnection) -> None:
        connection.handshake()
        texts = []
        for _ in range(3):
            received = connection.recv_frame()
            assert received is not None
            assert received[0] == TEXT
            texts.append(received[1].decode())
        headers = connection.headers
        seen.append((connection.request_line, headers["authorization"], headers["x-empty"], texts))
        connection.send_text(record(len(seen)))
        if len(seen) < 2:
            connection.drop()
        else:
            answer_close(connection)

    with RawServer(script) as server:
        arguments = ["--url", server.url + "feed?a=b%20c", "--out", tmp_path / "out.csv"]
        arguments += ["--header", "Authorization: Bearer a:b", "--header", "X-Empty:"]
        arguments += ["--subscribe", "first", "--subscribe", f"@{file}", "--subscribe", "third"]
        with Command(*arguments, "--max-rows", "2", *QUICK) as command:
            assert command.wait() == 0, command.events
    assert server.errors == []
    request = (
        "GET /feed?a=b%20c HTTP/1.1",
        "Bearer a:b",
        "",
        ["first", file.read_text("utf-8"), "third"],
    )
    assert seen == [request, request]


def test_a_feed_is_had_through_a_proxy(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    asked: list[str] = []

    def tunnel(connection: RawConnection) -> None:
        connection.read_request()
        asked.append(connection.request_line)
        host, port = connection.request_line.split()[1].split(":")
        with socket.create_connection((host, int(port))) as onward:
            connection.send_raw(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                ready, _, _ = select.select([connection.socket, onward], [], [], 30)
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    (onward if source is connection.socket else connection.socket).sendall(data)

    with RawServer(tunnel) as proxy, RawServer(serve(1, 2)) as server:
        arguments = ["--url", server.url, "--out", out, "--max-rows", "2", *QUICK]
        with Command(*arguments, "--proxy", f"http://127.0.0.1:{proxy.port}") as command:
            assert command.wait() == 0, command.events
    assert asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
    assert volumes(out) == [1, 2]


def test_the_last_row_before_a_quiet_time_reaches_the_file(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with RawServer(serve(1)) as server:
        arguments = ["--url", server.url, "--out", out, "--flush-interval", "50ms"]
        with Command(*arguments) as command:
            wait_until(lambda: out.exists() and b"A,1.5,1\n" in out.read_bytes())
            summary = command.stop()
    assert summary["written"] == 1


def test_a_secret_is_sent_and_stands_in_no_file_and_no_log(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    (tmp_path / "token").write_text("t0ken in a file\n")
    secret = "s3cr3t/k+y"
    seen: list[tuple[str, str, bytes | None]] = []

    def echo(connection: RawConnection) -> None:
        connection.handshake()
        received = connection.recv_frame()
        said = received and received[1]
        seen.append((connection.request_line, connection.headers["authorization"], said))
        connection.send_text(record(1))
        connection.send_text(b"who is this? " + (said or b""))
        connection.close(4000, f"not {secret}")

    with RawServer(echo, serve(2)) as server:
        url = server.url.replace("://", "://me:${FEED_KEY}@") + "?t=${FEED_KEY}"
        arguments = ["--url", url, "--out", out, "--max-rows", "2", *QUICK]
        arguments += ["--subscribe", f"${{file:{tmp_path}/token}}, ${{FEED_KEY}}"]
        environment = {"FEED_KEY": secret}
        with Command(*arguments, environment=environment) as command:
            assert command.wait() == 0, command.events
    assert server.errors == []
    pair = base64.b64encode(f"me:{secret}".encode()).decode()
    said = f"t0ken in a file, {secret}".encode()
    assert seen == [(f"GET /?t={secret} HTTP/1.1", f"Basic {pair}", said)]
    assert volumes(out) == [1, 2]
    assert [reject["text"] for reject in rejects_of(out)] == ["who is this? ***, ***"]
    reason = command.wait_for("no connection")["reason"]
    assert "code 4000: not ***; the server said: who is this? ***" in reason
    left = [path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("out")]
    for text in (*left, repr(command.events).encode()):
        for value in (secret, pair, "t0ken"):
            assert value.encode() not in text


def test_a_secret_that_is_not_there_is_told_before_anything_is_captured(tmp_path: Path) -> None:
    with RawServer(serve(1)) as server:
        arguments = ["--url", server.url, "--out", tmp_path / "out.csv"]
        with Command(*arguments, "--header", "X-Key: ${NO_SUCH_KEY}") as command:
            assert command.wait() == 2
        assert server.connections == 0
    assert "the environment variable NO_SUCH_KEY is not set" in command.events[-1]["text"]
    assert list(tmp_path.iterdir()) == []


def test_a_compressed_feed_is_captured(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    compress = zlib.compressobj(wbits=-15)

    def script(connection: RawConnection) -> None:
        connection.handshake({"Sec-WebSocket-Extensions": "permessage-deflate"})
        for number in range(1000):
            data = compress.compress(record(number)) + compress.flush(zlib.Z_SYNC_FLUSH)
            connection.send_frame(TEXT, data[:-4], rsv=4)
        answer_close(connection)

    run_until_rows(out, 1000, script, arguments=[*QUICK, "--compression", "deflate"])
    assert volumes(out) == list(range(1000))


def test_binary_messages_that_the_server_compresses_are_captured(tmp_path: Path) -> None:
    out, config = tmp_path / "out.csv", tmp_path / "feed.toml"

    def script(connection: RawConnection) -> None:
        connection.handshake()
        for number in range(1000):
            connection.send_frame(BINARY, gzip.compress(record(number)))
        connection.send_frame(BINARY, gzip.compress(record(1000))[:-1])  # which is broken
        connection.send_text(record(1001))
        answer_close(connection)

    with RawServer(script) as server:
        config.write_text(f'url = "{server.url}"\ninflate = "gzip"\n')
        with Command("--config", config, "--out", out, *QUICK) as command:
            wait_until(lambda: lines_so_far(out) == 1002)
            command.stop(0)
    assert volumes(out) == [*range(1000), 1001]
    (reject,) = rejects_of(out)
    assert "not UTF-8" in reject["reason"]
