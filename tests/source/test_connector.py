"""Opening a connection: the request, redirects, and our own certificate."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from fastingest.model.feed import Answer, Heartbeat, Subscription
from fastingest.model.message_conditions import parse_message_condition
from fastingest.source.events import Connected
from fastingest.version import __version__
from tests.peers.proxies import USER_INFO, http_proxy
from tests.peers.raw import (
    GUID,
    TEXT,
    RawConnection,
    RawServer,
    Script,
    certificates,
    frame,
)
from tests.support.meeting import Met, meet, record


@pytest.fixture(autouse=True)
def _variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_KEY", "a key")


def serve(seen: list[RawConnection]) -> Script:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        seen.append(peer)
        peer.send_text(record(len(seen)))
        peer.stall()

    return script


def redirect(location: str, status: int = 302) -> Script:
    def script(peer: RawConnection) -> None:
        peer.reject(status, {"Location": location})

    return script


def has_row(met: Met) -> bool:
    return bool(met.volumes)


def test_a_user_name_in_the_url_is_sent_as_a_header_and_is_no_part_of_the_request() -> None:
    seen: list[RawConnection] = []
    with RawServer(serve(seen)) as server:
        met = meet(server.url.replace("://", "://m%20e:p%C3%A9%3A@") + "x?y=z", has_row)
    (peer,) = seen
    pair = base64.b64encode("m e:pé:".encode()).decode()
    assert peer.request_line == "GET /x?y=z HTTP/1.1"
    assert peer.headers["host"] == f"127.0.0.1:{server.port}"
    assert peer.headers["authorization"] == f"Basic {pair}"
    assert met.events == [Connected(f"ws://***@127.0.0.1:{server.port}/x?y=z")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_server_keeps_all_headers(status: int) -> None:
    seen: list[RawConnection] = []
    with RawServer(redirect("/other?a=b", status), serve(seen)) as server:
        meet(
            server.url.replace("://", "://me:pw@"),
            has_row,
            headers=("X-Key: ${FEED_KEY}", "Cookie: a=b"),
        )
    (peer,) = seen
    assert peer.request_line == "GET /other?a=b HTTP/1.1"
    assert {"authorization", "x-key", "cookie"} < set(peer.headers)


def test_a_redirect_to_another_server_takes_no_secrets_along() -> None:
    seen: list[RawConnection] = []
    with RawServer(serve(seen)) as other:
        location = other.url.replace("ws://", "http://x:y@")
        with RawServer(redirect(location)) as server:
            meet(
                server.url.replace("://", "://me:pw@"),
                has_row,
                headers=("X-Key: ${FEED_KEY}", "Cookie: a=b", "X-Plain: c"),
                compression="deflate",
            )
    (peer,) = seen
    assert not {"authorization", "x-key", "cookie"} & set(peer.headers)
    assert peer.headers["x-plain"] == "c"
    assert "sec-websocket-extensions" in peer.headers


@pytest.mark.parametrize(
    "sent",
    [
        {"subscriptions": (Subscription('{"key": "${FEED_KEY}"}'),)},
        {"heartbeats": (Heartbeat('{"key": "${FEED_KEY}"}', 60.0),)},
        {"answers": (Answer(((parse_message_condition("$.ping"),),), '{"key": "${FEED_KEY}"}'),)},
    ],
    ids=lambda sent: str(*sent),
)
def test_a_redirect_to_another_server_is_not_followed_with_secrets_to_send(
    sent: dict[str, Any],
) -> None:
    seen: list[RawConnection] = []
    with RawServer(serve(seen)) as other, RawServer(redirect(other.url)) as server:
        met = meet(server.url, lambda met: bool(met.reasons), **sent)
    assert seen == []
    assert "the server redirects to 127.0.0.1, which must not get the secrets" in met.reasons[0]


def test_redirects_without_an_end_are_given_up() -> None:
    with RawServer(redirect("/again")) as server:
        met = meet(server.url, lambda met: bool(met.reasons))
        assert server.connections >= 6
    assert met.reasons[0] == "the server answered 302 Found"


def test_a_redirect_from_a_secure_server_to_another_is_not_followed(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    for location in ("ws://127.0.0.1:9/", "http://127.0.0.1:9/", "ftp://127.0.0.1/"):
        with RawServer(redirect(location), tls=made.server) as server:
            met = meet(server.url, lambda met: bool(met.reasons), ca_file=made.ca_file)
        assert "the server redirects to where no secure WebSocket is" in met.reasons[0]


def test_a_redirect_without_a_location_is_an_answer_like_any_other() -> None:
    with RawServer(lambda peer: peer.reject(302)) as server:
        met = meet(server.url, lambda met: bool(met.reasons))
    assert met.reasons[0] == "the server answered 302 Found"


def test_our_certificate_is_shown_to_a_server_that_asks_for_it(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    made.authority.configure_trust(made.server)
    made.server.verify_mode = ssl.CERT_REQUIRED
    own = made.authority.issue_cert("client.example")
    cert_file, key_file = tmp_path / "own.pem", tmp_path / "own.key"
    own.cert_chain_pems[0].write_to_path(str(cert_file))
    own.private_key_pem.write_to_path(str(key_file))
    seen: list[RawConnection] = []
    with RawServer(serve(seen), tls=made.server) as server:
        refused = meet(server.url, lambda met: bool(met.reasons), ca_file=made.ca_file)
        met = meet(
            server.url, has_row, ca_file=made.ca_file, cert_file=cert_file, key_file=key_file
        )
    assert refused.reasons[0].startswith("TLS failed: TLSV13_ALERT_CERTIFICATE_REQUIRED")
    assert met.volumes == [1]


def test_a_certificate_that_is_exchanged_is_read_anew(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    made.authority.configure_trust(made.server)
    made.server.verify_mode = ssl.CERT_REQUIRED
    own_file = tmp_path / "own.pem"
    names: list[str] = []

    def issue(name: str) -> None:
        own = made.authority.issue_cert(name)
        own_file.write_bytes(own.private_key_and_cert_chain_pem.bytes())

    def script(peer: RawConnection) -> None:
        peer.handshake()
        assert isinstance(peer.socket, ssl.SSLSocket)
        certificate = peer.socket.getpeercert()
        assert certificate
        names.append(str(certificate["subjectAltName"]))
        issue("second.example")
        peer.drop()

    issue("first.example")
    with RawServer(script, tls=made.server) as server:
        meet(
            server.url,
            lambda met: met.connected >= 2,
            ca_file=made.ca_file,
            cert_file=own_file,
        )
    assert server.errors == []
    assert names[:2] == [f"(('DNS', '{name}.example'),)" for name in ("first", "second")]


# The answer


def agree(*lines: bytes, before: bytes = b"", piece: int = 0) -> Script:
    """Answer 101 with these lines, in pieces of so many bytes, and send a row at once.

    :param before: what comes before it.
    """

    def script(peer: RawConnection) -> None:
        peer.read_request()
        key = peer.headers["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        head = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", *lines]
        head.append(b"Sec-WebSocket-Accept: " + accept)
        data = before + b"\r\n".join([*head, b"", b""]) + frame(TEXT, record(1))
        for start in range(0, len(data), piece or len(data)):
            peer.send_raw(data[start : start + (piece or len(data))])
        peer.send_text(record(2))
        peer.stall()

    return script


ANSWERS = {
    "two tokens": agree(b"Connection: keep-alive, Upgrade"),
    "two tokens the other way round": agree(b"Connection: Upgrade, keep-alive"),
    "two lines": agree(b"Connection: keep-alive", b"Connection: Upgrade"),
    "in pieces": agree(b"Connection: keep-alive, Upgrade", piece=1),
    "early hints": agree(
        b"Connection: Upgrade", before=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    ),
    "much before": agree(b"Connection: Upgrade", before=b"HTTP/1.1 100 Continue\r\n\r\n" * 3000),
    "many headers": agree(*[b"Set-Cookie: a=b"] * 1000, b"Connection: Upgrade"),
    "a long header": agree(b"X-Policy: " + b"x" * 60_000, b"Connection: Upgrade"),
}


@pytest.mark.parametrize("way", ["plain", "TLS", "through http", "through https", "TLS in TLS"])
@pytest.mark.parametrize("answer", list(ANSWERS))
def test_an_answer_that_agrees_is_taken_however_it_is_written(
    tmp_path: Path, answer: str, way: str
) -> None:
    made = certificates(tmp_path)
    more: dict[str, Any] = {}
    is_secure = way in ("TLS", "TLS in TLS")
    is_https = way in ("through https", "TLS in TLS")
    with (
        RawServer(ANSWERS[answer], tls=made.server if is_secure else None) as server,
        RawServer(http_proxy([]), tls=made.server if is_https else None) as proxy,
    ):
        if way not in ("plain", "TLS"):
            scheme = "https" if is_https else "http"
            more["proxy"] = f"{scheme}://{USER_INFO}@127.0.0.1:{proxy.port}"
        met = meet(server.url, lambda met: len(met.volumes) >= 2, ca_file=made.ca_file, **more)
    assert (met.volumes, met.reasons) == ([1, 2], [])


def test_headers_that_never_end_are_given_up() -> None:
    def script(peer: RawConnection) -> None:
        peer.read_request()
        peer.send_raw(b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 100_000)
        peer.stall()

    with RawServer(script) as server:
        met = meet(server.url, lambda met: bool(met.reasons))
    assert met.reasons[0] == (
        "the opening handshake failed: the headers of its answer are longer than 64KiB"
    )


def test_what_is_no_http_is_told_at_once() -> None:
    def script(peer: RawConnection) -> None:
        peer.send_raw(b"SSH-2.0-OpenSSH_9.6\r\n")
        peer.stall()

    with RawServer(script) as server:
        met = meet(server.url, lambda met: bool(met.reasons), connect_timeout=3600.0)
    assert met.reasons[0] == (
        "the opening handshake failed: its answer is no HTTP: SSH-2.0-OpenSSH_9.6"
    )


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("end", ["length", "drop", "reset", "stall"])
def test_a_body_is_quoted_however_it_ends(tmp_path: Path, end: str, secure: bool) -> None:
    made = certificates(tmp_path)

    def script(peer: RawConnection) -> None:
        peer.read_request()
        length = b"Content-Length: 11\r\n" if end == "length" else b""
        peer.send_raw(b"HTTP/1.1 503 Busy\r\n" + length + b"\r\n")
        peer.send_raw(b"come ")
        peer.send_raw(b"later\n")
        if end == "reset":
            # which may overtake what was sent, if the client has not read that
            peer.socket.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                peer.socket.recv(1)
        getattr(peer, "stall" if end == "length" else end)()

    with RawServer(script, tls=made.server if secure else None) as server:
        met = meet(server.url, lambda met: bool(met.reasons), ca_file=made.ca_file)
    assert met.reasons[0] == "the server answered 503 Busy: come later"


def test_a_body_hides_the_secrets_that_it_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_KEY", "a\tsecret  key")
    body = b"x" * 190 + b" a\tsecret  key is no key"

    with RawServer(lambda peer: peer.reject(429, body=body)) as server:
        met = meet(
            server.url,
            lambda met: bool(met.reasons),
            subscriptions=(Subscription("${FEED_KEY}"),),
        )
    assert met.reasons[0].endswith("x *** is no…")


# Who asks


@pytest.mark.parametrize(
    ("headers", "agent"),
    [((), f"fastingest/{__version__}"), (("user-agent: me",), "me"), (("User-Agent:",), "")],
)
def test_a_request_says_who_asks(headers: tuple[str, ...], agent: str) -> None:
    seen: list[RawConnection] = []
    with RawServer(serve(seen)) as server:
        meet(server.url, has_row, headers=headers)
    (peer,) = seen
    assert peer.headers["user-agent"] == agent


# How long it may take


def test_a_connect_has_its_time_in_all() -> None:
    """Each redirect is quick enough, and all of them together are not."""

    def script(peer: RawConnection) -> None:
        peer.read_request()
        time.sleep(0.2)  # slow: this is what is tested
        peer.reject(302, {"Location": "/again"})

    with RawServer(script) as server:
        met = meet(server.url, lambda met: bool(met.reasons), connect_timeout=0.5)
    assert met.reasons[0] == "no answer in time"


def test_addresses_that_never_answer_have_their_time() -> None:
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)  # and there is no room for another connection
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(listener.getsockname())
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        met = meet(url, lambda met: bool(met.reasons), connect_timeout=0.2)
    assert met.reasons[0] == "no answer in time"


# The proxy that the environment names


def test_a_redirect_to_another_server_takes_the_proxy_of_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    seen: list[RawConnection] = []
    with (
        RawServer(serve(seen)) as other,
        RawServer(redirect("ws://feed.example:9/")) as server,  # here, and so without a proxy
        RawServer(http_proxy(asked, to=other.port)) as proxy,
    ):
        monkeypatch.setenv("WS_PROXY", f"{USER_INFO}@127.0.0.1:{proxy.port}")
        met = meet(server.url, has_row)
    assert met.volumes == [1]
    assert asked == ["feed.example:9"]
