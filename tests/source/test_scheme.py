"""``ws://`` where TLS is spoken, and the other way round, against real servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fastingest import FeedRefused
from tests.peers.proxies import USER_INFO, http_proxy
from tests.peers.raw import RawConnection, RawServer, Script, certificates
from tests.support.meeting import Met, meet, record

WSS = "the server speaks TLS there: write wss:// in place of ws://"
WS = "the server does not speak TLS there: ws:// in place of wss:// would work, unencrypted"


def serve(peer: RawConnection) -> None:
    peer.handshake()
    peer.send_text(record(1))
    peer.stall()


def says(data: bytes) -> Script:
    """Answer whatever comes first with ``data``."""

    def script(peer: RawConnection) -> None:
        peer.socket.recv(65536)
        peer.send_raw(data)
        peer.drop()

    return script


def _has_failed(met: Met) -> bool:
    return bool(met.reasons)


def test_a_server_that_only_ends_the_connection_is_asked_whether_it_speaks_tls(
    tmp_path: Path,
) -> None:
    made = certificates(tmp_path)
    with RawServer(serve, tls=made.server) as server:
        url = server.url.replace("wss://", "ws://")
        met = meet(url, lambda met: len(met.reasons) >= 3)
        # one for each reason, one that asks, and maybe one more under way
        assert server.connections - len(met.reasons) in (1, 2)
    assert met.reasons[1:] == [WSS] * (len(met.reasons) - 1)
    assert "the server closed the connection" in met.reasons[0] or "reset" in met.reasons[0]
    assert met.error is None


def test_a_server_behind_a_proxy_is_asked_through_it(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    asked: list[str] = []
    with RawServer(serve, tls=made.server) as server, RawServer(http_proxy(asked)) as proxy:
        met = meet(
            server.url.replace("wss://", "ws://"),
            lambda met: len(met.reasons) >= 2,
            proxy=f"http://{USER_INFO}@127.0.0.1:{proxy.port}",
        )
        assert asked[:3] == [f"127.0.0.1:{server.port}"] * 3
    assert met.reasons[1] == WSS


@pytest.mark.parametrize(
    "data",
    [
        b"\x15\x03\x01\x00\x02\x02\x46",  # an alert: protocol version
        b"HTTP/1.1 400 Bad Request\r\n\r\n<html><head><title>400 The plain HTTP request was sent "
        b"to HTTPS port</title>",
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n<p>Reason: You're speaking plain HTTP to an SSL-enabled "
        b"server port.",
    ],
)
def test_a_server_that_says_that_it_speaks_tls_ends_the_run(data: bytes) -> None:
    with RawServer(says(data)) as server:
        met = meet(server.url, _has_failed)
        assert server.connections == 1
    assert isinstance(met.error, FeedRefused)
    assert str(met.error) == f"{server.url}: {WSS}"


def test_a_server_that_ends_connections_and_speaks_no_tls_is_not_said_to() -> None:
    def script(peer: RawConnection) -> None:
        peer.drop()

    with RawServer(script) as server:
        met = meet(server.url, lambda met: len(met.reasons) >= 3)
    assert set(met.reasons) == {"the opening handshake failed: the server closed the connection"}


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"x" * 1000]
)
def test_plain_text_in_place_of_tls_ends_the_run(data: bytes) -> None:
    with RawServer(says(data)) as server:
        url = server.url.replace("ws://", "wss://")
        met = meet(url, _has_failed)
    assert isinstance(met.error, FeedRefused)
    assert str(met.error) == f"{url}: {WS}"


def _drop_unless_http(peer: RawConnection) -> None:
    if peer.socket.recv(4) == b"GET ":
        peer.send_raw(b"HTTP/1.1 426 Upgrade Required\r\n\r\n")
    peer.drop()


def _wait_for_http(peer: RawConnection) -> None:
    peer.handshake()
    peer.stall()


@pytest.mark.parametrize("script", [_drop_unless_http, _wait_for_http])
def test_a_server_that_does_not_answer_tls_is_asked_whether_it_speaks_http(
    script: Callable[[RawConnection], None],
) -> None:
    with RawServer(script) as server:
        url = server.url.replace("ws://", "wss://")
        met = meet(url + "?key=secret", lambda met: len(met.reasons) >= 2, connect_timeout=0.3)
        lines = {peer.request_line for peer in server.accepted} - {""}
        assert lines <= {"GET / HTTP/1.1"}  # nothing of the URL goes there unencrypted
    assert set(met.reasons) == {WS}
    assert met.error is None


def test_a_feed_that_has_worked_is_not_asked(tmp_path: Path) -> None:
    made = certificates(tmp_path)

    def once(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_text(record(1))
        peer.drop()

    def gone(peer: RawConnection) -> None:
        peer.reset()

    with RawServer(once, gone, tls=made.server) as server:
        met = meet(server.url, lambda met: len(met.reasons) >= 4, ca_file=made.ca_file)
        # one for each reason, and maybe one more under way
        assert server.connections - len(met.reasons) in (0, 1)
    assert WS not in met.reasons
