"""The real command and what stands before a connection: answers, refusals, waits and proxies."""

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


def _row_and_drop(connection: RawConnection) -> None:
    connection.handshake()
    connection.send_text(record(1))
    connection.drop()


def _refuse(after: str) -> Script:
    return lambda connection: connection.reject(429, {"Retry-After": after})


def test_a_ban_until_a_time_is_waited_for_and_no_longer(tmp_path: Path) -> None:
    tried: list[float] = []

    def banned(connection: RawConnection) -> None:
        tried.append(time.time())
        connection.reject(429, {"Retry-After": str(int(time.time() + 3))}, b'{"msg": "banned"}')

    def then(connection: RawConnection) -> None:
        tried.append(time.time())
        serve(2)(connection)

    out = tmp_path / "out.csv"
    command = run_until_rows(out, 2, _row_and_drop, banned, then)
    assert volumes(out) == [1, 2]
    assert tried[1] - tried[0] >= 1.9
    second = command.wait_for("no connection", 2)
    assert second["reason"] == 'the server answered 429 Too Many Requests: {"msg": "banned"}'
    assert float(second["retry_in"].removesuffix("s")) <= 3


def test_a_wait_that_no_server_can_mean_is_none(tmp_path: Path) -> None:
    beyond = _refuse(str(10**13))
    command = run_until_rows(tmp_path / "out.csv", 1, beyond, serve(1))
    assert command.wait_for("no connection")["retry_in"].endswith("ms")


# The handshake


def _agree(*lines: bytes, before: bytes = b"") -> Script:
    """Answer 101 with these lines beside those that must be, and send a row."""

    def script(connection: RawConnection) -> None:
        connection.read_request()
        key = connection.headers["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        head = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", *lines]
        head.append(b"Sec-WebSocket-Accept: " + accept)
        connection.send_raw(before + b"\r\n".join([*head, b"", b""]))
        connection.send_text(record(1))
        answer_close(connection)

    return script


@pytest.mark.parametrize(
    "script",
    [
        _agree(b"Connection: keep-alive, Upgrade"),
        _agree(b"Connection: Upgrade, keep-alive"),
        _agree(b"Connection: keep-alive", b"Connection: Upgrade"),
        _agree(b"Connection: Upgrade", before=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        _agree(b"Connection: Upgrade", b"X-Long: " + b"x" * 60_000),
    ],
)
def test_an_answer_may_be_written_as_the_standard_allows(tmp_path: Path, script: Script) -> None:
    out = tmp_path / "out.csv"
    command = run_until_rows(out, 1, script)
    assert volumes(out) == [1]
    assert "no connection" not in {entry["event"] for entry in command.events}


def _only_known_agents(connection: RawConnection) -> None:
    connection.read_request()
    if "user-agent" not in connection.headers:
        connection.reject(403, body=b'{"error": "who are you?"}')
    serve(1)(connection)


def test_a_request_says_who_asks(tmp_path: Path) -> None:
    run_until_rows(tmp_path / "out.csv", 1, _only_known_agents)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (403, b'{"error":\n "no \x1b[1mkey"}', '403 Forbidden: {"error": "no \\x1b[1mkey"}'),
        (401, b"s3cret-key is none", "401 Unauthorized: *** is none"),
        (451, b"<html><title>Not in your country</title></html>", ": Not in your country"),
        (418, b"x" * 1000, ": " + "x" * 200 + "…"),
        (
            200,
            b"<!DOCTYPE html><title>Welcome</title>",
            "the server answered 200 OK, and is no WebSocket endpoint: Welcome",
        ),
    ],
)
def test_a_refusal_is_quoted(tmp_path: Path, status: int, body: bytes, says: str) -> None:
    with RawServer(lambda connection: connection.reject(status, body=body)) as server:
        arguments = ["--url", server.url + "?key=${FI_KEY}", "--out", tmp_path / "out.csv", *QUICK]
        with Command(*arguments, environment={"FI_KEY": "s3cret-key"}) as command:
            if status in (401, 403):
                assert command.wait() == 2
                assert command.events[-1]["event"].endswith(says)
            else:
                assert command.wait_for("no connection")["reason"].endswith(says)
                command.stop()
    assert "s3cret" not in repr(command.events)


def test_a_server_that_comes_back_has_told_why_it_was_away(tmp_path: Path) -> None:
    """Down when the run starts, with a page for it, as it is behind a load balancer."""
    page = b"<html>\n<head><title>503 Service Temporarily Unavailable</title></head></html>"

    def down(connection: RawConnection) -> None:
        connection.reject(503, body=page)

    command = run_until_rows(tmp_path / "out.csv", 1, down, down, serve(1))
    assert command.wait_for("no connection")["reason"] == (
        "the server answered 503 Service Unavailable: 503 Service Temporarily Unavailable"
    )


def _late(connection: RawConnection) -> None:
    connection.read_request()
    time.sleep(0.6)  # slow: this is what is tested
    serve(1)(connection)


def test_a_connect_may_take_as_long_as_it_is_given(tmp_path: Path) -> None:
    """12 s by an option that says 30: what the default of 10 does not allow."""
    out = tmp_path / "out.csv"

    def later(connection: RawConnection) -> None:
        connection.read_request()
        time.sleep(12)  # slow: this is what is tested
        serve(1)(connection)

    command = run_until_rows(out, 1, later, arguments=[*QUICK, "--connect-timeout", "30s"])
    assert volumes(out) == [1]
    assert "no connection" not in {entry["event"] for entry in command.events}


def test_a_feed_may_have_a_time_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "feed.toml"
    with RawServer(_late) as server:
        config.write_text(f'url = "{server.url}"\nconnect-timeout = "200ms"\n')
        out = ["--out", tmp_path / "out.csv"]
        with Command("--config", config, *out, *QUICK) as command:
            assert command.wait_for("no connection", 2)["reason"] == "no answer in time"
            command.stop()
        more = ["--connect-timeout", "1m", "--max-rows", "1"]  # takes the place of it
        with Command("--config", config, *out, *QUICK, *more) as command:
            assert command.wait() == 0, command.events


@pytest.mark.parametrize("right", ["ws", "wss"])
def test_the_wrong_scheme_is_told_and_the_right_one_named(tmp_path: Path, right: str) -> None:
    made = certificates(tmp_path)
    with RawServer(serve(1), tls=made.server if right == "wss" else None) as server:
        wrong = "ws" if right == "wss" else "wss"
        url = server.url.replace(f"{right}://", f"{wrong}://")
        arguments = ["--url", url, "--out", tmp_path / "out.csv", "--connect-timeout", "500ms"]
        with Command(*arguments, *QUICK) as command:
            reason = command.wait_for("no connection", 2)["reason"]
            command.stop()
    if right == "wss":
        assert reason == "the server speaks TLS there: write wss:// in place of ws://"
    else:
        assert reason.startswith("the server does not speak TLS there: ws:// in place of wss://")


def test_a_port_may_be_a_secret(tmp_path: Path) -> None:
    with RawServer(serve(1)) as server:
        environment = {"FI_HOST": "127.0.0.1", "FI_PORT": str(server.port)}
        arguments = ["--url", "ws://${FI_HOST}:${FI_PORT}/", "--out", tmp_path / "out.csv"]
        with Command(*arguments, *QUICK, "--max-rows", "1", environment=environment) as command:
            assert command.wait() == 0, command.events
        config = tmp_path / "feed.toml"
        config.write_text('url = "ws://${FI_HOST}:${FI_PORT}/"\n')
        with Command(
            "--config", config, *arguments[2:], "--max-rows", "1", *QUICK, environment=environment
        ) as command:
            assert command.wait() == 0, command.events
    assert str(server.port) not in repr([e for e in command.events if "url" in e])


# The proxy that the environment names


@pytest.mark.parametrize(
    ("variable", "secure"),
    [
        ("HTTPS_PROXY", True),
        ("https_proxy", True),
        ("ALL_PROXY", True),
        ("all_proxy", False),
        ("HTTP_PROXY", False),
        ("http_proxy", False),
    ],
)
def test_the_proxy_of_the_environment_is_taken(tmp_path: Path, variable: str, secure: bool) -> None:
    made = certificates(tmp_path, "feed.example")
    out = tmp_path / "out.csv"
    asked: list[str] = []
    scheme = "wss" if secure else "ws"
    with (
        RawServer(serve(1), tls=made.server if secure else None) as server,
        RawServer(http_proxy(asked, to=server.port)) as proxy,
    ):
        arguments = ["--url", f"{scheme}://feed.example/", "--out", out, "--max-rows", "1", *QUICK]
        environment = {variable: f"http://{USER_INFO}@127.0.0.1:{proxy.port}"}
        with Command(*arguments, "--ca-file", made.ca_file, environment=environment) as command:
            assert command.wait() == 0, command.events
    assert volumes(out) == [1]
    assert asked == [f"feed.example:{443 if secure else 80}"]
    assert "w%2Frd" not in repr(command.events)


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--proxy", "off"], {}),
        (["--proxy", ""], {}),
        ([], {"NO_PROXY": "elsewhere.example, .invalid"}),
        ([], {"no_proxy": "*"}),
        ([], {"FASTINGEST_PROXY": "off"}),
    ],
)
def test_the_proxy_of_the_environment_can_be_left_out(
    tmp_path: Path, arguments: list[str], environment: dict[str, str]
) -> None:
    with RawServer(http_proxy([])) as proxy:
        environment = {"ALL_PROXY": f"http://{USER_INFO}@127.0.0.1:{proxy.port}", **environment}
        url = ["--url", "ws://no-such-host.invalid/", "--out", tmp_path / "out.csv"]
        with Command(*url, *arguments, *QUICK, environment=environment) as command:
            reason = command.wait_for("no connection")["reason"]
            command.stop()
        assert reason.startswith("the host name has no address")
        assert proxy.connections == 0


def test_a_feed_may_be_without_the_proxy_of_the_environment(tmp_path: Path) -> None:
    config = tmp_path / "feed.toml"
    config.write_text('url = "ws://no-such-host.invalid/"\nproxy = "off"\n')
    with closed_port() as port:
        environment = {"ALL_PROXY": f"http://127.0.0.1:{port}"}
        arguments = ["--config", config, "--out", tmp_path / "out.csv", *QUICK]
        with Command(*arguments, environment=environment) as command:
            reason = command.wait_for("no connection")["reason"]
            command.stop()
    assert reason.startswith("the host name has no address")


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
    assert said["line"] == (
        "fastingest: error: --proxy: HTTPS_PROXY in the environment: 'ftp://***@proxy' must be "
        "http://, https://, socks4:// or socks5:// and a host, or off"
    )
