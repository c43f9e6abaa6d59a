"""The real command and what stands before a connection: answers, refusals, waits and proxies.

The many ways of each are in tests/source: test_answer.py, test_connector.py, test_scheme.py.
"""

from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path

import pytest

from tests.end_to_end.command import Command
from tests.end_to_end.test_connection import QUICK, run_until_rows, volumes
from tests.peers.proxies import USER_INFO, http_proxy
from tests.peers.raw import GUID, RawConnection, RawServer, Script, certificates, closed_port
from tests.support.serving import answer_close, record, serve


def _agree(number: int, *lines: bytes, before: bytes = b"") -> Script:
    """Answer 101 with these lines beside those that must be, send a row, and drop."""

    def script(connection: RawConnection) -> None:
        connection.read_request()
        key = connection.headers["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        head = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", *lines]
        head.append(b"Sec-WebSocket-Accept: " + accept)
        connection.send_raw(before + b"\r\n".join([*head, b"", b""]))
        connection.send_text(record(number))
        if number == 5:
            answer_close(connection)

    return script


def test_an_answer_may_be_written_as_the_standard_allows(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    run_until_rows(
        out,
        5,
        _agree(1, b"Connection: keep-alive, Upgrade"),
        _agree(2, b"Connection: Upgrade, keep-alive"),
        _agree(3, b"Connection: keep-alive", b"Connection: Upgrade"),
        _agree(4, b"Connection: Upgrade", before=early),
        _agree(5, b"Connection: Upgrade", b"X-Long: " + b"x" * 60_000),
    )
    assert volumes(out) == [1, 2, 3, 4, 5]


def test_a_ban_until_a_time_is_waited_for_and_no_longer(tmp_path: Path) -> None:
    tried: list[float] = []

    def drop(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        connection.drop()

    def banned(connection: RawConnection) -> None:
        tried.append(time.time())
        connection.reject(429, {"Retry-After": str(int(time.time() + 3))}, b'{"msg": "banned"}')

    def then(connection: RawConnection) -> None:
        tried.append(time.time())
        serve(2)(connection)

    out = tmp_path / "out.csv"
    command = run_until_rows(out, 2, drop, banned, then)
    assert volumes(out) == [1, 2]
    assert tried[1] - tried[0] >= 1.9
    second = command.wait_for("no connection", 2)
    assert second["reason"] == 'the server answered 429 Too Many Requests: {"msg": "banned"}'
    assert float(second["retry_in"].removesuffix("s")) <= 3


def test_a_refusal_is_quoted_and_the_request_says_who_asks(tmp_path: Path) -> None:
    def refuse(connection: RawConnection) -> None:
        connection.read_request()
        agent = connection.headers.get("user-agent", "nobody")
        connection.reject(403, body=f"s3cret-key is none, {agent.partition('/')[0]}".encode())

    with RawServer(refuse) as server:
        arguments = ["--url", server.url + "?key=${FI_KEY}", "--out", tmp_path / "out.csv", *QUICK]
        with Command(*arguments, environment={"FI_KEY": "s3cret-key"}) as command:
            assert command.wait() == 2
    says = "the server answered 403 Forbidden: *** is none, fastingest"
    assert command.events[-1]["event"].endswith(says)
    assert "s3cret" not in repr(command.events)


@pytest.mark.long
def test_a_connect_may_take_longer_than_is_usual(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def late(connection: RawConnection) -> None:
        connection.read_request()
        time.sleep(12)  # slow: this is what is tested
        serve(1)(connection)

    command = run_until_rows(out, 1, late, arguments=[*QUICK, "--connect-timeout", "30s"])
    assert volumes(out) == [1]
    assert "no connection" not in {entry["event"] for entry in command.events}


def test_a_feed_may_have_a_time_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "feed.toml"

    def late(connection: RawConnection) -> None:
        connection.read_request()
        time.sleep(0.6)  # slow: this is what is tested
        serve(1)(connection)

    with RawServer(late) as server:
        config.write_text(f'url = "{server.url}"\nconnect-timeout = "200ms"\n')
        arguments = ["--config", config, "--out", tmp_path / "out.csv", *QUICK]
        with Command(*arguments) as command:
            assert command.wait_for("no connection", 2)["reason"] == "no answer in time"
            command.stop(3)  # it was never ready
        more = ["--connect-timeout", "1m", "--max-rows", "1"]  # takes the place of it
        with Command(*arguments, *more) as command:
            assert command.wait() == 0, command.events


def test_a_port_may_be_a_secret(tmp_path: Path) -> None:
    with RawServer(serve(1)) as server:
        environment = {"FI_HOST": "127.0.0.1", "FI_PORT": str(server.port)}
        arguments = ["--url", "ws://${FI_HOST}:${FI_PORT}/", "--out", tmp_path / "out.csv"]
        with Command(*arguments, *QUICK, "--max-rows", "1", environment=environment) as command:
            assert command.wait() == 0, command.events
    assert command.wait_for("connected")["url"] == "ws://***:***/"


# The proxy that the environment names


def test_the_proxy_of_the_environment_is_taken(tmp_path: Path) -> None:
    made = certificates(tmp_path, "feed.example")
    out = tmp_path / "out.csv"
    asked: list[str] = []
    with (
        RawServer(serve(1), tls=made.server) as server,
        RawServer(http_proxy(asked, to=server.port)) as proxy,
    ):
        arguments = ["--url", "wss://feed.example/", "--out", out, "--max-rows", "1", *QUICK]
        environment = {"HTTPS_PROXY": f"http://{USER_INFO}@127.0.0.1:{proxy.port}"}
        with Command(*arguments, "--ca-file", made.ca_file, environment=environment) as command:
            assert command.wait() == 0, command.events
    assert volumes(out) == [1]
    assert asked == ["feed.example:443"]
    assert "w%2Frd" not in repr(command.events)


@pytest.mark.parametrize("arguments", [["--proxy", "off"], ["--proxy", ""]])
def test_the_proxy_of_the_environment_can_be_left_out(tmp_path: Path, arguments: list[str]) -> None:
    with RawServer(http_proxy([])) as proxy:
        environment = {"ALL_PROXY": f"http://{USER_INFO}@127.0.0.1:{proxy.port}"}
        url = ["--url", "ws://no-such-host.invalid/", "--out", tmp_path / "out.csv"]
        with Command(*url, *arguments, *QUICK, environment=environment) as command:
            reason = command.wait_for("no connection")["reason"]
            command.stop(3)  # it was never ready
        assert reason.startswith("the host name has no address")
        assert proxy.connections == 0


def test_the_program_s_own_exchange_is_never_behind_a_proxy(tmp_path: Path) -> None:
    with closed_port() as port:
        environment = {"ALL_PROXY": f"http://127.0.0.1:{port}"}
        arguments = ["--url", "demo://", "--out", tmp_path / "out.csv", "--max-rows", "1"]
        with Command(*arguments, environment=environment) as command:
            assert command.wait() == 0, command.events


def test_what_is_no_proxy_in_the_environment_is_told_by_its_name(tmp_path: Path) -> None:
    environment = {"HTTPS_PROXY": "ftp://me:s3cret@proxy"}
    arguments = ["--url", "wss://feed.example/", "--out", tmp_path / "out.csv"]
    with Command(*arguments, environment=environment) as command:
        assert command.wait() == 2
    (said,) = command.events
    assert said["text"].rstrip() == (
        "fastingest: error: --proxy: HTTPS_PROXY in the environment: 'ftp://***@proxy' must be "
        "http://, https://, socks4:// or socks5:// and a host, or off"
    )
