"""Opening a connection: the request, redirects, and our own certificate."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest

from fastingest.model.feed import Subscription
from fastingest.source.events import Connected
from tests.peers.raw import RawConnection, RawServer, Script, certificates
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


def test_a_redirect_to_another_server_is_not_followed_with_secrets_to_send() -> None:
    seen: list[RawConnection] = []
    with RawServer(serve(seen)) as other, RawServer(redirect(other.url)) as server:
        met = meet(
            server.url,
            lambda met: bool(met.reasons),
            subscriptions=(Subscription('{"key": "${FEED_KEY}"}'),),
        )
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
