"""A secret never shows: all that a run says, writes and is called is searched for it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, wait_until
from tests.peers.raw import CLOSE, RawConnection, RawServer, closed_port

NAMED, FILED, PASSED = "named-secret-4711", "filed/secret=0815", "passed secret 1138"
QUICK = ("--reconnect-initial", "20ms", "--reconnect-max", "50ms", "--flush-interval", "50ms")


def shapes_of(secret: str) -> list[bytes]:
    """The ways in which it could be met."""
    from urllib.parse import quote

    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    return [text.encode() for text in (secret, quote(secret, safe=""), json.dumps(secret), basic)]


class Search:
    """Looks for the secrets in everything that a run leaves or shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[bytes] = []

    def processes(self, command: Command) -> None:
        """Remember how the processes are called now."""
        for pid in (command.pid, *command.children()):
            self.seen.append(Path(f"/proc/{pid}/cmdline").read_bytes())
            self.seen.append(Path(f"/proc/{pid}/comm").read_bytes())

    def end(self, command: Command) -> None:
        """See that no secret is anywhere."""
        self.seen.append(json.dumps(command.events).encode())
        command._stdout.seek(0)
        self.seen.append(command._stdout.read())
        self.seen += [
            path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and path.name != "token"
        ]
        assert command.events
        for secret in (NAMED, FILED, PASSED):
            for shape in shapes_of(secret):
                assert not [text for text in self.seen if shape in text], shape


@pytest.fixture
def settings(tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """Arguments that hold each kind of secret, and the environment that has them."""
    (tmp_path / "token").write_text(FILED + "\n")
    arguments = ["--header", f"X-Key: ${{file:{tmp_path}/token}}", "--out", f"{tmp_path}/out.csv"]
    arguments += ["--subscribe", '{"op": "auth", "key": "${FI_NAMED}"}', *QUICK]
    return arguments, {"FI_NAMED": NAMED, "FI_PASSED": PASSED}


def with_user(url: str) -> str:
    """The URL with user and password."""
    return url.replace("://", "://user:${FI_PASSED}@") + "?token=${FI_NAMED}"


def test_no_secret_shows_in_a_run_whose_server_echoes_them(
    tmp_path: Path, settings: tuple[list[str], dict[str, str]]
) -> None:
    arguments, environment = settings
    requests: list[tuple[str, dict[str, str]]] = []
    texts: list[bytes] = []

    def echo(connection: RawConnection) -> None:
        connection.handshake()
        requests.append((connection.request_line, dict(connection.headers)))
        received = connection.recv_frame(10)
        assert received is not None
        texts.append(received[1])
        connection.send_frame(1, received[1])  # comes to the rejects
        for said in (FILED, PASSED):
            connection.send_text(json.dumps({"error": f"bad key {said}"}))
        connection.send_text('{"symbol": "A", "price": 1}')
        if len(requests) == 1:
            connection.send_frame(CLOSE, b"\x0f\xa1" + f"bad key {NAMED} {FILED}".encode())
        while (received := connection.recv_frame(30)) is not None:
            if received[0] == CLOSE:
                connection.send_frame(CLOSE, received[1])
                return

    search = Search(tmp_path)
    with RawServer(echo, echo) as server:
        with Command(
            "--url", with_user(server.url), *arguments, environment=environment
        ) as command:
            command.wait_for("connected", 2)
            search.processes(command)
            out = tmp_path / "out.csv"
            wait_until(lambda: out.exists() and out.read_bytes().count(b"A,1.0") == 2, "two rows")
            summary = command.stop()
            search.end(command)
    assert server.errors == []
    # They were used, though.
    line, headers = requests[0]
    assert f"token={NAMED}" in line
    assert headers["x-key"] == FILED
    assert base64.b64decode(headers["authorization"].split()[1]).decode() == f"user:{PASSED}"
    assert json.loads(texts[0]) == {"op": "auth", "key": NAMED}
    assert summary["quarantined"] == 6
    assert b"***" in (tmp_path / "out.csv.rejected.jsonl").read_bytes()
    assert "***" in summary["feed"]


def test_no_secret_shows_where_the_feed_refuses(
    tmp_path: Path, settings: tuple[list[str], dict[str, str]]
) -> None:
    arguments, environment = settings

    def refuse(connection: RawConnection) -> None:
        connection.read_request()
        reason = f"bad key {NAMED} {PASSED}".encode()
        connection.send_raw(b"HTTP/1.1 401 " + reason + b"\r\nContent-Length: 0\r\n\r\n")

    search = Search(tmp_path)
    with RawServer(refuse) as server:
        url = with_user(server.url)
        with Command("--url", url, *arguments, environment=environment) as command:
            assert command.wait() == 2
            search.end(command)
    assert "***" in command.events[-1]["event"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_no_secret_shows_where_the_proxy_is_not_there(
    tmp_path: Path, settings: tuple[list[str], dict[str, str]], scheme: str
) -> None:
    arguments, environment = settings
    search = Search(tmp_path)
    url = with_user("ws://127.0.0.1:9/")
    with closed_port() as port:
        proxy = ("--proxy", f"{scheme}://user:${{FI_PASSED}}@127.0.0.1:{port}")
        with Command("--url", url, *proxy, *arguments, environment=environment) as command:
            command.wait_for("no connection", 2)
            search.processes(command)
            command.stop(3)
            search.end(command)


def test_what_is_not_there_is_said_by_its_name_before_anything_is_captured(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for text, said in (("${FI_NOT_SET}", "FI_NOT_SET"), ("${file:/no/such/file}", "/no/such/file")):
        with Command(
            "--url", "ws://127.0.0.1:9/", "--header", f"X: {text}", "--out", out
        ) as command:
            assert command.wait() == 2
        assert said in command.events[-1]["text"]
    assert list(tmp_path.iterdir()) == []
